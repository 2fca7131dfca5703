"""Lightning's Trainer on a LightningModule as in its documentation; no logger, no checkpoints, no progress bar.

Timed by its own callbacks around the epoch, so that its start-up does not count.
"""

from __future__ import annotations

import logging
import time
import warnings

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.speed.work import LOADERS, Contender, Epoch, Work, build, tutorial_folder


class Classifier(lightning.LightningModule):
    """A network with cross-entropy and AdamW."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch, batch_idx):
        x, y = batch
        return nn.functional.cross_entropy(self.network(x), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-4)


class Stopwatch(lightning.Callback):
    """Seconds of the last epoch."""

    seconds = 0.0

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        self.started = time.perf_counter()

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        self.seconds = time.perf_counter() - self.started


def prepare(work: Work, *, precision: str = "32-true") -> Contender:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    dataset = tutorial_folder(work)
    loader = DataLoader(dataset, batch_size=work.batch, shuffle=True, num_workers=LOADERS)
    model = Classifier(build(work))

    def epoch() -> Epoch:
        stopwatch = Stopwatch()
        trainer = lightning.Trainer(
            max_epochs=1, precision=precision, logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, callbacks=[stopwatch],
        )  # fmt: skip
        trainer.fit(model, loader)
        return Epoch(len(dataset), stopwatch.seconds)

    return epoch
