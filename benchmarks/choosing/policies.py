"""The ways of choosing that are compared: each names a candidate from half A alone, and what that cost in processor seconds.

Before it: `draws.py`. After it: `replays.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from benchmarks.choosing.draws import FOLDS, Draw
from benchmarks.choosing.encoders import CANDIDATES
from weigh.train.transferability import h_score, leep, log_evidence, nearest_neighbours

__all__ = ["POLICIES", "RULE", "Choice", "Rule", "by_prior", "full_cross_validation", "prior_order"]


class Choice(NamedTuple):
    """A candidate, the seconds it took to choose it, and who was still compared in the end."""

    name: str
    seconds: float
    finalists: tuple[str, ...] = ()


def prior_order() -> list[str]:
    """Published top-1 first; what is not published after that, in the order of its whole network; random last."""
    return sorted(CANDIDATES, key=lambda name: (CANDIDATES[name].top1 is None, -CANDIDATES[name].parent))


def by_prior(_draw: Draw) -> Choice:
    return Choice(prior_order()[0], 0.0)


def _scored(draw: Draw, names: Sequence[str], score: Callable[[str], float]) -> Choice:
    """The best by a score of the features of all of half A."""
    started = time.process_time()
    scores = {name: score(name) for name in names}
    taken = time.process_time() - started
    return Choice(
        max(names, key=scores.__getitem__), taken + sum(draw.features_cost(name, len(draw.a)) for name in names)
    )


def _features(draw: Draw, name: str) -> np.ndarray:
    return draw.pool.features[name][draw.a]


def _by_leep(draw: Draw) -> Choice:
    names = [name for name in draw.names if name in draw.pool.chances]
    return _scored(draw, names, lambda name: leep(draw.pool.chances[name][draw.a], draw.label))


def _few_shot(draw: Draw) -> Choice:
    """One cross-validation of every candidate on a tenth of half A."""
    many = len(draw.a) // 10
    scores = {name: draw.score(name, many, 1) for name in draw.names}
    cost = sum(draw.features_cost(name, many) + draw.heads_cost(name, many, FOLDS) for name in draw.names)
    return Choice(max(draw.names, key=scores.__getitem__), cost)


def full_cross_validation(draw: Draw) -> Choice:
    n = len(draw.a)
    return Choice(max(draw.names, key=lambda name: draw.score(name, n)), draw.full_cost(), tuple(draw.names))


@dataclass(frozen=True)
class Rule:
    """Look at all with few examples, at fewer with more; the prior counts for less the more was seen.

    Attributes:
        looks: Share of half A, and how many candidates go on from there.
        prior: Points of accuracy that the whole order of the prior is worth where nothing was seen; it fades with the examples.
        repeats: Cross-validations at each look.
        end: Share of half A on which those that are left are compared.
    """

    looks: tuple[tuple[float, int], ...]
    prior: float
    repeats: int = 1
    half: float = 30.0
    smooth: bool = True

    def choose(self, draw: Draw) -> Choice:
        alive, seconds, seen = prior_order(), 0.0, dict.fromkeys(draw.names, 0)
        order = {name: i for i, name in enumerate(prior_order())}
        for share, left in self.looks:
            many = round(share * len(draw.a))
            for name in alive:
                seconds += draw.features_cost(name, many - seen[name])
                seconds += draw.heads_cost(name, many, FOLDS * self.repeats)
                seen[name] = many
            weight = self.prior * self.half / (self.half + many) / (len(order) - 1)
            scores = {name: self._score(draw, name, many) - weight * order[name] for name in alive}
            alive = sorted(alive, key=lambda name: -scores[name])[:left]
        return Choice(alive[0], seconds, tuple(alive))

    def _score(self, draw: Draw, name: str, many: int) -> float:
        """Accuracy, or what is smoother and says nearly the same."""
        score = draw.score(name, many, self.repeats)
        if not self.smooth:
            return score
        logits = draw.logits(name, many, self.repeats)
        right = np.eye(logits.shape[-1])[draw.label[:many]]
        lost = np.square(logits - right).sum(axis=-1).mean()
        return (score + 1 - lost) / 2


RULE = Rule(looks=((0.1, 6), (0.2, 3), (0.4, 1)), prior=0.05)

POLICIES: dict[str, Callable[[Draw], Choice]] = {
    "prior": by_prior,
    "LogME": lambda draw: _scored(draw, draw.names, lambda name: log_evidence(_features(draw, name), draw.label)),
    "H-score": lambda draw: _scored(draw, draw.names, lambda name: h_score(_features(draw, name), draw.label)),
    "LEEP": _by_leep,
    "1-NN": lambda draw: _scored(
        draw, draw.names, lambda name: nearest_neighbours(_features(draw, name), draw.label, neighbours=1)
    ),
    "5-NN": lambda draw: _scored(draw, draw.names, lambda name: nearest_neighbours(_features(draw, name), draw.label)),
    "few-shot probe": _few_shot,
    "full cross-validation": full_cross_validation,
    "weigh's rule": lambda draw: RULE.choose(draw),
}
