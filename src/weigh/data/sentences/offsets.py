"""What the two numbers of an entity count: characters, bytes or UTF-16 units, and whether the second is that of the last character.

Before it: texts with spans as a file states them (`objects.py`). After it: spans of characters, the end exclusive. Where a file gives the text of each
entity beside its numbers, these texts decide; else numbers that cut words apart are doubted if another way of counting cuts hardly any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from weigh.data.unspaced import UNSPACED
from weigh.language import Text, text

__all__ = ["CHARACTERS", "Counting", "Span", "counting_of", "cuts_words", "occurs", "says_the_same"]

LOOKED_AT = 5_000  # entities that decide
FEWEST = 3  # entities that must differ between two ways of counting
RARELY, MOSTLY = 0.5, 0.95  # share that fits in a wrong and in a right way of counting


class Span(NamedTuple):
    """An entity as it is written: two numbers, a type, and what stands there, where that is given."""

    start: int
    end: int
    entity_type: str
    mention: str | None = None


class Counting(NamedTuple):
    """One way of counting.

    Attributes:
        title: For people; None: the usual one, of which nothing is said.
        place: From a text and the two numbers to the first character and the one after the last; None where they fall between characters or outside.
        sure: Texts beside the numbers decided.
    """

    title: Text | None
    place: Callable[[str, int, int], tuple[int, int] | None]
    sure: bool = False


def _characters(written: str, start: int, end: int) -> tuple[int, int] | None:
    return (start, end) if 0 <= start < end <= len(written) else None


def _inclusive(written: str, start: int, end: int) -> tuple[int, int] | None:
    return _characters(written, start, end + 1)


def _units(encoding: str, width: int) -> Callable[[str, int, int], tuple[int, int] | None]:
    """Numbers that count units of `width` bytes in an encoding."""

    def place(written: str, start: int, end: int) -> tuple[int, int] | None:
        if written.isascii():
            return _characters(written, start, end)
        raw = _encoded(written, encoding)
        if not 0 <= start < end <= len(raw) // width:
            return None
        try:
            before, inside = (raw[a * width : b * width].decode(encoding) for a, b in ((0, start), (start, end)))
        except UnicodeDecodeError:
            return None
        return len(before), len(before) + len(inside)

    return place


@lru_cache(maxsize=4)
def _encoded(written: str, encoding: str) -> bytes:
    """The entities of a text are looked up one after the other: it is encoded once for all of them."""
    return written.encode(encoding, "surrogatepass")


CHARACTERS = Counting(None, _characters)
OTHERS = (
    Counting(text("the number of the last character as its end", "结束位置为最后一个字符的编号"), _inclusive),
    Counting(text("bytes of UTF-8", "UTF-8 字节数"), _units("utf-8", 1)),
    Counting(text("units of UTF-16, as JavaScript and Java count", "UTF-16 单元数（JavaScript、Java 的计数方式）"), _units("utf-16-le", 2)),
)  # fmt: skip


def counting_of(rows: Sequence[tuple[str, Sequence[Span]]]) -> Counting:
    """The way of counting that the texts beside the numbers confirm most often; without such texts the one that cuts no words, where the usual one does."""
    spans = [(written, span) for written, row in rows for span in row][:LOOKED_AT]
    with_text = [(written, span) for written, span in spans if span.mention]
    if with_text and all(_confirmed(CHARACTERS, *one) for one in with_text):
        return CHARACTERS._replace(sure=True)
    if with_text:
        confirmed = {way: sum(_confirmed(way, *one) for one in with_text) for way in (CHARACTERS, *OTHERS)}
        best = max(confirmed, key=lambda way: confirmed[way])
        if confirmed[best]:
            return best._replace(sure=True)
    for way in OTHERS:
        places = [(w, CHARACTERS.place(w, s.start, s.end), way.place(w, s.start, s.end)) for w, s in spans]
        differing = [(w, usual, other) for w, usual, other in places if usual != other]
        fits, others_fit = (sum(_whole(w, place[at]) for w, *place in differing) for at in (0, 1))
        if len(differing) >= FEWEST and fits <= RARELY * len(differing) and others_fit >= MOSTLY * len(differing):
            return way
    return CHARACTERS


def _confirmed(way: Counting, written: str, span: Span) -> bool:
    place = way.place(written, span.start, span.end)
    return place is not None and written[slice(*place)] == span.mention


def _whole(written: str, place: tuple[int, int] | None) -> bool:
    """Whether a place begins and ends with a character that is no blank, at the borders of words."""
    if place is None or any(written[i].isspace() for i in (place[0], place[1] - 1)):
        return False
    return not cuts_words(written, place)


def cuts_words(written: str, place: tuple[int, int]) -> bool:
    """Whether a place begins or ends inside of a word; scripts that write no blanks have no such borders."""
    return any(
        0 < at < len(written)
        and written[at - 1].isalpha()
        and written[at].isalpha()
        and not UNSPACED.match(written[at - 1])
        and not UNSPACED.match(written[at])
        for at in place
    )


def says_the_same(mention: str, standing: str) -> bool:
    """Whether the text beside the numbers is what stands there, whatever its blanks and its case."""
    return _bare(mention) == _bare(standing)


def occurs(mention: str, written: str) -> bool:
    """Whether the text beside the numbers stands anywhere in a sentence; names of a list of things (Barack_Obama, Q76) do not."""
    return bool(_bare(mention)) and _bare(mention) in _bare(written)


def _bare(written: str) -> str:
    return "".join(written.split()).casefold()
