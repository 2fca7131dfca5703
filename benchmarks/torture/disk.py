"""Disks that are full, faulty or without locks at random moments: a clear error, and the same command ends with the same findings.

Full: study and cache on a file system in memory that is too small (this needs root; without it the calls that write are made to
fail). Faulty: one call that writes, flushes, renames or opens fails with a random error. Locks: the file system has none, another
process holds it, another program holds the database.
"""

from __future__ import annotations

import builtins
import errno
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.torture.rows import Row
from benchmarks.torture.trials.study import Ending, import_all, in_child, make_inputs, run_study

FULL, FAULTY, LOCKS = 40, 60, 20
FAULTS = [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EPERM, errno.ESTALE]
NO_LOCKS = [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL]
Inputs = tuple[Path, str]


def run(*, count: int | None, seed: int) -> list[Row]:
    """Three rows: full, faulty, locks."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        inputs = make_inputs(home)
        whole = in_child(lambda: (run_study(inputs, home / "study", home / "cache"), sorted(sys.modules)))
        assert whole.kind == "done", whole.said
        expected, names = whole.found
        import_all(names)
        size = sum(path.stat().st_size for name in ("study", "cache") for path in (home / name).rglob("*"))
        small = _mounts(home)
        parts: list[tuple[str, int, Callable[[int], tuple[str, Ending, Ending]]]] = [
            (
                f"a full disk at a random moment ({'a file system in memory' if small else 'failing calls'}): a clear error, then the same findings",
                FULL,
                (lambda _: _full(rng, home, inputs, size))
                if small
                else (lambda _: _faulty(rng, home, inputs, [errno.ENOSPC])),
            ),
            (
                "a call that fails at a random moment: a clear error or no harm, then the same findings",
                FAULTY,
                lambda _: _faulty(rng, home, inputs, FAULTS),
            ),
            (
                "locks that are missing or taken: a clear error, then the same findings",
                LOCKS,
                lambda i: _locks(rng, home, inputs, i),
            ),
        ]
        return [_row(promise, trial, count or tries, expected, seed) for promise, tries, trial in parts]


def _row(promise: str, trial: Callable[[int], tuple[str, Ending, Ending]], count: int, expected: Any, seed: int) -> Row:
    started, failures, told = time.monotonic(), [], 0
    for i in range(count):
        name, first, second = trial(i)
        told += first.kind == "told"
        wrong = [] if first.kind in ("told", "done") else [f"first {first.kind} {first.said[-1:]}"]
        wrong += [] if (second.kind, second.found) == ("done", expected) else [f"then {second.kind} {second.said[-1:]}"]
        if wrong:
            failures.append(f"try {i}: {name}: {'; '.join(wrong)}"[-600:])
    return Row(
        "disk",
        f"{promise} ({told} of {count} were stopped by it)",
        count,
        count - len(failures),
        time.monotonic() - started,
        f"python -m benchmarks.torture disk --seed {seed}",
        failures,
    )


def _mounts(home: Path) -> bool:
    try:
        place = home / "mounted"
        place.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], check=False, capture_output=True
        )
    except OSError:
        return False
    if done.returncode == 0:
        subprocess.run(["umount", place], check=True)
    return done.returncode == 0


def _full(rng: random.Random, home: Path, inputs: Inputs, size: int) -> tuple[str, Ending, Ending]:
    """Study and cache on one small file system, or the study alone; then the file system grows."""
    place, alone = home / "mounted", rng.random() < 0.3
    limit = 4096 * rng.randrange(1, max(2, int(size * 1.2) // 4096))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={limit}", "tmpfs", place], check=True)
    try:
        cache = home / "cache" if alone else place / "cache"
        first = in_child(lambda: run_study(inputs, place / "study", cache))
        subprocess.run(["mount", "-o", "remount,size=256m", place], check=True)
        second = in_child(lambda: run_study(inputs, place / "study", cache))
    finally:
        subprocess.run(["umount", place], check=True)
    return f"{limit} bytes{', the study alone' if alone else ''}", first, second


def _faulty(rng: random.Random, home: Path, inputs: Inputs, faults: list[int]) -> tuple[str, Ending, Ending]:
    """One call, and from then on every one of its kind in half of the tries, fails."""
    call = rng.choice(["os.fsync", "os.replace", "open", "os.open", "os.mkdir"])
    moment = rng.randrange(1, {"os.fsync": 90, "os.replace": 45, "open": 60, "os.open": 40, "os.mkdir": 4}[call])
    number, lasting = rng.choice(faults), rng.random() < 0.5
    place = home / "faulty"

    def trial() -> dict[str, Any]:
        _break(call, moment, number, place, lasting=lasting)
        return run_study(inputs, place / "study", place / "cache")

    first = in_child(trial)
    second = in_child(lambda: run_study(inputs, place / "study", place / "cache"))
    shutil.rmtree(place, ignore_errors=True)
    return f"{errno.errorcode[number]} at {call} {moment}{' and later' if lasting else ''}", first, second


def _break(call: str, moment: int, number: int, place: Path, *, lasting: bool) -> None:
    """Make the `moment`-th call of a kind fail that writes below `place`."""
    owner, name = (builtins, call) if "." not in call else (os, call.split(".")[1])
    real, calls = getattr(owner, name), [0]

    def broken(*given: Any, **more: Any) -> Any:
        target = given[-1] if name == "replace" else given[0]
        below = isinstance(target, int) or str(place) in os.fspath(target)
        writes = name != "open" or any(isinstance(word, str) and set(word) & set("wax+") for word in given[1:2])
        if below and writes:
            calls[0] += 1
            if calls[0] == moment or (lasting and calls[0] > moment):
                path = None if isinstance(target, int) else os.fspath(target)
                raise OSError(number, os.strerror(number), path)
        return real(*given, **more)

    setattr(owner, name, broken)


def _locks(rng: random.Random, home: Path, inputs: Inputs, i: int) -> tuple[str, Ending, Ending]:
    place, kind = home / "locked", ("none", "none", "taken", "database")[i % 4]
    study, cache = place / "study", place / "cache"
    number = rng.choice(NO_LOCKS)

    def without_locks() -> dict[str, Any]:
        import fcntl

        def fail(*_: Any) -> None:
            raise OSError(number, os.strerror(number))

        fcntl.flock = fail
        return run_study(inputs, study, cache)

    def database() -> dict[str, Any]:
        from weigh.record import tables
        from weigh.record.ledger import Ledger

        tables.WAIT, kept = 0.05, []
        commits, real = rng.randrange(1, 4), Ledger.commit

        def commit(self: Any, *given: Any) -> None:
            if len(kept) < commits:
                kept.append(None)
            if len(kept) == commits:
                db = sqlite3.connect(self.path, isolation_level=None)
                db.execute("BEGIN EXCLUSIVE")
                kept.append(db)
            real(self, *given)

        Ledger.commit = commit  # type: ignore[method-assign]
        return run_study(inputs, study, cache)

    if kind == "taken":
        from weigh.record.lock import lock_study

        with lock_study(study):
            first = in_child(lambda: run_study(inputs, study, cache))
    else:
        first = in_child(without_locks if kind == "none" else database)
    second = in_child(lambda: run_study(inputs, study, cache))
    shutil.rmtree(place)
    if first.kind == "done":
        second = Ending("not stopped", None, second.said)
    return f"{kind} {errno.errorcode[number] if kind == 'none' else ''}", first, second
