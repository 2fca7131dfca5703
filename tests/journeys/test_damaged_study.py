"""A study whose files were lost or damaged, or whose disk is full or read-only: said, and put right by the same command."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.journeys.test_journey import weigh
from tests.record.test_ledger import make_run
from weigh import disk
from weigh.errors import ModelError, StorageError
from weigh.execute import worker
from weigh.language import text
from weigh.record.index import read_index, write_index
from weigh.report.json_file import strip_measured
from weigh.run import ANY, Job, Recipe, Setting
from weigh.study import Study


@pytest.fixture
def copy(finished, tmp_path):
    """A copy of the finished study that may be changed."""
    shutil.copytree(finished.folder, tmp_path / "finished")
    return tmp_path / "finished"


def run_again(capsys, finished, folder: Path, *options):
    """The command that made the study, again."""
    return weigh(capsys, "run", finished.folder / "study.yaml", "--output", folder, *options)


def findings(folder: Path) -> dict:
    return strip_measured(json.loads((folder / "findings.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def ordered(photos, tiny, tmp_path_factory):
    """A study of a table whose order mixes the classes, so that the order is checked. Do not change it."""
    folder = tmp_path_factory.mktemp("ordered")
    classes = [sorted(path.iterdir()) for path in sorted(photos.iterdir())]
    rows = [f"{path.relative_to(photos)},{path.parent.name}" for pair in zip(*classes, strict=True) for path in pair]
    (folder / "photos.csv").write_text("\n".join(["path,label", *rows]) + "\n", encoding="utf-8")
    settings = [f"data.root={photos}", "design.folds=2", "design.repeats=2", "design.test=0.25", "run.offline=true"]
    return Study.from_data(folder / "photos.csv", [tiny], settings=settings, folder=folder / "finished").run()


@pytest.mark.parametrize("purpose", ["order-check", "main"])
def test_one_lost_array_is_one_run_again(ordered, tmp_path, capsys, purpose):
    finished, copy = ordered, tmp_path / "copy"
    shutil.copytree(finished.folder, copy)
    record = next(r for r in finished.results().records if r.purpose == purpose)
    path = copy / "arrays" / f"{record.key}.npz"
    path.unlink()
    kept = {other: other.stat().st_mtime_ns for other in (copy / "arrays").iterdir()}
    found = {finding.kind: finding for finding in Study.open(copy).read()}
    assert "missing or damaged" in found["progress"].sentence.en
    assert "缺失或损坏" in found["progress"].sentence.zh
    if purpose == "order-check":
        headline = next(f for f in finished.read() if f.severity == "headline")
        assert next(f for f in Study.open(copy).read() if f.severity == "headline").sentence == headline.sentence
    code, _, err = run_again(capsys, finished, copy)
    assert code == 0
    assert "missing or damaged" in err
    assert "missing or damaged: 1 (" in err
    assert {other: other.stat().st_mtime_ns for other in kept} == kept
    assert findings(copy) == findings(finished.folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_damaged_model_predicts_nothing_and_is_refitted(finished, copy, photos, capsys, name):
    pictures = sorted((photos / "circle").iterdir())[:2]
    expected = finished.predict(pictures)
    path = copy / "model" / name
    content = bytearray(path.read_bytes())
    content[len(content) * 2 // 3] ^= 2
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot be loaded[\s\S]*run the study again"):
        Study.open(copy).predict(pictures)
    code, _, err = run_again(capsys, finished, copy)
    assert code == 0
    assert "saved model is not what was written" in err
    assert Study.open(copy).predict(pictures) == expected


@pytest.mark.parametrize("damage", ["missing", "changed", "no YAML", "ledger", "ledger missing"])
def test_a_report_needs_neither_study_yaml_nor_the_ledger_while_there_is_a_copy(finished, copy, capsys, damage):
    path = copy / ("ledger.sqlite" if damage.startswith("ledger") else "study.yaml")
    if "missing" in damage:
        path.unlink()
    else:
        changed = path.read_text("utf-8").replace("folds: 4", "folds: 3") if damage == "changed" else "\0: [" * 300
        path.write_text(changed, encoding="utf-8")
    code, out, err = weigh(capsys, "report", copy, "--format", "json")
    assert code == 0
    assert path.name in err
    assert strip_measured(json.loads(out)) == findings(finished.folder)


def test_another_studys_examples_are_noticed(copy, capsys):
    write_index(copy, replace(read_index(copy), fingerprint="another"))
    code, _, err = weigh(capsys, "report", copy)
    assert (code, "belong to different studies" in err) == (2, True)


def _fails_in(monkeypatch, folder: Path, number: int) -> None:
    real = os.replace

    def replace(source, target, **more):
        if Path(target).resolve().is_relative_to(folder.resolve()):
            raise OSError(number, os.strerror(number), str(source), None, str(target))
        return real(source, target, **more)

    monkeypatch.setattr(os, "replace", replace)


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_report_of_a_study_that_is_read_only_goes_elsewhere(finished, copy, tmp_path, monkeypatch, capsys, number):
    monkeypatch.chdir(tmp_path)
    _fails_in(monkeypatch, copy, number)
    code, out, err = weigh(capsys, "report", copy)
    assert code == 0
    assert out.strip() == str(Path("readings") / "finished" / "report.html")
    assert "readings/finished instead" in err
    assert (tmp_path / "readings" / "finished" / "report.zh.html").stat().st_size > 10_000
    monkeypatch.chdir(copy)  # here no folder takes it
    code, _, err = weigh(capsys, "report", copy)
    assert code == 2
    assert os.strerror(number) in err


@pytest.mark.parametrize(
    ("moment", "number"),
    [(1, errno.EDQUOT), pytest.param(9, errno.ENOSPC, marks=pytest.mark.thorough), (25, errno.EIO)],
)
def test_a_full_disk_stops_and_the_same_command_goes_on(ordered, tmp_path, monkeypatch, capsys, moment, number):
    finished, folder = ordered, tmp_path / "study"
    calls = []
    real = os.fsync

    def full(handle):
        calls.append(handle)
        if len(calls) >= moment:
            raise OSError(number, os.strerror(number))
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    code, _, err = run_again(capsys, finished, folder)
    assert code == 2
    assert "same command" in err
    assert str(folder) in err
    monkeypatch.setattr(os, "fsync", real)
    code, _, err = run_again(capsys, finished, folder)
    assert code == 0, err
    assert findings(folder) == findings(finished.folder)
    assert not [path for path in folder.rglob("*") if path.name.startswith(disk.WRITING)]


def fitting(runs, setting, examples, progress):
    """A recipe whose disk is full, or that is wrong."""
    raise OSError(errno.ENOSPC, "full", "/cache/x") if setting.primary == "full" else ValueError("wrong")
    yield


def test_a_fault_of_the_disk_is_no_failed_run(finished, monkeypatch):
    recipe = Recipe("probe", text("probe", "探针"), "head", {ANY: {}}, f"{__name__}:fitting")
    monkeypatch.setattr(worker.RECIPES, "get", lambda _: recipe)
    full, wrong = (Job("j", (make_run(),), Setting("image-classification", ("a",), how)) for how in ("full", "wrong"))
    examples = finished.results().examples
    with pytest.raises(StorageError, match="/cache/x"):
        worker.run_job(full, examples)
    assert [outcome.status for outcome in worker.run_job(wrong, examples)] == ["failed"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_behind_standard_output_is_said():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "weigh", "schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert "standard output" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_study_is_named_by_its_folder_also_where_only_the_copy_of_its_ledger_is_left(copy, capsys):
    """The folder was taken for data: its own files for the pictures of a new study."""
    (copy / "ledger.sqlite").unlink()
    code, out, err = weigh(capsys, "plan", copy)
    assert code == 0
    assert "To run: 0 runs" in out
    assert "ledger.copy.sqlite" in err
