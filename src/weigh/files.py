"""Files of users, opened so that nothing hangs and nothing fills the memory.

Only regular files are opened: a pipe, a socket or a device would be waited for, or read, for ever. What a file may hold once it is
unpacked is limited by its own size and by `$WEIGH_READ_LIMIT`. Before it: paths from users. After it: readers of texts, tables and arrays.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from weigh.errors import DataError, FileRefused, no_file, reason_of
from weigh.language import Text, text
from weigh.settings import parse_bytes

__all__ = [
    "LONGEST_TEXT",
    "check_unpacked",
    "is_panic",
    "open_regular",
    "read_array",
    "read_file",
    "read_json",
    "read_stdin",
    "refuse_long_texts",
    "stamps",
]

READ_LIMIT = "2GB"  # of one file, unpacked
FREE = 256_000_000  # bytes that any packed file may unpack to
RATIO = 20  # beyond that: text is packed to a fifth or a tenth, hostile files to a thousandth
LONGEST_TEXT = 10_000_000  # characters of one text; models read some 2,000 of them
CHUNK = 1 << 20


def open_regular(path: Path | str) -> BinaryIO:
    """The file at `path`, opened for reading.

    Raises:
        DataError: A pipe, a socket, a device or a folder.
        OSError: As `open`.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        mode = os.stat(path).st_mode  # some devices do something when they are opened
        if not stat.S_ISREG(mode):
            raise _not_regular(path, mode)
        file = os.fdopen(os.open(path, flags), "rb")
    except ValueError as error:  # a NUL in the name
        raise OSError(0, str(error)) from None
    mode = os.fstat(file.fileno()).st_mode
    if not stat.S_ISREG(mode):  # it was replaced in between
        file.close()
        raise _not_regular(path, mode)
    return file


def read_file(path: Path | str, *, head: int | None = None) -> bytes:
    """The contents of a regular file, unpacked where it is packed by gzip; of `head` bytes only where that is given.

    Raises:
        DataError: Missing, not a regular file, damaged, or larger than what may be read.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(2)
            file.seek(0)
            if start == b"\x1f\x8b":
                return _unpack(file, path, size, head)
            if head is not None:
                return file.read(head)
            if size > read_limit():
                raise _too_large(path, size, read_limit(), packed=False)
            return _read_up_to(file, path)
    except FileNotFoundError:
        raise no_file(path) from None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    except MemoryError:
        raise _unreadable(path, "MemoryError") from None


def read_json(path: Path | str) -> Any:
    """What a JSON file holds.

    Raises:
        DataError: As `read_file`, or not JSON.
    """
    raw = read_file(path)
    try:
        return json.loads(raw)  # bytes: it notices UTF-16 and UTF-32
    except (ValueError, RecursionError) as error:
        nested = text("it is nested too deeply", "嵌套层次过深")
        reason = reason_of(error) if isinstance(error, ValueError) else nested
        if isinstance(error, UnicodeDecodeError):
            reason = text("it is not in UTF-8", "它不是 UTF-8 编码")
        raise DataError(
            text("{p} is not valid JSON: {e}.", "{p} 不是有效的 JSON：{e}。", p=path, e=reason),
            do=text("Write the file anew.", "请重新写出该文件。"),
        ) from None


def read_stdin() -> bytes:
    """Everything on standard input.

    Raises:
        DataError: More than what may be read.
    """
    if sys.stdin is None:  # closed by who started this
        return b""
    return _read_up_to(getattr(sys.stdin, "buffer", None) or io.BytesIO(sys.stdin.read().encode()), "-")


def read_limit() -> int:
    """Bytes that one file may hold (`$WEIGH_READ_LIMIT`, default 2 GB)."""
    return parse_bytes(os.environ.get("WEIGH_READ_LIMIT") or READ_LIMIT, "WEIGH_READ_LIMIT")


def check_unpacked(path: Path | str, *, packed: int, unpacked: int) -> None:
    """Refuse a file that unpacks to more than any honest one of its size.

    Raises:
        DataError: Names the file, both sizes and what to do.
    """
    limit = _unpacked_limit(packed)
    if unpacked > limit:
        raise _too_large(path, unpacked, limit, packed=True)


def refuse_long_texts(rows: Iterable[Sequence[str]], name: Callable[[int], str]) -> None:
    """Refuse texts that no model reads and whose tokens would fill the memory.

    Args:
        rows: Parts or tokens of each text.
        name: Where row i (from 0) stands, for the message: "train.csv:3".

    Raises:
        DataError: Names the place, the length and the limit.
    """
    for i, row in enumerate(rows):
        length = sum(map(len, row))
        if length > LONGEST_TEXT:
            raise DataError(
                text(
                    "{p}: the text has {n} characters; the limit is {m}.",
                    "{p}：文本有 {n} 个字符，上限为 {m}。",
                    p=name(i),
                    n=f"{length:,}",
                    m=f"{LONGEST_TEXT:,}",
                ),
                text(
                    "Models read some hundred words of a text; one as long as this is mostly a file without line ends.",
                    "模型只读取文本开头的几百个词；这么长的文本多半是缺少换行的文件。",
                ),
                text("Cut it, or check how the rows are separated.", "请截短该文本，或检查各行是如何分隔的。"),
            )


def read_array(path: Path | str, names: Sequence[str] = ()) -> np.ndarray:
    """The array in a .npy or .npz file; its header is checked against the size of the file before memory is taken. No pickle.

    Args:
        names: Of the array to take where a .npz holds several, the best first.

    Raises:
        DataError: Missing, not a regular file, no such array, or more than what may be read.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(2)
            file.seek(0)
            if start != b"PK":
                return _read_npy(file, size, path)
            with zipfile.ZipFile(file) as packed:
                member = packed.getinfo(_member(path, packed.namelist(), names))
                check_unpacked(path, packed=size, unpacked=member.file_size)
                with packed.open(member) as inside:
                    return _read_npy(inside, member.file_size, path)
    except FileNotFoundError:
        raise no_file(path) from None
    except OSError as error:
        raise _unreadable(path, error.strerror or _ZIP, _SAVE) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, struct.error):
        raise _unreadable(path, _ZIP, _SAVE) from None  # RuntimeError: a password


