"""The plan: paired, extendable, groups and copies unsplit, budget kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.arrays import kind_of
from weigh.data.examples import Examples
from weigh.errors import DesignError
from weigh.plan.candidates import cross_candidates
from weigh.plan.jobs import cut_to_budget, group_jobs, predict_seconds
from weigh.plan.runs import hold_out_test, merge_groups, plan_runs, refit_run
from weigh.run import Run, Setting
from weigh.spec import RecipeSpec
from weigh.spec_yaml import load_spec


def make_examples(n: int = 60, *, groups: int | None = None) -> Examples:
    rng = np.random.default_rng(0)
    return Examples(
        root=Path("/"), path=np.array([f"{i}.png" for i in range(n)]), target=np.arange(n) % 2, classes=("a", "b"),
        part=np.full(n, "train"), order=np.arange(n), content=np.array([str(i) for i in range(n)]),
        group=None if groups is None else rng.integers(0, groups, n).astype(str), slices={"site": (np.arange(n) // 12).astype(str)},
        fingerprint="f", kind=kind_of(np.arange(n) % 2),
    )  # fmt: skip


def make_spec(**design):
    return load_spec(
        {
            "data": "d",
            "models": ["timm:resnet18", "timm:resnet34"],
            "recipes": ["probe", {"name": "finetune", "epochs": 2}, "scratch"],
            "design": design,
        }
    )


def plan(examples=None, **design):
    examples, spec = make_examples() if examples is None else examples, make_spec(**design)
    return plan_runs(examples, spec, cross_candidates(spec), variants=["fifths"])


def test_candidates_are_crossed_controls_last():
    candidates = cross_candidates(make_spec())
    assert [c.id for c in candidates[:4]] == [
        f"timm:{m} × {r}" for m in ("resnet18", "resnet34") for r in ("probe", "finetune")
    ]
    assert [c.control for c in candidates] == [False] * 4 + [True] * 2
    assert len({c.label for c in candidates}) == 6


def test_heads_are_repeated_more_than_networks_by_default():
    repeats = plan().repeats
    assert repeats["timm:resnet18 × probe"] == 5
    assert repeats["timm:resnet18 × finetune"] == 1
    assert set(plan(repeats=3).repeats.values()) == {3}


def test_every_candidate_sees_the_same_folds_and_seeds():
    runs = [run for run in plan(repeats=2).runs if run.purpose == "main"]
    for repeat in range(2):
        for fold in range(5):
            same = [run for run in runs if (run.repeat, run.fold) == (repeat, fold)]
            assert len(same) == 6
            assert len({run.test.tobytes() for run in same}) == 1
            assert len({tuple(run.seeds.items()) for run in same}) == 1
            assert not set(same[0].train) & set(same[0].test)


def test_every_example_is_tested_once_per_repeat():
    runs = [run for run in plan(repeats=2).runs if run.purpose == "main" and run.candidate == "timm:resnet18 × probe"]
    for repeat in range(2):
        tested = np.concatenate([run.test for run in runs if run.repeat == repeat])
        assert sorted(tested) == list(range(60))


def test_a_larger_design_contains_the_smaller():
    small, large = plan(repeats=2), plan(repeats=4)
    assert {run.key for run in small.runs} < {run.key for run in large.runs}
    assert not {run.key for run in plan(repeats=2, seed=1).runs} & {run.key for run in small.runs}


def test_keys_tell_apart_all_that_determines_the_numbers():
    runs = plan(repeats=2).runs
    assert len({run.key for run in runs}) == len(runs)


def test_sources_that_are_not_varied_stay_fixed():
    runs = [
        run
        for run in plan(repeats=3, vary=["init"]).runs
        if run.candidate == "timm:resnet18 × probe" and run.purpose == "main" and run.fold == 0
    ]
    assert len({run.test.tobytes() for run in runs}) == 1
    assert len({run.seeds["init"] for run in runs}) == 3
    assert len({run.seeds["order"] for run in runs}) == 1


def test_groups_and_copies_are_never_split():
    examples, spec = make_examples(groups=15), make_spec()
    copies = np.arange(60).astype(str)
    copies[[3, 40]] = "same"
    planned = plan_runs(examples, spec, cross_candidates(spec), copies=copies)
    for run in planned.runs:
        assert not set(examples.group[run.train]) & set(examples.group[run.test])
        assert len({3, 40} & set(run.train)) != 1
        assert len({3, 40} & set(run.test)) != 1
    assert "order-check" in planned.skipped


def test_contiguous_blocks_are_not_tested_on_copies_of_what_was_trained_on():
    examples, spec = make_examples(), make_spec()
    few, many = np.arange(60), np.arange(60) % 30
    few[[3, 40]] = 3
    candidates = cross_candidates(spec)
    plain = plan_runs(examples, spec, candidates, variants=["fifths"])
    planned = plan_runs(examples, spec, candidates, variants=["fifths"], copies=few)
    checks, before = ([run for run in one.runs if run.purpose == "order-check"] for one in (planned, plain))
    assert len(checks) == len(before) == 10
    for run, same in zip(checks, before, strict=True):
        assert np.array_equal(run.test, same.test)
        assert set(same.train) - set(run.train) == {3: {40}, 40: {3}}.get(next(iter({3, 40} & set(run.test)), 0), set())
    assert "copies" in plan_runs(examples, spec, candidates, variants=["fifths"], copies=many).skipped["order-check"].en


def test_merged_groups_are_connected_components():
    merged = merge_groups(np.array(["a", "a", "b", "c"]), np.array(["x", "y", "y", "z"]))
    assert merged[0] == merged[1] == merged[2] != merged[3]


def test_group_by_a_column_and_a_misspelt_one():
    examples = make_examples()
    for run in plan(examples, group_by="site").runs:
        assert not set(examples.slices["site"][run.train]) & set(examples.slices["site"][run.test])
    with pytest.raises(DesignError, match="no column 'sit'"):
        plan(examples, group_by="sit")


def test_held_out_part_is_fixed_and_never_trained_on():
    spec, examples = make_spec(test=0.25), make_examples()
    held = hold_out_test(examples, spec)
    assert (held.part == hold_out_test(examples, spec).part).all()
    assert len(held.where("test")) == 15
    for run in plan_runs(held, spec, cross_candidates(spec)).runs:
        assert not set(held.where("test")) & (set(run.train) | set(run.test))
    refit = refit_run(held, spec, cross_candidates(spec)[0], epochs=None, keep_weights=False)
    assert (set(refit.train), set(refit.test)) == (set(held.where("train")), set(held.where("test")))
    with pytest.raises(DesignError, match="has a test part"):
        hold_out_test(held, spec)


def test_heads_of_a_model_are_one_job_and_networks_one_each():
    planned = plan(repeats=1)
    jobs = group_jobs(
        planned.runs,
        Setting("image-classification", ("a", "b"), "accuracy"),
        {"timm:resnet18": {"seconds_per_example": 0.1}},
        60,
    )
    assert [len(job.runs) for job in jobs] == [10, 10] + [1] * 20
    assert jobs[0].predicted_seconds > jobs[1].predicted_seconds
    assert len({job.id for job in jobs}) == len(jobs)


def test_a_budget_cuts_the_most_expensive_repeats_and_keeps_one():
    assert cut_to_budget({"a": 5, "b": 5}, {"a": 10.0, "b": 1.0}, 0.0, 30.0) == {"a": 2, "b": 5}
    assert cut_to_budget({"a": 5, "b": 5}, {"a": 10.0, "b": 1.0}, 0.0, 1.0) == {"a": 1, "b": 1}
    assert cut_to_budget({"a": 5}, {"a": 1.0}, 0.0, 100.0) == {"a": 5}
    assert cut_to_budget({"a": 5, "b": 5}, {"a": 10.0, "b": 1.0}, 0.0, 1.0, {"a": 3}) == {"a": 3, "b": 1}
    assert cut_to_budget({"a": 5}, {"a": 10.0}, 0.0, 1.0, {"a": 5}) == {"a": 5}, "what is recorded costs nothing"


def test_epochs_on_a_frozen_part_cost_its_last_stage_and_one_pass_per_view():
    """The passes over all pictures serve every fold and repeat: they are counted once."""
    spec = make_spec(repeats=2)
    spec = spec.model_copy(update={"recipes": [RecipeSpec(name="last-stage", epochs=10, views=3)]})
    examples = make_examples()
    runs = [run for run in plan_runs(examples, spec, cross_candidates(spec)).runs if run.model == "timm:resnet18"]
    timing = {"seconds_per_example": 1.0, "seconds_per_step_example": 3.0, "seconds_per_tail_step_example": 0.5}
    seconds = [predict_seconds([run], timing, len(examples)) for run in runs]
    assert len(seconds) == 10
    assert sum(seconds) == 3 * 60 * 1.0 + 10 * (10 * 48 * 0.5)
    assert predict_seconds([runs[3]], {"seconds_per_example": 1.0}, 60) == 10 * 48 * 3  # never timed: as a whole step


def test_further_pretraining_is_predicted_once_before_and_in_every_step_beside():
    timing = {"seconds_per_step_example": 1.0, "seconds_per_example": 0.0}
    pretrain = {"epochs": 2, "batch_size": 8, "of": "texts", "n": 1000}
    seconds = {}
    for recipe in ("finetune", "adapted", "joint"):
        for fold in (0, 1):
            run = Run(
                "key", "c", "m", recipe, {"epochs": 3, "batch_size": 16, "pretrain": pretrain}, "main", "", 0, fold,
                np.arange(40), np.arange(40, 50), {},
            )  # fmt: skip
            seconds[recipe, fold] = predict_seconds([run], timing, 50)
    assert seconds["finetune", 0] == seconds["finetune", 1] == seconds["adapted", 1] == 3 * 40
    assert seconds["adapted", 0] == pytest.approx(3 * 40 + 1.2 * 2 * 1000)
    assert seconds["joint", 0] == seconds["joint", 1] == pytest.approx(3 * 40 * (1 + 1.2 * 8 / 16))


def test_runs_that_weigh_classes_are_not_mixed_with_those_that_decided_otherwise(monkeypatch):
    def keys(**options) -> list[str]:
        recipes = [{"name": "probe", **options}]
        spec = load_spec({"data": "d", "task": "image-classification", "models": ["timm:resnet18"], "recipes": recipes})
        return [run.key for run in plan_runs(make_examples(), spec, cross_candidates(spec)).runs]

    every = [{"class_weights": "balanced"}, {"class_weights": "balanced", "decision": "argmax"}, {}]
    before = [keys(**options) for options in every]
    monkeypatch.setattr("weigh.plan.identity.DECISION_RULE", 99)
    after = [keys(**options) for options in every]
    assert not set(before[0]) & set(after[0])
    assert before[1:] == after[1:]
