"""A study with `auto`: it chooses in each fold, is judged like any candidate, refitted by the same procedure, saved and used."""

from __future__ import annotations

import json

import numpy as np
import pytest

from weigh.cli.main import main
from weigh.study import Study

SETTINGS = [
    "design.folds=3", "design.repeats=1", "design.curve=false", "design.order_check=false", "design.cleaned=false",
    "run.offline=true", "run.threads=1", "metrics.primary=accuracy",
]  # fmt: skip
NETWORK = {"epochs": 1, "image_size": 32, "inner_folds": 1}


@pytest.fixture(scope="module")
def study(photos, tiny, tmp_path_factory):
    recipes = [
        {"name": "probe", "image_size": 32},
        {"name": "finetune", "epochs": 1, "image_size": 32},
        {"name": "auto", **NETWORK},
    ]
    folder = tmp_path_factory.mktemp("auto") / "study"
    return Study.from_data(photos, [tiny], recipes, settings=SETTINGS, folder=folder).run()


def test_each_fold_is_that_of_the_recipe_that_was_chosen_in_it(study, tiny):
    results = study.results()
    runs = results.runs(candidate=f"{tiny} × auto")
    assert [run.status for run in runs] == ["done"] * 3
    for run in runs:
        choice = run.facts["choice"]
        (same,) = [one for one in results.runs(candidate=f"{tiny} × {choice['recipe']}") if one.fold == run.fold]
        np.testing.assert_array_equal(results.predictions(run.key)[1], results.predictions(same.key)[1])
        assert [one["recipe"] for one in choice["tried"]] == ["probe", "finetune"]
        assert run.measured["train_seconds"] > run.measured["choice_seconds"] > 0


def test_the_report_says_what_was_chosen_how_much_too_good_and_at_what_cost(study):
    assert not [finding for finding in study.read() if finding.kind == "internal"]
    (finding,) = [finding for finding in study.read() if finding.kind == "inner-choice"]
    assert "of 3 folds" in finding.sentence.en
    assert "3 折中" in finding.sentence.zh
    assert finding.estimates["folds"].value == 3
    assert 0 < finding.measured["share"] < 1
    assert "seconds" in finding.measured["sentence"]["en"]
    assert {row["fold"] for row in finding.table} == {1, 2, 3}
    stored = json.loads((study.folder / "findings.json").read_text(encoding="utf-8"))
    assert "choice_seconds" not in json.dumps(
        [one for one in stored["findings"] if one["kind"] == "inner-choice"][0]["table"]
    )


def test_running_again_runs_nothing(study):
    before = {r.key: r.measured for r in study.results().records}
    assert {r.key: r.measured for r in Study(study.spec, study.folder).run().results().records} == before


def test_its_refit_is_saved_with_what_it_chose_and_predicts(photos, tiny, tmp_path, capsys):
    arguments = [
        "run",
        str(photos),
        "--models",
        tiny,
        "--recipes",
        "auto",
        "--output",
        str(tmp_path / "s"),
        "--offline",
        "--yes",
    ]
    more = [*SETTINGS, *(f"recipes.auto.{name}={value}" for name, value in NETWORK.items()), "design.folds=2"]
    assert main([*arguments, *(word for setting in more for word in ("--set", setting))]) == 0, capsys.readouterr().err
    own = json.loads((tmp_path / "s" / "model" / "config.json").read_text(encoding="utf-8"))["weigh"]
    choice = own["facts"]["choice"]
    assert choice["recipe"] in ("probe", "finetune")
    assert own["frozen"] == (choice["recipe"] == "probe")
    assert own["preprocessing"]["size"] == 32
    files = sorted(photos.rglob("*.png"))[:3]
    rows = Study.open(tmp_path / "s").predict(files)
    assert np.allclose([row["p:circle"] + row["p:stripe"] for row in rows], 1)


def test_the_refit_does_not_see_the_test_part(tiny, tmp_path):
    """Other labels of the test part: the same choice, the same weights."""
    from safetensors.numpy import load_file

    from tests.conftest import make_photos

    weights = []
    for name in ("as-they-are", "exchanged"):
        train = make_photos(tmp_path / name / "train", per_class=12, size=32)
        test = make_photos(tmp_path / name / "test", per_class=6, size=32)
        if name == "exchanged":
            (test / "circle").rename(test / "other")
            (test / "stripe").rename(test / "circle")
            (test / "other").rename(test / "stripe")
        done = Study.from_data(
            train, [tiny], [{"name": "auto", **NETWORK}], settings=[*SETTINGS, f"data.test={test}", "design.folds=2"], folder=tmp_path / name / "s"
        ).run()  # fmt: skip
        own = json.loads((done.folder / "model" / "config.json").read_text(encoding="utf-8"))["weigh"]
        weights.append((own["facts"]["choice"], load_file(done.folder / "model" / "model.safetensors")))
    (one, first), (two, second) = weights
    assert one == two
    assert all(np.array_equal(array, second[key]) for key, array in first.items())
