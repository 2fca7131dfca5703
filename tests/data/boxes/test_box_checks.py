"""What the checks of pictures and classes say where examples are labelled with boxes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.data.boxes.box_files import LAYOUTS, NAMES, SIZE, write_coco, write_voc, write_yolo
from tests.data.masks.mask_files import paint
from weigh.data.boxes import index as box_index
from weigh.data.boxes.cleaning import FLAWS
from weigh.data.classes import size_in_words
from weigh.data.readers import read_and_check
from weigh.findings.data_problems import QUESTIONS, findings_from_problems
from weigh.spec import DataSpec
from weigh.tasks import OBJECT_DETECTION


def _many(n, first=0, classes=NAMES):
    """Pictures with a box of one class each, in turns."""
    return {str(first + i): [(classes[i % len(classes)], 4, 4, 40, 30)] for i in range(n)}


def _check(train, **options):
    examples, problems = read_and_check(DataSpec(train=str(train), **options), OBJECT_DETECTION, offline=True)
    return examples, {p.kind: p for p in problems}, problems


def test_classes_in_too_few_pictures_are_named_part_by_part(tmp_path):
    train = write_coco(tmp_path / "a", _many(24) | {"90": [("dog", 1, 1, 9, 9)] * 1})
    test = write_coco(tmp_path / "b", {f"t{k}": v for k, v in _many(20, classes=("cat", "dog")).items()})
    examples, problems, _ = _check(train, test=str(test))
    assert problems["few-pictures"].details == ({"class": "bird", "part": "test", "pictures": 0},)
    assert "bird (0)" in problems["few-pictures"].sentence.en
    assert "tiny-class" in problems or "few-pictures" in problems
    assert (examples.class_counts(np.arange(len(examples))) > 7).all()


def test_rare_classes_of_the_training_part(tmp_path):
    _, problems, every = _check(
        write_coco(tmp_path, _many(20, classes=("cat", "dog")) | {"90": [("bird", 1, 1, 9, 9), ("bird", 20, 1, 29, 9)]})
    )
    assert [row["class"] for p in every if p.kind == "few-pictures" for row in p.details] == ["bird"]
    assert problems["few-pictures"].numbers == {"classes": 1, "limit": 8}
    assert "tiny-class" not in problems


def test_copies_across_parts_are_a_leak(tmp_path):
    root = write_voc(tmp_path, _many(12))
    for part, names in (("train", range(8)), ("test", range(8, 12))):
        (root / "ImageSets/Main").mkdir(parents=True, exist_ok=True)
        (root / f"ImageSets/Main/{part}.txt").write_text("\n".join(map(str, names)))
    shutil.copy(root / "JPEGImages/2.png", root / "JPEGImages/9.png")
    _, problems, _ = _check(root)
    assert set(problems["leak"].paths) == {"JPEGImages/2.png", "JPEGImages/9.png"}


def test_copies_with_other_boxes_contradict_each_other(tmp_path):
    root = write_yolo(tmp_path, _many(9))
    shutil.copy(root / "images/1.png", root / "images/2.png")
    _, problems, _ = _check(root)
    assert set(problems["label-conflict"].paths) == {"images/1.png", "images/2.png"}


def test_a_damaged_picture_is_set_aside(tmp_path):
    root = write_yolo(tmp_path, _many(9))
    (root / "images/4.png").write_bytes((root / "images/4.png").read_bytes()[:200])
    examples, problems, _ = _check(root)
    assert problems["unreadable"].paths == ("images/4.png",)
    assert len(examples) == 8


def test_neighbours_in_a_sequence_stand_in_several_parts(tmp_path):
    truth = {f"film_{i:03}": [("cat", 4, 4, 40, 30)] for i in range(40)}
    root = write_yolo(tmp_path, truth)
    scene = np.random.default_rng(0).integers(0, 256, (SIZE[0], SIZE[1] + 80, 3), dtype=np.uint8)
    from PIL import Image

    for i, name in enumerate(truth):
        smooth = Image.fromarray(scene[:, 2 * i : 2 * i + SIZE[1]]).resize((8, 6)).resize(SIZE[::-1])
        smooth.save(root / f"images/{name}.png")
    (root / "train.txt").write_text("\n".join(f"images/{n}.png" for n in list(truth)[::2]))
    (root / "test.txt").write_text("\n".join(f"images/{n}.png" for n in list(truth)[1::2]))
    _, problems, _ = _check(root)
    assert problems.keys() & {"sequence-leak", "near-leak"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_clean_data_set_is_called_clean_in_two_languages(tmp_path, layout):
    truth = {k: [(c, *b) for c, *b in v] for k, v in _many(30).items()}
    for k in list(truth)[::2]:
        truth[k] = [(truth[k][0][0], 0, 0, 64, 40)]  # from border to border
    examples, _, problems = _check(LAYOUTS[layout](tmp_path, truth))
    assert not [p.kind for p in problems if p.severity != "note"]
    findings = findings_from_problems([size_in_words(examples), *problems], examples)
    assert "30 pictures (30 train, 0 test) with 3 types of objects" in findings[0].sentence.en
    assert findings[-1].id == "data:clean"
    assert all("Is there a problem of the kind" not in f.question.en for f in findings)


def test_every_kind_of_problem_has_a_question():
    source = Path(box_index.__file__).parent
    written = " ".join(file.read_text() for file in source.glob("*.py"))
    kinds = {*FLAWS, *re.findall(r'(?:Problem|set_aside|problem)\(\s*"([a-z-]+)"', written)}
    assert len(kinds) > 25
    assert kinds <= QUESTIONS.keys()


def test_a_picture_of_another_folder_is_not_opened(tmp_path):
    secret = paint(tmp_path / "secret.png")
    root = write_yolo(tmp_path / "d", _many(9))
    (root / "data.yaml").write_text(f"train: ../\nval: {secret}\npath: /\nnames: {list(NAMES)}\n")
    examples, _, _ = _check(root)
    assert "secret" not in " ".join(examples.path.tolist())
