"""Does the verdict survive without the suspects? The two leading heads, trained and scored again on cleaned data.

Suspects are labels that all candidates together confidently contradict, copies of an example that stays, and pictures with two
labels (`record/choice_of_winner.py`). Removing examples that models get wrong raises every score; that rise says nothing. What is
asked is whether the comparison comes out the same, by the same rule and on the same repeats.
"""

from __future__ import annotations

from dataclasses import replace

from weigh.findings.amounts import amount, count, gain_of, scope
from weigh.findings.assumptions import assumptions_of
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.model import Assumption, Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.references import NORTHCUTT
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.metrics.design import MeasuredDesign
from weigh.record.choice_of_winner import find_suspects
from weigh.record.results import Results
from weigh.stats.comparison import Difference, compare
from weigh.stats.estimate import Estimate
from weigh.stats.resampling import Resampler

__all__ = ["find"]


WRONG_OR_SUPERFLUOUS = Assumption(
    name=text("The suspects are wrong or superfluous", "可疑样本确实标错或多余"),
    outcome="unchecked",
    detail=text(
        "Hard examples with right labels are suspected as well; nobody has looked at them.",
        "标注正确的难样本也可能被怀疑；尚未经人工核对。",
    ),
)


@FINDINGS.named("cleaned")
def find(results: Results) -> list[Finding]:
    """One finding where cleaned runs exist; none otherwise."""
    names = list(dict.fromkeys(run.candidate for run in results.runs("cleaned")))
    evidence = read_evidence(results)
    names = [name for name in evidence.ranked if name in names]
    if evidence.winner is None or len(names) != 2:
        return []
    after = {name: _measure(evidence, name) for name in names}
    repeats = min(design.repeats for design in after.values())
    before = {name: _first(evidence.measured[name], repeats) for name in names}
    a, b = names
    assert evidence.comparisons is not None
    full, old, new = (c.of(a, b) for c in (evidence.comparisons, _compare(evidence, before), _compare(evidence, after)))
    return [_finding(evidence, a, b, full, old, new, before[a].score().overall, after[a].score().overall, repeats)]


def _measure(evidence: Evidence, name: str) -> MeasuredDesign:
    runs = evidence.results.out_of_fold(name, "cleaned")
    assert runs is not None
    return runs.measured(evidence.metric)


def _first(measured: MeasuredDesign, repeats: int) -> MeasuredDesign:
    return replace(
        measured,
        statistics=measured.statistics[:repeats],
        fold=measured.fold[:repeats],
        present=measured.present[:repeats],
    )


def _compare(evidence: Evidence, measured: dict[str, MeasuredDesign]):
    return compare(
        measured,
        evidence.units,
        rng=evidence.rng("resampling"),
        claim=evidence.claim,
        level=evidence.level,
        rope=evidence.rope,
        resampler=Resampler(evidence.resampler.weights, evidence.units),
        once=_level_of_a_pair(evidence),
    )


def _level_of_a_pair(evidence: Evidence) -> float:
    """The level at which a pair alone gets an interval as wide as among all pairs of the study: else two verdicts on one pair differ."""
    from scipy.special import ndtr

    assert evidence.comparisons is not None
    return float(2 * ndtr(evidence.comparisons.adjusted) - 1)


