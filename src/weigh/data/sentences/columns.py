"""A token per line with its tag in another column, a blank line between sentences (CoNLL).

Before it: the characters of a file. After it: `files.py`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from weigh.data.sentences.blocks import Block, Blocks, are_numbered_tags, are_tags
from weigh.data.sentences.objects import TAGS, TOKENS, asked_names
from weigh.data.sentences.tables import SENTENCE
from weigh.data.sentences.tags import parse_tag, usual_spelling
from weigh.data.tables.text_encoding import split_lines
from weigh.spec import ColumnsSpec

__all__ = ["column_blocks", "column_tokens", "has_tagged_lines", "numbers_sentences", "unnamed_column"]

LOOK = 2_000  # lines that decide which column holds the tags
HEAD = 64_000  # characters that show what a file is
WORD_RANGE = re.compile(r"\d+[-.]\d+")
USUAL = 0.9  # share of lines with one number of cells, from which on more cells are blanks inside of a token


def column_blocks(content: str, columns: ColumnsSpec) -> Blocks:
    """Sentences of a file of columns.

    Args:
        columns: `text` and `label` may be numbers of columns, from 1, or names that the first line gives; default: the first, and the last that
            holds tags.
    """
    lines = split_lines(content)
    rows = [None if _is_break(line) else line for line in lines]
    separator = _separator(rows)
    cells = [None if row is None else _cells(row, separator) for row in rows]
    width = _width([c for c in cells if c is not None])
    counted = _count_words(_parted(rows, separator))
    if counted:
        cells = [None if row is None else _without_ranges(row) for row in cells]
    whole = [c for c in cells if c]
    token_at, tag_at = _token_and_tag(whole, first=1 if counted else 0)
    asked = asked_names(columns)
    token_place, tag_place = (_place(name, whole[0] if whole else []) for name in asked)
    if token_place is not None:
        token_at = token_place
        tag_at = _tag_column(whole, token_at)
    if tag_place is not None:
        tag_at = tag_place
    blocks = Blocks()
    if tag_place is None and (token_at, tag_at) != (0, -1) and whole:
        usual = Counter(map(len, whole)).most_common(1)[0][0]
        blocks.columns = (f"{token_at + 1}", f"{usual + tag_at + 1 if tag_at < 0 else tag_at + 1}")
    readable = _readable([c[tag_at].strip() for c in whole if len(c) >= max(2, -tag_at, tag_at + 1)])
    named = any(
        name and not name.isdecimal() and place is not None
        for name, place in zip(asked, (token_place, tag_place), strict=True)
    )
    if whole and (named or _is_header(whole[0], token_at, tag_at)):
        header = whole[0]
        headers = [i for i, row in enumerate(cells) if row == header]
        blocks.repeated = [i + 1 for i in headers[1:]]
        cells = [None if row == header else row for row in cells]
    block = Block([], [], [])
    for number, (line, row) in enumerate(zip([*lines, ""], [*cells, None], strict=True), 1):
        if row is None:
            if block.lines:
                blocks.blocks.append(block)
            block = Block([], [], [])
            continue
        if not row:  # several words in one, numbered "3-4" (CoNLL-U)
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


def column_tokens(content: str, asked: str | None = None) -> list[tuple[str, ...]]:
    """The tokens of every sentence of such a file, whatever stands beside them: no line is left out but names of columns.

    Args:
        asked: The column of tokens of the training data, where the user named or numbered it.
    """
    rows = [None if _is_break(line) or line.startswith("# ") else line for line in split_lines(content)]
    separator = _separator(rows)
    cells = [None if row is None else _cells(row, separator) for row in rows]
    width = _width([c for c in cells if c is not None])
    counted, tagged = _count_words(cells), has_tagged_lines(content)
    if counted:
        cells = [None if row is None else _without_ranges(row) for row in cells]
    whole = [c for c in cells if c]
    place = _place(asked, whole[0]) if whole else None
    if place is not None and sum(len(c) > place for c in whole) < USUAL * len(
        whole
    ):  # tokens alone, where training had more columns
        place = None
    token_at, tag_at = (
        _token_and_tag(whole, first=1 if counted else 0) if tagged and whole else (1 if counted else 0, None)
    )
    if place is not None:
        token_at = place
    named = place is not None and asked is not None and not asked.isdecimal()
    if (
        whole
        and len(whole[0]) > token_at
        and (named or (tag_at is not None and _is_header(whole[0], token_at, tag_at)))
    ):
        cells = [None if row == whole[0] else row for row in cells]
    sentences: list[tuple[str, ...]] = []
    tokens: list[str] = []
    for row in [*cells, None]:
        if row:
            tokens.append(_joined(row, width, token_at, separator)[min(token_at, len(row) - 1)])
        elif row is None and tokens:
            sentences.append(tuple(tokens))
            tokens = []
    return sentences


def has_tagged_lines(content: str) -> bool:
    """Whether the first lines are tokens with tags in some column, most of them with as many cells as the others."""
    rows = [None if _is_break(line) else line for line in split_lines(content[:HEAD])]
    filled = [row for row in rows if row is not None and not row.startswith("# ")]
    separator = _separator(rows)
    cells = [c for c in (_cells(row, separator) for row in filled) if len(c) > 1]
    if len(filled) < 3 or len(cells) < USUAL * len(filled):
        return False
    _, at = _token_and_tag(cells, first=1 if _count_words(_parted(rows, separator)) else 0)
    tags = [c[at].strip() for c in cells if len(c) >= max(-at, at + 1)]
    scheme = are_tags(tags)
    if scheme == "prefixed":
        return True
    usual = Counter(map(len, cells)).most_common(1)[0][1]
    return scheme == "bare" and None in rows[1:-1] and usual >= USUAL * len(filled)


def numbers_sentences(content: str) -> bool:
    """Whether the first line names a column of sentences beside one of tokens, and no blank line parts sentences: a table with tabs."""
    lines = split_lines(content[:HEAD].strip("\r\n"))
    if not lines or any(map(_is_break, lines)) or _separator(lines) is None:
        return False
    names = [name.strip().lstrip("\ufeff").strip('"').casefold() for name in lines[0].split("\t")]
    tokens = [name for name in names if name in TOKENS]
    return any(SENTENCE.search(name) and [name] != tokens for name in names) and bool(tokens)


def unnamed_column(content: str, columns: ColumnsSpec) -> str | None:
    """The setting ("text", "label") of a column that the user calls by a name which the first line does not give; None: there is none."""
    rows = [line for line in split_lines(content[:HEAD]) if not _is_break(line)]
    first = next((_cells(row, _separator(rows)) for row in rows), [])
    asked = zip(("text", "label"), asked_names(columns), strict=True)
    return next((role for role, name in asked if name is not None and _place(name, first) is None), None)


def _place(name: str | None, first: Sequence[str]) -> int | None:
    """Where a column stands that has this number, or that the first line calls so; None: it does not."""
    if name is None or name.isdecimal():
        return None if name is None else int(name) - 1
    called = [cell.strip().lstrip("\ufeff").casefold() for cell in first]
    return called.index(name.casefold()) if name.casefold() in called else None


def _parted(rows: Sequence[str | None], separator: str | None) -> list[list[str] | None]:
    """Cells of all lines but comments; None: the end of a sentence."""
    return [None if row is None else _cells(row, separator) for row in rows if row is None or not row.startswith("# ")]


def _count_words(cells: Sequence[list[str] | None]) -> bool:
    """Whether the first of several columns holds numbers (of words as in CoNLL-U, or of sentences), and the second the words."""
    whole = [row for row in cells if row and len(row) > 1]
    if len(whole) < 3 or Counter(map(len, whole)).most_common(1)[0][0] < 3:
        return False
    numbers = sum(row[0].isdecimal() or WORD_RANGE.fullmatch(row[0]) is not None for row in whole)
    words = sum(any(c.isalpha() for c in row[1]) for row in whole)
    return numbers >= USUAL * len(whole) and words * 2 >= len(whole)


def _without_ranges(row: list[str]) -> list[str]:
    """Nothing of a line that stands for several words, or for one that is not written (CoNLL-U: "3-4", "5.1")."""
    return [] if row and WORD_RANGE.fullmatch(row[0]) else row


def _token_and_tag(cells: Sequence[list[str]], first: int) -> tuple[int, int]:
    """Columns of tokens and tags: `first` holds tokens, unless the tags stand before them in the first of two columns."""
    tag_at = _tag_column(cells, first)
    sample = [c for c in cells[:LOOK] if len(c) > 1]
    if first or not sample or max(map(len, sample)) != 2 or are_tags([c[1].strip() for c in sample]):
        return first, tag_at
    return (1, 0) if are_tags([c[0].strip() for c in sample]) == "prefixed" else (first, tag_at)


def _is_break(line: str) -> bool:
    return not line.strip(" \t\r") or line.startswith("-DOCSTART-")


def _is_header(row: list[str], token_at: int, tag_at: int) -> bool:
    """Names of columns in the first line."""
    if len(row) < 2:
        return False
    token, tag = row[token_at].strip().lstrip("\ufeff").casefold(), row[tag_at].strip().casefold()
    return token in (*TOKENS, "form", "#") and tag in TAGS


def _separator(rows: Sequence[str | None]) -> str | None:
    """A tab where nearly all lines but comments have one; else blanks."""
    filled = [row for row in rows if row is not None and not row.startswith("# ")]
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
    if are_numbered_tags(set(tags)):
        return str.isdecimal
    if are_tags(tags) != "bare":
        usual = usual_spelling(tags)
        return lambda tag: parse_tag(usual.get(tag, tag)) is not None
    return lambda tag: bool(tag) and not any(c.isspace() for c in tag)


def _have_positions(tokens: Sequence[str]) -> bool:
    """Whether tokens are characters with the digit of their place in a word ("科0", "技1"), as in Weibo NER."""
    marked = sum(len(t) == 2 and t[1].isdigit() and not t[0].isascii() for t in tokens)
    ended = sum(t[-1:].isdigit() for t in tokens)
    return len(tokens) >= 3 and marked * 2 >= len(tokens) and ended * 100 >= 98 * len(tokens)
