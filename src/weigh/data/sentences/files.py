"""One file of tokens with tags, in whatever layout, as sentences with entities.

Before it: a path. After it: `index.py`. What stands where: `columns.py` (CoNLL), `objects.py` (JSON), `tables.py`
(CSV, Parquet); how tags are meant: `blocks.py`, `tags.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from weigh.data.sentences.blocks import Blocks, Sentence, tag_reader
from weigh.data.sentences.columns import column_blocks, has_tagged_lines
from weigh.data.sentences.objects import holds_sentences, list_columns, object_blocks, row_blocks
from weigh.data.sentences.span_tables import span_rows
from weigh.data.sentences.span_words import unfit_error
from weigh.data.sentences.tables import table_blocks, token_columns
from weigh.data.sentences.tags import decode_tags, scheme_of
from weigh.data.tables.parquet import read_parquet
from weigh.data.tables.table_files import JSON, PARQUET, is_written_as, json_table, read_table
from weigh.data.tables.text_encoding import read_text
from weigh.errors import DataError
from weigh.language import text
from weigh.spec import ColumnsSpec

SAMPLE = 200  # rows of a table that show what it holds

__all__ = ["Sentence", "TokenFile", "decode_blocks", "read_token_file"]


@dataclass
class TokenFile:
    """Sentences of one file.

    Attributes:
        scheme: "IO", "IOB1", "IOB2", "BIOES", "BMES", "BILOU", or "spans".
        bad: Lines that are no token with a tag, and what stands there; their sentences are set aside.
        left_out: First lines of these sentences.
        positions: Tokens were characters followed by the digit of their place in the word, which was taken off.
        columns: Which hold tokens and tags, where that was a guess.
        blocks: What was read, without the sentences: lines that repeat the header, and what was seen of entities that are given as spans.
        flaws: Bad lines and lost characters: of two versions of a file, the one with fewer is used.
    """

    path: Path
    sentences: list[Sentence]
    scheme: str
    encoding: str
    bad: dict[int, str] = field(default_factory=dict)
    left_out: list[int] = field(default_factory=list)
    positions: bool = False
    columns: tuple[str, ...] = ()
    blocks: Blocks = field(default_factory=Blocks)
    flaws: int = 0


def read_token_file(path: Path, columns: ColumnsSpec, *, tagged: bool = True, encoding: str | None = None) -> TokenFile:
    """Read a file of tokens.

    Args:
        columns: `text` and `label` may name columns, or number them from 1; default: told from what they hold. `tag_names` names
            numeric tags.
        tagged: Whether it must hold an entity; a system's output may have none.

    Raises:
        DataError: Not readable, or it holds no tokens with tags.
    """
    lost, found_encoding = 0, "UTF-8"
    if is_written_as(path, PARQUET):
        blocks = _from_table(path, columns, encoding)
    else:
        content, found_encoding = read_text(path, encoding=encoding)
        lost = content.count("\ufffd")
        if is_written_as(path, JSON):
            blocks = object_blocks(path, content)
            if not blocks.blocks and not blocks.spanned and not blocks.unfit:
                table = json_table(path, content)
                roles = token_columns(table.columns, columns, table.lines)
                blocks = blocks if roles is None else table_blocks(table.columns, table.lines, roles)
        elif is_written_as(path, (".csv",)) or not (has_tagged_lines(content) or columns.label.isdecimal()):
            blocks = _from_table(path, columns, encoding) or column_blocks(content, columns)
        else:
            blocks = column_blocks(content, columns)
    file = decode_blocks(path, blocks or Blocks(), found_encoding, columns.tag_names)
    file.flaws = lost + len(file.bad) + len(file.blocks.unfit)
    if not file.sentences or (tagged and not any(s.decoded.spans for s in file.sentences)):
        if file.blocks.unfit:
            raise unfit_error(path, file.blocks.unfit)
        raise _no_tokens(path)
    return file


def _from_table(path: Path, columns: ColumnsSpec, encoding: str | None) -> Blocks | None:
    """Sentences of a table; None where it is none, or holds neither tokens nor entities."""
    if is_written_as(path, PARQUET):
        frame = read_parquet(path)
        sample = frame.head(SAMPLE).to_dicts()
        if list_columns(sample) is None and holds_sentences(sample):
            return row_blocks(list(enumerate(frame.to_dicts(), 1)))
    try:
        table = read_table(path, [n for n in (columns.text, columns.label) if n], encoding=encoding)
    except DataError:
        return None
    roles = token_columns(table.columns, columns, [] if table.broken else table.lines)
    if roles is None:
        with_spans = span_rows(table.columns)
        if with_spans is None:
            return None
        blocks = row_blocks(list(zip(table.lines, with_spans, strict=True)))
        blocks.bad |= table.broken
        blocks.left_out += table.broken
        return blocks
    blocks = table_blocks(table.columns, table.lines, roles)
    blocks.bad |= table.broken
    if roles.lists:
        blocks.left_out += table.broken
    elif table.broken:  # a sentence with a line that cannot be read is not whole
        broken = set(table.broken)
        torn = [b for b in blocks.blocks if broken & set(range(b.lines[0] - 1, b.lines[-1] + 2))]
        blocks.left_out += [b.lines[0] for b in torn]
        blocks.blocks = [b for b in blocks.blocks if b not in torn]
    return blocks


def decode_blocks(path: Path, blocks: Blocks, encoding: str, names: Sequence[str] | None) -> TokenFile:
    """Sentences with their entities.

    Args:
        names: Of numeric tags, in their order.

    Raises:
        DataError: Tags are numbers and nobody says which.
    """
    read = tag_reader([tag for block in blocks.blocks for tag in block.tags], names, path)
    whole = []
    for block in blocks.blocks:
        wrong = [line for line, tag in zip(block.lines, block.tags, strict=True) if read(tag) is None]
        if wrong:
            blocks.bad |= {line: "–" for line in wrong if line not in blocks.bad}
            blocks.left_out.append(block.lines[0])
        else:
            whole.append(block)
    parsed = [[read(tag) or ("O", "") for tag in block.tags] for block in whole]
    scheme = "spans" if blocks.spanned and not whole else scheme_of(parsed)
    sentences = [
        Sentence(b.lines[0], tuple(b.lines), tuple(b.tokens), tuple(b.tags), decode_tags(pairs, scheme))
        for b, pairs in zip(whole, parsed, strict=True)
    ]
    blocks.blocks = []  # sentences take their place
    every = sorted([*sentences, *blocks.spanned], key=lambda s: s.line) if blocks.spanned else sentences
    return TokenFile(
        path,
        every,
        scheme,
        encoding,
        dict(sorted(blocks.bad.items())),
        sorted(blocks.left_out),
        blocks.positions,
        blocks.columns,
        blocks,
    )


def _no_tokens(path: Path) -> DataError:
    return DataError(
        text("{p} holds no tokens with tags (O, B-…, I-…).", "{p} 中没有带标记（O、B-…、I-…）的词。", p=path),
        do=text(
            "A line (or a row of a table) holds a token and its tag, and a blank line ends a sentence; or a row holds a list of tokens and "
            "a list of tags. Other columns: --set data.text=COLUMN --set data.label=COLUMN (name or number)",
            "每行（或表格的每一行）一个词及其标记，空行分隔句子；或每行一个词列表和一个标记列表。"
            "如在其他列：--set data.text=列 --set data.label=列（列名或列号）",
        ),
    )
