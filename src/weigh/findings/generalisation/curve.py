"""Would more data help? The learning curve of the heads on frozen features, and what twice the data would bring.

Every fold is trained again on nested parts of its training examples and scored on the same test examples, so the points are
paired. `stats/curve.py` draws power laws through them. Nothing is said where the points rise and fall, or where the
interval of the gain leaves it open whether it would matter; a curve of one candidate says nothing about another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import amount, as_gain, count, limit, scaled, scope
from weigh.findings.assumptions import assumptions_of
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.generalisation.optimism import winner_score
from weigh.findings.learning import usefulness
from weigh.findings.model import Assumption, Figure, Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.metrics.design import measure_design
from weigh.record.results import OutOfFold, Results
from weigh.stats.comparison import SMALLEST_SAMPLE
from weigh.stats.curve import LearningCurve, learning_curve

__all__ = ["find"]

REFERENCES = [
    "Cortes et al. (1994), Learning Curves: Asymptotic Values and Rate of Convergence, NeurIPS",
    "Viering & Loog (2023), The Shape of Learning Curves: A Review, IEEE TPAMI 45",
    "Hoeting et al. (1999), Bayesian Model Averaging: A Tutorial, Statistical Science 14",
]


class Measured(NamedTuple):
    """One candidate's curve and the scores that it was made of (`(k,)` training examples and scores)."""

    name: str
    sizes: np.ndarray
    scores: np.ndarray
    curve: LearningCurve | None


@FINDINGS.named("curve")
def find(results: Results) -> list[Finding]:
    """One finding about the winner, or about the best head where the winner has no curve; none without curve runs."""
    evidence = read_evidence(results)
    if evidence.winner is None:
        return []  # nothing was scored: the headline says so
    measured = [curve for name in evidence.ranked if (curve := _measure(evidence, name)) is not None]
    if not measured:
        return []  # `results.skipped` says why
    first = next((m for m in measured if m.name == evidence.winner), measured[0])
    return [_finding(evidence, first, measured)]


def _measure(evidence: Evidence, name: str) -> Measured | None:
    """The curve of a candidate from the repeats that all its sizes have; None without any."""
    results = evidence.results
    variants = list(dict.fromkeys(run.variant for run in results.runs("curve", candidate=name)))
    parts: list[tuple[float, OutOfFold]] = []
    for variant in sorted(variants, key=lambda v: float(v.partition(":")[2])):
        out_of_fold = results.out_of_fold(name, "curve", variant)
        if out_of_fold is None:
            continue
        trained = [run.n_train for run in results.runs("curve", candidate=name, variant=variant)]
        parts.append((float(np.mean(trained)), out_of_fold))
    if not parts:
        return None
    whole = evidence.out_of_fold[name]
    full = [run.n_train for run in results.runs(candidate=name)]
    repeats = min(len(part.answers) for _, part in [*parts, (0.0, whole)])
    parts.append((float(np.mean(full)), whole))
    complete = np.all([part.complete[:repeats] for _, part in parts], axis=0)
    if not complete.any():
        return None
    chosen = np.flatnonzero(complete)
    resamples = []
    for size, part in parts:
        kept = replace(
            part,
            answers=part.answers[chosen],
            fold=part.fold[chosen],
            bias=part.bias[chosen],
        )
        resamples.append(evidence.resampler.of(f"{name} curve {size}", measure_design(evidence.metric, kept)))
    sizes, scores = np.array([size for size, _ in parts]), np.array([r.overall for r in resamples])
    curve = None
    if evidence.units.count >= SMALLEST_SAMPLE:
        curve = learning_curve(
            sizes.tolist(),
            resamples,
            evidence.units,
            claim=evidence.claim,
            level=evidence.level,
            unit=evidence.metric.unit,
            lowest=evidence.metric.lowest,
            highest=evidence.metric.highest,
            present=(winner_score(evidence) if name == evidence.winner else evidence.scores[name]).value,
        )
    return Measured(name, sizes, scores, curve)


