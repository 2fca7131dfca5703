"""Racing drops who cannot be the best, keeps who can, and knows when nothing more can be found out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tests.arrays import kind_of
from tests.findings.synthetic import assign_folds, simulate_logits, simulate_target
from weigh.metrics.base import METRICS
from weigh.metrics.design import measure_design
from weigh.record.results import OutOfFold
from weigh.stats.racing import Look, drop_out, look_level, planned_looks
from weigh.stats.resampling import make_units

FOLDS, REPEATS = 5, 5
LOOKS = planned_looks(FOLDS, REPEATS)


def study(separations, *, n=300, seed=0, noise=0.5, alike=True, looks=LOOKS):
    """Candidate -> `(repeats, n, 2)` logits; folds; target."""
    rng = np.random.default_rng([seed, 3])
    target = simulate_target(rng, n)
    repeats = -(-looks[-1] // FOLDS)
    difficulty = rng.standard_normal((n, 2)) if alike else None
    logits = {
        f"m{i}": simulate_logits(rng, target, separation=s, repeats=repeats, noise=noise, difficulty=difficulty)
        for i, s in enumerate(separations)
    }
    return logits, assign_folds(rng, target, FOLDS, repeats), target


def upto(logits, fold, target, blocks, metric="accuracy"):
    repeats = -(-blocks // FOLDS)
    inside = (fold + FOLDS * np.arange(len(fold))[:, None] < blocks)[:repeats]
    found = {}
    for name, values in logits.items():
        cut = np.where(inside[:, :, None], values[:repeats], np.nan)
        out = OutOfFold(
            np.arange(len(target)),
            cut,
            np.where(inside, fold[:repeats], -1),
            target,
            np.zeros_like(cut),
            kind=kind_of(target),
        )
        found[name] = measure_design(METRICS.get(metric), out)
    return found


def look(
    logits, fold, target, blocks, *, metric="accuracy", claim="new_data", rope=0.01, looks=LOOKS, field=None
) -> Look:
    return drop_out(
        upto(logits, fold, target, blocks, metric),
        make_units(kind_of(target), target),
        rng=np.random.default_rng(0),
        claim=claim,
        level=0.95,
        rope=rope,
        looks=looks,
        blocks=blocks,
        field=field or len(logits),
    )


def race(logits, fold, target, looks=LOOKS, **given) -> tuple[list[Look], dict[str, int]]:
    """The looks until it stops, and after how many blocks each candidate was dropped."""
    alive, out, seen = dict(logits), {}, []
    for blocks in looks:
        seen.append(look(alive, fold, target, blocks, looks=looks, field=len(logits), **given))
        for drop in seen[-1].dropped:
            out[drop.name] = blocks
            del alive[drop.name]
        if seen[-1].stop:
            break
    return seen, out


# The levels


def test_looks_are_after_folds_of_the_first_repeat_and_after_repeats():
    assert planned_looks(5, 3) == (2, 3, 4, 5, 10, 15)
    assert planned_looks(2, 1) == (2,)


@given(folds=st.integers(2, 12), repeats=st.integers(1, 4), candidates=st.integers(2, 12), level=st.floats(0.8, 0.99))
@settings(deadline=None, max_examples=20)
def test_one_look_lies_between_no_correction_and_bonferroni(folds, repeats, candidates, level):
    looks = planned_looks(folds, repeats)
    once = look_level(looks, level, candidates)
    assert 1 - (1 - level) / len(looks) >= once - 1e-9
    assert once >= level - 1e-9


def test_all_looks_together_keep_the_level():
    """Oracle: random walks. Pocock's tabulated level for five equally spaced looks is 0.9842."""
    assert look_level((1, 2, 3, 4, 5), 0.95) == pytest.approx(1 - 0.0158, abs=2e-4)
    once = look_level(LOOKS, 0.95)
    rng = np.random.default_rng(5)
    steps = np.diff((0, *LOOKS))
    walk = np.cumsum(rng.standard_normal((200_000, len(LOOKS))) * np.sqrt(steps), axis=1) / np.sqrt(LOOKS)
    from scipy.special import ndtri

    crossed = (np.abs(walk) > ndtri(0.5 + once / 2)).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.002)


# Planted truths


