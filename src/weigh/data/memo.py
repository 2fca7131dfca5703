"""Small facts that were computed once: key to bytes, in one SQLite file of the cache folder.

For facts on files (`contents.py`, `facts.py`); arrays live in `cache.py`. A memo that cannot be read or written (full
disk, no permission, another process at work, a damaged file) is as good as an empty one: results never depend on it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

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
        return cache_folder() / "facts" / f"{self.name}.sqlite"

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values that are known."""
        wanted = list(dict.fromkeys(keys))
        found: dict[str, bytes] = {}
        if not wanted or not self.path.is_file():
            return found
        try:
            with closing(self._open()) as connection:
                for start in range(0, len(wanted), 500):
                    some = wanted[start : start + 500]
                    marks = ",".join("?" * len(some))
                    found.update(connection.execute(f"SELECT key, value FROM memo WHERE key IN ({marks})", some))
        except (sqlite3.Error, OSError, ValueError) as error:
            self._discard_damaged(error)
            return {}
        return found

    def put_many(self, values: Mapping[str, bytes]) -> None:
        """Remember; silently does nothing where that is impossible."""
        if not values:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as connection, connection:
                connection.execute("CREATE TABLE IF NOT EXISTS memo (key TEXT PRIMARY KEY, value BLOB)")
                connection.executemany("INSERT OR REPLACE INTO memo VALUES (?, ?)", list(values.items()))
        except (sqlite3.Error, OSError, ValueError) as error:
            self._discard_damaged(error)

    def _discard_damaged(self, error: Exception) -> None:
        """A file that is no database (any more) would stay in the way for ever."""
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            try:
                self.path.unlink(missing_ok=True)
            except OSError:
                pass

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=10)
