"""Scripts that are written without blanks between words: where words are counted or taken out, their characters stand for words. And the signs
that are written into words of many scripts.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["MARKS", "UNSPACED"]

# one character of kana, Han, Thai and Lao, Burmese, Khmer
UNSPACED = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
)
# accents that stand apart, vowels and points of Devanagari, Thai, Arabic, Hebrew and their like; inside of a set of characters
MARKS = "".join(c for c in map(chr, range(0x300, 0xFE30)) if unicodedata.category(c)[0] == "M")
