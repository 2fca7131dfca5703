"""One file of tokens with tags: CoNLL columns (a token per line, a blank line between sentences), or JSON lines.

Before it: a path. After it: `tokens.py`. JSON lines hold tokens and tags, or a text and spans of characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from weigh.data.encoding import read_text, split_lines
from weigh.data.records import parse_json_lines
from weigh.data.tags import Decoded, decode_tags, parse_tag, scheme_of
from weigh.errors import DataError
from weigh.language import text
from weigh.spec import ColumnsSpec

__all__ = ["Sentence", "TokenFile", "read_token_file"]

WORD = re.compile(r"[^\W\d_\u3040-\u30ff\u3400-\u9fff]+|\d+|\S")  # a character of Chinese or Japanese stands for itself
TOKENS, TAGS = ("tokens", "words"), ("tags", "ner_tags", "labels", "ner", "entities_tags")
SPANS = ("entities", "spans", "label", "labels", "annotations")
JSON = (".jsonl", ".ndjson", ".json")


class Sentence(NamedTuple):
    """Tokens of one sentence with their lines and entities; `repairs` are positions."""

    line: int
    lines: tuple[int, ...]
    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    decoded: Decoded


@dataclass
class TokenFile:
    """Sentences of one file.

    Attributes:
        scheme: "IOB1", "IOB2", "BIOES", "BMES", "BILOU", or "spans".
        bad: Lines that are no token with a tag, and what stands there; their sentences are set aside.
        left_out: First lines of these sentences.
        positions: Tokens were characters followed by the digit of their place in the word, which was taken off.
        flaws: Bad lines and lost characters: of two versions of a file, the one with fewer is used.
    """

    path: Path
    sentences: list[Sentence]
    scheme: str
    encoding: str
    bad: dict[int, str] = field(default_factory=dict)
    left_out: list[int] = field(default_factory=list)
    positions: bool = False
    flaws: int = 0


def read_token_file(path: Path, columns: ColumnsSpec, *, tagged: bool = True) -> TokenFile:
    """Read a file of tokens.

    Args:
        columns: `text` and `label` may be numbers of columns, from 1; default: the first and the last.
        tagged: Whether it must hold an entity; a system's output may have none.

    Raises:
        DataError: Not readable, or its last column holds no tags.
    """
    content, encoding = read_text(path)
    lost = content.count("\ufffd")
    if path.suffix.casefold() in JSON:
        file = _from_json(path, content, encoding)
    else:
        file = _from_columns(path, content, encoding, columns)
    file.flaws = lost + len(file.bad)
    if not file.sentences or (tagged and not any(s.decoded.spans for s in file.sentences)):
        raise DataError(
            text("{p} holds no tokens with tags (O, B-…, I-…).", "{p} 中没有带标记（O、B-…、I-…）的词。", p=path),
            do=text(
                "Each line holds a token and, last, its tag; a blank line ends a sentence. Other columns: --set data.label=NUMBER",
                "每行一个词，最后一列为标记，空行分隔句子。标记在其他列时：--set data.label=列号",
            ),
        )
    return file


def _from_columns(path: Path, content: str, encoding: str, columns: ColumnsSpec) -> TokenFile:
    lines = split_lines(content)
    filled = [line for line in lines if line.strip()]
    separator = "\t" if sum("\t" in line for line in filled) * 10 >= 9 * len(filled) else None
    token_at = int(columns.text) - 1 if columns.text and columns.text.isdecimal() else 0
    tag_at = int(columns.label) - 1 if columns.label.isdecimal() else -1
    bad: dict[int, str] = {}
    blocks: list[tuple[list[int], list[str], list[str]]] = []
    block: tuple[list[int], list[str], list[str]] = ([], [], [])
    for number, line in enumerate([*lines, ""], 1):
        if not line.strip() or line.startswith("-DOCSTART-"):
            if block[0]:
                blocks.append(block)
            block = ([], [], [])
            continue
        cells = line.rstrip().split(separator)
        try:
            token, tag = cells[token_at], cells[tag_at].strip()
        except IndexError:
            token, tag = "", ""
        if len(cells) < 2 or not token.strip() or parse_tag(tag) is None:
            if line.startswith("# "):  # CoNLL-U: a comment between sentences
                continue
            bad[number] = line.strip()[:80]
        block[0].append(number)
        block[1].append(token)
        block[2].append(tag)
    positions = _have_positions([t for _, tokens, _ in blocks for t in tokens])
    good, left_out = [], []
    for numbers, tokens, tags in blocks:
        if any(n in bad for n in numbers):
            left_out.append(numbers[0])
        else:
            tokens = [re.sub(r"(?<=.)\d$", "", t) for t in tokens] if positions else tokens
            good.append((numbers, tokens, tags))
    return _decoded(path, good, encoding, bad, left_out, positions=positions)


def _have_positions(tokens: list[str]) -> bool:
    """Whether tokens are characters with the digit of their place in a word ("科0", "技1"), as in Weibo NER."""
    marked = sum(len(t) == 2 and t[1].isdecimal() and not t[0].isascii() for t in tokens)
    ended = sum(t[-1:].isdecimal() for t in tokens)
    return len(tokens) >= 3 and marked * 2 >= len(tokens) and ended * 100 >= 98 * len(tokens)


def _decoded(
    path: Path,
    blocks: list[tuple[list[int], list[str], list[str]]],
    encoding: str,
    bad: dict[int, str],
    left_out: list[int],
    *,
    positions: bool = False,
) -> TokenFile:
    parsed = [[parse_tag(tag) or ("O", "") for tag in tags] for _, _, tags in blocks]
    scheme = scheme_of(parsed)
    sentences = [
        Sentence(numbers[0], tuple(numbers), tuple(tokens), tuple(tags), decode_tags(pairs, scheme))
        for (numbers, tokens, tags), pairs in zip(blocks, parsed, strict=True)
    ]
    return TokenFile(path, sentences, scheme, encoding, bad, left_out, positions)


def _from_json(path: Path, content: str, encoding: str) -> TokenFile:
    bad: dict[int, str] = {}
    blocks: list[tuple[list[int], list[str], list[str]]] = []
    spanned: list[Sentence] = []
    for number, row in parse_json_lines(content):
        tokens = next((row[k] for k in TOKENS if isinstance(row.get(k), list)), None) if row else None
        tags = next((row[k] for k in TAGS if isinstance(row.get(k), list)), None) if row else None
        if row is not None and tokens is None and isinstance(row.get("text"), str):
            spans = next((row[k] for k in SPANS if isinstance(row.get(k), list)), None)
            sentence = None if spans is None else _from_spans(number, row["text"], spans)
            if sentence is not None:
                spanned.append(sentence)
                continue
        fits = tokens and tags and len(tokens) == len(tags) and all(isinstance(t, str) for t in (*tokens, *tags))
        if not fits or any(parse_tag(tag) is None for tag in tags or ()):
            bad[number] = "JSON"
            continue
        blocks.append(([number] * len(tokens or ()), list(tokens or ()), list(tags or ())))
    if spanned and not blocks:
        return TokenFile(path, spanned, "spans", encoding, bad, list(bad))
    return _decoded(path, blocks, encoding, bad, list(bad))


def _from_spans(number: int, written: str, spans: list[Any]) -> Sentence | None:
    """A sentence of a text and spans of characters; tokens end where spans do. None where a span lies outside or two overlap."""
    found = sorted(set(_span_triples(spans)))
    if len(found) < len(spans) or any(not 0 <= a < b <= len(written) for a, b, _ in found):
        return None
    if any(one[1] > two[0] for one, two in pairwise(found)):
        return None
    cuts = {0, len(written), *(edge for a, b, _ in found for edge in (a, b))}
    edges = sorted(cuts)
    pieces = [(a + m.start(), a + m.end()) for a, b in pairwise(edges) for m in WORD.finditer(written[a:b])]
    entities = []
    for a, b, kind in found:
        inside = [i for i, (x, y) in enumerate(pieces) if a <= x and y <= b]
        if inside:
            entities.append((inside[0], inside[-1] + 1, kind))
    tokens = tuple(written[a:b] for a, b in pieces)
    if not tokens:
        return None
    return Sentence(number, (number,) * len(tokens), tokens, (), Decoded(tuple(entities), ()))


def _span_triples(spans: list[Any]) -> Iterator[tuple[int, int, str]]:
    """(start, end, type) of [0, 5, "PER"] and of {"start": 0, "end": 5, "label": "PER"}; others are left out."""
    for span in spans:
        if isinstance(span, dict):
            start = span.get("start", span.get("start_offset"))
            end = span.get("end", span.get("end_offset"))
            kind = span.get("label", span.get("type", span.get("entity")))
        elif isinstance(span, (list, tuple)) and len(span) == 3:
            start, end, kind = span
        else:
            continue
        if isinstance(start, int) and isinstance(end, int) and isinstance(kind, str):
            yield start, end, kind
