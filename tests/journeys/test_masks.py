"""Masks from a folder to the files that a person takes away, through the command line."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from tests.scenes import CLASSES, write_scenes
from weigh.cli.main import main
from weigh.kinds.mask_statistics import compare_masks
from weigh.study import Study

FAST = ["--set", "design.folds=3", "--set", "run.threads=1", "--yes", "--quiet", "--offline"]


@pytest.fixture(scope="module")
def study(tiny, tmp_path_factory) -> Study:
    root = tmp_path_factory.mktemp("masks")
    data = write_scenes(root / "data")
    recipes = ["--recipes", "probe,scratch", "--set", "recipes.probe.epochs=6", "--set", "recipes.scratch.epochs=1"]
    rates = ["--set", "recipes.probe.learning_rate=0.01"]
    assert main(["run", str(data), "--models", tiny, "--output", str(root / "study"), *recipes, *rates, *FAST]) == 0
    return Study.open(root / "study")


def test_the_task_is_recognised_and_a_probe_of_masks_is_a_decoder(study):
    assert study.spec.task == "semantic-segmentation"
    results = study.results()
    assert [c.recipe for c in results.candidates] == ["decoder", "scratch"]
    assert results.examples.classes == CLASSES
    assert all(record.status == "done" for record in results.records)
    assert results.winner == results.candidates[0].id  # a control is never recommended


def test_scores_are_made_of_exact_counts(study):
    """Every pixel that a mask knows was answered, in every repeat."""
    results = study.results()
    for candidate in results.candidates:
        runs = results.out_of_fold(candidate.id)
        assert runs.answers.dtype == np.float64
        assert (runs.answers == np.round(runs.answers)).all()
        counts = runs.kind.counts(runs.prediction(0), runs.target, np.ones(len(runs.target)), 3)
        known = np.sum([mask.counts for mask in runs.target], axis=0)
        assert counts.actual.tolist() == known.tolist()
        assert counts.predicted.sum() == known.sum()


def test_the_report_speaks_of_masks_in_both_languages(study):
    document = json.loads((study.folder / "findings.json").read_text("utf-8"))
    assert not [f for f in document["findings"] if f["kind"] == "internal"]
    english, chinese = ((study.folder / name).read_text("utf-8") for name in ("report.html", "report.zh.html"))
    assert "mean IoU" in english
    assert "平均 IoU" in chinese
    assert "Traceback" not in english


def test_answers_that_were_kept_are_those_that_were_counted(study):
    results = study.results()
    for run in results.runs():
        kept, (indices, recorded) = results.kept(run.key), results.predictions(run.key)
        rows = recorded[np.searchsorted(indices, kept.examples)]
        assert 0 < len(kept.examples) <= results.examples.kind.kept
        assert (compare_masks(kept.answers, results.examples.target[kept.examples]) == rows).all()


@pytest.mark.parametrize(
    ("name", "titles"), [("report.html", "mask predicted wrong"), ("report.zh.html", "标注 预测 判错")]
)
def test_the_worst_pictures_are_drawn_with_mask_answer_and_difference(study, name, titles):
    page = (study.folder / name).read_text("utf-8").split('data-finding="errors:hardest"')[1].split("</article>")[0]
    panes = re.findall("<small>(.*?)</small>", page)
    assert panes[1:4] == titles.split()
    assert len(panes) % 4 == 0
    assert page.count("data:image/png") >= 3 * len(panes) // 4


def test_resuming_runs_nothing_again(study, capsys):
    before = {record.key for record in study.results().records}
    assert (
        main(["run", str(study.folder / "study.yaml"), "--output", str(study.folder), "--yes", "--quiet", "--offline"])
        == 0
    )
    assert {record.key for record in Study.open(study.folder).results().records} == before


def test_the_winner_writes_masks_for_new_pictures(study, capsys, tmp_path):
    pictures = [str(path) for path in sorted((study.folder.parent / "data" / "images").glob("0[0-3].png"))]
    command = [
        "predict",
        str(study.folder),
        *pictures,
        "--masks",
        str(tmp_path / "m"),
        "--overlays",
        str(tmp_path / "o"),
    ]
    assert main([*command, "--format", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for path, row in zip(pictures, rows, strict=True):
        name = path.rpartition("/")[2]
        mask = np.asarray(Image.open(tmp_path / "m" / name))
        assert mask.shape == np.asarray(Image.open(path)).shape[:2]
        for c, class_name in enumerate(CLASSES):
            assert row[f"area:{class_name}"] == pytest.approx((mask == c).mean(), abs=1e-6)
            assert row[f"area_low:{class_name}"] <= row[f"area:{class_name}"] <= row[f"area_high:{class_name}"]
        assert (tmp_path / "o" / name).exists()


def test_a_picture_that_does_not_open_is_named_and_the_others_are_answered(study, capsys, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    good = str(study.folder.parent / "data" / "images" / "00.png")
    code = main(
        [
            "predict",
            str(study.folder),
            str(tmp_path / "bad.png"),
            good,
            "--masks",
            str(tmp_path / "m"),
            "--format",
            "jsonl",
        ]
    )
    written = capsys.readouterr()
    rows = [json.loads(line) for line in written.out.splitlines()]
    assert code == 0
    assert "bad.png" in written.err
    assert rows[0][f"area:{CLASSES[0]}"] is None
    assert rows[1][f"area:{CLASSES[0]}"] > 0
    assert len(list((tmp_path / "m").rglob("*.png"))) == 1


@pytest.mark.parametrize("option", ["--masks", "--overlays"])
def test_the_masks_that_were_learnt_from_are_not_replaced(study, capsys, option):
    data = study.folder.parent / "data"
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    code = main(["predict", str(study.folder), str(data / "images"), option, str(data / "masks")])
    assert code == 2
    assert f"{option} {data / 'masks'} lies in the data of the study" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before


def test_masks_are_refused_where_answers_have_no_place(finished, capsys, tmp_path, photos):
    code = main(["predict", str(finished.folder), str(next(photos.rglob("*.png"))), "--masks", str(tmp_path / "m")])
    assert code != 0
    assert "have a place in a picture" in capsys.readouterr().err


def test_the_cost_is_that_of_whole_pictures_and_of_the_decoder(study):
    """The model alone, at the size that it was made for, would be another number."""
    results = study.results()
    counted = {run.facts["macs"] for run in results.runs()}
    assert len(counted) == 1  # both candidates are the same network
    model = results.models[results.candidates[0].model]
    assert counted != {model["macs"]}
    document = json.loads((study.folder / "findings.json").read_text("utf-8"))
    cost = next(f for f in document["findings"] if f["kind"] == "cost")
    assert cost["estimates"]["winner_macs"]["value"] == pytest.approx(counted.pop() / 1e9)
