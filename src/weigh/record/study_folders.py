"""Which folders hold studies: what a user may have meant who named one that holds none, and what is wrong with one that cannot be opened.

Before it: the folder that a user typed. After it: `ledger.py`, which opens the study in it; `study.py`.
"""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weigh.data.rows.trees import same_folder
from weigh.errors import RecordError, SpecError
from weigh.language import Text, text
from weigh.record.lock import is_being_written
from weigh.settings import user_path
from weigh.spec import StudySpec

__all__ = [
    "COPY",
    "LEDGER",
    "holds_study",
    "never_started",
    "no_study",
    "not_to_be_resumed",
    "of_another_version",
    "read_as_it_ran",
    "refuse_data",
    "refuse_folder_of_data",
    "refuse_inside_data",
]

LEDGER = "ledger.sqlite"
COPY = "ledger.copy.sqlite"  # takes its place where it is lost or damaged
REPORT = "report.html"
USUAL = Path("studies")  # where studies lie if nobody says where


def no_study(folder: Path) -> RecordError:
    """The error of a folder that holds no study: it names the study that may be meant, else how to begin one.

    Nobody is sent to begin one in a folder that is there already: it may hold the data.
    """
    near = _meant(folder)
    if near is not None:
        do = text("Did you mean {n}?", "您是想用 {n} 吗？", n=shlex.quote(str(near)))
    elif (folder / REPORT).is_file():  # `weigh read` wrote it
        do = text("The report that lies there can be opened: {p}", "其中已有的报告可直接打开：{p}", p=folder / REPORT)
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


def never_started(folder: Path) -> RecordError:
    """The error of a folder in which nothing but a beginning is recorded."""
    if is_being_written(folder):
        return RecordError(
            text(
                "The study in {f} has recorded nothing yet: another process is preparing it.",
                "{f} 中的研究还没有任何记录：另一个进程正在准备。",
                f=folder,
            ),
            do=text(
                "Wait until it trains, then run the same command again.",
                "请等它开始训练后，再运行同一命令。",
            ),
        )
    return RecordError(
        text(
            "The study in {f} was never started: it stopped before its first run.",
            "{f} 中的研究从未开始：在第一次运行之前就停止了。",
            f=folder,
        ),
        do=text("Run the command that began it again.", "请再次运行当初的命令。"),
    )


def of_another_version(folder: Path, error: SpecError, version: str) -> RecordError:
    """The error of a study whose settings this version, with the plugins that are installed, does not take.

    Args:
        version: That it ran with.
    """
    return RecordError(
        text(
            "The settings of the study in {f} cannot be read: {e}",
            "无法读取 {f} 中研究的设置：{e}",
            f=folder,
            e=error.what,
        ),
        text("They are those that it ran with.", "这些是它运行时所用的设置。"),
        text(
            "Open it with the version and the plugins that it ran with: weigh {v}; or run it anew in another folder (--output).",
            "请使用它运行时的版本和插件打开：weigh {v}；或用 --output 在另一个文件夹中重新运行。",
            v=version,
        ),
    )


def read_as_it_ran(folder: Path, refused: Sequence[str], version: str) -> Text:
    """What is told of a study that is read, though this version refuses some of its settings.

    Args:
        refused: Their names.
        version: That it ran with.
    """
    return text(
        "This version of weigh refuses settings of the study in {f}, which ran with weigh {v}: {r}. What is recorded is read all the same.",
        "{f} 中的研究由 weigh {v} 运行，其中有本版本不接受的设置：{r}。已记录的结果仍可读取。",
        f=folder,
        v=version,
        r=", ".join(refused),
    )


