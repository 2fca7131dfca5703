"""Stacks of pictures with stacks of masks: every page is an example that can be opened like a file."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.data.masks.mask_files import draw, indices, read
from weigh.data.pages import page_name, split_page
from weigh.data.pictures.checks import check_pictures
from weigh.data.pictures.decoding import PictureError, open_picture, thumbnail_bytes
from weigh.errors import DataError


def _stack(path, pages, mode=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [Image.fromarray(page) if mode is None else Image.fromarray(page).convert(mode) for page in pages]
    images[0].save(path, save_all=True, append_images=images[1:])


def _pages(n=5, deep=False):
    rng = np.random.default_rng(0)
    pages = [rng.integers(0, 256, (12, 16), dtype=np.uint8) for _ in range(n)]
    return [page.astype(np.uint16) * 257 for page in pages] if deep else pages


LAYOUTS = [
    ("images/s.tif", "masks/s.tif"),
    ("train-volume.tif", "train-labels.tif"),
    ("stack.tiff", "stack_mask.tiff"),
    ("train/image/a.TIF", "train/label/a.tif"),
]


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_page_is_an_example(tmp_path, layout, deep):
    pictures, masks = layout
    pages = _pages(12, deep)
    _stack(tmp_path / pictures, pages)
    _stack(tmp_path / masks, [draw(i, (0, 255)).astype(np.uint8) for i in range(12)])
    examples, problems = read(tmp_path)
    assert examples.path.tolist() == [page_name(pictures, i) for i in range(1, 13)]
    assert examples.classes == ("0", "255")
    for i in range(12):
        assert (indices(examples, page_name(pictures, i + 1)) == draw(i, (0, 255)).astype(str)).all()
        opened = np.asarray(open_picture(examples.root / examples.path[i]))[..., 0]
        assert (opened == (pages[i] // 257 if deep else pages[i])).all()
    assert len(set(examples.content.tolist())) == 12
    checked, _ = check_pictures(examples)
    assert len(checked) == 12
    assert thumbnail_bytes(examples.root / examples.path[2], 8)
    again, _ = read(tmp_path)
    assert again.fingerprint == examples.fingerprint
    assert set(problems) == {"values"}


def test_stacks_of_different_length_are_named(tmp_path):
    _stack(tmp_path / "images/a.tif", _pages(5))
    _stack(tmp_path / "masks/a.tif", [draw(i).astype(np.uint8) for i in range(4)])
    _stack(tmp_path / "images/b.tif", _pages(3))
    _stack(tmp_path / "masks/b.tif", [draw(i).astype(np.uint8) for i in range(3)])
    examples, problems = read(tmp_path)
    assert len(examples) == 3
    assert problems["stack"].paths == ("images/a.tif", "masks/a.tif")
    assert "images/a.tif has 5, masks/a.tif has 4" in problems["stack"].sentence.en
    (tmp_path / "images/b.tif").unlink()
    with pytest.raises(DataError, match=r"a\.tif has 5"):
        read(tmp_path)


def test_a_file_of_just_that_name_is_a_file(tmp_path):
    Image.fromarray(draw(0).astype(np.uint8)).save(tmp_path / "x.tif#2", format="PNG")
    assert split_page(tmp_path / "x.tif#2") is None
    assert open_picture(tmp_path / "x.tif#2").size == (16, 12)
    assert split_page(tmp_path / "y.tif#2") == (tmp_path / "y.tif", 2)


@pytest.mark.parametrize("page", ["s.tif#0", "s.tif#6", "s.tif#99999999", "none.tif#1"])
def test_pages_that_do_not_exist_are_errors_that_name_them(tmp_path, page):
    _stack(tmp_path / "s.tif", _pages(5))
    with pytest.raises(PictureError, match=page):
        open_picture(tmp_path / page)
