"""The one way to the terminal: what is printed passes a filter, in any encoding, and an unexpected error becomes a sentence.

Names, cells and paths of users' data are hostile: an escape sequence in a class name could retitle or clear a terminal. `printing`
puts the filter (`report/visible.py`) between every print of a command, of ours or of a library, and the streams. Two painters
write past it (`unfiltered`): the bars of `screen.py` and the coloured report, whose texts went through `visible` before.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from weigh.errors import reason_of
from weigh.language import text
from weigh.report.visible import visible

if TYPE_CHECKING:
    from weigh.screen import Screen

__all__ = ["open_screen", "print_data", "printing", "tell_unexpected", "unfiltered"]

# What our own sentences are written with, for terminals that know only ASCII or one alphabet; anything else becomes \\u4e2d.
_PLAIN = {
    "‹": "<", "›": ">", "–": "-", "—": "-", "−": "-", "─": "-", "→": "->", "·": "*", "•": "*", "…": "...", "×": "x", "±": "+-",
    "≥": ">=", "≤": "<=", "“": '"', "”": '"', "‘": "'", "’": "'", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
}  # fmt: skip


def _replace(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    plain = "".join(_PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in wrong)
    return plain, error.end


codecs.register_error("weigh-plain", _replace)


class Filtered(io.TextIOBase):
    """A stream whose texts are made harmless before they are written; everything else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, written: str) -> int:
        if not isinstance(written, str):  # click tries a few bytes to learn whether a stream takes them
            raise TypeError(f"write() argument must be str, not {type(written).__name__}")
        self.stream.write(visible(written))
        return len(written)

    def flush(self) -> None:
        self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self.stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return getattr(self.stream, "errors", None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextmanager
def printing() -> Iterator[None]:
    """Standard output and error pass the filter as long as a command runs; no character is too foreign for them."""
    streams = sys.stdout, sys.stderr
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="weigh-plain")
    sys.stdout, sys.stderr = (Filtered(s) if s is not None else s for s in streams)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams


def unfiltered(stream: TextIO) -> TextIO:
    """The stream behind the filter, for painters that filter their texts themselves."""
    return stream.stream if isinstance(stream, Filtered) else stream


def open_screen(language: str, *, quiet: bool, confirmed: bool) -> Screen:
    """The screen of a command, which draws past the filter: it filters its texts itself."""
    from weigh.screen import Screen

    return Screen(language, quiet=quiet, confirmed=confirmed, file=unfiltered(sys.stderr))


def print_data(written: str, stream: TextIO | None = None) -> None:
    """Rows and documents for programs: into a file or a pipe as UTF-8, whatever the terminal speaks; on a terminal as everything.

    Args:
        stream: Standard output, where something may have taken its place meanwhile; None: it is where it was.
    """
    stream = stream or sys.stdout
    out = unfiltered(stream)
    if out.isatty() or not isinstance(out, io.TextIOWrapper):
        stream.write(written) if out.isatty() else out.write(written)
        return
    out.flush()
    out.buffer.write(written.encode("utf-8", "backslashreplace"))
    out.buffer.flush()


def tell_unexpected(error: BaseException, language: str) -> None:
    """Say that weigh met a case that it was not made for, and where the traceback lies."""
    lines = "".join(traceback.format_exception(error))
    try:
        number, name = tempfile.mkstemp(prefix="weigh-error-", suffix=".txt")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"weigh {sys.argv[1:]}\n{lines}")
        where = text("What happened is written down in {f}.", "详细经过已写入 {f}。", f=Path(name))
    except OSError as refused:
        reason = refused.strerror or str(refused)
        where = text("It could not be written down ({e}).", "详细经过无法写入文件（{e}）。", e=reason)
    sentence = text(
        "weigh stopped at something that it was not made for ({k}: {e}). This is a mistake of weigh's, not of yours.",
        "weigh 遇到了未预料到的情况（{k}：{e}），已停止。这是 weigh 的错误，不是您的错误。",
        k=type(error).__name__,
        e=reason_of(error),
    )
    do = text("Please report it with that file.", "请附上该文件向我们反馈。")
    print((sentence + where + do).render(language), file=sys.stderr)
