"""Boxes from a folder to the files that a person takes away, through the command line."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.box_scenes import CLASSES, draw_rectangles
from tests.boxes import annotations_of
from tests.journeys.test_journey import weigh
from weigh.cli import predicting
from weigh.cli.main import main
from weigh.saved import meaning
from weigh.saved.model import SavedModel
from weigh.study import Study

FAST = [
    "--set",
    "design.folds=3",
    "--set",
    "design.repeats=1",
    "--set",
    "run.threads=1",
    "--yes",
    "--quiet",
    "--offline",
]


@pytest.fixture(scope="module")
def study(tiny, tmp_path_factory) -> Study:
    root = tmp_path_factory.mktemp("boxes")
    names, targets = draw_rectangles(root / "data" / "images", 30)
    content = annotations_of(targets, len(CLASSES))
    for image, name in zip(content["images"], names, strict=True):
        image |= {"id": 7 * image["id"] + 1, "file_name": str(name)}
    for annotation in content["annotations"]:
        annotation |= {"image_id": 7 * annotation["image_id"] + 1, "category_id": 3 * annotation["category_id"] + 2}
    content["categories"] = [{"id": 3 * c + 2, "name": name} for c, name in enumerate(CLASSES)]
    (root / "data" / "instances.json").write_text(json.dumps(content), "utf-8")
    options = ["recipes.probe.epochs=3", "recipes.probe.learning_rate=0.01", "recipes.probe.image_size=96"]
    settings = [word for option in options for word in ("--set", option)]
    command = ["run", str(root / "data"), "--models", tiny, "--recipes", "probe", "--output", str(root / "study")]
    assert main([*command, *settings, *FAST]) == 0
    return Study.open(root / "study")


def pictures(study) -> list[str]:
    return sorted(map(str, (study.folder.parent / "data" / "images").glob("*.png")))


def test_the_task_is_recognised_and_the_report_speaks_of_boxes_in_both_languages(study):
    assert study.spec.task == "object-detection"
    results = study.results()
    assert [c.recipe for c in results.candidates] == ["decoder"]
    assert all(record.status == "done" for record in results.records)
    assert not [f.sentence.en for f in study.read() if f.kind == "internal"]
    for name in ("report.html", "report.zh.html"):
        page = (study.folder / name).read_text("utf-8")
        assert "Traceback" not in page
        assert "data:image/" in page


def test_the_card_of_the_model_says_what_it_does_and_nothing_of_probabilities(study):
    card = (study.folder / "model" / "README.md").read_text("utf-8")
    assert "weigh predict STUDY new/*.jpg --boxes boxes.json" in card
    assert "alibrated" not in card
    assert "temperature" not in card


def test_resuming_runs_nothing_again(study):
    before = {record.key for record in study.results().records}
    assert main(["run", str(study.folder), "--yes", "--quiet", "--offline"]) == 0
    assert {record.key for record in Study.open(study.folder).results().records} == before


def test_predict_counts_boxes_and_writes_them(study, capsys, tmp_path):
    """A picture that does not open is named, and the others are answered; one that is plain black has nothing in it."""
    Image.new("RGB", (90, 60)).save(tmp_path / "black.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    some = pictures(study)[:3]
    outputs = [word for name in ("b.json", "b.csv", "yolo") for word in ("--boxes", tmp_path / name)]
    code, out, err = weigh(
        capsys, "predict", study.folder, tmp_path / "bad.png", *some, tmp_path / "black.png", *outputs,
        "--overlays", tmp_path / "drawn", "--format", "jsonl",
    )  # fmt: skip
    assert code == 0, err
    assert "bad.png" in err
    bad, *rows = [json.loads(line) for line in out.splitlines()]
    assert [bad[f"count:{name}"] for name in CLASSES] == [None] * 3
    told = list(csv.DictReader((tmp_path / "b.csv").read_text("utf-8").splitlines()))
    assert len({row["path"] for row in told}) == 4
    for path, row in zip([*some, str(tmp_path / "black.png")], rows, strict=True):
        mine = [box for box in told if path.endswith(box["path"]) and box["label"]]
        with (
            Image.open(path) as picture,
            Image.open(next((tmp_path / "drawn").rglob(path.rpartition("/")[2]))) as drawn,
        ):
            width, height = picture.size
            assert drawn.size == picture.size
        for box in mine:
            left, top, right, bottom = (float(box[name]) for name in ("xmin", "ymin", "xmax", "ymax"))
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
        for name in CLASSES:
            assert row[f"count:{name}"] == sum(box["label"] == name for box in mine)
            assert row[f"count_low:{name}"] <= row[f"count:{name}"] <= row[f"count_high:{name}"]
        (text,) = (tmp_path / "yolo").rglob(f"{path.rpartition('/')[2].removesuffix('.png')}.txt")
        assert len(text.read_text().splitlines()) == len(mine)
    assert {row["category"] for row in json.loads((tmp_path / "b.json").read_text("utf-8"))} <= set(CLASSES)


def test_files_of_boxes_go_on_with_the_rows(study, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(meaning, "ALIKE", 8)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    calls, outputs = [], SavedModel.outputs

    def interrupted(self, *given, **options):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return outputs(self, *given, **options)

    def predict(folder) -> tuple[int, dict[str, bytes]]:
        names = ("b.json", "b.csv", "yolo")
        places = [word for name in names for word in ("--boxes", folder / name)]
        command = ["predict", study.folder, *pictures(study)[:9], tmp_path / "bad.png", *pictures(study)[9:]]
        code, _, _ = weigh(capsys, *command, "-o", folder / "rows.csv", *places, "--overlays", folder / "drawn")
        return code, {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    code, whole = predict(tmp_path / "whole")
    assert code == 0
    monkeypatch.setattr(SavedModel, "outputs", interrupted)
    code, begun = predict(tmp_path / "torn")
    assert code == 130
    assert {"rows.csv.part", "b.json.part", "b.csv.part"} < set(begun)
    code, gone_on = predict(tmp_path / "torn")
    assert code == 0
    assert len(calls) == 5
    assert gone_on == whole


def test_files_of_answers_that_were_deleted_since_are_made_again(study, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(meaning, "ALIKE", 2)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    command = [
        "predict",
        study.folder,
        tmp_path / "bad.png",
        *pictures(study)[:4],
        "-o",
        tmp_path / "rows.csv",
        "--overlays",
        tmp_path / "drawn",
    ]
    begun = predicting.RowWriter.text

    def stop_at(n):
        calls = []

        def interrupted(self, block):
            calls.append(1)
            if len(calls) == n:
                raise KeyboardInterrupt
            return begun(self, block)

        monkeypatch.setattr(predicting.RowWriter, "text", interrupted)

    stop_at(3)
    assert weigh(capsys, *command)[0] == 130
    stop_at(1)
    assert "it is gone on with" in weigh(capsys, *command)[2]
    shutil.rmtree(tmp_path / "drawn")
    stop_at(0)
    code, _, err = weigh(capsys, *command)
    assert code == 0
    assert "cannot be gone on with (files of answers that are gone): all is predicted anew." in err
    assert len(list((tmp_path / "drawn").rglob("*.png"))) == 4


def test_files_of_answers_are_written_where_nobody_reads_the_rows(study, capsys, tmp_path, monkeypatch):
    def closed(*_):
        raise BrokenPipeError

    monkeypatch.setattr(meaning, "ALIKE", 2)
    monkeypatch.setattr(predicting, "print_data", closed)
    command = ["predict", study.folder, *pictures(study)[:4]]
    assert weigh(capsys, *command, "--boxes", tmp_path / "b.json", "--overlays", tmp_path / "drawn")[0] == 0
    json.loads((tmp_path / "b.json").read_text("utf-8"))
    assert len(list((tmp_path / "drawn").rglob("*.png"))) == 4


def test_what_predict_writes_is_read_beside_the_gold_file(study, capsys, tmp_path):
    """Its ids are others than those of the gold file: names count."""
    assert weigh(capsys, "predict", study.folder, *pictures(study), "--boxes", tmp_path / "mine.json")[0] == 0
    gold = study.folder.parent / "data" / "instances.json"
    code, out, err = weigh(capsys, "read", tmp_path / "mine.json", "--gold", gold, "--format", "json")
    assert code == 0, err
    document = json.loads(out)
    assert not [f for f in document["findings"] if f["kind"] in ("other-pictures", "unlabelled-class", "internal")]
    score = next(f for f in document["findings"] if f["id"] == "verdict")["estimates"]["score"]["value"]
    assert np.isfinite(score)


def test_yolo_text_that_predict_writes_is_data(study, capsys, tmp_path):
    """As a start for labelling: the folder beside the pictures is a data set."""
    for path in pictures(study)[:12]:
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / path.rpartition("/")[2]).symlink_to(path)
    assert weigh(capsys, "predict", study.folder, tmp_path / "images", "--boxes", tmp_path / "labels")[0] == 0
    code, out, err = weigh(capsys, "data", tmp_path, "--task", "object-detection", "--format", "json")
    assert code == 0, err
    assert "12" in out


def test_masks_of_a_study_of_boxes_are_refused(study, capsys, tmp_path):
    code, _, err = weigh(capsys, "predict", study.folder, pictures(study)[0], "--masks", tmp_path / "out")
    assert code == 2
    assert "--boxes OUT" in err
    assert not (tmp_path / "out").exists()
