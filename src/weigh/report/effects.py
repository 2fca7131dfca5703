"""The words that mattered in a quoted text, as marks that are read without colour.

Before it: the effects of words that runs of the first repeat left behind (`train/words.py`). After it: `quotes.py`, which cuts the text at
these words. What a text says stays a string until Jinja escapes it; the classes of marks are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from weigh.record.results import Results
from weigh.report.visible import visible_line
from weigh.report.words import say

__all__ = ["Effects", "Piece", "effects_by_path", "effects_sentence", "marked"]

STEPS = (0.15, 0.4, 0.75)  # of the strongest effect in the text: from where on a mark is faint, middling, strong
NOTHING = 0.1  # log odds: less than this moves a probability by at most 0.025; such words are not marked
NAMED = 3  # words in each direction below the text


class Piece(NamedTuple):
    """Part of a text: what it says, and the class of its mark ("for-3": strong, towards the prediction; "" for none)."""

    text: str
    mark: str


class Effects(NamedTuple):
    """What taking out each word did.

    Attributes:
        predicted: Name of the class that the run predicted.
        words: (text of a pair, start, end, what the log odds of that class lost without it).
    """

    predicted: str
    words: list[tuple[int, int, int, float]]

    def strongest(self, texts: Sequence[str], sign: int) -> list[tuple[str, float]]:
        """The words that pushed most towards (1) or away from (-1) the prediction, the strongest first."""
        chosen = [word for word in self.words if sign * word[3] >= self._least]
        chosen.sort(key=lambda word: -abs(word[3]))
        return [(texts[part][start:end], effect) for part, start, end, effect in chosen[:NAMED]]

    @property
    def _least(self) -> float:
        return max(NOTHING, STEPS[0] * max((abs(word[3]) for word in self.words), default=0.0))

    def mark(self, effect: float) -> str:
        """Class of the mark of a word with this effect."""
        if abs(effect) < self._least:
            return ""
        most = max(abs(word[3]) for word in self.words)
        return f"{'for' if effect > 0 else 'against'}-{sum(abs(effect) >= step * most for step in STEPS)}"


def effects_by_path(results: Results) -> dict[str, Effects]:
    """Effects of words in the winner's first repeat, in the fold that had not trained on the text."""
    if results.winner is None:
        return {}
    path, classes = results.examples.path, results.examples.classes
    effects: dict[str, Effects] = {}
    for run in results.runs("main", candidate=results.winner):
        for one in run.words:
            words = [(int(part), int(a), int(b), float(effect)) for part, a, b, effect in one["words"]]
            effects[str(path[one["example"]])] = Effects(classes[one["class"]], words)
    return effects


def effects_sentence(effects: Effects, texts: Sequence[str], language: str) -> str:
    """The strongest words as text, for readers who cannot see the marks; "" of a text from which none was taken out, since it has a single one."""
    if not effects.words:
        return ""
    parts = []
    for sign, key in ((1, "words_for"), (-1, "words_against")):
        words = [
            f"{visible_line(word)} {'+' if effect > 0 else '−'}{abs(effect):.2f}"
            for word, effect in effects.strongest(texts, sign)
        ]
        if words:
            listed = say("comma", language).join(words)
            parts.append(say(key, language, c=visible_line(effects.predicted), w=listed))
    return say("semicolon", language).join(parts) if parts else say("words_none", language)


def marked(words: str, part: int, effects: Effects | None) -> tuple[Piece, ...]:
    """The text cut at the marked words; joined again it is the text."""
    pieces: list[Piece] = []
    at = 0
    spans: list[Any] = [] if effects is None else sorted(word[1:] for word in effects.words if word[0] == part)
    for start, end, effect in spans:
        mark = effects.mark(effect) if effects is not None else ""
        if mark and at <= start < end <= len(words):
            pieces += [Piece(words[at:start], ""), Piece(words[start:end], mark)]
            at = end
    pieces.append(Piece(words[at:], ""))
    return tuple(piece for piece in pieces if piece.text)
