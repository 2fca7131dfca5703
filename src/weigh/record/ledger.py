"""The ledger of a study: a SQLite file and a folder of arrays, written by one process.

Rows of a job are committed in one transaction, after their arrays are on disk: whenever the process is killed, the
ledger is valid and at most the job in progress is lost. Readers need no lock; a second writer is told so.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from weigh.data.examples import Problem
from weigh.errors import RecordError, StudyLocked
from weigh.language import Text, text
from weigh.record.arrays import read_predictions, write_predictions
from weigh.record.results import RunRecord
from weigh.run import Outcome, Run

__all__ = ["FORMAT", "Ledger"]

FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs (
    key TEXT PRIMARY KEY, candidate TEXT NOT NULL, purpose TEXT NOT NULL, variant TEXT NOT NULL,
    repeat INTEGER NOT NULL, fold INTEGER NOT NULL, status TEXT NOT NULL, cause TEXT NOT NULL, n_train INTEGER NOT NULL,
    facts TEXT NOT NULL, measured TEXT NOT NULL, seeds TEXT NOT NULL, environment TEXT NOT NULL,
    explanations TEXT  -- effects of words, as JSON; NULL: none
);
CREATE TABLE IF NOT EXISTS planned (position INTEGER PRIMARY KEY, key TEXT NOT NULL, candidate TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS models (address TEXT PRIMARY KEY, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS looks (key TEXT PRIMARY KEY, candidate TEXT NOT NULL, n INTEGER NOT NULL);
"""


