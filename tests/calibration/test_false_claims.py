"""A quick look at the promise of the comparison rule; the full tables come from `tests.calibration.studies`."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from tests.calibration.studies import DESIGNS, run_design

STUDIES = 60


def most(share: float) -> int:
    """So many of `STUDIES` are exceeded with probability below one in a thousand at a true share."""
    return int(binom.ppf(0.999, STUDIES, share))


@pytest.mark.parametrize(
    "name",
    [
        "reference",
        "degenerate-n1000-5x1",
        "stable-n100-5x1",
        "groups-of-5",
        *(pytest.param(one, marks=pytest.mark.thorough) for one in ("5x1", "three")),
    ],
)
def test_false_claims_stay_rare(name):
    outcome = run_design(DESIGNS[name], STUDIES, truth=False, draws=200)
    assert sum(outcome.claims) <= most(0.05)


def test_the_naive_rule_would_fail_the_same_test():
    outcome = run_design(DESIGNS["reference"], 60, truth=False, draws=50)
    assert sum(outcome.rules["naive t"]) > 60 * 0.15


def test_a_large_difference_is_found():
    from dataclasses import replace

    outcome = run_design(replace(DESIGNS["5x5"], strengths=(2.2, 0.3)), 25, truth=False, draws=200)
    assert sum(outcome.claims) >= 20
