"""findings.json: one way to write it, so that equal findings are equal bytes.

Before it: `findings/` made a `FindingsFile`. Keys are sorted, floats carry ten significant digits (the last bits of
a sum may depend on the order of summation, ten digits do not), the file is UTF-8 and ends with a newline.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from weigh.findings.model import FindingsFile

__all__ = ["strip_measured", "to_json"]

DIGITS = 10
_HALF = re.compile("[\ud800-\udfff]")


def to_json(file: FindingsFile) -> str:
    """The canonical text of findings.json.

    Not-a-number and infinities become `null` (JSON has no word for them). Halves of characters, which Python uses
    for file names that are not UTF-8, are written as `\\udcXX`.
    """
    plain = _plain(file.model_dump(mode="python", by_alias=True))
    written = json.dumps(plain, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    return _HALF.sub(lambda match: f"\\u{ord(match[0]):04x}", written) + "\n"


def strip_measured(obj: Any) -> Any:
    """`obj` (parsed JSON, or a pydantic model's dump) without any `measured`: what must not differ between two runs."""
    if isinstance(obj, dict):
        return {key: strip_measured(value) for key, value in obj.items() if key != "measured"}
    if isinstance(obj, (list, tuple)):
        return [strip_measured(value) for value in obj]
    return obj


def _plain(value: Any) -> Any:
    """Only dict, list, str, int, float, bool and None; numpy scalars and arrays included."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(entry) for entry in value)
    if isinstance(value, (str, bool)) or value is None:
        return str(value) if isinstance(value, str) else value
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        rounded = float(f"{value:.{DIGITS}g}")
        if not math.isfinite(rounded):  # rounded beyond the largest float
            return value
        return 0.0 if rounded == 0 else rounded  # no negative zero
    return str(value)
