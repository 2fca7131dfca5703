"""The order check in numbers: shuffled against blocked predictions, scored on the same blocks.

Before it: runs with purpose "order-check" and the blocks of `stats/order.py`. After it: `order.py`, which says it in
words, and the assumptions of every other inference (`evidence.py`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from weigh.findings.evidence import Evidence
from weigh.language import Text, text
from weigh.metrics.base import METRICS, Metric
from weigh.metrics.design import MeasuredDesign
from weigh.record.results import OutOfFold
from weigh.stats.estimate import Estimate
from weigh.stats.interval import TRAINING, quantile
from weigh.stats.order import contiguous, explained_by_classes, unfit
from weigh.stats.resampling import draw_weights, in_blocks, make_units, weighted_mean

__all__ = ["Check", "Checked", "Step", "check_order"]

DRAWS = 400
STRETCHES = 40
MANY_BLOCKS = 15  # from so many blocks on, whole blocks are the independent units


class Check(NamedTuple):
    """One variant of the order check for one candidate and metric.

    Attributes:
        variant: "fifths" or "blocks:SIZE".
        metric: What was scored.
        blocks, examples: How many.
        shuffled, blocked: Scores on the same evaluation sets.
        drop: How much better shuffled folds look, positive for "too good", in units of the metric.
        explained: How much of a drop fewer training examples of a class could explain (`stats/order.py`).
        alarm: The interval of the drop excludes that, and the drop is not negligible.
    """

    variant: str
    metric: Metric
    blocks: int
    examples: int
    shuffled: float
    blocked: Estimate
    drop: Estimate
    explained: float
    alarm: bool


class Blocks(NamedTuple):
    """Evaluation sets that are connected stretches of the order.

    Attributes:
        variant: As in `Check`.
        of: `(n,)` block that each example is in.
        stretch: `(n,)` what is resampled as a whole where there are few blocks.
    """

    variant: str
    of: np.ndarray
    stretch: np.ndarray


class Step(NamedTuple):
    """How much further the score falls from blocks of one size to larger ones, both scored within the larger blocks
    (within the smaller ones a ranking cannot show what their examples have in common).

    Attributes:
        small, large: Variants.
        drop: Positive where larger blocks lower the score further.
    """

    small: str
    large: str
    drop: Estimate


class Checked(NamedTuple):
    """All checks of a study.

    Attributes:
        candidate: The one that is judged.
        checks: Of that candidate, on AUROC.
        primary: Of that candidate, on the primary metric where that is another one. It raises no alarm: a threshold carried
            over from parts with other class shares lowers it too.
        described: Every candidate, variant and metric, as table rows.
        reasons: Variant -> why it was not judged; "" stands for the whole check.
        steps: From each block size to the next larger one, for the judged candidate.
    """

    candidate: str | None
    checks: list[Check]
    primary: list[Check]
    described: list[dict]
    reasons: dict[str, Text]
    steps: list[Step]


def check_order(evidence: Evidence) -> Checked:
    """Judge the order checks of a study; call it through `evidence.once`."""
    results = evidence.results
    indices = results.examples.where("train")
    position = np.argsort(np.argsort(results.examples.order[indices], kind="stable"), kind="stable")
    target = results.examples.target[indices]
    in_order = target[np.argsort(position, kind="stable")]
    folds = results.spec.design.folds
    runs = results.runs("order-check")
    variants = list(dict.fromkeys(run.variant for run in runs))
    reasons: dict[str, Text] = {}
    skipped = results.skipped.get("order-check")
    if not variants:
        reason = (
            skipped
            if isinstance(skipped, Text)
            else unfit(results.examples.kind, in_order, contiguous(len(target), "fifths", folds), folds)
        )
        return Checked(None, [], [], [], {"": reason or text("it was not run", "没有运行")}, [])
    judged = next((name for name in evidence.ranked if any(run.candidate == name for run in runs)), None)
    stretch = _stretches(evidence, len(target))
    fit: dict[str, Blocks] = {}
    for variant in variants:
        block = contiguous(len(target), variant, folds)
        reason = unfit(results.examples.kind, in_order, block, folds)
        if reason is None:
            fit[variant] = Blocks(variant, block[position], stretch)
        else:
            reasons[variant] = reason
    primary = evidence.metric
    metrics = [METRICS.get("auroc")] + ([primary] if primary.name != "auroc" else [])
    checks, own, described = [], [], []
    for candidate in results.candidates:
        for variant, blocks in fit.items():
            blocked = results.out_of_fold(candidate.id, "order-check", variant)
            shuffled = evidence.out_of_fold.get(candidate.id)
            if blocked is None or shuffled is None:
                continue
            for metric in metrics if candidate.id == judged else metrics[:1]:
                mine = candidate.id == judged and metric.name == "auroc"
                draws = DRAWS if candidate.id == judged else 0
                kept = _share_trained_on(evidence, candidate.id, variant, blocked)
                check = _compare(evidence, metric, shuffled, blocked, blocks, variants=len(fit), draws=draws, kept=kept)
                if check is None:
                    if mine:
                        reasons[variant] = text("its runs are not complete", "相应的运行不完整")
                    continue
                described.append(_row(evidence, candidate.id, check))
                if mine and check.alarm and check.shuffled < 0.5:  # WNLI: twins with opposite labels
                    reasons[variant] = text(
                        "ranking is worse than chance, so no score is too good", "排序不如随机，不存在偏高的得分"
                    )
                elif mine:
                    checks.append(check)
                elif candidate.id == judged:
                    own.append(check)
    return Checked(judged, checks, own, described, reasons, _steps(evidence, judged, checks, fit))


def _stretches(evidence: Evidence, n: int) -> np.ndarray:
    """`(n,)` stretch of the order that each example is in: where neighbours are alike, single examples are no units."""
    order = evidence.results.examples.order[evidence.results.examples.where("train")]
    return np.argsort(np.argsort(order, kind="stable"), kind="stable") * STRETCHES // max(n, 1)


def _share_trained_on(evidence: Evidence, candidate: str, variant: str, blocked: OutOfFold) -> float:
    """The share of the examples outside of the tested blocks that the runs of a check were trained on."""
    trained = [run.n_train for run in evidence.results.runs("order-check", candidate=candidate, variant=variant)]
    outside = len(trained) * len(blocked.target) - int(blocked.present.sum())
    return min(1.0, sum(trained) / outside) if all(trained) and outside > 0 else 1.0


def _steps(evidence: Evidence, judged: str | None, checks: list[Check], fit: dict[str, Blocks]) -> list[Step]:
    """Between neighbouring sizes, on the same evaluation sets: which size is enough to explain a drop."""
    ordered = sorted(checks, key=lambda check: -check.blocks)
    steps = []
    for small, large in pairwise(ordered):
        one, two = (evidence.results.out_of_fold(str(judged), "order-check", c.variant) for c in (small, large))
        assert one is not None
        assert two is not None
        auroc = METRICS.get("auroc")
        step = _compare(evidence, auroc, one, two, fit[large.variant], variants=len(checks) - 1, draws=DRAWS)
        if step is not None:
            steps.append(Step(small.variant, large.variant, step.drop))
    return steps


def _compare(
    evidence: Evidence,
    metric: Metric,
    shuffled: OutOfFold,
    blocked: OutOfFold,
    blocks: Blocks,
    *,
    variants: int,
    draws: int,
    kept: float = 1.0,
) -> Check | None:
    """Shuffled against blocked predictions, scored on the same blocks; without an interval if `draws` is 0.

    Args:
        variants: Among how many such comparisons the interval of the drop holds at once.
        kept: As for `explained_by_classes`.
    """
    one, other = (_on_blocks(runs.measured(metric), blocks.of) for runs in (shuffled, blocked))
    common = np.asarray(other.present.any(axis=0) & one.present.any(axis=0))
    if common.mean() < 0.5:
        return None
    sign = 1.0 if metric.greater_is_better else -1.0
    ones = np.ones(len(blocks.of))
    before, after = _mean_score(one, ones, common), _mean_score(other, ones, common)
    if math.isnan(before) or math.isnan(after):
        return None
    number, n = len(np.unique(blocks.of[common])), int(common.sum())
    value, half, half_after, many = sign * float(before - after), None, None, number >= MANY_BLOCKS
    if draws:
        adjusted = quantile(1 - (1 - evidence.level) / variants, 1e9)
        # The blocks are one repeat, so the variance of a single repeat is used
        factor = math.sqrt(TRAINING)
        spread = (
            _spread_of_blocks(one, other, common)
            if many
            else _spread_of_examples(evidence, one, other, common, draws, blocks.stretch)
        )
        freedom = (number if many else len(np.unique(blocks.stretch[common]))) - 1
        if not math.isnan(spread[0]):
            half = quantile(evidence.level, freedom, adjusted=adjusted) * factor * spread[0]
            half_after = quantile(evidence.level, freedom) * factor * spread[1]
    method = "variance between blocks" if many else f"Bayesian bootstrap over {STRETCHES} stretches of the order"
    common_fields = {"level": evidence.level, "n": n, "unit": metric.unit, "method": method}
    drop = Estimate(
        value=value,
        low=None if half is None else value - half,
        high=None if half is None else value + half,
        **common_fields,
    )
    after = float(after)
    blocked_score = Estimate(
        value=after,
        low=None if half_after is None else max(metric.lowest, after - half_after),
        high=None
        if half_after is None
        else min(metric.highest, after + half_after)
        if metric.unit == "score"
        else after + half_after,
        **common_fields,
    )
    explained = 0.0
    if metric.name == "auroc":
        explained = explained_by_classes(shuffled.target, shuffled.fold, blocked.fold, float(before), kept)
    alarm = drop.low is not None and drop.low > explained and value > metric.rope
    return Check(blocks.variant, metric, number, n, float(before), blocked_score, drop, explained, alarm)


def _on_blocks(measured: MeasuredDesign, block: np.ndarray) -> MeasuredDesign:
    """The same predictions with blocks as evaluation sets (rank metrics are computed within them)."""
    return replace(measured, fold=np.broadcast_to(block, measured.fold.shape))


def _mean_score(measured: MeasuredDesign, weights: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean over repeats, weighted by what is present."""
    scores = np.stack([measured.score_repeat(r, weights, mask) for r in range(measured.repeats)])
    return weighted_mean(scores, (measured.present & mask).mean(axis=1))


