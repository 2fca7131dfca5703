"""Studies of whole detectors through the command line: trained, saved, told, written as ONNX; what they cannot do is refused by the plan."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.box_scenes import CLASSES, draw_rectangles
from tests.boxes import annotations_of
from tests.own_detectors import save_tiny
from weigh.cli.main import main
from weigh.errors import ModelError
from weigh.study import Study

pytest.importorskip("transformers")
FAST = ["design.folds=2", "design.repeats=1", "run.threads=1", "run.offline=true"]
SMALL = [f"recipes.{recipe}.{option}" for recipe in ("finetune", "decoder") for option in ("epochs=1", "image_size=96")]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("scenes")
    names, targets = draw_rectangles(root / "images", 18)
    content = annotations_of(targets, len(CLASSES))
    for image, name in zip(content["images"], names, strict=True):
        image |= {"file_name": str(name)}
    content["categories"] = [{"id": c, "name": name} for c, name in enumerate(CLASSES)]
    (root / "instances.json").write_text(json.dumps(content), "utf-8")
    return root


@pytest.fixture(scope="module")
def study(scenes, tmp_path_factory) -> Study:
    root = tmp_path_factory.mktemp("own")
    address = save_tiny("detr", root / "detr")
    return Study.from_data(
        scenes, [address], ["finetune", "decoder"], settings=[*FAST, *SMALL], folder=root / "study"
    ).run()


def test_it_is_studied_as_any_other_model(study):
    results = study.results()
    assert {record.status for record in results.records} == {"done"}
    assert {c.recipe for c in results.candidates} == {"finetune", "decoder"}
    assert not [f.sentence.en for f in study.read() if f.kind == "internal"]
    facts = [record.facts for record in results.records]
    assert all(len(one["history"]) == 1 and np.isfinite(one["history"][0]["loss"]) for one in facts)
    trained = {one.get("n_trained", one["n_parameters"]) for one in facts}
    assert len(trained) == 2  # of the decoder's runs all but the backbone


def test_the_saved_model_answers_and_its_onnx_file_opens_with_the_lines_of_the_readme(study, scenes, capsys, tmp_path, monkeypatch):  # fmt: skip
    onnxruntime = pytest.importorskip("onnxruntime")
    pictures = sorted(map(str, (scenes / "images").glob("*.png")))[:3]
    assert main(["predict", str(study.folder), *pictures, "--boxes", str(tmp_path / "boxes.json")]) == 0
    told = json.loads((tmp_path / "boxes.json").read_text("utf-8"))
    assert told
    assert {one["category"] for one in told} <= set(CLASSES)
    capsys.readouterr()
    assert main(["export", str(study.folder), "--onnx"]) == 0
    assert "largest difference" in capsys.readouterr().out
    (file,) = study.folder.rglob("*.onnx")
    session = onnxruntime.InferenceSession(str(file))
    facts = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    assert facts["overlap"] == 1.0  # it gives no box twice by itself
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    lines = next(code for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if '"boxes", "scores"' in code)
    (tmp_path / "model.onnx").write_bytes(file.read_bytes())
    Image.open(pictures[0]).convert("RGB").save(tmp_path / "new.jpg")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    exec(lines, {})
    assert capsys.readouterr().out.count("\n") >= 0


@pytest.mark.parametrize(
    ("kind", "recipe", "setting", "message"),
    [("detr", "last-stage", None, "Recipes that remain for it: finetune, decoder, scratch"),
     ("yolos", "probe", None, "Recipes that remain for it: finetune, scratch"),
     ("detr", "finetune", "recipes.finetune.class_weights=balanced", "loss of its own")],
)  # fmt: skip
def test_what_it_cannot_do_is_said_before_anything_runs(kind, recipe, setting, message, scenes, tmp_path):
    address = save_tiny(kind, tmp_path / kind)
    settings = [*FAST, *([setting] if setting else [])]
    study = Study.from_data(scenes, [address], [recipe], settings=settings, folder=tmp_path / "study")
    with pytest.raises(ModelError) as refused:
        study.plan()
    assert message in refused.value.render("en")
    assert not list((tmp_path / "study").rglob("*.npz"))


def test_a_task_without_boxes_refuses_it_and_says_what_it_is_for(photos, tmp_path):
    address = save_tiny("detr", tmp_path / "detr")
    study = Study.from_data(photos, [address], ["finetune"], settings=FAST, folder=tmp_path / "study")
    with pytest.raises(ModelError, match="object-detection") as refused:
        study.plan()
    assert "boxes, by a detector of its own" in refused.value.render("en")
