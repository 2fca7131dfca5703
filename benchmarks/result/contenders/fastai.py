"""fastai's `fine_tune`: one epoch of the head, then as many of everything, one to ten, as fit into the time that is left.

The steps are those of `Learner.fine_tune` with its default rates; they stand here one by one because its number of epochs has to be known before
it starts, and here it follows from how long the first one took. A user would have to guess it.
"""

from __future__ import annotations

import time

import fastai.callback.schedule  # noqa: F401  # gives Learner its fit_one_cycle
import timm
from fastai.callback.core import Callback, CancelFitException
from fastai.vision.all import (
    CrossEntropyLossFlat,
    ImageDataLoaders,
    Normalize,
    RandomResizedCrop,
    aug_transforms,
    set_seed,
    vision_learner,
)  # fmt: skip
from safetensors.torch import load_file

from benchmarks.result.work import Trained, Work, over, read_test, read_training

RATE, MOST, BACKWARD = 2e-3, 10, 1.5  # default rate; most epochs; an epoch of everything by one of the head alone


class Deadline(Callback):
    """Ends training when the time is up."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        self.work, self.steps = work, 0

    def after_batch(self) -> None:
        if self.training:
            self.steps += 1
            if over(self.work):
                raise CancelFitException


def train(work: Work) -> Trained:
    set_seed(1)
    items, labels = read_training(work)
    config = timm.get_pretrained_cfg(work.architecture)
    loaders = ImageDataLoaders.from_lists(
        work.shown, items, [work.classes[label] for label in labels], valid_pct=0.02, seed=1, num_workers=0, bs=16,
        item_tfms=RandomResizedCrop(config.input_size[-1], min_scale=0.5),
        batch_tfms=[*aug_transforms(), Normalize.from_stats(config.mean, config.std)],
    )  # fmt: skip
    deadline = Deadline(work)
    learner = vision_learner(
        loaders, work.architecture, pretrained=False, normalize=False, loss_func=CrossEntropyLossFlat(), cbs=[deadline]
    )
    held = load_file(work.weights)
    body = learner.model[0].model
    body.load_state_dict({name: held[name] for name in body.state_dict()})
    epochs = 0
    with learner.no_bar(), learner.no_logging():
        learner.freeze()
        started = time.time()
        learner.fit_one_cycle(1, slice(RATE), pct_start=0.99)
        if not over(work):
            epochs = int((work.deadline - time.time()) / (BACKWARD * (time.time() - started)))
            epochs = min(max(epochs, 1), MOST)
            learner.unfreeze()
            learner.fit_one_cycle(epochs, slice(RATE / 2 / 100, RATE / 2), pct_start=0.3, div=5.0)

    def predict() -> list[int]:
        test, _ = read_test(work)
        with learner.no_bar(), learner.no_logging():
            chances = learner.get_preds(dl=loaders.test_dl(test, num_workers=0))[0]
        names = list(loaders.vocab)
        return [work.classes.index(names[i]) for i in chances.argmax(dim=1).tolist()]

    return Trained(predict, {"epochs": epochs, "steps": deadline.steps})
