"""Standardised features of some examples, for solvers that look at all of them again and again.

Features lie where the pass put them, usually in a file of the cache that is only mapped. What the solver needs is a copy of the
training rows, each feature with mean zero and variance one by those rows. Up to `RESIDENT` values the copy is made once; beyond
it a stretch of rows is copied and standardised whenever it is looked at, so that memory does not grow with the examples. The rows
are the same to the last bit in both ways; sums over them are taken in other stretches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

__all__ = ["Rows"]

RESIDENT = 2**24  # values of one copy: 64 MiB in single precision, once per thread that solves heads
STRETCH = 2**19  # values that are copied at a time where nothing is resident, or where the precision changes
LEAST_SCALE = 1e-6  # below it a feature is constant, and stays zero


@dataclass(frozen=True)
class Rows:
    """Rows of features in an order of their own.

    Attributes:
        source: `(all, width)` float32, raw; may be mapped.
        index: `(n,)` which of them, in the order wanted.
        mean: `(width,)`.
        scale: `(width,)`, one for a constant feature.
        whole: `(n, width)` all standardised rows, where they are kept.
    """

    source: np.ndarray
    index: np.ndarray
    mean: torch.Tensor
    scale: torch.Tensor
    whole: torch.Tensor | None = None

    @classmethod
    def standardise(cls, source: np.ndarray, index: np.ndarray | None = None) -> Rows:
        """Rows standardised with their own means and standard deviations; `index` None: all rows, in their order."""
        index = np.arange(len(source)) if index is None else index
        n, width = len(index), source.shape[1]
        whole = _take(source, index) if n * width <= RESIDENT else None

        def summed(of: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
            total, step = torch.zeros(width, dtype=torch.float64), max(1, STRETCH // width)
            for first in range(0, n, step):
                which = slice(first, first + step)
                total += of(_take(source, index[which]) if whole is None else whole[which]).sum(dim=0)
            return total

        mean = (summed(lambda some: some) / max(n, 1)).float()
        scale = (summed(lambda some: (some - mean).square_()) / max(n - 1, 1)).sqrt().float()
        scale = torch.where(scale > LEAST_SCALE, scale, torch.ones_like(scale))
        if whole is not None:
            whole.sub_(mean).div_(scale)
        return cls(source, index, mean, scale, whole)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def width(self) -> int:
        return self.source.shape[1]

    def stretches(
        self, kind: torch.dtype, most: int, among: slice = slice(None)
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """Standardised rows in precision `kind`, `most` at a time or fewer: where they are, and they.

        Args:
            among: Only these.
        """
        start, end, _ = among.indices(len(self))
        whole = self.whole
        step = max(1, min(most, most if whole is not None and whole.dtype == kind else STRETCH // self.width))
        for first in range(start, end, step):
            which = slice(first, min(first + step, end))
            if whole is not None:
                yield which, whole[which].to(kind)
            else:
                yield which, _take(self.source, self.index[which]).sub_(self.mean).div_(self.scale).to(kind)


def _take(source: np.ndarray, index: np.ndarray) -> torch.Tensor:
    """A copy of some rows."""
    return torch.from_numpy(np.asarray(source[index], dtype=np.float32))
