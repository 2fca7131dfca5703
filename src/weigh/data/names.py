"""Names in one Unicode form: "ö" as one character and "o" with two dots on top are the same letter."""

from __future__ import annotations

import unicodedata

__all__ = ["compose"]


def compose(name: str) -> str:
    """The name in the composed form (NFC)."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
