"""Does the winner work for every part of the data? Its score by metadata value and by class.

Before it: out-of-fold predictions of the winner and the metadata columns of the examples. A slice is named in the
sentence only if its shortfall against the rest is real after a correction for looking at many slices (Holm 1979);
slices with too few examples are listed as such. Scores follow the pooling rule of the metric (rank metrics within
folds); a class is scored by its recall, since other metrics need other classes too.

The correction matters: among 40 slices that do not differ, two look "significantly worse" on average.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.assumptions import independence_of
from weigh.findings.copied import SETS_OF_COPIES, independent_units, read_copied
from weigh.findings.evidence import read_evidence
from weigh.findings.model import Assumption, Figure, Finding
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, join_texts, text
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign
from weigh.record.results import OutOfFold, Results
from weigh.stats.estimate import Estimate
from weigh.stats.interval import METHODS, Claim, quantile, sampling_variance, score_estimate
from weigh.stats.multiple import holm
from weigh.stats.resampling import Units, make_units, resample

__all__ = ["MOST_VALUES", "find"]

MOST_VALUES = 30  # a column with more values is a name or a number, not a slice; the finding counts such columns
LEAST_UNITS = 20  # fewer independent examples (or groups) than this: too few to tell
DESCRIBED = "described, not compared"
# Fewer examples than this of a class that occurs in the slice: also too few, since its recall would stand on single examples.
LEAST_OF_CLASS = 5
CLAIM = "this_data"  # of predictions that others made with trained models: "these_models"
CLASS = ""  # the "column" of slices by class
NAMED = 3  # slices that a sentence names
REFERENCES = ["Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure, Scand. J. Statist. 6"]


class Slice(NamedTuple):
    """One part of the data."""

    column: str
    value: str
    member: np.ndarray


class Scored(NamedTuple):
    """A slice with its score; `p` is one-sided for "worse than the rest", NaN where it was not tested.

    Attributes:
        n, units: Examples and independent units in the slice.
        score: With its own interval (not corrected); None where the metric is undefined in the slice.
        shortfall: Rest minus slice, in the direction "positive = slice is worse", with a Bonferroni interval.
        reason: Why it was not tested ("" if it was).
    """

    slice: Slice
    n: int
    units: int
    score: Estimate | None
    shortfall: Estimate | None
    p: float
    reason: str


@FINDINGS.named("slices")
def find(results: Results) -> list[Finding]:
    """One finding about the winner's slices; none where there is neither a winner nor anything to slice by."""
    evidence = read_evidence(results)
    winner = evidence.winner
    if winner is None:
        return []  # nothing ran or nothing was chosen: the performance finding says so
    out_of_fold = evidence.out_of_fold[winner]
    slices, left_out = _slices(results, out_of_fold)
    if not slices:
        return []  # one class and no metadata: there are no parts
    units, whole = independent_units(evidence), evidence.measured[winner]
    tests = max(1, sum(_too_few(s, out_of_fold, units) == "" for s in slices))
    scored, options = [], {"level": evidence.level, "tests": tests, "claim": _claim(results)}
    recognised = out_of_fold.measured(METRICS.get("accuracy")) if out_of_fold.kind.exclusive else None
    for s in slices:
        measured = whole
        if s.column == CLASS:
            label = results.examples.classes.index(s.value)
            measured = recognised or _measure_recall(out_of_fold, whole, label)
        scored.append(_score(s, measured, out_of_fold, units, **options))
    independent = independence_of(units) if evidence.once(read_copied) is None else SETS_OF_COPIES
    return [_finding(results, winner, scored, left_out, independent)]


def _claim(results: Results) -> Claim:
    return "these_models" if results.origin == "models" else CLAIM


def _slices(results: Results, out_of_fold: OutOfFold) -> tuple[list[Slice], list[str]]:
    """Parts to look at, and the columns that were left out because they have too many values."""
    target, classes = out_of_fold.target, results.examples.classes
    slices, left_out, predicted = [], [], out_of_fold.present.any(axis=0)
    chosen = results.spec.data.slices
    for column, values in results.examples.slices.items():
        if chosen is not None and column not in chosen:
            continue
        mine = values[out_of_fold.indices]
        names = np.unique(mine[predicted])
        if len(names) > MOST_VALUES:
            left_out.append(column)
        elif len(names) > 1:
            slices += [Slice(column, str(name), (mine == name) & predicted) for name in names]
    if len(classes) > 1 and out_of_fold.kind.probable:  # types of entities: the table of types has them
        members = out_of_fold.kind.members(target, len(classes)) & predicted[:, None]
        slices += [Slice(CLASS, name, members[:, c]) for c, name in enumerate(classes) if members[:, c].any()]
    return slices, left_out


