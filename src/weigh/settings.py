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
from weigh.language import Text, text

__all__ = ["cache_folder", "cache_limit", "offline_by_environment", "parse_bytes", "user_path", "way_online"]

DEFAULT_LIMIT = "20GB"
OFFLINE = ("WEIGH_OFFLINE", "HF_HUB_OFFLINE")
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def user_path(written: str | Path) -> Path:
    """A path as a user wrote it, with the home folder in the place of a leading `~`; where nobody has such a home ("~backup"), as it stands."""
    try:
        return Path(written).expanduser()
    except RuntimeError:
        return Path(written)


def cache_folder() -> Path:
    """`$WEIGH_CACHE`, else `$XDG_CACHE_HOME/weigh`, else `~/.cache/weigh`. Not created here.

    Raises:
        SpecError: None of them is set, and the user has no home folder.
    """
    if folder := os.environ.get("WEIGH_CACHE"):
        return user_path(folder)
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "weigh"
    try:
        return Path.home() / ".cache" / "weigh"
    except RuntimeError:  # a container with a user that the system does not know
        raise SpecError(
            text("The home folder of this user is not known.", "无法确定当前用户的主文件夹。"),
            text("Features and decoded pictures are kept below it.", "特征和解码后的图片保存在其中。"),
            text("Name another folder: WEIGH_CACHE=/tmp/weigh", "请指定其他文件夹：WEIGH_CACHE=/tmp/weigh"),
        ) from None


def cache_limit() -> int:
    """Bytes that the cache may hold (`$WEIGH_CACHE_LIMIT`, default 20 GB)."""
    return parse_bytes(os.environ.get("WEIGH_CACHE_LIMIT") or DEFAULT_LIMIT, "WEIGH_CACHE_LIMIT")


def parse_bytes(written: str, variable: str) -> int:
    """ "20GB", "500 MB", "1.5G", "1000" in bytes (decimal units).

    Args:
        variable: The environment variable that says it, for the error.

    Raises:
        SpecError: Not a size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*", written, flags=re.IGNORECASE)
    if not match:
        raise SpecError(
            text("{v}: '{w}' is not a size.", "{v}：“{w}”不是有效的大小。", v=variable, w=written),
            do=text("Write it like 20GB or 500MB.", "请写成 20GB 或 500MB 这样的形式。"),
        )
    return int(float(match[1]) * _UNITS[match[2].upper()])


def offline_by_environment() -> bool:
    """Whether the environment forbids the network."""
    return bool(_forbidding())


def way_online() -> Text:
    """How to allow the network again, as the beginning of a sentence: by the variables that forbid it, else by the option."""
    if names := _forbidding():
        return text("Unset {n} and run once with a network", "请取消 {n} 并联网运行一次", n=", ".join(names))
    return text(
        "Run once without --offline (where a study.yaml says run.offline, with --set run.offline=false)",
        "请去掉 --offline（若 study.yaml 中设有 run.offline，则加上 --set run.offline=false）联网运行一次",
    )


def _forbidding() -> list[str]:
    """Variables of the environment that forbid the network."""
    return [name for name in OFFLINE if os.environ.get(name, "").lower() in ("1", "true", "yes", "on")]
