"""Runs the audit: every design in chunks of studies, each chunk a file, so that a stopped audit goes on where it was.

python -m benchmarks.audit run --part development --studies 1000 --seed 101     while rules are chosen
python -m benchmarks.audit run --part all --sealed                             the published run
python -m benchmarks.audit tables                                              tables and docs/audit.md
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.audit.real import Pool, RealDesign, load_pool, real_study
from benchmarks.audit.rules import FOLD_RULES, measure, ours, truths
from benchmarks.audit.simulate import Design, simulate

__all__ = ["COLUMNS", "run"]

CHUNK = 100
RELATIONS = ("undecided", "equal", "better", "worse")
COLUMNS = (
    *("value", "truth", "gap", "best", "seconds"),
    *(
        f"{claim}:{name}"
        for claim in ("new_data", "this_data")
        for name in (
            *("low", "high", "relation", "adjusted", "any", "better", "equal", "worse"),
            *("set", "set_size", "all_cover"),
        )
    ),
    *(f"rule:{name}" for name in FOLD_RULES),
)


def study_row(design: Design, rng: np.random.Generator) -> list[float]:
    """One simulated study: everything that the tables need about its first pair and its set of the best."""
    study = simulate(design, rng)
    return judged(design, study, truths(design, study), study.gap, rng)


def judged(design: Design | RealDesign, study, truth: np.ndarray, gap: float, rng: np.random.Generator) -> list[float]:
    """The row of a study, simulated or real, whose truth is known."""
    measured = measure(design, study)
    start = time.perf_counter()
    found = ours(design, study, measured, rng)
    seconds = (time.perf_counter() - start) / 2
    pair = found["new_data"].of("m0", "m1")
    best = int(truth.argmax())
    row = [pair.estimate.value, truth[0] - truth[1], gap, best, seconds]
    for comparisons in found.values():
        pair = comparisons.of("m0", "m1")
        low, high = pair.estimate.low, pair.estimate.high
        p = pair.probabilities or (np.nan,) * 3
        covers = [
            d.estimate.low is None or d.estimate.low <= truth[int(d.a[1:])] - truth[int(d.b[1:])] <= d.estimate.high
            for d in comparisons.pairs.values()
        ]
        row += [
            -np.inf if low is None else low,
            np.inf if high is None else high,
            RELATIONS.index(pair.relation),
            comparisons.adjusted,
            any(d.relation in ("better", "worse") for d in comparisons.pairs.values()),
            *p,
            f"m{best}" in comparisons.best,
            len(comparisons.best),
            all(covers),
        ]
    return row + [rule(design, study, measured) for rule in FOLD_RULES.values()]


_POOLS: dict[Path, Pool] = {}  # read once per process


def _row(design: Design | RealDesign, rng: np.random.Generator, pools: Mapping[str, Path]) -> list[float]:
    if isinstance(design, Design):
        return study_row(design, rng)
    folder = pools[design.pool]
    if folder not in _POOLS:
        _POOLS[folder] = load_pool(folder)
    study = real_study(design, _POOLS[folder], rng)
    return judged(design, study, study.truth, 0.0, rng)


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
    studies = range(job.start, job.start + job.count)
    rows = np.array([_row(job.design, np.random.default_rng([job.seed, key, i]), job.pools) for i in studies])
    temporary = job.file.with_suffix(".tmp.npy")
    np.save(temporary, rows)
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
            file = folder / f"{name}-{seed}-{start}.npy"
            if not file.exists():
                jobs.append(_Chunk(name, design, seed, start, min(CHUNK, studies - start), file, pools or {}))
    began = time.perf_counter()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, _ in enumerate(pool.imap_unordered(_run_chunk, jobs), start=1):
            if done % 20 == 0 or done == len(jobs):
                left = (time.perf_counter() - began) / done * (len(jobs) - done)
                print(f"{done} of {len(jobs)} chunks, about {left / 60:.0f} min left", flush=True)
