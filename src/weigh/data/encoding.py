"""From the bytes of a text file to its characters, and which encoding was found.

Before it: a file from a stranger. After it: tables, lines of text, CoNLL columns. What was not UTF-8 is said (`encoding_problem`),
since a wrong guess is visible only in the texts themselves.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import NamedTuple

from weigh.data.examples import Problem
from weigh.errors import DataError
from weigh.language import text

__all__ = ["Decoded", "decode", "encoding_problem", "read_text", "split_lines"]

HEAD = 64_000  # bytes looked at where only the beginning counts
MOST_GUESSED = 1_000_000  # bytes that decide between GB 18030 and Windows-1252


class Decoded(NamedTuple):
    """Characters of a file, and the name of the encoding they were read with ("UTF-8", "UTF-16", "GB 18030", "Windows-1252")."""

    content: str
    encoding: str


def read_text(path: Path, *, limit: int | None = None) -> Decoded:
    """A whole file (packed by gzip or not), or its first `limit` bytes up to the end of a line.

    Raises:
        DataError: It cannot be read, or holds no text.
    """
    try:
        if not path.is_file():  # a pipe or a device would block for ever
            raise DataError(text("{p} is not a file.", "{p} 不是文件。", p=path))
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            raw = file.read() if limit is None else file.read(limit)
    except (OSError, EOFError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(text("{p} cannot be read: {e}", "无法读取 {p}：{e}", p=path, e=reason)) from None
    if limit is not None and len(raw) == limit and raw[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raw = raw[: raw.rfind(b"\n") + 1] or raw
    found = decode(raw[: len(raw) // 2 * 2] if limit is not None and raw[:2] in (b"\xff\xfe", b"\xfe\xff") else raw)
    if found is None:
        raise DataError(
            text("{p} is not a file of text.", "{p} 不是文本文件。", p=path),
            do=text("Save it as text in UTF-8.", "请另存为 UTF-8 文本。"),
        )
    return found


def decode(raw: bytes) -> Decoded | None:
    """The first that fits: UTF-8 (with or without a mark), UTF-16 with a mark, GB 18030 (covers GBK and GB 2312), Windows-1252.

    Returns:
        None for bytes that are no text: a NUL without a mark of UTF-16.

    GB 18030 reads much that is Western European as well ("é " is not valid in it, but "él" is a Chinese character): there,
    bytes above 127 mostly stand alone, while in Chinese text they stand in pairs and longer runs.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return Decoded(raw.decode("utf-16"), "UTF-16")
        except UnicodeDecodeError:
            return None
    if b"\0" in raw[:HEAD] and raw[:3] != b"\xef\xbb\xbf" and _mostly_zero(raw[:HEAD]):
        return None
    try:
        return Decoded(raw.decode("utf-8-sig"), "UTF-8")
    except UnicodeDecodeError:
        pass
    high = re.findall(rb"[\x80-\xff]+", raw[:MOST_GUESSED])
    alone = sum(len(run) == 1 for run in high)
    if alone * 2 < len(high):
        # damaged or cut-off UTF-8 is not Chinese in another encoding: most of it still reads as UTF-8
        damaged = raw.decode("utf-8-sig", "replace")
        if damaged.count("\ufffd") * 20 < len(high):
            return Decoded(damaged, "UTF-8 (damaged)")
        try:
            return Decoded(raw.decode("gb18030"), "GB 18030")
        except UnicodeDecodeError:
            pass
    return Decoded(raw.decode("cp1252", "replace"), "Windows-1252")


def _mostly_zero(raw: bytes) -> bool:
    """More than one NUL in fifty bytes: binary, not a text with a stray control character."""
    return raw.count(0) * 50 > len(raw)


def split_lines(content: str) -> list[str]:
    """Lines at "\\n" and "\\r\\n" only: other marks that Python splits at (form feed, NEL, U+2028) belong to the texts."""
    lines = content.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def encoding_problem(encodings: dict[str, str]) -> list[Problem]:
    """What is not UTF-8, from file name to encoding: a note, or a warning where characters were lost."""
    problems = []
    for name in sorted(set(encodings.values()) - {"UTF-8"}):
        files = tuple(sorted(f for f, found in encodings.items() if found == name))
        damaged = name == "UTF-8 (damaged)"
        sentence = (
            text(
                "Files whose UTF-8 is damaged: {n} ({f}); characters that cannot be read became U+FFFD.",
                "{n} 个文件的 UTF-8 已损坏（{f}）；无法读取的字符变为 U+FFFD。",
                n=len(files),
                f=", ".join(files[:5]),
            )
            if damaged
            else text(
                "Files read as {e} rather than UTF-8: {n} ({f}).",
                "有 {n} 个文件不是 UTF-8，而是按 {e} 读取（{f}）。",
                e=name,
                n=len(files),
                f=", ".join(files[:5]),
            )
        )
        problems.append(
            Problem(
                "encoding",
                sentence,
                files,
                severity="warning" if damaged else "note",
                why=None if damaged else text("The encoding was guessed from the bytes.", "编码是根据字节推断的。"),
                do=text("Save it as UTF-8 if characters look wrong.", "如果字符显示不对，请另存为 UTF-8。"),
                numbers={"n": len(files)},
            )
        )
    return problems
