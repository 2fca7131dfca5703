"""Jobs in worker processes on this machine.

Each worker is started by `spawn`, gets the examples once, then one job after the other, and holds no state that matters. A worker that
dies (killed for its memory, most often) loses its job and nothing else: another worker takes its place, and the job is tried again
when nothing else runs. A worker whose driver is gone ends by itself within a second.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from weigh.data.examples import Examples
from weigh.errors import ExecutionError, WeighError
from weigh.execute.worker import run_job
from weigh.language import Text, text
from weigh.notices import Progress
from weigh.run import Job, Outcome

__all__ = ["TRIES", "WorkerProcesses"]

TRIES = 3  # how often a job is begun before its runs are failed because the worker died each time
STARTS = (
    3  # workers in a row that end before they have begun, after which something is wrong with this machine or script
)
PATIENCE = 2.0  # seconds that a worker has for ending before it is killed
EVERY = 0.2  # seconds between two messages on progress

log = logging.getLogger("weigh")


@dataclass
class _Task:
    """A job, how many workers died at it, and whether it has been tried alone."""

    job: Job
    deaths: int = 0
    alone: bool = False


@dataclass
class _Worker:
    """A process, the driver's end of its pipe, whether it has the examples, and the job that it runs."""

    process: BaseProcess
    pipe: Connection
    ready: bool = False
    task: _Task | None = None


class WorkerProcesses:
    """See `executor.Executor`.

    Args:
        count: Most workers at a time.
        say: Tells whoever watches.
    """

    def __init__(self, count: int, examples: Examples, say: Callable[[Text], None]) -> None:
        self.count, self.examples, self.say = count, examples, say
        self._workers: list[_Worker] = []
        self._stillborn = 0  # workers in a row that ended before they were ready

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> Iterator[tuple[Job, list[Outcome]]]:
        waiting, lost = deque(_Task(job) for job in jobs), deque[_Task]()
        while waiting or lost or self._busy():
            if not waiting and lost and not self._busy():
                waiting.append(lost.popleft())
                waiting[0].alone = True  # so that it has all the memory of the machine
                self._end(self._workers[1:])
            self._hand_out(waiting)
            for worker in self._speaking():
                task = worker.task
                message = self._hear(worker)
                if message is None and task is not None:  # it died at its job
                    task.deaths += 1
                    if task.deaths < TRIES:
                        lost.append(task)
                        self._tell_loss(task.job, _how_ended(worker))
                    else:
                        yield task.job, _failed(task.job, worker)
                if message is None:
                    continue
                what, content = message
                if what == "progress" and progress is not None and len(self._busy()) == 1:
                    progress(*content)
                elif what == "raised":
                    raise content
                elif what == "done" and task is not None:
                    worker.task = None
                    self._hand_out(waiting)
                    if not task.alone and any(outcome.remedy == "alone" for outcome in content):
                        lost.append(task)
                        self._tell_loss(task.job, "out of memory")
                    else:
                        yield task.job, content

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.task is not None]

    def _hand_out(self, waiting: deque[_Task]) -> None:
        """Give jobs to idle workers, starting as many as there is work for."""
        idle = [worker for worker in self._workers if worker.task is None]
        for _ in range(min(self.count - len(self._workers), len(waiting) - len(idle))):
            self._workers.append(_start())
        for worker in [worker for worker in idle if worker.ready][: len(waiting)]:
            worker.task = waiting.popleft()
            with contextlib.suppress(OSError):  # the worker has just died: `_hear` finds that out next
                worker.pipe.send(worker.task.job)

    def _speaking(self) -> list[_Worker]:
        """Workers that said something or died; waits for one."""
        heard = set(wait([worker.pipe for worker in self._workers]))
        return [worker for worker in self._workers if worker.pipe in heard]

    def _hear(self, worker: _Worker) -> tuple[str, Any] | None:
        """What the worker says; None: it is dead, and not among the workers any more."""
        try:
            what, content = worker.pipe.recv()
            if what == "started":
                worker.pipe.send(self.examples)
            if what == "ready":
                worker.ready, self._stillborn = True, 0
            return what, content
        except (EOFError, OSError):
            worker.process.join(PATIENCE)  # so that it says itself how it ended
            self._end([worker])
            if not worker.ready:
                self._stillborn += 1
                log.warning("a worker process ended before it began (%s)", _how_ended(worker))
                if self._stillborn >= STARTS:
                    raise _cannot_start(worker) from None
            return None

    def _tell_loss(self, job: Job, reason: str) -> None:
        log.warning("a worker process lost a job of %s (%s); it is tried again", job.runs[0].candidate, reason)
        self.say(
            text(
                "A worker process lost its job ({h}); it is tried again alone when the others are done.",
                "一个工作进程丢失了它的任务（{h}）；其他任务完成后会单独重试。",
                h=reason,
            )
        )

    def _end(self, workers: list[_Worker]) -> None:
        """End workers: those without a job by themselves, the others by force."""
        for worker in workers:
            if worker.task is not None and worker.process.is_alive():
                worker.process.terminate()
            worker.pipe.close()
        deadline = time.monotonic() + PATIENCE
        for worker in workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        ended = {id(worker) for worker in workers}
        self._workers = [worker for worker in self._workers if id(worker) not in ended]

    def __enter__(self) -> WorkerProcesses:
        return self

    def __exit__(self, *_) -> None:
        self._end(self._workers)


