"""Rows on disk, each with a checksum of its cells: SQLite finds damaged pages, the checksums find everything else.

Below `ledger.py`, which says what the rows mean. Columns are named wherever rows are written or read, so that one that
somebody added does no harm.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple

from weigh.data.contents import identity
from weigh.disk import errno_of, storage_error
from weigh.errors import RecordError, StudyLocked
from weigh.language import text

__all__ = [
    "Table",
    "check_tables",
    "connect",
    "copy_tables",
    "create_tables",
    "damaged",
    "gone",
    "insert",
    "read_rows",
    "unusable",
]

BUSY = frozenset({5, 6})  # SQLITE_BUSY, SQLITE_LOCKED
CANNOT_OPEN = 14  # SQLITE_CANTOPEN
WAIT = 30.0  # seconds for another process's transaction
SYNCHRONOUS = "FULL"  # what a transaction wrote is on the disk when it ends, so that it survives a power cut
_checked: dict[tuple, tuple] = {}  # (file, tables) -> the identity under which this process has checked them


class Table(NamedTuple):
    """Name, and columns with their types; the first column is the key."""

    name: str
    columns: dict[str, str]


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """A connection whose text is never undecodable: a damaged cell then differs from its checksum.

    Readers may write too: what a kill left half written is rolled back by whoever comes next. Where nothing can be written,
    SQLite reads.
    """
    mode = "rwc" if create else "rw"
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", uri=True, timeout=WAIT)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    try:
        db.execute(f"PRAGMA synchronous={SYNCHRONOUS}")
    except UnicodeDecodeError as error:  # SQLite quotes a damaged schema in its message, and Python cannot decode that
        db.close()
        raise sqlite3.DatabaseError(f"malformed database schema ({error.reason})") from None
    return db


def create_tables(db: sqlite3.Connection, tables: Iterable[Table]) -> None:
    """Create the tables that are not there yet."""
    for table in tables:
        key, *others = (f"{name} {sql_type}" for name, sql_type in table.columns.items())
        db.execute(f"CREATE TABLE IF NOT EXISTS {table.name} ({', '.join([f'{key} PRIMARY KEY', *others])}, seal TEXT)")


def insert(
    db: sqlite3.Connection,
    table: Table,
    rows: Iterable[Sequence[Any]],
    *,
    on_conflict: Literal["REPLACE", "IGNORE"] = "REPLACE",
) -> None:
    """Write rows with their checksums.

    Args:
        on_conflict: What happens where the key is there already.
    """
    names = [*table.columns, "seal"]
    db.executemany(
        f"INSERT OR {on_conflict} INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
        [(*row, _seal(table, row)) for row in rows],
    )


def read_rows(path: Path, sql: str, values: Sequence[Any] = ()) -> list[tuple]:
    """The rows that a query gives.

    Raises:
        StorageError, StudyLocked, RecordError: The disk, another process, damage.
    """
    try:
        with closing(connect(path)) as db:
            return db.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise unusable(path, error) from None


def check_tables(path: Path, tables: Sequence[Table]) -> str | None:
    """What is damaged, in a few words for a log; None where every row is as it was written."""
    now, opened = identity(path), (path, *(table.name for table in tables))
    if now is not None and _checked.get(opened) == now:
        return None
    try:
        with closing(connect(path)) as db:
            state = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
            if state != "ok":
                return state.splitlines()[0]
            for table in tables:
                for *cells, seal in db.execute(f"SELECT {', '.join([*table.columns, 'seal'])} FROM {table.name}"):
                    if seal != _seal(table, cells):
                        return f"table {table.name}: a row is not what was written"
    except sqlite3.Error as error:
        if errno_of(error) is not None or _code(error) in BUSY:
            raise unusable(path, error) from None
        return str(error)
    if now is not None:
        _checked[opened] = now
    return None


def copy_tables(path: Path, target: Path) -> None:
    """A whole copy of the database at one moment; `target` must not exist."""
    with closing(connect(path)) as db:
        db.execute("VACUUM INTO ?", (str(target),))


def unusable(path: Path, error: sqlite3.Error) -> Exception:
    """What to raise for an error of SQLite."""
    if _code(error) in BUSY:
        return StudyLocked(
            text("{p} is locked by another program.", "{p} 被另一个程序锁定。", p=path),
            do=text("Close that program, then run the same command again.", "请关闭该程序，再运行同一命令。"),
        )
    if _code(error) == CANNOT_OPEN and not path.parent.exists():
        return gone(path)
    if errno_of(error) is not None:
        return storage_error(error, path)
    return damaged(path, str(error))


def gone(path: Path) -> RecordError:
    """The error that a ledger that was opened is not where it was, and what to do about it."""
    return RecordError(
        text("{p} is not there any more.", "{p} 已不在原处。", p=path),
        text(
            "Its folder was moved, renamed or deleted while it was in use. What was recorded before lies where the folder is now.",
            "其所在文件夹在使用过程中被移动、改名或删除。此前的记录保存在该文件夹现在所在的位置。",
        ),
        text(
            "Run the same command again with the folder as it is called now (in place of its former name, or as --output FOLDER): it goes on from there.",
            "请把原来的文件夹名换成现在的名称（或用 --output 文件夹 指定），再次运行同一命令即可继续。",
        ),
    )


def damaged(path: Path, reason: str) -> RecordError:
    """The error that says that the ledger cannot be read, and what to do about it."""
    return RecordError(
        text("{p} cannot be read: {e}.", "无法读取 {p}：{e}。", p=path, e=reason),
        do=text(
            "Restore it from a copy, or start the study anew in another folder (--output).",
            "请从备份恢复，或用 --output 在另一个文件夹中重新开始。",
        ),
    )


def _code(error: sqlite3.Error) -> int:
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def _seal(table: Table, cells: Sequence[Any]) -> str:
    written = json.dumps([table.name, *cells], ensure_ascii=False, default=repr)
    return hashlib.blake2b(written.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
