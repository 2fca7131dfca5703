"""A study with `auto`: it chooses in each fold, is judged like any candidate, refitted by the same procedure, saved and used."""

from __future__ import annotations

import json

import numpy as np
import pytest

from weigh.cli.main import main
from weigh.study import Study

SETTINGS = [
    "design.folds=2", "design.repeats=1", "design.curve=false", "design.order_check=false", "design.cleaned=false", "run.threads=1",
    "recipes.auto.epochs=1", "recipes.auto.image_size=32", "recipes.auto.inner_folds=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def study(photos, tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("auto") / "study"
    arguments = [
        "run",
        str(photos),
        "--models",
        tiny,
        "--recipes",
        "auto",
        "--output",
        str(folder),
        "--offline",
        "--yes",
    ]
    assert main([*arguments, *(word for setting in SETTINGS for word in ("--set", setting))]) == 0
    return Study.open(folder)


def test_it_is_recorded_with_what_it_chose_among(study, tiny):
    runs = study.results().runs(candidate=f"{tiny} × auto")
    assert [run.status for run in runs] == ["done"] * 2
    for run in runs:
        choice = run.facts["choice"]
        assert [one["recipe"] for one in choice["tried"]] == ["probe", "finetune"]
        assert choice["options"]["image_size"] == 32
        assert run.measured["train_seconds"] > run.measured["choice_seconds"] > 0


def test_the_report_says_what_was_chosen_how_good_that_looked_and_at_what_cost(study):
    findings = study.read()
    assert not [finding for finding in findings if finding.kind == "internal"]
    (finding,) = [finding for finding in findings if finding.kind == "inner-choice"]
    assert "of 2 runs" in finding.sentence.en
    assert "2 次运行中" in finding.sentence.zh
    gap = finding.estimates["inner_score"].value - finding.estimates["outer_score"].value
    assert finding.estimates["optimism"].value == pytest.approx(100 * gap)
    assert ("are better by" in finding.sentence.en) == (gap > 0)
    assert "Only those of the test folds count." in finding.sentence.en
    optimism = finding.estimates["optimism"]
    assert optimism.low <= optimism.value <= optimism.high
    assert 0 < finding.measured["share"] < 1
    assert "seconds" in finding.measured["sentence"]["en"]
    assert [row["fold"] for row in finding.table] == [1, 2]
    headline = next(one for one in findings if one.severity == "headline")
    outer = study.results().out_of_fold(finding.candidates[0])
    assert headline.estimates["score"].n == len(outer.target), "the score is that of the test folds"


def test_running_again_runs_nothing(study):
    before = {r.key: r.measured for r in study.results().records}
    assert {r.key: r.measured for r in Study(study.spec, study.folder).run().results().records} == before


def test_its_refit_is_saved_with_what_it_chose_and_predicts(study, photos):
    own = json.loads((study.folder / "model" / "config.json").read_text(encoding="utf-8"))["weigh"]
    choice = own["facts"]["choice"]
    assert own["frozen"] == (choice["recipe"] == "probe")
    assert own["preprocessing"]["size"] == 32
    (refit,) = study.results().runs("refit")
    assert refit.facts["choice"] == choice
    rows = study.predict(sorted(photos.rglob("*.png"))[:3])
    assert np.allclose([row["p:circle"] + row["p:stripe"] for row in rows], 1)


def test_a_search_without_optuna_is_refused_before_anything_runs(photos, tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("weigh.train.search.find_spec", lambda name: None)
    command = [
        "--models",
        tiny,
        "--recipes",
        "probe,tuned",
        "--output",
        str(tmp_path / "s"),
        "--offline",
        "--lang",
        "en",
    ]
    assert main(["run", str(photos), "--yes", *command]) == 2
    err = capsys.readouterr().err
    assert "The package optuna is not installed." in err
    assert "pip install 'weigh[search]'" in err