def _failed(job: Job, worker: _Worker) -> list[Outcome]:
    cause = (
        f"the worker process died each of {TRIES} times that this was tried, the last time by {_how_ended(worker)}. If memory ran out: "
        "free some, or set a smaller batch_size, image_size or max_length; then run the same command with --retry-failed"
    )
    return [Outcome(run.key, "failed", cause=cause) for run in job.runs]


def _how_ended(worker: _Worker) -> str:
    """ "signal SIGKILL", "exit code 1"."""
    code = worker.process.exitcode
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _cannot_start(worker: _Worker) -> ExecutionError:
    return ExecutionError(
        text(
            "{n} worker processes in a row ended before they had begun ({h}).",
            "连续 {n} 个工作进程在开始之前就结束了（{h}）。",
            n=STARTS,
            h=_how_ended(worker),
        ),
        text(
            'A script that calls weigh is read again by every worker: it must start the study below `if __name__ == "__main__":`.',
            '调用 weigh 的脚本会被每个工作进程重新读取：启动研究的语句必须放在 `if __name__ == "__main__":` 之下。',
        ),
        text(
            'Correct that, or do without workers: --jobs 1 (in Python: settings=["run.jobs=1"]).',
            '请改正，或不用工作进程：--jobs 1（Python 中：settings=["run.jobs=1"]）。',
        ),
    )


# ---- the driver starts a worker


def _start() -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), name="weigh-worker", daemon=True)
    # A terminal sends Ctrl-C to workers too. They leave it to the driver, from their first moment on: what is blocked here stays blocked
    # in a process that is started now.
    blocked = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if blocked else set()
    try:
        process.start()
    finally:
        if blocked:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()  # so that its death is the end of the pipe
    return _Worker(process, ours)


# ---- what a worker does


def _work(pipe: Connection) -> None:
    """Take the examples, then run jobs until the driver closes the pipe."""
    _end_with_the_driver()
    atexit.register(gc.freeze)  # else the collector searches all objects for cycles at the end, which takes seconds
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sending = threading.Lock()  # progress comes from the threads of a job too

    def send(what: str, content: Any) -> None:
        with sending:
            pipe.send((what, content))

    last = 0.0

    def progress(what: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= EVERY or done >= total:
            last = now
            send("progress", (what, done, total))

    with contextlib.suppress(EOFError, OSError):  # the driver needs no more, or is gone
        send("started", None)
        examples = pipe.recv()
        send("ready", None)
        while True:
            job = pipe.recv()
            try:
                outcomes = run_job(job, examples, progress)
            except WeighError as error:
                send("raised", error)
            else:
                send("done", outcomes)


def _end_with_the_driver() -> None:
    """End this process as soon as the driver is gone: its results could not be delivered any more."""
    driver = multiprocessing.parent_process()
    assert driver is not None

    def wait_and_end() -> None:
        wait([driver.sentinel])
        os._exit(1)

    threading.Thread(target=wait_and_end, name="driver", daemon=True).start()
