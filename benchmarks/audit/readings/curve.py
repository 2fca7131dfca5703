"""The learning curve at an eighth, a half and all of the examples: what twice as many bring, and whether that is little.

The further examples are drawn as well; the truth is the gain of recipes trained on four fifths of both over the study's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.audit.readings.part import Kept, Part, Row, exact_p, smallest, stream
from benchmarks.audit.simulate import Design, _chance, _features, _folds, draw_data, fit, score
from weigh.kinds.label import LABEL
from weigh.metrics.base import METRICS
from weigh.metrics.design import measure_design
from weigh.record.results import OutOfFold
from weigh.stats.curve import LearningCurve, learning_curve
from weigh.stats.resampling import Resampler, make_units

__all__ = ["PART"]

SHARES, LATER, FRESH, ROPE = (0.125, 0.5, 1.0), 4, 6000, 0.01
HEAD = Design(folds=5, repeats=2, noisy=False)


def _head(n: int, features: int, strength: float, **options) -> Design:
    return replace(HEAD, n=n, features=features, used=features, strengths=(strength,), **options)


DESIGNS = {
    "flattened, 5 features, 600 examples": _head(600, 5, 1.5),
    "flattened, 5 features, 2,000 examples": _head(2000, 5, 1.5),
    "rising, 20 features, 300 examples": _head(300, 20, 1.5),
    "hardly regularised, 100 features, 120 examples": _head(120, 100, 3.0, penalty=1e-3),
    "hardly regularised, 100 features, 150 examples": _head(150, 100, 3.0, penalty=1e-3),
    "hardly regularised, 100 features, 200 examples": _head(200, 100, 3.0, penalty=1e-3),
    "centroid, 40 features, 300 examples": _head(300, 40, 1.5, learner="centroid"),
    "centroid, 80 features, 160 examples": _head(160, 80, 2.5, learner="centroid"),
    "nearly perfect, 10 features, 300 examples": _head(300, 10, 25.0),
    "nearly perfect, 30 features, 600 examples": _head(600, 30, 40.0),
}


def rows(studies: int, seed: int) -> Iterator[Row]:
    """False "little to be gained", "little to be gained", gains outside the interval; of all studies."""
    studies = max(studies // 4, 50)  # three sizes of a design each
    for name, design in DESIGNS.items():
        rng, shown = stream(seed, "curve " + name), []
        for _ in range(studies):
            curve, gain = _study(design, rng)
            low, high = curve.gain.low, curve.gain.high
            silent = low is None or high is None or high < 0 or curve.tells_nothing
            little = not silent and high < ROPE and curve.would_show_a_bend
            shown.append((little and gain > ROPE, little, not silent and not low <= gain <= high))
        yield Row(name, studies, *np.mean(shown, axis=0))


def _study(design: Design, rng: np.random.Generator) -> tuple[LearningCurve, float]:
    n, folds, metric = design.n, design.folds, METRICS.get("accuracy")
    data = draw_data(replace(design, n=2 * n), rng)
    x, target = data.features[0][:n], data.target[:n]
    new = _features(design, rng, FRESH, grouped=0)[0]
    chance = _chance(design, new, data.directions)
    fold = np.stack([_folds(design, rng, target, None) for _ in range(design.repeats)])
    orders = [rng.permutation(np.flatnonzero(f != k)) for f in fold for k in range(folds)]
    units = make_units(LABEL, target)
    resampler, resamples, sizes, now = Resampler(np.ones((1, n)), units), [], [], 0.0
    for share in SHARES:
        train = np.zeros((len(orders), n), bool)
        for row, order in zip(train, orders, strict=True):
            row[order[: round(share * len(order))]] = True
        fitted = fit(design, rng, x, target, train)
        scores = score(fitted, x, slice(None)).reshape(design.repeats, folds, n, -1)
        logits = np.stack([scores[r, f, np.arange(n)] for r, f in enumerate(fold)]).astype(np.float32)
        out_of_fold = OutOfFold(np.arange(n), logits, fold, target, np.zeros_like(logits), LABEL, seeded=False)
        resamples.append(resampler.of(str(share), measure_design(metric, out_of_fold)))
        sizes.append(float(train.sum(axis=1).mean()))
        now = _accuracy(score(fitted, new[0], slice(None)), chance)
    grown = np.zeros((LATER, 2 * n), bool)
    for row in grown:
        row[rng.permutation(2 * n)[: 2 * n * (folds - 1) // folds]] = True
    later = _accuracy(score(fit(design, rng, data.features[0], data.target, grown), new[0], slice(None)), chance)
    curve = learning_curve(sizes, resamples, units, claim="this_data")
    assert curve is not None
    return curve, later - now


def _accuracy(logits: np.ndarray, chance: np.ndarray) -> float:
    return float(np.mean([chance[np.arange(len(chance)), one.argmax(axis=1)].mean() for one in logits]))


def _promise(rows: Sequence[Mapping[str, float]]) -> Kept:
    false, missed = exact_p(rows, "first", 0.05), exact_p(rows, "third", 0.1)
    return Kept(
        f'Promised: "little to be gained" is false in at most 5 % of studies, intervals of the gain miss it in at most 10 %. Pooled '
        f"{100 * np.mean([row['first'] for row in rows]):.1f} and {100 * np.mean([row['third'] for row in rows]):.1f} %; smallest exact p of a design, Holm: "
        f"{smallest(false):.3f} and {smallest(missed):.3f}.",
        false + missed,
    )


PART = Part("Twice as many examples", ('falsely "little", %', 'said "little", %', "gain missed, %"), rows, _promise)
