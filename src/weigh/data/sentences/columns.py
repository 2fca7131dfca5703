"""A token per line with its tag in another column, a blank line between sentences (CoNLL).

Before it: the characters of a file. After it: `files.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from weigh.data.sentences.blocks import Block, Blocks, are_numbers, are_tags
from weigh.data.sentences.objects import TAGS, TOKENS
from weigh.data.sentences.tags import parse_tag
from weigh.data.tables.text_encoding import split_lines
from weigh.spec import ColumnsSpec

__all__ = ["column_blocks", "column_tokens", "has_tagged_lines"]

LOOK = 2_000  # lines that decide which column holds the tags
USUAL = 0.9  # share of lines with one number of cells, from which on more cells are blanks inside of a token


def column_blocks(content: str, columns: ColumnsSpec) -> Blocks:
    """Sentences of a file of columns.

    Args:
        columns: `text` and `label` may be numbers of columns, from 1; default: the first, and the last that holds tags.
    """
    lines = split_lines(content)
    rows = [None if _is_break(line) else line for line in lines]
    separator = _separator(rows)
    cells = [None if row is None else _cells(row, separator) for row in rows]
    width = _width([c for c in cells if c is not None])
    token_at = int(columns.text) - 1 if columns.text and columns.text.isdecimal() else 0
    numbered = columns.label.isdecimal()
    tag_at = int(columns.label) - 1 if numbered else _tag_column([c for c in cells if c is not None], token_at)
    blocks = Blocks()
    whole = [c for c in cells if c is not None]
    if not numbered and tag_at != -1 and whole:
        usual = Counter(map(len, whole)).most_common(1)[0][0]
        blocks.columns = (f"{token_at + 1}", f"{usual + tag_at + 1}")
    readable = _readable([c[tag_at].strip() for c in whole if len(c) >= max(2, -tag_at, tag_at + 1)])
    if whole and _is_header(whole[0], token_at, tag_at):
        cells[next(i for i, c in enumerate(cells) if c is not None)] = None
    block = Block([], [], [])
    for number, (line, row) in enumerate(zip([*lines, ""], [*cells, None], strict=True), 1):
        if row is None:
            if block.lines:
                blocks.blocks.append(block)
            block = Block([], [], [])
            continue
        row = _joined(row, width, token_at, separator)
        try:
            token, tag = row[token_at], row[tag_at].strip()
        except IndexError:
            token, tag = "", ""
        # where tabs part the cells, a no-break space is a token
        if len(row) < 2 or not (token if separator == "\t" else token.strip(" ")) or not readable(tag):
            if line.startswith("# "):  # CoNLL-U: a comment between sentences
                continue
            blocks.bad[number] = line.strip()[:80]
        block.lines.append(number)
        block.tokens.append(token)
        block.tags.append(tag)
    blocks.positions = _have_positions([t for b in blocks.blocks for t in b.tokens])
    good = []
    for block in blocks.blocks:
        if any(n in blocks.bad for n in block.lines):
            blocks.left_out.append(block.lines[0])
        elif blocks.positions:
            good.append(block._replace(tokens=[re.sub(r"(?<=.)\d$", "", t) for t in block.tokens]))
        else:
            good.append(block)
    blocks.blocks = good
    return blocks


def column_tokens(content: str) -> list[tuple[str, ...]]:
    """The tokens of every sentence of such a file, whatever stands beside them: no line is left out."""
    rows = [None if _is_break(line) or line.startswith("# ") else line for line in split_lines(content)]
    separator = _separator(rows)
    cells = [None if row is None else _cells(row, separator) for row in rows]
    width = _width([c for c in cells if c is not None])
    sentences: list[tuple[str, ...]] = []
    tokens: list[str] = []
    for row in [*cells, None]:
        if row is not None:
            tokens.append(_joined(row, width, 0, separator)[0])
        elif tokens:
            sentences.append(tuple(tokens))
            tokens = []
    return sentences


def has_tagged_lines(content: str) -> bool:
    """Whether the first lines are tokens with tags in some column, most of them with as many cells as the others."""
    rows = [None if _is_break(line) else line for line in split_lines(content[:64_000])]
    filled = [row for row in rows if row is not None and not row.startswith("# ")]
    separator = _separator(rows)
    cells = [c for c in (_cells(row, separator) for row in filled) if len(c) > 1]
    if len(filled) < 3 or len(cells) < USUAL * len(filled):
        return False
    at = _tag_column(cells, 0)
    tags = [c[at].strip() for c in cells if len(c) >= -at]
    scheme = are_tags(tags)
    if scheme == "prefixed":
        return True
    usual = Counter(map(len, cells)).most_common(1)[0][1]
    return scheme == "bare" and None in rows[1:-1] and usual >= USUAL * len(filled)


def _is_break(line: str) -> bool:
    return not line.strip(" \t\r") or line.startswith("-DOCSTART-")


def _is_header(row: list[str], token_at: int, tag_at: int) -> bool:
    """Names of columns in the first line."""
    if len(row) < 2:
        return False
    token, tag = row[token_at].strip().lstrip("\ufeff").casefold(), row[tag_at].strip().casefold()
    return token in (*TOKENS, "form", "#") and tag in TAGS


def _separator(rows: Sequence[str | None]) -> str | None:
    """A tab where nearly all lines have one; else blanks."""
    filled = [row for row in rows if row is not None]
    return "\t" if sum("\t" in row for row in filled) * 10 >= 9 * len(filled) else None


def _cells(line: str, separator: str | None) -> list[str]:
    """Cells of a line; no-break spaces part nothing."""
    bare = line.rstrip(" \t\r")
    return bare.split(separator) if separator else re.split(r"[ \t]+", bare.lstrip(" "))


def _width(cells: Sequence[list[str]]) -> int:
    """Cells of the usual line; 0 where lines differ."""
    if not cells:
        return 0
    width, n = Counter(map(len, cells)).most_common(1)[0]
    return width if n >= USUAL * len(cells) else 0


def _joined(row: list[str], width: int, token_at: int, separator: str | None) -> list[str]:
    """A line with more cells than usual: its token holds blanks."""
    more = len(row) - width
    if separator is not None or not width or more <= 0 or token_at != 0:
        return row
    return [" ".join(row[: more + 1]), *row[more + 1 :]]


def _tag_column(cells: Sequence[list[str]], token_at: int) -> int:
    """The last column that holds tags, counted from the end (-1); the last one where none does."""
    sample = [c for c in cells[:LOOK] if len(c) > 1]
    width = min(map(len, sample), default=1)
    for at in range(-1, -width, -1):
        if at + width == token_at:
            break
        tags = [c[at].strip() for c in sample]
        if are_tags(tags) == "prefixed":
            return at
    for at in range(-1, -width, -1):
        if at + width != token_at and are_tags([c[at].strip() for c in sample]):
            return at
    return -1


def _readable(tags: Sequence[str]) -> Callable[[str], bool]:
    """Whether a cell is a tag, in the way that this file writes them."""
    if are_numbers(set(tags)):
        return str.isdecimal
    if are_tags(tags) != "bare":
        return lambda tag: parse_tag(tag) is not None
    return lambda tag: bool(tag) and not any(c.isspace() for c in tag)


def _have_positions(tokens: Sequence[str]) -> bool:
    """Whether tokens are characters with the digit of their place in a word ("科0", "技1"), as in Weibo NER."""
    marked = sum(len(t) == 2 and t[1].isdigit() and not t[0].isascii() for t in tokens)
    ended = sum(t[-1:].isdigit() for t in tokens)
    return len(tokens) >= 3 and marked * 2 >= len(tokens) and ended * 100 >= 98 * len(tokens)
