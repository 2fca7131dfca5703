"""A GPU computes with deterministic operators alone; one that has no such form is used, and the record says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.findings.synthetic import make_results
from weigh.execute.worker import environment, run_job
from weigh.findings.file import _study
from weigh.models.pretrained import libraries_of
from weigh.run import RECIPES, Job, Outcome, Run, Setting
from weigh.train.determinism import computing, is_nondeterministic

STRICT = 2  # torch's number for the mode in which such operators raise
REFUSAL = "upsample_backward does not have a deterministic implementation, but you set 'torch.use_deterministic_algorithms(True)'."
modes: list[int] = []


def fit_refusing(runs, setting, examples, progress):
    """A recipe whose second run needs an operator without a deterministic form."""
    for number, run in enumerate(runs):
        modes.append(torch.get_deterministic_debug_mode())
        if run.fold == 1 and modes[-1] == STRICT:
            raise RuntimeError(REFUSAL)
        yield Outcome(run.key, "done", facts={"number": number})


@pytest.fixture
def refusing(monkeypatch):
    modes.clear()
    recipe = replace(RECIPES.get("probe"), fit=f"{__name__}:fit_refusing")
    monkeypatch.setattr(RECIPES, "get", lambda name: recipe)
    monkeypatch.setattr("weigh.train.device.resolve_device", lambda asked: asked)  # as on a machine that has it


def _job(device: str) -> Job:
    rows, seeds = np.arange(4), {"init": 1, "order": 2, "augmentation": 3, "split": 4}
    runs = [
        Run(f"run-{fold}", "a × probe", "timm:a", "probe", {}, "main", "", 0, fold, rows, rows, seeds)
        for fold in range(3)
    ]
    return Job("job", tuple(runs), setting=Setting("image-classification", ("a", "b"), "accuracy", device=device))


def test_refused_runs_are_computed_without_the_promise(refusing):
    outcomes = run_job(_job("cuda:0"), examples=None)
    assert [outcome.status for outcome in outcomes] == ["done"] * 3
    assert [outcome.environment.get("deterministic") for outcome in outcomes] == [None, False, False]
    assert modes == [STRICT, STRICT, 1, 1]  # the first run is not computed again


def test_a_processor_is_not_asked(refusing):
    outcomes = run_job(_job("cpu"), examples=None)
    assert modes == [1, 1, 1]
    assert all("deterministic" not in outcome.environment for outcome in outcomes)


def test_other_errors_stay_failures(refusing, monkeypatch):
    monkeypatch.setattr(f"{__name__}.REFUSAL", "CUDA error: an illegal memory access was encountered")
    outcomes = run_job(_job("cuda:0"), examples=None)
    assert [outcome.status for outcome in outcomes] == ["done", "failed", "failed"]


def test_what_torch_itself_says_is_recognised():
    """The words are torch's own: an operator that has no deterministic form on any device."""
    with computing(threads=1, strict=True), pytest.raises(RuntimeError) as refused:
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))
    assert is_nondeterministic(refused.value)


def test_the_libraries_that_compute_a_model_stand_with_its_runs():
    pytest.importorskip("keras")
    setting = _job("cpu").setting
    assert "keras" not in environment(setting, ["timm:resnet18"])["versions"]
    assert "keras" in environment(setting, ["keras:MobileNetV2", "no address"])["versions"]
    assert libraries_of("tf:there.pb@timm:mobilenetv1_100") == ()  # decoded: TensorFlow computes nothing
    assert "tensorflow-cpu" in libraries_of("tf:there.pb")
    assert "onnxruntime" in libraries_of("onnx:there.onnx")


def test_the_environment_of_a_study_has_what_only_some_runs_need():
    target = np.arange(8) % 2
    results = make_results({"a": np.eye(2)[None, target]}, target)
    kept = [{"device": "cpu", "versions": {"torch": "2"}}, {"device": "mps", "versions": {"torch": "3", "keras": "4"}}]
    records = tuple(replace(one, environment=kept[i > 0]) for i, one in enumerate(results.records))
    assert _study(replace(results, records=records))["environment"] == {
        "device": "cpu",
        "versions": {"torch": "2", "keras": "4"},
    }
