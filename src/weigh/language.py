"""Sentences in two languages, written side by side where their numbers are computed.

`text(en, zh, **values)` fills both templates with the same values, so the numbers in both languages are the
same by construction. Renderers (terminal, HTML, Markdown) choose a language; nothing else does.
"""

from __future__ import annotations

import locale
import os
import re
from collections.abc import Iterable
from pathlib import PurePath
from string import Formatter
from typing import Any, Literal, NamedTuple

__all__ = ["LANGUAGES", "Text", "as_sentence", "detect_language", "first_names", "join_texts", "text", "unsigned_zero"]

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
_HAN = re.compile("[\u3400-\u9fff]")
_BREAKS = str.maketrans({"\n": "‹U+000A›", "\t": "‹U+0009›"})  # the marks of `report/visible.py`


class Text(NamedTuple):
    """One sentence in English and Chinese."""

    en: str
    zh: str

    def render(self, language: str) -> str:
        """The sentence in `language`."""
        return self.zh if language == "zh" else self.en

    def __str__(self) -> str:
        return self.en

    def __add__(self, other: Any) -> Text:  # sentences join with a space in English, without in Chinese
        if not isinstance(other, Text):
            return NotImplemented
        return Text(f"{self.en} {other.en}".strip(), f"{self.zh}{other.zh}")


def join_texts(parts: Iterable[Text | str], en: str, zh: str) -> Text:
    """The parts in their own languages, with `en` and `zh` between them; a string stands in both, on one line."""
    both = [part if isinstance(part, Text) else Text(*[_one_line(part)] * 2) for part in parts]
    return Text(en.join(part.en for part in both), zh.join(part.zh for part in both))


def first_names(names: Iterable[str], most: int) -> str:
    """ "a, b, …": the first `most` names, and a sign where there are more."""
    every = list(names)
    return ", ".join(every[:most]) + (", …" if len(every) > most else "")


def as_sentence(words: Text) -> Text:
    """Words that stand inside of a sentence elsewhere, as one of their own: a capital letter, and a full stop."""
    return Text(f"{words.en[:1].upper()}{words.en[1:]}.", f"{words.zh}。")


def unsigned_zero(written: str) -> str:
    """A written number as it is, but "0.0" for "-0.0" and "+0.0"."""
    return written[1:] if written[:1] in ("-", "+") and "0" in written and not written[1:].strip("0.") else written


class _Counting(Formatter):
    """`str.format` with the forms of a word for one and for many."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if not format_spec.startswith("|"):
            written = super().format_field(value, format_spec)
            return unsigned_zero(written) if format_spec else written  # a name may be "-0"
        one, many = format_spec[1:].split("|")
        return one if str(value) == "1" else many


_COUNTING = _Counting()


def text(en: str, zh: str, **values: Any) -> Text:
    """Fill both templates with the same values; a `Text` among the values is used in its own language.

    Strings and paths among the values are names and cells of strangers: marks stand for their line breaks and tabs, so that none of
    them begins a line among ours. English counts: `{n} {n:|row has|rows have}` takes the first form where the value is 1, written so or as a number.
    """

    def fill(template: str, language: str) -> str:
        chosen = {k: v.render(language) if isinstance(v, Text) else _one_line(v) for k, v in values.items()}
        if not values:
            return template
        return _spaced(template, chosen) if language == "zh" else _COUNTING.vformat(template, (), chosen)

    return Text(fill(en, "en"), fill(zh, "zh"))


def _one_line(value: Any) -> Any:
    """A name, a cell or a path without line breaks and tabs; other values as they are."""
    if not isinstance(value, (str, PurePath)):
        return value
    written = str(value)
    return written.translate(_BREAKS) if "\n" in written or "\t" in written else value


def _spaced(template: str, values: dict[str, Any]) -> str:
    """A Chinese template filled, with a blank where a value in Latin letters or digits meets a Chinese character ("F1 为 0.9")."""
    filled = ""
    for literal, name, form, conversion in Formatter().parse(template):
        filled += f" {literal}" if literal and _touch(filled, literal) else literal
        if name is not None:
            blank = f"{{{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}}}"
            value = _COUNTING.vformat(blank, (), values)
            filled += f" {value}" if value and _touch(filled, value) else value
    return filled


def _touch(before: str, after: str) -> bool:
    """Whether a Chinese character and a Latin letter or digit would stand side by side."""
    pair = before[-1:] + after[:1]
    return len(pair) == 2 and any(_HAN.match(a) and b.isascii() and b.isalnum() for a, b in (pair, pair[::-1]))


def detect_language(asked: str | None = None) -> Language:
    """The language to print in: what was asked for, else `WEIGH_LANG`, else the locale, else English."""
    locale_name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    for candidate in (asked, os.environ.get("WEIGH_LANG"), locale_name or (locale.getlocale()[0] or "")):
        if candidate:
            return "zh" if candidate.lower().startswith(("zh", "chinese")) else "en"
    return "en"
