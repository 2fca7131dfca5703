"""What a study began with is kept, and whoever asks for something else on a resume is told so."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tests.arrays import labelled
from tests.record.test_ledger import make_run, outcome
from weigh.errors import SpecError
from weigh.execute.choices import ModelTimings, choose_setting, chooser, forget_unused_choices, stored_timings
from weigh.notices import notices_to
from weigh.record.ledger import Ledger
from weigh.run import Setting
from weigh.spec_yaml import load_spec

EXAMPLES = SimpleNamespace(classes=("a", "b"))


class Facts(dict):
    """The part of a ledger that keeps choices."""

    def fact(self, name):
        return self.get(name)

    def choose(self, name, value):
        return self.setdefault(f"choice:{name}", value)


def begin(ledger, **run):
    """The setting of a start with these options of `run`, and what was said."""
    spec = load_spec({"data": "photos", "models": ["timm:resnet18"], "task": "image-classification", "run": run})
    told = []
    with notices_to(told.append):
        return choose_setting(spec, EXAMPLES, chooser(ledger)), told


@pytest.mark.parametrize(
    ("allowed", "threads"),
    [("", 8), ("3", 3), ("1", 1), ("64", 8), (" 2,1", 2), ("0", 8), ("-1", 8), ("many", 8)],
)
def test_as_many_threads_as_cores_or_as_the_user_allows_all_programs(monkeypatch, allowed, threads):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", allowed)
    assert begin(Facts())[0].threads == threads
    assert begin(Facts(), jobs=2)[0].threads == max(1, threads // 2)
    assert begin(Facts(), threads=5)[0].threads == 5


@pytest.mark.parametrize(
    ("first", "then", "named"),
    [
        ({"threads": 1}, {"threads": 3}, ["run.threads=3", "with 1"]),
        ({"threads": 4}, {"threads": 1, "jobs": 2}, ["run.threads=1", "with 4"]),
        ({"device": "cpu", "threads": 1}, {"device": "cuda", "threads": 1}, ["run.device=cuda:0", "with cpu"]),
        ({"device": "cpu", "threads": 1}, {"device": "mps", "threads": 2}, ["run.threads=2", "run.device=mps"]),
    ],
)
def test_another_value_on_a_resume_is_not_ignored_in_silence(monkeypatch, first, then, named):
    monkeypatch.setattr("weigh.train.device.resolve_device", lambda asked: asked)  # as on a machine that has it
    ledger = Facts()
    before, told = begin(ledger, **first)
    assert not told
    after, told = begin(ledger, **then)
    assert (after.threads, after.device) == (before.threads, before.device)
    for language in ("en", "zh"):
        sentences = " ".join(sentence.render(language) for sentence in told)
        assert all(words in sentences for words in (named if language == "en" else [w for w in named if "=" in w]))
    assert all("--output" in sentence.zh for sentence in told)


def test_a_start_that_recorded_nothing_binds_nobody(tmp_path):
    """A first start ended without memory on a GPU: with --device cpu the next was told that the study goes on with the GPU."""
    ledger, run = Ledger(tmp_path, create=True), make_run("a")
    begin(ledger, threads=1, device="cpu")
    ledger.choose("timing:auto:5:timm:resnet18", {"seconds_per_example": 1.0})
    ledger.set_facts(name="s", **{"left-out:5m:a:": {"models": ["a"]}})

    def again(**asked):
        spec = load_spec({"data": "photos", "models": ["timm:resnet18"], "task": "image-classification", "run": asked})
        forget_unused_choices(ledger, spec)
        return begin(ledger, **asked)

    for same in ({}, {"threads": 1}, {"threads": "auto", "device": "cpu"}):
        assert again(**same)[0].threads == 1
        assert ledger.fact("choice:timing:auto:5:timm:resnet18"), "nothing is timed anew"
    setting, told = again(threads=3)
    assert (setting.threads, told) == (3, [])
    assert ledger.fact("choice:timing:auto:5:timm:resnet18") is None
    assert (ledger.fact("left-out:5m:a:"), ledger.fact("name")) == (None, "s")
    ledger.commit([run], [outcome("a")], labelled(np.zeros(9, int)))
    setting, told = again(threads=2)
    assert (setting.threads, len(told)) == (3, 1)


@pytest.mark.parametrize("device", ["tpu", "toaster", "cuda:77"])
def test_a_device_that_is_not_here_is_the_same_error_at_every_start(device):
    ledger = Facts()
    begin(ledger, device="cpu")
    refused = []
    for kept in (Facts(), ledger):
        with pytest.raises(SpecError, match=f"{device}: not on this machine") as error:
            begin(kept, device=device)
        refused.append((error.value.what, error.value.do))
    assert refused[0] == refused[1]
    assert begin(ledger, device="cpu")[0].device == "cpu"


@pytest.mark.parametrize(
    "then", [{}, {"threads": 2}, {"threads": "auto", "device": "auto"}, {"jobs": 2}, {"device": "cpu"}]
)
def test_nothing_is_said_where_nothing_is_kept_from_the_user(then):
    ledger = Facts()
    begin(ledger, threads=2, device="cpu")
    assert begin(ledger, **then)[1] == []


def test_runs_are_computed_in_the_arithmetic_that_is_asked_for_now(monkeypatch):
    """It is part of their keys, so the timing of a start with another one must not decide it."""
    made = []

    def time_address(_address, spec, *_what, **_named):
        made.append(spec.run.precision)
        return {"precision_network": f"as {spec.run.precision} says", "number": len(made)}

    monkeypatch.setattr("weigh.execute.choices.time_address", time_address)
    ledger, address = Facts(), "timm:resnet18"

    def timing(**run):
        spec = load_spec({"data": "photos", "models": [address], "task": "image-classification", "run": run})
        setting = Setting("image-classification", EXAMPLES.classes, "accuracy")
        known = ModelTimings(spec, setting, [], EXAMPLES, chooser(ledger), lambda _said: None, late=False).of(address)
        assert stored_timings(ledger, spec, [SimpleNamespace(model=address)]) == {address: known}
        return known

    first = timing()
    assert timing(precision="fp32")["precision_network"] == "as fp32 says"
    assert timing() == first
    assert made == ["auto", "fp32"]
    monkeypatch.setattr("weigh.execute.choices.NUMBERS", 1_000)  # a later version that computes otherwise
    assert timing()["number"] == 3
