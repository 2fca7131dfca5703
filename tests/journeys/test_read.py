"""`weigh read` as a person uses it: tables of strangers, and the published predictions on CIFAR-10 and CIFAR-10.1."""

from __future__ import annotations

import html
import json
import re
import shlex
import shutil

import numpy as np
import pytest

import weigh
from tests.record.tables import rows_of, write
from weigh.cli.main import main


def test_a_table_becomes_a_report_in_both_languages(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.csv", rows_of())
    assert main(["read", "mine.csv"]) == 0
    said = capsys.readouterr().out
    assert "good comes out best" in said
    folder = tmp_path / "readings" / "mine"
    assert f"Report: {folder.relative_to(tmp_path) / 'report.html'}" in said
    pages = [(folder / name).read_text(encoding="utf-8") for name in ("report.html", "report.zh.html")]
    assert "weigh read mine.csv" in pages[0]
    assert "weigh run" not in pages[0]
    assert "排名第一" in pages[1]
    study = json.loads((folder / "findings.json").read_text(encoding="utf-8"))["study"]
    assert study["origin"] == "models"
    assert set(study["design"]) == {"level", "seed"}


def test_the_report_shows_the_command_that_made_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "what others' sent"
    folder.mkdir()
    for name, model in (("a b.csv", "good"), ("-c<i>.csv", "poor")):
        write(folder / name, [row for row in rows_of() if row["model"] == model])
    arguments = ["read", f"{folder}/a b.csv", f"{folder}/-c<i>.csv", "--set", "data.positive=ant", "--output", "out"]
    assert main(arguments) == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    shown = html.unescape(re.search(r"<code>(weigh read.*?)</code>", page)[1])
    assert shlex.split(shown) == ["weigh", "read", "a b.csv", "./-c<i>.csv", "--set", "data.positive=ant"]
    assert "others&#39; sent" not in page
    capsys.readouterr()
    monkeypatch.chdir(folder)
    assert main([*shlex.split(shown)[1:], "--output", "../again"]) == 0  # it does give the same report
    for name in ("report.html", "findings.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_labels_of_folders_stand_in_the_command(tmp_path):
    (tmp_path / "folder").mkdir()
    rng = np.random.default_rng(0)
    np.save(tmp_path / "labels.npy", rng.integers(0, 2, 50))
    for name in ("a", "b"):
        np.save(tmp_path / "folder" / f"{name}.npy", rng.integers(0, 2, 50))
    reading = weigh.read_predictions(tmp_path / "folder", labels=[tmp_path / "labels.npy"])
    assert "<code>weigh read folder --labels labels.npy</code>" in reading.report("html")
    assert weigh.reading.Reading(reading.results).report("html").count("<code>weigh read TABLE</code>") == 1


def test_fail_on(tmp_path, capsys):
    rows = rows_of()
    good = str(write(tmp_path / "good.csv", rows))
    copied = str(
        write(tmp_path / "copied.csv", rows + [row | {"model": "twin"} for row in rows if row["model"] == "good"])
    )
    asked = ["--format", "json", "--fail-on", "copied-model,constant-answer"]
    assert main(["read", good, *asked]) == 0
    assert "--fail-on" not in capsys.readouterr().err
    assert main(["read", copied, *asked]) == 1
    said = capsys.readouterr()
    assert "--fail-on copied-model: " in said.err
    assert json.loads(said.out)["findings"]  # the report is printed all the same
    constant = [row | {"model": "always", "p:bee": 1.0, "p:ant": 0.0} for row in rows if row["model"] == "good"]
    assert main(["read", str(write(tmp_path / "constant.csv", rows + constant)), *asked, "--lang", "zh"]) == 1
    assert "--fail-on constant-answer：" in capsys.readouterr().err
    assert main(["read", good, "--fail-on", "leek"]) == 2
    assert "leak" in capsys.readouterr().err
    assert main(["read", good, "--fail-on", "slices,leak"]) == 2
    assert "slices describes and is never a problem" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["json", "md", "text"])
def test_other_formats_are_printed_and_repeatable(tmp_path, monkeypatch, capsys, format):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine.csv", rows_of(folds=5, runs=2))
    assert main(["read", "mine.csv", "--format", format, "--lang", "zh"]) == 0
    first = capsys.readouterr().out
    assert main(["read", "mine.csv", "--format", format, "--lang", "zh"]) == 0
    assert capsys.readouterr().out == first
    assert not (tmp_path / "readings").exists()
    if format == "json":
        assert json.loads(first)["study"]["origin"] == "folds"


def test_mistakes_are_told_without_a_traceback(tmp_path, capsys):
    bad = tmp_path / "bad.csv"
    bad.write_text("picture,label,prediction\na,b,c\n")
    assert main(["read", str(bad), "--lang", "zh"]) == 2
    assert "没有“example”列" in capsys.readouterr().err
    assert main(["read", str(bad), "--format", "pdf"]) == 2
    assert "pdf is none of html, json, md, text" in capsys.readouterr().err


@pytest.fixture(scope="module")
def published(shared, tmp_path_factory):
    """Thirty published models on CIFAR-10 and CIFAR-10.1, with a copy of the best one planted among them."""
    source = shared / "shift" / "cifar10.1-predictions"
    labels = [
        shared / "shift" / "cifar10-label-errors" / "original_test_labels" / "cifar10_test_set_original_labels.npy",
        source / "datasets" / "cifar10.1_v6_labels.npy",
    ]
    folders = []
    for part in ("original_predictions", "v6_predictions"):
        folders.append(tmp_path_factory.mktemp("cifar") / part)
        shutil.copytree(source / "model_predictions" / part, folders[-1])
        shutil.copy(folders[-1] / "nas_predictions.json", folders[-1] / "a_copy_of_nas_predictions.json")
    reading = weigh.read_predictions(*folders, labels=labels, settings=["metrics.primary=accuracy"])
    reading.findings()
    return reading


@pytest.mark.shared
def test_published_models_a_copy_is_equal_and_a_better_one_better(published):
    found = {f.id: f for f in published.findings()}
    assert not [f for f in found.values() if f.kind == "internal"]
    assert "a_copy_of_nas = nas" in found["data:copied-model"].sentence.en
    rows = found["comparison:matrix"].figure.rows
    relations = {(r["candidate"], r["other"]): r["relation"] for r in rows}
    assert "equal" in (relations.get(("nas", "a_copy_of_nas")), relations.get(("a_copy_of_nas", "nas")))
    best = found["verdict"].candidates[0]
    for worse in ("random_features_32k_no_aug", "alexnet_tf_ben", "vgg16_keras", "nas"):
        assert relations[best, worse] == "better"
    assert found["verdict"].claim == "these_models"
    assert published.results.examples.classes == tuple("0123456789")


@pytest.mark.shared
def test_published_models_fall_on_the_new_test_set_and_keep_their_ranking(published):
    found = {f.id: f for f in published.findings()}
    drop = found["shift:v6"].estimates
    assert found["shift:v6"].verdict == "no"
    assert 2 < drop["smallest_drop"].value < 5
    assert 10 < drop["largest_drop"].value < 16
    assert found["shift:v6:ranking"].estimates["tau"].value > 0.8
    assert found["shift:v6:ranking"].verdict != "no"
