"""What a kind shows of an answer, and how it writes one: beside a picture in a report, and in files of `weigh predict`. For `base.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from weigh.language import Text

__all__ = ["Form", "Pane", "Swatch"]


class Pane(NamedTuple):
    """One of the pictures that show an example: a PNG, JPEG or WebP."""

    title: Text
    image: bytes


class Form(NamedTuple):
    """How decisions are written for other programs: a file for each picture, or one for all.

    Attributes:
        each: Decision -> the file of one picture, whose name ends in `suffix`.
        whole: (names of the pictures, decisions, None for those that could not be read, classes) -> the one file.
        beside: Name -> (classes) -> a file that lies beside those of the pictures.
    """

    suffix: str = ""
    each: Callable[[Any], bytes] | None = None
    whole: Callable[[Sequence[str], Sequence[Any], Sequence[str]], bytes] | None = None
    beside: Mapping[str, Callable[[Sequence[str]], bytes]] = {}


class Swatch(NamedTuple):
    """What a colour of panes means: "#rrggbb"."""

    title: Text
    colour: str
