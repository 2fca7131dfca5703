"""Jobs on this machine: in this process, or in a few worker processes.

One driver (the caller) receives outcomes and writes the ledger. Workers are started by `spawn`, hold no state that
matters, and each gets its share of the processor's threads, which was chosen at the first start of the study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from weigh.data.examples import Examples
from weigh.execute.worker import run_job
from weigh.run import Job, Outcome

__all__ = ["run_jobs"]


def run_jobs(
    jobs: Sequence[Job], examples: Examples, *, workers: int, progress: Callable[[str, int, int], None] | None = None
) -> Iterator[tuple[Job, list[Outcome]]]:
    """Yield each job with its outcomes as it ends.

    Args:
        workers: Processes; 1 runs here, in order.
        progress: Called with (what, done, total) inside a job; only when `workers` is 1.
    """
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield job, run_job(job, examples, progress)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool

    pool = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=multiprocessing.get_context("spawn"))
    waiting = {pool.submit(run_job, job, examples): job for job in jobs}
    try:
        for future in as_completed(waiting):
            job = waiting[future]
            try:
                yield job, future.result()
            except BrokenProcessPool:  # killed from outside, most often for memory: say so in the record
                cause = "the worker process died (out of memory?); run with --jobs 1"
                yield job, [Outcome(run.key, "failed", cause=cause) for run in job.runs]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list((pool._processes or {}).values()):
            if process.is_alive() and any(not f.done() for f in waiting):
                process.terminate()
