"""Runs that findings need: nested and paired curves, seeds changed one at a time, cleaned folds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from tests.arrays import kind_of
from tests.plan.test_runs import make_examples, make_spec
from weigh.language import text
from weigh.plan.candidates import cross_candidates
from weigh.plan.identity import Split
from weigh.plan.purposes import cleaned_runs, may_suspect
from weigh.plan.runs import plan_runs
from weigh.problem import Problem


def plan(n=400, *, groups=None, **design):
    examples, spec = make_examples(n, groups=groups), make_spec(**design)
    return examples, plan_runs(examples, spec, cross_candidates(spec))


def of(planned, purpose):
    return [run for run in planned.runs if run.purpose == purpose]


def test_heads_get_a_curve_by_default_and_networks_on_request():
    _, planned = plan()
    assert {run.candidate for run in of(planned, "curve")} == {f"timm:{m} × probe" for m in ("resnet18", "resnet34")}
    _, everything = plan(curve=True)
    assert {run.recipe for run in of(everything, "curve")} == {"probe", "finetune"}  # no controls
    _, none = plan(curve=False)
    assert not of(none, "curve")
    assert "off" in none.skipped["curve"].en


def test_subsets_are_nested_stratified_and_paired():
    examples, planned = plan(curve=True)
    runs = of(planned, "curve")
    assert {r.variant for r in runs} == {"size:0.125", "size:0.25", "size:0.5", "size:0.75"}
    assert {r.variant for r in of(plan()[1], "curve")} == {"size:0.125", "size:0.5"}
    main = {(r.candidate, r.repeat, r.fold): r for r in of(planned, "main")}
    by_cell = {}
    for run in runs:
        whole = main[run.candidate, run.repeat, run.fold]
        assert set(run.train) < set(whole.train)
        assert (run.test == whole.test).all()
        assert run.seeds == whole.seeds
        share = float(run.variant.partition(":")[2])
        assert abs(len(run.train) - share * len(whole.train)) <= 2
        counts = np.bincount(examples.target[run.train])
        assert abs(counts[0] - counts[1]) <= 2
        by_cell.setdefault((run.candidate, run.repeat, run.fold), {})[share] = set(run.train)
    for (candidate, repeat, fold), subsets in by_cell.items():
        ordered = [subsets[share] for share in sorted(subsets)]
        assert all(a < b for a, b in pairwise(ordered))
        assert subsets == by_cell["timm:resnet18 × probe", repeat, fold], candidate


def test_groups_stay_whole_in_subsets():
    examples, planned = plan(groups=60)
    assert of(planned, "curve")
    for run in of(planned, "curve"):
        outside = np.setdiff1d(np.arange(len(examples)), run.train)
        folds = of(planned, "main")
        whole = next(r for r in folds if (r.candidate, r.repeat, r.fold) == (run.candidate, run.repeat, run.fold))
        left = np.intersect1d(outside, whole.train)
        assert not set(examples.group[run.train]) & set(examples.group[left])


def test_small_data_have_no_curve_and_say_so():
    _, planned = plan(30)
    assert not of(planned, "curve")
    assert "too few" in planned.skipped["curve"].en
    _, grouped = plan(400, groups=6)
    assert "curve" in grouped.skipped


def test_what_is_planned_besides_leaves_the_main_runs_as_they_are():
    bare = {run.key for run in plan(curve=False)[1].runs}
    full = plan(curve=True, crossed=3)[1].runs
    assert bare < {run.key for run in full}
    assert len({run.key for run in full}) == len(full)


def test_crossed_runs_change_one_source_at_a_time():
    _, planned = plan(80, crossed=3)
    runs = of(planned, "components")
    main = {(r.candidate, r.repeat, r.fold): r for r in of(planned, "main")}
    assert len(runs) == 2 * 5 * 3 * 2  # finetune of two models, five folds, three sources, two further seeds
    for run in runs:
        source, base = run.variant.partition(":")[0], main[run.candidate, run.repeat, run.fold]
        assert {s for s in run.seeds if run.seeds[s] != base.seeds[s]} == {source}
        assert (run.train == base.train).all()
        assert (run.test == base.test).all()
    assert len({run.key for run in planned.runs}) == len(planned.runs)
    _, fixed = plan(80, crossed=2, vary=["split", "init"])
    assert {run.variant for run in of(fixed, "components")} == {"init:1"}


def test_heads_have_nothing_to_cross():
    from weigh.spec_yaml import load_spec

    spec = load_spec({"data": "d", "models": ["timm:resnet18"], "design": {"crossed": 2}})
    planned = plan_runs(make_examples(80), spec, cross_candidates(spec))
    assert "no seeds" in planned.skipped["components"].en


def test_cleaned_runs_leave_the_suspects_out_of_both_sides():
    examples, spec = make_examples(60), make_spec()
    suspects = np.zeros(60, bool)
    suspects[[3, 17, 40]] = True
    split = Split(0, 0, np.arange(20, 60), np.arange(20))
    runs = cleaned_runs(examples, spec, cross_candidates(spec)[:1], [split], suspects)
    assert len(runs) == 1
    assert set(runs[0].train) == set(range(20, 60)) - {40}
    assert set(runs[0].test) == set(range(20)) - {3, 17}
    again = cleaned_runs(examples, spec, cross_candidates(spec)[:1], [split], ~suspects)
    assert again[0].key != runs[0].key


def test_what_may_be_suspected_is_known_before_anything_runs():
    examples, alone = make_examples(20), np.arange(20)
    assert may_suspect(examples, (), alone), "predictions can contradict the label of a class"
    numbers = np.linspace(0.0, 1.0, 20)
    examples = replace(examples, target=numbers, classes=(), kind=kind_of(numbers))
    assert not may_suspect(examples, (), alone)
    assert may_suspect(examples, (), np.maximum(alone, 1)), "a copy"
    conflict = Problem("label-conflict", text("Two labels.", "两个标签。"))
    assert may_suspect(examples, (conflict,), alone)
