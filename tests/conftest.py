"""Fixtures for all tests. `shared` is the folder of real data named by WEIGH_TEST_DATA."""

from __future__ import annotations

import copy
import gc
import os
import signal
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# In CI the same examples every time: a landing is judged by its change. At one's desk new ones at every run.
# How fast a machine draws examples is no property of the code under test. Tests that say nothing else get sixty examples.
settings.register_profile("any-machine", suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
settings.load_profile("any-machine")
settings.register_profile("ci", settings.get_profile("any-machine"), derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

# Of many seconds, the longest first: one that begins at the end leaves the other process idle. Others need eight seconds or less, or stand early
# by their names. A new name changes no result.
LONGEST = [
    "train/test_recipes", "findings/test_verdicts", "journeys/test_texts", "journeys/test_offline", "journeys/test_kill", "models/test_keras",
    "models/test_torchvision_boxes", "hub/test_downloads", "data/test_near_duplicates", "cli/test_rank", "train/test_numerics",
    "journeys/test_evaluate_layouts", "journeys/test_damaged_study", "cli/test_no_models", "journeys/test_own_model_study",
    "plan/test_planned_study", "data/masks/test_sequences", "data/test_texts", "train/test_last_stage", "models/test_checkpoint_kinds",
    "execute/test_late_models", "journeys/test_outputs", "journeys/test_boxes", "plan/test_finalists", "train/test_handed_on", "train/test_boxes",
]  # fmt: skip

# Files for the same process, since they need the same once per session: the studies of `tests/findings/studies.py` and the browser; what writes
# ONNX, which takes seconds to load; facts of pictures; the parsed sources.
TOGETHER = [
    {
        "findings/test_verdicts", "report/test_chinese", "findings/test_disagreement", "findings/test_unlearnt",
        "findings/test_familiar", "findings/test_advice", "report/test_boxes", "report/test_masks", "report/test_browser", "report/test_kinds",
    },
    {
        "train/test_recipes", "train/test_saved_texts", "train/test_saved_average", "train/test_saved", "train/test_box_onnx",
        "train/test_box_files", "train/test_mask_files", "models/test_decoded_saved", "models/test_onnx", "models/test_own_models",
        "journeys/test_readme", "journeys/test_own_detectors", "kinds/test_new_kind",
    },
    {"data/test_near_duplicates", "data/test_checks"},
    {"test_architecture", "test_disk", "test_rooms"},
]  # fmt: skip

TIMED_ONCE: set[str] = set()  # addresses of the tiny models of the session
real_fsync = os.fsync
REASON = "WEIGH_TEST_DATA is not set: real data for tests are not at hand"
_skipped_for_shared: list[str] = []


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data sets; tests that use it are skipped, and counted, where it is absent."""
    folder = os.environ.get("WEIGH_TEST_DATA")
    if not folder:
        pytest.skip(REASON)
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"WEIGH_TEST_DATA={folder} is not a folder")
    return path


@pytest.fixture(scope="session", autouse=True)
def _usual_signals():
    """A shell's background jobs and `nohup` ignore signals, and so would the studies that tests interrupt: as in a terminal here."""
    if threading.current_thread() is not threading.main_thread():
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) == signal.SIG_IGN:
            signal.signal(getattr(signal, name), signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _short_timings():
    """Each study times its models for its forecast. Here the fewest calls do, and the tiny models of the session are timed once for each kind of
    study: nearly all of a small study's time would go there.

    `tests/train/test_timing.py` tests the timing itself, as users have it.
    """
    from weigh.execute import choices

    choices.TIMED = 0.0
    real, known = choices.time_address, {}

    def time_once(address, spec, setting, candidates, examples, **what):
        if address not in TIMED_ONCE:
            return real(address, spec, setting, candidates, examples, **what)
        recipes = [recipe.model_dump_json() for recipe in spec.recipes]
        frame = examples.kind.resolved({}, examples.target)
        key = repr((address, spec.task, recipes, sorted({c.recipe for c in candidates}), setting.device, setting.threads, setting.precision,
                    spec.run.precision, frame, sorted(what.items())))  # fmt: skip
        if key not in known:
            known[key] = real(address, spec, setting, candidates, examples, **what)
        return copy.deepcopy(known[key])

    choices.time_address = time_once


@pytest.fixture(scope="session", autouse=True)
def _nothing_waits_for_the_disk():
    """Files and transactions are flushed for the case that the power fails. No test cuts the power: what a killed process wrote is there without it.

    `tests/test_disk.py` flushes as users do, and so do processes that tests start.
    """
    from weigh.record import tables

    os.fsync = lambda handle: None
    tables.SYNCHRONOUS = "OFF"


@pytest.fixture(scope="module", autouse=True)
def _old_objects_are_not_looked_through_again():
    """What earlier files left for the session (libraries, models) is no rubbish: every look through it took longer than the last."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    """Tests never touch the user's cache, settings or language."""
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("WEIGH_LANG", raising=False)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Imports make a million objects that stay: looking through them for rubbish, again and again, took a quarter of the collection."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)  # what tests make is gone with them, most of it without being looked for


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With `--dist loadfile`, files of `TOGETHER` are handed to one process as if they were one file."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class LoadFilesTogether(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::")[0]
            name = file.removeprefix("tests/").removesuffix(".py")
            return next((min(names) for names in TOGETHER if name in names), file)

    return LoadFilesTogether(config, log)


def pytest_collection_modifyitems(config, items):
    if hasattr(config, "workerinput"):  # one of several processes
        place = {f"tests/{name}.py": i for i, name in enumerate(LONGEST)}
        items.sort(key=lambda item: place.get(item.nodeid.split("::")[0], len(place)))


def pytest_runtest_logreport(report):
    if report.skipped and report.longrepr and REASON in str(report.longrepr):
        _skipped_for_shared.append(report.nodeid)


def pytest_terminal_summary(terminalreporter):
    if _skipped_for_shared:
        terminalreporter.write_line(f"{len(_skipped_for_shared)} tests skipped because {REASON}")


def pytest_sessionfinish(session, exitstatus):
    if os.environ.get("CI") and os.environ.get("WEIGH_TEST_DATA") and _skipped_for_shared:
        session.exitstatus = 1


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """Forty-eight small pictures in two classes that a linear head on random features can tell apart, mostly."""
    return make_photos(tmp_path_factory.mktemp("data") / "photos")


def make_photos(
    folder: Path, *, per_class: int = 24, size: int = 48, classes: tuple[str, ...] = ("circle", "stripe")
) -> Path:
    """Pictures of circles and stripes in noise, one folder per class; the same bytes every time."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    for index, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(per_class):
            centre, radius, phase = rng.uniform(0.3, 0.7, 2) * size, rng.uniform(0.15, 0.3) * size, rng.uniform(0, 6)
            shape = (np.hypot(x - centre[0], y - centre[1]) < radius) if index == 0 else np.sin(x / 3 + phase) > 0
            colour = rng.uniform(60, 200, 3)
            picture = colour * (0.4 + 0.6 * shape[..., None]) + rng.normal(0, 25, (size, size, 3))
            Image.fromarray(picture.clip(0, 255).astype("uint8")).save(folder / name / f"{i * 37 % 101:03d}_{name}.png")
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> str:
    """Address of a model that needs no network and no package: a tiny architecture with a checkpoint of random weights."""
    import timm
    import torch
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), path)
    address = f"file:{path}@timm:test_resnet"
    TIMED_ONCE.add(address)
    return address


@pytest.fixture(scope="session")
def finished(photos, tiny, tmp_path_factory):
    """A finished study of `photos`: two candidates × 4 folds × 2 repeats and a held-out test part. Do not change it."""
    from weigh.study import Study

    folder = tmp_path_factory.mktemp("studies") / "finished"
    os.environ.setdefault("WEIGH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    settings = ["design.folds=4", "design.repeats=2", "design.test=0.25", "run.offline=true"]
    recipes = ["probe", {"name": "probe", "label": "weak", "strengths": [1e4]}]
    return Study.from_data(photos, [tiny], recipes, settings=settings, folder=folder).run()


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory) -> str:
    """Address of a language model that needs no network and no package: a tiny BERT of random weights."""
    from tests.text_models import save_tiny_encoder

    address = save_tiny_encoder(tmp_path_factory.mktemp("encoders") / "tiny-bert")
    TIMED_ONCE.add(address)
    return address
