"""Pictures for networks: decoded once to one size, then only tensors.

`prepare_squares` gives every example's centre square at the model's resize length, uint8; the evaluation crop and all
augmentations are cut from it, in batches. Where answers have a place in the picture it is the whole picture in a frame instead
(`preprocessing.WholePictures`). Memory: n × side² × 3 bytes (256 pixels: 197 kB a picture), held in the disk cache as a memory map where they are many.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch

from weigh.data import cache
from weigh.data.examples import Examples
from weigh.data.pictures.decoding import PictureError, use_picture
from weigh.inputs.augment import augment, draw
from weigh.inputs.base import FEEDS, Batch, Feed, Label, Placed, Stream, consecutive, to_device, unlabelled
from weigh.lookahead import look_ahead
from weigh.models.preprocessing import Preprocessing
from weigh.notices import Progress
from weigh.run import Setting

__all__ = ["Pictures", "crops", "crops_of_each", "prepare_squares", "squares_key"]

DECODE_SECONDS = 0.004  # one picture
SQUARES = "2"  # how squares are cut; another number makes older ones in caches unknown
AHEAD = 3  # batches decoded before they are needed; Pillow releases the interpreter while it decodes


@dataclass(frozen=True)
class Pictures:
    """Decoded pictures as `inputs.base.Inputs`: batches `(n, 3, size, size)` float32, channels last in memory.

    Attributes:
        squares: `(n, side, side, 3)` uint8, or whole pictures in their frame; all examples in their order.
        augment: "none", "light" or "standard".
        label: Gives the targets of a batch.
        sizes: `(n, 2)` of the pictures before they were scaled into a frame; None: nothing asks for them.
    """

    squares: np.ndarray
    preparation: Preprocessing
    augment: str
    device: str
    label: Label = unlabelled
    sizes: np.ndarray | None = None

    def draw(self, n: int, generator: torch.Generator) -> torch.Tensor | None:
        return None if self.augment == "none" else draw(n, self.augment, generator)

    def batch(self, indices: np.ndarray, drawn: torch.Tensor | None = None) -> Batch:
        if drawn is None:
            block = to_device(np.ascontiguousarray(self.preparation.middle(self.squares[indices])), self.device)
        else:
            block = augment(to_device(self.squares[indices], self.device), drawn, self.preparation.shape)
        pictures = self.preparation.normalise(block)
        placed = Placed(self.preparation.shape, drawn)
        sizes = None if self.sizes is None else self.sizes[indices]
        return Batch(pictures, self.label(indices, pictures, placed), sizes, placed.frame)

    def cut(self, indices: np.ndarray, size: int, *, training: bool = False) -> list[np.ndarray]:
        return consecutive(len(indices), size)


def crops(examples: Examples, preparation: Preprocessing, batch: int) -> Iterator[np.ndarray]:
    """`(batch, size, size, 3)` uint8 of all examples in order, decoded in threads a few batches ahead of their use.

    Raises:
        PictureError: A picture that cannot be decoded (the checks of the data set those aside before).
    """
    return (block for _, block, _ in _decoded(examples, preparation, batch))


def crops_of_each(
    examples: Examples, preparations: Sequence[Preprocessing], batch: int, failed: dict[int, Exception]
) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Positions, and for each preparation the crops of these pictures: each picture is decoded once for all preparations that ask the decoder for
    the same size, so that no crop depends on which other preparations there are.

    Args:
        failed: Takes the positions of pictures that cannot be decoded, and why.
    """
    by_draft: dict[int | None, list[int]] = {}
    for i, preparation in enumerate(preparations):
        by_draft.setdefault(preparation.draft, []).append(i)

    def cut(index: int) -> dict[int, np.ndarray] | None:
        path, cuts = examples.root / str(examples.path[index]), {}
        try:
            for draft, members in by_draft.items():
                cropped = use_picture(path, lambda p, m=members: [preparations[i].crop(p) for i in m], draft_size=draft)
                cuts.update(zip(members, cropped, strict=True))
        except (PictureError, OSError) as error:
            failed[index] = error
            return None
        return cuts

    threads, waiting = max(2, min(8, os.cpu_count() or 1)), {}
    for index, cuts in look_ahead(cut, range(len(examples)), threads=threads, count=AHEAD * batch):
        if cuts is not None:
            waiting[index] = cuts
        if waiting and (len(waiting) == batch or index == len(examples) - 1):
            yield (
                np.array(list(waiting)),
                [np.stack([c[i] for c in waiting.values()]) for i in range(len(preparations))],
            )
            waiting = {}


