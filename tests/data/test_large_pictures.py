"""Pictures that are small on disk and large in memory: as many at once as fit, whatever the number of threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from weigh.data.pictures import decoding as pictures
from weigh.data.pictures.decoding import _to_eight_bits, open_picture, to_rgb, use_picture
from weigh.lookahead import look_ahead


def test_pictures_in_flight_never_exceed_the_limit(tmp_path, monkeypatch):
    for i in range(12):
        Image.new("RGB", (60 + i, 50), (i, 0, 0)).save(tmp_path / f"{i}.png")
    monkeypatch.setattr(pictures, "MAX_PIXELS", 7_500)
    lock, now, seen = threading.Lock(), [0], []
    meanwhile = threading.Event()

    def use(image):
        with lock:
            now[0] += image.width * image.height
            seen.append(now[0])
        meanwhile.wait(0.02)
        with lock:
            now[0] -= image.width * image.height
        return image.size

    made = look_ahead(lambda i: use_picture(tmp_path / f"{i}.png", use), range(12), threads=8, count=12)
    assert [size for _, size in made] == [(60 + i, 50) for i in range(12)]
    assert max(seen) <= 7_500
    assert max(seen) > 3_600  # two at once where two fit


def test_a_picture_that_fails_gives_its_room_back(tmp_path, monkeypatch):
    Image.new("RGB", (80, 80)).save(tmp_path / "a.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:50])
    monkeypatch.setattr(pictures, "MAX_PIXELS", 6_500)
    for _ in range(3):
        with pytest.raises(pictures.PictureError):
            open_picture(tmp_path / "cut.png")
        with pytest.raises(ZeroDivisionError):
            use_picture(tmp_path / "a.png", lambda _: 1 / 0)
    assert pictures._room.used == 0
    assert open_picture(tmp_path / "a.png").size == (80, 80)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA", "I;16", "I", "F"])
def test_strips_give_the_same_pixels_as_the_whole(mode, monkeypatch):
    rng = np.random.default_rng(0)
    if mode in ("I;16", "I", "F"):
        values = rng.integers(0, 60_000, (37, 23)) if mode != "F" else rng.normal(0, 3, (37, 23))
        if mode == "F":
            values[3, 4], values[5, 6] = np.nan, np.inf
        picture = Image.fromarray(values.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]))
    else:
        colours = Image.fromarray(rng.integers(0, 256, (37, 23, 4), dtype=np.uint8), "RGBA")
        picture = colours.convert(mode) if mode != "P" else colours.convert("RGB").quantize(16)
        if mode == "P":
            picture.info["transparency"] = 3
    whole = np.asarray(to_rgb(picture))
    monkeypatch.setattr(pictures, "STRIP_PIXELS", 50)  # two rows at a time
    assert np.array_equal(np.asarray(to_rgb(picture)), whole)
    if mode == "F":
        finite = values[np.isfinite(values)]
        expected = np.round((np.clip(values[0], finite.min(), finite.max()) - finite.min()) * (255 / np.ptp(finite)))
        assert np.array_equal(_to_eight_bits(picture)[0], expected.astype(np.uint8))


TWICE = """
import sys
from weigh.cli.main import main
from weigh.data.pictures import decoding

def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])

codes = [main(["data", sys.argv[1], "--quiet"])]  # everything is imported
before, decoding.MAX_PIXELS = peak(), decoding.MAX_PIXELS // int(sys.argv[3])
codes.append(main(["data", sys.argv[2], "--quiet"]))
print(*codes, before, peak())
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measures memory as Linux does")
@pytest.mark.parametrize("part", [4, pytest.param(1, marks=pytest.mark.thorough)])
def test_four_pictures_of_the_greatest_size_take_less_than_two_gigabytes(tmp_path, part):
    """Or of a quarter of it, with a quarter of the limit: what they take beyond small ones then counts four times."""
    side = int((pictures.MAX_PIXELS / part) ** 0.5)
    for folder, size in (("small", 60), ("large", side)):
        for name in ("a", "b"):
            (tmp_path / folder / name).mkdir(parents=True)
            for i in range(2):
                Image.new("1", (size, size), i).save(tmp_path / folder / name / f"{i}.png")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", TWICE, str(tmp_path / "small"), str(tmp_path / "large"), str(part)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    *codes, before, peak = map(int, done.stdout.split()[-4:])
    assert codes == [0, 0]
    assert 1024 * (before + part * (peak - before)) < 2e9
