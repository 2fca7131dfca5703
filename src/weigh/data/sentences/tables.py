"""Sentences in a table: a token per row, or a sentence per row with its tags in one cell.

Before it: columns of text (`tables/table_files.py`). After it: `files.py`.

    sentence_id,words,labels          Sentence #,Word,POS,Tag            tokens,tags
    0,Anna,B-PER                      Sentence: 1,Anna,NNP,B-per         "['Anna', 'left']","['B-PER', 'O']"
    0,left,O                          ,left,VBD,O                        Anna left,B-PER O
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from weigh.data.sentences.blocks import Block, Blocks, are_numbered_tags, are_tags
from weigh.data.sentences.objects import TAGS, TOKENS
from weigh.data.tables.cells import LIST_SEPARATOR, Columns
from weigh.spec import ColumnsSpec

__all__ = ["SENTENCE", "are_words", "table_blocks", "table_sentences", "token_columns"]

MOST = 0.9  # share of rows that must fit
LOOK = 2_000  # rows that decide
LONGEST = 1_000_000  # characters of a cell that is read as a list
SENTENCE = re.compile(r"sent|^s?id$|^doc|line|^#$|句", re.IGNORECASE)


class TokenColumns(NamedTuple):
    """Which columns hold what.

    Attributes:
        tags: None: no tags (new sentences).
        sentence: Column that says to which sentence a row belongs; None: blank rows part them, or each row is a sentence.
        lists: A row is a whole sentence.
    """

    tokens: str
    tags: str | None
    sentence: str | None = None
    lists: bool = False


def token_columns(
    columns: Columns, wanted: ColumnsSpec | None = None, lines: Sequence[int] = ()
) -> TokenColumns | None:
    """The columns of tokens and tags of a table, or None where it holds none.

    Args:
        wanted: What the user calls them (`text`, `label`).
        lines: Of every row: a line that is left blank parts sentences.
    """
    sample = {name: cells[:LOOK] for name, cells in columns.items()}
    parted = _breaks(lines[:LOOK])
    token = wanted.text if wanted and wanted.text in sample else None
    tag = wanted.label if wanted and wanted.label in sample and wanted.label != "label" else None
    return _lists(sample, token, tag) or _rows(sample, token, tag, parted=any(parted))


def table_blocks(columns: Columns, lines: Sequence[int], roles: TokenColumns) -> Blocks:
    """Sentences of a table; rows whose tokens and tags do not fit are named by their line."""
    assert roles.tags is not None
    blocks = Blocks(columns=(roles.tokens, roles.tags))
    tokens, tags = columns[roles.tokens], columns[roles.tags]
    if roles.lists:
        for line, written, tagged in zip(lines, tokens, tags, strict=True):
            these, those = items_of_cell(written), items_of_cell(tagged)
            if not these and not those:
                continue
            if len(these) != len(those):
                blocks.bad[line] = f"{len(these)} ≠ {len(those)}"
                blocks.left_out.append(line)
                continue
            blocks.blocks.append(Block([line] * len(these), these, those))
        return blocks
    for rows in _sentences(columns, roles, lines):
        block = Block(
            [lines[i] for i in rows], [tokens[i] or "" for i in rows], [(tags[i] or "").strip() for i in rows]
        )
        wrong = [n for n, token, tag in zip(*block, strict=True) if not token or not tag]
        if wrong:
            blocks.bad |= dict.fromkeys(wrong, "–")
            blocks.left_out.append(block.lines[0])
        else:
            blocks.blocks.append(block)
    return blocks


def table_sentences(columns: Columns, lines: Sequence[int], asked: str | None = None) -> list[tuple[str, ...]] | None:
    """Tokens of every sentence of a table with or without tags; None where it holds no tokens.

    A row of a table of sentences whose cell is empty is a sentence without tokens.

    Args:
        asked: The column of tokens, where the user named it.
    """
    roles = token_columns(columns, None if asked is None else ColumnsSpec(text=asked), lines) or _untagged(
        columns, asked
    )
    if roles is None:
        return None
    cells = columns[roles.tokens]
    if roles.lists:
        return [tuple(items_of_cell(cell)) for cell in cells]
    return [tuple(cells[i] or "" for i in rows) for rows in _sentences(columns, roles, lines)]


def items_of_cell(cell: str | None) -> list[str]:
    """The items of a cell: a list of JSON, Python or numpy, a packed list, or words with blanks between them."""
    if not cell:
        return []
    if cell.startswith(LIST_SEPARATOR):
        return cell[1:].split(LIST_SEPARATOR)
    bare = cell.strip()
    if len(bare) < LONGEST and bare[:1] in "[(" and bare[-1:] in "])":
        return _items(bare)
    return cell.split()


def _items(written: str) -> list[str]:
    for parse in (json.loads, ast.literal_eval):
        if parse is ast.literal_eval and re.search(r"""['"]\s+['"]""", written):
            break  # numpy writes no commas, and Python would join what stands side by side
        try:
            items = parse(written)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(items, (list, tuple)) and all(isinstance(item, (str, int, float)) for item in items):
            return [str(item) for item in items]
    quoted = re.findall(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", written)
    if quoted:
        return [one or two for one, two in quoted]
    return [item for item in re.split(r"[\s,]+", written[1:-1]) if item]


# Which columns ------------------------------------------------------------------------------------------------------


def _lists(columns: Columns, token: str | None, tag: str | None) -> TokenColumns | None:
    """A sentence per row: two cells with as many items, those of one of which are tags."""
    items = {name: [items_of_cell(cell) for cell in cells] for name, cells in columns.items()}
    several = [n for n, rows in items.items() if sum(len(row) > 1 for row in rows) * 2 > len(rows)]
    for tags in _ranked(several, TAGS, tag):
        tag_cells = [cell for row in items[tags] for cell in row]
        numbers = are_numbered_tags(set(tag_cells)) and tags.casefold() in TAGS
        if not numbers and not are_tags(tag_cells):
            continue
        for tokens in _ranked([n for n in several if n != tags], TOKENS, token):
            pairs = [(a, b) for a, b in zip(items[tokens], items[tags], strict=True) if a or b]
            if sum(len(a) == len(b) for a, b in pairs) >= MOST * len(pairs) and not are_tags(
                [c for a, _ in pairs for c in a]
            ):
                return TokenColumns(tokens, tags, lists=True)
    return None


def _rows(columns: Columns, token: str | None, tag: str | None, *, parted: bool) -> TokenColumns | None:
    """A token per row."""
    for tags in _ranked(list(columns), TAGS, tag):
        tag_cells = [cell.strip() for cell in columns[tags] if cell and cell.strip()]
        scheme = are_tags(tag_cells)
        if tag is None and (not scheme or (scheme == "bare" and tags.casefold() not in TAGS)):
            continue
        rest = {n: cells for n, cells in columns.items() if n != tags}
        words = [n for n in _ranked(list(rest), TOKENS, token) if are_words(rest[n], n)]
        if words:
            tokens = words[0]
            sentence = _sentence_column({n: c for n, c in rest.items() if n != tokens}, columns[tokens])
            breaks = parted or _has_breaks(columns[tokens], columns[tags])
            if sentence is None and not breaks and scheme != "prefixed":
                return None
            return TokenColumns(tokens, tags, sentence)
    return None


def _untagged(columns: Columns, asked: str | None) -> TokenColumns | None:
    """New sentences: the column that the user named or that is called like tokens, and one for the sentence; or lists."""
    names = _ranked([n for n in columns if n == asked or n.casefold() in TOKENS], TOKENS, asked)
    for name in names:
        cells = [cell for cell in columns[name] if cell]
        if cells and all(cell[:1] in (LIST_SEPARATOR, "[") for cell in cells):
            return TokenColumns(name, None, lists=True)
        sentence = _sentence_column({n: c for n, c in columns.items() if n != name}, columns[name])
        if sentence is not None and are_words(columns[name], name):
            return TokenColumns(name, None, sentence)
    return None


def are_words(cells: Sequence[str | None], name: str) -> bool:
    """Short cells, mostly filled, that are neither all numbers nor the name of a sentence."""
    filled = [cell for cell in cells if cell]
    if len(filled) < 0.5 * len(cells) or not filled or (SENTENCE.search(name) and name.casefold() not in TOKENS):
        return False
    return sum(len(cell.split()) <= 3 for cell in filled) >= MOST * len(filled) and not all(
        c.isdecimal() for c in filled
    )


def _sentence_column(columns: Columns, tokens: Sequence[str | None]) -> str | None:
    """The column that says to which sentence a row belongs: in every row of a sentence, or in its first row alone."""
    for name in sorted(columns, key=lambda n: SENTENCE.search(n) is None):
        cells = columns[name]
        filled = [cell for cell in cells if cell]
        if len(filled) == sum(bool(t) for t in tokens) and SENTENCE.search(name):
            runs = sum(a != b for a, b in pairwise(filled)) + 1
            if len(set(filled)) == runs and 1 < runs <= len(filled) / 1.5:
                return name
        elif 1 < len(filled) <= len(cells) / 1.5 and cells[0] and len(set(filled)) == len(filled):
            return name
    return None


def _has_breaks(tokens: Sequence[str | None], tags: Sequence[str | None]) -> bool:
    return any(not token and not tag for token, tag in zip(tokens, tags, strict=True))


def _breaks(lines: Sequence[int]) -> list[bool]:
    """Whether a line was left blank before each row."""
    return [False, *(b - a > 1 for a, b in pairwise(lines))][: len(lines)]


def _sentences(columns: Columns, roles: TokenColumns, lines: Sequence[int]) -> list[list[int]]:
    """Rows of every sentence."""
    parted = _breaks(lines) if roles.sentence is None else []
    tokens = columns[roles.tokens]
    tags = columns[roles.tags] if roles.tags else [None] * len(tokens)
    named = columns[roles.sentence] if roles.sentence else [None] * len(tokens)
    sentences: list[list[int]] = [[]]
    before: str | None = None
    for i, (token, tag, sentence) in enumerate(zip(tokens, tags, named, strict=True)):
        if not token and not tag:
            sentences.append([])
            continue
        if (roles.sentence and sentence and sentence != before) or (parted and parted[i]):
            sentences.append([])
        before = sentence or before
        sentences[-1].append(i)
    return [rows for rows in sentences if rows]


def _ranked(names: Sequence[str], usual: Sequence[str], first: str | None) -> list[str]:
    """The one that was asked for; else usual names, then the others from the last to the first."""
    if first is not None:
        return [name for name in names if name == first]
    place = {name: i for i, name in enumerate(usual)}
    backwards = list(reversed(names))
    return sorted(backwards, key=lambda name: place.get(name.casefold(), len(place)))