def not_to_be_resumed(folder: Path, error: SpecError, version: str) -> SpecError:
    """The error of a study that cannot go on, since this version, with the plugins that are installed, refuses its settings.

    Args:
        version: That it ran with.
    """
    written = folder / "study.yaml"
    correct = text("Correct them in {y} and run the same command again: runs that they change are made anew.", "请在 {y} 中更正后再运行同一命令：受影响的运行会重新进行。", y=written)  # fmt: skip
    return SpecError(
        error.what,
        text(
            "The study in {f} ran with these settings under weigh {v}.",
            "{f} 中的研究当时以 weigh {v} 和这些设置运行。",
            f=folder,
            v=version,
        ),
        (correct if written.is_file() else text("", ""))
        + text(
            "Or go on with the version and the plugins that it ran with, or begin anew in another folder (--output). What is recorded can be read: weigh report {f}",
            "也可以用它运行时的版本和插件继续，或用 --output 在另一个文件夹中重新开始。已记录的结果可以查看：weigh report {f}",
            f=shlex.quote(str(folder)),
        ),
    )


def refuse_folder_of_data(folder: Path, spec: StudySpec) -> None:
    """Raise an error if a study would begin in the very folder of its data: what it writes there would be classes of them.

    Raises:
        SpecError: It would.
    """
    if holds_study(folder) or not same_folder(user_path(spec.data.train), folder):
        return
    raise SpecError(
        text("{f} is the folder of the data itself.", "{f} 就是数据所在的文件夹。", f=folder),
        text("What a study writes would be read as data.", "研究写入的文件会被当作数据读取。"),
        text("Name another folder: --output studies/NAME", "请另选文件夹：--output studies/名称"),
    )


def refuse_data(option: str, path: Path, spec: StudySpec) -> None:
    """Raise an error if an output would replace a file of the data of the study.

    Args:
        option: That names `path`, without its dashes.

    Raises:
        SpecError: It would.
    """
    if not any(same_folder(source, path) for source in _sources(spec)):
        return
    other = path.with_name(f"{path.stem}-{option}{path.suffix}")
    raise SpecError(
        text("--{o} {p} would replace the data of the study.", "--{o} {p} 会覆盖研究的数据。", o=option, p=path),
        do=text("Name another file: --{o} {n}", "请指定另一个文件：--{o} {n}", o=option, n=shlex.quote(str(other))),
    )


def refuse_inside_data(places: Mapping[str, Any], spec: StudySpec) -> None:
    """Raise an error if masks, boxes or drawings would be written among the data of the study.

    Args:
        places: Option without its dashes -> the place that it names, or several.

    Raises:
        SpecError: They would.
    """
    for option, place in places.items():
        for one in [place] if isinstance(place, (str, Path)) else place or ():
            where = Path(os.path.realpath(user_path(one)))
            for source in _sources(spec):
                if same_folder(source, where) or (source.is_dir() and where.is_relative_to(os.path.realpath(source))):
                    raise _inside_data(option, one, source)


def _inside_data(option: str, place: str | Path, source: Path) -> SpecError:
    return SpecError(
        text(
            "--{o} {p} lies in the data of the study ({d}).",
            "--{o} {p} 位于研究的数据（{d}）中。",
            o=option,
            p=place,
            d=source,
        ),
        text(
            "What is written there would replace labels, or be read as data the next time.",
            "写入的文件会覆盖标注，或在下次被当作数据读取。",
        ),
        text("Name a place outside of it.", "请指定数据以外的位置。"),
    )


def _sources(spec: StudySpec) -> list[Path]:
    data = spec.data
    return [user_path(source) for source in (data.train, data.test, *data.shifted.values()) if source]


def _meant(folder: Path) -> Path | None:
    """The study that a file or a folder lies in; else the one of that name (data and their study are called alike), or of nearly that name."""
    for above in folder.parents[:2]:
        if holds_study(above):
            return above
    name = os.path.basename(os.path.abspath(folder))
    studies = {path.name: path for place in (folder.parent, USUAL) for path in _inside(place) if holds_study(path)}
    for one in (name, Path(name).stem, *difflib.get_close_matches(name, studies, n=1)):
        if one in studies:
            return studies[one]
    return None


def holds_study(folder: Path) -> bool:
    """Whether a study lies in a folder: its ledger, or the copy of that."""
    try:
        return any((folder / name).is_file() for name in (LEDGER, COPY))
    except OSError:  # no permission to look into it
        return False


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
