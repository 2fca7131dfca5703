"""Activations at the start of the last stage, computed once per model and picture: an epoch then costs the last stage alone.

Before it: `models/stage.py`. After it: the recipe `last-stage` in `network.py`. Kept as float16 in the cache and mapped
from disk, a file per view: 44 kB a picture and view for EfficientNet-Lite0, 100 kB for ResNet-18 (the recorded fact
`activation_bytes` says how many). float16 rounds each value by at most 2⁻¹¹ of itself; where a value is beyond its range, the
view is kept as float32. Augmentation has to happen before the frozen part, so a picture has a fixed number of views: as
it is, mirrored, then random crops. Each view is one more pass; which one a picture shows is drawn anew in every epoch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from weigh.data import cache
from weigh.data.examples import Examples
from weigh.heads.network_task import label_of
from weigh.inputs.augment import augment, draw
from weigh.inputs.base import Batch, Label, Placed, consecutive, to_device, unlabelled
from weigh.inputs.pictures import prepare_squares
from weigh.models.network import Stage
from weigh.models.preprocessing import Preprocessing
from weigh.notices import Progress
from weigh.run import Setting
from weigh.train.determinism import torch_generator

__all__ = ["activations_of"]

KEPT_AS = np.dtype(np.float16)
PLAIN, MIRRORED = 0, 1  # views; later ones are random crops


@dataclass(frozen=True)
class Activations:
    """What the last stage trains on.

    Attributes:
        views: Per view `(n, …)` float16 (or float32, beyond its range), all examples in their order.
        device: Where batches go.
        channels_last: Their layout.
        label: Gives the targets of a batch.
        frame: Height and width of the pictures that the network saw.
        sizes: `(n, 2)` of the pictures before they were scaled into a frame; None: nothing asks for them.
    """

    views: tuple[np.ndarray, ...]
    device: str
    channels_last: bool
    label: Label = unlabelled
    frame: tuple[int, int] = (0, 0)
    sizes: np.ndarray | None = None

    def draw(self, n: int, generator: torch.Generator) -> torch.Tensor | None:
        """`(n,)`: the view that each picture shows; None where there is only one."""
        return torch.randint(len(self.views), (n,), generator=generator) if len(self.views) > 1 else None

    def batch(self, indices: np.ndarray, drawn: torch.Tensor | None = None) -> Batch:
        """`(len(indices), …)` float32 in the drawn views, or of the pictures as they are."""
        block = np.asarray(self.views[PLAIN][indices], dtype=np.float32)
        placed = Placed(self.frame, None)
        if drawn is not None:
            shown = torch.empty(len(indices), 5)
            for view in range(len(self.views)):
                rows = np.flatnonzero(drawn.numpy() == view)
                block[rows] = self.views[view][indices[rows]]
                shown[rows] = drawn_of(view, self.views[view].shape[0])[indices[rows]]
            placed = Placed(self.frame, shown)
        layout = torch.channels_last if self.channels_last and block.ndim == 4 else torch.contiguous_format
        values = to_device(block, self.device).contiguous(memory_format=layout)
        sizes = None if self.sizes is None else self.sizes[indices]
        return Batch(values, self.label(indices, values, placed), sizes, self.frame)

    def cut(self, indices: np.ndarray, size: int, *, training: bool = False) -> list[np.ndarray]:
        return consecutive(len(indices), size)

    @property
    def bytes_per_picture(self) -> int:
        """Bytes of one picture on disk, all views together."""
        return sum(view[:1].nbytes for view in self.views)


def activations_of(
    stage: Stage,
    prepared: Preprocessing,
    examples: Examples,
    setting: Setting,
    *,
    views: int,
    features_key: str,
    progress: Progress | None = None,
) -> Activations:
    """The activations of all examples, from the cache where the same weights have seen the same pictures in the same way.

    Args:
        views: 1: the pictures as they are; 2: also mirrored; more: random crops besides, the same ones in every study.
        features_key: What the features of this model and these pictures depend on (`features.features_key`).
    """
    shape, computed = (len(examples), *stage.shape), {}
    keys = [_key(features_key, stage.first, view) for view in range(views)]
    if setting.cache is not None:
        kept = {view: cache.load(key, setting.cache) for view, key in enumerate(keys)}
        computed = {view: array for view, array in kept.items() if array is not None and array.shape == shape}
    if len(computed) < views:
        squares = prepare_squares(examples, prepared, progress, folder=setting.cache)
        prefix = stage.whole.anatomy.fold(stage.prefix, prepared.blank(2, setting.device))
        for view in sorted(set(range(views)) - set(computed)):
            values = _compute(prefix, stage.shape, squares, prepared, setting, view, progress)
            computed[view] = cache.store(keys[view], values, setting.cache)
    kept = tuple(computed[view] for view in range(views))
    sizes = examples.kind.sizes(examples.target)
    return Activations(kept, setting.device, setting.channels_last, label_of(examples, setting), prepared.shape, sizes)


def drawn_of(view: int, n: int) -> torch.Tensor:
    """`(n, 5)`: how `augment.draw` would name what this view shows of each of `n` pictures."""
    if view > MIRRORED:
        return draw(n, "standard", torch_generator(view))
    return torch.tensor([[1.0, 1.0, 0.0, 0.0, -1.0 if view == MIRRORED else 1.0]]).expand(n, 5)


def _key(features_key: str, first: str, view: int) -> str:
    digest = hashlib.blake2b(
        f"{features_key}\x1f{first}\x1f{view}\x1f{KEPT_AS}\x1fsingle precision".encode(), digest_size=16
    )
    return f"stage-{digest.hexdigest()}"


def _compute(
    prefix: nn.Module,
    shape: tuple[int, ...],
    squares: np.ndarray,
    prepared: Preprocessing,
    setting: Setting,
    view: int,
    progress: Progress | None,
) -> np.ndarray:
    """One view of all pictures, block by block: where they are many, memory holds one block."""
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    drawn = drawn_of(view, len(squares)) if view > MIRRORED else None
    room = cache.room((len(squares), *shape), KEPT_AS, setting.cache)
    with torch.inference_mode():
        for i in range(0, len(squares), setting.batch):
            block = squares[i : i + setting.batch]
            if drawn is None:
                pictures = torch.from_numpy(np.array(prepared.middle(block), order="C"))
                pictures = pictures.flip(2) if view == MIRRORED else pictures
            else:
                pictures = augment(torch.from_numpy(np.array(block)), drawn[i : i + len(block)], prepared.shape)
            x = prepared.normalise(pictures.to(setting.device)).contiguous(memory_format=layout)
            values = prefix(x).float().cpu().numpy()  # in single precision, as the saved model computes them
            if room.dtype == KEPT_AS and np.abs(values).max(initial=0) > np.finfo(KEPT_AS).max:
                wider = cache.room(room.shape, np.float32, setting.cache)
                for j in range(0, i, setting.batch):
                    wider[j : j + setting.batch] = room[j : j + setting.batch]
                room = wider
            room[i : i + len(block)] = values
            if progress:
                progress("activations", i + len(block), len(squares))
    return room
