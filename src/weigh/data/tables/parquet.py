"""A Parquet file as a frame: how much it unpacks to is read from its footer before anything is unpacked.

Half a megabyte can hold a billion equal rows. Before it: a path from `table_files.py`. After it: a frame of polars. The footer is a struct
of Thrift's compact protocol (github.com/apache/parquet-format, `FileMetaData`); of it only sizes and numbers of rows are needed. Since a footer
can lie, the head of every page (`PageHeader`) is read too: whoever unpacks a page takes the memory that its head promises.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from weigh.errors import DataError, reason_of
from weigh.files import check_unpacked, is_panic, open_regular
from weigh.language import text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_parquet"]

CELL = 16  # bytes that polars takes for one cell at least, whatever it holds
MAGIC = b"PAR1"


def read_parquet(path: Path, *, rows: int | None = None) -> pl.DataFrame:
    """The table, or its first `rows` rows.

    Raises:
        DataError: Not a regular file, damaged, or more than what may be unpacked.
    """
    import polars as pl

    try:
        with open_regular(path) as file:
            packed = os.fstat(file.fileno()).st_size
            unpacked = _unpacked_bytes(file, packed)
        check_unpacked(path, packed=packed, unpacked=unpacked)
        frame = pl.read_parquet(path, use_pyarrow=False, n_rows=rows)
        check_unpacked(path, packed=packed, unpacked=_text_bytes(frame))
    except DataError:
        raise
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    except BaseException as error:  # polars raises several kinds for damaged files, one of them no Exception
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        raise _unreadable(path, reason_of(error)) from None
    return frame


def _unpacked_bytes(file: BinaryIO, size: int) -> int:
    """Unpacked bytes by the footer or by the heads of the pages, whichever is more, with a least number of bytes for each cell.

    Raises:
        ValueError: There is no footer.
    """
    if size < 12:
        raise ValueError("it is too short")
    file.seek(size - 8)
    tail = file.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or length > size - 8:
        raise ValueError("it has no footer")
    file.seek(size - 8 - length)
    footer = _Thrift(file.read(length)).struct(0)
    total = 0
    for group in _structs(footer.get(4)):
        for column in _structs(group.get(1)):
            chunk = column.get(3)
            if isinstance(chunk, dict):
                pages, cells = _promised_by_pages(file, chunk, size)
                total += max(_number(chunk.get(6)), CELL * _number(chunk.get(5)), pages, CELL * cells)
    return max(total, CELL * _number(footer.get(3)))


def _promised_by_pages(file: BinaryIO, chunk: dict[int, Any], size: int) -> tuple[int, int]:
    """Bytes and cells of the pages of one column, as their heads say."""
    at = min(offset for offset in (_number(chunk.get(9)) or size, _number(chunk.get(11)) or size))
    end = min(at + _number(chunk.get(7)), size)
    unpacked = cells = 0
    while at < end:
        head, length = _page_head(file, at, end)
        if head is None:  # not a page: polars says what is wrong with it
            break
        unpacked += _number(head.get(2))
        cells += sum(_number(page.get(1)) for page in (head.get(5), head.get(8)) if isinstance(page, dict))
        at += length + _number(head.get(3))
    return unpacked, cells


def _page_head(file: BinaryIO, at: int, end: int) -> tuple[dict[int, Any] | None, int]:
    """The struct at `at` and its length in bytes: some 30, or as many as the least and greatest text of the page have."""
    for most in (256, 65_536, 16_777_216):
        file.seek(at)
        reader = _Thrift(file.read(min(most, end - at)))
        try:
            return reader.struct(0), reader.at
        except ValueError:
            if most >= end - at:
                break
    return None, 0


def _text_bytes(frame: pl.DataFrame) -> int:
    """Bytes of all texts once each stands alone: a text that a dictionary holds once may be meant by a million rows."""
    import polars as pl

    total = 0
    for column in frame:
        if column.dtype == pl.String:
            total += int(column.str.len_bytes().sum() or 0)
        elif column.dtype in (pl.Categorical, pl.Enum):
            total += int(column.cat.len_bytes().sum() or 0)
        elif column.dtype == pl.Binary:
            total += int(column.bin.size().sum() or 0)
        elif column.dtype.is_nested():
            total += int(column.estimated_size())
    return total


def _structs(values: Any) -> list[dict[int, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _number(value: Any) -> int:
    return max(value, 0) if isinstance(value, int) else 0


class _Thrift:
    """Reads the compact protocol: structs as dictionaries by field number, everything else as Python values."""

    DEEPEST = 30

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def struct(self, depth: int) -> dict[int, Any]:
        if depth > self.DEEPEST:
            raise ValueError("its footer is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while wire := self._byte():
            number = number + (wire >> 4) if wire >> 4 else self._zigzag()
            fields[number] = self._value(wire & 15, depth)
        return fields

    def _value(self, wire: int, depth: int) -> Any:
        if wire in (1, 2):
            return wire == 1
        if wire == 3:
            return self._byte()
        if wire in (4, 5, 6):
            return self._zigzag()
        if wire == 7:
            return self._bytes(8)
        if wire == 8:
            return self._bytes(self._varint())
        if wire in (9, 10):
            return self._list(depth)
        if wire == 11:
            return self._map(depth)
        if wire == 12:
            return self.struct(depth + 1)
        raise ValueError("its footer is damaged")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count, wire = (self._varint() if head >> 4 == 15 else head >> 4), head & 15
        self._check(count)
        if wire in (1, 2):  # in lists each truth takes a byte
            return [self._byte() == 1 for _ in range(count)]
        return [self._value(wire, depth) for _ in range(count)]

    def _map(self, depth: int) -> list[Any]:
        count = self._varint()
        self._check(count)
        wires = self._byte() if count else 0
        return [(self._value(wires >> 4, depth), self._value(wires & 15, depth)) for _ in range(count)]

    def _check(self, count: int) -> None:
        if count > len(self.raw) - self.at:
            raise ValueError("its footer is damaged")

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, count: int) -> bytes:
        self._check(count)
        self.at += count
        return self.raw[self.at - count : self.at]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if not byte & 128:
                return value
            if shift > 63:
                raise ValueError("its footer is damaged")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _unreadable(path: Path, reason: str) -> DataError:
    return DataError(
        text("The table {t} cannot be read as Parquet: {e}", "无法按 Parquet 读取表格 {t}：{e}", t=path, e=reason),
        do=text(
            "Write it anew, or save it as CSV (UTF-8) with a header line.",
            "请重新写出，或另存为带表头的 CSV（UTF-8）。",
        ),
    )
