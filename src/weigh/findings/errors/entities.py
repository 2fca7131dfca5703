"""What does it get wrong about entities? Missed, invented, of another type, with other borders; and which types it confuses.

Before it: the winner's out-of-fold entities. After it: `hardest.py`, which reports this beside the hardest sentences.

Every entity is matched with at most one of the other side: first those that are right, then those with the same borders, then
those of the same type that overlap, then any that overlap. What is left over was missed or invented.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.errors.mistakes import MISTAKES
from weigh.findings.evidence import Evidence
from weigh.findings.model import Figure, Finding
from weigh.findings.questions import asked
from weigh.kinds.spans import Spans
from weigh.language import text
from weigh.stats.estimate import Estimate

__all__ = ["NONE", "find_mistakes", "match_entities"]

Span = tuple[int, int, int]
NONE = "∅"  # stands for "no entity" beside the names of types, in every language
PAIRS_SHOWN = 40
ALL_PAIRS = 12  # types up to which pairs that never occurred are drawn as well


def _overlap(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]


RULES: tuple[tuple[str, Callable[[Span, Span], bool]], ...] = (
    ("right", lambda a, b: a == b),
    ("wrong type", lambda a, b: a[:2] == b[:2]),
    ("wrong border", lambda a, b: a[2] == b[2] and _overlap(a, b)),
    ("wrong type and border", _overlap),
)
MISSED, INVENTED = "missed", "invented"


def match_entities(true_spans: Sequence[Span], predicted_spans: Sequence[Span]) -> list[tuple[str, int, int]]:
    """(what happened, type in the data, predicted type) for every entity of one sentence; -1 where a side has none."""
    mine, theirs = list(dict.fromkeys(true_spans)), list(dict.fromkeys(predicted_spans))
    matches: list[tuple[str, int, int]] = []
    for name, fits in RULES:
        for a in list(mine):
            b = next((b for b in theirs if fits(a, b)), None)
            if b is not None:
                mine.remove(a)
                theirs.remove(b)
                matches.append((name, a[2], b[2]))
    return [*matches, *((MISSED, a[2], -1) for a in mine), *((INVENTED, -1, b[2]) for b in theirs)]


@MISTAKES.named(Spans.name)
def find_mistakes(evidence: Evidence, reader: str) -> list[Finding]:
    """The kinds of mistakes of `reader`, in the mean of its repeats; none where nothing is complete enough to count."""
    runs, present = evidence.out_of_fold[reader], evidence.measured[reader].present
    happened: Counter[tuple[str, int, int]] = Counter()
    sizes = present.sum(axis=1)  # repeats of fewer sentences are no repeats to average over
    repeats = np.flatnonzero((sizes == sizes.max(initial=0)) & (sizes > 0))
    for repeat in repeats.tolist():
        labels = runs.prediction(repeat).labels
        for i in np.flatnonzero(present[repeat]).tolist():
            happened.update(match_entities(runs.target[i], labels[i]))
    if not happened:
        return []
    of = dict.fromkeys((*(name for name, _ in RULES), MISSED, INVENTED), 0.0)
    for (name, _, _), number in happened.items():
        of[name] += number / len(repeats)
    entities = sum(of.values()) - of[INVENTED]
    one = {name: _amount(value) for name, value in of.items()}
    sentence = text(
        "Of {n} {n:|entity|entities} in the data{w} {c} finds {h} exactly; {m} it misses, {t} it finds with another type, {b} with other borders, {o} "
        "with both. {i} it invents.",
        "数据{w}中有 {n} 个实体，{c} 完全找对 {h} 个，漏掉 {m} 个，{t} 个类型不对，{b} 个边界不对，{o} 个两者都不对；另外凭空找出 {i} 个。",
        n=_amount(entities),
        w=text(" of the folds that were run", "（跑过的折）") if evidence.results.in_some_folds else text("", ""),
        c=evidence.label(reader),
        h=one["right"],
        m=one[MISSED],
        t=one["wrong type"],
        b=one["wrong border"],
        o=one["wrong type and border"],
        i=one[INVENTED],
    )
    if len(repeats) > 1:
        sentence += text("Numbers are means over {r} repeats.", "以上数字为 {r} 次重复的平均值。", r=len(repeats))
    classes = (*evidence.results.examples.classes, NONE)  # -1 is the last
    confused: Counter[tuple[int, int]] = Counter()
    for (_, a, b), number in happened.items():  # with the same borders or others
        if a >= 0 and b >= 0 and a != b:
            confused[a, b] += number
    estimates = {"entities": _mean(entities), "repeats": count(len(repeats), "repeats")}
    estimates |= {name.replace(" ", "_"): _mean(value) for name, value in of.items()}
    if confused:
        (a, b), often = confused.most_common(1)[0]
        number = often / len(repeats)
        estimates["most_confused"] = _mean(number)
        sentence += text(
            "The types most often confused: '{a}' taken for '{b}' ({k}).",
            "最常混淆的类型：把“{a}”当成“{b}”（{k} 个）。",
            a=classes[a],
            b=classes[b],
            k=_amount(number),
        )
    rows = [
        {"mistake": name, "given": classes[a], "predicted": classes[b], "n": round(number / len(repeats), 1)}
        for (name, a, b), number in happened.most_common()
        if name != "right"
    ]
    return [
        Finding(
            id="errors:entities",
            kind="errors",
            **asked("errors:entities", "yes"),
            sentence=sentence,
            estimates=estimates,
            candidates=[reader],
            figure=_figure(happened, classes, len(repeats)),
            table=rows[:PAIRS_SHOWN],
            references=["Tjong Kim Sang & De Meulder (2003), Introduction to the CoNLL-2003 Shared Task, CoNLL"],
        )
    ]


def _figure(happened: Counter[tuple[str, int, int]], classes: Sequence[str], repeats: int) -> Figure:
    cells: Counter[tuple[int, int]] = Counter()
    for (_, a, b), number in happened.items():
        cells[a, b] += number
    types = [*range(len(classes) - 1), -1]
    return Figure(
        kind="confusion",
        title=text(
            "Types of the entities, wherever their borders are ({n}: no entity)",
            "实体的类型，不论边界（{n}：没有实体）",
            n=NONE,
        ),
        rows=[
            {"given": classes[a], "predicted": classes[b], "n": round(cells[a, b] / repeats, 3)}
            for a in types
            for b in types
            if (a, b) != (-1, -1) and (cells[a, b] or len(types) <= ALL_PAIRS)
        ],
    )


def _amount(value: float) -> str:
    """A count, or a mean of counts with one digit."""
    return f"{value:.0f}" if value == round(value) else f"{value:.1f}"


def _mean(value: float) -> Estimate:
    return Estimate(value=value, method="mean count over repeats", unit="1")
