"""Texts of examples, quoted on the page where pictures would be shown.

Before it: the index of the examples, which keeps what they are made of, and `effects.py`. After it: `html.py`, which escapes them like every other text of
a user. The script of a text names its language to the browser, which chooses fonts and line breaks by it: Chinese has no blanks to
break at.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from weigh.data.texts.scripts import main_script
from weigh.record.results import Results
from weigh.report.effects import Effects, Piece, effects_by_path, effects_sentence, marked

__all__ = ["Quotation", "Quotes"]

LONGEST = 1_000  # characters of one text that are shown
LANGUAGES = {"Han": "zh", "Kana": "ja", "Hangul": "ko", "Arabic": "ar", "Hebrew": "he", "Thai": "th"}


class Quotation(NamedTuple):
    """One text: what it says, cut to a length that a page can hold, its language where the script tells it ("" elsewhere), and
    the same in pieces, of which those that mattered are marked."""

    text: str
    lang: str
    pieces: tuple[Piece, ...]


class Quotes:
    """The texts of examples by path."""

    def __init__(self, results: Results | None) -> None:
        self._examples = examples = None if results is None else results.examples
        self._results = results
        self._any = examples is not None and examples.rows is not None

    @cached_property
    def _places(self) -> dict[str, int]:
        return {} if self._examples is None else {str(path): i for i, path in enumerate(self._examples.path)}

    @cached_property
    def _effects(self) -> dict[str, Effects]:
        return {} if self._results is None else effects_by_path(self._results)

    def effects(self, path: str) -> Effects | None:
        """The effects of the words of this example; None where they were not measured."""
        return self._effects.get(path)

    def in_words(self, path: str, language: str) -> str:
        """The strongest words in a sentence; "" where they were not measured."""
        effects = self.effects(path)
        return "" if effects is None else effects_sentence(effects, [quote.text for quote in self.of(path)], language)

    def __bool__(self) -> bool:
        return self._any

    def of(self, path: str) -> tuple[Quotation, ...]:
        """One text, or the two of a pair; empty where there is none."""
        if self._examples is None or path not in self._places:
            return ()
        texts = self._examples.texts(self._places[path])
        effects = self.effects(path)
        return tuple(
            Quotation(_cut(words), LANGUAGES.get(main_script(words), ""), marked(_cut(words), part, effects))
            for part, words in enumerate(texts)
        )


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST else f"{words[:LONGEST]} …"
