"""What would the average of several candidates answer? Members are chosen on the records alone: nothing is trained.

Before it: the out-of-fold answers of every candidate. After it: `findings/comparison/ensemble.py`, which sets the average beside the winner.

Members are drawn greedily, with replacement (Caruana et al. 2004): the best candidate first, then whichever makes the average better,
while one does. A score of the answers that the draws were made on would be too good. So the draws are made anew for every fold of every
repeat, on the examples of the other folds alone, and the average answers for the fold that it has not seen: its score is as honest as that of a
candidate. Draws go by log loss where there are probabilities: it moves with every answer, where accuracy jumps and lucky candidates are drawn. For the
same reason a draw must gain more than GAIN standard errors. Both are measured in docs/decisions/ensembles.md. The score that counts is
the study's primary metric all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from weigh.metrics.base import METRICS, Metric
from weigh.metrics.design import MeasuredDesign
from weigh.record.results import OutOfFold, Results

__all__ = ["SMOOTH", "Ensemble", "apply_members", "average_candidates", "average_on_part", "read_ensemble"]

DRAWS = 8  # members, counted as often as they are drawn
MOST, FEWEST = 20, 3  # candidates that are tried, the best ones by the folds that may be looked at
CELLS = 2e7  # numbers (examples × classes × repeats × candidates) that one draw may measure
BLOCK = 16  # looks that are scored at a time
SMOOTH = "log_loss"  # what members are drawn by where there are probabilities
GAIN = 0.5  # standard errors by which a draw must improve the average

Members = tuple[int, ...]  # positions of the drawn candidates, ascending, each as often as it was drawn


class Ensemble(NamedTuple):
    """An average of candidates.

    Attributes:
        members: Candidate id -> its share, chosen on all out-of-fold answers; one that is alone has share 1.
        by_fold: (repeat, fold) -> the same, chosen without this fold.
        tried: Candidates that could have been drawn.
        out_of_fold: Every fold answered by the members that were chosen without it. Repeats that not all candidates have are missing.
        luck: Variance of its score, in squared units of the primary metric, by who happened to be drawn (`luck_of_draws`).
        looked: So many of them, the best ones by what each draw could look at, were tried as further members (`MOST`, `CELLS`).
    """

    members: dict[str, float]
    by_fold: dict[tuple[int, int], dict[str, float]]
    tried: tuple[str, ...]
    out_of_fold: OutOfFold
    luck: float
    looked: int


def read_ensemble(results: Results) -> Ensemble | None:
    """Call it through `results.once`; None where there is nothing to average: fewer than two candidates with a complete repeat of all folds in common,
    answers that have no average, others' predictions.

    Controls are no members, nor is who a race dropped.
    """
    if results.origin != "study" or results.in_some_folds:  # members are drawn anew without each of many folds
        return None
    out = results.race.out if results.race is not None else frozenset()
    rivals = [c.id for c in results.candidates if not c.control and c.id not in out]
    answers = {name: runs for name in rivals if (runs := results.out_of_fold(name)) is not None}
    return average_candidates(METRICS.get(results.spec.primary), answers)


def average_candidates(metric: Metric, answers: Mapping[str, OutOfFold]) -> Ensemble | None:
    """The ensemble of these candidates; None where fewer than two have a complete repeat in common, or no average exists.

    c candidates, d draws, r repeats: at most r × c × (1 + (d - 1) × (folds × r + 1)) measurements of n examples, O(n × classes) each;
    in practice most folds draw the same members, and each average is measured once. CELLS bounds c for large studies.
    """
    pool, repeats = _in_common(answers)
    if len(pool) < 2:
        return None
    first = pool[next(iter(pool))]
    if first.kind.unaveraged is not None:
        return None
    if len(np.unique(first.fold[repeats[0]])) < 2:
        return None
    drawn_by = METRICS.get(SMOOTH) if first.kind.probable else metric
    chosen = choose_members(drawn_by, list(pool.values()), repeats)

    def shares(members: Members) -> dict[str, float]:
        return {name: members.count(at) / len(members) for at, name in enumerate(pool) if at in members}

    by_fold = {place: shares(members) for place, members in chosen.by_fold.items()}
    out_of_fold, luck = apply_members(pool, by_fold), luck_of_draws(metric, pool, by_fold)
    return Ensemble(shares(chosen.members), by_fold, tuple(pool), out_of_fold, luck, min(chosen.looked, len(pool)))


class Chosen(NamedTuple):
    """Members by their positions: on everything, and without each (repeat, fold); `looked`: at most so many candidates were tried as further ones."""

    members: Members
    by_fold: dict[tuple[int, int], Members]
    looked: int


def choose_members(metric: Metric, pool: Sequence[OutOfFold], repeats: Sequence[int]) -> Chosen:
    """Who is averaged, chosen on all answers and, for every fold, on those about the examples of the other folds of its repeat (in all
    repeats: what is known of them is then as sure as what is known of all).

    Args:
        pool: With the same folds, each complete in `repeats`.
    """
    places = [(repeat, fold) for repeat in repeats for fold in np.unique(pool[0].fold[repeat]).tolist()]
    seen = np.array([pool[0].fold[repeat] != fold for repeat, fold in places] + [np.ones(len(pool[0].target), bool)])
    averages = [_Averages(metric, pool, repeat, seen) for repeat in repeats]
    cells = pool[0].answers[0].size * len(averages)
    most = int(np.clip(CELLS // max(cells, 1), FEWEST, MOST))
    *inside, whole = [draw_members(_Look(averages, at), len(pool), most) for at in range(len(seen))]
    return Chosen(whole, dict(zip(places, inside, strict=True)), most)


class Look(Protocol):
    """What may be looked at while members are drawn."""

    def score(self, members: Members) -> float:
        """The score of the average of these, the greater the better; NaN where undefined."""
        ...

    def spread(self, one: Members, other: Members) -> float:
        """Standard error of the difference of two scores."""
        ...


def draw_members(look: Look, candidates: int, most: int = MOST) -> Members:
    """The best candidate, then again and again whichever makes the average best, as long as it gains more than chance would; at most DRAWS.

    Args:
        most: Candidates that are tried, the best ones alone.
    """
    alone = sorted(range(candidates), key=lambda one: -_defined(look.score((one,))))  # stable: the earlier one of a tie
    tried, members = alone[:most], (alone[0],)
    while len(members) < DRAWS:
        further = [tuple(sorted((*members, one))) for one in tried]
        best = max(further, key=lambda one: _defined(look.score(one)))
        gain = look.score(best) - look.score(members)
        if not gain > 1e-12 + GAIN * look.spread(best, members):
            break
        members = best
    return members


def _defined(score: float) -> float:
    return score if score == score else -np.inf


class _Averages:
    """One repeat: every average is made and measured once, and scored on what each look sees.

    Attributes:
        seen: `(looks, n)` bool.
    """

    def __init__(self, metric: Metric, pool: Sequence[OutOfFold], repeat: int, seen: np.ndarray) -> None:
        self.metric, self.pool, self.repeat, self.seen = metric.within(pool[0].target), pool, repeat, seen
        self.fold = pool[0].fold[repeat]
        self._measured: dict[Members, MeasuredDesign] = {}
        self._scores: dict[Members, np.ndarray] = {}
        self._influences: dict[tuple[Members, int], np.ndarray] = {}

    def measured(self, members: Members) -> MeasuredDesign:
        if members not in self._measured:
            shares = dict(Counter(members))
            answers, bias = _average([self.pool[one] for one in shares], list(shares.values()), self.repeat)
            prediction, first = self.pool[0].kind.decide(answers, bias), self.pool[0]
            statistics = self.metric.measure(prediction, first.target)[None]
            present = np.ones((1, len(self.fold)), dtype=bool)
            self._measured[members] = MeasuredDesign(
                self.metric, statistics, self.fold[None], present, first.target, first.seeded
            )
        return self._measured[members]

    def scores(self, members: Members) -> np.ndarray:
        """`(looks,)`, the greater the better."""
        if members not in self._scores:
            sign, measured = 1.0 if self.metric.greater_is_better else -1.0, self.measured(members)
            blocks = [self.seen[at : at + BLOCK].astype(float) for at in range(0, len(self.seen), BLOCK)]
            scores = [np.atleast_1d(measured.score_repeat(0, weights)) for weights in blocks]
            self._scores[members] = sign * np.concatenate(scores)
        return self._scores[members]

    def influence(self, members: Members, at: int) -> np.ndarray:
        """`(n,)` of every example on the score of look `at`."""
        if (members, at) not in self._influences:
            self._influences[members, at] = self.measured(members).influence(0, self.seen[at])
        return self._influences[members, at]


class _Look(NamedTuple):
    """All repeats, as far as look `at` sees their examples."""

    averages: list[_Averages]
    at: int

    def score(self, members: Members) -> float:
        return float(np.mean([average.scores(members)[self.at] for average in self.averages]))

    def spread(self, one: Members, other: Members) -> float:
        moved = [a.influence(one, self.at) - a.influence(other, self.at) for a in self.averages]
        return float(np.sqrt(np.square(np.mean(moved, axis=0)).sum()))


def _average(members: Sequence[OutOfFold], shares: Sequence[float], repeat: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers `(n, k)` of one repeat and what is added to them before deciding, averaged."""
    weights = np.asarray(shares, dtype=float) / np.sum(shares)
    answers = members[0].kind.averaged([one.answers[repeat] for one in members], weights)
    return answers, sum(w * one.bias[repeat].astype(float) for w, one in zip(weights, members, strict=True))


