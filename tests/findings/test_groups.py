"""Groups are what is independent, in every interval: copies of an example must not make anything surer.

Each example stands in the data m times. Declared as groups, all intervals must be those of the examples alone; not
declared, the same intervals are too narrow by about the square root of m.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.findings.synthetic import assign_folds, make_results, simulate_logits, simulate_target
from weigh.findings.evidence import read_evidence
from weigh.findings.generalisation.neighbours import find_neighbours
from weigh.findings.generalisation.shift import find as find_shift
from weigh.findings.registry import read_findings

COPIES = 4
N, M = 240, 160


def study(kind):
    rng = np.random.default_rng(0)
    target, tested = simulate_target(rng, N, (0.6, 0.4)), simulate_target(rng, M, (0.6, 0.4))
    camera, fold = np.where(rng.random(N) < 0.5, "x", "y"), assign_folds(rng, target, 5, 3)
    difficulty = rng.standard_normal((N, 2))
    logits, refitted = {}, {}
    for name, separation in (("a", 1.6), ("b", 1.2)):
        own = 0.8 * difficulty + 0.6 * rng.standard_normal((N, 2))
        logits[name] = simulate_logits(rng, target, separation=separation, repeats=3, difficulty=own, noise=0.3)
        refitted[name] = simulate_logits(rng, tested, separation=separation)[0]
    of, later = np.arange(N), np.arange(M)
    if kind != "alone":
        of, later = np.repeat(of, COPIES), np.repeat(later, COPIES)
    results = make_results(
        {name: array[:, of] for name, array in logits.items()},
        target[of],
        fold=fold[:, of],
        groups=of.astype(str) if kind == "grouped" else None,
        slices={"camera": camera[of]},
        test={name: array[later] for name, array in refitted.items()},
        test_target=tested[later],
        winner="a",
    )
    part, group = results.examples.part.astype("<U20"), results.examples.group
    part[len(of) + len(later) // 2 :] = "shift:elsewhere"
    if group is not None:
        group = np.concatenate([group[: len(of)], [f"test-{i}" for i in later]])
    return dataclasses.replace(results, examples=dataclasses.replace(results.examples, part=part, group=group))


def widths(results):
    """(finding, estimate) -> width of its interval; slices and scores of figures as well."""
    found, slices = {}, {}
    for finding in read_findings(results):
        assert finding.kind != "internal", finding.table
        for name, estimate in finding.estimates.items():
            if estimate.low is not None and estimate.high is not None:
                found[finding.id, name] = estimate.high - estimate.low
        if finding.id == "slices":
            slices = {(r["slice"], r["value"]): r["high"] - r["low"] for r in finding.figure.rows}
    return found | slices


@pytest.fixture(scope="module")
def measured():
    return {kind: widths(study(kind)) for kind in ("alone", "naive", "grouped")}


@pytest.mark.parametrize(
    "key",
    [
        ("verdict", "score"),
        ("verdict", "difference"),
        ("comparison:a:b", "difference"),
        ("generalisation:test", "test"),
        ("generalisation:test", "gap"),
        ("shift:elsewhere", "drop"),
        ("stability:agreement", "churn"),
        ("calibration", "calibration_error"),
        ("calibration", "confidence_minus_accuracy"),
        ("calibration", "log_loss"),
        ("calibration", "brier"),
        ("camera", "x"),
        ("class", "class1"),
    ],
)
def test_copies_declared_as_groups_change_no_interval(measured, key):
    assert measured["grouped"][key] == pytest.approx(measured["alone"][key], rel=0.15)
    assert measured["naive"][key] < 0.85 * measured["grouped"][key]


@pytest.mark.parametrize(
    "key",
    [
        ("generalisation:test", "test"),
        ("shift:elsewhere", "drop"),
        ("calibration", "brier"),
        ("stability:agreement", "churn"),
    ],
)
def test_undeclared_copies_make_intervals_too_narrow_by_the_square_root(measured, key):
    assert measured["grouped"][key] / measured["naive"][key] == pytest.approx(np.sqrt(COPIES), rel=0.2)


def test_units_are_named(measured):
    (drop, *_) = find_shift(study("grouped"))
    assert drop.estimates["drop"].n_unit == "groups"
    assert drop.estimates["drop"].n == M // 2
    assert f"({M // 2} groups)" in drop.sentence.en


def test_intervals_are_called_too_narrow_only_where_the_factor_is_above_one():
    said = {True: 0, False: 0}
    for seed in range(24):
        rng = np.random.default_rng(seed)
        target = simulate_target(rng, 400)
        hard = (0.9, 0.5)[seed % 2] * np.repeat(rng.standard_normal((50, 2)), 8, axis=0) + 0.7 * rng.standard_normal(
            (400, 2)
        )
        logits = {"m": simulate_logits(rng, target, separation=1.5, repeats=2, difficulty=hard)}
        for finding in find_neighbours(read_evidence(make_results(logits, target))):
            if finding.id == "order:neighbours" and "factor" in finding.estimates:
                sure = finding.estimates["factor"].low > 1
                assert ("too narrow and should be" in finding.sentence.en) == sure
                assert ("is not settled" in finding.sentence.en) != sure
                said[sure] += 1
    assert said[True]
    assert said[False]
