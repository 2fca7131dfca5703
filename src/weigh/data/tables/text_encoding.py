"""From the bytes of a text file to its characters, and which encoding was found.

Before it: a file from a stranger. After it: tables, lines of text, CoNLL columns. What was not UTF-8 is said (`encoding_problem`),
since a wrong guess is visible only in the texts themselves.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from weigh.data.tables.older_encodings import ENCODINGS, guess_encoding
from weigh.errors import DataError
from weigh.files import read_file
from weigh.language import text
from weigh.problem import Problem

__all__ = ["Decoded", "decode", "encoding_problem", "read_text", "split_lines", "whole_lines"]

HEAD = 64_000  # bytes looked at where only the beginning counts
MOST_GUESSED = 1_000_000  # bytes that decide between damaged UTF-8 and another encoding
SURE = ("UTF-8", "UTF-16", "UTF-32")  # with a mark, or valid: no guess
_CONTROLS = re.compile(
    rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]"
)  # all but white space and escape, which older encodings use
LFS = b"version https://git-lfs.github.com/spec/"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
UTF32_MARKS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")  # the first begins like a mark of UTF-16
HALVES = frozenset(range(0xD8, 0xDC))  # with what the first half of a character of two halves begins in UTF-16


class Decoded(NamedTuple):
    """Characters of a file, and the name of the encoding they were read with ("UTF-8", "UTF-16", "GB 18030", "Windows-1252" …).

    Where the user named the encoding (`data.encoding`), it is called "as told".
    """

    content: str
    encoding: str


def read_text(
    path: Path, *, limit: int | None = None, encoding: str | None = None, prefer: str | None = None
) -> Decoded:
    """A whole file (packed by gzip or not), or its first `limit` bytes up to the end of a line. Every line ends with "\\n" or "\\r\\n".

    Args:
        encoding: What the user says that it is written in; a mark at the beginning of the file counts more.
        prefer: What the training data were read as: breaks a tie where the file has to be guessed.

    Raises:
        DataError: It cannot be read, or holds no text.
    """
    raw = read_file(path, head=limit)
    cut = limit is not None and len(raw) == limit
    if raw.startswith(LFS):
        raise DataError(
            text(
                "{p} is a pointer of Git LFS, not the file itself.", "{p} 是 Git LFS 的指针，而不是文件本身。", p=path
            ),
            do=text("Fetch the files: git lfs pull", "请获取文件：git lfs pull"),
        )
    width = _width(raw, encoding)
    if cut and width == 1:
        raw = raw[: raw.rfind(b"\n") + 1] or raw[: raw.rfind(b"\r") + 1] or raw
    elif cut:
        raw = raw[: len(raw) // width * width]
        while width == 2 and not HALVES.isdisjoint(raw[-2:]):  # the first half of a character
            raw = raw[:-2]
    decoded = decode(raw, prefer=prefer) if encoding is None else _as_told(path, raw, encoding)
    if decoded is None:
        raise DataError(
            text("{p} is not a file of text.", "{p} 不是文本文件。", p=path),
            do=text(
                "A table or texts: save them as CSV or text in UTF-8. Pictures: give their folder, or a table that names them.",
                "表格或文本：请另存为 UTF-8 编码的 CSV 或文本；图片：请给出其文件夹，或列有图片名的表格。",
            ),
        )
    return Decoded(whole_lines(decoded.content), decoded.encoding)


def _width(raw: bytes, encoding: str | None) -> int:
    """Bytes of the units that a file consists of, between which it may be cut."""
    told = re.match(r"u(?:tf)?[-_ ]?(16|32)", encoding or "", re.IGNORECASE)
    if raw[:4] in UTF32_MARKS or (told and told[1] == "32"):
        return 4
    unmarked = raw[:3] != b"\xef\xbb\xbf" and _mostly_zero(raw[:HEAD])
    return 2 if raw[:2] in UTF16_MARKS or told or unmarked else 1


def decode(raw: bytes, *, prefer: str | None = None) -> Decoded | None:
    """The first that fits: UTF-8 (with or without a mark), UTF-32 and UTF-16, else what its letters look like.

    Returns:
        None for bytes that are no text: many NULs that are not those of UTF-16, or no UTF-8 and many different control characters.
    """
    for marks, codec, name in ((UTF32_MARKS, "utf-32", "UTF-32"), (UTF16_MARKS, "utf-16", "UTF-16")):
        if raw.startswith(marks):
            try:
                return Decoded(raw.decode(codec), name)
            except UnicodeDecodeError:
                return None
    if b"\0" in raw[:HEAD] and raw[:3] != b"\xef\xbb\xbf" and _mostly_zero(raw[:HEAD]):
        return _without_mark(raw)
    try:
        return Decoded(raw.decode("utf-8-sig"), "UTF-8")
    except UnicodeDecodeError:
        pass
    if _is_binary(raw[:HEAD]):
        return None
    high = re.findall(rb"[\x80-\xff]+", raw[:MOST_GUESSED])
    # damaged or cut-off UTF-8 is not another encoding: most of it still reads as UTF-8
    damaged = raw.decode("utf-8-sig", "replace")
    if damaged[:MOST_GUESSED].count("\ufffd") * 20 < len(high):
        return Decoded(damaged, "UTF-8 (damaged)")
    guessed = guess_encoding(raw, prefer)
    if (
        guessed is None
    ):  # Chinese stands in pairs and longer runs of bytes, a Western letter with an accent mostly alone
        alone = sum(len(run) == 1 for run in high)
        guessed = next(e for e in ENCODINGS if e.codec == ("gb18030" if alone * 2 < len(high) else "cp1252"))
    return Decoded(raw.decode(guessed.codec, "replace"), guessed.name)


def _as_told(path: Path, raw: bytes, encoding: str) -> Decoded:
    if raw.startswith((*UTF32_MARKS, *UTF16_MARKS, b"\xef\xbb\xbf")):
        marked = decode(raw)
        if marked is not None:
            return marked
    try:
        return Decoded(raw.decode(encoding), "as told")
    except UnicodeError as error:
        at = error.start if isinstance(error, UnicodeDecodeError) else 0
        raise DataError(
            text(
                "data.encoding: {p} is not written in {e}; line {n} holds {b}.",
                "data.encoding：{p} 并非 {e} 编码；第 {n} 行含有 {b}。",
                p=path, e=encoding, n=raw.count(b"\n", 0, at) + 1, b=raw[at : at + 4].hex(" "),
            ),
            text("These bytes stand for no character there.", "这些字节在该编码中不对应任何字符。"),
            text("Name another encoding, or leave data.encoding out.", "请指定其他编码，或去掉 data.encoding。"),
        ) from None  # fmt: skip


def _without_mark(raw: bytes) -> Decoded | None:
    """UTF-16 without its mark: of mostly Latin text every second byte is zero."""
    even, odd = raw[:HEAD:2], raw[1:HEAD:2]
    for name, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros.count(0) * 10 >= 4 * len(zeros) and others.count(0) * 50 < len(others) and len(raw) % 2 == 0:
            try:
                return Decoded(raw.decode(name), "UTF-16")
            except UnicodeDecodeError:
                return None
    return None


def _mostly_zero(raw: bytes) -> bool:
    """More than one NUL in fifty bytes: binary, not a text with a stray control character."""
    return raw.count(0) * 50 > len(raw)


def _is_binary(raw: bytes) -> bool:
    """More than one control character in fifty bytes, and of many kinds: packed or compiled, where a text has a separator of one kind or two."""
    controls = _CONTROLS.findall(raw)
    return len(controls) * 50 > len(raw) and len(set(controls)) >= 8


def whole_lines(content: str) -> str:
    """Lines that end with a lone "\\r" (old spreadsheets) end with "\\n"; there a "\\n" stands only inside of quotes, if at all."""
    lone = content.count("\r") - content.count("\r\n")
    if not lone:
        return content
    bare = re.sub(r'"[^"]*"', "", content) if '"' in content and "\n" in content else content
    return content if "\n" in bare.rstrip("\r\n") else content.replace("\r\n", "\n").replace("\r", "\n")


def split_lines(content: str) -> list[str]:
    """Lines at "\\n" and "\\r\\n" only: other marks that Python splits at (form feed, NEL, U+2028) belong to the texts."""
    lines = content.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def encoding_problem(encodings: dict[str, str]) -> list[Problem]:
    """What is not UTF-8, from file name to encoding: a note where a mark says so, a warning where it was guessed or characters were lost."""
    problems = []
    for name in sorted(set(encodings.values()) - {"UTF-8", "as told"}):
        files = tuple(sorted(f for f, encoding in encodings.items() if encoding == name))
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
        guessed = name not in SURE and not damaged
        problems.append(
            Problem(
                "encoding",
                sentence,
                files,
                severity="warning" if damaged or guessed else "note",
                why=text(
                    "The encoding was guessed from the letters; in a wrong one every letter beyond A to Z is another.",
                    "编码是根据字符推断的；如果推断有误，除英文字母外的字符全都会变成别的字符。",
                )
                if guessed
                else None,
                do=text(
                    "Look at the texts. If letters are wrong, name the encoding: --set data.encoding=NAME (cp949, cp1251, shift_jis, big5 …); "
                    "if they are right: --set data.encoding={c}",
                    "请查看文本。字符不对时请指定编码：--set data.encoding=编码名（cp949、cp1251、shift_jis、big5 等）；没有问题则：--set data.encoding={c}",
                    c=next(e.codec for e in ENCODINGS if e.name == name),
                )
                if guessed
                else text("Save it as UTF-8 if characters look wrong.", "如果字符显示不对，请另存为 UTF-8。"),
                numbers={"n": len(files)},
            )
        )
    return problems
