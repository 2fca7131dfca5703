"""The learning curve in words: promised where it rises, denied where it is flat, silent where it cannot be known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.findings.planned import add_runs
from tests.findings.reading import check
from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.findings.generalisation import curve
from weigh.language import text

SIZES = {"size:0.125": 0.125, "size:0.25": 0.25, "size:0.5": 0.5}


def study(separations, *, n=1500, noise=0.3, seed=0, **options):
    """A probe whose separation grows with its training examples: `separations` at an eighth, a quarter, a half, all."""
    rng = np.random.default_rng(seed)
    target = simulate_target(rng, n)
    hard = rng.standard_normal((n, 2))

    def logits(separation, repeats):
        return simulate_logits(rng, target, separation=separation, repeats=repeats, noise=noise, difficulty=hard)

    names = options.pop("names", ("m",))
    results = make_results({name: logits(separations[-1], 3) for name in names}, target, **options)
    for name in names:
        for (variant, share), separation in zip(SIZES.items(), separations[:-1], strict=True):
            made = logits(separation, 2)
            results = add_runs(results, name, "curve", made, variant=variant, n_train=round(share * 0.8 * n))
    return results


def test_a_rising_curve_promises_a_gain():
    results = study((0.3, 0.9, 1.5, 2.1))
    (found,) = curve.find(results)
    check(found, results)
    assert found.verdict == "yes"
    assert found.claim == "this_data"
    assert found.estimates["gain"].low > 1.0
    assert found.estimates["predicted_score"].value > found.estimates["present"].value
    assert "2400" in found.sentence.en
    assert found.next
    assert [row["examples"] for row in found.figure.rows] == [150, 300, 600, 1200, 2400]
    assert found.figure.rows[-1]["stage"] == "predicted"


def test_a_curve_that_rises_ever_faster_may_gain_more_than_the_last_doubling_and_no_more_than_is_left():
    results = study((0.11, 0.28, 0.6, 1.2))
    (found,) = curve.find(results)
    check(found, results)
    assert "up to twice" in found.assumptions[0].detail.en
    gain, present = found.estimates["gain"], found.estimates["present"]
    assert gain.value <= 100 * (1 - present.value) + 1e-9
    assert found.estimates["predicted_score"].value <= 1
    (usual,) = curve.find(study((0.3, 0.9, 1.5, 2.1)))
    assert "not more" in usual.assumptions[0].detail.en


def test_a_flat_curve_says_that_more_would_change_little():
    results = study((3.0, 3.0, 3.0, 3.0), n=4000, noise=0.1)
    (found,) = curve.find(results)
    check(found, results)
    assert found.verdict == "no"
    assert found.estimates["gain"].high < 1.0
    assert not found.next


def test_a_small_noisy_study_is_undecided():
    results = study((1.0, 1.1, 1.2, 1.3), n=120, noise=1.5)
    (found,) = curve.find(results)
    check(found, results)
    assert found.verdict == "undecided"


def test_a_falling_curve_predicts_nothing():
    results = study((2.6, 2.1, 1.5, 0.9))
    (found,) = curve.find(results)
    check(found, results)
    assert found.verdict == "undecided"
    assert "predicted_score" not in found.estimates
    assert "nothing is predicted" in found.sentence.en
    assert not any(row.get("stage") for row in found.figure.rows)


def test_points_on_no_law_predict_nothing():
    results = study((2.5, 0.5, 2.5, 0.5))
    (found,) = curve.find(results)
    check(found, results)
    assert found.verdict == "undecided"
    assert "gain" not in found.estimates


def test_losses_are_turned_around():
    results = study((0.3, 0.9, 1.5, 2.1), metrics={"primary": "log_loss"})
    (found,) = curve.find(results)
    check(found, results)
    assert found.estimates["gain"].value > 0
    assert found.estimates["predicted_score"].value < found.estimates["present"].value


def test_all_candidates_are_drawn_and_the_winner_is_spoken_of():
    results = study((0.3, 0.9, 1.5, 2.1), names=("a", "b"))
    (found,) = curve.find(results)
    check(found, results)
    assert found.candidates[0] == results.winner
    assert {row["candidate"] for row in found.figure.rows} == {"a", "b"}


def test_groups_make_the_prediction_less_certain():
    alone = curve.find(study((0.3, 0.9, 1.5, 2.1)))[0].estimates["predicted_score"]
    groups = np.repeat(np.arange(50), 30)
    results = study((0.3, 0.9, 1.5, 2.1), groups=groups)
    together = curve.find(results)[0]
    check(together, results)
    assert together.estimates["predicted_score"].n_unit == "groups"
    assert together.estimates["predicted_score"].n == 50
    assert alone.n == 1500


def test_failed_sizes_and_missing_curves_are_survived():
    results = study((0.3, 0.9, 1.5, 2.1))
    from dataclasses import replace

    def broken(record):
        gone = record.purpose == "curve" and record.fold == 1 and (record.variant == "size:0.25" or record.repeat == 1)
        return replace(record, status="failed", cause="x") if gone else record

    (found,) = curve.find(replace(results, records=tuple(map(broken, results.records)))) or (None,)
    assert found is None or found.verdict == "undecided"
    without = [r for r in results.records if r.purpose != "curve"]
    assert curve.find(replace(results, records=tuple(without))) == []
    skipped = {"curve": text("design.curve is off.", "design.curve 已关闭。")}
    assert curve.find(replace(results, records=tuple(without), skipped=skipped)) == []


def test_coverage_over_studies():
    """Small studies of a learner that follows a known law: the prediction holds the truth."""
    from scipy.stats import norm

    share = np.array([0.125, 0.25, 0.5, 1.0, 2.0])
    separation = 2.0 - 0.8 * share**-0.5 * 0.6
    truth = norm.cdf(separation / np.sqrt(2 * (1 + 0.3**2)))
    held = []
    for seed in range(40):
        results = study(tuple(separation[:4]), n=300, seed=seed, metrics={"primary": "accuracy"})
        (found,) = curve.find(results)
        held.append("predicted_score" in found.estimates and found.estimates["predicted_score"].covers(truth[4]))
    assert sum(held) >= 34


@pytest.mark.parametrize(
    ("separations", "sizes"),
    [
        ((3.0, 3.0, 3.0), ("size:0.125", "size:0.5")),
        ((1.0, 3.0, 3.0), ("size:0.125", "size:0.5")),
        ((2.8, 3.0, 3.0), ("size:0.25", "size:0.5")),
    ],
    ids=["flat", "risen and flat", "from a quarter"],
)
def test_three_points_never_say_that_little_is_to_be_gained(separations, sizes):
    """A head with about as many features as examples looks like this, and gains much afterwards."""
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 4000)
    how = {"difficulty": rng.standard_normal((4000, 2)), "noise": 0.1}
    made = [simulate_logits(rng, target, separation=s, repeats=2, **how) for s in separations]
    results = make_results({"m": made[-1]}, target)
    for variant, logits in zip(sizes, made[:-1], strict=True):
        results = add_runs(results, "m", "curve", logits, variant=variant, n_train=round(float(variant[5:]) * 3200))
    (found,) = curve.find(results)
    check(found, results)
    assert found.verdict == "undecided"
    assert "up again" in found.sentence.en
    assert "design.curve: true" in found.next[0].en


def test_without_room_above_three_points_are_enough():
    rng = np.random.default_rng(0)
    target = simulate_target(rng, 4000)
    perfect = 12.0 * np.eye(2, dtype=np.float32)[np.stack([target, target])]
    results = make_results({"m": perfect}, target)
    for variant in ("size:0.125", "size:0.5"):
        results = add_runs(results, "m", "curve", perfect, variant=variant, n_train=round(float(variant[5:]) * 3200))
    (found,) = curve.find(results)
    assert found.verdict == "no"
