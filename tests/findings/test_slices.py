"""Slices: a planted bad slice is named, equal slices are not, small ones are left open."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.audit.box_designs import BoxDesign
from benchmarks.audit.box_rows import box_study
from tests.findings.synthetic import assign_folds, make_results, simulate_logits, simulate_target
from weigh.findings.evidence import read_evidence
from weigh.findings.slices import Slice, _score, find
from weigh.kinds.base import rows_of
from weigh.kinds.boxes import BOXES
from weigh.stats.multiple import holm
from weigh.stats.resampling import resample


def study(seed, effect=0.0, n=400, sites=6, primary="balanced_accuracy", repeats=2, tiny=0, **options):
    """`effect` is taken from the true class's logit in site 0; `tiny` examples form a slice of their own."""
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, n, [0.6, 0.4])
    site = rng.integers(sites, size=n)
    logits = simulate_logits(rng, target, separation=1.5, repeats=repeats)
    where = np.flatnonzero(site == 0)
    logits[:, where, target[where]] -= effect
    names = np.array([f"site-{s}" for s in site], dtype=object)
    names[:tiny] = "tiny"
    return make_results(
        {"winner": logits}, target, slices={"site": names}, metrics={"primary": primary}, winner="winner", **options
    )


def named(finding, column="site"):
    return [row["value"] for row in finding.table if row["note"] == "worse than the rest" and row["slice"] == column]


@pytest.mark.parametrize("primary", ["balanced_accuracy", "auroc", "log_loss"])
def test_a_bad_slice_is_named(primary):
    (finding,) = find(study(0, effect=2.5, primary=primary))
    assert named(finding) == ["site-0"]
    assert finding.verdict == "no"
    assert "site = site-0" in finding.sentence.en
    assert "site = site-0" in finding.sentence.zh
    assert "worse than the rest by" in finding.sentence.en
    assert finding.estimates["site=site-0:shortfall"].low > 0
    assert finding.next


@pytest.mark.parametrize("seeds", [range(15), pytest.param(range(15, 100), marks=pytest.mark.thorough)], ids=len)
@pytest.mark.parametrize("primary", ["balanced_accuracy", "auroc"])
def test_equal_slices_are_not_named(primary, seeds):
    """Promised: 2.5 %. A rule that keeps it fails for one of a thousand choices of seeds."""
    alarms = sum(bool(named(find(study(seed, primary=primary, n=250))[0])) for seed in seeds)
    assert alarms <= binom.ppf(0.999, len(seeds), 0.025)


def test_tiny_slice_is_too_few_to_tell_even_if_all_wrong():
    results = study(1, tiny=8)
    (finding,) = find(results)
    row = next(row for row in finding.table if row["value"] == "tiny")
    assert row["note"].startswith("too few")
    assert row["shortfall"] == "–"
    assert "tiny" not in finding.sentence.en


def test_class_that_is_missed_is_named_by_its_recall():
    rng = np.random.default_rng(2)
    target = simulate_target(rng, 600, [0.4, 0.3, 0.3])
    logits = simulate_logits(rng, target, separation=3, repeats=1)
    logits[:, target == 2, 2] -= 3
    (finding,) = find(make_results({"a": logits}, target, classes=["ant", "bee", "cat"]))
    assert named(finding, "class") == ["cat"]
    row = next(row for row in finding.table if row["value"] == "cat")
    recall = np.mean((logits[0].argmax(axis=1) == target)[target == 2])
    assert float(row["score"].split()[0]) == pytest.approx(recall, abs=6e-4)


def test_groups_make_a_slice_less_certain():
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(40), 10)
    target = np.tile([0, 1], 200)
    site = people % 2
    fault = rng.normal(0, 2.5, size=40)[people]  # whole people are easy or hard
    logits = simulate_logits(rng, target, separation=1.0, repeats=2)
    logits[:, np.arange(400), target] += fault
    options = {"slices": {"site": np.array(["a", "b"])[site]}, "winner": "w"}
    (alone,) = find(make_results({"w": logits}, target, **options))
    (grouped,) = find(make_results({"w": logits}, target, groups=np.array([f"p{p}" for p in people]), **options))

    def width(finding):
        written = next(row["shortfall"] for row in finding.table if row["value"] == "a")
        low, high = re.search(r"\[(.*), (.*)\]", written).groups()
        return float(high) - float(low)

    assert width(grouped) > 1.3 * width(alone)


