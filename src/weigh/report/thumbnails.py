"""Small pictures of a study's examples, kept in its folder so that the report can be rebuilt without the data."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from pathlib import Path

from weigh.data.examples import Examples
from weigh.data.readers import READERS
from weigh.disk import seal, unseal, write_file
from weigh.errors import DataError, StorageError
from weigh.record.index import read_index
from weigh.record.ledger import Ledger
from weigh.record.problems import problems_from_json
from weigh.seeds import seed

__all__ = ["Thumbnails"]


class Thumbnails:
    """Small pictures of the study in a folder; each is made once.

    Args:
        folder: The study's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: dict[str, bytes | None] = {}

    @cached_property
    def _examples(self) -> Examples:
        return read_index(self.folder)

    @cached_property
    def _known(self) -> set[str]:
        """Paths that the study names: nothing else is opened."""
        problems = problems_from_json(Ledger(self.folder).fact("problems") or [])
        return {*self._examples.path.tolist(), *(path for problem in problems for path in problem.paths)}

    def of(self, path: str) -> bytes | None:
        """The picture of an example, or None where the file is gone or is no picture."""
        if path not in self._made:
            self._made[path] = self._make(path)
        return self._made[path]

    def _make(self, path: str) -> bytes | None:
        make, root = READERS.get(self._examples.medium.name).thumbnail, self._examples.root
        if make is None:
            return None
        file, kept = root / path, self.folder / "thumbnails" / f"{seed(path):016x}"
        with suppress(OSError, ValueError):
            if (before := unseal(kept.read_bytes(), path)) is not None:
                return before
        if path not in self._known or not file.resolve().is_relative_to(root.resolve()):
            return None
        made = None
        with suppress(OSError, ValueError, DataError, StorageError):  # moved or damaged since, or not to be kept
            made = make(file, self._examples.kind.shown_side)
            write_file(kept, seal(made, path))
        return made
