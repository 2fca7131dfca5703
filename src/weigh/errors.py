"""What can go wrong, said so that a person knows what to do now.

    WeighError
    ├── SpecError          study.yaml or an option is wrong (all problems at once)
    ├── DataError          pictures, tables, labels
    │   ├── ColumnMissing        a column that a setting names is not there
    │   └── FileRefused          no regular file, or more than what may be read
    ├── DesignError        folds, groups, repeats that cannot be made or analysed
    ├── ModelError         a model address, its weights, its preprocessing
    │   ├── WeightsUnreachable   no hub, no package, no file has them
    │   └── WeightsReplaced      not those that the study began with
    ├── RecordError        the study folder
    │   ├── StudyMismatch        other data or another task than what is recorded
    │   └── StudyLocked          another process is writing
    ├── StorageError       the disk: full, read-only, without locks, no permission
    ├── ExecutionError     worker processes cannot be used on this machine
    ├── MissingExtra       an optional package is not installed
    ├── Interrupted        somebody asked for the end of a command that says itself what is kept
    └── PluginError        an installed plugin cannot be imported, or takes a name that is taken

Every error says what is wrong (with the value), why it matters, and what to do now. The command line prints
these three and exits with `exit_code`; a traceback is for our own mistakes only.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from weigh.language import Text, text

__all__ = [
    "ColumnMissing",
    "DataError",
    "DesignError",
    "ExecutionError",
    "FileRefused",
    "Interrupted",
    "MissingExtra",
    "ModelError",
    "PluginError",
    "RecordError",
    "SpecError",
    "StorageError",
    "StudyLocked",
    "StudyMismatch",
    "WeighError",
    "WeightsReplaced",
    "WeightsUnreachable",
    "did_you_mean",
    "no_file",
    "reason_of",
]

MOST_NAMES = 5_000  # beside a path that is not there: to compare more takes longer than a second
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_OBJECT = re.compile(r"<([^<>]*?) object at 0x[0-9a-fA-F]+>| at 0x[0-9a-fA-F]{4,}")


class WeighError(Exception):
    """A mistake or a limit that the user can act on.

    Args:
        what: What is wrong, with the offending value.
        why: Why it matters.
        do: What to do now, with the command or the setting.
    """

    exit_code = 2

    def __init__(self, what: Text, why: Text | None = None, do: Text | None = None) -> None:
        self.what, self.why, self.do = what, why, do
        super().__init__(self.render("en"))

    def render(self, language: str = "en") -> str:
        """The error as lines of text in `language` ("en" or "zh")."""
        return "\n".join(part.render(language) for part in (self.what, self.why, self.do) if part)

    def __reduce__(self):  # errors cross process borders: rebuild from the parts, not from the message
        return type(self), (self.what, self.why, self.do)


class SpecError(WeighError):
    """study.yaml or an option is wrong."""


class DataError(WeighError):
    """Pictures, tables or labels cannot be used as they are."""


class ColumnMissing(DataError):
    """A column that a setting names is not there."""


class FileRefused(DataError):
    """A file that is not read, whatever it may hold: no regular file, or more than what may be read."""


class DesignError(WeighError):
    """A design that cannot be made or analysed."""


class ModelError(WeighError):
    """A model address, its weights or its preprocessing."""


class WeightsUnreachable(ModelError):
    """No hub, no installed package and no file has the weights."""


class WeightsReplaced(ModelError):
    """Another model lies under the name of one that the study began with. It concerns the whole study: no run has failed."""


class RecordError(WeighError):
    """The study folder cannot be used as it is."""


class StudyMismatch(RecordError):
    """The folder holds a study of other data or of another task."""


class StudyLocked(RecordError):
    """Another process is writing to this study."""


class StorageError(WeighError):
    """The disk does not take or give a file; made by `disk.storage_error`. The same command resumes what it stopped."""


class ExecutionError(WeighError):
    """Worker processes cannot be used here."""


class Interrupted(WeighError):
    """Somebody asked for the end (Ctrl-C, SIGTERM); says what is kept and how to go on."""

    exit_code = 130


class MissingExtra(WeighError):
    """An optional package is not installed."""

    def __init__(self, package: str, purpose: Text, extra: str | None = None) -> None:
        self.args_ = (package, purpose, extra)
        install = f"pip install 'weigh[{extra}]'" if extra else f"pip install {package}"
        super().__init__(
            text("The package {p} is not installed.", "没有安装软件包 {p}。", p=package),
            text("It is needed for {x}.", "{x}需要它。", x=purpose),
            text("Install it: {i}", "请安装：{i}", i=install),
        )

    def __reduce__(self):
        return type(self), self.args_


class PluginError(WeighError):
    """An installed plugin cannot be imported, or takes a name that is taken."""


def no_file(path: str | Path, kind: type[WeighError] = DataError, do: Text | None = None) -> WeighError:
    """The error, of class `kind`, that there is no file of this name, or a folder; without `do` it names the file that may be meant."""
    if Path(path).is_dir():
        inside = text("Name a file in it.", "请指定其中的一个文件。")
        return kind(text("{p} is a folder, no file.", "{p} 是文件夹，不是文件。", p=path), do=do or inside)
    return kind(text("There is no file {p}.", "没有文件 {p}。", p=path), do=do or did_you_mean(path))


def did_you_mean(path: str | Path) -> Text | None:
    """The name beside a path that is most like its own, as a question; None where none is."""
    folder, name = Path(path).parent, Path(path).name
    try:
        names = [one.name for one in folder.iterdir() if one.name != name]
    except (OSError, ValueError):  # there is no such folder, or no permission to list it
        return None
    near = difflib.get_close_matches(name, names, n=1) if len(names) <= MOST_NAMES else []
    return text("Did you mean {n}?", "您是想用 {n} 吗？", n=folder / near[0]) if near else None


def reason_of(error: BaseException, longest: int = 200) -> str:
    """What the error of a library says, fit to stand in a sentence: its first line, or its kind; no colours, no addresses in memory."""
    lines = _COLOUR.sub("", str(error)).strip().splitlines() or [type(error).__name__]
    return _OBJECT.sub(r"\1", lines[0])[:longest].strip()
