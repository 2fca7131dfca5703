"""The mistakes of the first minutes, each answered with what is wrong and an advice that helps when it is followed."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from tests.data.picture_files import paint
from weigh.cli.main import main
from weigh.data.recognition.tasks import recognise_task
from weigh.data.rows import hub
from weigh.data.texts import demo
from weigh.errors import RecordError, SpecError, no_file
from weigh.files import read_stdin
from weigh.language import Text
from weigh.notices import notice
from weigh.record.ledger import Ledger
from weigh.saved.folder import saved_folder
from weigh.screen import Screen
from weigh.spec import StudySpec
from weigh.study import Study

PREDICTIONS = "example,label,model,prediction\n" + "".join(
    f"{i},{'ab'[i % 2]},{model},{'ab'[(i + i // 5) % 2]}\n" for model in ("one", "two") for i in range(40)
)


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """The folder that a command is started in: data/photos/cat, data/photos/dog."""
    monkeypatch.chdir(tmp_path)
    for i in range(4):
        for name in ("cat", "dog"):
            paint(tmp_path / "data" / "photos" / name / f"{i}.png", i)
    return tmp_path


# A path that is mistyped -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["data/phtos", "data/phtos/", "./dat", "data/photos.csv"])
def test_a_mistyped_path_is_no_name_on_the_hub(place, capsys, monkeypatch, typed):
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert hub.hub_name(typed) is None
    assert main(["data", typed]) == 2
    told = capsys.readouterr().err
    assert "it does not exist" in told
    assert "Did you mean data" in told
    assert "datasets" not in told


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("someone/flowers", "someone/flowers"),
        ("hub:data/flowers", "data/flowers"),
        ("data/photos", None),
        ("a/b/c", None),
    ],
)
def test_what_is_a_name_on_the_hub(place, typed, name):
    assert hub.hub_name(typed) == name


def test_who_meant_a_path_reads_what_it_was_taken_for(place, capsys, monkeypatch):
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    for variable in ("HF_HUB_OFFLINE", "WEIGH_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    assert main(["data", "phtos/cats"]) == 2
    told = capsys.readouterr().err
    assert "'phtos/cats' from the hub: no file or folder here is called so" in told
    assert "weigh[datasets]" in told


def test_a_folder_that_begins_with_a_tilde_is_nobodys_home(place, capsys):
    assert main(["data", "~nobody-has-this-name/photos"]) == 2
    assert "it does not exist" in capsys.readouterr().err


# Data that are no data set by themselves ---------------------------------------------------------------------------


def test_pictures_beside_a_table_are_told_to_give_the_table(place, capsys):
    (place / "data" / "labels.csv").write_text("path,label\n", encoding="utf-8")
    for file in sorted((place / "data" / "photos").rglob("*.png")):
        file.rename(place / "data" / "photos" / f"{file.parent.name}{file.name}")
    for name in ("cat", "dog"):
        (place / "data" / "photos" / name).rmdir()
    assert main(["data", "data"]) == 2
    told = capsys.readouterr().err
    assert "labels.csv" in told.partition("Give the table: ")[2]
    assert "--task" not in told


def test_what_cannot_be_read_is_not_answered_with_another_task(place, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("weigh.data.recognition.tasks._folder", refuse)
    told = recognise_task("data/photos")
    assert told.task is None
    assert "Permission denied" in told.reason.en
    assert told.do is not None
    assert "--task" not in told.do.en


def test_numbers_as_labels_are_no_masks(place, capsys):
    """0 and 1 are classes here, though 0.png and 1.png lie beside the table."""
    for i in range(6):
        paint(place / "numbered" / f"{i}.png", i)
    rows = "".join(f"{i}.png,{i % 2}\n" for i in range(6))
    (place / "numbered" / "t.csv").write_text(f"path,label\n{rows}", encoding="utf-8")
    assert main(["data", "numbered/t.csv"]) in (0, 1)
    assert "in 2 classes. 0: 3, 1: 3" in capsys.readouterr().out


def test_the_table_inside_of_the_training_part_is_named(place, capsys):
    """As folders of pictures of the hub come: train/metadata.csv beside the pictures."""
    (place / "data").rename(place / "d")
    for file in sorted((place / "d").rglob("*.png")):
        (place / "data" / "train").mkdir(parents=True, exist_ok=True)
        file.rename(place / "data" / "train" / f"{file.parent.name}{file.name}")
    (place / "data" / "train" / "metadata.csv").write_text("file_name,label\n", encoding="utf-8")
    assert main(["data", "data"]) == 2
    assert str(Path("data") / "train" / "metadata.csv") in capsys.readouterr().err.partition("Give the table: ")[2]


@pytest.mark.parametrize("typed", ["set", "set/data/train-00000-of-00001.parquet"])
def test_pictures_inside_a_table_are_no_texts(place, capsys, typed):
    """As data sets of the hub come."""
    rows = [
        {"image": {"bytes": file.read_bytes(), "path": file.name}, "label": n % 2}
        for n, file in enumerate(sorted((place / "data").rglob("*.png")))
    ]
    (place / "set" / "data").mkdir(parents=True)
    pl.DataFrame(rows).write_parquet(place / "set" / "data" / "train-00000-of-00001.parquet")
    assert main(["data", typed]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "the column 'image' of train-00000-of-00001.parquet holds files themselves" in told
    assert "save_to_disk" in told


# Where things are written ------------------------------------------------------------------------------------------


def test_an_output_begins_at_home_also_behind_an_equals_sign(place, monkeypatch, capsys):
    home = place / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (place / "t.csv").write_text(PREDICTIONS, encoding="utf-8")
    assert main(["read", "t.csv", "--output=~/out"]) == 0
    assert (home / "out" / "report.html").exists()
    assert not (place / "~").exists()
    spec = StudySpec.model_validate({"data": "photos", "output": {"folder": "~/studies/a"}})
    assert Study(spec).folder == home / "studies" / "a"


# A study that is somewhere else -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("data/photos", "studies/photos"),
        ("data/photos.csv", "studies/photos"),
        ("studies/phtos", "studies/photos"),
        ("studies/photos/report.html", "studies/photos"),
        ("studies/photos/model", "studies/photos"),
    ],
)
def test_the_study_that_is_meant_is_named(place, typed, meant):
    (place / "studies" / "photos").mkdir(parents=True)
    (place / "studies" / "photos" / "ledger.sqlite").touch()
    with pytest.raises(RecordError, match="holds no study") as caught:
        Ledger(Path(typed))
    assert caught.value.do == (f"Did you mean {Path(meant)}?", f"您是想用 {Path(meant)} 吗？")


def test_nobody_is_sent_to_begin_a_study_among_the_data(place):
    for typed, do in (("data/photos", "weigh run DATA"), ("my study", "weigh run DATA --output 'my study'")):
        with pytest.raises(RecordError) as caught:
            Ledger(Path(typed))
        assert caught.value.do is not None
        assert caught.value.do.en == f"Start one: {do}"


def test_a_study_without_a_model_is_told_how_to_get_one(place):
    """`weigh rank` saves none, and its study.yaml says so: to finish that study again would save none either."""
    with pytest.raises(RecordError, match="no refitted model") as caught:
        saved_folder(Path("my study"), ensemble=False)
    assert "weigh run 'my study' --set output.refit=true" in caught.value.render("en")


@pytest.mark.parametrize(("kind", "advice"), [("label", "output.ensemble=always"), ("masks", "Leave --ensemble out")])
def test_nobody_is_sent_to_save_an_average_of_what_has_none(place, kind, advice):
    (place / "my study" / "model").mkdir(parents=True)
    (place / "my study" / "model" / "config.json").write_text(f'{{"weigh": {{"kind": "{kind}"}}}}', encoding="utf-8")
    with pytest.raises(RecordError, match="has no saved average") as caught:
        saved_folder(Path("my study"), ensemble=True)
    told = caught.value.render("en")
    assert advice in told
    assert ("output.ensemble" in told, "cannot be averaged" in told) == (kind == "label", kind == "masks")


# What is told ----------------------------------------------------------------------------------------------------


def test_what_was_asked_for_and_did_not_happen_is_told_also_with_quiet(capsys):
    for quiet, words in ((True, ["undone"]), (False, ["noticed", "undone"])):
        with Screen("en", quiet=quiet, confirmed=True):
            notice(Text("noticed", "注意"))
            notice(Text("undone", "未做"), always=True)
        written = capsys.readouterr()
        assert (written.out, written.err.split()) == ("", words)


# The one question --------------------------------------------------------------------------------------------------


class Typed(io.StringIO):
    """What somebody types at a terminal; behind it Ctrl-D."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("typed", "started"), [("y\n", True), ("Yes\n", True), ("是\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_the_question_is_asked_on_standard_error_and_no_answer_is_no(monkeypatch, capsys, typed, started):
    forecast = SimpleNamespace(
        workers=1, jobs=[], recorded=0, failed=0, passed=None, cut=None, over=None, seconds=3600.0
    )
    monkeypatch.setattr(sys, "stdin", Typed(typed))
    with Screen("en", quiet=True, confirmed=False) as screen:
        assert screen.planned(forecast) is started
    written = capsys.readouterr()
    assert written.out == ""
    assert "Start? [y/N]" in written.err


