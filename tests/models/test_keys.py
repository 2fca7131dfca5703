"""Keys of what is kept on disk: whatever changes the numbers changes the key."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from tests.arrays import kind_of
from weigh.data.contents import content_hashes
from weigh.data.examples import Examples
from weigh.inputs.pictures import crops, prepare_squares, squares_key
from weigh.models.design import design_digest
from weigh.models.preprocessing import Preprocessing
from weigh.models.tokenisation import Tokenisation
from weigh.run import Setting
from weigh.train import activations, features, pretraining

PICTURES = Preprocessing(32, 40, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), "bilinear")
TEXTS = Tokenisation("{}", 128)
SETTING = Setting("image-classification", ("a", "b"), "balanced_accuracy")
OTHER = {
    "size": 24, "resize": 48, "mean": (0.5, 0.5, 0.4), "std": (0.2, 0.2, 0.3), "interpolation": "bicubic", "squash": True, "floors": True,
    "written": "{ }", "pad": 1, "unknown": 3, "segments": True, "prefix": "query: ",
}  # fmt: skip
NUMBERS = {"device": "cuda:0", "threads": 2, "precision": "bf16", "channels_last": False, "batch": 16}


def _examples(folder: Path, content: tuple[str, ...] = ("one", "two")) -> Examples:
    n = len(content)
    return Examples(
        root=folder, path=np.array([f"{i}.png" for i in range(n)]), target=np.arange(n), classes=("a", "b"),
        part=np.full(n, "train"), order=np.arange(n), content=np.array(content), kind=kind_of(np.arange(n)),
    )  # fmt: skip


@pytest.mark.parametrize("preparation", [PICTURES, TEXTS], ids=["pictures", "texts"])
def test_any_field_of_the_preparation_changes_the_key_of_the_features(preparation, tmp_path):
    some = _examples(tmp_path)
    variants = [preparation, *(replace(preparation, **{f.name: OTHER[f.name]}) for f in fields(preparation))]
    keys = [features.features_key("w", variant, some, SETTING, "n") for variant in variants]
    assert len(set(keys)) == len(variants) == len(fields(preparation)) + 1


def test_any_field_of_the_preparation_changes_the_key_of_the_squares(tmp_path):
    some = _examples(tmp_path)
    variants = [PICTURES, *(replace(PICTURES, **{f.name: OTHER[f.name]}) for f in fields(PICTURES))]
    assert len({squares_key(some, variant) for variant in variants}) == len(fields(PICTURES)) + 1


def test_contents_their_number_and_their_order_change_the_key_of_the_squares(tmp_path):
    contents = [("one", "two"), ("two", "one"), ("one",), ("one", "two", "two"), ("onetwo", ""), ("", "onetwo")]
    assert len({squares_key(_examples(tmp_path, c), PICTURES) for c in contents}) == len(contents)


def test_whatever_changes_features_besides_changes_their_key(tmp_path, monkeypatch):
    some = _examples(tmp_path)

    def key(weights="w", built="n", content=("one", "two"), **changed):
        there = _examples(tmp_path, content)
        return features.features_key(weights, PICTURES, there, replace(SETTING, **changed), built)

    keys = [key(), key(weights="v"), key(built="m"), key(content=("one", "three"))]
    keys += [key(**{name: value}) for name, value in NUMBERS.items()]
    assert len(set(keys)) == 4 + len(NUMBERS)
    for library in (features.PIL, torch):
        monkeypatch.setattr(library, "__version__", "0.0")
        keys.append(key())
    assert len(set(keys)) == 6 + len(NUMBERS)
    staged = [activations._key(features_key, first, view) for features_key in keys for first in "ab" for view in (0, 1)]
    assert len(set(staged)) == 4 * len(keys)
    assert squares_key(some, PICTURES) not in keys


@pytest.mark.parametrize("change", [
    {"act_layer": torch.nn.Tanh}, {"norm_layer": lambda width, **_: torch.nn.LayerNorm(width, eps=0.1)}, {"num_heads": 1},
    {"global_pool": "avg"},
])  # fmt: skip
def test_networks_of_the_same_weights_that_compute_other_things_have_other_keys(change):
    base = {"num_classes": 3, "embed_dim": 32, "depth": 1, "num_heads": 2, "img_size": 32}
    one, same = (timm.create_model("test_vit", **base) for _ in range(2))
    other = timm.create_model("test_vit", **(base | change))
    shapes = [{name: tuple(t.shape) for name, t in m.state_dict().items()} for m in (one, other)]
    if "global_pool" not in change:
        assert shapes[0] == shapes[1]
    assert design_digest(one) == design_digest(same) == design_digest(one.train())
    assert design_digest(one) != design_digest(other)


def test_further_pretraining_knows_the_network_and_its_preparation(tiny, tmp_path):
    from weigh.models.pretrained import load_model

    model, some = load_model(tiny, pretrained=True, offline=True), _examples(tmp_path)
    keys = [pretraining._key(model, prepared, some, {"epochs": 1}, SETTING) for prepared in (PICTURES, replace(PICTURES, squash=True))]  # fmt: skip
    model.built = "another"
    keys.append(pretraining._key(model, PICTURES, some, {"epochs": 1}, SETTING))
    assert len(set(keys)) == 3


@pytest.mark.parametrize("order", [(False, True), (True, False)])
def test_a_model_that_squashes_after_one_that_crops_sees_squashed_pictures(order, tmp_path):
    """And the reverse: both find the pictures of the other in the cache."""
    rng = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(rng.integers(0, 255, (40 + 30 * i, 90, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    some = _examples(tmp_path, ("", "", ""))
    some = replace(some, content=content_hashes(some))
    for squash in order:
        prepared = Preprocessing(40, 40, (0.5,) * 3, (0.5,) * 3, "bicubic", squash=squash)
        squares = prepare_squares(some, prepared, folder=tmp_path / "cache")
        (direct,) = crops(some, prepared, 3)
        assert np.array_equal(prepared.middle(squares), direct)


@pytest.mark.parametrize("resize", [40, 52])
def test_training_and_evaluation_see_the_same_of_a_squashed_picture(resize, tmp_path):
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (60, 90, 3), dtype=np.uint8)).save(tmp_path / "0.png")
    some = _examples(tmp_path, ("0",))
    prepared = Preprocessing(40, resize, (0.5,) * 3, (0.5,) * 3, squash=True)
    (direct,) = crops(some, prepared, 1)
    assert np.array_equal(prepared.middle(prepare_squares(some, prepared)), direct)
