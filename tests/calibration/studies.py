"""Simulated studies with known truth: how often does the rule of `stats/comparison.py` claim what is not so?

By hand, about ten minutes on one core:

    python -m tests.calibration.studies --studies 1000
    python -m tests.calibration.studies --studies 2000 --designs reference,reference-gap

The reference design: N = 300; every candidate m sees its own X_m ~ N(0, I_20); y ~ Bernoulli(sigmoid(sum of
s_m X_m w)), w = 1/sqrt(20) in every coordinate. A learner is ridge regression (lambda = 1) on labels of +1 and -1
with intercept, on a random 16 of the 20 columns, with exponential weights per example (so each fit has noise of its
own). Candidates with equal s_m are equal by symmetry: every claim that one is better is false.

Columns of the table: false or true claims (of any pair), coverage of the difference over data sets (`new_data`: 0 in
null designs) and of the difference of models refitted on the same data (`this_data`), wrong signs about the latter,
median width relative to 2 x 1.96 x the true spread of the difference, and the same claims by three common rules.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import numpy as np

from tests.arrays import kind_of
from weigh.kinds.base import Prediction
from weigh.kinds.label import decide_class
from weigh.metrics.base import METRICS
from weigh.metrics.design import measure_design
from weigh.record.results import OutOfFold
from weigh.stats.comparison import compare
from weigh.stats.resampling import make_units

__all__ = ["DESIGNS", "Design", "Outcome", "run_design"]


@dataclass(frozen=True)
class Design:
    """One simulated design; see the module."""

    n: int = 300
    strengths: tuple[float, ...] = (1.2, 1.2)
    features: int = 20
    used: int = 16
    folds: int = 10
    repeats: int = 5
    noisy: bool = True
    degenerate: float = 0.0
    shift: float = 0.0
    metric: str = "accuracy"
    group: int = 0
    same: bool = False


@dataclass
class Outcome:
    """What happened over many studies."""

    estimates: list[float] = field(default_factory=list)
    truths: list[float] = field(default_factory=list)
    lows: list[float] = field(default_factory=list)
    highs: list[float] = field(default_factory=list)
    claims: list[bool] = field(default_factory=list)
    rules: dict[str, list[bool]] = field(default_factory=dict)

    def table(self) -> dict[str, float]:
        """The columns described in the module, in per cent."""
        d, t, low, high = (np.array(x) for x in (self.estimates, self.truths, self.lows, self.highs))
        signed = (low > 0) | (high < 0)
        known = ~np.isnan(t)
        return {
            "claims": 100 * float(np.mean(self.claims)),
            "cover_mean": 100 * float(np.mean((low <= d.mean()) & (d.mean() <= high))),
            "cover_data": 100 * float(np.mean(((low <= t) & (t <= high))[known])) if known.any() else np.nan,
            "wrong_sign": 100 * float(np.mean((signed & (np.sign(d) != np.sign(t)))[known])) if known.any() else np.nan,
            "width": float(np.median(high - low) / (2 * 1.96 * d.std())),
            "sd": 100 * float(d.std()),
            **{name: 100 * float(np.mean(values)) for name, values in self.rules.items()},
        }


DESIGNS = {
    "reference": Design(),
    "reference-gap": Design(strengths=(1.39, 1.01)),
    "5x1": Design(folds=5, repeats=1),
    "5x1-gap": Design(folds=5, repeats=1, strengths=(1.39, 1.01)),
    "5x2": Design(folds=5, repeats=2),
    "5x5": Design(folds=5),
    "2x1": Design(folds=2, repeats=1),
    "n100": Design(n=100, folds=5),
    "n1000": Design(n=1000, folds=5),
    "unstable": Design(n=100, features=200, used=160),
    "unstable-5x1": Design(n=100, features=200, used=160, folds=5, repeats=1),
    "stable-n100": Design(n=100, used=20, noisy=False, folds=5),
    "stable-n1000": Design(n=1000, used=20, noisy=False, folds=5),
    "stable-n100-5x1": Design(n=100, used=20, noisy=False, folds=5, repeats=1),
    "degenerate-5x1": Design(degenerate=0.1, folds=5, repeats=1),
    "degenerate-n1000-5x1": Design(n=1000, degenerate=0.1, folds=5, repeats=1),
    "degenerate-n1000-2x1": Design(n=1000, degenerate=0.1, folds=2, repeats=1),
    "degenerate-10x5": Design(degenerate=0.1),
    "same-recipe": Design(strengths=(1.7, 1.7), same=True),
    "auroc": Design(metric="auroc", folds=5),
    "f1-rare": Design(metric="f1", shift=2.0, folds=5, strengths=(1.6, 1.6)),
    "balanced-rare": Design(metric="balanced_accuracy", shift=2.0, folds=5, strengths=(1.6, 1.6)),
    "groups-of-5": Design(group=5, folds=5),
    "three": Design(strengths=(1.2, 1.2, 1.2), folds=5),
    "six": Design(strengths=(1.0,) * 6, folds=5),
}


def run_design(design: Design, studies: int, *, seed: int = 0, truth: bool = True, draws: int = 300) -> Outcome:
    """Simulate `studies` studies and compare the candidates of each with the product's rule."""
    outcome = Outcome()
    metric = METRICS.get(design.metric)
    w = np.full(design.features, 1 / np.sqrt(design.features))
    fixed = np.random.default_rng([seed, 1])
    fresh = [fixed.standard_normal((3000, design.features)) for _ in design.strengths]
    for study in range(studies):
        rng = np.random.default_rng([seed, 2, study])
        features, target, groups = _draw(design, rng, w)
        fold = np.stack([_folds(design, rng, target, groups) for _ in range(design.repeats)])
        logits = [np.zeros((design.repeats, design.n, 2)) for _ in design.strengths]
        for repeat in range(design.repeats):
            for k in range(design.folds):
                inside = fold[repeat] == k
                for m, x in enumerate(features):
                    logits[m][repeat, inside, 1] = _predict(design, rng, x[~inside], target[~inside], x[inside])
        none = np.zeros((design.repeats, design.n, 2))
        measured = {
            f"m{m}": measure_design(
                metric, OutOfFold(np.arange(design.n), array, fold, target, none, kind=kind_of(target))
            )
            for m, array in enumerate(logits)
        }
        units = make_units(kind_of(target), target, groups)
        found = compare(measured, units, rng=rng, claim="this_data", draws=draws)
        pair = found.of("m0", "m1")
        outcome.estimates.append(pair.estimate.value)
        outcome.lows.append(-np.inf if pair.estimate.low is None else pair.estimate.low)
        outcome.highs.append(np.inf if pair.estimate.high is None else pair.estimate.high)
        outcome.claims.append(any(p.relation in ("better", "worse") for p in found.pairs.values()))
        outcome.truths.append(_refitted(design, rng, metric, features, target, fresh, w) if truth else np.nan)
        for name, claimed in _common_rules(design, measured).items():
            outcome.rules.setdefault(name, []).append(claimed)
    return outcome


