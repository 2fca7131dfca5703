"""Settings of this machine and this person: where caches live, how large they may grow, whether the network is allowed.

Read from the environment each time (never stored in a study): WEIGH_CACHE, WEIGH_CACHE_LIMIT ("20GB"), WEIGH_READ_LIMIT ("2GB", in `files.py`),
WEIGH_OFFLINE or HF_HUB_OFFLINE. Hub libraries read HF_ENDPOINT, HF_HOME, HTTP(S)_PROXY themselves, so mirrors work
as users set them.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from weigh.errors import SpecError
from weigh.language import text

__all__ = ["DEFAULT_LIMIT", "cache_folder", "cache_limit", "offline_by_environment", "parse_bytes"]

DEFAULT_LIMIT = "20GB"
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def cache_folder() -> Path:
    """`$WEIGH_CACHE`, else `$XDG_CACHE_HOME/weigh`, else `~/.cache/weigh`. Not created here."""
    if folder := os.environ.get("WEIGH_CACHE"):
        return Path(folder).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "weigh"


def cache_limit() -> int:
    """Bytes that the cache may hold (`$WEIGH_CACHE_LIMIT`, default 20 GB)."""
    return parse_bytes(os.environ.get("WEIGH_CACHE_LIMIT") or DEFAULT_LIMIT)


def parse_bytes(written: str) -> int:
    """ "20GB", "500 MB", "1.5G", "1000" in bytes (decimal units).

    Raises:
        SpecError: Not a size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*", written, flags=re.IGNORECASE)
    if not match:
        raise SpecError(
            text("'{w}' is not a size.", "“{w}”不是有效的大小。", w=written),
            do=text("Write it like 20GB or 500MB.", "请写成 20GB 或 500MB 这样的形式。"),
        )
    return int(float(match[1]) * _UNITS[match[2].upper()])


def offline_by_environment() -> bool:
    """Whether the environment forbids the network."""
    return any(
        os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in ("WEIGH_OFFLINE", "HF_HUB_OFFLINE")
    )