def test_without_standard_input_nobody_is_asked(monkeypatch):
    forecast = SimpleNamespace(
        workers=1, jobs=[], recorded=0, failed=0, passed=None, cut=None, over=None, seconds=3600.0
    )
    monkeypatch.setattr(sys, "stdin", None)
    with Screen("en", quiet=True, confirmed=False) as screen, pytest.raises(SpecError, match="--yes"):
        screen.planned(forecast)
    assert read_stdin() == b""


def test_a_study_does_not_begin_in_the_folder_of_its_data(place):
    study = Study(StudySpec.model_validate({"data": "data/photos", "models": ["timm:resnet18"]}), "data/../data/photos")
    with pytest.raises(SpecError, match="is the folder of the data itself"):
        study.run()
    assert sorted(path.name for path in (place / "data" / "photos").iterdir()) == ["cat", "dog"]


def test_a_folder_in_the_place_of_a_file_is_called_one(place):
    assert no_file("data/photos").what == ("data/photos is a folder, no file.", "data/photos 是文件夹，不是文件。")
    missing = no_file("data/phots")
    assert missing.what.en == "There is no file data/phots."
    assert missing.do is not None
    assert missing.do.en == f"Did you mean {Path('data/photos')}?"
    assert no_file("nowhere/at all").do is None


