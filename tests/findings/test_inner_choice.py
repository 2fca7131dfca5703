"""What `auto` and `tuned` chose: how often, how the scores of the choice compare with those that count, and nothing that changes outside `measured`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.findings.planted_choices import study
from tests.findings.reading import check
from tests.findings.synthetic import make_results
from weigh.findings.comparison.inner_choice import find
from weigh.findings.evidence import Evidence
from weigh.spec import RecipeSpec


def test_which_recipes_were_chosen_and_how_often():
    (finding,) = find(
        study("auto", [("probe", {}), ("finetune", {}), ("probe", {}), ("probe", {}), ("lora", {})], 0.99)
    )
    assert finding.id == "inner-choice:one"
    assert "chose probe in 3 of 5 runs, finetune in 1, lora in 1." in finding.sentence.en
    assert "5 次运行中有 3 次选择 probe，1 次选择 finetune，1 次选择 lora" in finding.sentence.zh
    assert (finding.verdict, finding.answer.en) == ("no", "auto (one) did not choose alike in every fold")
    assert finding.estimates["chosen_1"].value == 3
    assert len(finding.table) == 5


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        (0.999, "They are too good, for they chose."),
        ([0.7, 0.999, 0.999, 0.999, 0.999], "cannot be told here"),
        (0.7, "are not better"),
    ],
)
def test_scores_of_the_choice_stand_beside_those_that_count(inner, words):
    (finding,) = find(study("auto", [("probe", {})] * 5, inner))
    assert words in finding.sentence.en
    assert finding.sentence.en.endswith("Only those of the test folds count.")
    optimism = finding.estimates["optimism"]
    assert optimism.low < optimism.value < optimism.high
    gap = finding.estimates["inner_score"].value - finding.estimates["outer_score"].value
    assert optimism.value == pytest.approx(100 * gap)
    assert finding.estimates["inner_score"].value == pytest.approx(np.mean(np.broadcast_to(inner, 5)))


def test_two_runs_say_little_but_no_score_is_off_by_more_than_it_can_be():
    (finding,) = find(study("auto", [("probe", {})] * 5, [0.2, 0.999, 0.3, 0.999, 0.1]))
    optimism = finding.estimates["optimism"]
    assert -100 <= optimism.low < optimism.value < optimism.high <= 100


def test_a_search_says_how_often_it_kept_the_defaults_and_what_it_took_else():
    settings = {"learning_rate": 0.001, "epochs": 9}
    (finding,) = find(study("tuned", [("finetune", {})] * 3 + [("finetune", settings)] * 2, 0.9))
    assert "kept the default settings in 3 of 5 runs" in finding.sentence.en
    assert finding.estimates["kept_defaults"].value == 3
    assert finding.table[4]["learning_rate"] == 0.001
    assert "learning_rate" not in finding.table[0]


def test_a_search_of_some_settings_says_of_which(monkeypatch):
    recipe = RecipeSpec(name="tuned", epochs=5, learning_rate=1e-3)
    monkeypatch.setattr(Evidence, "recipe", lambda evidence, name: recipe)
    (finding,) = find(study("tuned", [("finetune", {})] * 5, 0.9))
    assert "Of learning_rate, weight_decay, epochs only weight_decay was searched." in finding.sentence.en
    assert "只搜索了 weight_decay。" in finding.sentence.zh


def test_a_search_that_never_kept_the_defaults_says_nothing_of_runs_that_did():
    (finding,) = find(study("tuned", [("finetune", {"epochs": 9})] * 5, 0.9))
    check(finding, study("tuned", [("finetune", {"epochs": 9})] * 5, 0.9))
    assert "took other settings than the defaults in all 5 runs." in finding.sentence.en
    assert "在全部 5 次运行中选用了非默认的设置。" in finding.sentence.zh
    assert "clearly better" not in finding.sentence.en


def test_times_stand_under_measured_only():
    (slow,), (fast,) = (find(study("auto", [("probe", {})] * 5, 0.9, seconds)) for seconds in (7.0, 1.0))
    assert slow.model_dump(exclude={"measured"}) == fast.model_dump(exclude={"measured"})
    assert (slow.measured["seconds"], slow.measured["share"]) == (35.0, 0.25)
    assert "35.0 seconds, 25 %" in slow.measured["sentence"]["en"]
    assert find(make_results({"one": np.zeros((1, 40, 2))}, np.arange(40) % 2)) == [], "nobody chose"


def test_an_undefined_score_of_the_choice_is_no_score():
    results = study("auto", [("probe", {})] * 5, 0.9)
    records = [
        replace(r, facts={**r.facts, "choice": {**r.facts["choice"], "score": None}}) if "choice" in r.facts else r
        for r in results.records
    ]
    (finding,) = find(replace(results, records=tuple(records)))
    assert "optimism" not in finding.estimates
    assert finding.table[0]["inner_score"] is None
    assert "chose probe in 5 of 5 runs." in finding.sentence.en


@pytest.mark.parametrize(
    ("recipe", "words", "numbers"),
    [
        (
            "auto",
            "finetune could not be trained in 2 of 5 runs (memory ran out), so it could not be chosen there.",
            {"failed_1": 2, "runs": 5},
        ),
        (
            "tuned",
            "2 of the 12 settings that were tried in all could not be trained (memory ran out).",
            {"failed": 2, "contenders": 12},
        ),
    ],
)
def test_what_could_not_be_trained_did_not_lose(recipe, words, numbers):
    results = study(recipe, [("probe" if recipe == "auto" else "finetune", {})] * 5, 0.9)
    lost = {"recipe": "finetune", "settings": {}, "parts": 0, "score": None, "cause": "memory ran out."}
    records = []
    for record in results.records:
        if "choice" in record.facts and record.fold < 2:
            choice = record.facts["choice"]
            record = replace(record, facts={**record.facts, "choice": {**choice, "tried": [*choice["tried"], lost]}})
        records.append(record)
    results = replace(results, records=tuple(records))
    (finding,) = find(results)
    check(finding, results)
    assert words in finding.sentence.en
    assert "未能训练（memory ran out）" in finding.sentence.zh
    assert {name: finding.estimates[name].value for name in numbers} == numbers
