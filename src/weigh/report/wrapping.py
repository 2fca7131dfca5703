"""Lines for a terminal, broken where English and Chinese break them.

Chinese has no spaces: a line may end after any character, but never before closing punctuation nor after opening
punctuation (the usual prohibition rules, GB/T 15834 and "Requirements for Chinese Text Layout", W3C). Numbers,
addresses and file names are not broken unless they are longer than a line.
"""

from __future__ import annotations

import re

from rich.cells import cell_len

__all__ = ["wrap"]

_NOT_FIRST = "，。；：、？！）】》”’」』〉…—·%,.;:?!)]}"
_NOT_LAST = "（【《“‘「『〈([{"
_WIDE = "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\u2018\u2019\u201c\u201d"
_PIECES = re.compile(rf"\s+|[{_WIDE}]|[^\s{_WIDE}]+")


def wrap(source: str, width: int) -> list[str]:
    """`source` as lines of at most `width` columns (a wide character takes two)."""
    lines: list[str] = []
    for paragraph in source.split("\n"):
        line = ""
        for piece in _unbreakable(paragraph):
            if cell_len(line) + cell_len(piece.rstrip()) <= width:
                line += piece
                continue
            if line.strip():
                lines.append(line.rstrip())
            line = piece.lstrip()
            while cell_len(line) > width:
                head = _fit(line, width)
                lines.append(head)
                line = line[len(head) :]
        lines.append(line.rstrip())
    return lines


def _unbreakable(paragraph: str) -> list[str]:
    """Pieces between which a line may end; punctuation is glued to what it belongs to."""
    pieces: list[str] = []
    for piece in _PIECES.findall(paragraph):
        glued = pieces and (piece[0] in _NOT_FIRST or pieces[-1][-1] in _NOT_LAST)
        if glued and not piece.isspace():
            pieces[-1] += piece
        else:
            pieces.append(piece)
    return pieces


def _fit(line: str, width: int) -> str:
    """The longest beginning of `line` that fits, at least one character."""
    end = 1
    while end < len(line) and cell_len(line[: end + 1]) <= width:
        end += 1
    while 1 < end < len(line) and line[end] in _NOT_FIRST:
        end -= 1
    return line[:end]