def _spread_of_examples(
    evidence: Evidence, one: MeasuredDesign, other: MeasuredDesign, common: np.ndarray, draws: int, together: np.ndarray
) -> tuple[float, float]:
    """Standard errors of the drop and of the blocked score for just these blocks, resampling examples within them; those `together` as a whole."""
    units, rng = make_units(evidence.results.examples.kind, one.target, together), evidence.rng("order")
    scores = []
    for rows in in_blocks(draws, one.n):
        weights = draw_weights(rng, units, rows)
        scores.append([_mean_score(measured, weights, common) for measured in (one, other)])
    before, after = np.concatenate(scores, axis=1)
    drops = before - after
    correction = math.sqrt((units.count + 1) / max(units.count - 1, 1))
    return correction * float(np.nanstd(drops)), correction * float(np.nanstd(after))


def _spread_of_blocks(one: MeasuredDesign, other: MeasuredDesign, common: np.ndarray) -> tuple[float, float]:
    """Standard errors, as of `_spread_of_examples`, where there are many blocks, which are then the independent units: a weighted mean over blocks."""
    ones = np.ones(one.n)

    def by_block(measured: MeasuredDesign) -> tuple[np.ndarray, np.ndarray]:
        scored = [measured.score_folds(r, ones, common) for r in range(measured.repeats)]
        scores = np.stack([s for s, _ in scored])
        scored_blocks = ~np.isnan(scores)
        mean = np.where(scored_blocks, scores, 0.0).sum(axis=0) / np.maximum(scored_blocks.sum(axis=0), 1)
        return np.where(scored_blocks.any(axis=0), mean, np.nan), scored[0][1]

    before, size = by_block(one)
    after, _ = by_block(other)
    good = ~np.isnan(before) & ~np.isnan(after)
    if good.sum() < 2:
        return math.nan, math.nan
    share_of = size[good] / size[good].sum()

    def standard_error(values: np.ndarray) -> float:
        centred = values - share_of @ values
        return math.sqrt(float(np.square(share_of * centred).sum()) * len(values) / (len(values) - 1))

    return standard_error(before[good] - after[good]), standard_error(after[good])


def _row(evidence: Evidence, name: str, check: Check) -> dict:
    rounded = {
        k: None if v is None else round(float(v), 4) for k, v in (("low", check.drop.low), ("high", check.drop.high))
    }
    return {
        "candidate": evidence.label(name),
        "metric": check.metric.name,
        "block": check.variant.removeprefix("blocks:"),
        "blocks": check.blocks,
        "shuffled": round(check.shuffled, 4),
        "blocked": round(check.blocked.value, 4),
        "difference": round(check.drop.value, 4),
        **rounded,
    }
