"""Names in one Unicode form: "ö" as one character and "o" with two dots on top are the same letter; and names that are probably meant to be one."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["compose", "folded", "means_nothing"]

# what programs write where a value is missing
NOTHING = frozenset(
    ("nan", "na", "n/a", "<na>", "null", "none", "nil", "nat", "missing", "undefined", "?", "-", "--", ".", "inf", "-inf", "#n/a", "#na", "#ref!", "#value!", "#name?", "#num!", "#null!", "#div/0!")
)  # fmt: skip


def compose(name: str) -> str:
    """The name in the composed form (NFC)."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """The same for names that differ only in case, blanks, - and _ between words, wide letters, invisible characters, or zeros before a number.

    A sign stays: -1 is not 1, and A- is not A.
    """
    shown = name
    if not name.isascii():
        shown = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    words = " ".join(re.sub(r"(?<=[^\W_])[-_]+(?=[^\W_])", " ", shown.casefold()).strip("_").split())
    return re.sub(r"^([-+]?)0+(?=\d+$)", r"\1", words) or name


def means_nothing(name: str) -> bool:
    """Whether a name is what programs write for a missing value."""
    return name.strip().casefold() in NOTHING
