"""Sentences as they stand in a file: tokens with tags in whatever form, before the tags are understood.

Before it: `columns.py`, `objects.py`, `tables.py`, saved datasets. After it: `files.py` decodes the tags.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from weigh.data.names import compose
from weigh.data.sentences.offsets import CHARACTERS, Counting
from weigh.data.sentences.tags import Decoded, parse_tag, usual_spelling
from weigh.errors import DataError
from weigh.language import text

__all__ = ["Block", "Blocks", "Sentence", "are_numbered_tags", "are_tags", "tag_reader"]

MOST = 0.9  # share of cells that must be tags
MOST_TYPES = 100  # more different values than this are no types of entities
OUTSIDE = 0.2  # share of tokens outside of all entities where tags have no B- or I-: parts of speech have none


class Block(NamedTuple):
    """One sentence: the line of each token, tokens, tags as written."""

    lines: list[int]
    tokens: list[str]
    tags: list[str]


class Sentence(NamedTuple):
    """Tokens of one sentence with their lines and entities; `repairs` are positions."""

    line: int
    lines: tuple[int, ...]
    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    decoded: Decoded


@dataclass
class Blocks:
    """What a file holds.

    Attributes:
        blocks: Sentences with a tag per token.
        spanned: Sentences whose entities were given as spans of characters.
        bad: Lines that are no token with a tag, and what stands there.
        unfit: Rows whose spans do not fit their text, and a word of `span_words.UNFIT` that says why.
        columns: Which hold tokens and tags, where that was a guess.
        repeated: Lines in the middle that repeat the header.
        positions: Tokens were characters followed by the digit of their place in the word, which was taken off.
        counting: What the numbers of spans count.
        entities: How many spans there are; `cut` are those that begin or end inside of a word, `other_texts` those that are not the text that the
            file gives with them though that stands elsewhere in the text, `absent_texts` those whose given text stands nowhere in it: row, and
            what is to be seen there.
        parted_by: The column that says to which part a row belongs; None: the file is one part.
        parts: Part of each line or row; those whose part is unknown are missing.
    """

    blocks: list[Block] = field(default_factory=list)
    spanned: list[Sentence] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)
    left_out: list[int] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    positions: bool = False
    repeated: list[int] = field(default_factory=list)
    unfit: dict[int, str] = field(default_factory=dict)
    counting: Counting = CHARACTERS
    entities: int = 0
    cut: list[tuple[int, str]] = field(default_factory=list)
    other_texts: list[tuple[int, str]] = field(default_factory=list)
    absent_texts: list[tuple[int, str]] = field(default_factory=list)
    parted_by: str | None = None
    parts: dict[int, str] = field(default_factory=dict)


def are_tags(tags: Sequence[str]) -> str:
    """ "prefixed" (B-PER, O), "bare" (PER, O) or "" where most are no tags, or none is of an entity."""
    usual = usual_spelling(tags)
    count = Counter(usual.get(tag, tag) for tag in tags)
    total = sum(count.values())
    outside = count["O"] + count["o"]
    types = {tag for tag in count if tag not in ("O", "o")}
    prefixed = sum(n for tag, n in count.items() if tag in types and ("-" in tag or "_" in tag) and parse_tag(tag))
    if prefixed and (prefixed + outside) >= MOST * total:
        return "prefixed"
    if not types or len(types) > MOST_TYPES or outside < OUTSIDE * total or are_numbered_tags(types):
        return ""
    if all(tag in "BIESMLU" for tag in types):
        return "prefixed"  # one type of entity without a name
    if prefixed * 2 > total - outside:  # a slip in some tags makes no types of "B-PER" and "I-PER"
        return "prefixed"
    wordless = any(not tag or any(c.isspace() for c in tag) or len(tag) > 60 for tag in types)
    repeated = (total - outside) >= 2 * len(types) or len(types) <= 3
    return "" if wordless or not repeated else "bare"


def are_numbered_tags(tags: Sequence[str] | set[str]) -> bool:
    """Whether tags are numbers of a list of names."""
    return bool(tags) and all(tag.lstrip("-").isdecimal() for tag in tags)


def tag_reader(
    tags: Sequence[str], names: Sequence[str] | None, where: object
) -> Callable[[str], tuple[str, str] | None]:
    """From a tag as written to (letter, type), or None where it is no tag.

    Args:
        tags: All tags of a file: they say how each is meant.
        names: Of numeric tags, in their order.
        where: The file, for messages.

    Raises:
        DataError: Tags are numbers and nothing says which they are, or names are too few.
    """
    different = set(tags)
    if are_numbered_tags(different):
        named = _names_of_numbers(different, names, where)
        inner = tag_reader([named[tag] for tag in tags], None, where)
        return lambda tag: inner(named[tag]) if tag in named else None
    if are_tags(tags) != "bare":
        usual = usual_spelling(tags)
        return lambda tag: parse_tag(usual.get(tag, tag))
    return lambda tag: ("O", "") if tag in ("O", "o") else ("I", compose(tag))


def _names_of_numbers(numbers: set[str], names: Sequence[str] | None, where: object) -> dict[str, str]:
    lowest, highest = min(map(int, numbers)), max(map(int, numbers))
    if names is None or lowest < 0 or highest >= len(names):
        lead = (
            text("", "")
            if names is None
            else text("{n} {n:|name is|names are} given.", "只给出了 {n} 个名称。", n=len(names))
        )
        raise DataError(
            text(
                "{p}: the tags are numbers from {a} to {b}, and nothing says what they stand for.",
                "{p}：标记是 {a} 到 {b} 的数字，但没有说明各代表什么。",
                p=where,
                a=lowest,
                b=highest,
            )
            + lead,
            text(
                "Which number begins an entity, and of which type, cannot be told.",
                "无法判断哪个数字表示实体开头、属于哪种类型。",
            ),
            text(
                "Name them in their order, from 0: --set 'data.tag_names=[O, B-PER, I-PER]'",
                "请从 0 开始按顺序给出名称：--set 'data.tag_names=[O, B-PER, I-PER]'",
            ),
        )
    return {number: names[int(number)] for number in numbers}
