"""Cells of tables that no spreadsheet executes: names of classes and files are hostile. For every table that weigh writes."""

from __future__ import annotations

import re

__all__ = ["DEFUSED", "defuse"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
DEFUSED = r"^'([=+@\t\r\n-])"  # how a cell begins that `defuse` wrote; the group is how it began before
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)  # a class may be called -1


def defuse(cell: str) -> str:
    """A cell that no spreadsheet executes (OWASP, CSV injection): a leading apostrophe before =, +, -, @, tab, CR, LF; numbers stay."""
    return "'" + cell if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell
