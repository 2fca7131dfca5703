"""Neighbours along the order: how often the order check alarms, clears or says nothing, and what it says of errors.

Examples are drawn in groups of neighbours that are near copies of one another with one label (a group of 1: nothing is alike), heads are
ridge regressions or nearest neighbours, and findings are asked as in a study. How much shuffled folds flatter a score is known by
the same learner on folds that keep whole groups together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.audit.readings.part import Kept, Part, Row, exact_p, smallest, stream
from tests.findings.synthetic import assign_folds, make_results
from weigh.data.folds import assign_blocks
from weigh.findings.generalisation import order
from weigh.kinds.label import LABEL
from weigh.record.results import Results
from weigh.stats.order import order_check_variants

__all__ = ["DESIGNS", "PART", "Copies", "neighbour_study"]

RIDGE = 5.0  # penalty on standardised columns
NEAREST = 5


@dataclass(frozen=True)
class Copies:
    """A study along an order.

    Attributes:
        n, classes, features, folds, repeats: Of the study.
        group: Neighbours that are near copies.
        noise: Share of a feature's standard deviation in which copies differ.
        signal: Of the classes; small: answers are nearly guesses.
        learner: "ridge" or "nearest".
        labels_only: Runs of `group` neighbours share their label and nothing else: no score is too good.
    """

    n: int = 400
    group: int = 1
    classes: int = 2
    features: int = 30
    folds: int = 5
    repeats: int = 2
    noise: float = 0.3
    signal: float = 2.0
    learner: str = "ridge"
    labels_only: bool = False


DESIGNS: dict[str, Copies] = {
    "nothing alike, two classes": Copies(),
    "nothing alike, five classes": Copies(n=600, classes=5),
    "nothing alike, 3,000": Copies(n=3000),
    "nothing alike, nearest neighbours": Copies(learner="nearest"),
    "labels in runs of 10, two classes": Copies(group=10, labels_only=True),
    "labels in runs of 10, five classes": Copies(n=600, group=10, classes=5, labels_only=True),
    "labels in runs of 3, ten classes": Copies(n=600, group=3, classes=10, labels_only=True),
    "copies in twos": Copies(group=2),
    "copies in threes": Copies(group=3),
    "copies in tens": Copies(group=10),
    "copies in tens, ten classes": Copies(group=10, classes=10),
    "copies in twos, 3,000, few features": Copies(n=3000, group=2),
    "copies in fours, 3,000, few features": Copies(n=3000, group=4),
    "copies in tens, 3,000, hardly alike": Copies(n=3000, group=10, noise=0.85),
    "copies in threes, 1,500, far from alike": Copies(n=1500, group=3, features=20, noise=0.7),
    "copies in tens, 1,500, far from alike": Copies(n=1500, group=10, features=20, noise=0.7),
    "copies in threes, nearest neighbours": Copies(group=3, learner="nearest"),
    "copies in tens, nearest neighbours": Copies(group=10, learner="nearest"),
}


def neighbour_study(design: Copies, rng: np.random.Generator) -> tuple[Results, float]:
    """A study, and by how much the accuracy of its shuffled folds is too good."""
    features, target, position = _draw(design, rng)
    variants = order_check_variants(LABEL, target[np.argsort(position)], design.folds)
    folds = assign_folds(rng, target, design.folds, design.repeats)
    logits = np.stack([_validate(design, features, target, fold) for fold in folds])
    checks = {}
    for variant in variants:
        size = None if variant == "fifths" else int(variant.split(":")[1])
        fold = assign_blocks(position, block_size=size, folds=design.folds, rng=rng).fold
        checks[variant] = (_validate(design, features, target, fold)[None], fold)
    excess = 0.0
    if design.group > 1 and not design.labels_only:
        of = np.arange(design.n) // design.group
        apart = (rng.permutation(int(of[-1]) + 1) % design.folds)[of]
        together = _validate(design, features, target, apart).argmax(axis=1) == target
        excess = float((logits.argmax(axis=2) == target).mean() - together.mean())
    results = make_results(
        {"m": logits},
        target,
        fold=folds,
        order=position,
        order_checks={"m": checks} if checks else None,
        metrics={"primary": "accuracy"},
    )
    return results, excess


def _draw(design: Copies, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features `(n, features)`, labels and positions in the order."""
    directions = np.random.default_rng([design.features, design.classes]).standard_normal(
        (design.features, design.classes)
    )
    directions *= design.signal / np.linalg.norm(directions, axis=0)
    of = np.arange(design.n) // (1 if design.labels_only else design.group)
    shared = rng.standard_normal((int(of[-1]) + 1, design.features))
    label = (shared @ directions + rng.gumbel(size=(len(shared), design.classes))).argmax(axis=1)
    features = shared[of]
    if design.group > 1 and not design.labels_only:
        own = rng.standard_normal(features.shape)
        features = np.sqrt(1 - design.noise**2) * features + design.noise * own
    position = np.arange(design.n)
    if design.labels_only:
        runs = []
        for value in range(design.classes):
            mine = np.flatnonzero(label == value)
            runs += [mine[i : i + design.group] for i in range(0, len(mine), design.group)]
        position[np.concatenate([runs[i] for i in rng.permutation(len(runs))])] = np.arange(design.n)
    return features, label[of], position


