"""Was every recipe tried with every model? Which were not, by what their models score with the first recipe or for want of time
(`plan/finalists.py`).

A choice of what to spend time on, no claim about what was not trained.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from weigh.findings.amounts import amount, count, gain_of, turned
from weigh.findings.budget import longer_budget
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.model import Assumption, Finding
from weigh.findings.questions import asked
from weigh.findings.registry import FINDINGS
from weigh.language import Text, join_texts, text
from weigh.plan.candidates import recipes_of_models
from weigh.plan.finalists import with_first_recipe
from weigh.record.results import Results

__all__ = ["find"]

LISTED = 6  # models that the sentence tells of; the table has them all


@FINDINGS.named("finalists")
def find(results: Results) -> list[Finding]:
    """One finding where candidates were left out."""
    if not results.untried:
        return []
    evidence, spec = read_evidence(results), results.spec
    first, *others = (recipe.label or recipe.name for recipe in recipes_of_models(spec))
    ran = {candidate.model for candidate in results.candidates}
    untried = [candidate for candidate in results.untried if candidate.model in ran]  # the budget says of the others
    left_out = list(dict.fromkeys(candidate.model for candidate in untried))
    if not left_out:
        return []
    models = [model for model in spec.models if model in ran]  # not those that there was no time to try
    final = [model for model in models if model not in left_out]
    sentence = text(
        "{o} {z} with {k} of {n} models, by what they score with {f}: {m}.",
        "{o} {z}只用于 {n} 个模型中的 {k} 个（按它们用 {f} 的得分选定）：{m}。",
        o=", ".join(others),
        f=first,
        k=len(final),
        n=len(models),
        m=", ".join(final),
        z=_state(results, final, one=len(others) == 1),
    )
    if not final:
        sentence = _nowhere(models, others)
    estimates = {"models": count(len(models), "models"), "finalists": count(len(final), "models")}
    for index, model in enumerate(left_out[:LISTED]):
        sentence += _left_out(evidence, model, final, index, estimates)
    if len(left_out) > LISTED:
        sentence += text("{k} more stand in the table.", "另有 {k} 个见表。", k=len(left_out) - LISTED)
    if "passed-over" in results.skipped:
        sentence += results.skipped["passed-over"]
    sentence += text(
        "What was not trained might have been better: nothing is claimed about it.",
        "没有训练过的方案也可能更好：对它们不作任何断言。",
    )
    return [
        Finding(
            id="finalists",
            kind="finalists",
            **asked("finalists", "no"),
            claim=evidence.claim,
            severity="evidence",
            sentence=sentence,
            estimates=estimates,
            assumptions=[
                Assumption(
                    name=text(
                        "What comes first with {f} also comes first with {o}",
                        "在 {f} 中领先的模型，用 {o} 也会领先",
                        f=first,
                        o=", ".join(others),
                    ),
                    outcome="unchecked",
                    detail=text(
                        "It often does, and not always. The models were chosen on the folds that also score the others.",
                        "通常如此，但并非总是。挑选模型所用的折，也用于给其余方案评分。",
                    ),
                )
            ],
            candidates=[candidate.id for candidate in untried],
            next=[
                text(
                    "To try them too: --set design.finalists={n}{b}; {k} is kept.",
                    "若也要尝试它们：--set design.finalists={n}{b}；{k}会保留。",
                    k=text("what is recorded", "已有记录")
                    if results.less is None
                    else text("what heads have recorded", "已有的线性头记录"),
                    n=len(models),
                    b="" if spec.design.budget is None else f" --set design.budget={longer_budget(spec.design.budget)}",
                )
            ],
            table=[{"candidate": candidate.label} for candidate in untried],
        )
    ]


def _state(results: Results, final: Sequence[str], *, one: bool) -> Text:
    """Whether the other recipes ran with all finalists: some may have to wait, others were given up for want of time (the finding on time says so)."""
    if any(name in results.unfinished for name in (c.id for c in results.candidates if c.model in final)):
        return text("is to run" if one else "are to run", "")
    first = {candidate.id for candidate in with_first_recipe(results.spec, results.candidates)}
    trained = {candidate.model for candidate in results.candidates if candidate.id not in first}
    if trained.issuperset(final):
        return text("ran", "")
    return text("was to run" if one else "were to run", "原定")


def _was_passed_over(results: Results, model: str) -> bool:
    """Whether it is said that there was no time for it."""
    sentence = results.skipped.get("passed-over", Text("", "")).en
    return re.search(rf"(?<![^ ,]){re.escape(model)}(?![^ ,])", sentence) is not None


def _nowhere(models: Sequence[str], recipes: Sequence[str]) -> Text:
    """ "mobilenetv2 was not trained with last-stage or finetune." """
    named = join_texts(recipes, " or ", "、")
    if len(models) == 1:
        return text("{m} was not trained with {o}.", "没有用 {o} 训练 {m}。", m=models[0], o=named)
    return text("None of the {n} models was trained with {o}.", "{n} 个模型都没有用 {o} 训练。", n=len(models), o=named)


def _left_out(evidence: Evidence, model: str, final: list[str], index: int, estimates: dict) -> Text:
    """ "Left out: mobilenetv2, 3.1 points [1.0, 5.2] behind lite0 × probe." """
    results = evidence.results
    heads = {one.id: one.model for one in with_first_recipe(results.spec, results.candidates)}
    order = [name for name in evidence.ranked if name in heads]
    name = next((name for name in order if heads[name] == model), None)
    if name is None:
        return text("Left out: {m}, which has no score.", "未采用：{m}，它没有得分。", m=model)
    after = order[order.index(name) :]
    if not final or _was_passed_over(results, model):
        return Text("", "")  # the plan's own reason says that time was short
    if any(heads[other] in final for other in after):
        return text(
            "Left out: {m}, which came first only with repeats that ran after this was decided.",
            "未采用：{m}，它是在作出选择之后才运行的重复中领先的。",
            m=model,
        )
    assert evidence.comparisons is not None  # two of the order
    behind = turned(gain_of(evidence.comparisons.of(name, order[0]), evidence.metric))
    estimates[f"behind_{index + 1}"] = behind
    return text(
        "Left out: {m}, {d} behind {a}.",
        "未采用：{m}，落后 {a} {d}。",
        m=model,
        d=amount(behind),
        a=evidence.label(order[0]),
    )
