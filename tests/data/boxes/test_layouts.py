"""Every layout in which people keep boxes gives the same boxes, and is found without being named."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.data.boxes.box_files import (
    LAYOUTS,
    NAMES,
    TRUTH,
    boxes_of,
    paint_all,
    read,
    write_coco,
    write_csv,
    write_voc,
    write_yolo,
)
from tests.data.masks.mask_files import write
from weigh.data.pictures.class_table import class_table
from weigh.data.recognition.tasks import recognise_task
from weigh.tasks import OBJECT_DETECTION

PLACES = {
    **LAYOUTS,
    "COCO in annotations/": partial(write_coco, file="annotations/instances_train2017.json"),
    "VOC from 1": partial(write_voc, origin=1),
    "VOC beside the pictures": partial(write_voc, pictures=".", labels="."),
    "VOC in other words": partial(write_voc, pictures="images", labels="annotations"),
    "VOC one folder further in": lambda root: write_voc(root / "VOCdevkit/VOC2007").parents[1],
    "YOLO beside the pictures": partial(write_yolo, pictures=".", labels="."),
    "YOLO with classes.txt": lambda root: (write_yolo(root, file=None), write(root / "classes.txt", "\n".join(NAMES)))[
        0
    ],
    "YOLO with classes among labels": lambda root: (
        write_yolo(root, file=None),
        write(root / "labels/classes.txt", "\n".join(NAMES)),
    )[0],
    "YOLO by its data.yaml": lambda root: write_yolo(root) / "data.yaml",
    "YOLO of darknet": lambda root: (
        write_yolo(root, pictures="data/obj", labels="data/obj", file=None),
        write(root / "obj.names", "\n".join(NAMES)),
    )[0],
    "COCO by its file": lambda root: write_coco(root) / "instances.json",
    "a table beside its pictures": lambda root: write_csv(root).parent,
    "COCO one folder further in": lambda root: write_coco(root / "inner").parent,
}


@pytest.mark.parametrize("place", PLACES)
def test_all_layouts_read_alike(tmp_path, place):
    source = PLACES[place](tmp_path / "d")
    task, reason, _ = recognise_task(source)
    assert task == OBJECT_DETECTION
    assert reason.en != reason.zh
    examples, problems = read(source)
    assert set(examples.classes) == set(NAMES)
    for picture, boxes in TRUTH.items():
        assert boxes_of(examples, picture) == sorted((c, *map(float, box)) for c, *box in boxes)
    assert not [p.kind for p in problems.values() if p.severity != "note" and p.kind != "origin"]


TRAIN, VAL, TEST = ({k: v} for k, v in list(TRUTH.items())[:3])


def _coco_files(root):
    for part, truth, names in (
        ("train", TRAIN | {"3": TRUTH["3"]}, NAMES),
        ("val", VAL, NAMES[::-1]),
        ("test", TEST, NAMES[1:] + NAMES[:1]),
    ):
        write_coco(root, truth, names, f"annotations/instances_{part}2017.json")
    write(root / "annotations/captions_val2017.json", {"images": [], "annotations": [{"caption": "a", "image_id": 0}]})
    return root


def _coco_published(root, above=""):
    _coco_files(root)
    for part, truth in (("train", TRAIN | {"3": TRUTH["3"]}), ("val", VAL), ("test", TEST)):
        for picture in truth:
            folder = root / above / f"{part}2017"
            folder.mkdir(parents=True, exist_ok=True)
            (root / f"images/{picture}.png").rename(folder / f"{picture}.png")
    return root


def _coco_folders(root):
    for part, truth, names in (
        ("train", TRAIN | {"3": TRUTH["3"]}, NAMES),
        ("valid", VAL, NAMES[::-1]),
        ("test", TEST, NAMES),
    ):
        write_coco(root / part, truth, names, "_annotations.coco.json")
        for picture in (root / part / "images").iterdir():
            picture.rename(root / part / picture.name)
        (root / part / "images").rmdir()
    return root


def _voc_lists(root):
    write_voc(root)
    for part, names in (("train", "0 3"), ("val", "1"), ("test", "2"), ("trainval", "0 1 3"), ("cat_train", "0 3")):
        write(root / f"ImageSets/Main/{part}.txt", "\n".join(names.split()) + "\n")
    return root


def _voc_folders(root):
    for part, truth in (("train", TRAIN | {"3": TRUTH["3"]}), ("valid", VAL), ("test", TEST)):
        write_voc(root / part, truth, pictures=".", labels=".")
    return root


def _yolo_folders(root):
    for part, truth in (("train", TRAIN | {"3": TRUTH["3"]}), ("valid", VAL), ("test", TEST)):
        write_yolo(root / part, truth, file=None)
    write(
        root / "data.yaml",
        f"train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 3\nnames: {list(NAMES)}\n",
    )
    return root


def _yolo_inner(root):
    for part, truth in (("train", TRAIN | {"3": TRUTH["3"]}), ("val", VAL), ("test", TEST)):
        write_yolo(root, truth, pictures=f"images/{part}", labels=f"labels/{part}", file=None)
    names = "\n".join(f"  {i}: {name}" for i, name in enumerate(NAMES))
    write(
        root / "coco8.yaml",
        f"path: ../datasets/coco8\ntrain: images/train\nval: images/val\ntest: images/test\nnames:\n{names}\n",
    )
    return root


def _yolo_lists(root):
    write_yolo(root, file=None)
    write(root / "classes.txt", "\n".join(NAMES))
    for part, names in (("train", "03"), ("val", "1"), ("test", "2")):
        write(root / f"{part}.txt", "\n".join(f"/home/me/data/images/{n}.png" for n in names))
    return root


PARTS = {
    "COCO files": _coco_files, "COCO as published": _coco_published, "COCO below images": partial(_coco_published, above="images"), "COCO folders": _coco_folders, "VOC lists": _voc_lists, "VOC folders": _voc_folders,
    "YOLO folders": _yolo_folders, "YOLO inner folders": _yolo_inner, "YOLO lists": _yolo_lists,
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_parts_are_found_and_classes_matched_by_name(tmp_path, name):
    root = PARTS[name](tmp_path / "d")
    assert recognise_task(root).task == OBJECT_DETECTION
    examples, problems = read(root)
    parts = {p.rsplit("/")[-1][0]: part for p, part in zip(examples.path.tolist(), examples.part.tolist(), strict=True)}
    assert parts == {"0": "train", "1": "train", "2": "test", "3": "train"}
    for picture, boxes in TRUTH.items():
        assert boxes_of(examples, picture) == sorted((c, *map(float, box)) for c, *box in boxes)
    assert ("class-ids" in problems) == name.startswith("COCO")  # their ids differ from file to file
    assert problems["split"].severity == "note"


def test_parts_may_use_the_same_names(tmp_path):
    for part, shift in (("train", 0), ("val", 5)):
        moved = {k: [(c, x + shift, y, r, b) for c, x, y, r, b in v] for k, v in TRUTH.items()}
        write_coco(tmp_path, moved, NAMES, f"annotations/instances_{part}2017.json")
        (tmp_path / "images").rename(tmp_path / f"{part}2017")
    examples, problems = read(tmp_path)
    assert "missing" not in problems
    assert sorted(examples.path.tolist()) == sorted(f"{p}2017/{k}.png" for p in ("train", "val") for k in TRUTH)


def test_a_test_part_of_its_own_in_another_layout(tmp_path):
    train = write_coco(tmp_path / "train", {k: TRUTH[k] for k in "0123"})
    renamed = {f"t{k}": v for k, v in TRUTH.items()}
    test = write_yolo(tmp_path / "other", renamed, NAMES[::-1])
    examples, problems = read(train, test=str(test))
    assert (examples.part == "test").sum() == 4
    for picture, boxes in renamed.items():
        assert boxes_of(examples, picture) == sorted((c, *map(float, box)) for c, *box in boxes)
    assert "class-ids" in problems


def test_names_that_differ_in_writing_between_parts_are_named(tmp_path):
    train = write_coco(tmp_path / "train")
    test = write_coco(
        tmp_path / "test", {f"t{k}": [(c.title(), *b) for c, *b in v] for k, v in TRUTH.items()}, ("Cat", "Dog", "Bird")
    )
    examples, problems = read(train, test=str(test))
    assert "cat = Cat" in problems["class-names"].sentence.en
    assert all(n == "" for n, *_ in boxes_of(examples, "t0"))
    assert "unknown-class" in problems


def test_names_that_differ_in_writing_within_one_folder_are_named(tmp_path):
    write_coco(tmp_path, TRAIN | {"3": TRUTH["3"]}, NAMES, "annotations/instances_train.json")
    write_coco(tmp_path, {"1": [("CAT", 1, 1, 9, 9)]}, ("CAT",), "annotations/instances_val.json")
    _, problems = read(tmp_path)
    assert "cat = CAT" in problems["class-names"].sentence.en


def test_coco_files_that_are_passed_over_are_named(tmp_path):
    """Only those called instances are read, where there are such."""
    write_coco(tmp_path, TRUTH, NAMES, "annotations/instances_train.json")
    write_coco(tmp_path, VAL, NAMES, "annotations/val.json")
    examples, problems = read(tmp_path)
    assert len(examples) == 4
    assert problems["other-files"].paths == ("annotations/val.json",)
    assert problems["other-files"].severity == "note"


def test_a_broken_table_beside_boxes_changes_nothing(tmp_path):
    write_voc(tmp_path)
    (tmp_path / "notes.csv").write_bytes(b"\x00\x01\x02" * 50)
    assert recognise_task(tmp_path).task == OBJECT_DETECTION
    assert len(read(tmp_path)[0]) == 4


def test_a_folder_of_several_layouts_says_what_is_read(tmp_path):
    write_yolo(write_coco(tmp_path / "d"))
    examples, problems = read(tmp_path / "d")
    assert "COCO is read" in problems["layouts"].sentence.en
    assert len(examples) == 4
    assert read(tmp_path / "d/data.yaml")[1].keys() == set()


NOT_BOXES = {
    "a table of classes": lambda root: write(
        root / "a.csv", "path,label,x,y\n" + "\n".join(f"images/{k}.png,cat,1,2" for k in TRUTH)
    ),
    "a broken table": lambda root: (root / "a.csv").write_bytes(b"\x00\x01\x02" * 50),
    "captions": lambda root: write(root / "a.json", {"images": [], "annotations": "x"}),
    "texts beside pictures": lambda root: [write(root / f"images/{k}.txt", "a cat on a mat\n") for k in TRUTH],
    "xml of something else": lambda root: write(root / "x.xml", "<rss><channel/></rss>"),
    "numbers of something else": lambda root: write(root / "labels/notes.txt", "3 of them were red\n"),
    "an empty yaml": lambda root: write(root / "data.yaml", "names: 3\n"),
}


@pytest.mark.parametrize("name", NOT_BOXES)
def test_other_files_are_not_taken_for_boxes(tmp_path, name):
    paint_all(tmp_path)
    NOT_BOXES[name](tmp_path)
    assert recognise_task(tmp_path).task != OBJECT_DETECTION


def test_coco_without_categories_or_pictures_is_an_error_in_words(tmp_path):
    write_coco(tmp_path)
    content = json.loads((tmp_path / "instances.json").read_text())
    del content["categories"]
    write(tmp_path / "instances.json", content)
    from weigh.errors import DataError

    with pytest.raises(DataError, match="categories"):
        read(tmp_path)


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_text_in_other_encodings(tmp_path, codec):
    root = write_yolo(tmp_path, file=None)
    write(root / "classes.txt", "\n".join(NAMES))
    write_csv(tmp_path)
    for file in (*(root / "labels").iterdir(), root / "classes.txt", root / "boxes.csv"):
        file.write_bytes(file.read_text().encode(codec))
    for source in (root, root / "boxes.csv"):
        examples, _ = read(source)
        for picture, boxes in TRUTH.items():
            assert boxes_of(examples, picture) == sorted((c, *map(float, box)) for c, *box in boxes)


def test_a_data_yaml_is_data_and_no_study(tmp_path):
    from weigh.cli.options import Typed, open_study

    file = write_yolo(tmp_path / "d") / "data.yaml"
    study = open_study(Typed(str(file), models=["timm:resnet18"], output=tmp_path / "s"))
    assert study.spec.data.train == str(file)


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("[cat, no, dog]", ("cat", "no", "dog")),
        ("[on, 7, 2024-05-01]", ("on", "7", "2024-05-01")),
        ("[0, 1, 2]", ("0", "1", "2")),
        ("[01, 02, 10]", ("01", "02", "10")),
        ("[true, null, x]", ("True", "null", "x")),
        ("{0: yes, 1: no, 2: 9}", ("yes", "no", "9")),
        ("{road: 2, sky: 0, no: 1}", ("sky", "no", "road")),
    ],
)
def test_names_that_yaml_takes_for_something_else_are_names_at_their_place(tmp_path, written, names):
    """Left out, those behind them moved up: class 1 of [cat, no, dog] was called dog."""
    write(tmp_path / "data.yaml", f"names: {written}\n")
    table = class_table(str(tmp_path / "data.yaml"), [tmp_path])
    assert table is not None
    by_number = {i if entry.value is None else entry.value: entry.name for i, entry in enumerate(table.entries)}
    assert tuple(by_number[i] for i in range(3)) == names


def test_a_list_of_numbers_beside_masks_names_no_classes(tmp_path):
    write(tmp_path / "labels.json", "[0, 1, 1, 0]")
    assert class_table(None, [tmp_path]) is None
