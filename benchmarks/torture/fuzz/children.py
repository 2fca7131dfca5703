"""Inputs tried in forked children: a traceback, a wait of more than ten seconds, or memory beyond two gigabytes is a failure.

Each input is one command of the command line, called inside the child. The parent only waits and watches: it kills a child that does not
answer or grows too large, names the input, and goes on with the next one.
"""

from __future__ import annotations

import io
import os
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.torture.fuzz import documents, studies, tables
from benchmarks.torture.fuzz.bend import HARMS, Draws, pick

__all__ = ["KINDS", "Failure", "Try", "in_child", "make", "plan_tries", "try_all"]

SECONDS, BYTES = 10.0, 2_000_000_000
GRACE = 20.0  # seconds more, until a child that does not even answer a signal is killed
BATCH = 40
# kind -> share of the inputs
KINDS = {
    "yaml": 14, "table": 17, "lines": 6, "entities": 12, "json": 14, "parquet": 9, "pictures": 4, "arrays": 8, "predictions": 11, "new": 3, "study": 2,
}  # fmt: skip
HOSTILE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]")


class Try(NamedTuple):
    """One input: made again at any time from its kind, number and seed."""

    kind: str
    number: int
    seed: int

    def __str__(self) -> str:
        return f"{self.kind} {self.number} (seed {self.seed})"


class Failure(NamedTuple):
    """What a try did that it must not: "traceback", "hang", "memory", "died" or "escape", and the details."""

    tried: Try
    what: str
    detail: str

    def __str__(self) -> str:
        return f"{self.tried}: {self.what}: {self.detail}"


def plan_tries(count: int, seed: int, kinds: Sequence[str] = tuple(KINDS)) -> list[Try]:
    """`count` inputs, each kind by its share, those of one kind together."""
    total = sum(KINDS[kind] for kind in kinds)
    return [Try(kind, i, seed) for kind in kinds for i in range(max(1, round(count * KINDS[kind] / total)))]


def make(tried: Try, folder: Path, finished: Path | None) -> list[str]:
    """Write the input into `folder`; the command that reads it."""
    rng = Draws(np.random.PCG64([tried.seed, list(KINDS).index(tried.kind), tried.number]))
    rng.harm = pick(rng, HARMS)
    if tried.kind in ("new", "study"):
        assert finished is not None
        return {"new": studies.write_new, "study": studies.write_study}[tried.kind](rng, folder, finished)
    write = {
        "yaml": documents.write_yaml, "entities": documents.write_entities, "json": documents.write_json, "lines": documents.write_lines,
        "table": tables.write_table, "parquet": tables.write_parquet, "pictures": tables.write_pictures, "arrays": tables.write_arrays,
        "predictions": tables.write_predictions,
    }[tried.kind]  # fmt: skip
    return write(rng, folder)


def try_all(
    tries: Sequence[Try], finished: Path | None = None, tell: Callable[[str], None] = lambda _: None
) -> tuple[list[Failure], int]:
    """Every failure among the tries, and how many were answered rather than refused; children work through them in batches."""
    failures: list[Failure] = []
    answered = 0
    waiting = list(tries)
    while waiting:
        batch = [t for t in waiting[:BATCH] if t.kind == waiting[0].kind]
        done, failed, right = _try_batch(batch, finished)
        failures, answered = failures + failed, answered + right
        for failure in failed:
            tell(str(failure))
        waiting = waiting[done:]
    return failures, answered


def in_child(work: Callable[[], None]) -> None:
    """Run `work` in a forked child, so that this process starts no threads of its own."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError("the child that prepared the studies failed")


def _try_batch(batch: list[Try], finished: Path | None) -> tuple[int, list[Failure], int]:
    """How many of the batch were tried, what failed, and how many were answered: a child that was killed ends its batch at that try."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work(batch, finished, writing)
    os.close(writing)
    failures, started, done, told, answered = [], time.monotonic(), 0, b"", 0
    verdict = ""
    while True:
        ready, _, _ = select.select([reading], [], [], 0.05)
        if ready:
            piece = os.read(reading, 65536)
            if not piece:
                break
            told += piece
            started = time.monotonic()
            *lines, told = told.split(b"\n")
            for line in lines:
                word, _, detail = line.decode("utf-8", "replace").partition(" ")
                if word == "done":
                    done, answered = done + 1, answered + (detail == "0")
                elif word != "begin":
                    failures.append(Failure(batch[done], word, detail))
        elif time.monotonic() - started > SECONDS + GRACE:
            verdict = f"hang more than {SECONDS + GRACE:.0f} s"
        elif _memory(child) > BYTES * 1.25:
            verdict = f"memory {_memory(child) / 1e9:.1f} GB"
        if verdict:
            os.kill(child, signal.SIGKILL)
            break
    os.close(reading)
    _, status = os.waitpid(child, 0)
    if done < len(batch):
        what, _, detail = (verdict or f"died with status {status}").partition(" ")
        failures.append(Failure(batch[done], what, detail))
        done += 1
    return done, failures, answered


