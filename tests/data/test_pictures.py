"""Opening pictures: every mode upright and in RGB, nothing clipped, nothing dangerous."""

from __future__ import annotations

import io
import os
import pickle

import numpy as np
import pytest
from PIL import Image

from weigh.data.pictures import decoding as pictures
from weigh.data.pictures.decoding import PictureError, open_picture, thumbnail_bytes

NOISE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


def pixels(path, **options):
    image = open_picture(path, **options)
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path, suffix):
    ramp = np.linspace(0, 65535, 256 * 4).reshape(4, 256).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / f"a{suffix}")
    assert np.abs(pixels(tmp_path / f"a{suffix}")[..., 0] - ramp / 257).max() <= 0.5


def test_floats_use_their_range(tmp_path):
    Image.fromarray(np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)).save(tmp_path / "a.tif")
    seen = pixels(tmp_path / "a.tif")
    assert seen.min() == 0
    assert seen.max() == 255


@pytest.mark.parametrize(("orientation", "expected"), [(1, (0, 0)), (6, (0, -1)), (3, (-1, -1)), (2, (0, -1))])
def test_exif_rotation(tmp_path, orientation, expected):
    """A white corner ends where the orientation puts it."""
    image = Image.new("RGB", (64, 32))
    image.paste((255, 255, 255), (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    seen = pixels(tmp_path / "a.jpg")
    assert seen.shape[:2] == ((64, 32) if orientation == 6 else (32, 64))
    assert seen[expected].min() > 200


def test_transparency_is_white(tmp_path):
    Image.fromarray(np.dstack([NOISE, np.zeros((60, 90), np.uint8)])).save(tmp_path / "rgba.png")
    assert (pixels(tmp_path / "rgba.png") == 255).all()
    Image.new("LA", (5, 5), (0, 0)).save(tmp_path / "la.png")
    assert (pixels(tmp_path / "la.png") == 255).all()
    palette = Image.new("P", (5, 5), 0)
    palette.putpalette([10, 20, 30] * 256)
    palette.save(tmp_path / "p.gif", transparency=0)
    assert (pixels(tmp_path / "p.gif") == 255).all()


def test_cmyk_palette_grey_and_one_bit(tmp_path):
    image = Image.new("RGB", (20, 20), (200, 100, 50))
    image.convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert np.abs(pixels(tmp_path / "a.jpg").mean((0, 1)) - (200, 100, 50)).max() < 12
    image.quantize(4).save(tmp_path / "a.png")
    assert (pixels(tmp_path / "a.png") == (200, 100, 50)).all()
    image.convert("L").save(tmp_path / "g.png")
    image.convert("1").save(tmp_path / "b.png")
    assert {pixels(tmp_path / n).shape for n in ("g.png", "b.png")} == {(20, 20, 3)}


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert (pixels(tmp_path / "a.gif") == (255, 0, 0)).all()


@pytest.mark.parametrize("want", [20, 50, 75, 149, 150, 151, 400])
def test_draft_keeps_twice_the_size_that_is_wanted(tmp_path, want):
    Image.fromarray(NOISE).resize((900, 600)).save(tmp_path / "a.jpg")
    size = open_picture(tmp_path / "a.jpg", draft_size=want).size
    assert min(size) >= min(2 * want, 600)
    assert min(size) < 4 * want or want <= 37  # libjpeg goes down to an eighth


def test_draft_gives_nearly_the_same_small_picture(tmp_path):
    Image.fromarray(NOISE).resize((900, 600), Image.Resampling.BICUBIC).save(tmp_path / "a.jpg", quality=90)
    small = [
        np.asarray(open_picture(tmp_path / "a.jpg", draft_size=d).resize((96, 64), Image.Resampling.BICUBIC), float)
        for d in (None, 64)
    ]
    assert np.abs(small[0] - small[1]).mean() < 2


def test_bad_files_have_a_reason(tmp_path):
    good = io.BytesIO()
    Image.fromarray(NOISE).save(good, "JPEG")
    cases = {
        "cut.jpg": (good.getvalue()[:1500], "truncated"),
        "empty.jpg": (b"", "truncated"),
        "text.jpg": (b"this is no picture", "not a picture"),
        "gone.jpg": (None, "missing"),
        "nul\0.jpg": (None, "unreadable"),
    }
    for name, (raw, reason) in cases.items():
        if raw is not None:
            (tmp_path / name).write_bytes(raw)
        with pytest.raises(PictureError) as caught:
            open_picture(f"{tmp_path}/{name}")
        assert caught.value.reason == reason, name
        assert caught.value.render("zh")
        again = pickle.loads(pickle.dumps(caught.value))
        assert again.reason == reason
    with pytest.raises(PictureError):
        open_picture(tmp_path)  # a folder


def test_damaged_bytes_never_raise_anything_else(tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"):
        out = io.BytesIO()
        Image.fromarray(NOISE).save(out, kind)
        for _ in range(25):
            raw = bytearray(out.getvalue())
            for at in rng.integers(0, len(raw), 12):
                raw[at] = rng.integers(0, 256)
            (tmp_path / "x").write_bytes(raw[: rng.integers(20, len(raw))])
            try:
                open_picture(tmp_path / "x", draft_size=16)
            except PictureError:
                pass


def test_bombs_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 1000)
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    with pytest.raises(PictureError) as caught:
        open_picture(tmp_path / "a.png")
    assert caught.value.reason == "too large"


def test_pipes_do_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PictureError):
        open_picture(tmp_path / "pipe.jpg")


def test_thumbnails_are_small_bare_and_repeatable(tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    Image.fromarray(NOISE).save(tmp_path / "a.jpg", exif=exif)
    first = thumbnail_bytes(tmp_path / "a.jpg", 32)
    assert first == thumbnail_bytes(tmp_path / "a.jpg", 32)
    assert b"secret" not in first
    assert max(Image.open(io.BytesIO(first)).size) == 32
