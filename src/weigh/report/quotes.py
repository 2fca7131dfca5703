"""Texts of examples, quoted on the page where pictures would be shown.

Before it: the index of the examples, which keeps texts and tokens. After it: `html.py`, which escapes them like every other text of
a user. The script of a text names its language to the browser, which chooses fonts and line breaks by it: Chinese has no blanks to
break at.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from weigh.data.examples import Examples
from weigh.data.scripts import main_script
from weigh.data.tags import joined_tokens

__all__ = ["Quotation", "Quotes"]

LONGEST = 1_000  # characters of one text that are shown
LANGUAGES = {"Han": "zh", "Kana": "ja", "Hangul": "ko", "Arabic": "ar", "Hebrew": "he", "Thai": "th"}


class Quotation(NamedTuple):
    """One text: what it says, cut to a length that a page can hold, and its language where the script tells it ("" elsewhere)."""

    said: str
    lang: str


class Quotes:
    """The texts of examples by path."""

    def __init__(self, examples: Examples | None) -> None:
        self._examples = examples
        self._rows = None if examples is None else examples.tokens if examples.tokens is not None else examples.texts

    @cached_property
    def _places(self) -> dict[str, int]:
        return {} if self._examples is None else {str(path): i for i, path in enumerate(self._examples.path)}

    def __bool__(self) -> bool:
        return self._rows is not None

    def of(self, path: str) -> tuple[Quotation, ...]:
        """One text, or the two of a pair; empty where there is none."""
        if self._examples is None or self._rows is None or path not in self._places:
            return ()
        row = self._rows[self._places[path]]
        texts = row if self._examples.tokens is None else (joined_tokens(row),)
        return tuple(Quotation(_cut(said), LANGUAGES.get(main_script(said), "")) for said in texts)


def _cut(said: str) -> str:
    return said if len(said) <= LONGEST else f"{said[:LONGEST]} …"
