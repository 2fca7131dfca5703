"""The two real data sets: everything that is known to be odd about them is named, and two layouts of one agree."""

from __future__ import annotations

import json

import numpy as np

from tests.data.boxes.box_files import read
from weigh.data.readers import read_and_check
from weigh.data.recognition.tasks import recognise_task
from weigh.spec import DataSpec
from weigh.tasks import OBJECT_DETECTION


def test_blood_cells(shared):
    folder = shared / "boxes/bccd"
    assert recognise_task(folder).task == OBJECT_DETECTION
    examples, problems = read(folder)
    assert len(examples) == 364
    assert (examples.part == "test").sum() == 72
    assert problems["split"].numbers["n"] == 87
    assert examples.classes == ("Platelets", "RBC", "WBC")
    assert sum(len(b.classes) for b in examples.target) == 4886
    assert problems["empty-box"].paths == (
        "Annotations/BloodImage_00338.xml:163",
        "Annotations/BloodImage_00343.xml:55",
    )
    assert (problems["origin"].numbers["zeros"], problems["origin"].numbers["n"]) == (0, 610)
    assert "data.origin=0" in problems["origin"].do.en
    low = np.concatenate([b.corners for b in examples.target])[:, :2]
    assert low.min() == 0


def test_two_readings_of_coco_agree(shared):
    folder = shared / "boxes/coco128"
    assert recognise_task(folder).task == recognise_task(folder / "yolo_classes.yaml").task == OBJECT_DETECTION
    coco, problems = read(folder)
    yolo, named = read(folder / "yolo_classes.yaml")
    assert coco.classes == yolo.classes
    assert len(coco.classes) == 71
    assert problems["ignored"].numbers == {"n": 9, "crowds": 10}
    assert set(problems["no-objects"].paths) == set(named["no-labels"].paths)
    assert [p[-7:] for p in named["no-labels"].paths] == ["250.jpg", "508.jpg"]
    assert [p[-7:] for p in named["lonely-labels"].paths] == ["656.txt", "659.txt"]
    of_yolo = dict(zip(yolo.path.tolist(), yolo.target, strict=True))
    compared = 0
    for path, boxes in zip(coco.path.tolist(), coco.target, strict=True):
        own = of_yolo.get(path)
        drawn, other = _shares(boxes), _shares(own) if own is not None else []
        assert len(drawn) == len(other)
        compared += len(drawn)
        for a in drawn:  # the nearest of its class: sorting by a rounded number may exchange two
            assert min(np.abs(np.subtract(a[1:], b[1:])).max() for b in other if a[0] == b[0]) <= 5e-7 + 1e-12
    assert compared == 929


def _shares(boxes):
    """Class, centre and size as shares of the picture, which YOLO writes with six digits."""
    corners = (boxes.corners / np.tile([boxes.width, boxes.height], 2))[~boxes.crowd]
    four = np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)
    return [(c, *row) for c, row in zip(boxes.classes[~boxes.crowd], four.tolist(), strict=True)]


def test_classes_that_cannot_be_judged_are_named_before_anything_is_trained(shared):
    examples, problems = read_and_check(DataSpec(train=str(shared / "boxes/coco128")), OBJECT_DETECTION, offline=True)
    few = next(p for p in problems if p.kind == "few-pictures")
    content = json.loads((shared / "boxes/coco128/instances_train2017.json").read_text())
    names = {c["id"]: c["name"] for c in content["categories"]}
    held: dict[str, set] = {}
    for row in content["annotations"]:
        if not row["iscrowd"]:
            held.setdefault(names[row["category_id"]], set()).add(row["image_id"])
    assert {row["class"] for row in few.details} == {name for name, pictures in held.items() if len(pictures) < 8}
    assert few.numbers["classes"] == sum(len(pictures) < 8 for pictures in held.values())
    assert not [p for p in problems if p.severity == "error"]
    assert len(examples) == 128
