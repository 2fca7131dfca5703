"""Masks: does the interval of a mean IoU hold, are equal candidates told apart, and is a difference found?

Few sequences, rare classes, neighbours that are alike, pictures of very different sizes, 30 and 300 pictures; `mask_designs.py` says how
they are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.audit.mask_designs import MaskDesign, MaskStudy, mask_study, true_score
from benchmarks.audit.readings.part import Kept, Part, Row, exact_p, smallest, stream
from weigh.stats.comparison import Difference, compare
from weigh.stats.interval import Claim, score_estimate

__all__ = ["DIFFERENT", "EQUAL", "SCORES"]

PICTURES: dict[str, MaskDesign] = {
    "30 pictures, 3 classes": MaskDesign(classes=3),
    "30 pictures, 11 classes": MaskDesign(),
    "30 pictures, 11 classes, good": MaskDesign(level=2.5),
    "30 pictures, 2 classes, nearly right": MaskDesign(classes=2, level=3.0, hard=0.5),
    "30 pictures, 20 classes, 6 of them in a tenth": MaskDesign(classes=20, rare=6),
    "30 pictures, 11 classes, sizes that differ fiftyfold": MaskDesign(uneven=1.0),
    "300 pictures, 3 classes": MaskDesign(n=300, classes=3),
    "300 pictures, 11 classes": MaskDesign(n=300),
    "300 pictures, 11 classes, 3 of them in one of 50": MaskDesign(n=300, rare=3, rarely=0.02),
    "300 pictures, 20 classes, 6 of them in one of 50": MaskDesign(n=300, classes=20, rare=6, rarely=0.02),
    "60 frames of 12 sequences, 11 classes": MaskDesign(n=60, sequences=12),
    "300 frames of 20 sequences, 11 classes, 3 rare": MaskDesign(n=300, sequences=20, rare=3),
    "300 frames of 60 sequences, 11 classes": MaskDesign(n=300, sequences=60),
}
FEW: dict[str, MaskDesign] = {  # too few sequences for any verdict; a score has an interval
    "40 frames of 4 sequences, 3 classes": MaskDesign(n=40, classes=3, sequences=4, level=2.0),
    "90 frames of 4 sequences, 11 classes": MaskDesign(n=90, sequences=4),
    "60 frames of 5 sequences, 11 classes": MaskDesign(n=60, sequences=5),
    "90 frames of 5 sequences, 11 classes, 3 rare": MaskDesign(n=90, sequences=5, rare=3, rarely=0.15, level=2.0),
    "30 slices of 6 stacks, 2 classes": MaskDesign(n=30, classes=2, sequences=6, level=2.0),
    "300 frames of 6 sequences, 20 classes": MaskDesign(n=300, classes=20, sequences=6),
}
OTHER_METRICS: dict[str, MaskDesign] = {
    f"{metric}, {name}": replace(PICTURES[name], metric=metric)
    for metric, name in (
        ("mean_dice", "30 pictures, 11 classes"),
        ("pixel_accuracy", "30 pictures, 11 classes"),
        ("frequency_weighted_iou", "300 pictures, 11 classes"),
        ("mean_iou_per_picture", "30 pictures, 11 classes"),
    )
}
TRAINED = {
    name: replace(design, folds=5, repeats=repeats, between=between)
    for (name, design), (repeats, between) in zip(
        PICTURES.items(), [(2, 0.1), (1, 0.1), (2, 0.0), (3, 0.2)] * 4, strict=False
    )
}


def _scores(studies: int, seed: int) -> Iterator[Row]:
    """Truth below the interval, truth above it, width over that of 3.92 spreads of the score."""
    for name, design in {**PICTURES, **FEW, **OTHER_METRICS}.items():
        rng, truth = stream(seed, "masks " + name), true_score(design)
        scored = [_score(mask_study(design, rng)) for _ in range(studies)]
        value, low, high = np.array([(one.value, one.low, one.high) for one in scored], dtype=float).T
        width = float(np.median(high - low) / (3.92 * value.std()))
        yield Row(name, studies, float((low > truth).mean()), float((high < truth).mean()), width)


def _score(study: MaskStudy):
    return score_estimate(study.measured["m0"], study.units, claim="these_models")


def _equal(studies: int, seed: int) -> Iterator[Row]:
    """False claims about these models on a test part, about new data, about this data."""
    for name, design in {**PICTURES, **FEW}.items():
        rng, false = stream(seed, "equal masks " + name), np.zeros(3)
        trained = TRAINED.get(name, replace(design, folds=3, repeats=2, between=0.1))
        for _ in range(studies):
            false += [_pair(mask_study(design, rng), "these_models", rng).relation in ("better", "worse"), 0, 0]
            study = mask_study(trained, rng)
            claims: tuple[Claim, ...] = ("new_data", "this_data")
            false[1:] += [_pair(study, claim, rng).relation in ("better", "worse") for claim in claims]
        yield Row(name, studies, *(false / studies))


def _pair(study: MaskStudy, claim: Claim, rng: np.random.Generator) -> Difference:
    return compare(study.measured, study.units, rng=rng, claim=claim).of("m0", "m1")


def _different(studies: int, seed: int) -> Iterator[Row]:
    """Trained models of which one is better: found, found by an oracle that knows the spread, true difference beside the interval."""
    for name, design in PICTURES.items():
        better = replace(design, gap=0.1 if design.n > 100 else 0.25)
        rng, truth = stream(seed, "different masks " + name), true_score(better, 0) - true_score(better, 1)
        pairs = [_pair(mask_study(better, rng), "these_models", rng) for _ in range(studies)]
        value, low, high = np.array([[getattr(p.estimate, end) for end in ("value", "low", "high")] for p in pairs]).T
        missed = (low > truth) | (high < truth)
        oracle = float((value > 1.96 * value.std()).mean())
        yield Row(name, studies, float(np.mean([p.relation == "better" for p in pairs])), oracle, float(missed.mean()))


def _of_scores(rows: Sequence[Mapping[str, float]]) -> Kept:
    missed = [{**row, "missed": row["first"] + row["second"]} for row in rows]
    covered, p = np.array([1 - row["missed"] for row in missed]), exact_p(missed, "missed", 0.07)
    return Kept(
        f"Promised: no design significantly below 93 %. {len(rows)} designs cover {100 * covered.mean():.1f} % on average, from "
        f"{100 * covered.min():.1f} to {100 * covered.max():.1f} %; smallest exact p for less than 93 %, Holm: {smallest(p):.3f}. With four to six sequences "
        "the interval must be long: the spread is itself known from so few.",
        p,
    )


def _of_equal(rows: Sequence[Mapping[str, float]]) -> Kept:
    p = [one for column in ("first", "second") for one in exact_p(rows, column, 0.05)]
    pooled = [100 * float(np.mean([row[column] for row in rows])) for column in ("first", "second", "third")]
    return Kept(
        f"Promised: no design significantly above 5 %. Pooled {pooled[0]:.1f}, {pooled[1]:.1f} and {pooled[2]:.1f} %; smallest exact p, Holm: "
        f"{smallest(p):.3f}. With fewer than ten sequences nothing is claimed, so nothing is false.",
        p,
    )


def _of_different(rows: Sequence[Mapping[str, float]]) -> Kept:
    p = exact_p(rows, "third", 0.07)
    return Kept(
        "Promised: no design significantly below 93 % coverage of the true difference. Smallest exact p, Holm: "
        f"{smallest(p):.3f}. The second column is what an oracle finds that knows how much the difference varies.",
        p,
    )


SCORES = Part(
    "Mean IoU of trained models on masks",
    ("truth below, %", "truth above, %", "width over the oracle's"),
    _scores,
    _of_scores,
)
EQUAL = Part(
    "Masks: equal candidates",
    ("these models: false claims, %", "new data: false claims, %", "this data: claims, %"),
    _equal,
    _of_equal,
)
DIFFERENT = Part(
    "Masks: one candidate is better",
    ("found, %", "oracle's, %", "truth beside the interval, %"),
    _different,
    _of_different,
)