def _finding(
    evidence: Evidence,
    a: str,
    b: str,
    full: Difference,
    old: Difference,
    new: Difference,
    before: float,
    after: float,
    repeats: int,
) -> Finding:
    suspects = find_suspects(evidence.results)
    gains = gain_of(old, evidence.metric), gain_of(new, evidence.metric)
    unit = evidence.metric.unit
    estimates = {
        "labels": count(suspects.labels, "examples"),
        "copies": count(suspects.copies, "examples"),
        "repeats": count(repeats, "repeats"),
        "before": gains[0],
        "after": gains[1],
        "score_before": Estimate(value=before, n=old.examples, method="cross-validation, no interval", unit=unit),
        "score_after": Estimate(value=after, n=new.examples, method="cross-validation, no interval", unit=unit),
    }
    if new.folds < old.folds:  # runs of this check failed, or there was no time for them
        estimates |= {"folds_run": count(new.folds, "folds"), "folds": count(old.folds, "folds")}
        ran = text("{k} of {f} folds", "{f} 折中的 {k} 折", k=new.folds, f=old.folds)
    else:
        ran = text("{r} {r:|repeat|repeats}", "{r} 次重复", r=repeats)
    same = old.relation == new.relation
    # of a check that with the suspects says something else than the whole study, it cannot be said whether that stands
    decided = "undecided" not in (old.relation, new.relation) and full.relation == old.relation
    verdict: Verdict = "yes" if same and decided else "no" if decided else "undecided"
    values = {
        "a": evidence.label(a),
        "b": evidence.label(b),
        "l": suspects.labels,
        "c": suspects.copies,
        "r": ran,
        "x": amount(gains[0]),
        "y": amount(gains[1]),
        "s": _relation(old.relation),
        "t": _relation(new.relation),
        "p": estimates["score_before"].format(),
        "q": estimates["score_after"].format(),
        "m": evidence.metric.title,
        "o": scope(evidence.claim),
    }
    lead = text(
        "{l} {l:|example with a suspected label|examples with suspected labels} and {c} {c:|copy|copies} were left out of training and "
        "scoring ({r}). The difference between "
        "{a} and {b} was {x} with them ({s}) and is {y} without them ({t}).",
        "从训练和评分中去掉了 {l} 个疑似标错的样本和 {c} 个副本（{r}）。{a} 与 {b} 之差：保留它们时为 {x}（{s}），去掉后为 {y}（{t}）。",
        **values,
    )
    answer = _answer(verdict, same=same)
    if full.relation != old.relation:  # one pair, two relations: say why
        estimates |= {"all_repeats": count(full.repeats, "repeats"), "difference": gain_of(full, evidence.metric)}
        answer = _why_open(full, estimates["difference"], repeats)
    rise = text(
        "The {m} of {a} goes from {p} to {q}; part of such a change is a matter of course, because what models get wrong was left out.",
        "{a} 的得分（{m}）从 {p} 变为 {q}；去掉的正是模型判错的样本，所以这种变化有一部分是必然的。",
        **values,
    )
    about = text("This speaks about {o}.", "这里说的是{o}。", **values)
    paths = evidence.results.examples.path[suspects.mask].tolist()
    return Finding(
        id="cleaned",
        kind="cleaned",
        **asked("cleaned", verdict),
        claim=evidence.claim,
        severity="problem" if verdict == "no" else "evidence",
        sentence=(lead + answer + rise + about),
        estimates=estimates,
        assumptions=[WRONG_OR_SUPERFLUOUS, *assumptions_of(evidence, [a, b])[:1]],
        examples=[str(path) for path in paths],
        candidates=[a, b],
        next=[text("Look at the suspected labels before choosing.", "请先核对疑似标错的样本，再作选择。")]
        if verdict == "no"
        else [],
        references=[NORTHCUTT],
    )


def _answer(verdict: Verdict, *, same: bool) -> Text:
    """Whether the comparison stands without the suspects; `same`: both relations are alike."""
    if verdict == "yes":
        return text("The comparison comes out the same.", "比较结果不变。")
    if verdict == "no":
        return text(
            "The comparison comes out differently: it rests on the suspects.", "比较结果不同：它取决于这些可疑样本。"
        )
    if same:
        return text("It is open in both cases.", "两种情况下都尚无定论。")
    return text(
        "It is settled in one case only, so it cannot be said whether it stands.",
        "只有一种情况能得出结论，因此无法断定它是否成立。",
    )


def _why_open(full: Difference, gain: Estimate, repeats: int) -> Text:
    """Why this check, of fewer repeats, cannot say whether the result of the whole study stands."""
    whole = {"n": full.repeats, "z": amount(gain), "v": _relation(full.relation), "r": repeats}
    if full.relation == "undecided":
        return text(
            "The whole study, with its {n} {n:|repeat|repeats}, leaves the difference open ({z}), so there is no result that could stand or fall.",
            "整个研究共 {n} 次重复，差值仍无定论（{z}），因此没有可供检验的比较结果。",
            **whole,
        )
    return text(
        "With all {n} repeats of the study the difference is {z} ({v}); this check has {r} of them, too few to show that even with "
        "the suspects. Whether it stands cannot be said.",
        "研究的全部 {n} 次重复给出的差值为 {z}（{v}）；本检查只用了其中 {r} 次，即使保留可疑样本也不足以得出这一结论，因此无法断定它是否成立。",
        **whole,
    )


def _relation(relation: str) -> Text:
    return {
        "better": text("better", "更好"),
        "worse": text("worse", "更差"),
        "equal": text("practically equal", "实际相当"),
        "undecided": text("undecided", "尚无定论"),
    }[relation]
