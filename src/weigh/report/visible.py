"""Text from users' data, made harmless before anybody sees it: control characters become visible marks.

Class names, file names and metadata are hostile. Escaping for HTML, Markdown or a terminal is the renderer's work;
what no escaping cures is done here: escape sequences that would colour or clear a terminal, direction overrides
that would show `gpj.exe` as `exe.jpg` (CVE-2021-42574, "Trojan Source"), and halves of characters from file
names that are not UTF-8. After it: `html.py`, `terminal.py`, `markdown.py`, `card.py`, `notebook.py`.
"""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["visible", "visible_json", "visible_line"]

# C0 without tab and newline, DEL and C1; direction marks, embeddings, overrides and isolates; line and paragraph
# separators; invisible joiners are left alone (Persian, emoji), zero-width space and byte-order mark are not, nor what
# else shows nothing: soft hyphen, grapheme joiner, fillers of Hangul, inherent vowels of Khmer, the Mongolian vowel separator, tags.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0\U000e0000-\U000e007f]"
)


def visible(source: Any) -> str:
    """`source` as text in which every control, direction override and broken character stands as `‹U+202E›`."""
    return _HIDDEN.sub(lambda match: f"‹U+{ord(match[0]):04X}›", str(source))


def visible_json(document: str) -> str:
    """A JSON document with the same meaning in which such characters are written as `\\u202e`."""
    return _HIDDEN.sub(lambda match: json.dumps(match[0])[1:-1], document)


def visible_line(source: Any) -> str:
    """As `visible`, on one line: newlines and tabs become marks too (names, table cells)."""
    return visible(source).replace("\n", "‹U+000A›").replace("\t", "‹U+0009›")
