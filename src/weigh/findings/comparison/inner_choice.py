"""What did `auto` and `tuned` choose inside the training folds, how do the scores by which they chose compare with those that count, and at what cost?

The score of such a candidate is that of the cross-validation, in which choice and training are repeated without the test fold. The scores of the
choice itself are shown beside it and nowhere else: the best of several is too good.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np

from weigh.findings.amounts import amount, count, scaled
from weigh.findings.evidence import Evidence, read_evidence
from weigh.findings.model import Finding, Verdict
from weigh.findings.questions import asked
from weigh.findings.references import NADEAU_BENGIO
from weigh.findings.registry import FINDINGS
from weigh.language import Text, text
from weigh.plan.contenders import SEARCHED, searched_settings
from weigh.record.results import Results, RunRecord
from weigh.run import RECIPES
from weigh.stats.estimate import Estimate
from weigh.stats.interval import quantile

__all__ = ["find"]


@FINDINGS.named("inner-choice")
def find(results: Results) -> list[Finding]:
    """One finding for each candidate that chooses."""
    evidence = read_evidence(results)
    findings = []
    for candidate in results.candidates:
        runs = [run for run in results.runs(candidate=candidate.id) if run.facts.get("choice")]
        if runs and candidate.id in evidence.measured:
            findings.append(_finding(evidence, candidate.id, runs))
    return findings


def _finding(evidence: Evidence, name: str, runs: list[RunRecord]) -> Finding:
    label, metric, recipe = evidence.label(name), evidence.metric, evidence.results.candidate(name).recipe
    label = label if recipe in label else f"{recipe} ({label})"  # of a single recipe the label names the model alone
    searches = RECIPES.get(recipe).chooses == "settings"
    chosen = [_chosen(run, searches=searches) for run in runs]
    folds = evidence.measured[name].score().fold
    outer = np.array([folds[run.repeat, run.fold] for run in runs])
    inner = np.array([run.facts["choice"]["score"] for run in runs], dtype=float)  # None: NaN
    estimates = {"runs": count(len(runs), "runs")}
    sentence = _what(label, chosen, estimates, searches=searches) + _not_trained(runs, estimates, searches=searches)
    sentence += _not_searched(evidence, name, searches=searches)
    defined = ~(np.isnan(outer) | np.isnan(inner))
    if defined.any():
        gap = _gap((inner - outer)[defined], evidence)
        estimates |= {
            "optimism": gap,
            "inner_score": _mean(inner[defined], metric.unit),
            "outer_score": _mean(outer[defined], metric.unit),
        }
        sentence += _too_good(gap, estimates["inner_score"].value, estimates["outer_score"].value)
    sentence += _refit(evidence.results, name, searches=searches)
    return Finding(
        id=f"inner-choice:{name}",
        kind="inner-choice",
        **asked("inner-choice", _alike(chosen), c=label),
        claim=evidence.claim,
        severity="evidence",
        sentence=sentence,
        estimates=estimates,
        candidates=[name],
        table=[_row(run, float(own), float(score)) for run, own, score in zip(runs, inner, outer, strict=True)],
        references=[
            "Cawley & Talbot (2010), On over-fitting in model selection, JMLR 11",
            NADEAU_BENGIO,
        ],
        measured=_cost(label, runs),
    )


def _alike(chosen: list[str]) -> Verdict:
    """Whether all runs chose the same; a single one says nothing."""
    return "undecided" if len(chosen) < 2 else "yes" if len(set(chosen)) == 1 else "no"


def _chosen(run: RunRecord, *, searches: bool) -> str:
    """Name of the recipe, or of a search the settings in one line; "" for its defaults."""
    choice = run.facts["choice"]
    if not searches:
        return choice["recipe"]
    return ", ".join(f"{key} {value:g}" for key, value in sorted(choice["settings"].items()))


def _what(label: str, chosen: list[str], estimates: dict, *, searches: bool) -> Text:
    """ "auto chose probe in 4 of 5 runs, finetune in 1." """
    if searches:
        kept = sum(not one for one in chosen)
        estimates["kept_defaults"] = count(kept, "runs")
        if not kept:
            return text(
                "{c} took other settings than the defaults in {r}.",
                "{c} 在{r}中选用了非默认的设置。",
                c=label,
                r=text("all {n} runs", "全部 {n} 次运行", n=len(chosen))
                if len(chosen) > 1
                else text("the only run", "唯一的一次运行"),
            )
        return text(
            "{c} kept the default settings in {k} of {n} {n:|run|runs}, where nothing else that was tried was clearly better.",
            "{c} 在 {n} 次运行中有 {k} 次保留默认设置：在这些运行中，所试的其他设置都没有明显更好。",
            c=label,
            k=kept,
            n=len(chosen),
        )
    often = Counter(chosen).most_common()
    for index, (_, many) in enumerate(often):
        estimates[f"chosen_{index + 1}"] = count(many, "runs")
    (first, most), *others = often
    further = Text(
        "".join(f", {recipe} in {many}" for recipe, many in others),
        "".join(f"，{many} 次选择 {recipe}" for recipe, many in others),
    )
    return text(
        "{c} chose {r} in {k} of {n} {n:|run|runs}{o}.",
        "{c} 在 {n} 次运行中有 {k} 次选择 {r}{o}。",
        c=label,
        r=first,
        k=most,
        n=len(chosen),
        o=further,
    )


def _not_trained(runs: list[RunRecord], estimates: dict[str, Estimate], *, searches: bool) -> Text:
    """Which contenders failed, so that they could not be chosen, and why most often; nothing where all were trained."""
    tried = [(run.key, contender) for run in runs for contender in run.facts["choice"]["tried"]]
    failed = [(key, contender) for key, contender in tried if contender.get("cause") is not None]
    if searches and failed:
        estimates |= {"failed": count(len(failed), "runs"), "contenders": count(len(tried), "runs")}
        return text(
            "{k} of the {m} settings that were tried in all could not be trained ({w}).",
            "总共试过的 {m} 组设置中有 {k} 组未能训练（{w}）。",
            k=len(failed),
            m=len(tried),
            w=_cause(contender for _, contender in failed),
        )
    sentence = Text("", "")
    for number, recipe in enumerate(dict.fromkeys(contender["recipe"] for _, contender in failed), 1):
        own = [(key, contender) for key, contender in failed if contender["recipe"] == recipe]
        estimates[f"failed_{number}"] = count(len({key for key, _ in own}), "runs")
        sentence += text(
            "{r} could not be trained in {k} of {n} {n:|run|runs} ({w}), so it could not be chosen there.",
            "{r} 在 {n} 次运行中有 {k} 次未能训练（{w}），因此那时无法选择它。",
            r=recipe,
            k=len({key for key, _ in own}),
            n=len(runs),
            w=_cause(contender for _, contender in own),
        )
    return sentence


def _cause(failed: Iterable[dict]) -> str:
    """Why trainings failed most often."""
    return Counter(contender["cause"] or "?" for contender in failed).most_common(1)[0][0].rstrip(".。")


def _not_searched(evidence: Evidence, name: str, *, searches: bool) -> Text:
    """Which settings were searched, where that were not all: the user set some, or there was no time for more training."""
    spec = evidence.recipe(name) if searches else None
    searched = SEARCHED if spec is None else searched_settings(spec)
    if len(searched) == len(SEARCHED):
        return Text("", "")
    return text(
        "Of {a} only {s} {n:|was|were} searched.",
        "在 {a} 中只搜索了 {s}。",
        a=", ".join(SEARCHED),
        s=", ".join(searched),
        n=len(searched),
    )


def _gap(differences: np.ndarray, evidence: Evidence) -> Estimate:
    """How much better the inner scores are on average: Student's interval over runs, with the variance of Nadeau & Bengio (2003), for runs share
    training examples.
    """
    sign = (1.0 if evidence.metric.greater_is_better else -1.0) * scaled(1.0, evidence.metric).value
    values, ends = sign * differences, {}
    mean, folds = float(values.mean()), evidence.results.spec.design.folds
    if len(values) > 1:
        error = float(values.std(ddof=1)) * math.sqrt(1 / len(values) + 1 / (folds - 1))
        half = quantile(evidence.level, len(values) - 1) * error
        most = math.inf  # two scores cannot differ by more than the range that they have
        if evidence.metric.unit == "score":
            most = scaled(evidence.metric.highest - evidence.metric.lowest, evidence.metric).value
        ends = {"low": max(mean - half, -most), "high": min(mean + half, most), "level": evidence.level}
    base = scaled(0.0, evidence.metric, method="Student's t over runs, corrected for shared training examples")
    return base.model_copy(update={"value": mean, "n": len(values), "n_unit": "runs", **ends})


def _too_good(gap: Estimate, inner: float, outer: float) -> Text:
    """What the scores of the choice are worth."""
    sentence = text(
        "The scores by which it chose average {i:.3f}, those of the test folds {o:.3f}; the former are better by {g}.",
        "用于选择的得分平均为 {i:.3f}，测试折上的得分为 {o:.3f}；前者更好，相差 {g}。",
        i=inner,
        o=outer,
        g=amount(gap),
    )
    if gap.value <= 0:
        sentence = text(
            "The scores by which it chose average {i:.3f}, those of the test folds {o:.3f}; the former, of models trained on fewer examples, "
            "are not better ({g}).",
            "用于选择的得分平均为 {i:.3f}，测试折上的得分为 {o:.3f}；前者来自用较少样本训练的模型，并不更好（{g}）。",
            i=inner,
            o=outer,
            g=amount(gap),
        )
    elif gap.low is not None and gap.low > 0:
        sentence += text("They are too good, for they chose.", "它们偏乐观，因为它们正是挑选的依据。")
    else:
        sentence += text(
            "How much of that is chance and how much comes of having chosen by them cannot be told here.",
            "其中多少是偶然，多少来自以它们为挑选依据，这里无法判断。",
        )
    return sentence + text("Only those of the test folds count.", "只有测试折上的得分作数。")


def _refit(results: Results, name: str, *, searches: bool) -> Text:
    """What it chose on all training data."""
    for run in results.runs("refit", candidate=name):
        if run.facts.get("choice"):
            chosen = _chosen(run, searches=searches)
            if not chosen:
                return text("On all training data it kept the default settings.", "在全部训练数据上，它保留默认设置。")
            return text("On all training data it chose {r}.", "在全部训练数据上，它选择 {r}。", r=chosen)
    return Text("", "")


def _mean(values: np.ndarray, unit: str) -> Estimate:
    return Estimate(value=float(values.mean()), n=len(values), n_unit="runs", method="mean over runs", unit=unit)


def _row(run: RunRecord, inner: float, outer: float) -> dict:
    choice = run.facts["choice"]
    return {
        "repeat": run.repeat + 1,
        "fold": run.fold + 1,
        "recipe": choice["recipe"],
        **dict(sorted(choice["settings"].items())),
        "contenders": len(choice["tried"]),
        "inner_examples": choice["examples"],
        "inner_score": None if np.isnan(inner) else round(inner, 4),
        "score": None if np.isnan(outer) else round(outer, 4),
    }


def _cost(label: str, runs: list[RunRecord]) -> dict:
    """Seconds of the choice, and their share of the training of these runs."""
    spent = sum(run.measured.get("choice_seconds", 0.0) for run in runs)
    whole = sum(run.measured.get("train_seconds", 0.0) for run in runs)
    if not whole:
        return {}
    sentence = text(
        "Added up over these runs, choosing took {s} {s:|second|seconds}, {p:.0f} % of the training of {c} in the cross-validation; a refit chooses once more.",
        "这些运行的选择相加共耗时 {s} 秒，占 {c} 在交叉验证中训练时间的 {p:.0f} %；重新拟合时会再选择一次。",
        s=round(spent, 1) if spent < 100 else round(spent),
        p=100 * spent / whole,
        c=label,
    )
    return {
        "seconds": round(spent, 2),
        "share": round(spent / whole, 4),
        "sentence": sentence._asdict(),
    }
