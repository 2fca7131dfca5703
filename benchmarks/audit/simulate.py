"""Simulated studies with known truth: data sets, learners, cross-validation, and the score that a refit would have.

Every candidate m sees its own features `X_m ~ N(0, I)` (correlated between candidates by `correlation`). The label is
drawn from softmax(sum over m of s_m X_m W), where W is the same for all candidates: candidates with equal strengths
s_m and the same learner are exchangeable, so their true difference over data sets is exactly 0.

All fits of a study (repeats x folds, then the refits for the truth) are solved as one batch. A study of the reference
design takes some 8 ms. Memory: (repeats x folds, n) weights and (repeats x folds, features, features) matrices.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

__all__ = ["Data", "Design", "Study", "draw_data", "fit", "score", "simulate"]

FRESH = 6000  # examples that stand for "unlimited new data"; their chances are used, not labels drawn from them
REFITS = 16  # seeds over which the truth of this data set is averaged
DROPPED = 1e9  # penalty of a column that a fit may not use


@dataclass(frozen=True)
class Design:
    """What is simulated.

    Attributes:
        n: Examples in the data set.
        strengths: Signal of each candidate's own features.
        gap: Standard deviation of a random true difference: strengths 0 and 1 become s + g and s - g, g ~ N(0, gap²).
        classes: Number of classes.
        shift: Subtracted from the log odds of class 1 (two classes): makes it rare.
        features, used: Columns, and how many of them (at random) a fit may use.
        learner: "ridge" (lambda = `penalty`, targets ±1), "knn" (5 neighbours) or "centroid" (nearest class mean).
        noisy: Exponential weights per example in every fit: each seed gives another model.
        weighted: Rare classes weigh more in every fit, so that they are answered at all.
        degenerate: Share of fits that always answer the majority class.
        folds, repeats, metric: Of the study.
        group: Examples per group that share 70 % of their features' variance; folds respect groups.
        correlation: Between the features of different candidates.
        same: All candidates see the same features and differ by their seeds (and penalties) only.
        penalties: Of each candidate, in place of `penalty`: one that is under-fitted or hardly regularised.
    """

    n: int = 300
    strengths: tuple[float, ...] = (1.2, 1.2)
    gap: float = 0.0
    classes: int = 2
    shift: float = 0.0
    features: int = 20
    used: int = 16
    learner: str = "ridge"
    penalty: float = 1.0
    noisy: bool = True
    weighted: bool = False
    degenerate: float = 0.0
    folds: int = 10
    repeats: int = 5
    metric: str = "accuracy"
    group: int = 0
    correlation: float = 0.0
    same: bool = False
    penalties: tuple[float, ...] = ()

    @property
    def null(self) -> bool:
        """Whether all candidates are equal by symmetry."""
        return not self.gap and len(set(self.strengths)) == 1 and len(set(self.penalties)) < 2


@dataclass(frozen=True)
class Study:
    """One simulated study.

    Attributes:
        logits: `(candidates, repeats, n, classes)`.
        fold: `(repeats, n)`.
        target: `(n,)`.
        groups: `(n,)` or None.
        fresh: For every candidate and refit, predictions of new examples: `(candidates, refits, FRESH, classes)`.
        chance: `(FRESH, classes)` probability of each label of the new examples.
        majority: The class that degenerate refits answer.
        gap: The drawn difference of strengths (0 unless `Design.gap`).
    """

    logits: np.ndarray
    fold: np.ndarray
    target: np.ndarray
    groups: np.ndarray | None
    fresh: np.ndarray
    chance: np.ndarray
    majority: int
    gap: float = field(default=0.0)


def simulate(design: Design, rng: np.random.Generator, *, truth: bool = True) -> Study:
    """Draw a data set, cross-validate every candidate on the same folds, and refit each on all of it."""
    gap = float(rng.normal(0, design.gap)) if design.gap else 0.0
    if design.gap:
        first = design.strengths[0]
        design = replace(design, strengths=(first + gap, first - gap, *design.strengths[2:]))
    count = len(design.strengths)
    features, target, groups, directions = draw_data(design, rng)
    fold = np.stack([_folds(design, rng, target, groups) for _ in range(design.repeats)])
    train = (fold[:, None, :] != np.arange(design.folds)[None, :, None]).reshape(-1, design.n)
    size = FRESH // 4 if design.learner == "knn" else FRESH  # neighbours are slow to find
    new, _ = _features(design, rng, size if truth else 1, grouped=0)
    chance = _chance(design, new, directions)
    refits = (REFITS if design.noisy or design.used < design.features else 1) if truth else 0
    logits = np.empty((count, design.repeats, design.n, design.classes), dtype=np.float32)
    fresh = np.empty((count, refits, len(chance), design.classes), dtype=np.float32)
    everything = np.ones((refits, design.n), dtype=bool)
    majority = int(np.bincount(target).argmax())
    for m in range(count):
        own = features[m]
        alone = replace(design, penalty=design.penalties[m]) if design.penalties else design
        predicted = fit(alone, rng, own, target, np.concatenate([train, everything]))
        inside = score(predicted, own, slice(0, len(train)))
        fresh[m] = score(predicted, new[m], slice(len(train), None))
        failed = rng.random(len(train)) < design.degenerate
        inside[failed] = np.eye(design.classes)[majority]
        inside = inside.reshape(design.repeats, design.folds, design.n, design.classes)
        for repeat in range(design.repeats):
            logits[m, repeat] = inside[repeat, fold[repeat], np.arange(design.n)]
    return Study(logits, fold, target, groups, fresh, chance, majority, gap)


class Data(NamedTuple):
    """A data set: features of each candidate `(n, features)`, labels, groups, and the truth behind the labels."""

    features: list[np.ndarray]
    target: np.ndarray
    groups: np.ndarray | None
    directions: np.ndarray


def draw_data(design: Design, rng: np.random.Generator) -> Data:
    """A data set with at least two examples of every class."""
    directions = _directions(design)
    while True:
        features, groups = _features(design, rng, design.n, grouped=design.group)
        target = _labels(rng, _chance(design, features, directions))
        if np.bincount(target, minlength=design.classes).min() >= 2:
            return Data(features, target, groups, directions)


def _directions(design: Design) -> np.ndarray:
    """`(features, classes)`: for two classes (0, w) with w = 1/sqrt(features); else unit vectors fixed by the design."""
    if design.classes == 2:
        return np.stack([np.zeros(design.features), np.full(design.features, design.features**-0.5)], axis=1)
    drawn = np.random.default_rng([design.features, design.classes]).standard_normal((design.features, design.classes))
    return drawn / np.linalg.norm(drawn, axis=0) * 2.0


def _features(design: Design, rng, n: int, *, grouped: int) -> tuple[list[np.ndarray], np.ndarray | None]:
    shape = (n, design.features)
    drawn = [rng.standard_normal(shape) for _ in (design.strengths if not design.same else design.strengths[:1])]
    groups = None
    if grouped:
        groups = np.arange(n) // grouped
        for m, x in enumerate(drawn):
            drawn[m] = np.sqrt(0.3) * x + np.sqrt(0.7) * rng.standard_normal((groups[-1] + 1, design.features))[groups]
    if design.correlation:
        common = rng.standard_normal(shape)
        drawn = [np.sqrt(1 - design.correlation) * x + np.sqrt(design.correlation) * common for x in drawn]
    return (drawn * len(design.strengths) if design.same else drawn), groups


def _chance(design: Design, features: list[np.ndarray], directions: np.ndarray) -> np.ndarray:
    strengths = design.strengths[:1] if design.same else design.strengths
    logit = sum(s * (x @ directions) for s, x in zip(strengths, features, strict=False))
    logit = logit - design.shift * (np.arange(design.classes) == 1)
    raised = np.exp(logit - logit.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _labels(rng, chance: np.ndarray) -> np.ndarray:
    return (rng.random((len(chance), 1)) > np.cumsum(chance, axis=1)[:, :-1]).sum(axis=1)


def _folds(design: Design, rng, target: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    if groups is not None:
        return (rng.permutation(int(groups[-1]) + 1) % design.folds)[groups]
    fold = np.empty(design.n, dtype=np.int64)
    shuffled = rng.permutation(design.n)
    fold[shuffled[np.argsort(target[shuffled], kind="stable")]] = np.arange(design.n) % design.folds
    return fold


# Learners: `fit` gives what `score` needs


def fit(design: Design, rng, x: np.ndarray, target: np.ndarray, train: np.ndarray):
    """Fits for every row of `train` `(b, n)`: bool, or how often each example counts."""
    weights = rng.standard_exponential(train.shape) if design.noisy else np.ones(train.shape)
    if design.weighted:
        weights = weights / np.bincount(target, minlength=design.classes)[target]
    weights = weights * train
    weights *= (train.sum(axis=1) / weights.sum(axis=1))[:, None]
    if design.learner == "knn":
        return "knn", x, target, weights, design.classes
    signs = 2.0 * (target[:, None] == (np.arange(design.classes) if design.classes > 2 else [1])) - 1
    if design.learner == "centroid":
        return "linear", *_centroids(x, signs, weights), design.classes
    mask = np.ones((len(train), x.shape[1]), dtype=bool)
    if design.used < design.features:
        mask = rng.random(mask.shape).argsort(axis=1) < design.used
    solve = _ridge if x.shape[1] <= len(x) else _dual
    return "linear", *solve(x, signs, weights, mask, design.penalty), design.classes


def _ridge(x, signs, weights, mask, penalty):
    b, p = mask.shape
    total = weights.sum(axis=1)[:, None]
    centre, level = weights @ x / total, weights @ signs / total
    gram = (weights @ (x[:, :, None] * x[:, None, :]).reshape(len(x), -1)).reshape(b, p, p)
    gram -= total[:, :, None] * centre[:, :, None] * centre[:, None, :]
    gram[:, np.arange(p), np.arange(p)] += penalty + DROPPED * ~mask
    cross = (weights @ (x[:, :, None] * signs[:, None, :]).reshape(len(x), -1)).reshape(b, p, -1)
    cross -= total[:, :, None] * centre[:, :, None] * level[:, None, :]
    beta = np.linalg.solve(gram, cross)
    return beta, level - np.einsum("bp,bpc->bc", centre, beta)


def _dual(x, signs, weights, mask, penalty):
    total = weights.sum(axis=1)[:, None]
    centre, level = weights @ x / total, weights @ signs / total
    root = np.sqrt(weights)[:, :, None]
    rows = (x[None] - centre[:, None]) * root * mask[:, None]
    kernel = rows @ rows.transpose(0, 2, 1)
    kernel[:, np.arange(len(x)), np.arange(len(x))] += penalty
    beta = rows.transpose(0, 2, 1) @ np.linalg.solve(kernel, (signs[None] - level[:, None]) * root)
    return beta, level - np.einsum("bp,bpc->bc", centre, beta)


def _centroids(x, signs, weights):
    beta, offset = [], []
    for column in (signs > 0).T:
        inside = weights * column
        mean = inside @ x / np.maximum(inside.sum(axis=1), 1e-12)[:, None]
        if signs.shape[1] == 1:
            outside = weights * ~column
            other = outside @ x / np.maximum(outside.sum(axis=1), 1e-12)[:, None]
            beta.append(mean - other)
            offset.append(-((mean**2).sum(axis=1) - (other**2).sum(axis=1)) / 2)
        else:
            beta.append(mean)
            offset.append(-(mean**2).sum(axis=1) / 2)
    return np.stack(beta, axis=2), np.stack(offset, axis=1)


def score(fitted, new: np.ndarray, rows: slice) -> np.ndarray:
    """`(b, len(new), classes)` logits."""
    kind, *rest = fitted
    if kind == "linear":
        beta, offset, classes = rest
        beta, offset = beta[rows], offset[rows]
        b, p, outputs = beta.shape
        scores = (new @ beta.transpose(1, 0, 2).reshape(p, b * outputs)).reshape(len(new), b, outputs)
        scores = scores.transpose(1, 0, 2) + offset[:, None]
        return scores if classes > 2 else np.concatenate([np.zeros_like(scores), 2 * scores], axis=2)
    x, target, weights, classes = rest
    return _neighbours(x, target, weights[rows], classes, new)


def _neighbours(x, target, weights, classes, new, k=5):
    distance = np.square(new).sum(axis=1)[:, None] + np.square(x).sum(axis=1) - 2 * new @ x.T
    scores = np.empty((len(weights), len(new), classes))
    near = np.argsort(distance, axis=1)[:, : min(len(x), 8 * k)]  # enough although some neighbours are held out
    member = np.eye(classes)[target]
    for b, w in enumerate(weights):
        usable = w[near] > 0
        chosen = usable & (np.cumsum(usable, axis=1) <= k)
        votes = np.einsum("ij,ijc->ic", np.where(chosen, w[near], 0.0), member[near])
        scores[b] = np.log((votes + 0.5) / (votes + 0.5).sum(axis=1, keepdims=True))
    return scores
