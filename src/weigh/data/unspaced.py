"""Scripts that are written without blanks between words: where words are counted or taken out, their characters stand for words."""

from __future__ import annotations

import re

__all__ = ["UNSPACED"]

# one character of kana, Han, Thai and Lao, Burmese, Khmer
UNSPACED = re.compile(
    "[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
)
