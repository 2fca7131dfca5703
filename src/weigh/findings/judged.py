"""Which classes does the score speak about? Those that stand in enough examples; of the others a single one decides.

Before it: `Kind.judged`, by which every score is restricted (`Metric.within`). After it: the headline names the numbers, this finding the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.evidence import Evidence
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.language import Text, text
from weigh.metrics.design import MeasuredDesign
from weigh.stats.estimate import Estimate

__all__ = ["Judged", "find_judged", "judged_classes", "say_judged"]

NAMED = 8  # classes in a sentence
RARE = 8.0  # points by which AP of rare classes was too high in simulated studies of 72 pictures
COMMON = 0.7  # the same of common ones


class Judged(NamedTuple):
    """The classes of a study, by whether the primary metric speaks about them.

    Attributes:
        names: Of those that it speaks about.
        rare: Of those that stand in too few, and in how many examples each stands; the most frequent first.
        without: Of those of which no box counts, as a metric of small ones leaves out what has none.
        least: In how many a class must stand.
    """

    names: list[str]
    rare: dict[str, int]
    without: list[str]
    least: int

    @property
    def all(self) -> int:
        return len(self.names) + len(self.rare) + len(self.without)


def judged_classes(evidence: Evidence) -> Judged | None:
    """Call it through `evidence.once`; None where the metric speaks about all classes whatever they are."""
    if evidence.metric.judged is None or evidence.winner is None:
        return None
    runs, classes = evidence.out_of_fold[evidence.winner], evidence.results.examples.classes
    number = runs.kind.members(runs.target, len(classes)).sum(axis=0)
    judged = runs.kind.judged(runs.target, len(classes))
    rare = {classes[c]: int(number[c]) for c in np.argsort(-number, kind="stable").tolist() if not judged[c]}
    able = np.flatnonzero(judged).tolist()
    counting = _counting(evidence.measured[evidence.winner], able)
    names, without = ([classes[c] for c in able if (c in counting) == has] for has in (True, False))
    return Judged(names, rare, without, runs.kind.fewest)


def _counting(design: MeasuredDesign, classes: Sequence[int]) -> set[int]:
    """Which of these classes have anything that the metric counts."""
    if design.metric.counting is None or not design.present.any():
        return set(classes)
    return set(design.metric.counting(design.statistics[design.present]).tolist())


def say_judged(evidence: Evidence, estimates: dict[str, Estimate]) -> Text:
    """The sentence of the headline on how many classes the score is a mean of."""
    judged = evidence.once(judged_classes)
    if judged is None:
        return text("", "")
    estimates["judged"] = count(len(judged.names), "classes")
    if judged.all == 1 and not judged.rare:
        return text("", "")
    estimates |= _numbers_without(judged)
    if judged.without and not judged.rare:
        estimates["classes"] = count(judged.all, "classes")
        return text(
            "It is the mean over {k} of {n} classes: the other {u} {u:|has|have} no box that counts in it.",
            "该得分是 {n} 个类别中 {k} 个的平均：其余 {u} 个类别没有计入该得分的框。",
            k=len(judged.names),
            n=judged.all,
            u=len(judged.without),
        )
    if not judged.rare:
        return text("It is the mean over all {k} classes.", "该得分是全部 {k} 个类别的平均。", k=judged.all)
    estimates |= {
        "classes": count(judged.all, "classes"),
        "not_judged": count(len(judged.rare), "classes"),
        "least": count(judged.least, "examples"),
    }
    if judged.without:
        return text(
            "It is the mean over {k} of {n} classes: {r} {r:|stands|stand} in fewer than {l} pictures and cannot be judged, {u} {u:|has|have} no box that counts in it.",
            "该得分是 {n} 个类别中 {k} 个的平均：{r} 个类别所在的图片不足 {l} 张，无法判断；{u} 个类别没有计入该得分的框。",
            k=len(judged.names),
            n=judged.all,
            r=len(judged.rare),
            l=judged.least,
            u=len(judged.without),
        )
    return text(
        "It is the mean over {k} of {n} classes: the other {r} {r:|stands|stand} in fewer than {l} pictures and cannot be judged.",
        "该得分是 {n} 个类别中 {k} 个的平均：其余 {r} 个类别所在的图片不足 {l} 张，无法判断。",
        k=len(judged.names),
        n=judged.all,
        r=len(judged.rare),
        l=judged.least,
    )


def find_judged(evidence: Evidence) -> list[Finding]:
    """One finding where the metric speaks about classes one by one: it always says which."""
    judged = evidence.once(judged_classes)
    if judged is None:
        return []
    estimates = {
        "judged": count(len(judged.names), "classes"),
        "classes": count(judged.all, "classes"),
        "least": count(judged.least, "examples"),
        "rare_bias": Estimate(value=RARE, method="simulated", unit="points"),
        "common_bias": Estimate(value=COMMON, method="simulated", unit="points"),
    }
    values = {"k": len(judged.names), "n": judged.all, "l": judged.least, "m": evidence.metric.title}
    sentence = text(
        "The {m} speaks about {k} of {n} classes, which stand in at least {l} pictures{s}."
        if judged.without
        else "The {m} speaks about {k} of {n} classes: those that stand in at least {l} pictures{s}.",
        "{m}涉及 {n} 个类别中的 {k} 个，均至少见于 {l} 张图片{s}。"
        if judged.without
        else "{m}涉及 {n} 个类别中的 {k} 个：即至少见于 {l} 张图片的类别{s}。",
        s=_listed(judged.names),
        **values,
    )
    estimates |= _numbers_without(judged)
    if judged.without:
        sentence += text(
            "Of {u} {u:|class|classes} no box counts in it{s}.",
            "有 {u} 个类别没有计入其中的框{s}。",
            u=len(judged.without),
            s=_listed(judged.without),
        )
    if judged.rare:
        estimates["not_judged"] = count(len(judged.rare), "classes")
        sentence += text(
            "It says nothing about {r} others{s}." if judged.without else "It says nothing about the other {r}{s}.",
            "对另外 {r} 个类别{s}则不作说明。" if judged.without else "对其余 {r} 个类别{s}则不作说明。",
            r=len(judged.rare),
            s=_listed(list(judged.rare)),
        )
    if evidence.metric.pooling == "rank":
        if evidence.measured[str(evidence.winner)].folds > 1:
            sentence += text(
                "Detections of different models are never put into one ranking: AP is taken within each fold and averaged over the folds.",
                "不同模型的检测结果从不放在一起排序：AP 在每一折内计算，再对各折取平均。",
            )
        sentence += text(
            "AP of classes with few objects comes out too high on average, the more the rarer a class is (by {c} to {r} points in simulated studies); in a "
            "difference of two candidates most of that cancels, in the score it does not.",
            "目标很少的类别，其 AP 平均偏高，类别越罕见偏高越多（在模拟研究中为 {c} 至 {r} 个百分点）；两个候选方案相减时这一偏差大多抵消，但在得分本身中不会。",
            c=f"{COMMON:g}",
            r=f"{RARE:g}",
        )
    return [
        Finding(
            id="performance:judged",
            kind="performance",
            **asked("performance:judged", "yes"),
            severity="detail",
            sentence=sentence,
            estimates=estimates,
            candidates=[str(evidence.winner)],
            table=[{"class": name, "examples": number, "note": "too few to tell"} for name, number in judged.rare.items()],
        )
    ]  # fmt: skip


def _numbers_without(judged: Judged) -> dict[str, Estimate]:
    return {"not_counted": count(len(judged.without), "classes")} if judged.without else {}


def _listed(names: list[str]) -> Text:
    """ " (car, dog, …)"; all of the rare ones stand in the table."""
    if not names:
        return text("", "")
    more = len(names) > NAMED
    return text(
        "{e}",
        "{z}",
        e=f" ({', '.join(names[:NAMED])}{', …' if more else ''})",
        z=f"（{'、'.join(names[:NAMED])}{'……' if more else ''}）",
    )