@pytest.mark.parametrize("primary", ["balanced_accuracy", "auroc", "matthews", "log_loss"])
def test_the_score_of_a_slice_is_as_sure_as_a_study_of_its_examples(primary):
    """The share of the data that a slice is was once counted twice: 60 of 1,000 examples had the interval of four."""
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 1000, [0.6, 0.4])
    logits = simulate_logits(rng, target, separation=1.5, repeats=2)
    fold, few = assign_folds(rng, target, 5, 2), np.arange(1000) < 60
    options = {"metrics": {"primary": primary}, "winner": "w"}
    (finding,) = find(
        make_results({"w": logits}, target, fold=fold, slices={"site": np.where(few, "a", "b")}, **options)
    )
    shown = next(row["score"] for row in finding.table if row["value"] == "a")
    alone = read_evidence(make_results({"w": logits[:, few]}, target[few], fold=fold[:, few], **options)).scores["w"]
    assert shown == alone.format()


def test_column_with_too_many_values_is_said_to_be_left_out():
    rng = np.random.default_rng(4)
    target = simulate_target(rng, 100)
    logits = simulate_logits(rng, target)
    names = np.array([f"file{i}" for i in range(100)])
    (finding,) = find(make_results({"a": logits}, target, slices={"name": names}))
    assert finding.estimates["columns_left_out"].value == 1
    assert all(row["slice"] == "class" for row in finding.table)


def test_both_languages_have_the_same_numbers():
    for seed in range(4):
        (finding,) = find(study(seed, effect=seed))
        assert sorted(re.findall(r"-?\d+\.?\d*", finding.sentence.en)) == sorted(
            re.findall(r"-?\d+\.?\d*", finding.sentence.zh)
        )


def test_holm_equals_the_textbook():
    adjusted = holm(np.array([0.01, 0.04, 0.03, np.nan, 0.005]))
    np.testing.assert_allclose(adjusted, [0.03, 0.06, 0.06, np.nan, 0.02])


def test_multilabel_describes_classes_without_comparing_them():
    rng = np.random.default_rng(6)
    target = rng.integers(2, size=(300, 3))
    logits = (rng.normal(size=(1, 300, 3)) + 2 * (target - 0.5)).astype(np.float32)
    (finding,) = find(make_results({"a": logits}, target, metrics={"primary": "f1_macro"}, winner="a"))
    assert len(finding.table) == 3
    assert not named(finding, "class")
    assert finding.sentence.en.startswith(
        "No part of the data is compared with the rest. Described, not compared: 3 classes"
    )
    assert "3 个类别只作描述" in finding.sentence.zh


def test_average_precision_of_a_small_rest_is_no_yardstick():
    """AP of few pictures is too high: beside a small rest every large slice would look worse. A slice without enough of a class is not compared."""
    study = box_study(BoxDesign(n=100), np.random.default_rng(4))
    measured, few = study.measured["m0"], np.arange(100) < 25
    out_of_fold = SimpleNamespace(kind=BOXES, target=measured.target, present=measured.present)
    plain = replace(measured.metric, parts=lambda s: replace(measured.metric.parts(s), optimism=None))
    large = Slice("site", "b", ~few)
    weights, options = np.ones((1, 100)), {"level": 0.95, "tests": 2, "claim": "these_models"}
    own, other = (
        _score(large, m, out_of_fold, study.units, **options) for m in (measured, replace(measured, metric=plain))
    )
    too_high = resample(measured, weights, study.units, few[None]).parts.too_high
    assert 0.001 < too_high < 0.1
    assert own.shortfall.low == pytest.approx(other.shortfall.low - too_high)
    assert own.p > other.p
    target = rows_of(
        [boxes._replace(classes=np.where(i < 22, 0, boxes.classes)) for i, boxes in enumerate(measured.target)]
    )
    alone = _score(
        large,
        measured,
        SimpleNamespace(kind=BOXES, target=target, present=measured.present),
        study.units,
        **options,
    )
    assert (alone.shortfall, alone.reason) == (None, "too few of a class to tell")
