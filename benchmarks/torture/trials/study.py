"""A small study that runs in a forked process of its own: what it finds, what it said, how it ended.

Two candidates on 48 pictures with a held-out test part, an order check and a saved model: some three seconds without starting
an interpreter, so that hundreds can be tried.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pickle
import signal
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SETTINGS = ["design.folds=3", "design.repeats=2", "design.test=0.25", "run.offline=true", "run.threads=1"]
RECIPES = ["probe", {"name": "probe", "label": "weak", "strengths": [1e4]}]
LIMIT = 300.0  # seconds of one trial: longer is a hang


@dataclass
class Ending:
    """How a trial ended.

    Attributes:
        kind: "done", "told" (an error of weigh.errors), "traceback" (any other), "hung", "died".
        found: What the trial returned.
        said: Notices, and the error's text.
    """

    kind: str
    found: Any = None
    said: list[str] = field(default_factory=list)


def make_inputs(folder: Path) -> tuple[Path, str]:
    """A table of pictures, whose order mixes the classes so that it is checked, and a model; the same ones every time."""
    from tests.conftest import make_photos

    def make() -> None:
        import timm
        import torch
        from safetensors.torch import save_file

        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), folder / "tiny.safetensors")

    photos = make_photos(folder / "photos")
    classes = [sorted(path.iterdir()) for path in sorted(photos.iterdir())]
    rows = [f"{path.relative_to(folder)},{path.parent.name}" for pair in zip(*classes, strict=True) for path in pair]
    (folder / "photos.csv").write_text("\n".join(["path,label", *rows]) + "\n", encoding="utf-8")
    in_child(make)
    return folder / "photos.csv", f"file:{folder / 'tiny.safetensors'}@timm:test_resnet"


def run_study(inputs: tuple[Path, str], folder: Path, cache: Path) -> dict[str, Any]:
    """Run the study in `folder`, or what is missing of it; returns its findings without measured times."""
    from weigh.execute.driver import run_study as run
    from weigh.execute.listener import Silent
    from weigh.study import Study

    os.environ["WEIGH_CACHE"] = str(cache)
    study = Study.from_data(inputs[0], [inputs[1]], RECIPES, settings=SETTINGS, folder=folder)
    run(study.spec, folder, Silent())  # without the pages of the report, which take longer than all the rest
    return findings(folder)


def findings(folder: Path) -> dict[str, Any]:
    """The findings of what is recorded, read anew."""
    from weigh.report.json_file import strip_measured, to_json
    from weigh.study import Study

    return json.loads(json.dumps(strip_measured(json.loads(to_json(Study.open(folder).read().file))), sort_keys=True))


def in_child(trial: Callable[[], Any]) -> Ending:
    """`trial()` in a fork of this process, which has used nothing that has threads."""
    with tempfile.NamedTemporaryFile() as answer:
        child = os.fork()
        if child == 0:
            os.setsid()
            for number in (1, 2):
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            Path(answer.name).write_bytes(pickle.dumps(_end(trial)))
            os._exit(0)
        deadline = time.monotonic() + LIMIT
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return Ending("hung")
            time.sleep(0.01)
        content = Path(answer.name).read_bytes()
    return pickle.loads(content) if content else Ending("died")


def _end(trial: Callable[[], Any]) -> Ending:
    from weigh.errors import WeighError
    from weigh.notices import notices_to

    said: list[str] = []
    with notices_to(lambda sentence: said.append(sentence.en)):
        try:
            return Ending("done", trial(), said)
        except WeighError as error:
            return Ending("told", None, [*said, error.render("en")])
        except BaseException:
            return Ending("traceback", None, [*said, traceback.format_exc(limit=-4)])


def import_all(names: list[str]) -> None:
    """Import what a first trial imported, so that the next ones need not; importing starts no threads."""
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
