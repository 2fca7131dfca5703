"""Masks that hold all levels of grey, many classes beside a border, and parts without any file."""

from __future__ import annotations

import numpy as np

from tests.data.masks.mask_files import draw, paint, read, save
from tests.data.masks.test_bad_masks import write_masks


def test_smoothed_masks_of_all_levels_of_grey_are_named(tmp_path):
    """255 is the brightest of 256 levels, and no value that is ignored."""

    def make(i):
        across = np.clip(np.arange(400)[None, :] - 60 - i, 0, 255) + np.zeros((24, 1))
        return across.astype(np.uint8)

    _, problems = read(write_masks(tmp_path, make, size=(24, 400)))
    assert problems["smoothed-mask"].severity == "error"
    assert "pictures in grey" in problems["smoothed-mask"].sentence.en
    assert "ignored" not in problems


def test_many_classes_and_a_border_stay_classes(tmp_path):
    def make(i):
        drawn = (np.arange(24 * 32).reshape(24, 32) + i) % 151
        drawn[:2] = 255
        return drawn

    examples, problems = read(write_masks(tmp_path, make))
    assert len(examples.classes) == 151
    assert "255" in problems["ignored"].sentence.en


def test_an_empty_part_is_named(tmp_path):
    for part in ("train", "val"):
        for i in range(3):
            paint(tmp_path / "images" / part / f"{i}.png", i + 10 * len(part))
            save(tmp_path / "masks" / part / f"{i}.png", draw(i))
    (tmp_path / "images/test").mkdir()
    (tmp_path / "masks/test").mkdir()
    assert read(tmp_path)[1]["empty-part"].paths == ("images/test", "masks/test")