def apply_members(pool: Mapping[str, OutOfFold], chosen: Mapping[tuple[int, int], Mapping[str, float]]) -> OutOfFold:
    """Every fold answered by its own members."""
    first = next(iter(pool.values()))
    repeats, n = 1 + max(repeat for repeat, _ in chosen), len(first.target)
    answers = np.zeros((repeats, n, first.answers.shape[2]))
    bias = np.zeros((repeats, n, max(runs.bias.shape[2] for runs in pool.values())))
    fold = np.full((repeats, n), -1, dtype=first.fold.dtype)
    for (repeat, place), shares in chosen.items():
        rows = first.fold[repeat] == place
        averaged, added = _average([pool[name] for name in shares], list(shares.values()), repeat)
        answers[repeat, rows], bias[repeat, rows], fold[repeat, rows] = averaged[rows], added[rows], place
    return OutOfFold(
        first.indices, answers, fold, first.target, bias, first.kind
    )  # which members a fold has is luck of its own


def luck_of_draws(
    metric: Metric, pool: Mapping[str, OutOfFold], by_fold: Mapping[tuple[int, int], Mapping[str, float]]
) -> float:
    """How much of the score's variance comes from who was drawn: the jackknife that leaves out a fold at a time, mean over repeats.

    The average of every fold's members is scored on the same answers (all of them), so that what differs is who was drawn. Draws without
    one fold of k share most of their examples: their variance times k - 1 stands for that of draws on other examples.
    """
    scores: dict[frozenset[tuple[str, float]], float] = {}
    for shares in by_fold.values():
        key = frozenset(shares.items())
        if key not in scores:
            everywhere = apply_members(pool, dict.fromkeys(by_fold, shares))
            scores[key] = float(everywhere.measured(metric).score().overall)
    variances = []
    for repeat in {repeat for repeat, _ in by_fold}:
        drawn = [scores[frozenset(shares.items())] for (place, _), shares in by_fold.items() if place == repeat]
        variances.append((len(drawn) - 1) * float(np.var(drawn)))
    mean = float(np.mean(variances))
    return mean if np.isfinite(mean) else 0.0


