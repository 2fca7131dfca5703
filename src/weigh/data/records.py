"""Lines of a table of texts as records: which line each begins on, and which lines are broken.

Before it: the characters of a file (`encoding.py`). After it: `text_tables.py` tells which column is which. Tables of pictures are
read by `tables.py`; texts need what no reader of tables offers: quotes that mean nothing (GLUE), no header, line numbers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from weigh.data.encoding import split_lines

__all__ = ["Record", "parse_json_lines", "parse_separated", "quotes_matter"]

LONGEST_RECORD = 2_000  # lines of one quoted cell; beyond it the opening quote is a stray one


class Record(NamedTuple):
    """One row. `line` counts from 1; `broken` says that its quotes do not close."""

    line: int
    cells: list[str]
    broken: bool = False


def parse_separated(content: str, separator: str, *, quoted: bool) -> list[Record]:
    """Rows of separated cells; blank lines are left out.

    Args:
        quoted: Cells may stand in double quotes, hold separators and line breaks, and double their own quotes (RFC 4180). A row
            whose quotes do not close is broken, alone: reading goes on at the next line.
    """
    lines = split_lines(content)
    if not quoted:
        return [Record(n, line.split(separator)) for n, line in enumerate(lines, 1) if line.strip()]
    records, i = [], 0
    while i < len(lines):
        if not lines[i].strip():
            i += 1
        elif '"' not in lines[i]:
            records.append(Record(i + 1, lines[i].split(separator)))
            i += 1
        else:
            cells, after = _quoted(lines, i, separator)
            records.append(Record(i + 1, cells if after else lines[i].split(separator), broken=not after))
            i = after or i + 1
    return records


def _quoted(lines: list[str], first: int, separator: str) -> tuple[list[str], int]:
    """Cells of the row that begins at line `first`, and the line after it; 0 where the quotes make no row."""
    cells: list[str] = []
    i, at = first, 0
    while True:
        line = lines[i]
        if not line.startswith('"', at):
            end = line.find(separator, at)
            cells.append(line[at:] if end < 0 else line[at:end])
            if end < 0:
                return cells, i + 1
            at = end + len(separator)
            continue
        at += 1
        pieces: list[str] = []
        while True:
            end = line.find('"', at)
            if end < 0:  # the cell goes on in the next line
                pieces += [line[at:], "\n"]
                i += 1
                if i >= len(lines) or i - first > LONGEST_RECORD:
                    return [], 0
                line, at = lines[i], 0
            elif line.startswith('""', end):
                pieces += [line[at:end], '"']
                at = end + 2
            else:
                pieces.append(line[at:end])
                at = end + 1
                break
        cells.append("".join(pieces))
        if at == len(line):
            return cells, i + 1
        if not line.startswith(separator, at):
            return [], 0
        at += len(separator)


def quotes_matter(content: str, separator: str) -> bool:
    """Whether double quotes wrap cells, judged from the first lines.

    Between commas they do. Between tabs they do only where every cell that begins with a quote ends with one and doubles those
    inside, and some cell shows it was needed; GLUE's files, and most of those of shared tasks, are written without quoting.
    """
    if separator != "\t":
        return True
    lines = split_lines(content[:1_000_000])
    opened = [cell for line in lines for cell in line.split("\t") if cell.startswith('"')]
    if not opened:
        return False
    widths = Counter(line.count("\t") for line in lines if line.strip())
    even = len(widths) == 1
    whole = [c for c in opened if len(c) > 1 and c.endswith('"') and '"' not in c[1:-1].replace('""', "")]
    if even:
        cells = sum(line.count("\t") + 1 for line in lines if line.strip())
        return len(whole) == len(opened) and (any('""' in c[1:-1] for c in whole) or len(whole) * 2 >= cells)
    wanted = widths.most_common(1)[0][0] + 1
    with_quotes = parse_separated("\n".join(lines), "\t", quoted=True)
    right = sum(not r.broken and len(r.cells) == wanted for r in with_quotes)
    return right * 100 >= 99 * len(with_quotes)


def parse_json_lines(content: str) -> Iterator[tuple[int, dict | None]]:
    """Line number and object of every line that is not blank; None where the line is no JSON object."""
    for number, line in enumerate(split_lines(content), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            yield number, row if isinstance(row, dict) else None
