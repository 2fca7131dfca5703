"""Masks among pictures, and classes that the file alone gives away: noticed, said, asked."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.data.picture_files import folder, read
from weigh.cli.main import main
from weigh.data.pictures.checks import check_pictures


def _picture(path, seed, size=(24, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)


def _mask(path, seed, size=(24, 20), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = np.random.default_rng(seed).integers(0, 2, size, dtype=np.uint8) * 255
    Image.fromarray(shape).convert(mode).save(path, quality=95)


PAIRS = {  # layouts of segmentation data: (pictures, masks), names with {i}
    "names that say it": ("image/{i}.png", "label/{i}.png", "L"),
    "of another language": ("bilder/{i}.jpg", "masken/{i}.png", "L"),
    "orig and seg": ("orig/cat_{i}.jpg", "seg/cat_{i}_seg.png", "P"),
    "an end to the name": ("a/{i}.png", "b/{i}_mask.png", "1"),
    "in folders below": ("photos/x/{i}.png", "zones/x/{i}-gt.png", "RGB"),
    "in parts": ("train/aa/{i}.png", "train/bb/{i}.png", "L"),
    "x and y": ("x/img{i}.png", "y/img{i}.png", "RGB"),
}


@pytest.mark.parametrize("layout", PAIRS)
def test_pictures_and_their_masks_are_no_two_classes(tmp_path, layout, capsys):
    pictures, masks, mode = PAIRS[layout]
    for i in range(8):
        _picture(tmp_path / "d" / pictures.format(i=i), i)
        _mask(tmp_path / "d" / masks.format(i=i), i, mode=mode)
    if layout == "in parts":
        for i in range(8, 10):
            _picture(tmp_path / "d/test/aa" / f"{i}.png", i)
            _mask(tmp_path / "d/test/bb" / f"{i}.png", i)
    examples, problems = read(tmp_path / "d")
    problem = problems["masks"]
    assert problem.severity == "error"
    assert problem.sentence.en.startswith(masks.removeprefix("train/").split("/")[0])
    assert len(problem.paths) == len(examples)
    command = ["run", str(tmp_path / "d"), "--task", "image-classification", "--models", "timm:resnet18", "--yes"]
    assert main([*command, "--output", str(tmp_path / "s")]) == 2
    assert "data.class_folder=outer" in capsys.readouterr().err
    assert "masks" not in read(tmp_path / "d", class_folder="outer")[1]  # what the message says


@pytest.mark.parametrize(
    "name",
    [
        "{i}_mask.png",
        "{i}_mask_1.png",
        "{i} mask.png",
        "{i}-seg.png",
        "{i}.gt.png",
        "{i}_Segmentation.png",
        "{i}Mask.png",
    ],
)
def test_masks_beside_their_pictures_are_left_out(tmp_path, name):
    """As in BUSI: benign/benign (1).png and benign/benign (1)_mask.png."""
    for i in range(4):
        for c in ("benign", "malignant"):
            _picture(tmp_path / c / f"{c} ({i}) {i}.png", i)
            _mask(tmp_path / c / f"{c} ({i}) {name.format(i=i)}", i)
    examples, problems = read(tmp_path)
    assert len(examples) == 8
    assert len(problems["masks"].paths) == 8
    assert problems["masks"].severity == "warning"
    assert len(read(tmp_path, class_folder="outer")[0]) == 16


def test_numbered_pictures_of_two_classes_are_no_pairs(tmp_path):
    for i in range(12):
        _picture(tmp_path / "cat" / f"img_{i:03d}.png", i)
        _picture(tmp_path / "dog" / f"img_{i:03d}.png", 100 + i)
    assert not read(tmp_path)[1].keys() & {"masks", "levels"}


@pytest.mark.parametrize("names", [("plain", "colourful"), ("mask", "no_mask"), ("seg", "whole")])
def test_plain_pictures_that_pair_up_with_none_are_a_class(tmp_path, names):
    for i in range(8):
        _mask(tmp_path / names[0] / f"a{i}.png", i)
        _picture(tmp_path / names[1] / f"b{i}.png", i)
    assert "masks" not in read(tmp_path)[1]


def test_files_called_mask_without_a_picture_are_pictures(tmp_path):
    examples, problems = read(
        folder(tmp_path, ["wearing/face_mask.png", "wearing/blue_mask.png", "without/1.png", "without/2.png"])
    )
    assert len(examples) == 4
    assert "masks" not in problems


# Shortcuts ----------------------------------------------------------------------------------------------------------


def _shortcuts(root):
    examples, _ = read(root)
    return [p for p in check_pictures(examples)[1] if p.kind == "shortcut"]


def _grey(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (24, 20), dtype=np.uint8)).save(path)


GIVEN_AWAY = {
    "size": (lambda p, i: _picture(p, i, (30, 30)), lambda p, i: _picture(p, i, (24, 20)), "size"),
    "format": (lambda p, i: _picture(p.with_suffix(".jpg"), i), _picture, "format"),
    "colour": (_grey, _picture, "colour"),
    "shape": (
        lambda p, i: _picture(p, i, (10 + i, 10 + i)),
        lambda p, i: _picture(p, i, (20 + 2 * i, 10 + i)),
        "shape",
    ),
}


@pytest.mark.parametrize("how", GIVEN_AWAY)
def test_a_class_that_the_file_gives_away_is_said(tmp_path, how):
    first, second, word = GIVEN_AWAY[how]
    for i in range(12):
        first(tmp_path / "a" / f"a{i}.png", i)
        second(tmp_path / "b" / f"b{i}.png", 50 + i)
    (problem,) = _shortcuts(tmp_path)
    assert word in problem.sentence.en
    assert "may learn" in problem.why.en, "that a network does was not measured"
    assert "traces of what they were" in problem.do.en
    assert problem.numbers["percent"] >= 90
    assert problem.severity == "warning"


def test_what_tells_nothing_is_not_said(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(24):  # sizes of their own, mixed formats, some grey: no fact tells the class
        name = tmp_path / "ab"[i % 2] / f"{i}.{('png', 'jpg')[(i // 2) % 2]}"
        _picture(name, i, tuple(rng.integers(10, 40, 2)))
        if i % 3 == 0:
            _grey(name, i)
    assert _shortcuts(tmp_path) == []
    few = tmp_path / "few"
    for i in range(6):
        _picture(few / "a" / f"a{i}.png", i)
        _grey(few / "b" / f"b{i}.png", i)
    assert _shortcuts(few) == []


def test_other_peoples_pictures_raise_no_such_questions(shared):
    _, problems = read(shared / "images" / "ants-bees")
    assert not problems.keys() & {"masks", "levels", "links"}


def test_other_peoples_masks_are_noticed(shared):
    assert read(shared / "masks" / "em-membrane" / "train")[1]["masks"].severity == "error"
