"""Studies on a clock that tests turn: of pictures (`photos`, which a file has of its own), two models and their recipes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.execute.test_budget import timed_study
from weigh.execute import choices

RECIPES = ["probe", {"name": "finetune", "batch_size": 1}]
ACCURACY = {
    "timm:good × finetune": 0.99,
    "timm:good × probe": 0.8,
    "timm:poor × finetune": 0.7,
    "timm:poor × probe": 0.6,
}


@pytest.fixture
def timed(photos, tmp_path, monkeypatch):
    """A study in which each job takes as long as predicted, and the clock: of some settings, in a folder of this name."""

    def make(*settings, name="s", **more):
        given = {"slower": 1.0, "recipes": RECIPES, "accuracy": ACCURACY, **more}
        return timed_study(photos, tmp_path / name, monkeypatch, settings=settings, **given)

    return make


@pytest.fixture
def timings(monkeypatch):
    """(address, whether steps of training) of what was timed; a pass takes 0.02 s and a step as given, of a model in `slow` so many times as long."""
    asked, seconds, slow = [], {"step": 0.06}, {}

    def time_address(address, *others, passes, steps):
        asked.append((address, steps))
        times = slow.get(address, 1.0)
        pass_seconds = {"seconds_per_example": 0.02 * times} if passes else {}
        return pass_seconds | ({"seconds_per_step_example": seconds["step"] * times} if steps else {})

    return SimpleNamespace(
        asked=asked, seconds=seconds, slow=slow, use=lambda: monkeypatch.setattr(choices, "time_address", time_address)
    )