def _finding(evidence: Evidence, first: Measured, measured: list[Measured]) -> Finding:
    sentence, verdict, estimates = _say(evidence, first)
    curve = first.curve
    fits = curve is not None and curve.fits and not _falls(evidence, curve)
    return Finding(
        id="curve",
        kind="curve",
        **asked("curve", verdict),
        claim=evidence.claim,
        sentence=sentence,
        estimates=estimates,
        assumptions=[
            Assumption(
                name=text("The score follows a power law of the training examples", "得分随训练样本数按幂律变化"),
                outcome="violated" if curve is not None and not fits else "unchecked",
                detail=_how_far_laws_go(curve),
            ),
            Assumption(
                name=text("The further examples are like these", "新增样本与现有样本同类"),
                outcome="unchecked",
                detail=text(
                    "Examples from another source may bring more, or less.",
                    "来自其他来源的样本带来的提升可能更多，也可能更少。",
                ),
            ),
            *assumptions_of(evidence, [first.name])[:1],
        ],
        candidates=[m.name for m in measured],
        next=_next(evidence, first, verdict),
        figure=_figure(evidence, measured),
        references=REFERENCES,
    )


def _how_far_laws_go(curve: LearningCurve | None) -> Text:
    """What a law allows the next doubling to add."""
    if curve is not None and curve.quickens:
        return text(
            "Averaged over power laws, also such in which every doubling adds more than the last one, as in these points: a gain may be up to twice "
            "what the last doubling added.",
            "对多条幂律曲线取平均，其中也包括每次翻倍带来的提升越来越大的曲线（这些点就是如此）：预测的提升最多可达上一次翻倍所带来提升的两倍。",
        )
    return text(
        "Averaged over power laws; a gain may be less than what the last doubling added, not more.",
        "对多条幂律曲线取平均；预测的提升可以小于上一次翻倍带来的提升，但不会更大。",
    )


def _next(evidence: Evidence, first: Measured, verdict: Verdict) -> list[Text]:
    if verdict == "yes":
        return [text("Collect more examples of the same kind.", "请收集更多同类样本。")]
    if verdict == "undecided" and evidence.results.spec.design.curve is not True and len(first.sizes) > 2:
        return [
            text(
                "Set design.curve: true for more points of the learning curve.",
                "设置 design.curve: true，让学习曲线多几个点。",
            )
        ]
    return []


def _falls(evidence: Evidence, curve: LearningCurve) -> bool:
    """Whether the score gets worse with more examples, which no power law of learning allows."""
    gain = as_gain(curve.gain, evidence.metric)
    return gain.high is not None and gain.high < 0


def _would_have_been_seen(evidence: Evidence, curve: LearningCurve) -> bool:
    """Whether a gain would have shown: points that could have bent up and did not, or no room above the score."""
    end = curve.present.low if evidence.metric.greater_is_better else curve.present.high
    room = (
        end is not None
        and evidence.metric.unit == "score"
        and evidence.metric.greater_is_better
        and 1 - end < evidence.rope
    )
    return room or (curve.would_show_a_bend and evidence.once(usefulness) == "yes")


def _say(evidence: Evidence, first: Measured) -> tuple[Text, Verdict, dict]:
    name, curve = evidence.label(first.name), first.curve
    if curve is None:
        least = len(first.sizes)
        return (
            text(
                "The learning curve of {c} has {k} points; they are too few, or rest on too few examples, for a prediction.",
                "{c} 的学习曲线只有 {k} 个点；点数或样本数太少，无法预测。",
                c=name,
                k=least,
            ),
            "undecided",
            {"points": count(least, "count")},
        )
    gain = as_gain(curve.gain, evidence.metric)
    small, now = round(float(first.sizes[0])), round(float(first.sizes[-1]))
    bare = {"low": None, "high": None}
    measured = {
        "smallest": count(small, "examples"),
        "trained": count(now, "examples"),
        "score_smallest": curve.present.model_copy(
            update={**bare, "value": float(first.scores[0]), "method": "cross-validation, no interval"}
        ),
        "present": curve.present.model_copy(update={**bare, "method": "cross-validation"}),
    }
    lead = text(
        "Trained on {a} examples, {c} scores {x}; on {b} examples, {y} ({m}).",
        "用 {a} 个样本训练时，{c} 得分为 {x}；用 {b} 个样本时为 {y}（{m}）。",
        a=small,
        b=now,
        c=name,
        m=evidence.metric.title,
        x=measured["score_smallest"].format(),
        y=measured["present"].format(),
    )
    if (why_not := _why_nothing_is_predicted(evidence, curve)) is not None:
        return lead + why_not, "undecided", measured
    rope = scaled(evidence.rope, evidence.metric, method="as set")
    estimates = measured | {
        "predicted_score": curve.predicted,
        "gain": gain,
        "rope": rope,
        "doubled": count(2 * now, "examples"),
    }
    values = {
        "d": 2 * now,
        "p": curve.predicted.format(),
        "g": amount(gain, rope.value),
        "r": limit(rope),
        "s": scope(evidence.claim, number=1),
    }
    sentence = text(
        "With twice as many ({d}) it would score about {p}: a gain of {g}.",
        "若样本翻一倍（{d} 个），得分约为 {p}，提升 {g}。",
        **values,
    )
    assert gain.low is not None
    assert gain.high is not None
    verdict: Verdict = "yes" if gain.low > rope.value else "no" if gain.high < rope.value else "undecided"
    points = 0
    if verdict == "no" and not _would_have_been_seen(evidence, curve):
        verdict, points = "undecided", len(curve.sizes)
        estimates["points"] = count(points, "count")
    sentence += _meaning(verdict, values, points=points)
    return lead + sentence + text("This speaks about {s}.", "这里说的是{s}。", **values), verdict, estimates