def average_on_part(results: Results, shares: Mapping[str, float]) -> OutOfFold | None:
    """What the average of the refitted candidates answers on the test part; None where one of them was not scored there."""
    tested = [results.test(name) for name in shares]
    members = [one for one in tested if one is not None]
    if len(members) < len(tested) or not members:
        return None
    first = members[0]
    answers, bias = _average(members, list(shares.values()), 0)
    return OutOfFold(first.indices, answers[None], first.fold[:1], first.target, bias[None], first.kind)


def _in_common(answers: Mapping[str, OutOfFold]) -> tuple[dict[str, OutOfFold], list[int]]:
    """Candidates that answered all examples in the repeat that most of them completed, and the repeats that all of these completed."""
    most = max((len(runs.fold) for runs in answers.values()), default=0)
    complete = {name: np.pad(runs.complete, (0, most - len(runs.fold))) for name, runs in answers.items()}
    if len(answers) < 2:
        return {}, []
    first = int(np.sum(list(complete.values()), axis=0).argmax())
    pool = {name: runs for name, runs in answers.items() if complete[name][first]}
    repeats = np.flatnonzero(np.all([complete[name] for name in pool], axis=0)).tolist() if pool else []
    like = next(iter(pool.values()), None)
    assert all(np.array_equal(runs.fold[repeats], like.fold[repeats]) for runs in pool.values())  # paired by design
    return pool, repeats
