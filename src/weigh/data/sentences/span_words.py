"""What is said of entities that are given as spans of a text: those that do not fit it, how their numbers were counted, those that look shifted.

Before it: `objects.py`. After it: `files.py` refuses a file none of whose rows can be read, `index.py` says the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from weigh.data.rows.listing import set_aside
from weigh.data.sentences.offsets import Counting
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.problem import Problem

__all__ = ["counting_note", "doubted_spans", "unfit_error", "unfit_rows"]

MANY_CUT = 0.2  # share of entities that cut words, from which on it is said

COUNTED = text(
    "The numbers count characters from 0, and the second is that after the last character.",
    "编号从 0 起按字符计，第二个数为最后一个字符之后的位置。",
)


class _Unfit(NamedTuple):
    """What is wrong with the spans of a row (a part of a sentence), and what to do."""

    what: Text
    do: Text


UNFIT = {
    "outside": _Unfit(
        text("an entity that is empty, or lies outside its text", "实体为空，或超出文本范围"),
        COUNTED + text("Correct them.", "请更正。"),
    ),
    "reversed": _Unfit(
        text("an entity that ends before it begins", "实体的结束位置在开始位置之前"),
        text("Put the smaller number first.", "请把较小的数写在前面。"),
    ),
    "overlap": _Unfit(
        text("entities that overlap (weigh gives each word one type)", "实体互相重叠（weigh 给每个词一种类型）"),
        text("Keep one of those that overlap.", "重叠的实体请只保留一个。"),
    ),
    "empty": _Unfit(text("no word in its text", "文本中没有词"), text("Delete these rows.", "请删除这些行。")),
}


def unfit_rows(named: Sequence[tuple[str, str]]) -> list[Problem]:
    """Rows that are set aside: (where, a word of `UNFIT`)."""
    problems = []
    for word, unfit in UNFIT.items():
        rows = [where for where, why in named if why == word]
        if not rows:
            continue
        sentence = text(
            "Texts with {w}: {n} (first: {f}); set aside.", "{w}的文本：{n} 个（第一个：{f}），已搁置。", w=unfit.what, n=len(rows), f=rows[0]
        )  # fmt: skip
        problems.append(set_aside("broken-row", sentence, rows, unfit.do))
    return problems


def unfit_error(path: Path, unfit: dict[int, str]) -> DataError:
    """No row of a file can be used, and the spans of most do not fit their text."""
    words = list(unfit.values())
    usual = max(UNFIT, key=words.count)
    first = next(number for number, word in unfit.items() if word == usual)
    return DataError(
        text(
            "No text of {p} can be used: {n} have {w} (first: row {f}).",
            "{p} 中没有可用的文本：有 {n} 个{w}（第一个：第 {f} 行）。",
            p=path,
            n=words.count(usual),
            w=UNFIT[usual].what,
            f=first,
        ),
        do=UNFIT[usual].do,
    )


def counting_note(countings: Sequence[Counting]) -> list[Problem]:
    """How the numbers of entities are read, where they do not count as usual."""
    other = next((counting for counting in countings if counting.title is not None), None)
    if other is None or other.title is None:
        return []
    sentence = text(
        "The numbers of entities are read as {t}: so they fit the {w}.",
        "实体的编号按“{t}”读取：这样与{w}相符。",
        t=other.title,
        w=text("texts that are given with them", "随附的实体文本") if other.sure else text("borders of words", "词的边界"),
    )  # fmt: skip
    if other.sure:
        return [Problem("offsets", sentence, severity="note")]
    why = text("Wrongly read, entities begin and end at other letters.", "若读法有误，实体的起止位置就会错位。")
    do = text(
        'If that is wrong, write the text of each entity beside its numbers ("text": "…"): it then decides.',
        '如有误，请在编号旁写出每个实体的文本（"text": "…"），即以此为准。',
    )
    return [Problem("offsets", sentence, why=why, do=do)]


def doubted_spans(entities: int, cut: Sequence[tuple[str, str]], other: Sequence[tuple[str, str]]) -> list[Problem]:
    """Entities that are not the text given with them, and many that begin or end inside of a word: (where, what is to be seen)."""
    problems = []
    if other:
        sentence = text(
            "Entities at whose place stands another text than the one given with them: {n} of {t} (first: {f}, {w}).",
            "有 {n} 个实体（共 {t} 个）所指位置的文本与随附的不同（第一个：{f}，{w}）。",
            n=len(other),
            t=entities,
            f=other[0][0],
            w=other[0][1],
        )
        why = text("Their numbers are probably shifted; what is learned are other words.", "其编号很可能错位，学到的是别的词。")  # fmt: skip
        problems.append(_problem("span-text", sentence, other, "warning", why, COUNTED))
    if cut and len(cut) >= MANY_CUT * entities:
        sentence = text(
            "Entities that begin or end inside of a word: {n} of {t} (first: {f}, '{w}').",
            "起点或终点落在词内的实体：{t} 个中有 {n} 个（第一个：{f}，“{w}”）。",
            n=len(cut),
            t=entities,
            f=cut[0][0],
            w=cut[0][1],
        )
        why = text("Right where words take endings; else their numbers are shifted.", "若词带有词尾则正常，否则说明编号错位。")  # fmt: skip
        problems.append(_problem("cut-word", sentence, cut, "warning", why, COUNTED))
    return problems


def _problem(
    kind: str, sentence: Text, rows: Sequence[tuple[str, str]], severity: Any, why: Text, do: Text
) -> Problem:  # fmt: skip
    details = tuple({"path": where, "text": seen} for where, seen in rows)
    paths = tuple(dict.fromkeys(where for where, _ in rows))
    return Problem(kind, sentence, paths, severity=severity, why=why, do=do, numbers={"n": len(rows)}, details=details)