def _decoded(
    examples: Examples, preparation: Preprocessing, batch: int, failed: dict[int, Exception] | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Positions, crops, and sizes of the pictures as they were decoded; `failed` takes the pictures that cannot be decoded, and why, else the first is an error."""
    threads, block = max(2, min(8, os.cpu_count() or 1)), {}
    made = look_ahead(
        lambda i: _crop(examples, i, preparation, failed), range(len(examples)), threads=threads, count=AHEAD * batch
    )
    for i, picture in made:
        if picture is not None:
            block[i] = picture
        if block and ((i + 1) % batch == 0 or i == len(examples) - 1):
            pictures, sizes = zip(*block.values(), strict=True)
            yield np.array(list(block)), np.stack(pictures), np.array(sizes)
            block = {}


def _crop(
    examples: Examples, index: int, preparation: Preprocessing, failed: dict[int, Exception] | None
) -> tuple[np.ndarray, tuple[int, int]] | None:
    path = examples.root / str(examples.path[index])
    try:
        return use_picture(path, lambda p: (preparation.crop(p), (p.height, p.width)), draft_size=preparation.draft)
    except (PictureError, OSError) as error:
        if failed is None:
            raise
        failed[index] = error
        return None


def prepare_squares(
    examples: Examples,
    preparation: Preprocessing,
    progress: Progress | None = None,
    *,
    folder: Path | None = None,
) -> np.ndarray:
    """`(n, *preparation.whole.shape, 3)` uint8; from the cache where it holds them.

    Args:
        folder: The cache's folder; None: nothing is read from disk or kept there, unless memory would not do.
    """
    key, shape = squares_key(examples, preparation), (len(examples), *preparation.whole.shape, 3)
    if (stored := cache.load(key, folder)) is not None and stored.shape == shape:
        return stored
    squares = cache.room(shape, np.uint8, folder)
    done = 0
    for block in crops(examples, preparation.whole, 64):
        squares[done : done + len(block)] = block
        done += len(block)
        if progress:
            progress("decoding", done, len(examples))
    return cache.store(key, squares, folder)


def squares_key(examples: Examples, preparation: Preprocessing) -> str:
    """What the squares depend on, hashed: the whole preparation, the decoder, contents in their order."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (SQUARES, str(preparation), PIL.__version__, *map(str, examples.content)):
        digest.update(part.encode() + b"\x1f")
    return f"squares-{digest.hexdigest()}"


def _inputs(
    examples: Examples, preparation: Preprocessing, setting: Setting, options: dict[str, Any], progress: Progress | None,
    label: Label,
) -> Pictures:  # fmt: skip
    squares = prepare_squares(examples, preparation, progress, folder=setting.cache)
    sizes = examples.kind.sizes(examples.target)
    return Pictures(squares, preparation, options.get("augment", "none"), setting.device, label, sizes)


def _stream(
    examples: Examples,
    preparation: Preprocessing,
    setting: Setting,
    *,
    frozen: bool = True,  # noqa: ARG001 - both are fed alike
    failed: dict[int, Exception] | None = None,
) -> Stream:
    layout = torch.channels_last if setting.channels_last else torch.contiguous_format
    for positions, block, sizes in _decoded(examples, preparation, setting.batch, failed):
        pictures = preparation.normalise(to_device(block, setting.device)).contiguous(memory_format=layout)
        yield positions, Batch(pictures, sizes=sizes, frame=preparation.shape)


FEEDS.register(
    "pictures", Feed(_inputs, _stream, restored=Preprocessing.from_json, alike=True, reading_seconds=DECODE_SECONDS)
)
