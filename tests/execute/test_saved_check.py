"""A study opens what it has saved: where that does not answer as the refit did, the run, the report, the card and `weigh predict` say so."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time

import pytest

from weigh.execute import saving
from weigh.notices import notices_to
from weigh.record.saved_checks import FACT, SavedCheck, failed_checks, with_check
from weigh.study import Study


@pytest.fixture
def study(finished, tmp_path) -> Study:
    """A copy of the finished study that lacks its saved model."""
    shutil.copytree(finished.folder, tmp_path / "finished")
    shutil.rmtree(tmp_path / "finished" / "model")
    return Study.open(tmp_path / "finished")


def run_again(study: Study) -> list:
    told: list = []
    with notices_to(told.append):
        study.run()
    return told


def findings(study: Study) -> list:
    return [finding for finding in study.read() if finding.kind == "saved"]


def test_a_model_that_answers_as_its_refit_is_not_spoken_of(finished, study):
    assert findings(finished) == []
    run_again(study)
    assert findings(study) == []
    (check,) = study.ledger().fact(FACT).values()
    assert SavedCheck(*check).passed
    assert SavedCheck(*check).examples == 8


def test_a_model_that_answers_otherwise_is_told_everywhere(study, photos, monkeypatch):
    import weigh.saved.model as module

    own = module.save_model

    def at_another_size(folder, *, preparation, **given):
        own(folder, preparation=preparation.at(preparation.size // 2), **given)

    monkeypatch.setattr(module, "save_model", at_another_size)
    told = run_again(study)
    assert any("does not answer as its training left it" in one.en and "不一致" in one.zh for one in told)
    (finding,) = findings(study)
    assert (finding.verdict, finding.severity) == ("no", "problem")
    assert finding.estimates["departure"].value > finding.estimates["tolerance"].value
    for language, words in (("en", "does not answer as its training left it"), ("zh", "保存的模型")):
        assert words in study.report("md", language)
    study.write()
    assert "does not answer" in (study.folder / "model" / "README.md").read_text("utf-8")
    told = []
    with notices_to(told.append):
        rows = study.predict([str(next(photos.rglob("*.png")))])
    assert rows[0]["label"], "nothing is lost"
    assert "Do not rely on its predictions" in told[-1].en

    monkeypatch.setattr(module, "save_model", own)
    shutil.rmtree(study.folder / "model")
    assert not any("does not answer" in one.en for one in run_again(study))
    assert findings(study) == [], "refitted, it is as it should be"


def test_a_folder_that_cannot_be_opened_is_told_and_kept(study, monkeypatch):
    own = saving.save_refit

    def without_a_file(folder, *given, **options):
        temperature = own(folder, *given, **options)
        config = json.loads((folder / "config.json").read_text("utf-8"))
        (folder / "config.json").write_text(json.dumps(config | {"weigh": {**config["weigh"], "digest": "x"}}), "utf-8")
        return temperature

    monkeypatch.setattr(saving, "save_refit", without_a_file)
    told = run_again(study)
    assert any("cannot be used" in one.en and "无法使用" in one.zh for one in told)
    (finding,) = findings(study)
    assert "not what was written" in finding.sentence.en
    assert (study.folder / "model" / "model.safetensors").exists()


def test_only_checks_of_what_is_saved_now_count():
    bad, good = SavedCheck("a", "model", 8, 0.5, 0.02), SavedCheck("b", "ensemble/member-1", 8, 0.001, 0.02)
    stored = with_check(with_check(None, "one", bad), "two", good)
    assert failed_checks(json.loads(json.dumps(stored)), {"one", "two"}) == (bad,)
    assert failed_checks(stored, {"two"}) == ()
    assert failed_checks(with_check(stored, "three", good._replace(folder="model")), {"one", "two", "three"}) == ()


def test_killed_before_it_is_recorded_a_saved_model_passes_for_no_other(study, monkeypatch):
    """The files were those of the new winner, the record that of a former one: once that came first again, nothing was refitted."""
    own = saving.save_refit

    def killed(*given, **options):
        own(*given, **options)
        raise KeyboardInterrupt

    assert study.ledger().fact("saved_model")
    monkeypatch.setattr(saving, "save_refit", killed)
    with pytest.raises(KeyboardInterrupt):
        run_again(study)
    assert study.ledger().fact("saved_model") is None


@pytest.mark.alone
def test_an_error_that_an_interrupt_became_is_not_believed(study, monkeypatch):
    """Reading weights turns Ctrl-C into an error of its own: the saved model would have been called unusable for good."""
    from weigh.saved import check

    before = study.ledger().fact(FACT)

    def broken(*given, **options):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)  # the interrupt comes here
        except KeyboardInterrupt:
            raise ValueError("safetensors: header too small") from None

    monkeypatch.setattr(check, "departure_of", broken)
    with pytest.raises(KeyboardInterrupt):
        run_again(study)
    assert study.ledger().fact(FACT) == before
    assert findings(study) == []
