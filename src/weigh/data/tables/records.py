"""Lines of a separated table as records: which line each begins on, how many it takes, and which lines are broken.

Before it: the characters of a file (`text_encoding.py`). After it: `table_files.py` makes columns of them. What no library of tables offers
is needed here: quotes that mean nothing (GLUE), quotes that do not close, line numbers, cells of any length.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from weigh.data.names import compose
from weigh.data.tables.text_encoding import split_lines

__all__ = ["SEPARATORS", "Record", "Shape", "find_shape", "parse_json_lines", "parse_separated", "quotes_matter"]

LONGEST_RECORD = 2_000  # lines of one quoted cell; beyond it the opening quote is a stray one
SAMPLE = 1_000  # lines that decide how a table is written
SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(r"\ufeff?\"?sep=(.)\"?")  # the first line that spreadsheets write for one another
PADDED = re.compile(r' +"((?:[^"]|"")*)" *')


class Record(NamedTuple):
    """One row.

    Attributes:
        line: Its first line, from 1.
        broken: Its quotes do not close; `cells` are then those of the line as it stands.
        lines: How many it takes.
    """

    line: int
    cells: list[str]
    broken: bool = False
    lines: int = 1


class Shape(NamedTuple):
    """How a separated table is written.

    Attributes:
        quoted: Cells may stand in double quotes.
        backslash: Inside of quotes, a quote is written \\" (Spark, MySQL) rather than doubled (RFC 4180).
    """

    separator: str
    quoted: bool = True
    backslash: bool = False


def parse_separated(content: str, separator: str, *, quoted: bool, backslash: bool = False) -> list[Record]:
    """Rows of separated cells; blank lines are left out.

    Args:
        quoted: Cells may stand in double quotes, hold separators and line breaks, and double their own quotes (RFC 4180). A row
            whose quotes do not close is broken, alone: reading goes on at the next line.
        backslash: Inside of quotes a backslash stands before quotes (and before itself).
    """
    lines = split_lines(content)
    if lines and SEPARATOR_LINE.fullmatch(lines[0]):
        lines[0] = ""
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
            cells, after = _quoted(lines, i, separator, backslash=backslash)
            whole = Record(i + 1, cells, lines=after - i)
            records.append(whole if after else Record(i + 1, lines[i].split(separator), broken=True))
            i = after or i + 1
    return records


def _quoted(lines: list[str], first: int, separator: str, *, backslash: bool) -> tuple[list[str], int]:
    """Cells of the row that begins at line `first`, and the line after it; 0 where the quotes make no row."""
    cells: list[str] = []
    i, at = first, 0
    while True:
        line = lines[i]
        padded = PADDED.match(line, at) if line.startswith(" ", at) else None
        if padded and (padded.end() == len(line) or line.startswith(separator, padded.end())):
            cells.append(padded[1].replace('""', '"'))  # "a", "b": a blank before the quotes
            if padded.end() == len(line):
                return cells, i + 1
            at = padded.end() + len(separator)
            continue
        if not line.startswith('"', at):
            end = line.find(separator, at)
            cell = line[at:] if end < 0 else line[at:end]
            cells.append(re.sub(r"\\([\"\\])", r"\1", cell) if backslash and '\\"' in cell else cell)
            if end < 0:
                return cells, i + 1
            at = end + len(separator)
            continue
        at += 1
        pieces: list[str] = []
        while True:
            end = line.find('"', at)
            slash = line.find("\\", at, end if end >= 0 else len(line)) if backslash else -1
            if slash >= 0 and line[slash + 1 : slash + 2] in ('"', "\\"):
                pieces += [line[at:slash], line[slash + 1]]
                at = slash + 2
            elif slash >= 0:
                pieces.append(line[at : slash + 1])
                at = slash + 1
            elif end < 0:  # the cell goes on in the next line
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
        at += len(line) - at - len(line[at:].lstrip(" ")) if line.startswith(" ", at) else 0
        if at == len(line):
            return cells, i + 1
        if not line.startswith(separator, at):
            return [], 0
        at += len(separator)


def find_shape(
    content: str,
    *,
    separators: Sequence[str] = SEPARATORS,
    wanted: Sequence[str] = (),
    suffix: str = "",
    backslash: bool = False,
) -> tuple[Shape, float] | None:
    """How a table is written, and the share of its first lines that have one width; None where no separator gives two cells.

    Args:
        separators: The likelier ones first.
        wanted: Names that the header should hold.
        suffix: ".tsv" says tabs.
        backslash: Whether the training data are written so; a file without quotes inside of cells does not show it.
    """
    lines = [line for line in split_lines(content[:1_000_000]) if line.strip()][:SAMPLE]
    if lines and (separator_line := SEPARATOR_LINE.fullmatch(lines[0])):
        lines, separators = lines[1:], (separator_line[1],)
    head = "\n".join(lines)
    best: tuple[tuple, Shape, float] | None = None
    for place, separator in enumerate(separators):
        if not lines or separator not in head:
            continue
        shape = Shape(separator, *_quoting(head, separator, usual=backslash))
        records = parse_separated(head, *shape[:1], quoted=shape.quoted, backslash=shape.backslash)
        widths = Counter(len(r.cells) for r in (records[1:] or records) if not r.broken)
        if not widths:
            continue
        width, count = max(widths.items(), key=lambda one: (one[1], one[0]))
        first = [compose(cell).strip() for cell in records[0].cells]
        even = 2 if len(first) == width else 1 if len(first) == width - 1 > 1 else 0
        if max(width, len(first)) < 2 or (width < 2 and even == 0 and len(records) > 1):
            continue
        share = count / max(len(records) - 1, 1)
        names = sum(name in first for name in wanted)
        preferred = separator == "\t" and suffix == ".tsv"
        ranked = (names, even, round(share, 2), preferred, width > 1, -place)
        if best is None or ranked > best[0]:
            best = (ranked, shape, share)
    return (best[1], best[2]) if best else None


def _quoting(head: str, separator: str, *, usual: bool) -> tuple[bool, bool]:
    """Whether quotes wrap cells, and whether a backslash stands before quotes inside."""
    if '\\"' not in head or '"' not in head.replace('\\"', ""):
        return quotes_matter(head, separator), usual
    broken = {}
    for backslash in (False, True):
        records = parse_separated(head, separator, quoted=True, backslash=backslash)
        width = Counter(len(r.cells) for r in records).most_common(1)[0][0]
        broken[backslash] = len(records) - sum(not r.broken and len(r.cells) == width for r in records)
    if broken[True] < broken[False]:
        return True, True
    return quotes_matter(head, separator), False


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
    with_quotes = parse_separated("\n".join(lines), "\t", quoted=True)
    header = len(with_quotes[0].cells)
    with_quotes = with_quotes[1:] or with_quotes  # R writes a name less than there are columns
    read = Counter(len(r.cells) for r in with_quotes if not r.broken)
    width, right = read.most_common(1)[0] if read else (0, 0)
    fits = right * 100 >= 99 * len(with_quotes)
    if fits and all(lines[r.line - 1].startswith('"') for r in with_quotes):
        return True
    filled = [line for line in lines if line.strip()]
    widths = Counter(line.count("\t") + 1 for line in filled[1:] or filled)
    if len(widths) == 1:
        whole = [c for c in opened if len(c) > 1 and c.endswith('"') and '"' not in c[1:-1].replace('""', "")]
        cells = sum(line.count("\t") + 1 for line in filled)
        shown = (
            any('""' in c[1:-1] for c in whole) or len(whole) * 2 >= cells or (width == header != next(iter(widths)))
        )
        return (len(whole) == len(opened) or (fits and width == header != next(iter(widths)))) and shown
    return fits and width in (header, widths.most_common(1)[0][0])


def parse_json_lines(content: str) -> Iterator[tuple[int, dict | None]]:
    """Line number and object of every line that is not blank; None where the line is no JSON object."""
    for number, line in enumerate(split_lines(content), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            yield number, row if isinstance(row, dict) else None
