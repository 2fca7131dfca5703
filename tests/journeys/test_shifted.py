"""Further test sets through the front door: read, scored by the refits, compared; mistakes are said."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.conftest import make_photos
from tests.journeys.test_journey import weigh
from weigh.study import Study


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Training pictures, and the same kinds of pictures from two other "places": one like them, one only noise."""
    root = tmp_path_factory.mktemp("places")
    photos = make_photos(root / "photos")
    for name in ("like", "fog"):
        make_photos(root / name, per_class=30)
        rng = np.random.default_rng(1)
        for path in sorted((root / name).rglob("*.png")):
            pixels = np.asarray(Image.open(path)).astype(float)
            pixels = rng.uniform(0, 255, pixels.shape) if name == "fog" else pixels + rng.normal(0, 3, pixels.shape)
            Image.fromarray(pixels.clip(0, 255).astype("uint8")).save(path)
    return root, photos


def test_further_test_sets_are_scored_and_compared(places, tiny, tmp_path):
    root, photos = places
    settings = [
        "design.folds=3",
        "design.repeats=2",
        "design.test=0.25",
        "design.order_check=false",
        "design.curve=false",
        "run.offline=true",
        f"data.shifted.like={root / 'like'}",
        f"data.shifted.fog={root / 'fog'}",
    ]
    recipes = ["probe", {"name": "probe", "label": "weak", "strengths": [1e4]}]
    study = Study.from_data(photos, [tiny], recipes, settings=settings, folder=tmp_path / "study").run()
    results = study.results()
    assert results.shifted == ("like", "fog")
    sizes = {p: len(results.test(results.winner, p).indices) for p in ("test", "shift:like", "shift:fog")}
    assert sizes == {"test": 12, "shift:like": 60, "shift:fog": 60}
    stored = json.loads((study.folder / "findings.json").read_text(encoding="utf-8"))["findings"]
    found = {f["id"]: f for f in stored}
    assert not [f for f in stored if f["kind"] == "internal"]
    assert {"shift:like", "shift:fog", "shift:like:ranking", "shift:fog:ranking"} <= set(found)
    assert "the test part" in found["shift:fog"]["sentence"]["en"]
    fog = found["shift:fog"]["estimates"]["second"]
    assert fog["low"] < 0.5 < fog["high"]
    assert found["generalisation:test"]["estimates"]["examples"]["value"] == 12
    assert study.run().results().test_looks == results.test_looks  # nothing is scored again


def test_a_set_that_stands_in_training_is_refused(places, tiny, tmp_path, capsys):
    _, photos = places
    code, out, err = weigh(
        capsys, "run", photos, "--models", tiny, "--set", f"data.shifted.same={photos}", "--output", tmp_path / "s"
    )
    assert code == 2
    assert "both in data.train and in data.shifted.same" in out + err
    assert "Traceback" not in out + err


def test_a_set_that_does_not_exist_is_named(places, tiny, tmp_path, capsys):
    _, photos = places
    code, out, err = weigh(
        capsys, "run", photos, "--models", tiny, "--set", "data.shifted.far=nowhere", "--output", tmp_path / "s"
    )
    assert code == 2
    assert "nowhere" in out + err
    assert "Traceback" not in out + err


def test_copies_between_training_and_a_further_set_are_a_leak(places, tiny, tmp_path):
    root, photos = places
    shutil.copytree(root / "like", tmp_path / "leaky")
    for path in sorted((photos / "circle").iterdir())[:5]:
        shutil.copy(path, tmp_path / "leaky" / "circle" / f"copy_{path.name}")
    settings = [
        "design.folds=3",
        "design.repeats=1",
        "design.order_check=false",
        "design.curve=false",
        "run.offline=true",
    ]
    settings += [f"data.shifted.leaky={tmp_path / 'leaky'}"]
    study = Study.from_data(photos, [tiny], ["probe"], settings=settings, folder=tmp_path / "study").run()
    found = {f.kind: f for f in study.read()}
    assert "leak" in found
    assert "cross-validation" in next(f for f in study.read() if f.id == "shift:leaky").sentence.en
