"""How an estimate is written: no end of an interval is rounded on or beyond 0, or a limit that a sentence compares it with."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weigh.findings.amounts import amount, limit, whole_percent, written_level
from weigh.findings.errors.shares import percent
from weigh.stats.estimate import Estimate

ENDS = st.floats(-2, 2).map(lambda value: round(value, 5))


def side(value, of):
    return (value > of) - (value < of)


@given(ENDS, ENDS, st.sampled_from([0.05, 1.0, -1.0, 0.04]))
def test_an_end_is_written_on_its_own_side_of_what_it_is_compared_with(one, other, border):
    low, high = sorted((one, other))
    estimate = Estimate(value=(low + high) / 2, low=low, high=high, unit="points")
    for written in (estimate.format(3, border), amount(estimate, border).en, percent(estimate, border)):
        ends = map(float, re.search(r"\[(.*), (.*)\]", written).groups())
        for end, as_written in zip((low, high), ends, strict=True):
            assert side(as_written, border) == side(end, border)
            assert side(as_written, 0) == side(end, 0)
        assert not re.search(r"-0\.?0*(?![\d.])", written)


def test_more_digits_are_written_only_where_they_are_needed():
    error = Estimate(value=0.03, low=0.012, high=0.0304)
    assert error.format(3, 0.05) == "0.030 [0.012, 0.030]"
    assert error.model_copy(update={"high": 0.0504}).format(3, 0.05) == "0.0300 [0.0120, 0.0504]"
    gain = Estimate(value=0.3, low=-0.4, high=0.96, unit="points")
    assert amount(gain).en == "0.3 points [-0.4, 1.0]"
    assert amount(gain, 1.0).en == "0.30 points [-0.40, 0.96]"


@pytest.mark.parametrize(("value", "written"), [(1.0, "1.0 points"), (0.04, "0.04 points"), (0.25, "0.25 points")])
def test_a_limit_is_written_as_it_was_set(value, written):
    assert limit(Estimate(value=value, unit="points")).en == written


@pytest.mark.parametrize(("part", "written"), [(62.4, "62"), (99.76, "99.8"), (100.0, "100"), (0.3, "0.3"), (0, "0")])
def test_not_all_is_not_written_as_all(part, written):
    assert whole_percent(part) == written


@pytest.mark.parametrize(("level", "written"), [(0.95, "95"), (0.999, "99.9"), (0.99999, "99.999"), (0.57, "57")])
def test_no_level_is_rounded_to_certainty(level, written):
    assert written_level(level) == written
