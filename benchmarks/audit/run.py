"""Runs the audit: every design in chunks of studies, each chunk a file, so that a stopped audit goes on where it was."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.audit.designs import seed_of
from benchmarks.audit.extra import extra_row
from benchmarks.audit.real import Pool, RealDesign, load_pool, real_study
from benchmarks.audit.rules import FOLD_RULES, measure, ours, trained, truth_error, truths
from benchmarks.audit.simulate import Design, simulate
from weigh.stats.comparison import Comparisons

__all__ = ["CLAIMS", "COLUMNS", "RELATIONS", "run", "run_extra"]

CHUNK = 100
RELATIONS = ("undecided", "equal", "better", "worse")
CLAIMS = ("new_data", "this_data", "these_models")
COLUMNS = (
    *("value", "truth", "gap", "seconds", "tested", "tested_truth"),
    *(
        f"{claim}:{name}"
        for claim in CLAIMS
        for name in (
            *("low", "high", "relation", "adjusted", "any"),
            *("set", "set_size", "all_cover", "raw"),
        )
    ),
    *(f"rule:{name}" for name in FOLD_RULES),
)


def study_row(design: Design | RealDesign, study, rng: np.random.Generator) -> list[float]:
    """Everything that the tables need about a study's first pair and its set of the best."""
    measured = measure(design, study)
    start = time.perf_counter()
    found = ours(design, study, measured, rng)
    seconds = (time.perf_counter() - start) / len(found)
    _, found["these_models"], tested = trained(design, study, rng)
    truth = truths(design, study)
    row = [
        found["new_data"].of("m0", "m1").estimate.value,
        truth[0] - truth[1],
        study.gap,
        seconds,
        found["these_models"].of("m0", "m1").estimate.value,
        tested[0] - tested[1],
    ]
    error = truth_error(design, study)
    for claim in CLAIMS:
        tests = claim == "these_models"
        row += _answers(found[claim], tested if tests else truth, 0.0 if tests else error)
    return row + [rule(design, study, measured) for rule in FOLD_RULES.values()]


def _answers(comparisons: Comparisons, truth: np.ndarray, error: float) -> list[float]:
    """What was concluded; intervals are widened by the standard error of the measured truth, where it has one, and counted raw as well."""
    pair = comparisons.of("m0", "m1")
    low, high = pair.estimate.low, pair.estimate.high
    raw = _covered(comparisons, truth)
    covers = raw
    if error and low is not None:
        low, high = (
            pair.estimate.value + np.sign(e - pair.estimate.value) * np.hypot(e - pair.estimate.value, pair.q * error)
            for e in (low, high)
        )
        covers = bool(
            low <= truth[0] - truth[1] <= high
        )  # only studies of real pools, of two candidates, have such an error
    return [
        -np.inf if low is None else low,
        np.inf if high is None else high,
        RELATIONS.index(pair.relation),
        comparisons.adjusted,
        any(d.relation in ("better", "worse") for d in comparisons.pairs.values()),
        f"m{int(truth.argmax())}" in comparisons.best,
        len(comparisons.best),
        covers,
        raw,
    ]


def _covered(comparisons: Comparisons, truth: np.ndarray) -> bool:
    """Whether the intervals of all pairs hold their true differences."""
    return all(
        d.estimate.low is None or d.estimate.low <= truth[int(d.a[1:])] - truth[int(d.b[1:])] <= d.estimate.high
        for d in comparisons.pairs.values()
    )


_POOLS: dict[Path, Pool] = {}  # read once per process


def _study(design: Design | RealDesign, rng: np.random.Generator, pools: Mapping[str, Path]):
    if isinstance(design, Design):
        return simulate(design, rng)
    folder = pools[design.pool]
    if folder not in _POOLS:
        _POOLS[folder] = load_pool(folder)
    return real_study(design, _POOLS[folder], rng)


class _Chunk(NamedTuple):
    name: str
    design: Design | RealDesign
    seed: int
    start: int
    count: int
    file: Path
    pools: Mapping[str, Path]


def _run_chunk(job: _Chunk) -> None:
    key = int.from_bytes(hashlib.blake2b(job.name.encode(), digest_size=4).digest(), "big")
    rows = []
    for i in range(job.start, job.start + job.count):
        rng = np.random.default_rng([job.seed, key, i])
        rows.append(study_row(job.design, _study(job.design, rng, job.pools), rng))
    temporary = job.file.with_suffix(".tmp.npy")
    np.save(temporary, np.array(rows, dtype=np.float32))
    os.replace(temporary, job.file)


def run(
    chosen: Mapping[str, Design | RealDesign],
    studies: int,
    seed: int,
    folder: Path,
    *,
    pools: Mapping[str, Path] | None = None,
    processes: int = 2,
) -> None:
    """Run all chunks that are not there yet, one hundred studies each, design by design in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = []
    for start in range(0, studies, CHUNK):
        for name, design in chosen.items():
            used = seed_of(name, seed)
            file = folder / f"{name}-{used}-{start}.npy"
            if not file.exists():
                jobs.append(_Chunk(name, design, used, start, min(CHUNK, studies - start), file, pools or {}))
    began = time.perf_counter()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, _ in enumerate(pool.imap_unordered(_run_chunk, jobs), start=1):
            if done % 20 == 0 or done == len(jobs):
                left = (time.perf_counter() - began) / done * (len(jobs) - done)
                print(f"{done} of {len(jobs)} chunks, about {left / 60:.0f} min left", flush=True)


def run_extra(
    chosen: Mapping[str, Design], studies: int, seed: int, folder: Path, row: Callable = extra_row, name: str = "extra"
) -> None:
    """Rules that need runs of their own (`extra.py`) or other packages (`packages.py`), one file per design."""
    folder.mkdir(parents=True, exist_ok=True)
    for design_name, design in chosen.items():
        file = folder / f"{name}-{design_name}-{seed}.npy"
        if not file.exists():
            np.save(file, [row(design, np.random.default_rng([seed, 7, i])) for i in range(studies)])
