"""One table, however it is written, as columns of text: CSV and its kin, JSON, Parquet; packed or not, with or without a header.

Before it: a path. After it: pictures (`pictures/tables.py`), texts (`texts/tables.py`), new texts (`texts/new_texts.py`) and predictions that others
made all read their tables here, so that the same file means the same everywhere. Nothing is dropped in silence: lines that do not
fit are in `broken`, header lines that come again in `repeated`, quotes that do not close in `literal`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from weigh.data.names import compose
from weigh.data.tables.cells import Columns, as_cell, columns_as_text
from weigh.data.tables.label_studio import tasks_of
from weigh.data.tables.parquet import read_parquet
from weigh.data.tables.prodigy import rows_of
from weigh.data.tables.records import Record, Shape, find_shape, parse_json_lines, parse_separated
from weigh.data.tables.roles import Roles, first_is_header, is_number
from weigh.data.tables.text_encoding import read_text, split_lines
from weigh.errors import DataError
from weigh.language import text

__all__ = [
    "JSON",
    "PARQUET",
    "TABLE_SUFFIXES",
    "TableFile",
    "broken_line",
    "is_written_as",
    "json_table",
    "read_table",
    "separated_table",
    "single_cells",
    "whole_table",
]

PARQUET = (".parquet", ".pq")
JSON = (".jsonl", ".ndjson", ".json")
TABLE_SUFFIXES = frozenset((".csv", ".tsv", *PARQUET, ".jsonl", ".ndjson"))
FEW_VALUES = 20
MOST_BEFORE = 20  # lines above a table


@dataclass
class TableFile:
    """Rows of one file.

    Attributes:
        lines: Line of every row, from 1 (of Parquet and of JSON lists: number of the row).
        columns: Every column as text, None where a cell is empty.
        named: False where columns are numbered from 1, since the file has no header.
        layout: How the file is written, for people: "TSV", "TREC lines", …
        encoding: What the file was read as.
        shape: Of separated cells.
        header: Names as they stand in the first line.
        broken: Lines that do not fit the others, and why.
        literal: Lines with a quote that does not close, read as they stand.
        repeated: Lines that repeat the header.
        chosen: Columns of what annotators chose (Label Studio, Prodigy): the labels are among them, whatever came with the texts.
        undecided: Of these: column -> lines without a settled answer, and why, as `label_studio.py` says it.
        doubled: Names that several columns have; all but the first of each are called "NAME (2)" …
        roles: Which columns are texts and label, for those who ask; the label is None where there is none.
    """

    path: Path
    lines: list[int]
    columns: Columns
    named: bool
    layout: str
    encoding: str = "UTF-8"
    shape: Shape | None = None
    header: tuple[str, ...] = ()
    broken: dict[int, str] = field(default_factory=dict)
    literal: list[int] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    chosen: tuple[str, ...] = ()
    undecided: dict[str, dict[int, str]] = field(default_factory=dict)
    roles: Roles = field(default_factory=lambda: Roles((), None))


def is_written_as(path: Path, suffixes: Sequence[str]) -> bool:
    """Whether a name ends so, also when packed ("new.CSV", "new.csv.gz")."""
    return path.name.casefold().removesuffix(".gz").endswith(tuple(suffixes))


def read_table(
    path: Path,
    wanted: Sequence[str] = (),
    *,
    limit: int | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> TableFile:
    """A table of any kind.

    Args:
        wanted: Names that the header should hold: they help to tell the separator.
        limit: Look at the first so many bytes only.
        encoding: What the user says that it is written in.
        header: Whether the first line names the columns; None: told from the lines.

    Raises:
        DataError: Not readable as such a table.
    """  # fmt: skip
    if is_written_as(path, PARQUET):
        table = _parquet(path, limit=limit)
        table.columns = {compose(name): column for name, column in table.columns.items()}
        return table
    content, encoding_found = read_text(path, limit=limit, encoding=encoding)
    if is_written_as(path, JSON):
        table = json_table(path, content)
    else:
        suffix = ".tsv" if is_written_as(path, (".tsv",)) else ""
        written = find_shape(content, wanted=wanted, suffix=suffix)
        shape = written[0] if written else Shape("\t" if suffix else ",")
        table = separated_table(path, content, shape, wanted, header=header)
    table.encoding = encoding_found
    table.columns = {compose(name): column for name, column in table.columns.items()}
    return table


def whole_table(table: TableFile) -> TableFile:
    """The table as it is, if every line could be read.

    Raises:
        DataError: A line does not fit; says which.
    """
    if table.broken:
        line, reason = next(iter(sorted(table.broken.items())))
        raise broken_line(table.path, line, reason, len(table.broken))
    return table


def broken_line(path: Path, line: int, reason: str, n: int = 1) -> DataError:
    """Line `line` is no row of the table."""
    cells, _, names = reason.partition(" ≠ ")
    what = (
        text("Line {l} of {t} has {a} {a:|cell|cells}; the header has {b}.", "{t} 的第 {l} 行有 {a} 个单元格，而表头有 {b} 个。", l=line, t=path, a=cells, b=names)
        if names
        else text("Line {l} of {t} is not a JSON object.", "{t} 的第 {l} 行不是 JSON 对象。", l=line, t=path)
        if reason == "JSON"
        else text("Line {l} of {t} has a quote that does not close.", "{t} 的第 {l} 行有未闭合的引号。", l=line, t=path)
    )  # fmt: skip
    if n > 1:
        what = what + text("There are {n} such lines.", "这样的行共有 {n} 行。", n=n)
    return DataError(
        what,
        text("One answer belongs to every row.", "每一行都应有一个结果。"),
        text(
            "Correct the line: a text that holds a separator, a quote or a line break stands in double quotes, its own quotes doubled.",
            "请更正该行：含分隔符、引号或换行的文本应放在双引号中，其中的引号写两遍。",
        ),
    )


# Separated cells ----------------------------------------------------------------------------------------------------


def separated_table(
    path: Path, content: str, shape: Shape, wanted: Sequence[str] = (), *, header: bool | None = None
) -> TableFile:
    """Rows of separated cells. Names of rows (R) and a separator at the end of every line are no columns."""
    records = parse_separated(content, shape.separator, quoted=shape.quoted, backslash=shape.backslash)
    title = "TSV" if shape.separator == "\t" else "CSV"
    if not records:
        return TableFile(path, [], {}, True, title, shape=shape)
    widths = Counter(len(r.cells) for r in records[1:2001] if not r.broken) or Counter((len(records[0].cells),))
    width = max(widths.items(), key=lambda one: (one[1], one[0]))[0]
    before: dict[int, str] = {}
    while (
        len(records) > 2
        and len(records[0].cells) == 1 < width
        and len(before) < MOST_BEFORE
        and not _one_name_less(records, [""], width)
    ):
        before[records[0].line] = f"1 ≠ {width}"  # what was written above the table
        records = records[1:]
    first = [compose(cell).strip().lstrip("\ufeff") for cell in records[0].cells]
    unnamed = _one_name_less(records, first, width)
    if header is None:
        header = unnamed or first_is_header([r.cells for r in records[:1001]], wanted)
    written: tuple[str, ...] = ()
    if header:
        written, records, names = tuple(first), records[1:], list(first)
        if unnamed:
            bare = all(not r.cells[-1].strip() for r in records if len(r.cells) == width)
            names = [*first, ""] if bare else ["", *first]
    else:
        names = [str(i + 1) for i in range(width)]
    if shape.quoted:
        records = _let_go(records, split_lines(content), shape.separator, len(names))
    table = TableFile(path, [], {}, header, title, shape=shape, header=written, broken=before)
    rows: list[list[str]] = []
    for record in records:
        cells = record.cells
        if header and len(cells) == len(written) and _plain(cells) == _plain(written):
            table.repeated.append(record.line)
            continue
        if len(cells) > len(names) and not any(c.strip() for c in cells[len(names) :]):
            cells = cells[: len(names)]  # separators at the end of a line
        if len(cells) != len(names):
            table.broken[record.line] = "quotes" if record.broken else f"{len(cells)} ≠ {len(names)}"
            continue
        if record.broken:
            table.literal.append(record.line)
        table.lines.append(record.line)
        rows.append(cells)
    table.doubled = [name for name, n in Counter(filter(None, names)).items() if n > 1]
    columns = {i: [cells[i] or None for cells in rows] for i in range(len(names))}
    for i, name in enumerate(_unique(names)):
        if names[i] or not _is_no_column(columns[i]):
            table.columns[name] = columns[i]
    return table


def _plain(names: Sequence[str]) -> list[str]:
    return [compose(name).strip().lstrip("\ufeff").casefold() for name in names]


def _one_name_less(records: list[Record], first: list[str], width: int) -> bool:
    """A first line with one cell less than the others is a header: over names of rows (R), or over lines that end with a separator.

    A comma inside of a text makes a cell more, too; but not in every line, and the next cell then begins with a blank.
    """
    others = [r.cells for r in records[1:1001] if not r.broken]
    if not 1 <= len(first) == width - 1 or sum(len(cells) == width for cells in others) * 100 < 95 * len(others):
        return False
    if all(not cells[-1].strip() for cells in others if len(cells) == width):
        return True
    names = [cells[0] for cells in others]
    blanks = sum(any(c.startswith(" ") for c in cells[1:]) for cells in others)
    return len(set(names)) == len(names) and blanks * 2 < len(others) and (len(first) > 1 or all(map(is_number, names)))


def _is_no_column(cells: list[str | None]) -> bool:
    """Whether cells without a name are no column: empty, or numbers of rows. (Another spelling of the label there would explain every score.)"""
    filled = [c for c in cells if c]
    return not filled or len(set(filled)) == len(cells)


def _let_go(records: list[Record], lines: list[str], separator: str, width: int) -> list[Record]:
    """Rows that a stray quote had swallowed: several lines that read as one cell, but of which each is a row of this table.

    A cell of several lines is right by the rules. It is rows where every line has the right number of cells, and a column that counts the
    rows goes on in them, or one of a few values holds such a value in each.
    """
    if not any(r.lines > 1 for r in records):
        return records
    alone = [r.cells for r in records if r.lines == 1 and not r.broken and len(r.cells) == width]
    few = {
        i: values for i in range(width) if len(alone) >= 10 and len(values := {c[i] for c in alone}) * 3 <= len(alone)
    }
    few = {i: values for i, values in few.items() if len(values) <= FEW_VALUES}
    freed: list[Record] = []
    for record in records:
        split = [lines[n].split(separator) for n in range(record.line - 1, record.line - 1 + record.lines)]
        before = freed[-1].cells if freed else []
        if (
            record.lines > 1
            and all(len(cells) == width for cells in split)
            and (
                any(_counts_on(before, split, i) for i in range(width))
                or (few and all(cells[i] in values for cells in split for i, values in few.items()))
            )
        ):
            freed += [Record(record.line + n, cells, broken='"' in "".join(cells)) for n, cells in enumerate(split)]
        else:
            freed.append(record)
    return freed


def _counts_on(before: list[str], rows: list[list[str]], i: int) -> bool:
    """Whether cell `i` of the rows counts on by ones from the row before them."""
    cells = [*([before[i]] if i < len(before) else []), *(row[i] for row in rows)]
    if len(cells) < 3 or not all(c.isascii() and c.isdigit() and len(c) < 15 for c in cells):
        return False
    return all(int(b) == int(a) + 1 for a, b in pairwise(cells))


def _unique(names: list[str]) -> list[str]:
    """Names of a header, the second of two equal ones and empty ones numbered."""
    seen: dict[str, int] = {}
    unique = []
    for i, name in enumerate(names):
        name = name or f"({i + 1})"
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def single_cells(content: str) -> list[tuple[int, str]]:
    """Line and cell of every row of a single column: a line is a cell, a blank line an empty one; quotes around a whole cell are taken off."""
    lines = split_lines(content)
    first = next(n for n, line in enumerate(lines) if line.strip())
    cells: list[tuple[int, str]] = []
    expected = first + 1
    for record in parse_separated("\n".join(lines), "\0", quoted=True):
        cells += [(line, "") for line in range(expected, record.line)]
        cells.append((record.line, record.cells[0]))
        expected = record.line + record.lines
    return cells + [(line, "") for line in range(expected, len(lines) + 1)]


# JSON and Parquet ---------------------------------------------------------------------------------------------------


def json_table(path: Path, content: str) -> TableFile:
    """A list of objects, or an object per line; "{"data": [...]}" is such a list too. Tasks of Label Studio are rows of their data.

    Raises:
        DataError: Neither.
    """
    broken: dict[int, str] = {}
    rows: list[tuple[int, dict]] = []
    start = content.lstrip()[:1]
    lined = [] if start == "[" else [row for _, row in parse_json_lines(content)]
    one_object = start == "{" and is_written_as(path, (".json",)) and (len(lined) == 1 or not any(lined))
    if start == "[" or one_object:
        listed = _listed(path, content)
        for n, row in enumerate(listed, 1):
            if isinstance(row, dict):
                rows.append((n, row))
            else:
                broken[n] = "JSON"
    else:
        for line, row in parse_json_lines(content):
            if row is None:
                broken[line] = "JSON"
            else:
                rows.append((line, row))
    if broken and not rows:
        raise broken_line(path, next(iter(broken)), "JSON", len(broken))
    lines, objects = [line for line, _ in rows], [row for _, row in rows]
    if (tasks := tasks_of(objects) or rows_of(objects)) is not None:
        objects = tasks.rows
    names = dict.fromkeys(str(name) for row in objects for name in row)
    if any(compose(name) != name for name in names):
        objects = [{compose(str(name)): value for name, value in row.items()} for row in objects]
        names = dict.fromkeys(map(compose, names))
    cells: Columns = {name: [as_cell(row.get(name)) for row in objects] for name in names}
    if tasks is None:
        return TableFile(path, lines, cells, True, "JSON", broken=broken)
    undecided = {name: {lines[i]: why for i, why in of_name.items()} for name, of_name in tasks.undecided.items()}
    return TableFile(path, lines, cells, True, tasks.tool, broken=broken, chosen=tasks.chosen, undecided=undecided)


def _listed(path: Path, content: str) -> list[Any]:
    try:
        listed = json.loads(content)
    except (ValueError, RecursionError) as error:
        where = f" ({error})" if isinstance(error, json.JSONDecodeError) else ""
        raise DataError(
            text("{t} is not valid JSON{w}.", "{t} 不是有效的 JSON{w}。", t=path, w=where),
            do=text("Write a list of objects, or one object per line.", "请写成对象列表，或每行一个对象。"),
        ) from None
    if isinstance(listed, dict):
        listed = _rows_of_object(listed)
    return listed


def _rows_of_object(whole: dict[str, Any]) -> list[Any]:
    """Rows of an object: a list in it, or one of the ways in which pandas writes a frame."""
    values, names = list(whole.values()), whole.get("columns")
    if isinstance(names, list) and isinstance(whole.get("data"), list):
        return [dict(zip(names, row, strict=False)) if isinstance(row, list) else row for row in whole["data"]]
    if len(values) > 1 and all(isinstance(v, list) for v in values) and len({len(v) for v in values}) == 1:
        return [dict(zip(whole, row, strict=True)) for row in zip(*values, strict=True)]
    if len(values) > 1 and all(isinstance(v, dict) for v in values):
        if all(v.keys() == values[0].keys() for v in values) and len(values) < len(values[0]):
            return [{name: column[key] for name, column in whole.items()} for key in values[0]]
        return values
    inner = [v for v in values if isinstance(v, list) and v and isinstance(v[0], dict)]
    return inner[0] if len(inner) == 1 else [whole]


def _parquet(path: Path, *, limit: int | None = None) -> TableFile:
    cells = columns_as_text(read_parquet(path, rows=None if limit is None else 2_000))
    rows = len(next(iter(cells.values()), []))
    repeated = [i for i in range(rows) if len(cells) > 1 and all(cells[name][i] == name for name in cells)]
    if repeated:
        cells = {name: [c for i, c in enumerate(column) if i not in set(repeated)] for name, column in cells.items()}
    left = [n for n in range(1, rows + 1) if n - 1 not in set(repeated)]
    return TableFile(path, left, cells, True, "Parquet", repeated=[i + 1 for i in repeated])
