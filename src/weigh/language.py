"""Sentences in two languages, written side by side where their numbers are computed.

`text(en, zh, **values)` fills both templates with the same values, so the numbers in both languages are the
same by construction. Renderers (terminal, HTML, Markdown) choose a language; nothing else does.
"""

from __future__ import annotations

import locale
import os
from typing import Any, Literal, NamedTuple

__all__ = ["LANGUAGES", "Language", "Text", "detect_language", "text"]

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


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


def text(en: str, zh: str, **values: Any) -> Text:
    """Fill both templates with the same values; a `Text` among the values is used in its own language."""

    def fill(template: str, language: str) -> str:
        chosen = {k: v.render(language) if isinstance(v, Text) else v for k, v in values.items()}
        return template.format(**chosen) if values else template

    return Text(fill(en, "en"), fill(zh, "zh"))


def detect_language(asked: str | None = None) -> Language:
    """The language to print in: what was asked for, else `WEIGH_LANG`, else the locale, else English."""
    locale_name = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    for candidate in (asked, os.environ.get("WEIGH_LANG"), locale_name or (locale.getlocale()[0] or "")):
        if candidate:
            return "zh" if candidate.lower().startswith(("zh", "chinese")) else "en"
    return "en"
