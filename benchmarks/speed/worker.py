"""One contender in a process of its own, on call: prepares, warms up, then trains an epoch for each line it is sent.

    python -m benchmarks.speed.worker NAME WORK.json WARM.json

Started and asked by `finetune.py`. Between its turns the process sleeps. What libraries print goes to the error stream;
answers are lines of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.speed.contenders import CONTENDERS
from benchmarks.speed.records import environment
from benchmarks.speed.work import Epoch, Work

__all__ = ["Called", "ContenderFailed"]


class ContenderFailed(Exception):
    """The process of a contender ended; the message is the last line it wrote."""


class Called:
    """The driver's side of one contender."""

    def __init__(self, name: str, work: Work, warm: Work, log: Path) -> None:
        self.name, self.log = name, log
        command = [sys.executable, "-m", "benchmarks.speed.worker", name, work.to_json(), warm.to_json()]
        with log.open("w") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment(work.threads),
            )
        self.versions: dict[str, str] = self._answer()["versions"]

    def epoch(self) -> tuple[Epoch, float]:
        """One epoch, and the peak memory of the process so far in bytes."""
        assert self.process.stdin is not None
        self.process.stdin.write("epoch\n")
        self.process.stdin.flush()
        answer = self._answer()
        return Epoch(**answer["epoch"]), answer["peak_bytes"]

    def close(self) -> None:
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            said = [line for line in self.log.read_text("utf-8", "replace").splitlines() if line.strip()]
            raise ContenderFailed(f"{self.name}: {said[-1][:300] if said else 'ended without a word'}")
        return json.loads(line)


def serve(name: str, work: Work, warm: Work) -> None:
    """The contender's side: see the head of this file."""
    from benchmarks.speed.contenders import versions

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries that print must not disturb the answers
    import torch

    torch.set_num_threads(work.threads)
    named = CONTENDERS[name]
    prepare = import_module(f"benchmarks.speed.contenders.{named.module}").prepare
    prepare(warm, **named.options)()  # compiles kernels, fills the caches of files and of memory
    epoch = prepare(work, **named.options)
    _give_memory_back()
    print(json.dumps({"versions": versions(name)}), file=answers, flush=True)
    for _ in sys.stdin:
        found = epoch()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        _give_memory_back()  # while the others have their turns
        print(json.dumps({"epoch": asdict(found), "peak_bytes": peak}), file=answers, flush=True)


def _give_memory_back() -> None:
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc only
        ctypes.CDLL(None).malloc_trim(0)


if __name__ == "__main__":
    serve(sys.argv[1], *(Work(**json.loads(given)) for given in sys.argv[2:4]))
