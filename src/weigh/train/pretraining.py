"""Texts without labels, used: masked-language modelling before fine-tuning (`adapted`) or beside it (`joint`).

`adapted` trains the encoder once per model; all folds and repeats start from those weights, which are kept in the cache by
content, and a stop loses at most two minutes. `joint` adds the loss on masked texts to every step: L = L_pre + λ L_fine.
Sources: Gururangan et al. 2020 (Don't stop pretraining), §3; Devlin et al. 2019.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.utils import parameters_to_vector

from weigh.errors import ModelError
from weigh.inputs.texts import Texts
from weigh.language import text
from weigh.models.encoder import Encoder
from weigh.models.masked import MaskedHead, Masking, masked_loss
from weigh.models.pretrained import Pretrained
from weigh.models.tokenisation import Tokenisation
from weigh.run import Setting
from weigh.seeds import seed
from weigh.train.determinism import forked, torch_generator
from weigh.train.device import autocast
from weigh.train.features import array_cache
from weigh.train.loop import CLIP, Diverged, warm_cosine

__all__ = ["Beside", "adapt"]

Progress = Callable[[str, int, int], None] | None
CHECKPOINT = 120.0  # seconds of training that a stop may lose
BETAS, WARM = (0.9, 0.98), 0.06  # RoBERTa's, as in Gururangan et al. 2020, table 13


def adapt(
    model: Pretrained,
    preparation: Tokenisation,
    texts: Sequence[tuple[str, ...]],
    options: dict[str, Any],
    setting: Setting,
    progress: Progress = None,
) -> tuple[dict[str, Any], float]:
    """Train the encoder of `model` further on `texts`, in place; facts about it, and seconds. From the cache where it was done before.

    Args:
        options: `epochs`, `learning_rate`, `batch_size`, `mask` of the section `pretrain`.

    Raises:
        Diverged: The loss left the finite numbers.
        ModelError: Not a model of texts, or one without a mask.
    """
    encoder, masking = _require(model, preparation)
    cache, key = array_cache(setting), _key(model, preparation, texts, options, setting)
    kept = None if cache is None else cache.load(key)
    if kept is None:
        started = time.perf_counter()
        kept = _train(encoder, masking, preparation, texts, options, setting, key, progress)
        seconds = time.perf_counter() - started
        if cache is not None:
            cache.store(key, kept)
            cache.forget(f"{key}-part")
    else:
        seconds = 0.0
    losses, weights = kept[: options["epochs"]], np.array(kept[options["epochs"] :])  # a copy: the cache is read-only
    _fill(list(encoder.parameters()), weights)
    facts = {
        "unlabelled": len(texts),
        "pretrain_epochs": options["epochs"],
        "pretrain_loss": [round(float(loss), 4) for loss in losses],
    }
    return facts, seconds


def _require(model: Pretrained, preparation: Any) -> tuple[Encoder, Masking]:
    if not isinstance(model.module, Encoder):
        raise ModelError(
            text(
                "{a} reads pictures: further pretraining is for texts.",
                "{a} 处理的是图片：继续预训练只适用于文本。",
                a=model.address.written,
            )
        )
    return model.module, Masking.of(preparation, model.address.written)


def _key(
    model: Pretrained,
    preparation: Tokenisation,
    texts: Sequence[tuple[str, ...]],
    options: dict[str, Any],
    setting: Setting,
) -> str:
    digest = hashlib.blake2b(digest_size=16)
    how = (sorted(options.items()), setting.precision, setting.device.split(":")[0], setting.threads, torch.__version__)
    for part in (model.digest, str(preparation), str(how), *("\x1e".join(row) for row in texts)):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\x1f")
    return f"pretrained-{digest.hexdigest()}"


def _train(
    encoder: Encoder,
    masking: Masking,
    preparation: Tokenisation,
    texts: Sequence[tuple[str, ...]],
    options: dict[str, Any],
    setting: Setting,
    key: str,
    progress: Progress,
) -> np.ndarray:
    """Mean loss of every epoch, then all weights of the encoder, in one float32 vector.

    Every step draws from a seed of its own, so training that goes on from a checkpoint gives the same numbers.
    """
    inputs = Texts([(row,) for row in preparation.encode(texts)], preparation.pad, setting.device)
    encoder.to(setting.device).train()
    head = MaskedHead(encoder).to(setting.device)
    parameters = [*encoder.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(
        parameters,
        lr=options["learning_rate"],
        betas=BETAS,
        weight_decay=0.01,
        fused=True if setting.device == "cpu" else None,
    )
    epochs, per_epoch = options["epochs"], math.ceil(len(texts) / options["batch_size"])
    total = epochs * per_epoch
    warm = max(1, round(WARM * total))
    cache, losses = array_cache(setting), np.zeros(epochs, np.float32)
    part = None if cache is None else cache.load(f"{key}-part")
    done = 0 if part is None else _take_up(part, losses, parameters, optimiser)
    saved = time.monotonic()
    for number in range(done, total):
        epoch, step = divmod(number, per_epoch)
        if step == 0 or number == done:
            batches = _batches(inputs, len(texts), options["batch_size"], seed("pretrain", "order", epoch))
        positions = batches[step]
        for group in optimiser.param_groups:
            group["lr"] = options["learning_rate"] * warm_cosine(number, warm, total)
        optimiser.zero_grad(set_to_none=True)
        generator = torch_generator(seed("pretrain", "mask", number))
        with forked(seed("pretrain", "dropout", number)):
            loss = _loss(encoder, head, inputs.batch(positions), masking, options["mask"], generator, setting)
            loss.backward()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise Diverged(f"further pretraining: the loss became {value} in epoch {epoch + 1}; set a smaller "
                           f"pretrain.learning_rate (now {options['learning_rate']:g})")  # fmt: skip
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimiser.step()
        losses[epoch] += value / per_epoch
        if progress is not None:
            progress("pretraining", number + 1, total)
        if cache is not None and time.monotonic() - saved > CHECKPOINT and number + 1 < total:
            cache.store(f"{key}-part", _checkpoint(number + 1, losses, parameters, optimiser))
            saved = time.monotonic()
    encoder.eval()
    return np.concatenate([losses, parameters_to_vector(encoder.parameters()).detach().float().cpu().numpy()])


def _batches(inputs: Texts, n: int, size: int, order: int) -> list[np.ndarray]:
    shuffled = torch.randperm(n, generator=torch_generator(order)).numpy()
    return [shuffled[positions] for positions in inputs.cut(shuffled, size, training=True)]


def _loss(
    encoder: Encoder,
    head: MaskedHead,
    batch: torch.Tensor,
    masking: Masking,
    share: float,
    generator: torch.Generator,
    setting: Setting,
) -> torch.Tensor:
    hidden, chosen = masking.hide(batch, share, generator)
    if not chosen.any():  # texts of special tokens alone
        return sum((p.sum() * 0 for p in head.parameters()), torch.zeros((), device=batch.device))
    with autocast(setting.device, setting.precision):
        return masked_loss(encoder, head, batch, hidden, chosen)


def _checkpoint(
    done: int, losses: np.ndarray, parameters: list[torch.nn.Parameter], optimiser: torch.optim.Optimizer
) -> np.ndarray:
    """Steps done, losses, weights and both moments of AdamW in one vector."""
    states = [optimiser.state[p] for p in parameters]
    vectors = [
        parameters_to_vector(tensors).detach().float().cpu().numpy()
        for tensors in (parameters, [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states])
    ]
    return np.concatenate([np.array([done], np.float32), losses, *vectors])


def _fill(parameters: Sequence[torch.nn.Parameter], vector: np.ndarray) -> None:
    """Copied into place: views of one vector would lie otherwise in memory, and sums would differ in their last bits."""
    start = 0
    with torch.no_grad():
        for p in parameters:
            p.copy_(torch.from_numpy(vector[start : start + p.numel()]).view_as(p))
            start += p.numel()


def _take_up(
    part: np.ndarray, losses: np.ndarray, parameters: list[torch.nn.Parameter], optimiser: torch.optim.Optimizer
) -> int:
    done, size = int(part[0]), sum(p.numel() for p in parameters)
    losses[:] = part[1 : 1 + len(losses)]
    weights, first, second = np.array(part[1 + len(losses) :]).reshape(3, size)
    _fill(parameters, weights)
    start = 0
    for p in parameters:
        cut = slice(start, start + p.numel())
        optimiser.state[p] = {
            "step": torch.tensor(float(done)),
            "exp_avg": torch.from_numpy(first[cut]).view_as(p).to(p.device).clone(),
            "exp_avg_sq": torch.from_numpy(second[cut]).view_as(p).to(p.device).clone(),
        }
        start += p.numel()
    return done


class Beside:
    """The loss on masked texts that `joint` adds to each step of fine-tuning; goes round the texts without end."""

    def __init__(
        self,
        model: Pretrained,
        preparation: Tokenisation,
        texts: Sequence[tuple[str, ...]],
        options: dict[str, Any],
        setting: Setting,
        seeds: dict[str, int],
    ) -> None:
        self.encoder, self.masking = _require(model, preparation)
        self.inputs = Texts([(row,) for row in preparation.encode(texts)], preparation.pad, setting.device)
        self.head = MaskedHead(self.encoder).to(setting.device)
        self.setting, self.share = setting, options["mask"]
        self.generator = torch_generator(seed(seeds["augmentation"], "mask"))
        self.batches = self._batches(len(texts), options["batch_size"], seeds["order"])

    def _batches(self, n: int, size: int, order: int) -> Iterator[np.ndarray]:
        epoch = 0
        while True:
            yield from _batches(self.inputs, n, size, seed(order, "unlabelled", epoch))
            epoch += 1

    def loss(self) -> torch.Tensor:
        """`()`: L_pre of the next batch."""
        batch = self.inputs.batch(next(self.batches))
        return _loss(self.encoder, self.head, batch, self.masking, self.share, self.generator, self.setting)
