"""What a kind shows of an answer, and how it writes one: beside a picture in a report, and in files of `weigh predict`. For `base.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from weigh.language import Text

__all__ = ["Form", "Pane", "Swatch", "Whole"]


class Pane(NamedTuple):
    """One of the pictures that show an example: a PNG, JPEG or WebP."""

    title: Text
    image: bytes


class Whole(NamedTuple):
    """How decisions about many pictures are written into one file, a picture at a time.

    Attributes:
        rows: (names of all pictures, classes) -> (position and decision of a picture) -> what the file holds of it, row by row.
        head, tail: What stands before the first row, and behind the last.
        between: What stands between two rows.
    """

    rows: Callable[[Sequence[str], Sequence[str]], Callable[[int, Any], list[bytes]]]
    head: bytes = b""
    between: bytes = b""
    tail: bytes = b""

    def document(self, names: Sequence[str], decisions: Sequence[Any], classes: Sequence[str]) -> bytes:
        """The file of few pictures; a decision is None where the picture could not be read."""
        rows_of = self.rows(names, classes)
        rows = [row for i, one in enumerate(decisions) if one is not None for row in rows_of(i, one)]
        return self.head + self.between.join(rows) + self.tail


class Form(NamedTuple):
    """How decisions are written for other programs: a file for each picture, or one for all.

    Attributes:
        each: Decision -> the file of one picture, whose name ends in `suffix`.
        whole: The one file.
        beside: Name -> (classes) -> a file that lies beside those of the pictures.
    """

    suffix: str = ""
    each: Callable[[Any], bytes] | None = None
    whole: Whole | None = None
    beside: Mapping[str, Callable[[Sequence[str]], bytes]] = {}


class Swatch(NamedTuple):
    """What a colour of panes means: "#rrggbb"."""

    title: Text
    colour: str
