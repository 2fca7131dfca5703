"""The mean of a run's last few epochs' weights: one network, no further training, no dearer prediction.

Every epoch is validated as that mean, so the epoch is chosen on what is kept; a refit takes the mean of its own last epochs
in the same way. Batch norm's running statistics are averaged like weights, not computed anew: what is validated is then
exactly what is kept. Why this mean and not that of the folds: docs/decisions/weight-averaging.md.

References:
    Izmailov et al. (2018), Averaging weights leads to wider optima. Kaddour (2022), Stop wasting my time! (the latest weights).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ["Recent", "state_of"]

State = dict[str, torch.Tensor]


class Recent:
    """The weights of the last `many` epochs of `network`; memory: `many` times its size, where `many` is above 1."""

    def __init__(self, network: nn.Module, many: int) -> None:
        self.network, self.states = network, deque[State](maxlen=max(1, many))

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """An epoch has ended: the network holds the mean of the last ones, and afterwards its own weights again."""
        if self.states.maxlen == 1:
            yield
            return
        self.states.append(state_of(self.network))
        self.network.load_state_dict(_mean(list(self.states)))
        try:
            yield
        finally:
            self.network.load_state_dict(self.states[-1])

    def settle(self) -> None:
        """Replace the weights by the mean, after the last epoch of a run without validation."""
        if len(self.states) > 1:
            self.network.load_state_dict(_mean(list(self.states)))


def state_of(network: nn.Module) -> State:
    """A copy of its weights and statistics as they are now."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _mean(states: list[State]) -> State:
    """The mean of weights and running statistics; counters are those of the last epoch."""
    return {
        name: torch.stack([state[name].double() for state in states]).mean(dim=0).to(last.dtype)
        if last.is_floating_point()
        else last
        for name, last in states[-1].items()
    }
