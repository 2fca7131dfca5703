"""Pictures for networks: decoded once to squares, then only tensors.

`prepare_squares` gives every example's centre square at the model's resize length, uint8; the evaluation crop and all
augmentations are cut from it, in batches. Memory: n × side² × 3 bytes (256 pixels: 197 kB a picture), held in the
disk cache as a memory map beyond `IN_MEMORY`.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from weigh.data.examples import Examples
from weigh.data.pictures import open_picture
from weigh.models.pretrained import Preprocessing

__all__ = ["center", "crops", "prepare_squares"]

DECODERS = 2  # threads; Pillow releases the interpreter while it decodes
AHEAD = 3  # batches decoded before they are needed


def crops(examples: Examples, preparation: Preprocessing, batch: int) -> Iterator[np.ndarray]:
    """`(batch, size, size, 3)` uint8 of all examples in order, decoded ahead of use."""
    files = [examples.root / path for path in examples.path]
    yield from _decoded(files, preparation, batch)


def _decoded(files: Sequence, preparation: Preprocessing, batch: int) -> Iterator[np.ndarray]:
    def decode(chunk: Sequence) -> np.ndarray:
        return np.stack([preparation.crop(open_picture(file, draft_size=preparation.resize)) for file in chunk])

    chunks = [files[i : i + batch] for i in range(0, len(files), batch)]
    with ThreadPoolExecutor(DECODERS) as pool:
        waiting = deque(pool.submit(decode, chunk) for chunk in chunks[:AHEAD])
        for following in range(AHEAD, len(chunks) + AHEAD):
            if not waiting:
                return
            ready = waiting.popleft().result()
            if following < len(chunks):
                waiting.append(pool.submit(decode, chunks[following]))
            yield ready


def prepare_squares(
    examples: Examples, preparation: Preprocessing, progress: Callable[[str, int, int], None] | None = None
) -> np.ndarray:
    """`(n, side, side, 3)` uint8, side = the resize length; from the cache where it holds them."""
    from weigh.data import cache

    side = Preprocessing(
        preparation.resize, preparation.resize, preparation.mean, preparation.std, preparation.interpolation
    )
    digest = hashlib.blake2b("\n".join(examples.content).encode(), digest_size=16).hexdigest()
    key = f"squares-{digest}-{preparation.resize}-{preparation.interpolation}"
    if (stored := cache.load(key)) is not None:
        return stored
    found = np.empty((len(examples), preparation.resize, preparation.resize, 3), dtype=np.uint8)
    done = 0
    for block in crops(examples, side, 64):
        found[done : done + len(block)] = block
        done += len(block)
        if progress:
            progress("decoding", done, len(examples))
    return cache.store(key, found)


def center(squares: np.ndarray, size: int) -> np.ndarray:
    """The evaluation crop of a batch of squares."""
    start = round((squares.shape[1] - size) / 2)
    return squares[:, start : start + size, start : start + size]
