"""What the records decide: the winner on cross-validation alone, how long to train its refit, which examples are suspect."""

from __future__ import annotations

import statistics
from typing import NamedTuple

import numpy as np

from weigh.data.examples import Examples
from weigh.metrics.base import METRICS
from weigh.plan.runs import group_of
from weigh.record.results import OutOfFold, Results

__all__ = [
    "MOST_DOUBTED",
    "choose_winner",
    "comparable_scores",
    "find_suspects",
    "leading_heads",
    "mean_settled",
    "median_epochs",
    "ranked",
    "strange_groups",
    "trained_on",
]

MOST_DOUBTED = 0.25  # share of all labels; in none of the ten test sets of Northcutt, Athalye & Mueller (2021) were so many flagged
STRANGE, FEWEST = 0.25, 5  # share of a group's labels, and number, from which the model and not the labels are to blame


def choose_winner(results: Results) -> str | None:
    """The candidate with the best cross-validated primary metric; of a tie a head before a network, else the earlier one; never a control.

    The test part is not looked at. Whether the winner is really better than the next is a finding, not decided here.
    """
    return next(iter(ranked(results)), None)


def ranked(results: Results) -> list[str]:
    """Candidates (no controls) with a score (`comparable_scores`), best first; of a tie a head before a network, else the earlier one.

    After a race its leader comes first and who was dropped last: scores of different folds are not comparable.
    """
    greater = METRICS.get(results.spec.primary).greater_is_better
    scores = {name: score if greater else -score for name, score in comparable_scores(results).items()}
    race = results.race
    first = race.leader if race is not None and race.stop else None
    out = race.out if race is not None else frozenset()
    trained = {candidate.id for candidate in results.candidates if not candidate.cheap}
    return sorted(scores, key=lambda name: (name != first, name in out, -scores[name], name in trained))  # stable


def comparable_scores(results: Results) -> dict[str, float]:
    """Candidate (no controls) -> primary metric, of those with a complete repeat.

    A network that was trained in some folds only (`plan/less_training.py`) has the score of the best of these, and to that how much better it is
    in its own folds: folds differ in how hard they are. Where all were, the one with the most examples takes the place of the best.
    """
    from weigh.metrics.design import score_design

    metric = METRICS.get(results.spec.primary)
    sign = 1.0 if metric.greater_is_better else -1.0
    scores, partial = {}, {}
    for candidate in results.candidates:
        out_of_fold = None if candidate.control else results.out_of_fold(candidate.id)
        if out_of_fold is None:
            continue
        if out_of_fold.complete.any():
            score = score_design(metric, out_of_fold).overall
            if score == score:
                scores[candidate.id] = score
        elif results.less is not None and not candidate.cheap:
            partial[candidate.id] = out_of_fold
    if not scores and partial:
        widest = max(partial, key=lambda name: int(partial[name].present[0].sum()))  # the first of equals
        score = score_design(metric, partial[widest]).overall
        scores |= {widest: score} if score == score else {}
    if not scores:
        return scores
    best = max(scores, key=lambda name: sign * scores[name])
    anchor = results.out_of_fold(best)
    assert anchor is not None
    for name, own in partial.items():
        if name == best:
            continue
        both = own.present[0] & anchor.present[0]
        ahead = own.measured(metric).score_repeat(0, np.ones(len(both)), both)
        ahead = float(ahead - anchor.measured(metric).score_repeat(0, np.ones(len(both)), both))
        if ahead == ahead:
            scores[name] = scores[best] + ahead
    order = [candidate.id for candidate in results.candidates]
    return dict(sorted(scores.items(), key=lambda item: order.index(item[0])))


def leading_heads(results: Results) -> list[str]:
    """The two best candidates that train only a head; fewer where there are fewer."""
    return [name for name in ranked(results) if results.candidate(name).cheap][:2]


class Suspects(NamedTuple):
    """Examples of the training part that cleaned runs leave out.

    Attributes:
        mask: `(n,)` bool over all examples.
        labels: How many for a label that the out-of-fold predictions contradict.
        copies: How many because they are copies of an example that stays, or carry one picture's second label.
        contradicted: How many labels are contradicted but stay: so many that the models are wrong and not the labels.
    """

    mask: np.ndarray
    labels: int
    copies: int
    contradicted: int = 0


