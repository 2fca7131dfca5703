"""One table of texts: CSV, TSV, JSON lines, Parquet, or lines that begin with a label.

Before it: a path. After it: `text_sources.py` makes rows of it. Cells are a stranger's: they are kept as they are.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from weigh.data.encoding import read_text
from weigh.data.listing import natural_key
from weigh.data.records import Record, parse_json_lines, parse_separated, quotes_matter
from weigh.data.tables import Columns, as_cell, columns_as_text, nearest_columns, read_frame
from weigh.data.text_roles import LAYOUTS, Roles, first_is_header, guess_roles
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.spec import ColumnsSpec

__all__ = ["TextTable", "columns_of_texts", "read_text_table"]

FASTTEXT = re.compile(r"__label__(\S+)\s+(.*)", re.DOTALL)
TREC = re.compile(r"([A-Z]{2,}):(\w+)\s+(.*)", re.DOTALL)
FIRST_WORD = re.compile(r"(\S{1,30})\s+(.*)", re.DOTALL)
MOST_FIRST_WORDS = 20


@dataclass
class TextTable:
    """Rows of one file.

    Attributes:
        lines: Line number of every row, from 1 (of Parquet: row number).
        columns: Every column as text, None where a cell is empty.
        roles: Which columns are texts and label; the label is None where there is none (a test part kept secret).
        named: False where columns are numbered from 1, since the file has no header.
        layout: How the file is written, for people: "TSV", "TREC lines", …
        encoding: What the file was read as.
        broken: Lines that do not fit the others, and why.
    """

    path: Path
    lines: list[int]
    columns: Columns
    roles: Roles
    named: bool
    layout: str
    encoding: str = "UTF-8"
    broken: dict[int, str] = field(default_factory=dict)


def read_text_table(
    path: Path, columns: ColumnsSpec, *, limit: int | None = None, roles: Roles | None = None
) -> TextTable:
    """Read a table and tell its columns.

    Args:
        columns: Names that were given; others are guessed.
        limit: Look at the first so many bytes only.
        roles: What the training file had: taken where those columns are here.

    Raises:
        DataError: Not readable, or without a column of texts; or a named column is missing.
    """
    suffix = path.suffix.casefold()
    if suffix in (".parquet", ".pq"):
        cells = columns_as_text(read_frame(path))
        rows = len(next(iter(cells.values()), []))
        table = TextTable(path, list(range(1, rows + 1)), cells, Roles((), None), True, "Parquet")
    else:
        content, encoding = read_text(path, limit=limit)
        if suffix in (".jsonl", ".ndjson", ".json"):
            table = _from_json(path, content)
        else:
            table = _from_lines(path, content, columns)
        table.encoding = encoding
    table.roles = columns_of_texts(table, columns, roles)
    return table


def columns_of_texts(table: TextTable, columns: ColumnsSpec, before: Roles | None = None) -> Roles:
    """Texts and label: named by the user, else as in the training file, else known by the layout, else guessed.

    Raises:
        DataError: A named column is missing, or no column holds texts.
    """
    found, names = table.columns, list(table.columns)
    guessed = table.roles if table.roles.text else guess_roles(found)
    if before is not None and all(name in found for name in before.text):
        guessed = Roles(before.text, before.label if before.label in found else None)
    given = [("text", columns.text), ("text_pair", columns.text_pair)]
    if columns.label != "label":
        given.append(("label", columns.label))
    for role, name in given:
        if name is not None and name not in found and not (role == "label" and before is not None):
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
    label = columns.label if columns.label in found else guessed.label
    if label in texts:
        label = guess_roles({n: c for n, c in found.items() if n not in texts}).label
    if not texts:
        raise no_texts(table.path, names)
    return Roles(texts, label)


def no_texts(path: Path | str, names: list[str]) -> DataError:
    """No column looks like texts."""
    return DataError(
        text("No column of {t} holds texts ({c}).", "{t} 中没有文本列（{c}）。", t=path, c=", ".join(names) or "–"),
        do=text(
            "Name it: --set data.text=NAME --set data.label=NAME",
            "请指明：--set data.text=列名 --set data.label=列名",
        ),
    )


def _from_json(path: Path, content: str) -> TextTable:
    broken: dict[int, str] = {}
    rows: list[tuple[int, dict]] = []
    if content.lstrip()[:1] == "[":
        try:
            listed = json.loads(content)
        except (ValueError, RecursionError):
            listed = None
        if not isinstance(listed, list):
            raise DataError(text("{t} is not valid JSON.", "{t} 不是有效的 JSON。", t=path))
        rows = [(n, row) for n, row in enumerate(listed, 1) if isinstance(row, dict)]
    else:
        for line, row in parse_json_lines(content):
            if row is None:
                broken[line] = "JSON"
            else:
                rows.append((line, row))
    names = dict.fromkeys(str(name) for _, row in rows for name in row)
    cells = {name: [as_cell(row.get(name)) for _, row in rows] for name in names}
    return TextTable(path, [line for line, _ in rows], cells, Roles((), None), True, "JSON", broken=broken)


def _from_lines(path: Path, content: str, columns: ColumnsSpec) -> TextTable:
    lines = [line for line in content.split("\n") if line.strip()]
    if not lines:
        raise DataError(text("{t} is empty.", "{t} 为空。", t=path))
    sample = lines[:2000]
    for title, pattern, names, roles in (
        ("fastText", FASTTEXT, ("label", "text"), Roles(("text",), "label")),
        ("TREC", TREC, ("label", "fine", "text"), Roles(("text",), "label")),
    ):
        if sum(pattern.match(line) is not None for line in sample) * 100 >= 95 * len(sample):
            return _by_pattern(path, content, title, pattern, names, roles)
    tabs = sum("\t" in line for line in sample) * 10 >= 9 * len(sample)
    separator = "\t" if tabs else _separator(path, "\n".join(sample), columns)
    if separator is None:
        first_words = Counter(line.split(None, 1)[0] for line in sample)
        if 2 <= len(first_words) <= MOST_FIRST_WORDS and min(first_words.values()) > 1:
            return _by_pattern(path, content, "lines", FIRST_WORD, ("label", "text"), Roles(("text",), "label"))
        raise DataError(
            text("The lines of {t} hold no label that can be told.", "无法从 {t} 的各行中辨认标签。", t=path),
            do=text("Give a table with a column of texts and one of labels.", "请提供含文本列和标签列的表格。"),
        )
    quoted = quotes_matter(content, separator)
    return _from_records(path, parse_separated(content, separator, quoted=quoted), columns, separator)


def _by_pattern(
    path: Path, content: str, title: str, pattern: re.Pattern[str], names: tuple[str, ...], roles: Roles
) -> TextTable:
    rows, broken = [], {}
    for record in parse_separated(content, "\n", quoted=False):
        match = pattern.fullmatch(record.cells[0].strip())
        if match:
            rows.append((record.line, match.groups()))
        else:
            broken[record.line] = title
    cells: Columns = {name: [row[i] for _, row in rows] for i, name in enumerate(names)}
    return TextTable(path, [line for line, _ in rows], cells, roles, True, title, broken=broken)


def _separator(path: Path, sample: str, columns: ColumnsSpec) -> str | None:
    """Comma or semicolon (tab and bar too), where most rows have one width; files not called CSV must also name their columns."""
    best: tuple[float, int, str] | None = None
    for separator in (",", ";", "\t", "|"):
        rows = parse_separated(sample, separator, quoted=True)
        widths = Counter(len(r.cells) for r in rows if not r.broken)
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        header = len(rows[0].cells)
        share = max(count if width > 1 else 0, widths[header] if header > 1 else 0) / len(rows)
        named = first_is_header([r.cells for r in rows], [n for n in (columns.text, columns.label) if n])
        if share > 0.5 and (".csv" in path.name.casefold() or (named and share > 0.9)):
            ranked = (round(share, 2), -(",;\t|".index(separator)), separator)
            best = ranked if best is None or ranked > best else best
    return best[2] if best else None


def _from_records(path: Path, records: list[Record], columns: ColumnsSpec, separator: str) -> TextTable:
    title = "TSV" if separator == "\t" else "CSV"
    sample = [r.cells for r in records[:2001] if not r.broken]
    layout = next((known for known in LAYOUTS if known.fits(sample)), None)
    named, open_ended, roles = True, False, Roles((), None)
    if layout is not None:
        names, title, roles, open_ended = list(layout.names), layout.title, layout.roles, True
    elif first_is_header(sample, [n for n in (columns.text, columns.text_pair, columns.label) if n]):
        names = _unique([c.strip() for c in records[0].cells])
        records = records[1:]
    else:
        width = Counter(len(cells) for cells in sample).most_common(1)[0][0] if sample else 0
        names, named = [str(i + 1) for i in range(width)], False
    rows, broken = [], {}
    for record in records:
        if record.broken:
            broken[record.line] = "quotes"
        elif len(record.cells) == len(names) or (open_ended and len(record.cells) > len(names)):
            rows.append(record)
        else:
            broken[record.line] = f"{len(record.cells)} ≠ {len(names)}"
    cells: Columns = {name: [r.cells[i] if r.cells[i] != "" else None for r in rows] for i, name in enumerate(names)}
    cells.pop("", None)  # another spelling of the label would explain every score
    return TextTable(path, [r.line for r in rows], cells, roles, named, title, broken=broken)


def _unique(names: list[str]) -> list[str]:
    """Names of a header, the second of two equal ones and empty ones numbered."""
    seen: dict[str, int] = {}
    unique = []
    for i, name in enumerate(names):
        name = name or f"({i + 1})"
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def describe(table: TextTable) -> Text:
    """Where texts and labels of a file come from, for people."""
    where = ", ".join(sorted(table.roles.text, key=natural_key))
    if table.named:
        return text("texts: {t}; labels: {l}", "文本：{t}；标签：{l}", t=where, l=table.roles.label or "–")
    return text(
        "no header; texts: column {t}; labels: column {l}",
        "没有表头；文本：第 {t} 列；标签：第 {l} 列",
        t=where,
        l=table.roles.label or "–",
    )