class Ledger:
    """What a study left behind, in `folder`.

    Args:
        folder: The study folder.
        create: Make it if it is not there; otherwise a missing ledger is a RecordError.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder, self.path, self.arrays = folder, folder / "ledger.sqlite", folder / "arrays"
        if not self.path.exists() and not create:
            raise RecordError(
                text("{f} holds no study.", "{f} 中没有研究。", f=folder),
                text(
                    "A study folder has a file ledger.sqlite, written by `weigh run`.",
                    "研究文件夹中应有由 `weigh run` 写入的 ledger.sqlite。",
                ),
                text(
                    "Start one: weigh run DATA --models MODEL --output {f}",
                    "新建研究：weigh run DATA --models MODEL --output {f}",
                    f=folder,
                ),
            )
        if create:
            folder.mkdir(parents=True, exist_ok=True)
            with closing(self._open()) as db, db:
                db.executescript(_SCHEMA)
                db.execute("INSERT OR IGNORE INTO facts VALUES ('format', ?)", (json.dumps(FORMAT),))
        self._check_format()

    def _open(self) -> sqlite3.Connection:
        try:
            db = sqlite3.connect(self.path, timeout=30)
            db.execute("PRAGMA synchronous=FULL")
            return db
        except sqlite3.Error as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> RecordError:
        return RecordError(
            text("{p} cannot be read: {e}.", "无法读取 {p}：{e}。", p=self.path, e=error),
            do=text(
                "Restore it from a copy, or start the study anew in another folder (--output).",
                "请从备份恢复，或用 --output 在另一个文件夹中重新开始。",
            ),
        )

    def _check_format(self) -> None:
        found = self.fact("format")
        if found != FORMAT:
            raise RecordError(
                text(
                    "The study in {f} was written in format {a}; this version of weigh reads format {b}.",
                    "{f} 中的研究以格式 {a} 写成；当前版本的 weigh 读取格式 {b}。",
                    f=self.folder,
                    a=found,
                    b=FORMAT,
                ),
                do=text(
                    "Open it with the version that wrote it ({v}), or run it anew in another folder (--output).",
                    "请用写入它的版本（{v}）打开，或用 --output 在另一个文件夹中重新运行。",
                    v=self.fact("version") or "?",
                ),
            )

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple]:
        try:
            with closing(self._open()) as db:
                return db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._damaged(error) from None

    # ---- facts: small values by name; `choices` are those that must never be decided anew

    def fact(self, key: str, default: Any = None) -> Any:
        """The fact called `key`, or `default`."""
        rows = self._rows("SELECT value FROM facts WHERE key = ?", (key,))
        return json.loads(rows[0][0]) if rows else default

    def set_facts(self, **facts: Any) -> None:
        """Store facts, replacing older ones, in one transaction."""
        with closing(self._open()) as db, db:
            db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", [(k, _json(v)) for k, v in facts.items()])

    def choose(self, key: str, value: Any) -> Any:
        """The choice made at the first start; `value` becomes it if there is none yet."""
        stored = self.fact(f"choice:{key}")
        if stored is not None:
            return stored
        self.set_facts(**{f"choice:{key}": value})
        return json.loads(_json(value))

    # ---- runs

    def set_planned(self, runs: Iterable[Run]) -> None:
        """The runs of the present design, in order; records of other designs stay but are not read."""
        with closing(self._open()) as db, db:
            db.execute("DELETE FROM planned")
            db.executemany(
                "INSERT INTO planned VALUES (?, ?, ?)", [(i, run.key, run.candidate) for i, run in enumerate(runs)]
            )

    def unfinished(self) -> dict[str, int]:
        """Candidate -> planned runs that are not recorded; only candidates that have any."""
        return dict(
            self._rows(
                "SELECT candidate, count(*) FROM planned WHERE key NOT IN (SELECT key FROM runs) GROUP BY candidate ORDER BY min(position)"
            )
        )

    def recorded(self) -> dict[str, str]:
        """Run key -> status of everything that is recorded."""
        return dict(self._rows("SELECT key, status FROM runs"))

    def forget_failed(self) -> int:
        """Drop failed records, so that they run again; returns how many there were."""
        with closing(self._open()) as db, db:
            return db.execute("DELETE FROM runs WHERE status = 'failed'").rowcount

    def commit(self, runs: Sequence[Run], outcomes: Sequence[Outcome], target: np.ndarray) -> None:
        """Record the outcomes of one job: arrays first, then all rows in one transaction."""
        by_key = {run.key: run for run in runs}
        rows, models, looks = [], [], []
        for outcome in outcomes:
            run = by_key[outcome.key]
            if outcome.logits is not None:
                write_predictions(self._array(run.key), run.test, outcome.logits, target[run.test])
            facts = {**outcome.facts, **({"epochs": run.epochs} if run.epochs else {})}
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
                )
            )
            if outcome.model:
                models.append((run.model, _json(outcome.model)))
            if run.purpose == "refit" and len(run.test) and outcome.status == "done":
                looks.append((run.key, run.candidate, len(run.test)))
        with closing(self._open()) as db, db:
            db.executemany(f"INSERT OR REPLACE INTO runs VALUES ({', '.join('?' * 14)})", rows)
            db.executemany("INSERT OR REPLACE INTO models VALUES (?, ?)", models)
            db.executemany("INSERT OR IGNORE INTO looks VALUES (?, ?, ?)", looks)

    def records(self, keys: Collection[str] | None = None) -> tuple[RunRecord, ...]:
        """Every recorded run of the present design, or of `keys`."""
        columns = "r.key, r.candidate, purpose, repeat, fold, status, variant, cause, n_train, facts, measured, seeds, environment, coalesce(explanations, '[]')"
        if keys is None:
            rows = self._rows(f"SELECT {columns} FROM runs r JOIN planned p ON p.key = r.key ORDER BY p.position")
        else:
            rows = [row for row in self._rows(f"SELECT {columns} FROM runs r ORDER BY r.key") if row[0] in keys]
        return tuple(RunRecord(*row[:9], *(json.loads(cell) for cell in row[9:])) for row in rows)

    def planned_count(self) -> int:
        return self._rows("SELECT count(*) FROM planned")[0][0]

    def predictions(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """`(indices, logits)` of a run.

        Raises:
            RecordError: The array file is missing or damaged.
        """
        try:
            return read_predictions(self._array(key))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise RecordError(
                text(
                    "The predictions of run {k} cannot be read: {e}.", "无法读取运行 {k} 的预测：{e}。", k=key, e=error
                ),
                do=text(
                    "Restore {f}, or delete the study and run it anew.",
                    "请恢复 {f}，或删除研究后重新运行。",
                    f=self._array(key),
                ),
            ) from None

    def models(self) -> dict[str, dict[str, Any]]:
        return {
            address: json.loads(facts)
            for address, facts in self._rows("SELECT address, facts FROM models ORDER BY address")
        }

    def test_looks(self) -> int:
        """The greatest number of times that the test part was scored for one candidate."""
        return self._rows("SELECT coalesce(max(c), 0) FROM (SELECT count(*) AS c FROM looks GROUP BY candidate)")[0][0]

    def _array(self, key: str) -> Path:
        return self.arrays / f"{key}.npz"

    # ---- one writer

    def lock(self):
        """A context manager: only one process writes to a study.

        Raises:
            StudyLocked: Another process holds it.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / ".lock")
        try:
            return lock.acquire(timeout=0)
        except Timeout:
            raise StudyLocked(
                text("Another process is writing to {f}.", "另一个进程正在写入 {f}。", f=self.folder),
                text("Two writers would mix their records.", "两个进程同时写入会混淆记录。"),
                text(
                    "Wait for it or stop it; `weigh report {f}` works meanwhile.",
                    "请等待或停止它；其间 `weigh report {f}` 可照常使用。",
                    f=self.folder,
                ),
            ) from None


def problems_to_json(problems: Sequence[Problem]) -> list[dict]:
    return [
        asdict(problem) | {key: _pair(getattr(problem, key)) for key in ("sentence", "why", "do")}
        for problem in problems
    ]


def problems_from_json(stored: list[dict]) -> tuple[Problem, ...]:
    def build(item: dict) -> Problem:
        texts = {key: Text(*item[key]) if item[key] else None for key in ("sentence", "why", "do")}
        lists = {
            "paths": tuple(item["paths"]),
            "pairs": tuple(map(tuple, item["pairs"])),
            "details": tuple(item["details"]),
        }
        return Problem(**{**item, **texts, **lists})

    return tuple(build(item) for item in stored)


def _pair(value: Text | None) -> list[str] | None:
    return None if value is None else [value.en, value.zh]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} does not belong in the ledger")
