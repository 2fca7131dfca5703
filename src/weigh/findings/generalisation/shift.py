"""Does it hold on examples from elsewhere, and does the ranking of the models hold there?

Before it: the refitted models' predictions on the test part and on every further test set (`data.shifted`), or a table
of others' predictions on several sets. After it: the report. The first set is what the others are compared with; a
study without a test part compares with cross-validation. All decisions are those of `stats/shift.py`.

A drop says that the sets differ for these models. It does not say why: other examples, other labels and a harder choice
of examples look the same; only the shares of the classes are checked, since they can be made equal by weighting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import amount, count, counted_units, in_points
from weigh.findings.copied import copies_of_test
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.generalisation.shift_ranking import read_ranking
from weigh.findings.model import Assumption, Figure, Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.references import RECHT
from weigh.findings.registry import FINDINGS
from weigh.kinds.base import Kind
from weigh.language import Text, text
from weigh.metrics.base import Metric
from weigh.record.results import OutOfFold, Results
from weigh.stats.estimate import Estimate
from weigh.stats.resampling import Measured
from weigh.stats.shift import Drop, MeasuredSet, Shift, compare_sets

__all__ = ["find", "find_shifts", "read_shift"]

TOLERANCE = 5.0  # points: as for the test part; a larger drop would change what one expects of a model
TITLES = {"test": text("the test part", "测试部分"), "cv": text("cross-validation", "交叉验证")}
REFERENCES = [
    RECHT,
    "Newcombe (1998), Interval estimation for the difference between independent proportions, Stat. Med. 17",
]


class Side(NamedTuple):
    """One of two sets that are compared.

    Attributes:
        title: What sentences call it.
        models: Measured on it.
    """

    name: str
    title: Text
    models: MeasuredSet

    @property
    def some_model(self) -> Measured:
        """One of the models: they all have the same metric and the same targets."""
        return next(iter(self.models.measured.values()))


@FINDINGS.named("shift")
def find(results: Results) -> list[Finding]:
    """Two findings for every further test set: the drop, and the ranking; none where there is no such set."""
    return read_evidence(results).once(find_shifts)


def find_shifts(evidence: Evidence) -> list[Finding]:
    """The findings of all further test sets; call it through `evidence.once`, as the headline does."""
    results = evidence.results
    answered: dict[str, dict[str, OutOfFold]] = {}
    parts = {"test": "test"} if results.origin == "study" else {}
    parts |= {name: f"shift:{name}" for name in results.shifted}
    for name, part in parts.items():
        tested = {c.id: results.test(c.id, part) for c in results.candidates if not c.control}
        whole = {key: runs for key, runs in tested.items() if runs is not None and runs.complete.all()}
        if whole:
            answered[name] = whole
    targets = [next(iter(whole.values())).target for whole in answered.values()]
    sets: dict[str, MeasuredSet] = {}
    if "test" not in answered or results.origin != "study":
        validated = evidence.beside(*targets).measured
        sets[results.measured_on or "cv"] = MeasuredSet(
            {name: validated[name] for name in evidence.rivals}, evidence.units, evidence.claim
        )
        targets += [runs.target for runs in list(evidence.out_of_fold.values())[:1]]
    for name, whole in answered.items():
        units = results.units_at(next(iter(whole.values())).indices)
        sets[name] = MeasuredSet({key: runs.measured(evidence.metric, *targets) for key, runs in whole.items()}, units)
    titles = {} if results.origin == "study" else {n: text('"{n}"', "“{n}”", n=n) for n in sets}  # "cv" may be a name
    stands_on: dict[str, Estimate] = {}
    if results.origin == "study" and "cv" in sets and evidence.winner is not None:
        titles, stands_on = {"cv": evidence.validation(evidence.winner)}, evidence.folds_estimates(evidence.winner)
    findings = read_shift(
        results.examples.kind,
        sets,
        rng=evidence.rng("shift"),
        level=evidence.level,
        rope=evidence.rope,
        draws=evidence.draws,
        label=evidence.label,
        subject=None if results.origin == "models" else evidence.winner,  # there it was chosen on the first set
        titles=titles,
    )
    copies = {name: copies_of_test(evidence, next(iter(whole)), parts[name]) for name, whole in answered.items()}
    both = [(one, [next(iter(sets)), one.id.removeprefix("shift:").removesuffix(":ranking")]) for one in findings]
    return [
        one.model_copy(
            update={
                "estimates": one.estimates | stands_on,
                "assumptions": [*one.assumptions, *(a for name in names for a in copies.get(name, []))],
            }
        )
        for one, names in both
    ]


def read_shift(
    kind: Kind,
    sets: Mapping[str, MeasuredSet],
    *,
    rng: np.random.Generator,
    level: float = 0.95,
    rope: float | None = None,
    draws: int = 1000,
    label: Callable[[str], str] = str,
    subject: str | None = None,
    titles: Mapping[str, Text] | None = None,
) -> list[Finding]:
    """Compare every set after the first with the first.

    Args:
        sets: Set name -> its examples and the models that were measured on them, all on one metric.
        label: Short name of a model.
        subject: The model that the sentence is about; must not have been chosen on these sets. None: the mean of all.
        titles: What sentences call a set; default: its name in quotes.

    Returns:
        For each further set "shift:NAME" and, with two or more models, "shift:NAME:ranking". Sets that share no model
        with the first are left out.
    """
    if not sets:
        return []
    set_titles = {**TITLES, **{n: text('"{n}"', "“{n}”", n=n) for n in sets if n not in TITLES}, **(titles or {})}
    first, *further = (Side(name, set_titles[name], models) for name, models in sets.items())
    others = [side for side in further if side.models.measured.keys() & first.models.measured.keys()]
    findings = []
    for side in others:
        shift = compare_sets(first.models, side.models, rng=rng, level=level, rope=rope, draws=draws, sets=len(others))
        chosen = subject if subject in shift.models else None
        findings.append(_drop(kind, (first, side), shift, label, chosen))
        if shift.ranking is not None:
            findings.append(read_ranking(side.name, shift, (first.title, side.title), label, chosen))
    return findings


def _drop(
    kind: Kind, sides: tuple[Side, Side], shift: Shift, label: Callable[[str], str], subject: str | None
) -> Finding:
    first, second = sides
    metric = second.some_model.metric
    judged = shift.mean if subject is None else shift.models[subject]
    drop = in_points(judged.drop)
    apart = _only_in_one(kind, sides)
    verdict = _judge(judged.drop, metric) if not apart else "undecided"
    models = len(shift.models)
    estimates = {
        "first": judged.first,
        "second": judged.second,
        "drop": drop,
        "examples": count(judged.second.n, judged.second.n_unit),
    }
    values = {
        "a": judged.first.format(),
        "b": judged.second.format(),
        "d": amount(drop),
        "m": metric.title,
        "n": judged.second.n,
        "u": counted_units(judged.second.n, judged.second.n_unit),
        "one": first.title,
        "two": second.title,
        "k": models,
        "c": "" if subject is None else label(subject),
    }
    if subject is None and models > 1:
        estimates["models"] = count(models, "models")
        sentence = text(
            "The {k} models score {b} on average ({m}) on {two} ({n} {u}), and {a} on {one}.",
            "{k} 个模型在{two}（{n} {u}）上的{m}平均为 {b}，在{one}上平均为 {a}。",
            **values,
        )
    else:
        values["c"] = label(subject if subject is not None else next(iter(shift.models)))
        sentence = text(
            "{c} scores {b} ({m}) on {two} ({n} {u}), and {a} on {one}.",
            "{c} 在{two}（{n} {u}）上的{m}为 {b}，在{one}上为 {a}。",
            **values,
        )
    if apart:
        estimates["classes_in_one"] = count(apart, "classes")
        sentence += _other_classes(apart, values)
    else:
        sentence += _meaning(judged.drop, verdict, values)
    if models > 1 and not apart:
        sentence += _of_all(shift, estimates, subject)
    return Finding(
        id=f"shift:{second.name}",
        kind="shift",
        **asked("shift", verdict, t=second.title),
        claim="these_models",
        severity="problem" if verdict == "no" else "evidence",
        sentence=sentence,
        estimates=estimates,
        assumptions=_assume(_class_shares(kind, sides, shift, subject, judged)),
        candidates=list(shift.models) if subject is None else [subject],
        next=[
            text(
                "Look at what it gets wrong there, label some examples from that source and train on them.",
                "请看看它在那里错在哪里，从该来源标注一些样本并加入训练。",
            )
        ]
        if verdict == "no"
        else [],
        figure=_figure((first.name, second.name), shift, label, metric),
        table=[_row(label(key), model_drop) for key, model_drop in shift.models.items()],
        references=REFERENCES,
    )


def _other_classes(apart: int, values: dict) -> Text:
    return text(
        "The sets do not have the same classes (occurring in only one of them: {k}), so the scores are not about the same "
        "task: whether anything is worse there cannot be told from their difference, {d}.",
        "两个集合的类别不同（只在其中一个集合出现的类别数：{k}），得分针对的不是同一任务：不能由两者之差（{d}）判断在那里是否更差。",
        **{**values, "k": apart},
    )


def _assume(class_shares: Sequence[Assumption]) -> list[Assumption]:
    return [
        Assumption(name=text("The two sets have no example in common", "两个集合没有共同样本"), outcome="unchecked"),
        *class_shares,
        Assumption(
            name=text("The labels of both sets follow the same rules", "两个集合的标注标准一致"),
            outcome="unchecked",
            detail=text(
                "Other examples, other labels and a harder choice of examples look the same in these numbers.",
                "样本不同、标注不同或样本更难，在这些数字里看起来没有区别。",
            ),
        ),
    ]


def _only_in_one(kind: Kind, sides: tuple[Side, Side]) -> int:
    """How many classes occur in one of the sets alone; 0 where examples have not one label each."""
    first, second = (side.some_model.target for side in sides)
    return len(np.setxor1d(first, second)) if kind.exclusive else 0


def _judge(drop: Estimate, metric: Metric) -> Verdict:
    """ "no": worse there; "yes": a serious drop is excluded."""
    if drop.low is None or drop.high is None:
        return "undecided"
    tolerance = TOLERANCE / 100 if metric.unit == "score" else 10 * metric.rope
    return "no" if drop.low > 0 else "yes" if drop.high < tolerance else "undecided"


def _meaning(drop: Estimate, verdict: Verdict, values: dict) -> Text:
    if drop.low is None:
        return text(
            "There are too few independent examples to say whether it differs: the drop is {d}.",
            "独立样本太少，无法判断是否不同：下降 {d}。",
            **values,
        )
    if verdict == "no":
        return text(
            "The score is worse there, beyond what the choice of examples explains: by {d}.",
            "在那里确实更差，不能用样本的偶然性解释：下降 {d}。",
            **values,
        )
    if drop.high is not None and drop.high < 0:
        return text("It is better there: the drop is {d}.", "在那里反而更好：下降 {d}。", **values)
    if verdict == "yes":
        return text("The score holds: the drop is {d}.", "得分成立：下降 {d}。", **values)
    return text(
        "Whether it is worse there is not settled: the drop is {d}.", "在那里是否更差尚无定论：下降 {d}。", **values
    )


def _of_all(shift: Shift, estimates: dict[str, Estimate], subject: str | None) -> Text:
    """What is shown of all models: how many are worse there, and who loses more or less than the others."""
    drops = [model.drop for model in shift.models.values()]
    worse = sum(d.low is not None and d.low > 0 for d in drops)
    excess = [model.excess for model in shift.models.values() if model.excess is not None]
    more = sum(e.low is not None and e.low > 0 for e in excess)
    less = sum(e.high is not None and e.high < 0 for e in excess)
    ends = sorted((in_points(d) for d in drops), key=lambda d: d.value)
    estimates |= {
        "shown_worse": count(worse, "models"),
        "models": count(len(drops), "models"),
        "smallest_drop": ends[0],
        "largest_drop": ends[-1],
        "mean_drop": in_points(shift.mean.drop),
    }
    one = text(
        "Models shown to be worse there: {w} of {k}; the drops go from {s} to {l}.",
        "{k} 个模型中有 {w} 个确实在那里更差；下降幅度从 {s} 到 {l}。",
        w=worse,
        k=len(drops),
        s=amount(ends[0]),
        l=amount(ends[-1]),
    )
    if subject is not None:
        one = one + text("The mean drop is {d}.", "平均下降 {d}。", d=amount(estimates["mean_drop"]))
    if not more and not less:
        return one + text(
            "No model is shown to lose more or less than the average of them.",
            "没有哪个模型的下降幅度确实高于或低于平均水平。",
        )
    estimates |= {"more_than_average": count(more, "models"), "less_than_average": count(less, "models")}
    return one + text(
        "{m} {m:|is|are} shown to lose more than the average of the models, {f} less.",
        "其中 {m} 个模型的下降确实高于平均水平，{f} 个低于平均水平。",
        m=more,
        f=less,
    )


def _class_shares(
    kind: Kind, sides: tuple[Side, Side], shift: Shift, subject: str | None, judged: Drop
) -> list[Assumption]:
    """Whether other shares of the classes could make the drop: the first set weighted to the second's shares."""
    models = list(shift.models) if subject is None else [subject]
    if not kind.exclusive:
        return []
    first, second = sides
    targets = [side.some_model.target for side in sides]
    classes = int(max(t.max(initial=0) for t in targets)) + 1
    shares = [np.bincount(t, minlength=classes) / max(len(t), 1) for t in targets]
    name = text("Both sets have the same shares of the classes", "两个集合的类别占比相同")
    if ((shares[0] == 0) & (shares[1] > 0)).any():
        return [Assumption(name=name, outcome="violated")]
    weights = (shares[1] / np.where(shares[0] > 0, shares[0], 1.0))[targets[0]]
    scores = [_score(first.models.measured[m], weights) for m in models]
    value = float(np.mean(scores))
    if not math.isfinite(value):
        return []
    alike = abs(value - judged.first.value) < second.some_model.metric.rope
    return [
        Assumption(
            name=name,
            outcome="holds" if alike else "violated",
            detail=text(
                "With the class shares of {two}, the score on {one} would be {v:.3f} instead of {a:.3f}.",
                "若按{two}的类别占比加权，在{one}上的得分为 {v:.3f}，而不是 {a:.3f}。",
                one=first.title,
                two=second.title,
                v=value,
                a=judged.first.value,
            ),
        )
    ]


def _score(measured: Measured, weights: np.ndarray) -> float:
    return float(np.nanmean([measured.score_repeat(r, weights) for r in range(measured.repeats)]))


def _row(label: str, drop: Drop) -> dict:
    return {
        "candidate": label,
        "first": drop.first.format(),
        "second": drop.second.format(),
        "drop": drop.drop.format(),
        "more_than_average": "–" if drop.excess is None else drop.excess.format(),
    }


def _figure(names: tuple[str, str], shift: Shift, label: Callable[[str], str], metric: Metric) -> Figure:
    rows = [
        {"candidate": key, "label": label(key), "stage": stage, "value": s.value, "low": s.low, "high": s.high}
        for key, drop in shift.models.items()
        for stage, s in zip(names, (drop.first, drop.second), strict=True)
        if math.isfinite(s.value)
    ]
    return Figure(
        kind="generalisation",
        title=text("The same models on both sets", "同一批模型在两个集合上的得分"),
        rows=rows,
        fields={"value": metric.title},
    )
