"""Hugging Face's Trainer with its defaults, or with bf16=True; two loading processes instead of none.

Timed by its own callbacks from the begin to the end of the epoch, so that its start-up does not count.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from benchmarks.speed.work import LOADERS, Contender, Epoch, Work, build, tutorial_folder


class Wrapped(nn.Module):
    """The network in the form that Trainer expects: loss and logits from pixel_values and labels."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.network(pixel_values)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class Stopwatch(TrainerCallback):
    """Seconds of the last epoch."""

    seconds = 0.0

    def on_epoch_begin(self, args, state, control, **kwargs) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, args, state, control, **kwargs) -> None:
        self.seconds = time.perf_counter() - self.started


def collate(rows: list) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.stack([x for x, _ in rows]), "labels": torch.tensor([y for _, y in rows])}


def prepare(work: Work, *, bf16: bool = False) -> Contender:
    dataset, stopwatch = tutorial_folder(work), Stopwatch()
    arguments = TrainingArguments(
        output_dir=str(Path(work.folder).parent / "trainer"), per_device_train_batch_size=work.batch, num_train_epochs=1,
        bf16=bf16, use_cpu=not torch.cuda.is_available(), dataloader_num_workers=LOADERS, save_strategy="no",
        report_to="none", disable_tqdm=True, remove_unused_columns=False,
    )  # fmt: skip
    trainer = Trainer(
        model=Wrapped(build(work)),
        args=arguments,
        train_dataset=dataset,
        data_collator=collate,
        callbacks=[stopwatch],
    )

    def epoch() -> Epoch:
        trainer.train()
        return Epoch(len(dataset), stopwatch.seconds)

    return epoch