def _member(path: Path | str, inside: list[str], names: Sequence[str]) -> str:
    """Which array of a .npz is meant: the only one, or the only one of the first name that fits; numpy calls an array without a name `arr_0`."""
    arrays = {name.removesuffix(".npy"): name for name in inside if name.endswith(".npy")}
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    named = [name for name in names if name in arrays] or [name for name in arrays if re.fullmatch(r"arr_\d+", name)]
    if len(named) == 1:
        return arrays[named[0]]
    raise DataError(
        text(
            "{p} holds {n} arrays ({a}); which one is meant is not clear.",
            "{p} 中有 {n} 个数组（{a}），无法确定该用哪一个。",
            p=path, n=len(arrays), a=", ".join(list(arrays)[:20]),
        )
        if arrays
        else text("{p} holds no array.", "{p} 中没有数组。", p=path),
        do=text(
            "Save one array alone: np.save('{s}.npy', array)", "请单独保存一个数组：np.save('{s}.npy', array)", s=Path(path).stem
        ),
    )  # fmt: skip


def _read_npy(file: Any, size: int, path: Path | str) -> np.ndarray:
    """The array in an open file of `size` bytes."""
    try:
        version = np.lib.format.read_magic(file)
    except ValueError:
        raise _unreadable(
            path, text("it is no NumPy array (.npy or .npz)", "它不是 NumPy 数组（.npy 或 .npz）"), _SAVE
        ) from None
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:  # 3.0: names of fields that are not Latin
        raise _unreadable(
            path, text("its format is of version {v}", "其格式版本为 {v}", v=".".join(map(str, version))), _SAVE
        )
    try:
        shape, fortran, dtype = readers[version](file)
        needed = math.prod(map(int, shape)) * dtype.itemsize
    except OSError:
        raise
    except Exception:  # a header is a Python literal: parsing it raises almost anything
        raise _unreadable(path, _HEADER, _SAVE) from None
    if dtype.hasobject:
        raise _unreadable(
            path, text("it holds Python objects, which could run code", "其中是可能执行代码的 Python 对象"), _SAVE
        )
    bytes_left = size - file.tell()
    if needed < 0:
        raise _unreadable(path, _HEADER, _SAVE)
    if needed > bytes_left:
        promise = text(
            "its header promises {n} bytes, it holds {m}",
            "文件头声明有 {n} 字节，实际只有 {m} 字节",
            n=f"{needed:,}",
            m=f"{bytes_left:,}",
        )
        raise _unreadable(path, promise, _SAVE)
    if needed > read_limit():
        raise _too_large(path, needed, read_limit(), packed=False)
    raw = file.read(needed)
    try:
        return np.frombuffer(raw, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    except ValueError:  # a type without bytes, or less than was promised
        raise _unreadable(path, _HEADER, _SAVE) from None


def is_panic(error: BaseException) -> bool:
    """Whether a library written in Rust gave up: its exceptions are no `Exception`."""
    return type(error).__name__ == "PanicException"


def _unpack(file: BinaryIO, path: Path | str, size: int, head: int | None) -> bytes:
    """All members of a gzip file, at most `head` bytes, stopping where more comes out than can be honest."""
    limit, chunks, length = _unpacked_limit(size), [], 0
    unpacker = zlib.decompressobj(wbits=31)
    waiting = b""
    try:
        while head is None or length < head:
            waiting = waiting or file.read(CHUNK)
            if unpacker.eof:
                waiting = waiting.lstrip(b"\0")  # padding between members
                if not waiting:
                    break
                unpacker = zlib.decompressobj(wbits=31)
            if not waiting:
                break
            chunk = unpacker.decompress(waiting, CHUNK)
            waiting = unpacker.unused_data or unpacker.unconsumed_tail
            chunks.append(chunk)
            length += len(chunk)
            if length > limit:
                raise _too_large(path, f"> {limit:,}", limit, packed=True)
    except zlib.error as error:
        raise _unreadable(path, f"gzip: {error}") from None
    if not unpacker.eof and head is None:
        raise _unreadable(path, "gzip: unexpected end of file")
    return b"".join(chunks)[:head]


def _read_up_to(file: BinaryIO, path: Path | str) -> bytes:
    """Everything, also of a file that grows while it is read."""
    limit, chunks, length = read_limit(), [], 0
    while chunk := file.read(CHUNK):
        chunks.append(chunk)
        length += len(chunk)
        if length > limit:
            raise _too_large(path, f"> {limit:,}", limit, packed=False)
    return b"".join(chunks)


def _unpacked_limit(packed: int) -> int:
    return min(max(FREE, RATIO * packed), read_limit())


def _too_large(path: Path | str, size: int | str, limit: int, *, packed: bool) -> FileRefused:
    size = size if isinstance(size, str) else f"{size:,}"
    return FileRefused(
        text(
            "{p} unpacks to {n} bytes; the limit is {m}.",
            "{p} 解压后有 {n} 字节，上限为 {m}。",
            p=path,
            n=size,
            m=f"{limit:,}",
        )
        if packed
        else text(
            "{p} has {n} bytes; the limit is {m}.", "{p} 有 {n} 字节，上限为 {m}。", p=path, n=size, m=f"{limit:,}"
        ),
        text(
            "A file that grows so much could fill the memory; it is read only if you say that it is meant.",
            "这样的文件可能占满内存；只有在您确认之后才会读取。",
        ),
        text(
            "Is it meant? Unpack it first and give the unpacked file (as CSV); beyond 2 GB also set WEIGH_READ_LIMIT=8GB.",
            "如果确实如此：请先解压，再给出解压后的文件（CSV）；超过 2 GB 时还需设置 WEIGH_READ_LIMIT=8GB。",
        )
        if packed
        else text(
            "Take a part of it, or set WEIGH_READ_LIMIT (now {m} bytes), e.g. WEIGH_READ_LIMIT=8GB.",
            "请只取其中一部分，或设置 WEIGH_READ_LIMIT（现为 {m} 字节），例如 WEIGH_READ_LIMIT=8GB。",
            m=f"{limit:,}",
        ),
    )


_KINDS = {
    stat.S_IFDIR: Text("a folder", "文件夹"),
    stat.S_IFIFO: Text("a pipe", "管道"),
    stat.S_IFSOCK: Text("a socket", "套接字"),
    stat.S_IFCHR: Text("a device", "设备"),
    stat.S_IFBLK: Text("a device", "设备"),
}


def _not_regular(path: Path | str, mode: int) -> FileRefused:
    return FileRefused(
        text(
            "{p} is {k}, not a file.", "{p} 是{k}，不是文件。", p=path, k=_KINDS.get(stat.S_IFMT(mode), Text("?", "？"))
        ),
        text(
            "Reading it could wait, or go on, for ever; only regular files are opened.",
            "读取它可能永远等待或永无止境；weigh 只打开普通文件。",
        ),
        text("Write its contents to a file and name that file.", "请把内容写入文件，再给出该文件。"),
    )


_HEADER = text("the header of the file is damaged", "文件头已损坏")
_ZIP = text("it is packed, and the packed file is damaged", "它是压缩文件，且已损坏")
_SAVE = text(
    "Save it anew as plain numbers: np.save('labels.npy', np.asarray(labels))",
    "请重新保存为普通数值：np.save('labels.npy', np.asarray(labels))",
)


def _unreadable(path: Path | str, reason: str | Text, do: Text | None = None) -> DataError:
    reason = reason if isinstance(reason, Text) else reason.rstrip(".")
    return DataError(text("{p} cannot be read: {e}.", "无法读取 {p}：{e}。", p=path, e=reason), do=do)


def stamps(files: Iterable[Path]) -> dict[str, list[int] | None]:
    """Size, time of the last change and number of each file: while they stay the same, so does what is in it. None: it is not there."""
    stamp_by_file: dict[str, list[int] | None] = {}
    for path in files:
        try:
            status = Path(path).stat()
            stamp_by_file[str(path)] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        except OSError:
            stamp_by_file[str(path)] = None
    return stamp_by_file
