"""The training loop: batches, optimiser, schedule, one epoch at a time.

AdamW with a warm-up of one epoch and a cosine to zero, learning rates that fall by `layer_decay` per layer towards the
stem and may be larger at the head (`head_rate`), no decay on biases and norms (Loshchilov & Hutter 2019; Bao et al. 2022). `textbook` has plain
SGD with momentum.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from weigh.inputs.base import Batch, Inputs
from weigh.models.network import Network
from weigh.run import Setting
from weigh.train.determinism import torch_generator
from weigh.train.device import ahead, autocast, empty_cache, make_scaler
from weigh.train.failures import Diverged, OutOfMemory, out_of_memory
from weigh.train.pretraining import Beside
from weigh.train.schedule import clip, warm_cosine

__all__ = ["Epoch", "Loop"]

TOKENS_AT_A_TIME = (
    2048  # on a processor: what is kept for the gradients of more would take gigabytes (about 0.5 MB a token)
)
LOSSES_UNREAD = 2  # reading a loss waits for the GPU; so many steps are given to it before the oldest is read


class Epoch(NamedTuple):
    """The epoch that was kept: its number, the whole history, the batch that fitted into memory."""

    number: int
    history: list[dict[str, float]]
    batch_size: int
    accumulated: int


class Loop:
    """Trains `network` on `training` for up to `epochs` epochs; everything random comes from `seeds`."""

    def __init__(
        self, network: Network, inputs: Inputs, options: dict[str, Any], setting: Setting, seeds: dict[str, int],
        epochs: int, training: np.ndarray, beside: Beside | None = None,
    ) -> None:  # fmt: skip
        self.network, self.inputs, self.beside = network, inputs, beside
        self.options, self.setting, self.training = options, setting, training
        self.order, self.augmentation = torch_generator(seeds["order"]), torch_generator(seeds["augmentation"])
        self.batch_size, self.accumulated = min(options["batch_size"], len(training)), 1
        steps = max(1, math.ceil(len(training) / self.batch_size))
        if "weight_decay" in options:
            self.optimiser = torch.optim.AdamW(
                _parameter_groups(network, options) + ([] if beside is None else [_beside_group(beside, options)]),
                lr=options["learning_rate"],
                fused=setting.device
                != "mps",  # one pass over memory instead of ten; one kernel instead of hundreds on a GPU
            )
            warm = min(steps, max(1, steps * epochs // 5))
            self.schedule = torch.optim.lr_scheduler.LambdaLR(
                self.optimiser, lambda step: warm_cosine(step, warm, steps * epochs)
            )
        else:
            self.optimiser = torch.optim.SGD(network.parameters(), lr=options["learning_rate"], momentum=0.9)
            self.schedule = None
        self.scaler = make_scaler(setting)

    def epoch(self, number: int) -> float:
        """One pass over the training part; returns the mean loss.

        Raises:
            Diverged: A loss that is not finite.
        """
        self.network.train()
        shuffled = self.training[torch.randperm(len(self.training), generator=self.order).numpy()]
        drawn = self.inputs.draw(len(shuffled), self.augmentation)
        cut = self.inputs.cut(shuffled, self.batch_size, training=True)
        cut = [part for part in cut if len(part) > 1 or len(shuffled) == 1]  # batch norm has no variance of one picture

        def make(positions: np.ndarray) -> Batch:
            return self.inputs.batch(shuffled[positions], None if drawn is None else drawn[torch.from_numpy(positions)])

        total, seen = 0.0, 0
        waiting: deque[tuple[torch.Tensor, int]] = deque()

        def read_oldest() -> float:
            loss, examples = waiting.popleft()
            if not math.isfinite(float(loss)):
                raise Diverged(
                    f"the loss became {float(loss)} in epoch {number} (learning rate {self.options['learning_rate']:g})"
                )
            return float(loss) * examples

        for positions, batch in ahead(make, cut, self.setting.device):
            loss = self._step(len(positions), batch, lambda part, positions=positions: make(positions[part]))
            waiting.append((loss, len(positions)))
            seen += len(positions)
            if len(waiting) > LOSSES_UNREAD:
                total += read_oldest()
        while waiting:
            total += read_oldest()
        return total / max(1, seen)

    def _step(self, examples: int, batch: Batch, make: Callable[[np.ndarray], Batch]) -> torch.Tensor:
        """One optimiser step; out of memory halves the batch for good and accumulates gradients instead.

        Args:
            batch: Of so many examples.
            make: The batch of some of them, given as positions.
        """
        while True:
            try:
                loss = self._accumulate(examples, batch, make)
                break
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self.optimiser.zero_grad(set_to_none=True)
                at_a_time = examples // self.accumulated
                if at_a_time < 4:
                    raise OutOfMemory(
                        f"memory ran out, even with {at_a_time} examples at a time; set a smaller image_size or max_length"
                    ) from None
            self.accumulated *= 2  # outside of `except`, so that the failed pass holds no memory any more
            empty_cache(self.setting.device)
        self.scaler.unscale_(self.optimiser)
        clip(self.network.parameters())
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.schedule is not None:
            self.schedule.step()
        return loss

    def _accumulate(self, examples: int, batch: Batch, make: Callable[[np.ndarray], Batch]) -> torch.Tensor:
        """Gradients of one batch in `accumulated` parts. Batch norm then sees the parts: recorded as `accumulated`."""
        self.optimiser.zero_grad(set_to_none=True)
        kind = torch.float32 if self.setting.device == "mps" else torch.float64  # Apple GPUs have no double precision
        total = torch.zeros((), device=self.setting.device, dtype=kind)
        pieces = min(max(self.accumulated, self._pieces(batch.inputs)), examples)
        parts = [batch] if pieces == 1 else [make(part) for part in np.array_split(np.arange(examples), pieces)]
        counts = [self.network.count(part.targets) for part in parts]
        for part, count in zip(parts, counts, strict=True):
            share = self.options.get("fine_weight", 1.0) * (count / max(1, sum(counts)))
            with autocast(self.setting.device, self.setting.precision):
                loss = self.network.loss(part.inputs, part.targets)
            loss = loss * share
            self.scaler.scale(loss).backward()
            total += loss.detach()
        if self.beside is not None:
            more = self.beside.loss()
            self.scaler.scale(more).backward()
            total += more.detach()
        return total

    def _pieces(self, batch: torch.Tensor) -> int:
        """In how many parts a batch of long texts is passed, so that memory does not grow with their length. Pictures: one part."""
        if batch.ndim != 3 or batch.is_floating_point() or self.setting.device != "cpu":
            return 1
        return math.ceil(batch.shape[0] * batch.shape[2] / TOKENS_AT_A_TIME)


def _parameter_groups(network: Network, options: dict[str, Any]) -> list[dict[str, Any]]:
    depth = network.depths()
    deepest = max(depth.values())
    stages = min(deepest, 12)  # layer_decay speaks of about a dozen layers, however finely a network is named
    groups: dict[tuple[int, bool, float], list] = {}
    for name, parameter in network.named_parameters():
        layer = round(depth[name] / deepest * stages) if deepest else 0
        times = options.get("head_rate", 1.0) if name.startswith("head.") else 1.0
        groups.setdefault((layer, parameter.ndim <= 1, times), []).append(parameter)
    return [
        {
            "params": group,
            "lr": options["learning_rate"] * times * options["layer_decay"] ** (stages - layer),
            "weight_decay": 0.0 if flat else options["weight_decay"],
        }
        for (layer, flat, times), group in groups.items()
    ]


def _beside_group(beside: Beside, options: dict[str, Any]) -> dict[str, Any]:
    return {"params": list(beside.head.parameters()), "lr": options["learning_rate"], "weight_decay": 0.0}