# What stands where something else was expected ---------------------------------------------------------------------


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("weigh 0.")


@pytest.mark.parametrize(
    "typed", [["data", "my", "photos"], ["run", "photos", "--models", "timm:resnet18", "timm:resnet50"]]
)
def test_what_stands_apart_is_told_to_be_joined(typed, capsys):
    assert main(typed) == 2
    assert "joined with commas" in capsys.readouterr().err


def test_the_demo_takes_the_option_that_is_advised_where_runs_failed(capsys):
    assert main(["demo", "--text", "--masks", "--retry-failed"]) == 2
    assert "--text --masks are different demos" in capsys.readouterr().err, "not: no such option"


@pytest.mark.parametrize("ours", [True, False])
def test_packages_are_to_be_installed_for_the_python_that_runs_weigh(place, monkeypatch, capsys, ours):
    """`.venv/bin/weigh` of a shell whose `pip` is that of the system."""
    found = Path(sys.executable).parent / "pip" if ours else place / "pip"
    monkeypatch.setattr(shutil, "which", lambda name: str(found))
    monkeypatch.setattr(demo, "_installed", lambda package: package != "onnx")
    assert main(["demo", "--text", "-o", "s"]) == 2
    told = capsys.readouterr().err
    assert "Install them: pip install 'weigh[text,onnx]'" in told
    assert ("-m pip here" in told) is not ours


def test_a_single_name_in_python_is_no_list_of_letters(place):
    study = Study.from_data("data/photos", "timm:resnet18", "probe", settings="design.folds=3")
    assert (study.spec.models, study.spec.design.folds) == (["timm:resnet18"], 3)
    assert [recipe.name for recipe in study.spec.recipes] == ["probe"]
    (place / "study.yaml").write_text("data: data/photos\nmodels: timm:resnet18\n", encoding="utf-8")
    assert Study.from_yaml("study.yaml", settings="design.folds=4").spec.design.folds == 4


def test_a_study_is_not_read_as_arrays(place, capsys):
    (place / "my study").mkdir()
    (place / "my study" / "ledger.sqlite").touch()
    assert main(["read", "my study"]) == 2
    told = capsys.readouterr().err
    assert "is a study of weigh" in told
    assert "weigh report 'my study'" in told


def test_the_folder_of_a_reading_names_its_report(place, capsys):
    (place / "t.csv").write_text(PREDICTIONS, encoding="utf-8")
    assert main(["read", "t.csv", "--output", "reading"]) == 0
    assert main(["report", "reading"]) != 0
    assert str(Path("reading") / "report.html") in capsys.readouterr().err


def test_the_classes_of_an_unpacked_archive_are_found_folders_below(place, capsys):
    (place / "archive" / "data" / "images").mkdir(parents=True)
    (place / "data" / "photos").rename(place / "archive" / "data" / "images" / "photos")
    assert main(["data", "archive"]) == 2
    assert "Did you mean archive/data/images/photos? It holds 2 folders." in capsys.readouterr().err.replace(
        f"{place}/", ""
    )