def _why_nothing_is_predicted(evidence: Evidence, curve: LearningCurve) -> Text | None:
    if not curve.fits:
        return text(
            "These points and those between lie on no power law, so nothing is predicted for more examples.",
            "这些点及其间各点不符合任何幂律，因此不对更多样本作预测。",
        )
    if curve.tells_nothing:
        return text(
            "No growth is shown, and repeats agree hardly more than with half the examples: such a curve may bend up again, so nothing is "
            "predicted.",
            "看不出得分在提高，而且与只用一半样本时相比，各次重复的结果并未更加一致：这样的曲线可能重新上升，因此不作预测。",
        )
    if _falls(evidence, curve):
        return text(
            "It does not get better with more examples, so no law can be fitted and nothing is predicted.",
            "样本增多，得分并未变好，因此无法拟合规律，也不作预测。",
        )
    return None


def _meaning(verdict: Verdict, values: dict, *, points: int) -> Text:
    """What the gain of twice as many examples is worth; `points`: how many the curve has, where it may bend up again."""
    if verdict == "yes":
        return text(
            "That is more than {r}: more examples are worth collecting.", "这超过 {r}，值得收集更多样本。", **values
        )
    if verdict == "no":
        return text(
            "That is less than {r}: more examples of the same kind would change little.",
            "这不到 {r}，再增加同类样本，变化不大。",
            **values,
        )
    if points:
        return text(
            "That would be less than {r}, but {k} points cannot show a curve that bends up again, as where a head has about as many "
            "features as examples.",
            "这不到 {r}；但仅凭 {k} 个点看不出曲线会不会重新上升，例如特征数与样本数相近的线性头。",
            k=points,
            **values,
        )
    return text("Whether that is more than {r} cannot be told.", "提升是否超过 {r}，尚无法判断。", **values)


def _figure(evidence: Evidence, measured: list[Measured]) -> Figure:
    rows = []
    for one in measured:
        label = evidence.label(one.name)
        for size, score in zip(one.sizes, one.scores, strict=True):
            rows.append(
                {"candidate": one.name, "label": label, "examples": round(float(size)), "value": round(float(score), 6)}
            )
        curve = one.curve
        if curve is None or curve.gain.low is None or curve.tells_nothing or _falls(evidence, curve):
            continue
        rows.append(
            {
                "candidate": one.name,
                "label": label,
                "examples": 2 * round(float(one.sizes[-1])),
                "value": round(curve.predicted.value, 6),
                "low": round(float(curve.predicted.low or 0.0), 6),
                "high": round(float(curve.predicted.high or 0.0), 6),
                "stage": "predicted",
            }
        )
    return Figure(
        kind="curve",
        title=text("Score by number of training examples", "得分随训练样本数的变化"),
        rows=rows,
        fields={
            "examples": text("training examples", "训练样本数"),
            "value": evidence.metric.title,
            "stage": text("measured or predicted", "测量或预测"),
        },
    )
