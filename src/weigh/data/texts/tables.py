"""One table of texts: CSV, TSV, JSON lines, Parquet, or lines that begin with a label.

Before it: a path. After it: `sources.py` makes rows of it. Cells are a stranger's: they are kept as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from weigh.data.rows.columns import nearest_columns
from weigh.data.rows.listing import natural_key
from weigh.data.tables.cells import Columns
from weigh.data.tables.records import Shape, find_shape, parse_json_lines, parse_separated
from weigh.data.tables.roles import LABELS, LAYOUTS, Layout, Roles, first_is_header, guess_roles
from weigh.data.tables.several_labels import label_columns
from weigh.data.tables.table_files import (
    JSON,
    PARQUET,
    TableFile,
    is_written_as,
    json_table,
    read_table,
    separated_table,
)
from weigh.data.tables.text_encoding import read_text, split_lines
from weigh.data.written import Written
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.spec import ColumnsSpec

__all__ = [
    "LINE_LAYOUTS",
    "columns_of_texts",
    "describe_columns",
    "is_json_lines",
    "known_layout_table",
    "read_text_table",
    "rows_by_pattern",
    "written_as",
]

FASTTEXT = re.compile(r"__label__(\S+)\s+(.*)", re.DOTALL)
TREC = re.compile(r"([A-Z]{2,}):(\w+)\s+(.*)", re.DOTALL)
FIRST_WORD = re.compile(r"(\S{1,30})\s+(.*)", re.DOTALL)
MOST_FIRST_WORDS = 20


class LineLayout(NamedTuple):
    """Lines that begin with a label.

    Attributes:
        pattern: Its groups are the columns.
        names: Of the groups.
    """

    title: str
    pattern: re.Pattern[str]
    names: tuple[str, ...]


LINE_LAYOUTS = {
    layout.title: layout
    for layout in (
        LineLayout("fastText", FASTTEXT, ("label", "text")),
        LineLayout("TREC", TREC, ("label", "fine", "text")),
        LineLayout("lines", FIRST_WORD, ("label", "text")),
    )
}


def read_text_table(
    path: Path,
    columns: ColumnsSpec,
    *,
    limit: int | None = None,
    roles: Roles | None = None,
    encoding: str | None = None,
) -> TableFile:
    """Read a table and tell its columns.

    Args:
        columns: Names that were given; others are guessed.
        limit: Look at the first so many bytes only.
        roles: What the training file had: taken where those columns are here.
        encoding: What the user says that the file is written in.

    Raises:
        DataError: Not readable, or without a column of texts; or a named column is missing.
    """
    wanted = _named(columns)
    if is_written_as(path, PARQUET):
        table = read_table(path, limit=limit)
    else:
        content, decoded = read_text(path, limit=limit, encoding=encoding)
        if is_written_as(path, JSON) or is_json_lines(content):
            table = json_table(path, content)
        else:
            table = _from_lines(path, content, wanted)
        table.encoding = decoded
    table.roles = columns_of_texts(table, columns, roles)
    return table


def _named(columns: ColumnsSpec) -> list[str]:
    return [n for n in (columns.text, columns.text_pair, columns.label if columns.label != "label" else None) if n]


def is_json_lines(content: str) -> bool:
    """Whether more than half of the first 20 lines are objects of JSON, and the first character is a brace."""
    head = content[:20_000].lstrip("\ufeff \r\n\t")
    first = [row for _, row in parse_json_lines(head[: head.rfind("\n") + 1 or None])][:20] if head[:1] == "{" else []
    return sum(row is not None for row in first) * 2 > len(first)


def columns_of_texts(table: TableFile, columns: ColumnsSpec, before: Roles | None = None) -> Roles:
    """Texts and label: named by the user, else as in the training file, else known by the layout, else guessed.

    Raises:
        DataError: A named column is missing, or no column holds texts.
    """
    cells, names = table.columns, list(table.columns)
    guessed = table.roles if table.roles.text else guess_roles(cells)
    marks = label_columns(cells, guessed.text)
    if guessed.label in marks and guessed.label is not None and guessed.label.casefold() not in LABELS:
        other = guess_roles({n: c for n, c in cells.items() if n not in (*marks, *guessed.text)}).label
        guessed = Roles(guessed.text, None, marks) if other is None or len(marks) > 2 else Roles(guessed.text, other)
    if table.chosen:  # what annotators chose is the label, not what came with the texts
        chosen = guess_roles({name: cells[name] for name in table.chosen}).label or table.chosen[0]
        guessed = Roles(guess_roles({n: c for n, c in cells.items() if n not in table.chosen}).text, chosen)
    if before is not None and all(name in cells for name in before.text):
        several = before.several if all(name in cells for name in before.several) else ()
        guessed = Roles(before.text, before.label if before.label in cells else None, several)
    named = [("text", columns.text), ("text_pair", columns.text_pair)]
    if columns.label != "label":
        named.append(("label", columns.label))
    for role, name in named:
        if name is not None and name not in cells and not (role == "label" and before is not None):
            raise DataError(
                text(
                    "data.{r}: {t} has no column '{n}'.", "data.{r}：{t} 中没有“{n}”列。", r=role, t=table.path, n=name
                )
                + nearest_columns(name, names),
                do=text(
                    "Say which column is which: --set data.text=NAME --set data.label=NAME (without a header: their numbers, from 1)",
                    "请指明各列：--set data.text=列名 --set data.label=列名（没有表头时写列号，从 1 开始）",
                ),
            )
    texts = (columns.text, *((columns.text_pair,) if columns.text_pair else ())) if columns.text else guessed.text
    if columns.text_pair and not columns.text:
        texts = (*[t for t in guessed.text if t != columns.text_pair][:1], columns.text_pair)
    named_label = columns.label in cells and (columns.label != "label" or not table.chosen)
    label = columns.label if named_label else guessed.label
    if label in texts:
        label = guess_roles({n: c for n, c in cells.items() if n not in texts}).label
    if not texts:
        raise no_texts(table.path, names)
    return Roles(texts, label, guessed.several if label is None else ())


def no_texts(path: Path | str, names: list[str]) -> DataError:
    """No column looks like texts."""
    return DataError(
        text("No column of {t} holds texts ({c}).", "{t} 中没有文本列（{c}）。", t=path, c=", ".join(names) or "–"),
        do=text(
            "Name it: --set data.text=NAME --set data.label=NAME",
            "请指明：--set data.text=列名 --set data.label=列名",
        ),
    )


def _from_lines(path: Path, content: str, wanted: Sequence[str]) -> TableFile:
    lines = [line for line in split_lines(content) if line.strip()]
    if not lines:
        raise DataError(text("{t} is empty.", "{t} 为空。", t=path))
    sample = lines[:2000]
    for title in ("fastText", "TREC"):
        if sum(LINE_LAYOUTS[title].pattern.match(line) is not None for line in sample) * 100 >= 95 * len(sample):
            return rows_by_pattern(path, content, LINE_LAYOUTS[title])
    shape = _shape(path, content, sample, wanted)
    if shape is None:
        spread = lines[:: max(1, len(lines) // 2000)]  # files may be sorted by label
        first_words = Counter(line.split(None, 1)[0] for line in spread)
        if 2 <= len(first_words) <= MOST_FIRST_WORDS and min(first_words.values()) > 1:
            return rows_by_pattern(path, content, LINE_LAYOUTS["lines"])
        raise DataError(
            text("The lines of {t} hold no label that can be told.", "无法从 {t} 的各行中辨认标签。", t=path),
            do=text("Give a table with a column of texts and one of labels.", "请提供含文本列和标签列的表格。"),
        )
    layout = _known_layout(content, shape)
    if layout is not None:
        return known_layout_table(path, content, shape, layout)
    return separated_table(path, content, shape, wanted)


def _shape(path: Path, content: str, sample: list[str], wanted: Sequence[str]) -> Shape | None:
    """How the table is written. Sentences hold commas too: a file that is not called CSV must also name its columns, or have tabs."""
    if sum("\t" in line for line in sample) * 10 >= 9 * len(sample):
        shaped = find_shape(content, separators=("\t",), wanted=wanted)
        return shaped[0] if shaped else None
    suffix = ".tsv" if is_written_as(path, (".tsv",)) else ""
    shaped = find_shape(content, wanted=wanted, suffix=suffix)
    if shaped is None:
        return None
    shape, share = shaped
    called_so = ".csv" in path.name.casefold() or bool(suffix)
    if called_so and share > 0.5:
        return shape
    first = parse_separated(sample[0], shape.separator, quoted=True)
    if called_so and first and len(first[0].cells) > 1 and first_is_header([first[0].cells], wanted):
        return shape
    rows = [
        r.cells for r in parse_separated("\n".join(sample), *shape[:1], quoted=shape.quoted, backslash=shape.backslash)
    ]
    return shape if share > 0.9 and first_is_header(rows, wanted) else None


def rows_by_pattern(path: Path, content: str, layout: LineLayout) -> TableFile:
    """Lines that begin with a label; those that do not are broken."""
    rows, broken = [], {}
    for number, line in enumerate(split_lines(content), 1):
        match = layout.pattern.fullmatch(line.strip())
        if match:
            rows.append((number, match.groups()))
        elif line.strip():
            broken[number] = layout.title
    cells: Columns = {name: [row[i] for _, row in rows] for i, name in enumerate(layout.names)}
    lines = [number for number, _ in rows]
    return TableFile(path, lines, cells, True, layout.title, broken=broken, roles=Roles(("text",), "label"))


def _known_layout(content: str, shape: Shape) -> Layout | None:
    head = "\n".join(split_lines(content[:500_000])[:2001])
    sample = [r.cells for r in parse_separated(head, shape.separator, quoted=shape.quoted) if not r.broken]
    return next((layout for layout in LAYOUTS if layout.fits(sample)), None)


def known_layout_table(path: Path, content: str, shape: Shape, layout: Layout) -> TableFile:
    """A table without a header whose columns are known by its looks (CoLA, STS-B); further cells are left out."""
    rows, broken = [], {}
    for record in parse_separated(content, shape.separator, quoted=shape.quoted):
        if record.broken or len(record.cells) < len(layout.names):
            broken[record.line] = "quotes" if record.broken else f"{len(record.cells)} ≠ {len(layout.names)}"
        else:
            rows.append(record)
    cells: Columns = {name: [r.cells[i] or None for r in rows] for i, name in enumerate(layout.names) if name}
    lines = [r.line for r in rows]
    return TableFile(path, lines, cells, True, layout.title, shape=shape, broken=broken, roles=layout.roles)


def written_as(table: TableFile) -> Written:
    """How a table is written whose roles are known."""
    roles, shape = table.roles, table.shape
    labels = (roles.label,) if roles.label is not None else roles.several
    first_words = {c for c in table.columns[labels[0]] if c} if table.layout == "lines" else ()
    return Written(
        table.layout, shape.separator if shape else "", shape.quoted if shape else True, table.named,
        table.header if table.header else tuple(table.columns), roles.text, labels, table.encoding, tuple(sorted(first_words)), shape is not None and shape.backslash,
    )  # fmt: skip


def describe_columns(table: TableFile) -> Text:
    """Where texts and labels of a file come from, for people."""
    where = ", ".join(sorted(table.roles.text, key=natural_key))
    label = table.roles.label or ", ".join(table.roles.several[:5]) or "–"
    if table.named:
        return text("texts: {t}; labels: {l}", "文本：{t}；标签：{l}", t=where, l=label)
    return text(
        "no header; texts: column {t}; labels: column {l}",
        "没有表头；文本：第 {t} 列；标签：第 {l} 列",
        t=where,
        l=table.roles.label or "–",
    )
