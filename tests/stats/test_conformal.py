"""Margins of predictions: they hold for new examples as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from weigh.stats.conformal import margin


@pytest.mark.parametrize("n", [19, 20, 39, 60, 199])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_one_more_error_lies_within_as_often_as_promised(n, level):
    """For exchangeable errors the chance is between level and level + 1 / (n + 1), whatever their distribution."""
    rng = np.random.default_rng(n)
    errors = rng.exponential(size=(4000, n + 1)) ** 2
    held = np.mean([row[-1] <= margin(row[:-1, None], level=level)[0] for row in errors])
    assert level - 0.015 <= held <= level + 1 / (n + 1) + 0.015


def test_of_groups_the_largest_error_counts_once():
    errors = np.array([[0.1], [0.5], [0.2], [0.3]])
    assert margin(errors, np.array(["a", "a", "b", "b"]), level=0.5)[0] == 0.5
    assert margin(errors, level=0.5)[0] == 0.3


@pytest.mark.parametrize(("n", "known"), [(0, False), (18, False), (19, True)])
def test_nothing_is_said_from_too_few(n, known):
    assert (margin(np.zeros((n, 2))) is not None) == known
    assert (margin(np.zeros((100, 2)), np.arange(100) % max(n, 1)) is not None) == known


def test_whole_groups_that_are_new_are_covered():
    rng = np.random.default_rng(0)
    held = []
    for _ in range(1500):
        spread = rng.exponential(size=(30, 1)) * rng.exponential(size=(30, 4))
        limit = margin(spread[:-1].reshape(-1, 1), np.repeat(np.arange(29), 4), level=0.9)
        held.append((spread[-1] <= limit[0]).all())
    assert 0.88 <= np.mean(held) <= 0.96
