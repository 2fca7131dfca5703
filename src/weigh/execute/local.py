"""Jobs in this process, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from weigh.data.examples import Examples
from weigh.execute.worker import run_job
from weigh.notices import Progress
from weigh.run import Job, Outcome

__all__ = ["ThisProcess"]


class ThisProcess:
    """See `executor.Executor`. A job that kills the process kills the study, which goes on where it stopped when it is started again."""

    def __init__(self, examples: Examples) -> None:
        self.examples = examples

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> Iterator[tuple[Job, list[Outcome]]]:
        for job in jobs:
            yield job, run_job(job, self.examples, progress)

    def __enter__(self) -> ThisProcess:
        return self

    def __exit__(self, *_) -> None:
        pass
