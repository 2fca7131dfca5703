"""What is said of entities that are given as spans of a text: those that do not fit it, how their numbers were counted, those that look shifted.

Before it: `objects.py`. After it: `files.py` refuses a file without a row with entities that can be read, `index.py` and `weigh read` say the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from weigh.data.rows.listing import set_aside
from weigh.data.sentences.blocks import Blocks
from weigh.data.sentences.offsets import Counting
from weigh.data.tables.label_studio import DISAGREE, UNANSWERED
from weigh.data.tables.prodigy import REJECTED
from weigh.errors import DataError
from weigh.language import Text, first_names, text
from weigh.problem import Problem

__all__ = ["UNFIT", "counting_notes", "doubted_spans", "span_problems", "unfit_error"]

LISTED = 5  # names of files in a sentence
MANY_CUT = 0.2  # share of entities that cut words, from which on it is said

COUNTED = text(
    "The numbers count characters from 0, and the second is that after the last character.",
    "编号从 0 起按字符计，第二个数为最后一个字符之后的位置。",
)


class _Unfit(NamedTuple):
    """What is wrong with the spans of a row (a part of a sentence), what to do, and the kind of the problem."""

    what: Text
    do: Text
    kind: str = "broken-row"


UNFIT = {
    "outside": _Unfit(
        text("an entity that holds no word, or lies outside its text", "实体不含任何词，或超出文本范围"),
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
    UNANSWERED: _Unfit(
        text("no finished annotation (not annotated, or skipped)", "没有已完成的标注（未标注或被跳过）"),
        text(
            "Where they are to count, annotate them in Label Studio and export again.",
            "若要使用它们，请在 Label Studio 中标注后重新导出。",
        ),
        "missing-label",
    ),
    REJECTED: _Unfit(
        text(
            "entities that were rejected, or a text that was ignored (Prodigy)", "在 Prodigy 中被拒绝的实体，或被忽略"
        ),
        text("Correct and accept them in Prodigy, then export again.", "请在 Prodigy 中更正并接受后重新导出。"),
        "missing-label",
    ),
    DISAGREE: _Unfit(
        text("annotations that contradict each other", "标注互相矛盾"),
        text(
            "Settle them: delete the annotations that do not count in Label Studio, and export again.",
            "请在 Label Studio 中删除不采用的标注以统一结果，再重新导出。",
        ),
        "label-conflict",
    ),
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
        problems.append(set_aside(unfit.kind, sentence, rows, unfit.do))
    return problems


def unfit_error(path: Path, unfit: dict[int, str]) -> DataError:
    """No row with entities of a file can be used: their spans do not fit their text."""
    words = list(unfit.values())
    usual = max(UNFIT, key=words.count)
    first = next(number for number, word in unfit.items() if word == usual)
    return DataError(
        text(
            "No text with entities in {p} can be used: {n} {n:|has|have} {w} (first: row {f}).",
            "{p} 中没有可用的含实体文本：有 {n} 个{w}（第一个：第 {f} 行）。",
            p=path,
            n=words.count(usual),
            w=UNFIT[usual].what,
            f=first,
        ),
        do=UNFIT[usual].do,
    )


def span_problems(files: Sequence[tuple[str, Blocks]]) -> list[Problem]:
    """What is said of the entities of some files that are given as spans: (name of a file, what it holds)."""

    def rows(of_file: Callable[[Blocks], Iterable[tuple[int, str]]]) -> list[tuple[str, str]]:
        return [(f"{name}:{number}", what) for name, blocks in files for number, what in of_file(blocks)]

    return [
        *unfit_rows(rows(lambda blocks: blocks.unfit.items())),
        *counting_notes([(name, blocks.counting) for name, blocks in files]),
        *doubted_spans(
            sum(blocks.entities for _, blocks in files),
            rows(lambda blocks: blocks.cut),
            rows(lambda blocks: blocks.other_texts),
            rows(lambda blocks: blocks.absent_texts),
        ),
    ]


def counting_notes(countings: Sequence[tuple[str, Counting]]) -> list[Problem]:
    """How the numbers of entities are read in files where they do not count as usual, for each way of counting: (file, way)."""
    ways: dict[tuple[str, bool], list[tuple[str, Counting]]] = {}
    for name, counting in countings:
        if counting.title is not None:
            ways.setdefault((counting.title.en, counting.sure), []).append((name, counting))
    return [_counting_note([name for name, _ in files], files[0][1]) for files in ways.values()]


def _counting_note(files: Sequence[str], way: Counting) -> Problem:
    sentence = text(
        "The numbers of entities are read as {t} ({f}): so they fit the {w}.",
        "实体的位置编号按“{t}”读取（{f}）：这样与{w}相符。",
        t=way.title,
        f=first_names(files, LISTED),
        w=text("texts that are given with them", "随附的实体文本") if way.sure else text("borders of words", "词的边界"),
    )  # fmt: skip
    if way.sure:
        return Problem("offsets", sentence, severity="note")
    why = text("Wrongly read, entities begin and end at other letters.", "若读法有误，实体的起止位置就会错位。")
    do = text(
        'If that is wrong, write the text of each entity beside its numbers ("text": "…"): it then decides.',
        '如有误，请在编号旁写出每个实体的文本（"text": "…"），即以此为准。',
    )
    return Problem("offsets", sentence, why=why, do=do)


def doubted_spans(
    entities: int,
    cut: Sequence[tuple[str, str]],
    other: Sequence[tuple[str, str]],
    absent: Sequence[tuple[str, str]],
) -> list[Problem]:
    """Entities that are not the text given with them, and many that begin or end inside of a word: (where, what is to be seen).

    Args:
        other: The text given with them stands elsewhere in the sentence.
        absent: It stands nowhere in it.
    """
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
        why = text("Their numbers are probably shifted; then other words count as the entities.", "其编号很可能错位，算作实体的就成了别的词。")  # fmt: skip
        problems.append(_problem("span-text", sentence, other, "warning", why, COUNTED))
    if absent:
        sentence = text(
            "Entities given with a text that stands nowhere in their sentence: {n} of {t} (first: {f}, {w}); their numbers count.",
            "有 {n} 个实体（共 {t} 个）随附的文本在句中并不存在（第一个：{f}，{w}），以编号为准。",
            n=len(absent),
            t=entities,
            f=absent[0][0],
            w=absent[0][1],
        )
        why = text("A name in another form changes nothing; the text of another row would mean wrong entities.", "若只是名称写法不同则无妨；若来自别的行，实体就是错的。")  # fmt: skip
        do = text("Look at some of these rows.", "请抽查这些行。")
        problems.append(_problem("span-text", sentence, absent, "note", why, do))
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
