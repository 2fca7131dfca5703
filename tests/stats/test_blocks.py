"""Draws that are made in blocks are the draws that are made at once, and memory does not grow with the examples."""

from __future__ import annotations

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
