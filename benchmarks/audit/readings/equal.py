"""Two candidates that are practically equal, and two that just are not: how often is "equal" said, and wrongly? And is a
difference of the size that "would have been found in 80 % of such studies" found in as many?

Cross-validation is simulated at the level of answers, as in `networks.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from benchmarks.audit.readings.answers import measured_answers
from benchmarks.audit.readings.part import Kept, Part, Row, exact_p, smallest, stream
from weigh.kinds.label import LABEL
from weigh.metrics.design import MeasuredDesign
from weigh.stats.comparison import Difference, compare
from weigh.stats.resampling import make_units

__all__ = ["DETECTABLE", "PART"]


@dataclass(frozen=True)
class Twins:
    """Two candidates of one study whose accuracy on every class differs by `gap`.

    Attributes:
        n, folds, repeats: Of the study; a single fold stands for trained models on a test part.
        gap: True difference, for any claim: these answers do not depend on the training sample.
        agreement: Correlation of the latent answers of two runs, of the same candidate or of both.
        positives: Share of the positive class.
        metric: That is compared; its region of equivalence is one point.
    """

    n: int = 6000
    folds: int = 1
    repeats: int = 1
    gap: float = 0.0
    agreement: float = 0.9
    positives: float = 0.5
    metric: str = "accuracy"


EQUAL = {
    f"{title}, {gap_name}": Twins(gap=gap, **how)
    for title, how in {
        "test part of 10,000": {"n": 10_000},
        "cross-validation 5x1, 10,000": {"n": 10_000, "folds": 5},
        "cross-validation 5x3, 6,000": {"folds": 5, "repeats": 3},
        "balanced accuracy, a fifth positive, 5x2, 10,000": {
            "n": 10_000,
            "folds": 5,
            "repeats": 2,
            "positives": 0.2,
            "metric": "balanced_accuracy",
        },
    }.items()
    for gap_name, gap in (("no difference", 0.0), ("half a point", 0.005), ("one point: not equal", 0.01))
}


def rows(studies: int, seed: int) -> Iterator[Row]:
    """ "Equal" and better or worse about new data (these models where there is one fold), and interval beside the truth."""
    for name, design in EQUAL.items():
        rng, equal, other, missed = stream(seed, "equal " + name), 0, 0, 0
        for _ in range(studies):
            pair = _compared(design, rng)
            equal += pair.relation == "equal"
            other += pair.relation in ("better", "worse")
            missed += not pair.estimate.low <= design.gap <= pair.estimate.high
        yield Row(name, studies, equal / studies, other / studies, missed / studies)


def _compared(design: Twins, rng: np.random.Generator) -> Difference:
    measured = _twins(design, rng)
    units = make_units(LABEL, measured["m0"].target)
    claim = "these_models" if design.folds == 1 else "new_data"
    return compare(measured, units, rng=rng, claim=claim).of("m0", "m1")


FOUND = {
    "test part of 500": Twins(n=500, agreement=0.5),
    "cross-validation 5x1, 500": Twins(n=500, folds=5, agreement=0.5),
    "cross-validation 5x3, 500": Twins(n=500, folds=5, repeats=3, agreement=0.5),
    "cross-validation 5x2, 2,000": Twins(n=2000, folds=5, repeats=2, agreement=0.5),
    "balanced accuracy, a fifth positive, 5x2, 600": Twins(
        n=600, folds=5, repeats=2, agreement=0.5, positives=0.2, metric="balanced_accuracy"
    ),
}


def _found(studies: int, seed: int) -> Iterator[Row]:
    """Found where the true difference is the one stated (the median of studies of its kind), and that difference in points."""
    for name, design in FOUND.items():
        rng, several = stream(seed, "detectable " + name), design
        for _ in range(3):  # what is stated depends a little on the difference itself
            stated = float(np.median([_compared(several, rng).detectable for _ in range(50)]))
            several = replace(design, gap=min(stated, 0.11))
        pairs = [_compared(several, rng) for _ in range(studies)]
        yield Row(name, studies, float(np.mean([p.relation == "better" for p in pairs])), 100 * several.gap)


def _of_found(rows: Sequence[Mapping[str, float]]) -> Kept:
    p = exact_p([{**row, "missed": 1 - row["first"]} for row in rows], "missed", 0.25)
    return Kept(
        "Promised: a true difference of the size that is stated is found in 80 %, in no design significantly in less than 75 %. Smallest exact p, "
        f"Holm: {smallest(p):.3f}.",
        p,
    )


def _twins(design: Twins, rng: np.random.Generator) -> dict[str, MeasuredDesign]:
    n, shape = design.n, (design.repeats, design.n)
    target = (np.arange(n) < round(design.positives * n)).astype(np.int64)
    fold = np.stack([rng.permutation(n) % design.folds for _ in range(design.repeats)]).astype(np.int16)
    hard, found = np.sqrt(design.agreement) * rng.standard_normal(n), {}
    for name, share in (("m0", 0.88 + design.gap), ("m1", 0.88)):
        right = hard + np.sqrt(1 - design.agreement) * rng.standard_normal(shape) < ndtri(share)
        found[name] = measured_answers(design.metric, np.where(right, target, 1 - target), target, fold)
    return found


def _promise(rows: Sequence[Mapping[str, float]]) -> Kept:
    p = exact_p([row for row in rows if "not equal" in str(row["design"])], "first", 0.025)
    claimed = round(sum(row["first"] * row["studies"] for row in rows))
    return Kept(
        f'"Equal" is said {claimed:,} times. Promised: at most 2.5 % where the true difference is just the region of equivalence (no row may be more '
        f"wrong). Smallest exact p, Holm: {smallest(p):.3f}. Better or worse is false where there is no difference, else true.",
        p,
    )


PART = Part("Practically equal", ("equal, %", "better or worse, %", "truth beside the interval, %"), rows, _promise)
DETECTABLE = Part(
    'A difference that "would have been found in 80 % of such studies"',
    ("found, %", "difference, points"),
    _found,
    _of_found,
)
