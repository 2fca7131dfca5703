"""What a solver has learnt of the Hessians of many problems at once: L-BFGS in its compact form.

Before it: `logistic.py`, which takes the steps. The inverse Hessian of each head is a preconditioner M plus what its last
steps S and changes of gradient Y say (Byrd, Nocedal & Schnabel 1994, Representations of quasi-Newton matrices, theorem 2.2):

    H = M + [S, MY] C [S, MY]ᵀ,  C from the products of S, Y and MY alone

The same matrix as the two-loop recursion gives. It takes two products an iteration where the recursion takes eleven small
operations for every pair (docs/decisions/probe-speed.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

__all__ = ["Curvature", "Memory", "together"]

TEACHES = 1e-30  # least step · change: below it nothing was learnt (the head did not move), and the pair is left out


@dataclass(frozen=True)
class Memory:
    """The last steps and what they changed in the gradients, oldest first: both `(heads, pairs, values)`."""

    steps: torch.Tensor
    changes: torch.Tensor

    def part(self, which: slice) -> Memory:
        return Memory(self.steps[which], self.changes[which])

    def to(self, kind: torch.dtype) -> Memory:
        return Memory(self.steps.to(kind), self.changes.to(kind))


def together(memories: list[Memory]) -> Memory:
    """The memories of several groups of heads as one; where one has fewer pairs, zeros stand for them and change nothing."""
    pairs = max(memory.steps.shape[1] for memory in memories)

    def joined(parts: list[torch.Tensor]) -> torch.Tensor:
        padded = [
            torch.cat([part.new_zeros(len(part), pairs - part.shape[1], part.shape[2]), part], 1) for part in parts
        ]
        return torch.cat(padded)

    return Memory(joined([memory.steps for memory in memories]), joined([memory.changes for memory in memories]))


class Curvature:
    """The pairs of a solver at work, in a ring: the newest takes the place of the oldest.

    Args:
        memory: Pairs to begin with; not changed.
        history: Most pairs kept.
        precondition: M for `(heads, …, values)`.
        gradient: `(heads, values)` where the solver begins.
    """

    def __init__(
        self,
        memory: Memory,
        history: int,
        precondition: Callable[[torch.Tensor], torch.Tensor],
        gradient: torch.Tensor,
    ) -> None:
        heads, pairs, values = memory.steps.shape
        kept = min(pairs, history)
        steps, changes = memory.steps[:, pairs - kept :], memory.changes[:, pairs - kept :]
        taught = ((steps * changes).sum(dim=2) > TEACHES).to(steps.dtype)
        self._rings = steps.new_zeros(heads, 2, history, values)  # steps, and M · changes
        self._changes = steps.new_zeros(heads, history, values)
        self._used, self._oldest = kept, kept % history
        # products between pairs, oldest first, in double: they are few, and a triangle of them is solved
        self._across = torch.eye(history, dtype=torch.float64).repeat(heads, 1, 1)  # step i · change j, for i ≤ j
        self._within = torch.zeros(heads, history, history, dtype=torch.float64)  # change i · M change j
        if kept:
            filled = slice(history - kept, history)
            self._rings[:, 0, :kept], self._changes[:, :kept] = steps * taught[..., None], changes * taught[..., None]
            self._rings[:, 1, :kept] = precondition(self._changes[:, :kept].contiguous())
            across, within = (self._rings[:, :, :kept] @ self._changes[:, None, :kept].mT).double().unbind(1)
            self._across[:, filled, filled] = across.triu() + torch.diag_embed(1 - taught.double())
            self._within[:, filled, filled] = within
        self._gradient, self._along = gradient, self._products(gradient)

    def direction(self, smooth: torch.Tensor) -> torch.Tensor:
        """−H · gradient, where `smooth` is M · gradient: `(heads, values)`."""
        a, b = self._along.unbind(1)
        p = torch.linalg.solve_triangular(self._across, a, upper=True)
        diagonal = self._across.diagonal(dim1=1, dim2=2)[..., None]
        u = torch.linalg.solve_triangular(self._across.mT, diagonal * p + self._within @ p - b, upper=False)
        weights = torch.stack([-u, p], dim=1).roll(self._oldest, 2).to(smooth.dtype)
        return torch.baddbmm(smooth[:, None], weights.flatten(1).unsqueeze(1), self._rings.flatten(1, 2), beta=-1)[:, 0]

    def add(self, step: torch.Tensor, change: torch.Tensor, smooth: torch.Tensor, gradient: torch.Tensor) -> None:
        """A step, the change of gradient along it, M · change, and the gradient where it led: all `(heads, values)`."""
        taught = (step * change).sum(dim=1, keepdim=True) > TEACHES
        slot, history = self._oldest, self._changes.shape[1]
        pair = torch.stack([step, smooth], dim=1) * taught[..., None]
        self._rings[:, :, slot], self._changes[:, slot] = pair, change * taught
        self._used, self._oldest = min(self._used + 1, history), (slot + 1) % history
        along = self._products(gradient)
        # times the change of the gradient: what it is now less what it was, for each pair
        before = torch.cat([self._along[:, :, 1:], (pair @ self._gradient[..., None]).double()[:, :, None]], dim=2)
        across, within = ((along - before) * taught[:, :, None, None]).unbind(1)
        for square, column in ((self._across, across), (self._within, within)):
            square[:, :-1, :-1] = square[:, 1:, 1:].clone()
            square[:, -1, :-1] = 0
            square[:, :, -1:] = column
        self._within[:, -1, :] = within[..., 0]
        self._across[:, -1, -1] += ~taught[:, 0]
        self._gradient, self._along = gradient, along

    def memory(self) -> Memory:
        """What was learnt, for a solver that goes on from here."""
        first = self._changes.shape[1] - self._used
        rings = (self._rings[:, 0], self._changes)
        return Memory(*(ring.roll(-self._oldest, 1)[:, first:] for ring in rings))

    def _products(self, vector: torch.Tensor) -> torch.Tensor:
        """Every step and every M · change times `vector`: `(heads, 2, history, 1)`, oldest first."""
        products = [
            ring.flatten(0, 1) @ own for ring, own in zip(self._rings, vector, strict=True)
        ]  # bmm is slow at this
        return torch.stack(products).view(*self._rings.shape[:3], 1).double().roll(-self._oldest, 2)