def _measure_recall(out_of_fold: OutOfFold, whole: MeasuredDesign, label: int) -> MeasuredDesign:
    """Whether each example of several labels was given this one: the mean over the members of a class is its recall."""
    hits = np.zeros((whole.repeats, whole.n, 1))
    for repeat in range(whole.repeats):
        if whole.present[repeat].any():
            hits[repeat, :, 0] = out_of_fold.prediction(repeat).labels[:, label]
    return MeasuredDesign(METRICS.get("accuracy"), hits, whole.fold, whole.present, whole.target, whole.seeded)


def _too_few(s: Slice, out_of_fold: OutOfFold, units: Units) -> str:
    """Why the slice cannot be judged, or ""."""
    others = out_of_fold.present.any(axis=0) & ~s.member
    inside, outside = (len(np.unique(units.of[m])) for m in (s.member, others))
    if min(inside, outside) < LEAST_UNITS:
        return "too few to tell"
    if s.column == CLASS and not out_of_fold.kind.exclusive:
        return DESCRIBED  # several labels: the rest of a class is not another class
    if out_of_fold.kind.counted and make_units(out_of_fold.kind, out_of_fold.target[s.member]).smallest < LEAST_UNITS:
        return "too few entities to tell"
    if s.column != CLASS and out_of_fold.kind.exclusive:
        counts = np.bincount(out_of_fold.target[s.member])
        if counts[counts > 0].min() < LEAST_OF_CLASS:
            return "too few of a class to tell"
    if (
        s.column != CLASS and out_of_fold.kind.fewest
    ):  # scores are means over the classes that occur: the same ones on both sides
        members = out_of_fold.kind.members(out_of_fold.target, 0)
        members = members[:, out_of_fold.kind.judged(out_of_fold.target, 0)]
        if members.size and min(members[side].sum(axis=0).min() for side in (s.member, others)) < LEAST_OF_CLASS:
            return "too few of a class to tell"
    return ""


def _score(
    s: Slice,
    measured: MeasuredDesign,
    out_of_fold: OutOfFold,
    units: Units,
    *,
    level: float,
    tests: int,
    claim: Claim,
) -> Scored:
    """The slice's score and, where it can be judged, how far it falls short of the rest."""
    others = out_of_fold.present.any(axis=0) & ~s.member
    n, inside, outside = int(s.member.sum()), len(np.unique(units.of[s.member])), len(np.unique(units.of[others]))
    everywhere, same = np.ones((measured.repeats, 1), dtype=bool), np.ones((1, measured.n))
    mine = resample(measured, same, units, everywhere & s.member)
    if not math.isfinite(mine.overall):
        return Scored(s, n, inside, None, None, math.nan, "not defined here")
    own_units = make_units(
        out_of_fold.kind, out_of_fold.target[s.member], units.of[s.member] if units.name == "groups" else None
    )
    score = score_estimate(_alone(measured, s.member), own_units, claim=claim, level=level)
    reason = _too_few(s, out_of_fold, units)
    rest = resample(measured, same, units, everywhere & ~s.member)
    if reason or not math.isfinite(rest.overall):
        return Scored(s, n, inside, score, None, math.nan, reason or "the rest cannot be scored")
    sign = 1.0 if measured.metric.greater_is_better else -1.0
    short = sign * (rest.overall - mine.overall)
    variance = sampling_variance(rest.minus(mine), units, claim)
    # A slice that is all right or all wrong shows no spread of its own: never less than what the rest would show
    # at the slice's size.
    chance = sampling_variance(rest, units, claim).total * outside / inside
    error = math.sqrt(np.nanmax([variance.total, chance]))
    generous = (
        rest.parts.too_high if rest.parts else 0.0
    )  # a score of few examples may be too high: of the rest that looks like a shortfall
    if not error > 0:
        return Scored(s, n, inside, score, None, math.nan, "no spread to judge by")
    freedom = max(min(variance.freedom, inside - 1, outside - 1), 1.0)
    wide = quantile(1 - (1 - level) / tests, freedom) * error
    metric = measured.metric
    most = metric.highest - metric.lowest if metric.unit == "score" else math.inf
    shortfall = Estimate(
        value=short,
        low=max(short - wide - generous, -most),
        high=min(short + wide, most),
        level=level,
        n=inside,
        n_unit=units.name,
        unit=measured.metric.unit,
        method=f"{METHODS[claim].format(u=units.name)}, t, Bonferroni over {tests} slices",
    )
    return Scored(s, n, inside, score, shortfall, _upper_tail((short - generous) / error, freedom), "")


