"""Requests to stop: nothing that they break is recorded as failed, whatever became of the interrupt on its way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests import conftest
from weigh.cli.main import main
from weigh.execute import choices, planner
from weigh.execute.interruption import interruptible
from weigh.models import file
from weigh.study import Study

SETTINGS = ["design.folds=2", "design.repeats=1", "run.offline=true", "run.threads=1", "design.curve=false", "design.order_check=false",
            "recipes.finetune.epochs=1", "recipes.finetune.image_size=32", "output.refit=false"]  # fmt: skip
pytestmark = pytest.mark.alone


def ask(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0.05)  # the interrupt comes here


def becomes_an_error(number: int) -> None:
    try:
        ask(number)
    except KeyboardInterrupt:
        raise OSError("safetensors: header too small") from None


def is_swallowed(number: int) -> None:
    try:
        ask(number)
    except BaseException:
        pass


@pytest.mark.parametrize(
    ("name", "fate", "at"),
    [
        ("SIGINT", becomes_an_error, "timing"),
        ("SIGINT", becomes_an_error, "first run"),
        ("SIGINT", is_swallowed, "second run"),
        ("SIGTERM", is_swallowed, "first run"),
        ("SIGHUP", ask, "second run"),
    ],
)
def test_an_interrupt_while_weights_are_loaded_is_never_a_failed_run(
    photos, tiny, tmp_path, monkeypatch, name, fate, at
):
    before, loads, real = signal.getsignal(getattr(signal, name)), [], file.read_checkpoint

    def load(path):
        loads.append(path)
        if len(loads) == {"timing": 1, "first run": 2, "second run": 3}[at]:
            fate(getattr(signal, name))
        return real(path)

    monkeypatch.setattr(file, "read_checkpoint", load)
    monkeypatch.setattr(conftest, "TIMED_ONCE", set())  # the model is loaded for its timing
    study = Study.from_data(photos, [tiny], ["finetune"], settings=SETTINGS, folder=tmp_path / "study")
    with pytest.raises(KeyboardInterrupt):
        study.run()
    assert signal.getsignal(getattr(signal, name)) == before
    assert set(study.ledger().recorded().values()) <= {"done"}
    if at == "second run" and fate is is_swallowed:
        assert set(study.run().ledger().recorded().values()) == {"done"}
        assert not study.read().file.study["runs"]["failed"]


def test_what_an_interrupt_may_have_broken_is_not_kept_as_a_choice(photos, tiny, tmp_path, monkeypatch):
    """A model that could not be loaded for it would have been left out of the study for good."""
    real = choices.time_address

    def interrupted(*given, **what):
        is_swallowed(signal.SIGINT)
        return real(*given, **what)

    monkeypatch.setattr(choices, "time_address", interrupted)
    study = Study.from_data(photos, [tiny], ["finetune"], settings=SETTINGS, folder=tmp_path / "study")
    with pytest.raises(KeyboardInterrupt):
        study.run()
    assert study.ledger().fact("choice:threads") == 1, "it was decided before"
    stored = [key for (key,) in study.ledger()._rows("SELECT key FROM facts")]
    assert not [key for key in stored if "timing" in key]


def test_ignored_signals_stay_ignored_and_a_handler_of_the_user_keeps_its_right():
    """`nohup weigh run …`; a program around weigh that only takes notes."""
    heard = []
    former = (
        signal.signal(signal.SIGHUP, signal.SIG_IGN),
        signal.signal(signal.SIGTERM, lambda *given: heard.append(given)),
    )
    try:
        with interruptible() as interruption:
            ask(signal.SIGHUP)
            ask(signal.SIGTERM)
            interruption.check()
        assert len(heard) == 1
    finally:
        signal.signal(signal.SIGHUP, former[0])
        signal.signal(signal.SIGTERM, former[1])


SECOND = """
import os, signal, sys, time
from weigh.execute.interruption import interruptible
with interruptible():
    try:
        os.kill(os.getpid(), signal.{first})
        time.sleep(9)
    except KeyboardInterrupt:
        os.kill(os.getpid(), signal.{second})  # the same request, passed on by a shell as well
        time.sleep(.4)
        print("cleaning up", flush=True)
        os.kill(os.getpid(), signal.{second})
        time.sleep(9)
"""


@pytest.mark.parametrize(("first", "second"), [("SIGINT", "SIGINT"), ("SIGTERM", "SIGINT"), ("SIGINT", "SIGTERM")])
def test_a_second_request_ends_at_once(first, second):
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SECOND.format(first=first, second=second)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (130, "cleaning up", "")
    assert time.monotonic() - started < 8


def test_an_error_of_ones_own_stays_an_error():
    with pytest.raises(OSError, match="mine"), interruptible():
        raise OSError("mine")


def test_interrupted_before_anything_is_recorded_the_command_says_so(photos, tiny, tmp_path, monkeypatch, capsys):
    """With a study.yaml of the user's in the folder it ended with the error of a report that could not be written."""
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "study.yaml").write_text(json.dumps({"data": str(photos), "models": [tiny]}), "utf-8")

    def interrupted(*given, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(planner, "prepare", interrupted)
    code = main(["run", str(folder / "study.yaml"), "--output", str(folder)])
    err = capsys.readouterr().err
    assert code == 130
    assert "was never started" in err
    assert "Interrupted. What was finished is kept" in err
