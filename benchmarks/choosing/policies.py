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
from weigh.train.transferability import h_score, log_evidence, nearest_neighbours

__all__ = ["POLICIES", "RULE", "Choice", "Rule", "by_prior", "full_cross_validation", "leep", "prior_order"]


class Choice(NamedTuple):
    """A candidate, the seconds it took to choose it, and who was compared at the last look."""

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


def leep(chances: np.ndarray, target: np.ndarray) -> float:
    """Log likelihood per example of a label read off the answers of the model's own head; at most 0, greater is better.

    Args:
        chances: `(n, source classes)` probabilities that the pretrained head gives.
        target: `(n,)` class numbers.

    References:
        Nguyen, Hassner, Seeger & Archambeau (2020), LEEP: A new measure to evaluate transferability, ICML.
    """
    classes, label = np.unique(target, return_inverse=True)
    theta = np.asarray(chances, np.float64)
    joint = np.eye(len(classes))[label].T @ theta  # (classes, source classes), times n
    total = joint.sum(axis=0)
    given_source = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    return float(np.log((theta * given_source[label]).sum(axis=1)).mean())


def _by_leep(draw: Draw) -> Choice:
    names = [name for name in draw.names if name in draw.pool.chances]
    return _scored(draw, names, lambda name: leep(draw.pool.chances[name][draw.a], draw.label))


def _few_shot(draw: Draw, share: float) -> Choice:
    """One cross-validation of every candidate on a share of half A."""
    many = round(share * len(draw.a))
    scores = {name: draw.score(name, many, 1) for name in draw.names}
    cost = sum(draw.features_cost(name, many) + draw.heads_cost(name, many, FOLDS) for name in draw.names)
    return Choice(max(draw.names, key=scores.__getitem__), cost)


def full_cross_validation(draw: Draw) -> Choice:
    n = len(draw.a)
    return Choice(max(draw.names, key=lambda name: draw.score(name, n)), draw.full_cost(), tuple(draw.names))


@dataclass(frozen=True)
class Rule:
    """Few examples of all, then more of fewer; the prior counts for less the more was seen.

    Attributes:
        looks: Share of half A that is seen, and how many candidates go on from there.
        prior: Accuracy that first and last of the prior are apart by, before anything was seen.
        fades: Examples after which the prior counts half.
    """

    looks: tuple[tuple[float, int], ...]
    prior: float
    fades: float = 30.0

    def choose(self, draw: Draw) -> Choice:
        """One cross-validation a look; a candidate is charged the features that it did not have yet."""
        order = {name: i for i, name in enumerate(prior_order())}
        alive, seconds, seen, finalists = list(order), 0.0, dict.fromkeys(order, 0), ()
        for share, left in self.looks:
            many, finalists = round(share * len(draw.a)), tuple(alive)
            for name in alive:
                seconds += draw.features_cost(name, many - seen[name]) + draw.heads_cost(name, many, FOLDS)
                seen[name] = many
            step = self.prior * self.fades / (self.fades + many) / (len(order) - 1)
            scores = {name: _smooth_score(draw, name, many) - step * order[name] for name in alive}
            alive = sorted(alive, key=lambda name: -scores[name])[:left]
        return Choice(alive[0], seconds, finalists)


def _smooth_score(draw: Draw, name: str, many: int) -> float:
    """Mean of the accuracy and of one less the squared error: steadier than the accuracy of a few dozen examples."""
    answers = draw.logits(name, many, 1)
    right = np.eye(answers.shape[-1])[draw.label[:many]]
    return (draw.score(name, many, 1) + 1 - float(np.square(answers - right).sum(axis=-1).mean())) / 2


# The best of 18 plans of looks x 3 scores x 4 weights of the prior on the development data sets and draws, where its mean regret was 1.3 points and
# that of full cross-validation 2.2. The best of so many was luckier there than elsewhere: docs/benchmarks/choosing.md.
RULE = Rule(looks=((0.05, 8), (0.15, 4), (0.3, 2), (0.4, 1)), prior=0.1)

POLICIES: dict[str, Callable[[Draw], Choice]] = {
    "prior": by_prior,
    "LogME": lambda draw: _scored(draw, draw.names, lambda name: log_evidence(_features(draw, name), draw.label)),
    "H-score": lambda draw: _scored(draw, draw.names, lambda name: h_score(_features(draw, name), draw.label)),
    "LEEP": _by_leep,
    "1-NN": lambda draw: _scored(
        draw, draw.names, lambda name: nearest_neighbours(_features(draw, name), draw.label, neighbours=1)
    ),
    "5-NN": lambda draw: _scored(draw, draw.names, lambda name: nearest_neighbours(_features(draw, name), draw.label)),
    "few-shot probe, 1/10": lambda draw: _few_shot(draw, 0.1),
    "few-shot probe, 1/5": lambda draw: _few_shot(draw, 0.2),
    "full cross-validation": full_cross_validation,
    "halving": lambda draw: RULE.choose(draw),
}
