"""A budget that networks do not fit into in full: they are trained for less, and the report says on what its claims stand."""

from __future__ import annotations

import pytest

from tests.conftest import make_photos
from tests.execute.test_budget import timed_study
from tests.plan.planted_workers import records_only
from weigh.execute import budget

RECIPES = ["probe", {"name": "finetune", "batch_size": 1}]
ACCURACY = {
    "timm:good × finetune": 0.99,
    "timm:good × probe": 0.8,
    "timm:poor × finetune": 0.7,
    "timm:poor × probe": 0.6,
}
CHOOSING = ["design.repeats=1", "design.finalists=1", "design.test=0"]
ONCE = ["design.repeats=1", "design.test=0"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("many") / "photos", per_class=60, size=16)


def networks(study) -> list[tuple[str, int, int]]:
    """(candidate, repeat, fold) of what was trained."""
    runs = study.results().runs("main")
    return sorted((r.candidate, r.repeat, r.fold) for r in runs if r.candidate.endswith("finetune"))


@pytest.mark.parametrize("settings", [ONCE, CHOOSING])
def test_networks_that_do_not_fit_are_trained_for_less_and_end_in_time(photos, tmp_path, monkeypatch, settings):
    study, now = timed_study(
        photos,
        tmp_path / "s",
        monkeypatch,
        slower=1.0,
        recipes=RECIPES,
        accuracy=ACCURACY,
        settings=[*settings, "design.budget=150s"],
    )
    told = str(study.plan())
    assert "To fit into 150s, finetune trains 5 epochs instead of 8, in" in told
    study = records_only(study)
    assert now[0] <= 1.15 * 150
    results = study.results()
    ran = networks(study)
    assert ran
    assert all(repeat == 0 and fold < results.less.folds < 4 for _, repeat, fold in ran)
    assert results.winner == "timm:good × finetune"
    assert not results.unfinished
    assert "To fit into 150s, finetune trains" in results.skipped["budget"].en
    refit = next(r for r in results.records if r.purpose == "refit")
    assert refit.candidate == results.winner
    file = study.read().file
    assert not [f.id for f in file.findings if f.kind in ("internal", "progress")]
    verdict = next(f for f in file.findings if f.id == "verdict")
    assert f"{results.less.folds} of 4 folds" in verdict.sentence.en
    before = len(results.records)
    study = records_only(study)
    assert len(study.results().records) == before, "the same command again finds the study finished"
    assert study.results().less == results.less


def test_what_fits_is_trained_in_full_with_the_keys_of_a_study_without_a_budget(photos, tmp_path, monkeypatch):
    keys = []
    for name, more in (("a", ["design.budget=10h"]), ("b", [])):
        study, _ = timed_study(
            photos,
            tmp_path / name,
            monkeypatch,
            slower=1.0,
            recipes=RECIPES,
            accuracy=ACCURACY,
            settings=[*CHOOSING, *more],
        )
        study = records_only(study)
        assert study.results().less is None
        keys.append({r.key for r in study.results().records})
    assert keys[0] == keys[1]


def test_a_network_whose_refit_would_end_too_late_is_given_up(photos, tmp_path, monkeypatch):
    study, now = timed_study(
        photos,
        tmp_path / "s",
        monkeypatch,
        slower=1.0,
        recipes=RECIPES,
        accuracy=ACCURACY,
        settings=[*CHOOSING, "design.budget=150s"],
    )
    work = budget.Clock.job_done

    def slower(clock, job, seconds):
        if job.runs[0].recipe == "finetune":
            now[0] += 2 * seconds
            seconds *= 3
        work(clock, job, seconds)

    monkeypatch.setattr(budget.Clock, "job_done", slower)
    study = records_only(study)
    results = study.results()
    assert [c.id for c in results.stopped] == ["timm:good × finetune"]
    assert results.winner == "timm:good × probe"
    assert not [f for f in study.read().file.findings if f.kind in ("internal", "progress")]