def _draw(design, rng, w):
    features = [rng.standard_normal((design.n, design.features)) for _ in design.strengths]
    groups = None
    if design.group:
        groups = np.arange(design.n) // design.group
        for m, x in enumerate(features):
            shared = rng.standard_normal((groups.max() + 1, design.features))
            features[m] = np.sqrt(0.3) * x + np.sqrt(0.7) * shared[groups]
    if design.same:
        features = [features[0]] * len(features)
    strength = design.strengths[:1] if design.same else design.strengths
    logit = sum(s * (x @ w) for s, x in zip(strength, features, strict=False)) - design.shift
    target = (rng.random(design.n) < 1 / (1 + np.exp(-logit))).astype(np.int64)
    return features, target, groups


def _folds(design, rng, target, groups):
    if groups is not None:
        names = rng.permutation(int(groups.max()) + 1)
        return (np.argsort(names) % design.folds)[groups]
    fold = np.empty(design.n, dtype=np.int64)
    shuffled = rng.permutation(design.n)
    fold[shuffled[np.argsort(target[shuffled], kind="stable")]] = np.arange(design.n) % design.folds
    return fold


def _predict(design, rng, x, y, new):
    """Scores of `new`: positive for class 1."""
    if design.degenerate and rng.random() < design.degenerate:
        return np.full(len(new), 1.0 if y.mean() > 0.5 else -1.0)
    columns = rng.choice(design.features, design.used, replace=False) if design.used < design.features else slice(None)
    weights = rng.standard_exponential(len(y)) if design.noisy else np.ones(len(y))
    x, signs = x[:, columns], 2.0 * y - 1
    weights = weights / weights.sum() * len(y)
    centre, level = weights @ x / len(y), weights @ signs / len(y)
    x, root = x - centre, np.sqrt(weights)[:, None]
    x, signs = x * root, (signs - level) * root[:, 0]
    if x.shape[1] > len(x):
        beta = x.T @ np.linalg.solve(x @ x.T + np.eye(len(x)), signs)
    else:
        beta = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ signs)
    return (new[:, columns] - centre) @ beta + level


def _refitted(design, rng, metric, features, target, fresh, w, seeds=6):
    """Difference of the first two candidates refitted on all the data, on unlimited new data, in expectation."""
    fresh = [fresh[0]] * len(fresh) if design.same else fresh
    strength = design.strengths[:1] if design.same else design.strengths
    chance = 1 / (1 + np.exp(-(sum(s * (x @ w) for s, x in zip(strength, fresh, strict=False)) - design.shift)))
    labels, weights = np.repeat([1, 0], len(chance)), np.concatenate([chance, 1 - chance])
    scores = []
    for x, new in list(zip(features, fresh, strict=True))[:2]:
        values = []
        for _ in range(seeds):
            score = np.tile(_predict(design, rng, x, target, new), 2)
            p = 1 / (1 + np.exp(-np.stack([-score, score], axis=1)))
            values.append(metric.score(Prediction(p, decide_class(p)), labels, weights))
        scores.append(np.mean(values))
    return float(scores[0] - scores[1])


def _common_rules(design, measured):
    """What other rules would claim about the first pair (accuracy and the like, scores per fold)."""
    from scipy.special import stdtrit

    folds = (measured["m0"].score().fold - measured["m1"].score().fold).ravel()
    folds = folds[~np.isnan(folds)]
    runs = len(folds)
    spread, mean = folds.std(ddof=1), abs(folds.mean())
    q = float(stdtrit(runs - 1, 0.975))
    naive = spread * np.sqrt(1 / runs)
    corrected = spread * np.sqrt(1 / runs + 1 / (design.folds - 1))
    return {
        "bigger": bool(mean > 0),
        "naive t": bool(mean > q * naive),
        "corrected t": bool(mean > q * corrected),
    }


def main() -> None:
    """Print one line per design."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--designs", default=",".join(DESIGNS))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    first = True
    for name in options.designs.split(","):
        row = run_design(DESIGNS[name], options.studies, seed=options.seed).table()
        if first:
            print(f"{'design':22s}" + "".join(f"{key:>12s}" for key in row), flush=True)
            first = False
        print(f"{name:22s}" + "".join(f"{value:12.2f}" for value in row.values()), flush=True)


if __name__ == "__main__":
    main()
