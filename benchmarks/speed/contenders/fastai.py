"""fastai's Learner as its vision tutorial uses it: RandomResizedCrop, Normalize, fit_one_cycle.

Timed by callbacks around the training part of the epoch; fastai drops the last batch where it is not full, and the
pictures that it really used are what counts.
"""

from __future__ import annotations

import time

import fastai.callback.schedule  # noqa: F401  # gives Learner its fit_one_cycle
from fastai.callback.core import Callback
from fastai.vision.all import (
    CrossEntropyLossFlat,
    ImageDataLoaders,
    Learner,
    Normalize,
    RandomResizedCrop,
    accuracy,
    imagenet_stats,
)

from benchmarks.speed.work import LOADERS, Contender, Epoch, Work, build


class Stopwatch(Callback):
    """Seconds of the last training part."""

    seconds = 0.0

    def before_train(self) -> None:
        self.started = time.perf_counter()

    def after_train(self) -> None:
        self.seconds = time.perf_counter() - self.started


def prepare(work: Work) -> Contender:
    loaders = ImageDataLoaders.from_folder(
        work.folder, valid_pct=0.02, seed=1, item_tfms=RandomResizedCrop(work.size, min_scale=0.35),
        batch_tfms=Normalize.from_stats(*imagenet_stats), bs=work.batch, num_workers=LOADERS,
    )  # fmt: skip
    stopwatch = Stopwatch()
    learner = Learner(loaders, build(work), loss_func=CrossEntropyLossFlat(), metrics=accuracy, cbs=[stopwatch])

    def epoch() -> Epoch:
        with learner.no_bar(), learner.no_logging():
            learner.fit_one_cycle(1)
        return Epoch(len(loaders.train) * work.batch, stopwatch.seconds)

    return epoch
