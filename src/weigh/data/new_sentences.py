"""New sentences whose entities are to be found: columns of tokens (tags or not), objects, or a sentence per line.

Before it: the characters of a file (`new_texts.py`). After it: one tuple of tokens per sentence, in order.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from weigh.data.encoding import split_lines
from weigh.data.records import parse_json_lines
from weigh.data.table_files import JSON, broken_line
from weigh.data.token_files import TOKENS
from weigh.data.token_looks import has_tagged_lines

__all__ = ["read_sentences"]


def read_sentences(content: str, path: Path, suffix: str) -> list[tuple[str, ...]]:
    """Tokens of every sentence; a blank line among sentences that stand one per line is a sentence without tokens.

    Raises:
        DataError: A line of JSON that holds no sentence.
    """
    if suffix in JSON:
        return _from_json(content, path)
    lines = split_lines(content)
    filled = [line for line in lines if line.strip() and not line.startswith(("-DOCSTART-", "# "))]
    separator = "\t" if sum("\t" in line for line in filled) * 10 >= 9 * len(filled) else None
    if not _is_in_columns(content, lines, filled, separator):
        return [tuple(line.split()) for line in lines]
    sentences: list[tuple[str, ...]] = []
    tokens: list[str] = []
    for line in [*lines, ""]:
        if line.strip() and not line.startswith(("-DOCSTART-", "# ")):
            tokens.append(line.split(separator)[0])
        elif tokens and not line.startswith("# "):
            sentences.append(tuple(tokens))
            tokens = []
    return sentences


def _is_in_columns(content: str, lines: list[str], filled: list[str], separator: str | None) -> bool:
    """A token per line, with or without tags; else a sentence per line."""
    if has_tagged_lines(content):
        return True
    blocks = [b for b in "\n".join(line if line.strip() else "" for line in lines).split("\n\n") if b.strip()]
    if not filled or len(blocks) >= len(filled):
        return False
    widths = Counter(len(line.split(separator)) for line in filled)
    if widths.most_common(1)[0][1] * 100 < 98 * len(filled):
        return False
    return separator == "\t" or len(blocks) > 1 or set(widths) == {1}


def _from_json(content: str, path: Path) -> list[tuple[str, ...]]:
    sentences = []
    for number, row in parse_json_lines(content):
        tokens = next((row[name] for name in TOKENS if isinstance(row.get(name), list)), None) if row else None
        if row is not None and tokens is None and isinstance(row.get("text"), str):
            tokens = row["text"].split()
        if tokens is None:
            raise broken_line(path, number, "JSON")
        sentences.append(tuple(map(str, tokens)))
    return sentences