def _alone(measured: MeasuredDesign, member: np.ndarray) -> MeasuredDesign:
    """The design of these examples `(n,)` alone: what the others are says nothing about how sure the score of these is."""
    statistics, fold, present = (values[:, member] for values in (measured.statistics, measured.fold, measured.present))
    return replace(measured, statistics=statistics, fold=fold, present=present, target=measured.target[member])


def _upper_tail(t: float, freedom: float) -> float:
    from scipy.special import stdtr

    return float(stdtr(freedom, -t))


def _finding(results: Results, winner: str, scored: list[Scored], left_out: list[str], independent: Text) -> Finding:
    level, metric = results.spec.design.level, METRICS.get(results.spec.primary)
    adjusted = holm(np.array([s.p for s in scored]))
    # One-sided at half the error of the stated level, so that a named slice's interval excludes zero as well.
    worse = [
        s
        for s, p in zip(scored, adjusted, strict=True)
        if p <= (1 - level) / 2 and s.shortfall is not None and (s.shortfall.low or 0.0) > 0
    ]
    worse.sort(key=lambda s: -s.shortfall.value)  # type: ignore[union-attr]
    tested, described = sum(s.shortfall is not None for s in scored), sum(s.reason == DESCRIBED for s in scored)
    small = sum(bool(s.reason) for s in scored) - described
    estimates = {"slices_tested": count(tested, "slices"), "slices_too_small": count(small, "slices")}
    if described:
        estimates["classes"] = count(described, "classes")
    for s in worse[:NAMED]:
        name = f"{s.slice.column or 'class'}={s.slice.value}"
        estimates[name], estimates[f"{name}:shortfall"] = s.score, s.shortfall  # type: ignore[assignment]
    if worse:
        estimates["slices_worse"] = count(len(worse), "slices")
    if left_out:
        estimates["columns_left_out"] = count(len(left_out), "columns")
    sentence = _say(
        results.candidate(winner).label, worse, tested, metric.title, only_described=described > 0 and not small
    )
    sentence += _say_what_is_not_tested(small, described, len(left_out), others=tested > 0)
    return Finding(
        id="slices",
        kind="slices",
        # "yes" would need every slice shown to be as good: absence of evidence is no evidence
        **asked("slices", "no" if worse else "undecided"),
        claim=_claim(results),
        severity="evidence" if worse else "detail",
        sentence=sentence,
        estimates=estimates,
        assumptions=_assume(independent),
        candidates=[winner],
        next=[_what_to_collect(worse, ours=results.origin == "study")] if worse else [],
        figure=_figure(scored, worse, metric.title),
        table=[_row(s, p, s in worse) for s, p in zip(scored, adjusted, strict=True)],
        references=REFERENCES,
    )


def _say(winner: str, worse: list[Scored], tested: int, metric: Text, *, only_described: bool) -> Text:
    """Which parts are worse than the rest, of those that could be tested."""
    if worse:
        named = [_named(s, metric) for s in worse[:NAMED]]
        return text(
            "{w} does worse on {k} of the {t} parts of the data that could be tested, beyond chance: {list}.",
            "在可以检验的 {t} 个数据子集中，{w} 在 {k} 个上明显更差，不能用偶然解释：{list}。",
            w=winner,
            k=len(worse),
            t=tested,
            list=join_texts(named, "; ", "；"),
        )
    if tested:
        return text(
            "No part of the data is shown to be worse than the rest for {w} ({t} tested, corrected for looking at all of them).",
            "没有证据表明 {w} 在某个数据子集上比其余部分更差（共检验 {t} 个，已做多重比较校正）。",
            w=winner,
            t=tested,
        )
    if only_described:
        return text("No part of the data is compared with the rest.", "没有哪个数据子集与其余部分作了比较。")
    return text("No part of the data is large enough to be judged.", "没有哪个数据子集大到足以判断。")


