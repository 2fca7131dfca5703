"""Small facts that were computed once: key to bytes, in one SQLite file of the cache folder.

For facts on files (`contents.py`, `pictures/facts.py`); arrays live in `cache.py`. A memo that cannot be read or written (full
disk, no permission, another process at work, a damaged file) is as good as an empty one: results never depend on it. Every
value is kept with a checksum of itself and its key.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from pathlib import Path

from weigh.disk import seal, unseal
from weigh.language import text
from weigh.notices import notice
from weigh.settings import cache_folder

__all__ = ["Memo"]


class Memo:
    """Facts of one kind.

    Args:
        name: Kind and version ("facts-1"): what an older version of the program computed is never read.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def path(self) -> Path:
        return cache_folder() / "facts" / f"{self.name}-sealed.sqlite"

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values that are known; those that are damaged are not."""
        wanted = list(dict.fromkeys(keys))
        values, damaged = {}, 0
        try:
            if not wanted or not self.path.is_file():  # an error where there is no permission to look into the folder
                return values
            with closing(self._open()) as connection:
                for start in range(0, len(wanted), 500):
                    batch = wanted[start : start + 500]
                    marks = ",".join("?" * len(batch))
                    rows = connection.execute(
                        f"SELECT key, CAST(value AS BLOB) FROM memo WHERE key IN ({marks})", batch
                    )
                    for key, sealed in rows:
                        try:
                            values[key] = unseal(sealed, key)
                        except (ValueError, TypeError):
                            damaged += 1
        except (sqlite3.Error, OSError, ValueError) as error:
            self._discard_damaged(error)
            return {}
        if damaged:
            notice(
                text(
                    "Computed anew: {n} damaged facts in {p}.",
                    "重新计算：{p} 中损坏的 {n} 条记录。",
                    n=damaged,
                    p=self.path,
                )
            )
        return values

    def put_many(self, values: Mapping[str, bytes]) -> None:
        """Remember; silently does nothing where that is impossible."""
        if not values:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as connection, connection:
                connection.execute("CREATE TABLE IF NOT EXISTS memo (key TEXT PRIMARY KEY, value BLOB)")
                connection.executemany(
                    "INSERT OR REPLACE INTO memo VALUES (?, ?)", [(k, seal(v, k)) for k, v in values.items()]
                )
        except (sqlite3.Error, OSError, ValueError) as error:
            self._discard_damaged(error)

    def _discard_damaged(self, error: Exception) -> None:
        """A file that is no database (any more) would stay in the way for ever."""
        if isinstance(error, (sqlite3.DatabaseError, ValueError)) and not isinstance(error, sqlite3.OperationalError):
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
                notice(text("Computed anew: {p} was damaged.", "重新计算：{p} 已损坏。", p=self.path))

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=10)
