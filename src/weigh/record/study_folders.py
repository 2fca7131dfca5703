"""Which folders hold studies: what a user may have meant who named one that holds none.

Before it: the folder that a user typed. After it: `ledger.py`, which opens the study in it.
"""

from __future__ import annotations

import difflib
import os
import shlex
from pathlib import Path

from weigh.errors import RecordError
from weigh.language import text

__all__ = ["LEDGER", "no_study"]

LEDGER = "ledger.sqlite"
USUAL = Path("studies")  # where studies lie if nobody says where


def no_study(folder: Path) -> RecordError:
    """The error of a folder that holds no study: it names the study that may be meant, else how to begin one.

    Nobody is sent to begin one in a folder that is there already: it may hold the data.
    """
    near = _meant(folder)
    if near is not None:
        do = text("Did you mean {n}?", "您是想用 {n} 吗？", n=shlex.quote(str(near)))
    elif folder.exists():
        do = text("Start one: weigh run DATA", "新建研究：weigh run 数据")
    else:
        do = text(
            "Start one: weigh run DATA --output {f}",
            "新建研究：weigh run 数据 --output {f}",
            f=shlex.quote(str(folder)),
        )
    return RecordError(
        text("{f} holds no study.", "{f} 中没有研究。", f=folder),
        text(
            "A study folder has a file ledger.sqlite, written by `weigh run`.",
            "研究文件夹中应有由 `weigh run` 写入的 ledger.sqlite。",
        ),
        do,
    )


def _meant(folder: Path) -> Path | None:
    """The study that a file or a folder lies in; else the one of that name (data and their study are called alike), or of nearly that name."""
    for above in folder.parents[:2]:
        if _holds_study(above):
            return above
    name = os.path.basename(os.path.abspath(folder))
    studies = {path.name: path for place in (folder.parent, USUAL) for path in _inside(place) if _holds_study(path)}
    for one in (name, Path(name).stem, *difflib.get_close_matches(name, studies, n=1)):
        if one in studies:
            return studies[one]
    return None


def _holds_study(folder: Path) -> bool:
    try:
        return (folder / LEDGER).is_file()
    except OSError:  # no permission to look into it
        return False


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