def _say_what_is_not_tested(small: int, described: int, left_out: int, *, others: bool) -> Text:
    sentence = text("", "")
    if described:
        sentence += text(
            "Described, not compared: {d} {d:|class|classes}, as with several labels the rest of a class is no other class.",
            "{d} 个类别只作描述，不作比较：有多个标签时，某一类别之外的样本并不是另一个类别。",
            d=described,
        )
    if small and others:
        sentence += text(
            "Too few or too uniform to tell: {s} more.", "另有 {s} 个子集样本太少或过于单一，无法判断。", s=small
        )
    elif small:
        sentence += text("Too few or too uniform to tell: {s}.", "共 {s} 个子集样本太少或过于单一，无法判断。", s=small)
    if left_out:
        sentence += text(
            "Columns with too many values to be parts: {c}.", "有 {c} 个元数据列取值过多，未作为子集。", c=left_out
        )
    return sentence


def _what_to_collect(worse: list[Scored], *, ours: bool) -> Text:
    names = join_texts([_name(s) for s in worse[:NAMED]], ", ", "、")
    return text(
        "Collect and label more examples of: {names}."
        if ours
        else "Before training again, collect and label more examples of: {names}.",
        "请补充并标注更多这类样本：{names}。" if ours else "再次训练之前，请补充并标注更多这类样本：{names}。",
        names=names,
    )


def _assume(independent: Text) -> list[Assumption]:
    drawn = text(
        "The examples of a part are drawn like those that it will meet", "各子集的样本与今后遇到的同类样本分布一致"
    )
    return [Assumption(name=name, outcome="unchecked") for name in (drawn, independent)]


def _name(s: Scored) -> Text:
    if s.slice.column:
        return text("{c} = {v}", "{c} = {v}", c=s.slice.column, v=s.slice.value)
    return text("class {v}", "类别 {v}", v=s.slice.value)


def _named(s: Scored, title: Text) -> Text:
    assert s.score is not None
    assert s.shortfall is not None
    what = text("recall", "召回率") if s.slice.column == CLASS else title
    return text(
        "{name} ({what} {score}; worse than the rest by {short})",
        "{name}（{what} {score}，比其余部分差 {short}）",
        name=_name(s),
        what=what,
        score=s.score.format(),
        short=s.shortfall.format(),
    )


def _row(s: Scored, adjusted: float, worse: bool) -> dict:  # noqa: FBT001
    return {
        "slice": s.slice.column or "class",
        "value": s.slice.value,
        "n": s.n,
        "score": s.score.format() if s.score else "–",
        "shortfall": s.shortfall.format() if s.shortfall else "–",
        "p": f"{adjusted:.3g}" if math.isfinite(adjusted) else "–",
        "note": "worse than the rest" if worse else s.reason,
    }


def _figure(scored: list[Scored], worse: list[Scored], title: Text) -> Figure:
    return Figure(
        kind="slices",
        title=(
            text("Score of each part ({m}; classes: recall)", "各子集的得分（{m}；按类别为召回率）", m=title)
            if any(s.slice.column == CLASS for s in scored)
            else text("Score of each part ({m})", "各子集的得分（{m}）", m=title)
        ),
        rows=[
            {
                "slice": s.slice.column or "class",
                "value": s.slice.value,
                "score": round(s.score.value, 4),
                "low": None if s.score.low is None else round(s.score.low, 4),
                "high": None if s.score.high is None else round(s.score.high, 4),
                "n": s.n,
                "worse": s in worse,
            }
            for s in scored
            if s.score is not None
        ],
        fields={
            "slice": text("part", "子集"),
            "value": text("value", "取值"),
            "score": title,
            "n": text("examples", "样本数"),
            "worse": text("shown to be worse than the rest", "已显示比其余部分差"),
        },
    )
