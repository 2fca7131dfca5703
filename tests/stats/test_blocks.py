"""Draws that are made in blocks are the draws that are made at once, and memory does not grow with the examples."""

from __future__ import annotations

import tracemalloc

import numpy as np

from tests.arrays import kind_of
from weigh.stats import resampling
from weigh.stats.resampling import draw_weights, in_blocks, make_units


def test_blocks_are_the_whole(monkeypatch):
    units = make_units(kind_of(np.zeros(40, dtype=np.int64)), np.zeros(40, dtype=np.int64))
    whole = draw_weights(np.random.default_rng(1), units, 30)
    monkeypatch.setattr(resampling, "CELLS", 300)
    parts = list(in_blocks(30, 40))
    assert parts == [7, 7, 7, 7, 2]
    rng = np.random.default_rng(1)
    np.testing.assert_array_equal(np.concatenate([draw_weights(rng, units, rows) for rows in parts]), whole)
    assert list(in_blocks(5, 10**9)) == [1] * 5


def test_memory_of_the_optimism_is_bounded(monkeypatch):
    from weigh.metrics.base import METRICS
    from weigh.metrics.design import MeasuredDesign
    from weigh.stats.selection import selection_optimism

    n, rng = 20_000, np.random.default_rng(0)
    target = rng.integers(0, 2, n)
    fold = (np.arange(n) % 5).astype(np.int16)[None]
    right = {name: rng.random((1, n, 1)) < p for name, p in (("a", 0.8), ("b", 0.79), ("c", 0.7))}
    metric = METRICS.get("accuracy")
    measured = {
        name: MeasuredDesign(metric, hits.astype(float), fold, np.ones((1, n), bool), target)
        for name, hits in right.items()
    }
    at_once = selection_optimism(measured, make_units(kind_of(target), target), rng=np.random.default_rng(3))
    monkeypatch.setattr(resampling, "CELLS", 10 * n)
    tracemalloc.start()
    in_parts = selection_optimism(measured, make_units(kind_of(target), target), rng=np.random.default_rng(3))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert at_once is not None
    assert in_parts is not None
    np.testing.assert_allclose(
        [in_parts.corrected, *in_parts.chosen.values()], [at_once.corrected, *at_once.chosen.values()], rtol=1e-12
    )
    assert peak < 60 * n * 8 + 5_000_000  # 500 draws at once: at least 500 n numbers of 8 bytes
