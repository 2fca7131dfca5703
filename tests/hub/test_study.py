"""A study whose model comes from the hub: the commit is recorded and reported, and a branch that moved meanwhile is refused."""

from __future__ import annotations

import shutil

import pytest

from tests.hub.conftest import NAME
from tests.hub.test_downloads import WEIGHTS, _changed
from tests.hub_server import commit_of
from weigh.errors import WeightsReplaced
from weigh.study import Study

SETTINGS = ["design.folds=3", "design.repeats=1"]


def test_the_commit_of_the_weights_is_recorded_and_another_is_refused(hub, photos, tmp_path):
    from huggingface_hub import constants

    folder = tmp_path / "study"
    study = Study.from_data(photos, [f"hf:{NAME}"], ["probe"], settings=SETTINGS, folder=folder).run()

    commit = commit_of(hub.repositories[NAME].files)[:12]
    facts = study.read().file.study["models"][f"hf:{NAME}"]
    assert facts["weights_name"] == f"{NAME}@{commit}"
    assert facts["licence"] == "Apache-2.0"
    assert f"{NAME}@{commit}" in study.report()
    assert hub.asked("GET", WEIGHTS) == 1

    hub.repositories[NAME].files = _changed(hub.repositories[NAME].files)
    shutil.rmtree(constants.HF_HUB_CACHE)
    with pytest.raises(WeightsReplaced, match="is not the model that the study began with"):
        Study.from_data(
            photos, [f"hf:{NAME}"], ["probe"], settings=["design.folds=3", "design.repeats=2"], folder=folder
        ).run()
