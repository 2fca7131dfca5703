"""Data without labels, used: pretraining goes on before fine-tuning (`adapted`) or beside it (`joint`).

`adapted` trains the network once per model; all folds and repeats start from those weights, which are kept in the cache by
content, and a stop loses at most two minutes. `joint` adds the loss on masked texts to every step: L = L_pre + λ L_fine.
What is minimised: `objectives.py`. Sources: Gururangan et al. 2020 (Don't stop pretraining), §3; Azizi et al. 2021 (Big
self-supervised models advance medical image classification).
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import PIL
import torch
from torch import nn

from weigh.data import cache
from weigh.data.examples import Examples
from weigh.models.network import Network
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import Pretrained
from weigh.models.tokenisation import Tokenisation
from weigh.notices import Progress
from weigh.run import Setting
from weigh.seeds import seed
from weigh.train.determinism import forked, torch_generator
from weigh.train.device import computed_on, make_scaler
from weigh.train.failures import Diverged
from weigh.train.objectives import HiddenWords, Objective, make_objective
from weigh.train.schedule import clip, warm_cosine

__all__ = ["Beside", "adapt"]

CHECKPOINT = 120.0  # seconds of training that a stop may lose
BETAS, WARM = (0.9, 0.98), 0.06  # RoBERTa's, as in Gururangan et al. 2020, table 13


def adapt(
    model: Pretrained,
    network: Network,
    preparation: Tokenisation | Preprocessing,
    unlabelled: Examples,
    options: dict[str, Any],
    setting: Setting,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], float]:
    """Train the body of `network` further, in place; facts about it, and seconds. From the cache where it was done before.

    Args:
        network: Built from `model`, and not trained yet.
        options: Of the section `pretrain`: `epochs`, `learning_rate`, `batch_size`, and `mask` or `temperature`.

    Raises:
        Diverged: The loss left the finite numbers.
        ModelError: A model of texts without a mask.
        MissingExtra: lightly is not installed (pictures).
    """
    objective = make_objective(model, network.width, preparation, unlabelled, options, setting, progress)
    key = _key(model, preparation, unlabelled, options, setting)
    kept = cache.load(key, setting.cache)
    if kept is None:
        started = time.perf_counter()
        kept = _train(objective, len(unlabelled), options, setting, key, progress)
        seconds = time.perf_counter() - started
        cache.store(key, kept, setting.cache)
        cache.forget(f"{key}-part", setting.cache)
    else:
        seconds = 0.0
    losses, weights = kept[: options["epochs"]], np.array(kept[options["epochs"] :])  # a copy: the cache is read-only
    _fill(_kept(objective.body), weights)
    facts = {
        "unlabelled": len(unlabelled),
        "pretrain_epochs": options["epochs"],
        "pretrain_loss": [round(float(loss), 4) for loss in losses],
    }
    return facts, seconds


def _key(model: Pretrained, preparation: Any, unlabelled: Examples, options: dict[str, Any], setting: Setting) -> str:
    conditions = (
        sorted(options.items()),
        setting.precision,
        setting.channels_last,
        computed_on(setting.device),
        setting.threads,
        torch.__version__,
        PIL.__version__,
    )
    parts = "\x1f".join((model.digest, model.built, str(preparation), str(conditions), unlabelled.digest))
    return f"further-{hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()}"


def _train(
    objective: Objective, n: int, options: dict[str, Any], setting: Setting, key: str, progress: Progress | None
) -> np.ndarray:
    """Mean loss of every epoch, then all weights of the body, in one float32 vector.

    Every step draws from a seed of its own, so training that goes on from a checkpoint gives the same numbers.
    """
    objective.body.train()
    objective.head.train()
    parameters = [*objective.body.parameters(), *objective.head.parameters()]
    statistics = _statistics(objective.body)
    optimiser = torch.optim.AdamW(
        parameters,
        lr=options["learning_rate"],
        betas=BETAS,
        weight_decay=0.01,
        fused=True if setting.device == "cpu" else None,
    )
    scaler = make_scaler(setting)
    epochs, per_epoch = options["epochs"], math.ceil(n / options["batch_size"])
    total = epochs * per_epoch
    warm = max(1, round(WARM * total))
    losses, part = np.zeros(epochs, np.float32), cache.load(f"{key}-part", setting.cache)
    done = 0 if part is None else _take_up(part, losses, parameters, statistics, optimiser)
    saved = time.monotonic()
    for number in range(done, total):
        epoch, step = divmod(number, per_epoch)
        if step == 0 or number == done:
            batches = _batches(objective, n, options["batch_size"], seed("pretrain", "order", epoch))
        for group in optimiser.param_groups:
            group["lr"] = options["learning_rate"] * warm_cosine(number, warm, total)
        optimiser.zero_grad(set_to_none=True)
        generator = torch_generator(seed("pretrain", "mask", number))
        with forked(seed("pretrain", "dropout", number)):
            loss = objective.loss(batches[step], generator)
            scaler.scale(loss).backward()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise Diverged(f"further pretraining: the loss became {value} in epoch {epoch + 1}; set a smaller "
                           f"pretrain.learning_rate (now {options['learning_rate']:g})")  # fmt: skip
        scaler.unscale_(optimiser)
        clip(parameters)
        scaler.step(optimiser)
        scaler.update()
        losses[epoch] += value / per_epoch
        if progress is not None:
            progress("pretraining", number + 1, total)
        if setting.cache is not None and time.monotonic() - saved > CHECKPOINT and number + 1 < total:
            made = _checkpoint(number + 1, losses, parameters, statistics, optimiser)
            cache.store(f"{key}-part", made, setting.cache)
            saved = time.monotonic()
    objective.body.eval()
    return np.concatenate([losses, _vector(_kept(objective.body))])


def _batches(objective: Objective, n: int, size: int, order: int) -> list[np.ndarray]:
    shuffled = torch.randperm(n, generator=torch_generator(order)).numpy()
    return [shuffled[positions] for positions in objective.cut(shuffled, size)]


# Weights as one vector ------------------------------------------------------------------------------------------------


def _statistics(body: nn.Module) -> list[torch.Tensor]:
    """Running means and variances of batch norms."""
    return [buffer for buffer in body.buffers() if buffer.is_floating_point()]


def _kept(body: nn.Module) -> list[torch.Tensor]:
    return [*body.parameters(), *_statistics(body)]


def _vector(tensors: Sequence[torch.Tensor]) -> np.ndarray:
    return np.concatenate([t.detach().reshape(-1).float().cpu().numpy() for t in tensors] or [np.empty(0, np.float32)])


def _fill(tensors: Sequence[torch.Tensor], vector: np.ndarray) -> None:
    """Copied into place: views of one vector would lie otherwise in memory, and sums would differ in their last bits."""
    start = 0
    with torch.no_grad():
        for tensor in tensors:
            tensor.copy_(torch.from_numpy(vector[start : start + tensor.numel()]).view(tensor.shape))
            start += tensor.numel()


def _checkpoint(
    done: int,
    losses: np.ndarray,
    parameters: list[nn.Parameter],
    statistics: list[torch.Tensor],
    optimiser: torch.optim.Optimizer,
) -> np.ndarray:
    """Steps done, losses, weights, both moments of AdamW and running statistics in one vector."""
    states = [optimiser.state[p] for p in parameters]
    vectors = [
        _vector(tensors) for tensors in (parameters, [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states])
    ]
    return np.concatenate([np.array([done], np.float32), losses, *vectors, _vector(statistics)])


def _take_up(
    part: np.ndarray,
    losses: np.ndarray,
    parameters: list[nn.Parameter],
    statistics: list[torch.Tensor],
    optimiser: torch.optim.Optimizer,
) -> int:
    done, size = int(part[0]), sum(p.numel() for p in parameters)
    losses[:] = part[1 : 1 + len(losses)]
    rest = np.array(part[1 + len(losses) :])
    moments = [torch.zeros_like(p) for p in parameters], [torch.zeros_like(p) for p in parameters]
    for number, tensors in enumerate((parameters, *moments)):
        _fill(tensors, rest[number * size : (number + 1) * size])
    _fill(statistics, rest[3 * size :])
    for p, first, second in zip(parameters, *moments, strict=True):
        optimiser.state[p] = {"step": torch.tensor(float(done)), "exp_avg": first, "exp_avg_sq": second}
    return done


class Beside:
    """The loss on masked texts that `joint` adds to each step of fine-tuning; goes round the texts without end."""

    def __init__(
        self,
        model: Pretrained,
        preparation: Tokenisation,
        unlabelled: Examples,
        options: dict[str, Any],
        setting: Setting,
        seeds: dict[str, int],
    ) -> None:
        self.objective = HiddenWords(model, preparation, unlabelled, options["mask"], setting)
        self.generator = torch_generator(seed(seeds["augmentation"], "mask"))
        self.batches = self._batches(len(unlabelled), options["batch_size"], seeds["order"])

    @property
    def head(self) -> nn.Module:
        return self.objective.head

    def _batches(self, n: int, size: int, order: int) -> Iterator[np.ndarray]:
        epoch = 0
        while True:
            yield from _batches(self.objective, n, size, seed(order, "unlabelled", epoch))
            epoch += 1

    def loss(self) -> torch.Tensor:
        """`()`: L_pre of the next batch."""
        return self.objective.loss(next(self.batches), self.generator)
