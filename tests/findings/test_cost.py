"""Cost: fixed facts in the sentence, times under `measured` only, and the front against brute force."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings.cost import find, front

MODELS = {
    "timm:good": {"macs": 4.1e8, "parameters": 4.6e6, "size_bytes": 18.6e6},
    "timm:poor": {"macs": 2.0e8, "parameters": 4.0e6, "size_bytes": 16.0e6},
}


def study(seconds=1.0, models=MODELS, **options):
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 200)
    logits = {name: simulate_logits(rng, target, separation=s) for name, s in (("good", 2.5), ("poor", 0.5))}
    times = {"train_seconds": 10 * seconds, "predict_seconds_per_example": seconds / 100, "peak_bytes": 5e8 * seconds}
    return make_results(
        logits, target, models=models, measured={"good": times, "poor": times}, winner="good", **options
    )


def test_sentence_has_fixed_facts_only():
    (slow,), (fast,) = find(study(7.0)), find(study(1.0))
    assert slow.model_dump(exclude={"measured"}) == fast.model_dump(exclude={"measured"})
    assert slow.measured != fast.measured
    assert slow.verdict == "no"
    assert "0.410" in slow.sentence.en
    assert "2.05" in slow.sentence.zh


def test_measured_sentence_has_the_same_numbers_in_both_languages():
    (finding,) = find(study(2.0))
    said = finding.measured["sentence"]
    assert sorted(re.findall(r"\d+\.?\d*", said["en"])) == sorted(re.findall(r"\d+\.?\d*", said["zh"]))
    assert "20.0" in said["en"]
    assert {row["candidate"] for row in finding.measured["figure_rows"]} == {"good", "poor"}


def test_cheapest_winner_and_unknown_costs():
    turned = {"timm:good": MODELS["timm:poor"], "timm:poor": MODELS["timm:good"]}
    assert find(study(models=turned))[0].verdict == "yes"
    assert find(study(models={}))[0].verdict == "undecided"
    partly = {"timm:good": {"parameters": 1e6}, "timm:poor": {"parameters": 2e6, "macs": 1}}
    (finding,) = find(study(models=partly))
    assert finding.verdict == "yes"
    assert "M parameters" in finding.sentence.en


def test_a_control_that_ran_too_is_not_passed_over_in_silence():
    (alone,), (beside,) = (find(study(controls=controls)) for controls in ([], ["poor"]))
    assert "needs" in alone.sentence.en
    assert "good is the only candidate with results, controls aside: it needs" in beside.sentence.en
    assert "除对照外，只有 good 有结果" in beside.sentence.zh


pairs = st.tuples(
    st.one_of(st.none(), st.integers(0, 5)), st.one_of(st.just(float("nan")), st.integers(0, 5).map(float))
)


@given(st.lists(pairs, max_size=8))
def test_front_is_what_nobody_dominates(points):
    found = front([p[0] for p in points], [p[1] for p in points])
    for (cost, score), flag in zip(points, found, strict=True):
        if cost is None or np.isnan(score):
            assert not flag
            continue
        beaten = any(
            c is not None and c <= cost and s >= score and (c < cost or s > score) for c, s in points if not np.isnan(s)
        )
        assert flag == (not beaten)
    assert any(found) == any(c is not None and not np.isnan(s) for c, s in points)


def shared(readings: dict[str, list[float]], models: dict[str, str], delay: float | None = None):
    """A study whose candidates' runs have these seconds of a prediction, one after the other."""
    results = study()
    candidates = tuple(replace(c, model=models[c.id]) for c in results.candidates)
    taken = {name: iter(values * 20) for name, values in readings.items()}
    records = tuple(
        replace(
            r, measured={"train_seconds": 9.0, "predict_seconds_per_example": next(taken[r.candidate]), "delay": delay}
        )
        for r in results.records
    )
    return replace(results, candidates=candidates, records=records)


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ({"good": "timm:one", "poor": "timm:one"}, {"good": 9.0, "poor": 9.0}),
        ({"good": "timm:one", "poor": "timm:other"}, {"good": 58.0, "poor": 9.0}),
    ],
)
def test_candidates_with_the_same_network_share_the_least_reading(models, expected):
    (finding,) = find(shared({"good": [0.061, 0.058], "poor": [0.009, 0.3]}, models))
    rows = finding.measured["figure_rows"]
    assert {row["candidate"]: row["predict_milliseconds"] for row in rows} == expected
    assert f"{expected['good']:.2f}"[:4] in finding.measured["sentence"]["en"]


@pytest.mark.parametrize(("delay", "busy"), [(None, False), (1.02, False), (1.4, False), (6.3, True)])
def test_a_busy_machine_is_said(delay, busy):
    (finding,) = find(shared({"good": [0.01], "poor": [0.01]}, {"good": "timm:a", "poor": "timm:a"}, delay))
    said = finding.measured["sentence"]
    assert ("busy with other work" in said["en"]) == ("正忙于其他任务" in said["zh"]) == busy
    assert ("6.30" in said["en"]) == ("6.30" in said["zh"]) == busy


def test_a_prediction_says_what_is_counted():
    (finding,) = find(study(2.0))
    said = finding.measured["sentence"]
    assert "without reading and preparing the example" in said["en"]
    assert "不含样本的读取和预处理" in said["zh"]
    (counted,) = find(study(2.0, models={name: {**facts, "weights": "none"} for name, facts in MODELS.items()}))
    assert "cutting the text into words included" in counted.measured["sentence"]["en"]


@pytest.mark.parametrize(("device", "of_one_thread"), [("cpu", True), ("cuda", False)])
def test_times_of_an_accelerator_are_not_those_of_one_thread(device, of_one_thread):
    results = study()
    (finding,) = find(
        replace(results, records=tuple(replace(r, environment={"device": device}) for r in results.records))
    )
    assert finding.figure is not None
    assert ("one thread" in finding.figure.fields["predict_milliseconds"].en) is of_one_thread


def test_peak_memory_is_not_called_that_of_a_candidate():
    from weigh.report.columns import COLUMNS

    assert "of the process so far" in COLUMNS["peak_megabytes"].en
