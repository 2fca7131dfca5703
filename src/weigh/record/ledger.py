"""The ledger of a study: a SQLite file and a folder of arrays, written by one process.

Rows of a job are committed in one transaction, after their arrays are on disk: whenever the process is killed, the
ledger is valid and at most the job in progress is lost. Readers need no lock; a second writer is told so.

Every row has a checksum and every array its digest in the row of its run. A ledger that is damaged is replaced by its copy,
which is at most `COPY_EVERY` older; a run whose array is missing or damaged counts as not recorded, so it runs again.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from weigh.data.examples import Examples
from weigh.disk import flush_folder, replacing, storage_errors
from weigh.errors import RecordError, StorageError
from weigh.language import Text, text
from weigh.notices import notice
from weigh.record.arrays import intact, read_kept, read_predictions, write_predictions
from weigh.record.results import RunRecord
from weigh.record.study_folders import COPY, LEDGER, never_started, no_study
from weigh.record.tables import (
    Table,
    check_tables,
    connect,
    copy_tables,
    create_tables,
    damaged,
    gone,
    insert,
    read_rows,
    unusable,
)
from weigh.run import Kept, Outcome, Run

__all__ = ["Ledger"]

T = TypeVar("T")
FORMAT = 2
COPY_EVERY = 60.0  # seconds
FACTS = Table("facts", {"key": "TEXT", "value": "TEXT"})
RUNS = Table(
    "runs",
    dict.fromkeys(("key", "candidate", "purpose", "variant"), "TEXT")
    | dict.fromkeys(("repeat", "fold"), "INTEGER")
    | {"status": "TEXT", "cause": "TEXT", "n_train": "INTEGER"}
    | dict.fromkeys(("facts", "measured", "seeds", "environment"), "TEXT")
    | {"explanations": "TEXT", "digest": "TEXT"},  # effects of words, as JSON; of its array; NULL: none
)
PLANNED = Table("planned", {"position": "INTEGER", "key": "TEXT", "candidate": "TEXT"})
MODELS = Table("models", {"candidate": "TEXT", "facts": "TEXT"})
LOOKS = Table("looks", {"key": "TEXT", "candidate": "TEXT", "n": "INTEGER"})
TABLES = (FACTS, RUNS, PLANNED, MODELS, LOOKS)


class Ledger:
    """What a study left behind, in `folder`.

    Args:
        folder: The study folder.
        create: Make it if it is not there, and put the copy in the place of a damaged one (the caller holds the lock);
            otherwise a missing ledger is a RecordError, and of a damaged one the copy is read.

    Raises:
        RecordError: No ledger, another format, or both ledger and copy are damaged.
        StorageError: The disk does not give or take it.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder, self.path, self.arrays = folder, folder / LEDGER, folder / "arrays"
        self._copied = time.monotonic()
        self._digests: dict[str, str | None] = {}
        self.forgets_failed = (
            False  # failed records count as not there: they are deleted when it is agreed to that they run again
        )
        kept = folder / COPY
        if not (self.path.exists() or kept.exists() or create):
            raise no_study(folder)
        if self.path.exists() or kept.exists():
            self._take_copy_if_damaged(kept, write=create)
            if self._format_of(self.path) is not None:
                self._check_format()
        if create:
            with storage_errors(self.path):
                folder.mkdir(parents=True, exist_ok=True)
            with self._change(create=True) as db:
                create_tables(db, TABLES)
                insert(db, FACTS, [("format", json.dumps(FORMAT))], on_conflict="IGNORE")

    def _take_copy_if_damaged(self, kept: Path, *, write: bool) -> None:
        if not kept.exists() and os.path.getsize(self.path) == 0:  # killed before its first transaction
            if write:
                return
            raise never_started(self.folder)
        reason = self._damage(self.path)
        if reason is None:
            return
        if not kept.exists() or self._damage(kept) is not None:
            raise damaged(self.path, reason)
        notice(
            text(
                "{p} is damaged ({e}); its copy {c} is used: what was recorded after it runs again.",
                "{p} 已损坏（{e}），改用其副本 {c}：副本之后的记录会重新运行。",
                p=self.path,
                e=reason,
                c=kept.name,
            )
        )
        if not write:
            self.path = kept
            return
        with replacing(self.path) as temporary:
            copy_tables(kept, temporary)
        for name in ("-journal", "-wal", "-shm"):  # they belong to the damaged file and must not be applied to the copy
            Path(f"{self.path}{name}").unlink(missing_ok=True)

    def _damage(self, path: Path) -> str | None:
        if not path.exists():
            return "it is missing"
        reason = check_tables(path, [FACTS])
        if reason is not None and "seal" in reason:  # of a version that had no checksums
            return None
        return reason if reason is not None or self._format_of(path) != FORMAT else check_tables(path, TABLES)

    @staticmethod
    def _format_of(path: Path) -> Any:
        """The format that a file says it has; None where it says none that can be read."""
        try:
            with closing(connect(path)) as db:
                rows = db.execute("SELECT value FROM facts WHERE key = 'format'").fetchall()
            return json.loads(rows[0][0]) if rows else None
        except (sqlite3.Error, ValueError):
            return None

    @contextmanager
    def _change(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        try:
            with closing(connect(self.path, create=create)) as db, db:
                yield db
        except sqlite3.Error as error:
            raise unusable(self.path, error) from None

    def keep_copy(self) -> None:
        """A copy of the ledger beside it, for the day on which a disk damages it; a full disk is no reason to stop."""
        self._copied = time.monotonic()
        try:
            with replacing(self.folder / COPY) as temporary:
                copy_tables(self.path, temporary)
        except StorageError as error:
            notice(error.what)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from None

    def _check_format(self) -> None:
        version = self.fact("format")
        if version != FORMAT:
            raise RecordError(
                text(
                    "The study in {f} was written in format {a}; this version of weigh reads format {b}.",
                    "{f} 中的研究以格式 {a} 写成；当前版本的 weigh 读取格式 {b}。",
                    f=self.folder,
                    a=version,
                    b=FORMAT,
                ),
                do=text(
                    "Open it with the version that wrote it ({v}), or run it anew in another folder (--output).",
                    "请用写入它的版本（{v}）打开，或用 --output 在另一个文件夹中重新运行。",
                    v=self.fact("version") or "?",
                ),
            )

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple]:
        return read_rows(self.path, sql, values)

    # ---- facts: small values by name; `choices` are those that must never be decided anew

    def fact(self, key: str, default: Any = None) -> Any:
        """The fact called `key`, or `default`."""
        rows = self._rows("SELECT value FROM facts WHERE key = ?", (key,))
        return json.loads(rows[0][0]) if rows else default

    def set_facts(self, **facts: Any) -> None:
        """Store facts, replacing older ones, in one transaction."""
        with self._change() as db:
            insert(db, FACTS, [(k, _json(v)) for k, v in facts.items()])

    def choose(self, key: str, value: Any) -> Any:
        """The choice made at the first start; `value` becomes it if there is none yet."""
        stored = self.fact(f"choice:{key}")
        if stored is not None:
            return stored
        with self._change() as db:  # `weigh plan` may choose in another process meanwhile: the first choice stays
            insert(db, FACTS, [(f"choice:{key}", _json(value))], on_conflict="IGNORE")
        return self.fact(f"choice:{key}")

    def forget_choices(self) -> None:
        """Drop what was decided by timing at starts of which nothing is recorded."""
        kinds = ("choice", "left-out", "less-training", "decided-finalists")
        with self._change() as db:
            db.executemany("DELETE FROM facts WHERE key GLOB ?", [(f"{kind}:*",) for kind in kinds])

    # ---- runs

    def set_planned(self, runs: Iterable[Run]) -> None:
        """The runs of the present design, in order; records of other designs stay but are not read."""
        with self._change() as db:
            db.execute("DELETE FROM planned")
            insert(db, PLANNED, [(i, run.key, run.candidate) for i, run in enumerate(runs)])

    def unfinished(self) -> dict[str, int]:
        """Candidate -> planned runs that are not recorded; only candidates that have any."""
        recorded = self.recorded()
        planned = self._rows("SELECT key, candidate FROM planned ORDER BY position")
        return dict(Counter(candidate for key, candidate in planned if key not in recorded))

    def recorded(self) -> dict[str, str]:
        """Run key -> status of everything that is recorded and whose array is at hand."""
        lost = self.lost()
        rows = self._rows("SELECT key, status FROM runs")
        return {k: status for k, status in rows if k not in lost and not (self.forgets_failed and status == "failed")}

    def purposes(self) -> frozenset[str]:
        """What the runs that are recorded were for, whatever the design was."""
        kept = " WHERE status <> 'failed'" if self.forgets_failed else ""
        return frozenset(purpose for (purpose,) in self._rows(f"SELECT DISTINCT purpose FROM runs{kept}"))

    def lost(self) -> dict[str, str]:
        """Run key -> candidate of runs that were recorded, but whose array is missing, damaged or another run's.

        They count as not recorded: the same command runs them again.
        """
        rows = self._rows("SELECT key, candidate, digest FROM runs WHERE digest IS NOT NULL")
        return {key: candidate for key, candidate, digest in rows if not intact(self._array(key), digest)}

    def lost_sentence(self) -> Text | None:
        """What is lost, for readers; None where nothing is."""
        lost = self.lost()
        if not lost:
            return None
        return text(
            "Recorded predictions that are missing or damaged: {n} ({c}). These runs count as not recorded.",
            "已记录的预测中有 {n} 份缺失或损坏（{c}），相应的运行按未记录处理。",
            n=len(lost),
            c=", ".join(dict.fromkeys(lost.values())),
        )

    def forget_failed(self) -> int:
        """Drop failed records, so that they run again; returns how many there were."""
        self.forgets_failed = False  # what fails from now on is recorded
        with self._change() as db:
            return db.execute("DELETE FROM runs WHERE status = 'failed'").rowcount

    def commit(self, runs: Sequence[Run], outcomes: Sequence[Outcome], examples: Examples) -> None:
        """Record the outcomes of one job: arrays first, then all rows in one transaction. A failure replaces nothing that was done."""
        if not self.path.exists():  # or a new folder would stand in the place of one that was moved
            raise gone(self.path)
        by_key = {run.key: run for run in runs}
        rows, models, looks = [], [], []
        recorded = self.recorded() if any(outcome.status == "failed" for outcome in outcomes) else {}
        for outcome in outcomes:
            if outcome.status == "failed" and recorded.get(outcome.key) == "done":
                continue  # it ran again for its weights alone: what it answered before stays
            run = by_key[outcome.key]
            digest = None
            if outcome.answers is not None:
                path, target = self._array(run.key), examples.target[run.test]
                digest = write_predictions(
                    path, run.key, examples.kind, run.test, outcome.answers, target, outcome.kept
                )
            facts = {**outcome.facts, **({} if run.epochs is None else {"epochs": run.epochs})}
            rows.append(
                (
                    run.key,
                    run.candidate,
                    run.purpose,
                    run.variant,
                    run.repeat,
                    run.fold,
                    outcome.status,
                    outcome.cause,
                    len(run.train),
                    _json(facts),
                    _json(outcome.measured),
                    _json(run.seeds),
                    _json(outcome.environment),
                    _json(outcome.words) if outcome.words else None,
                    digest,
                )
            )
            if outcome.model:
                models.append((run.candidate, _json(outcome.model)))
            if run.purpose == "refit" and len(run.test) and outcome.status == "done":
                looks.append((run.key, run.candidate, len(run.test)))
        if self.arrays.exists():
            flush_folder(self.arrays)
        with self._change() as db:
            insert(db, RUNS, rows)
            insert(db, MODELS, models)
            insert(db, LOOKS, looks, on_conflict="IGNORE")
        if time.monotonic() - self._copied > COPY_EVERY:
            self.keep_copy()

    def records(self, runs: Iterable[Run] | None = None) -> tuple[RunRecord, ...]:
        """Every recorded run of the present design, or of `runs`, under the candidates that they are planned for (the same run may have been made
        under another label); without those that are lost.
        """
        columns = "purpose, repeat, fold, status, variant, replace(cause, char(10), ' '), n_train, facts, measured, seeds, environment, coalesce(explanations, '[]')"
        if runs is None:
            planned = "planned p JOIN runs r ON r.key = p.key ORDER BY p.position"
            rows = self._rows(f"SELECT p.key, p.candidate, {columns} FROM {planned}")
        else:
            stored = {key: cells for key, *cells in self._rows(f"SELECT key, {columns} FROM runs")}
            rows = [(run.key, run.candidate, *stored[run.key]) for run in runs if run.key in stored]
        recorded = self.recorded()
        return tuple(RunRecord(*row[:9], *(json.loads(cell) for cell in row[9:])) for row in rows if row[0] in recorded)

    def predictions(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """`(indices, logits)` of a run.

        Raises:
            RecordError: The array file is missing or damaged.
        """
        return self._read_array(read_predictions, key)

    def kept(self, key: str) -> Kept | None:
        """The answers of a run that were kept as they are; None where none were.

        Raises:
            RecordError: The array file is missing or damaged.
        """
        return self._read_array(read_kept, key)

    def _read_array(self, read: Callable[[Path, str], T], key: str) -> T:
        try:
            try:
                return read(self._array(key), self._digest(key))
            except ValueError:
                self._digests.clear()  # it may have been run again since
                return read(self._array(key), self._digest(key))
        except (OSError, ValueError) as error:
            raise RecordError(
                text(
                    "The predictions of run {k} cannot be read: {e}.", "无法读取运行 {k} 的预测：{e}。", k=key, e=error
                ),
                do=text("Run the study again: only this run is repeated.", "请再次运行研究：只会重做这一次运行。"),
            ) from None

    def _digest(self, key: str) -> str:
        """The hash of a run's array file. All are asked for together: a connection for each of thousands took longer than their files."""
        if key not in self._digests:
            self._digests = dict(self._rows("SELECT key, digest FROM runs"))
        return self._digests.get(key) or ""

    def models(self) -> dict[str, dict[str, Any]]:
        """Candidate -> facts on its model, which depend on its options (the input size)."""
        rows = self._rows("SELECT candidate, facts FROM models ORDER BY candidate")
        rows += self._rows(  # of candidates whose runs were made under another label
            "SELECT planned, ran, facts FROM (SELECT DISTINCT p.candidate AS planned, r.candidate AS ran FROM planned p "
            "JOIN runs r ON r.key = p.key WHERE p.candidate <> r.candidate) JOIN models ON candidate = ran ORDER BY planned, ran"
        )
        return {row[0]: json.loads(row[-1]) for row in rows}

    def look(self, key: str, candidate: str, n: int) -> None:
        """Count that `n` test examples were scored for what `key` names; the same key counts once."""
        with self._change() as db:
            insert(db, LOOKS, [(key, candidate, n)], on_conflict="IGNORE")

    def test_looks(self) -> int:
        """The greatest number of times that the test part was scored for one candidate."""
        return self._rows("SELECT coalesce(max(c), 0) FROM (SELECT count(*) AS c FROM looks GROUP BY candidate)")[0][0]

    def _array(self, key: str) -> Path:
        return self.arrays / f"{key}.npz"


def _json(value: Any) -> str:
    return json.dumps(
        value, ensure_ascii=False, default=_plain
    )  # in their own order: that of further test sets is part of the data


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not belong in the ledger")
