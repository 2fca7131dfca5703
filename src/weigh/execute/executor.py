"""Where jobs run: one door. The driver hands in jobs and gets outcomes back, and knows nothing of processes.

    with open_executor(spec.run, examples, say) as executor:
        for job, outcomes in executor.run(jobs, progress): ...

Before it: `driver.py`. After it: `local.py` (in this process) and `pool.py` (worker processes on this machine); a cluster would be a
third file. Whatever runs a job calls `worker.run_job`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Protocol

from weigh.data.examples import Examples
from weigh.execute.local import ThisProcess
from weigh.execute.pool import WorkerProcesses
from weigh.language import Text
from weigh.notices import Progress
from weigh.run import Job, Outcome

__all__ = ["Executor", "open_executor"]


class Executor(Protocol):
    """Runs jobs on the examples that it was opened with."""

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> Iterator[tuple[Job, list[Outcome]]]:
        """Every job with the outcomes of all its runs, as jobs end, in any order.

        A run that fails is an outcome. A job that is lost with the process it ran in is no failure: it is tried again, alone, a few
        times; only then its runs are failed outcomes, with the cause.

        Raises:
            WeighError: What concerns the whole study and not one run: replaced weights, workers that cannot be started.
        """
        ...

    def __enter__(self) -> Executor: ...

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends all processes; jobs that are still running are lost."""
        ...


def open_executor(workers: int, examples: Examples, say: Callable[[Text], None]) -> Executor:
    """The executor for a number of workers.

    Args:
        examples: Of the study; handed to every process once.
        say: Tells whoever watches that a worker died.
    """
    return ThisProcess(examples) if workers <= 1 else WorkerProcesses(workers, examples, say)
