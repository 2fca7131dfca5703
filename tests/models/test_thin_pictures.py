"""Strips: only what the crop needs is scaled, and the crop is the one that a picture scaled whole would give."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from weigh.models import preprocessing
from weigh.models.preprocessing import RESAMPLING, Preprocessing

MODEL = Preprocessing(64, 73, (0.5,) * 3, (0.5,) * 3, "bicubic")


def _whole(prepared: Preprocessing, picture: Image.Image) -> np.ndarray:
    """The crop as it was made before: the picture is scaled whole."""
    width, height = picture.size
    scale = prepared.resize / min(width, height)
    if scale != 1:
        width, height = max(prepared.size, round(width * scale)), max(prepared.size, round(height * scale))
        picture = picture.resize((width, height), RESAMPLING[prepared.interpolation])
    left, top = round((width - prepared.size) / 2), round((height - prepared.size) / 2)
    return np.asarray(picture.crop((left, top, left + prepared.size, top + prepared.size)))


def _noise(shape: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8))


def _smooth(shape: tuple[int, int]) -> Image.Image:
    y, x = np.mgrid[: shape[0], : shape[1]]
    grey = 127 + 60 * np.sin(y / 2.0) + 60 * np.cos(x / 3.0)
    return Image.fromarray(np.repeat(grey[..., None], 3, axis=2).astype(np.uint8))


@pytest.mark.parametrize("interpolation", sorted(RESAMPLING))
@pytest.mark.parametrize(
    "shape", [(48, 64), (73, 90), (73, 73), (200, 31), (31, 1500), (640, 480), (1, 60), (60, 1), (2, 2)]
)
def test_ordinary_pictures_are_cropped_as_before_to_the_bit(shape, interpolation):
    prepared = replace(MODEL, interpolation=interpolation)
    assert np.array_equal(prepared.crop(_noise(shape)), _whole(prepared, _noise(shape)))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos", "hamming"])
@pytest.mark.parametrize("shape", [(1, 1200), (1200, 1), (3, 700), (701, 5), (2, 333), (100, 9000)])
def test_a_strip_is_cropped_as_if_it_had_been_scaled_whole(shape, interpolation):
    prepared = replace(MODEL, interpolation=interpolation)
    crop, whole = (f(_smooth(shape)).astype(int) for f in (prepared.crop, lambda p: _whole(prepared, p)))
    assert crop.shape == (64, 64, 3)
    assert np.abs(crop - whole).max() <= 1


@pytest.mark.parametrize("interpolation", ["nearest", "box"])
def test_a_strip_in_hard_steps_differs_in_single_rows_at_most(interpolation):
    prepared = replace(MODEL, interpolation=interpolation)
    crop, whole = prepared.crop(_noise((1, 1200))), _whole(prepared, _noise((1, 1200)))
    assert (crop != whole).any(axis=(0, 2)).mean() <= 1 / 64


@pytest.mark.parametrize("limit", [1, 3, 64])
def test_both_ways_agree_wherever_the_limit_lies(limit, monkeypatch):
    monkeypatch.setattr(preprocessing, "STRIP", limit)
    assert np.abs(MODEL.crop(_smooth((300, 40))).astype(int) - _whole(MODEL, _smooth((300, 40)))).max() <= 1


def test_thin_pictures_take_little_memory(tmp_path):
    """In a process of its own, since the most that a process ever took is counted: 1 × 16,000 took four gigabytes."""
    paths = [tmp_path / f"{width}x{height}.png" for width, height in ((16000, 1), (1, 16000), (2, 40000), (3, 60000))]
    for path in paths:
        Image.new("RGB", tuple(map(int, path.stem.split("x"))), (200, 30, 60)).save(path)
    code = (
        "import resource, sys; from weigh.data.pictures.decoding import open_picture; from weigh.models.preprocessing import Preprocessing\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sys.argv[1:]:\n"
        "    made = Preprocessing(224, 256, (.5,) * 3, (.5,) * 3, 'bicubic').crop(open_picture(path, draft_size=256))\n"
        "    assert made.shape == (224, 224, 3) and (made == (200, 30, 60)).all(), path\n"
        "    print(path, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, paths)], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == len(paths)
    for line in lines:
        assert int(line.rpartition(" ")[2]) < 200_000 * (1 if sys.platform != "darwin" else 1024), line  # kB