def _memory(process: int) -> int:
    try:
        with open(f"/proc/{process}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def _work(batch: list[Try], finished: Path | None, out: int) -> None:
    """In the child: make and try each input of the batch, telling the parent; never returns."""
    signal.signal(signal.SIGALRM, _too_slow)
    rest = Path(tempfile.mkdtemp(prefix="weigh-fuzz-"))
    os.environ["WEIGH_CACHE"] = str(rest / "cache")
    errors = os.open(rest / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(errors, 2)  # panics of Rust are written past Python
    for number, tried in enumerate(batch):
        folder = rest / str(number)
        folder.mkdir()
        tempfile.tempdir = str(folder)
        os.chdir(folder)
        os.write(out, b"begin\n")
        arguments = make(tried, folder, finished)
        before, started = _peak(), time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        problem, code = _call(arguments, folder)
        signal.setitimer(signal.ITIMER_REAL, 0)
        seconds, peak = time.monotonic() - started, _peak()
        if not problem and seconds > SECONDS:
            problem = f"hang {seconds:.0f} s"
        if not problem and peak > BYTES and peak > before:
            problem = f"memory {peak / 1e9:.1f} GB"
        if problem:
            os.write(out, problem.replace("\n", " ").encode("utf-8", "replace")[:2000] + b"\n")
        os.write(out, f"done {code}\n".encode())
        os.chdir(rest)
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(rest, ignore_errors=True)
    os._exit(0)


def _peak() -> int:
    """Most memory that this process ever held, in bytes; of Linux."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next((1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM:")), 0)


class _TooSlow(BaseException):
    pass


def _too_slow(*_) -> None:
    raise _TooSlow


def _call(arguments: list[str], folder: Path) -> tuple[str, int]:
    """What was wrong with how the command ended, or ""; and its exit code."""
    from weigh.cli.main import main
    from weigh.cli.options import Typed, open_study
    from weigh.errors import WeighError
    from weigh.report.visible import visible

    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    sys.stdout, sys.stderr = streams
    try:
        if arguments[0] == "plan-only":
            try:
                open_study(Typed(arguments[1], settings=arguments[3:]))
                code = 0
            except WeighError as error:
                code = 2
                print(visible(str(error)))  # as every command prints it
        else:
            code = main(arguments)
    except _TooSlow:
        return f"hang {' '.join(arguments)[:200]}", 70
    except BaseException as error:
        return "traceback " + _where(error), 70
    finally:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    if code == 70:
        kept = sorted(folder.glob("weigh-error-*.txt"))
        lines = kept[-1].read_text("utf-8").strip().splitlines() if kept else ["?"]
        if lines[-1].startswith(f"{__name__}._TooSlow"):
            return f"hang {' '.join(arguments)[:200]}", 70
        places = [line.strip() for line in lines if line.strip().startswith("File ") and "/weigh/" in line]
        return (
            f"traceback {lines[-1][:160]} @ {' < '.join(re.sub('.*/weigh/', '', place) for place in places[:-4:-1])}",
            70,
        )
    if code not in (0, 1, 2):
        return f"code {code}", code
    if arguments[0] != "plan-only":
        for stream in streams:
            stream.flush()
        said = streams[1].buffer.getvalue().decode("utf-8")  # type: ignore[attr-defined]
        if HOSTILE.search(said):
            return f"escape {said[:200]!r}", code
        if code and not said.strip() and not streams[0].buffer.getvalue():  # type: ignore[attr-defined]
            return f"silent exit code {code}", code
    return "", code


def _where(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    inner = [f"{Path(f.filename).name}:{f.lineno}" for f in frames][-3:]
    return f"{type(error).__name__}: {str(error)[:120]} @ {' < '.join(inner[::-1])}"
