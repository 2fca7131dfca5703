"""A saved detector in other hands: the lines of the README that open its ONNX file without weigh, and the files of `weigh predict`."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.box_scenes import CLASSES, draw_rectangles
from weigh.data.examples import Examples, NewExamples
from weigh.errors import SpecError
from weigh.growing import GrowingFiles
from weigh.heads.network_task import network_task
from weigh.kinds.boxes import BOXES
from weigh.models.pretrained import load_model
from weigh.saved.meaning import Meaning
from weigh.saved.model import load_saved, save_model
from weigh.saved.pictures import AnswerFiles
from weigh.train.determinism import torch_generator

ROOT = Path(__file__).parents[2]
TOLD = 0.0102  # of random weights scores lie about .01


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """A saved detector with random weights, and the pictures that it is asked about."""
    root = tmp_path_factory.mktemp("detector")
    names, targets = draw_rectangles(root / "pictures", 5)
    blank = np.full(len(names), "")
    scenes = Examples(root / "pictures", names, targets, CLASSES, blank, np.arange(len(names)), blank, BOXES)
    options = BOXES.resolved({"image_size": 96}, targets)
    model = load_model(tiny, pretrained=True, offline=True)
    model.configure(options)
    network = network_task("object-detection").build(model, scenes, torch_generator(0))
    network.settle({"threshold": TOLD})
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    meaning = Meaning("object-detection", BOXES, CLASSES, 1.0, np.zeros(3), margins=np.array([1.0, 2.0, 0.0]))
    save_model(root / "model", address=tiny, weights=weights, meaning=meaning, options=options, frozen=False, facts={})
    return root


@pytest.fixture(scope="module")
def answered(folder):
    """Paths, rows and decisions."""
    paths, decided = sorted(map(str, (folder / "pictures").glob("*.png"))), {}
    rows = load_saved(folder / "model").predict_new(NewExamples.of_files(paths), each=decided.__setitem__)
    return paths, rows, [decided[i] for i in range(len(paths))]


def test_a_row_counts_what_is_told(answered):
    _, rows, decided = answered
    for row, answer in zip(rows, decided, strict=True):
        told = np.bincount(answer.told().classes, minlength=3)
        assert [row[f"count:{name}"] for name in CLASSES] == told.tolist()
        assert [row[f"count_high:{name}"] for name in CLASSES] == np.add(told, [1, 2, 0]).tolist()
    assert (
        0
        < sum(row[f"count:{CLASSES[0]}"] + row[f"count:{CLASSES[1]}"] + row[f"count:{CLASSES[2]}"] for row in rows)
        < 500
    )


@pytest.fixture(scope="module")
def exported(folder):
    """The model as ONNX."""
    pytest.importorskip("onnxruntime")
    from weigh.saved.onnx_file import export_onnx

    assert export_onnx(folder / "model", folder / "model.onnx") < 1e-2
    return folder / "model.onnx"


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_lines_of_the_readme_find_what_predict_finds(exported, answered, tmp_path, monkeypatch, name):
    (tmp_path / "model.onnx").write_bytes(exported.read_bytes())
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    (lines,) = [block for block in blocks if '"boxes", "scores"' in block]
    monkeypatch.chdir(tmp_path)
    for path, answer in zip(answered[0], answered[2], strict=True):
        (tmp_path / "new.jpg").write_bytes(Path(path).read_bytes())
        printed: list[tuple] = []
        exec(lines, {"print": lambda *values, kept=printed: kept.append(values)})
        told = answer.told()
        theirs = np.array([(CLASSES.index(label), float(score), *box) for label, score, box in printed]).reshape(-1, 6)
        mine = np.column_stack([told.classes, told.scores, told.corners])
        assert len(theirs) == len(mine)
        apart = np.abs(theirs[:, None] - mine[None]).max(axis=2)  # equal scores may come in another order
        assert apart.min(axis=0, initial=1).max(initial=0) < 0.05
        assert apart.min(axis=1, initial=1).max(initial=0) < 0.05


def test_predict_writes_boxes_in_all_forms_and_draws_them(answered, tmp_path):
    paths, _, decided = answered
    targets = [tmp_path / "found.json", tmp_path / "found.csv", tmp_path / "yolo"]
    files = AnswerFiles(BOXES, CLASSES, paths, {"boxes": targets}, tmp_path / "drawn")
    with GrowingFiles(files.targets, {}, resumes=False) as growing:
        files.open(growing)
        for i, answer in enumerate(decided[:-1]):  # the last picture could not be read
            files.write(i, answer)
        files.close()
        growing.finish()
    rows = json.loads((tmp_path / "found.json").read_text("utf-8"))
    assert len(rows) == sum(len(answer.scores) for answer in decided[:-1])
    table = list(csv.DictReader((tmp_path / "found.csv").read_text("utf-8").splitlines()))
    assert {row["path"] for row in table} == {Path(path).name for path in paths[:-1]}
    assert sum(row["label"] != "" for row in table) == sum(len(answer.told().scores) for answer in decided[:-1])
    assert {file.name for file in (tmp_path / "yolo").iterdir()} == {
        "classes.txt",
        *(f"{Path(p).stem}.txt" for p in paths[:-1]),
    }
    for path in paths[:-1]:
        with Image.open(tmp_path / "drawn" / Path(path).name) as drawn, Image.open(path) as picture:
            assert drawn.size == picture.size


@pytest.mark.parametrize(
    ("target", "told"), [("found.txt", "nothing is written as .txt"), ("found.xml", "answers.json, answers.csv")]
)
def test_a_form_that_nobody_knows_is_said(tmp_path, target, told):
    with pytest.raises(SpecError, match=told):
        AnswerFiles(BOXES, CLASSES, ["a.png"], {"boxes": [tmp_path / target]}, None)
    assert not any(tmp_path.iterdir())


def test_a_folder_that_is_there_may_have_a_name_with_a_point(tmp_path):
    (tmp_path / "boxes.v2").mkdir()
    files = AnswerFiles(BOXES, CLASSES, ["a.png"], {"boxes": [tmp_path / "boxes.v2"]}, None)
    with GrowingFiles(files.targets, {}, resumes=False) as growing:
        files.open(growing)
    assert (tmp_path / "boxes.v2" / "classes.txt").read_text() == "red\ngreen\nblue\n"


@pytest.mark.parametrize("sources", [["p"], []])
def test_labels_beside_the_pictures_are_not_replaced(tmp_path, monkeypatch, sources):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        SpecError, match=r"--boxes p: what is written would lie in p, the folder of the pictures\.\nLabels"
    ):
        AnswerFiles(BOXES, CLASSES, ["p/1.jpg"], {"boxes": [Path("p")]}, None, [Path(one) for one in sources])
    with pytest.raises(SpecError, match="would lie in p/a, "):
        AnswerFiles(BOXES, CLASSES, ["p/a/1.jpg", "p/b/2.jpg"], {"boxes": [Path("p")]}, None)
    with pytest.raises(SpecError, match="--boxes and --overlays both name"):
        AnswerFiles(BOXES, CLASSES, ["p/1.jpg"], {"boxes": [Path("b.json")]}, Path("b.json"))
    AnswerFiles(BOXES, CLASSES, ["p/1.jpg"], {"boxes": [Path("q")]}, Path("q"))