def _validate(design: Copies, features: np.ndarray, target: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """`(n, classes)` logits, each fold predicted by a head that was fitted on the others."""
    member = target[:, None] == np.arange(design.classes)
    if design.learner == "nearest":
        square = np.square(features).sum(axis=1)
        distance = square[:, None] + square - 2 * features @ features.T
        distance[fold[:, None] == fold] = np.inf
        near = np.argpartition(distance, NEAREST, axis=1)[:, :NEAREST]
        return np.log(member[near].sum(axis=1) + 0.5).astype(np.float32)
    x, signs = np.c_[np.ones(len(target)), features], 2.0 * member - 1
    gram, cross = x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ signs
    logits = np.empty(member.shape, np.float32)
    for k in range(design.folds):
        held = fold == k
        left = x[held]
        logits[held] = 4 * left @ np.linalg.solve(gram - left.T @ left, cross - left.T @ signs[held])
    return logits


def rows(studies: int, seed: int) -> Iterator[Row]:
    """Two rows for each design: of the order check (alarm, all-clear) and of the errors (alike, independent); and by how much
    accuracy is too good on average."""
    studies = max(studies // 5, 50)  # whole findings, some tenths of a second each
    for name, design in DESIGNS.items():
        rng, said, excess = stream(seed, "order " + name), Counter(), []
        for _ in range(studies):
            results, flattered = neighbour_study(design, rng)
            excess.append(100 * flattered)
            said.update((finding.id, finding.verdict) for finding in order.find(results))
        for suffix, key in (("", "order"), (ERRORS, "order:neighbours")):
            shares = said[key, "no"] / studies, said[key, "yes"] / studies
            yield Row(name + suffix, studies, *shares, float(np.mean(excess)))


def _promise(rows: Sequence[Mapping[str, float]]) -> Kept:
    false = exact_p([row for row in rows if not str(row["design"]).startswith("copies")], "first", 0.05)
    cleared = exact_p([row for row in rows if row["third"] > 1], "second", 0.05)
    return Kept(
        "Alarm: the score falls when neighbours stay together, or their errors are alike. All-clear: it survives, or they are independent. Promised: no "
        "alarm in more than 5 % where nothing is alike, no all-clear in more than 5 % where accuracy is more than a point too good. Smallest exact "
        f"p, Holm: {smallest(false):.3f} and {smallest(cleared):.3f}.",
        false + cleared,
    )


ERRORS = ": errors"
PART = Part("Neighbours along the order", ("alarm, %", "all-clear, %", "too good, points"), rows, _promise)