def find_suspects(results: Results) -> Suspects:
    """Suspected label errors and superfluous copies.

    Labels are doubted by all candidates together (mean out-of-fold probability), not by the winner alone: what only the
    winner doubts would be taken away in its favour.
    """
    from weigh.data.copies import duplicate_groups
    from weigh.stats.label_errors import find_label_errors

    examples = results.examples
    indices, train = results.judged, examples.where("train")
    total, count = np.zeros((len(indices), 1)), np.zeros((len(indices), 1))
    classified = examples.kind.probable  # only classes have probabilities that could contradict a label
    for name in ranked(results) if classified else ():
        runs = results.out_of_fold(name)
        assert runs is not None
        probabilities = runs.kind.probabilities(runs.answers)
        present = runs.present[..., None] & trained_on(runs, examples)[..., None]
        total = total + np.where(present, probabilities, 0.0).sum(axis=0) / len(probabilities)
        count = count + present.sum(axis=0) / len(probabilities)
    doubted, contradicted = np.zeros(len(examples), dtype=bool), 0
    if count.any() and classified and len(examples.classes) > 1:
        rows = np.flatnonzero(count[:, 0] > 0)
        flagged = find_label_errors(examples.target[indices[rows]], (total / np.maximum(count, 1e-12))[rows]).flagged
        doubted[indices[rows[flagged]]] = True
        group = group_of(examples, results.spec)
        if group is not None:
            doubted[indices] &= ~strange_groups(doubted[indices], group[indices])
        if (many := int(doubted.sum())) > MOST_DOUBTED * len(rows):
            doubted[:], contradicted = False, many
    copies = np.zeros(len(examples), dtype=bool)
    of = duplicate_groups(results.problems, examples)
    order = train[np.argsort(of[train], kind="stable")]
    copies[order[1:][of[order[1:]] == of[order[:-1]]]] = True  # all of a set but the first
    conflicts = {path for problem in results.problems if problem.kind == "label-conflict" for path in problem.paths}
    if conflicts:
        copies[train[np.isin(examples.path[train], sorted(conflicts))]] = True
    return Suspects(doubted | copies, int((doubted & ~copies).sum()), int(copies.sum()), contradicted)


def trained_on(runs: OutOfFold, examples: Examples) -> np.ndarray:
    """`(repeats, n)` bool: whether the run that was tested on an example had trained on its class (on all its labels).

    False where all examples of the class stand in one fold, as where only one group has it: whatever is predicted for them then
    says nothing about their labels.

    A run trains on the whole training part but its fold, whether other folds ran or not.
    """
    classes = len(examples.classes)
    holds = runs.kind.members(runs.target, classes)
    everywhere = runs.kind.members(examples.target[examples.where("train")], classes).sum(axis=0)
    trained = np.zeros(runs.fold.shape, dtype=bool)
    for row, mine in zip(trained, runs.fold, strict=True):
        counts = np.stack([holds[mine == k].sum(axis=0) for k in range(int(mine.max(initial=0)) + 1)])
        elsewhere = (everywhere - counts)[mine] > 0
        row[:] = (elsewhere | ~holds).all(axis=1) & (mine >= 0)
    return trained


def strange_groups(doubted: np.ndarray, group: np.ndarray) -> np.ndarray:
    """`(n,)` bool: examples of groups in which a large part of all labels is doubted: the model fails there, not the labels."""
    _, of = np.unique(group, return_inverse=True)
    number, size = np.bincount(of, doubted), np.bincount(of)
    return ((number > STRANGE * size) & (number >= FEWEST))[of]


def mean_settled(results: Results, candidate: str) -> dict[str, float]:
    """The mean of every number that the finished runs of the main design chose after training (`heads.base.Head.settle`)."""
    settled = [run.facts["settled"] for run in results.runs(candidate=candidate) if run.facts.get("settled")]
    return {name: statistics.fmean(one[name] for one in settled) for name in (settled[0] if settled else ())}


def median_epochs(results: Results, candidate: str) -> int | None:
    """Median of the best epochs over the finished runs of the main design (0: the probe that they began as was the best); None where none has any."""
    best = [
        run.facts["best_epoch"] for run in results.runs(candidate=candidate) if run.facts.get("best_epoch") is not None
    ]
    return round(statistics.median(best)) if best else None
