"""The ILSVRC2012 validation pictures with each of the lists that people have; numberings are told apart or refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from weigh.data.pictures.imagenet import information, synsets
from weigh.data.pictures.imagenet_lists import FIRST_ILSVRC, FIRST_SORTED, list_validation, number_of_picture
from weigh.errors import DataError

CLASSES = [synsets()[number] for number in FIRST_SORTED]


def order_of_ilsvrc() -> dict[int, str]:
    """An order in which the first ten pictures have ILSVRC's numbers; of the others it is made up."""
    known = dict(zip(FIRST_ILSVRC, CLASSES, strict=True))
    others = iter(synset for synset in synsets() if synset not in CLASSES)
    return {number: known.get(number) or next(others) for number in range(1, 1001)}


@pytest.fixture
def folder(tmp_path):
    """Ten pictures as they are handed out, in one folder."""
    pictures = tmp_path / "ILSVRC2012_img_val"
    pictures.mkdir()
    for number in range(1, 11):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(pictures / f"ILSVRC2012_val_{number:08d}.JPEG")
    return pictures


def _write_solution(folder):
    rows = [f"ILSVRC2012_val_{i:08d},{synset} 1 2 3 4 {synset} 5 6 7 8" for i, synset in enumerate(CLASSES, 1)]
    (folder.parent / "LOC_val_solution.csv").write_text("\n".join(["ImageId,PredictionString", *reversed(rows)]))


def _write_numbers(folder, numbers, name="val.txt"):
    lines = [f"ILSVRC2012_val_{i:08d}.JPEG {number}" for i, number in enumerate(numbers, 1)]
    (folder.parent / name).write_text("\n".join(lines) + "\n")


def _write_truth(folder, *, order):
    (folder.parent / "ILSVRC2012_validation_ground_truth.txt").write_text("\n".join(map(str, FIRST_ILSVRC)) + "\n")
    if order == "meta.mat":
        entries = np.array(list(order_of_ilsvrc().items()), dtype=[("ILSVRC2012_ID", int), ("WNID", object)])
        savemat(folder.parent / "meta.mat", {"synsets": entries})
    elif order:
        rows = [f"{synset} {number} a_name" for number, synset in order_of_ilsvrc().items()]
        (folder.parent / "map_clsloc.txt").write_text("\n".join(rows))


WRITERS = {
    "solution": _write_solution,
    "numbers from 0": lambda folder: _write_numbers(folder, FIRST_SORTED),
    "numbers from 1": lambda folder: _write_numbers(folder, [number + 1 for number in FIRST_SORTED]),
    "synsets": lambda folder: _write_numbers(folder, CLASSES),
    "one corrected label": lambda folder: _write_numbers(folder, [*FIRST_SORTED[:9], 999]),
    "ground truth, meta.mat": lambda folder: _write_truth(folder, order="meta.mat"),
    "ground truth, map_clsloc.txt": lambda folder: _write_truth(folder, order="map"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_each_list_gives_synsets(folder, writer):
    WRITERS[writer](folder)
    expected = [*CLASSES[:9], synsets()[999]] if writer == "one corrected label" else CLASSES
    listing = list_validation(folder)
    assert listing.label == expected
    assert listing.path == [f"ILSVRC2012_val_{number:08d}.JPEG" for number in range(1, 11)]
    files = [path for path in folder.parent.iterdir() if path.suffix in (".txt", ".csv") and "map" not in path.name]
    assert list_validation(files[0]).label == expected


@pytest.mark.parametrize(
    ("write", "word"),
    [
        (lambda folder: None, "LOC_val_solution.csv"),
        (lambda folder: _write_truth(folder, order=None), "meta.mat"),
        (lambda folder: _write_numbers(folder, range(500, 510)), "synsets"),
        (lambda folder: _write_numbers(folder, [*FIRST_SORTED[:9], 4000]), "4000"),
        (lambda folder: (folder.parent / "val.txt").write_text("ILSVRC2012_val_00000001.JPEG 65\nwhat is this\n"), "line 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_refused(folder, write, word):
    write(folder)
    with pytest.raises(DataError) as refused:
        list_validation(folder)
    assert word in str(refused.value)


def test_a_part_of_the_pictures_and_pictures_without_labels(folder):
    _write_numbers(folder, FIRST_SORTED[:8])
    (folder / "ILSVRC2012_val_00000002.JPEG").unlink()
    listing = list_validation(folder)
    assert len(listing.path) == 7
    assert {problem.kind: problem.numbers["n"] for problem in listing.problems} == {"missing-label": 2, "missing": 1}


def test_a_list_without_its_pictures_names_the_setting(tmp_path):
    (tmp_path / "val.txt").write_text("ILSVRC2012_val_00000001.JPEG 65\n")
    with pytest.raises(DataError, match=r"data\.root"):
        list_validation(tmp_path / "val.txt")


@pytest.mark.parametrize("name", ["photos.csv", "val.txt", "labels.txt"])
def test_other_tables_are_left_to_others(tmp_path, name):
    (tmp_path / name).write_text("path,label\na.png,cat\n")
    assert list_validation(tmp_path / name) is None


def test_other_folders_are_left_to_others(tmp_path, photos):
    assert list_validation(photos) is None
    (tmp_path / "n01440764").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "n01440764" / "ILSVRC2012_val_00000293.JPEG")
    assert list_validation(tmp_path) is None


def test_the_known_labels_are_those_that_others_found_right():
    """ReaL's labels of the first pictures, made by people who looked at them, hold most of the numbers that decide between numberings."""
    lists = json.loads("".join(information("imagenet_real_labels.json")))
    agreeing = sum(number in labels for number, labels in zip(FIRST_SORTED, lists, strict=False))
    assert agreeing >= 7


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("ILSVRC2012_val_00000001.JPEG", 1),
        ("n01751748/ILSVRC2012_val_00050000.jpg", 50_000),
        ("ILSVRC2012_val_00000010", 10),
        ("ILSVRC2012_val_00050001.JPEG", None),
        ("ILSVRC2012_test_00000001.JPEG", None),
        ("photo.jpg", None),
    ],
)
def test_pictures_are_known_by_their_names(name, number):
    assert number_of_picture(name) == number
