"""Boxes: does the interval of a mean AP hold, are equal detectors told apart, is a difference found, and what do other rules make of it?

Common and rare classes, groups, 40 to 2,000 pictures, a test part and cross-validation; `box_designs.py` says how they are drawn. Everything is
worked out from rows as a run records them (`box_rows.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from benchmarks.audit.box_designs import BoxDesign
from benchmarks.audit.box_rows import BoxStudy, box_study, true_ap
from benchmarks.audit.readings.part import Kept, Part, Row, exact_p, smallest, stream
from weigh.metrics.design import MeasuredDesign
from weigh.stats.comparison import Difference, compare
from weigh.stats.interval import Claim, estimate_of, score_estimate
from weigh.stats.resampling import Resampler

__all__ = ["DIFFERENT", "EQUAL", "OTHERS", "SCORES"]

PARTS: dict[str, BoxDesign] = {
    "40 pictures, 3 classes": BoxDesign(n=40),
    "72 pictures, 3 classes": BoxDesign(),
    "72 pictures, 3 classes, well found": BoxDesign(level=2.2, mistaken=0.2),
    "72 pictures, 3 classes, badly found": BoxDesign(level=0.0, mistaken=0.8),
    "72 pictures, 3 classes, detectors that find the same": BoxDesign(own=0.15),
    "72 pictures, 20 classes, 18 of them in 4 %": BoxDesign(classes=20, rare=18, crowded=3),
    "72 pictures, 20 classes, 14 of them in 15 %": BoxDesign(classes=20, usual=0.15, crowded=2, mistaken=0.2),
    "128 pictures, 71 classes, 66 of them in 3 %": BoxDesign(
        n=128, classes=71, usual=0.1, rare=66, rarely=0.03, crowded=1.5, mistaken=0.08
    ),
    "300 pictures, 3 classes": BoxDesign(n=300, crowded=2),
    "300 pictures, 20 classes, 17 of them in 4 %": BoxDesign(n=300, classes=20, rare=17, crowded=2, mistaken=0.1),
    "120 pictures of 12 groups, 3 classes": BoxDesign(n=120, groups=12),
    "200 pictures of 25 groups, 20 classes": BoxDesign(
        n=200, classes=20, usual=0.15, rare=16, rarely=0.08, crowded=2, mistaken=0.1, groups=25
    ),
}
LARGE = {"2,000 pictures, 3 classes": BoxDesign(n=2000, crowded=2)}
FOLDS: dict[str, BoxDesign] = {
    "72 pictures, 3 classes, 5 folds": BoxDesign(folds=5),
    "72 pictures, 3 classes, 5 folds twice, runs that differ": BoxDesign(folds=5, repeats=2, between=0.1),
    "150 pictures, 3 classes, 3 folds, runs that differ": BoxDesign(n=150, folds=3, between=0.1),
    "150 pictures, 20 classes, 14 of them in 15 %, 5 folds": BoxDesign(
        n=150, classes=20, usual=0.15, crowded=2, mistaken=0.2, folds=5, between=0.1
    ),
    "300 pictures, 20 classes, 17 of them in 4 %, 5 folds": BoxDesign(
        n=300, classes=20, rare=17, crowded=2, mistaken=0.1, folds=5
    ),
    "200 pictures of 40 groups, 3 classes, 5 folds": BoxDesign(n=200, groups=40, crowded=2, folds=5, between=0.1),
}
COMPARED = (  # with other rules
    "40 pictures, 3 classes",
    "72 pictures, 3 classes",
    "72 pictures, 20 classes, 18 of them in 4 %",
    "72 pictures, 20 classes, 14 of them in 15 %",
    "120 pictures of 12 groups, 3 classes",
)
DRAWS = 200  # of a rule that draws


def _truth(design: BoxDesign, study: BoxStudy, candidate: int = 0) -> float:
    return float(true_ap(design, candidate)[study.classes].mean())


def _number(studies: int, design: BoxDesign) -> int:
    """Fewer of designs whose studies take long."""
    size = design.n * design.classes * design.repeats * (1 if design.folds == 1 else 4)
    return studies if size < 1000 else max(studies // (4 if size < 10_000 else 8), 1)


@lru_cache(maxsize=64)
def _read(name: str, studies: int, seed: int) -> np.ndarray:
    """`(studies, 6)` truth below and above the interval, by how much the score is too high; claims about these models, new data, this data."""
    design = {**PARTS, **LARGE, **FOLDS}[name]
    rng, rows = stream(seed, "boxes " + name), []
    claims: tuple[Claim, ...] = ("these_models",) if design.folds == 1 else ("new_data", "this_data")
    for _ in range(studies):
        study = box_study(design, rng)
        once = Resampler(np.ones((1, design.n)), study.units)
        first = study.measured["m0"]
        score = estimate_of(once.of("m0", first), study.units, first.metric, claim=claims[-1], level=0.95)
        truth = _truth(design, study)
        told = {c: _pair(study, c, rng, once).relation in ("better", "worse") for c in claims}
        claimed = [told.get(c, np.nan) for c in ("these_models", "new_data", "this_data")]
        rows.append((score.low > truth, score.high < truth, score.value - truth, *claimed))
    return np.array(rows, dtype=float)


def _scores(studies: int, seed: int) -> Iterator[Row]:
    """Truth below the interval, truth above it, how much too high mean AP is."""
    for name, design in {**PARTS, **LARGE, **FOLDS}.items():
        number = _number(studies, design)
        yield Row(name, number, *(float(v) for v in _read(name, number, seed)[:, :3].mean(axis=0)))


def _equal(studies: int, seed: int) -> Iterator[Row]:
    """The same studies: false claims about these models on a test part; of folds about new data, claims about this data."""
    for name, design in {**PARTS, **LARGE, **FOLDS}.items():
        number = _number(studies, design)
        yield Row(name, number, *(float(v) for v in _read(name, number, seed)[:, 3:].mean(axis=0)))


def _pair(study: BoxStudy, claim: Claim, rng: np.random.Generator, once: Resampler | None = None) -> Difference:
    return compare(study.measured, study.units, rng=rng, claim=claim, resampler=once).of("m0", "m1")


def _different(studies: int, seed: int) -> Iterator[Row]:
    """One detector is better: found, found by an oracle that knows the spread, true difference beside the interval."""
    for name, design in {**PARTS, **FOLDS}.items():
        better = replace(design, gap=0.08 if design.n >= 150 else 0.15)
        rng, rows, number = stream(seed, "different boxes " + name), [], _number(studies // 2, design)
        claim: Claim = "these_models" if design.folds == 1 else "new_data"
        for _ in range(number):
            study = box_study(better, rng)
            pair = _pair(study, claim, rng)
            truth = _truth(better, study, 0) - _truth(better, study, 1)
            one = pair.estimate
            rows.append((pair.relation == "better", not one.low <= truth <= one.high, one.value, one.value - truth))
        found, missed, value, error = np.array(rows, dtype=float).T
        oracle = float((value > 1.96 * error.std()).mean())
        yield Row(name, number, float(found.mean()), oracle, float(missed.mean()))


RULES = {
    "weigh": None,
    "percentile bootstrap": lambda rng, n: rng.multinomial(n, np.full(n, 1 / n), size=DRAWS).astype(float),
    "exponential weights": lambda rng, n: rng.standard_exponential((DRAWS, n)),
    "drawn pictures once (hotcoco 1.3)": lambda rng, n: (rng.multinomial(n, np.full(n, 1 / n), size=DRAWS) > 0).astype(
        float
    ),
}


def _others(studies: int, seed: int) -> Iterator[Row]:
    """Rule by rule: the score covered, the difference covered, width of the score's interval over the oracle's."""
    for name in COMPARED:
        design = PARTS[name]
        rng, rows, number = stream(seed, "other rules of boxes " + name), [], max(studies // 4, 2)
        for _ in range(number):
            study = box_study(design, rng)
            truth = _truth(design, study)
            row = [study.measured["m0"].score().overall - truth]
            for rule in RULES.values():
                low, high, lower, higher = _ends_of(rule, study, rng)
                row += [low <= truth <= high, lower <= 0 <= higher, high - low]
            rows.append(row)
        error, *columns = np.array(rows, dtype=float).T
        for i, rule in enumerate(RULES):
            covered, of_difference, width = columns[3 * i : 3 * i + 3]
            over = float(np.median(width) / (3.92 * error.std()))
            yield Row(f"{name}: {rule}", number, float(covered.mean()), float(of_difference.mean()), over)


def _ends_of(rule, study: BoxStudy, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """From where to where the first score and the difference are said to be."""
    first, second = study.measured.values()
    if rule is None:
        score, pair = (
            score_estimate(first, study.units, claim="these_models"),
            _pair(study, "these_models", rng).estimate,
        )
        return score.low, score.high, pair.low, pair.high
    weights = rule(rng, study.units.count)[:, study.units.of]
    drawn = [_drawn(measured, weights) for measured in (first, second)]
    ends = [np.nanquantile(values, [0.025, 0.975]) for values in (drawn[0], drawn[0] - drawn[1])]
    return tuple(float(end) for pair in ends for end in pair)


def _drawn(measured: MeasuredDesign, weights: np.ndarray) -> np.ndarray:
    return measured.metric.reduce(measured.statistics[0], weights)


def _of_scores(rows: Sequence[Mapping[str, float]]) -> Kept:
    missed = [{**row, "missed": row["first"] + row["second"]} for row in rows]
    covered, p = np.array([1 - row["missed"] for row in missed]), exact_p(missed, "missed", 0.07)
    return Kept(
        f"Promised: no design significantly below 93 %. {len(rows)} designs cover {100 * covered.mean():.1f} % on average, from "
        f"{100 * covered.min():.1f} to {100 * covered.max():.1f} %; smallest exact p for less than 93 %, Holm: {smallest(p):.3f}. The score speaks of the "
        "classes in eight pictures or more, and so does the truth. Mean AP is too high where pictures are few (last column, 0.010 is one point); "
        "the lower end allows for it.",
        p,
    )


def _of_equal(rows: Sequence[Mapping[str, float]]) -> Kept:
    said = {column: [row for row in rows if row[column] == row[column]] for column in ("first", "second", "third")}
    p = [one for column in ("first", "second") for one in exact_p(said[column], column, 0.05)]
    pooled = [100 * float(np.mean([row[column] for row in some])) for column, some in said.items()]
    return Kept(
        f"Promised: no design significantly above 5 %. Pooled {pooled[0]:.1f}, {pooled[1]:.1f} and {pooled[2]:.1f} %; smallest exact p, Holm: "
        f"{smallest(p):.3f}.",
        p,
    )


def _of_different(rows: Sequence[Mapping[str, float]]) -> Kept:
    p = exact_p(rows, "third", 0.07)
    return Kept(
        "Promised: no design significantly below 93 % coverage of the true difference. Smallest exact p, Holm: "
        f"{smallest(p):.3f}. The second column is what an oracle finds that knows how much the difference varies. Of folds new data is claimed.",
        p,
    )


def _of_others(rows: Sequence[Mapping[str, float]]) -> Kept:
    spans = []
    for rule in RULES:
        own = [row for row in rows if str(row["design"]).endswith(": " + rule)]
        covered = [[100 * row[column] for row in own] for column in ("first", "second")]
        spans.append(
            f"{rule} {min(covered[0]):.0f} to {max(covered[0]):.0f} and {min(covered[1]):.0f} to {max(covered[1]):.0f}"
        )
    return Kept(
        f"The same studies for all rules, {DRAWS} draws for those that draw; a test part, equal detectors. Covered in per cent, score and difference: "
        f"{'; '.join(spans)}. hotcoco's rule is its published one, written anew: a picture that is drawn several times counts once. Nothing is promised here.",
        [],
    )


SCORES = Part(
    "Mean AP of detectors",
    ("truth below, %", "truth above, %", "too high by, on average"),
    _scores,
    _of_scores,
)
EQUAL = Part(
    "Boxes: equal detectors",
    ("these models: false claims, %", "new data: false claims, %", "this data: claims, %"),
    _equal,
    _of_equal,
)
DIFFERENT = Part(
    "Boxes: one detector is better",
    ("found, %", "oracle's, %", "truth beside the interval, %"),
    _different,
    _of_different,
)
OTHERS = Part(
    "Boxes: other intervals",
    ("score covered, %", "difference covered, %", "width over the oracle's"),
    _others,
    _of_others,
)
