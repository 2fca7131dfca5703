"""Seeds derived per purpose, so that sources of variation can be varied one at a time.

`seed(7, "timm:resnet18", 2, "init")` is a number that depends on every part and on nothing else: not on the
process, the order of calls or the platform. Numpy generators come from `generator(...)`; torch generators are
made from the same numbers in `train/determinism.py`.
"""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["generator", "seed"]


def seed(*parts: str | int) -> int:
    """A seed in [0, 2**63) from the parts (BLAKE2b of their unambiguous text)."""
    written = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(written.encode(), digest_size=8).digest(), "big") >> 1


def generator(*parts: str | int) -> np.random.Generator:
    """A numpy generator seeded with `seed(*parts)`."""
    return np.random.default_rng(seed(*parts))