def test_one_far_ahead_is_left_alone_at_the_first_look():
    seen, out = race(*study((3.0, *(0.3,) * 7), n=600))
    assert len(seen) == 1
    assert (seen[0].leader, seen[0].stop) == ("m0", "one left")
    assert set(out) == {f"m{i}" for i in range(1, 8)}
    assert all(drop.difference.estimate.value > 0.2 for drop in seen[0].dropped)


def test_hopeless_ones_go_and_close_ones_stay():
    seen, out = race(*study((2.0, 2.0, 0.2, 0.2, 0.2), n=600))
    assert set(out) == {"m2", "m3", "m4"}
    assert seen[-1].stop in ("futile", "spent")
    assert seen[-1].nearest in ("m0", "m1")


def test_losses_race_in_their_own_direction():
    seen, out = race(*study((3.0, 0.2, 0.2), n=800), metric="log_loss", rope=0.01)
    assert seen[-1].leader == "m0"
    assert set(out) == {"m1", "m2"}


def test_twins_in_a_large_study_are_practically_equal():
    logits, fold, target = study((2.0,), n=3000)
    seen, out = race({"a": logits["m0"], "b": logits["m0"]}, fold, target)
    assert seen[-1].stop == "equal"
    assert not out


def test_equal_candidates_of_a_small_study_stop_when_every_example_was_tested_once():
    stops = [race(*study((1.0,) * 8, n=200, seed=seed))[0][-1] for seed in range(6)]
    assert sum(last.blocks == FOLDS and last.stop == "futile" for last in stops) >= 4
    assert all(last.blocks >= FOLDS for last in stops)


def test_an_open_race_goes_on_where_repeats_can_settle_it():
    """A lead that one repeat leaves open, and much noise of runs, which further repeats average away."""
    seen, out = race(*study((1.6, 1.2), n=300, noise=1.0, seed=1))
    assert seen[-1].blocks > FOLDS
    assert set(out) == {"m1"}


def test_a_collapsed_run_does_not_drop_a_candidate_at_once():
    """One of two runs answers the majority class: with two runs nobody knows how often that happens."""
    logits, fold, target = study((2.0, 2.0, 1.9), n=300)
    logits["m0"][0][fold[0] == 0] = (5.0, -5.0)
    assert "m0" not in {drop.name for drop in look(logits, fold, target, 2).dropped}


def test_a_design_of_one_look_spends_itself():
    logits, fold, target = study((1.0, 1.0, 1.0), looks=(2,))
    last = look(logits, fold, target, 2, looks=(2,))
    assert last.stop == "spent"


# Properties


@given(
    separations=st.lists(st.floats(0.0, 3.0), min_size=2, max_size=6),
    n=st.integers(20, 200),
    seed=st.integers(0, 1000),
    blocks=st.sampled_from(LOOKS),
)
@settings(deadline=None, max_examples=25)
def test_the_leader_stays_and_the_same_records_decide_the_same(separations, n, seed, blocks):
    logits, fold, target = study(separations, n=n, seed=seed)
    first = look(logits, fold, target, blocks)
    again = look(logits, fold, target, blocks)
    out = [drop.name for drop in first.dropped]
    assert first.leader not in out
    assert len(set(out)) == len(out) < len(logits)
    assert (first.leader, out, first.stop) == (again.leader, [d.name for d in again.dropped], again.stop)
    scores = {name: m.score().overall for name, m in upto(logits, fold, target, blocks).items()}
    assert scores[first.leader] == max(scores.values())
    assert (first.stop == "one left") == (len(out) == len(logits) - 1)


# Calibration


@pytest.mark.parametrize("seeds", [range(100, 160), pytest.param(range(160, 500), marks=pytest.mark.thorough)], ids=len)
def test_the_best_is_seldom_dropped(seeds):
    """Exchangeable candidates, whole races: a given one is the best as much as any other (promised: at most 5 %).

    A rule that drops it in 5 % of races fails here for 1 % of all choices of seeds; one that drops it in 15 % for 70 % with 60 races, and
    always with 340.
    """
    dropped = ["m0" in race(*study((1.0,) * 4, n=150, seed=seed, alike=False))[1] for seed in seeds]
    assert sum(dropped) <= binom.ppf(0.98, len(seeds), 0.05)
