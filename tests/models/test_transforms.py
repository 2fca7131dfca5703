"""Preparations that others wrote, read as ours: they give the same pictures; what cannot be read is named."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from torchvision.transforms import InterpolationMode as Mode
from torchvision.transforms import v2

from weigh.errors import ModelError
from weigh.models.preprocessing import Preprocessing
from weigh.models.transforms import read_transform

FLOAT, USUAL = v2.ToDtype(torch.float32, scale=True), v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
V1 = torchvision.transforms
READ = {
    "v2": lambda: v2.Compose([v2.Resize(72), v2.CenterCrop(64), v2.ToImage(), FLOAT, USUAL]),
    "v2, bicubic, list": lambda: v2.Compose([v2.Resize([72], Mode.BICUBIC), v2.CenterCrop([64, 64]), v2.ToImage(), FLOAT, USUAL]),
    "v2, squashed": lambda: v2.Compose([v2.RGB(), v2.Resize((64, 64)), v2.ToImage(), FLOAT, USUAL]),
    "v2, without statistics": lambda: v2.Compose([v2.Resize(64), v2.CenterCrop(64), v2.PILToTensor(), FLOAT]),
    "v2, values to 255": lambda: v2.Compose(
        [v2.Resize(72), v2.CenterCrop(64), v2.PILToTensor(), v2.ToDtype(torch.float32), v2.Normalize((123.7, 116.3, 103.5), (58.4, 57.1, 57.4))]
    ),
    "v2, values to 255, plain": lambda: v2.Compose([v2.Resize(72), v2.CenterCrop(64), v2.PILToTensor(), v2.ToDtype(torch.float32)]),
    "v1": lambda: V1.Compose([V1.Resize(72), V1.CenterCrop(64), V1.ToTensor(), V1.Normalize(0.5 * torch.ones(3), [0.5] * 3)]),
    "timm": lambda: timm.data.create_transform(64, is_training=False, crop_pct=0.9, interpolation="bicubic"),
    "preset": lambda: torchvision.models.ResNet18_Weights.DEFAULT.transforms(),
}  # fmt: skip


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.integers(0, 256, (20, 30, 3), dtype=np.uint8), np.ones((7, 7, 1), np.uint8))
    return Image.fromarray(blocks)


@pytest.mark.parametrize("form", READ)
def test_the_same_pictures_come_out(picture, form):
    theirs = READ[form]()
    ours = read_transform(theirs)
    expected = theirs(picture)
    got = ours.normalise(torch.from_numpy(ours.crop(picture).copy())[None])[0]
    assert got.shape == expected.shape
    scale = 1 / min(ours.std)
    assert (got - expected).abs().max() <= 0.02 * scale  # preset: tensors are resized there, pictures here
    assert (got - expected).abs().mean() <= 0.002 * scale


@pytest.mark.parametrize("given", [
    Preprocessing(64, 72, (0.5,) * 3, (0.5,) * 3), {"size": 64, "mean": [0.5] * 3, "std": [0.5] * 3},
    {"size": 64, "resize": 72, "mean": (0.5,) * 3, "std": (0.5,) * 3, "interpolation": "bicubic", "squash": True},
])  # fmt: skip
def test_fields_are_understood(given):
    ours = read_transform(given)
    assert (ours.size, ours.mean) == (64, (0.5, 0.5, 0.5))
    assert isinstance(hash(ours), int)


C = v2.Compose
REFUSED = {
    "augmentation": (lambda: C([v2.RandomResizedCrop(64), v2.ToImage(), FLOAT]), "RandomResizedCrop augments"),
    "flip": (lambda: C([v2.Resize(64), v2.CenterCrop(64), v2.RandomHorizontalFlip(), FLOAT]), "RandomHorizontalFlip augments"),
    "grey": (lambda: C([v2.Grayscale(3), v2.Resize(64), v2.CenterCrop(64), FLOAT]), "Grayscale"),
    "own step": (lambda: C([v2.Resize(64), v2.CenterCrop(64), FLOAT, v2.Lambda(lambda x: x * 2)]), "Lambda"),
    "no crop": (lambda: C([v2.Resize(64), v2.ToImage(), FLOAT]), "CenterCrop is missing"),
    "no resize": (lambda: C([v2.CenterCrop(64), v2.ToImage(), FLOAT]), "CenterCrop"),
    "nothing": (lambda: C([v2.ToImage(), FLOAT]), "Resize is missing"),
    "whole numbers": (lambda: C([v2.Resize(64), v2.CenterCrop(64), v2.ToImage()]), "ToDtype"),
    "normalised whole numbers": (lambda: C([v2.Resize(64), v2.CenterCrop(64), v2.ToImage(), USUAL]), "Normalize"),
    "oblong": (lambda: C([v2.Resize((64, 96)), v2.ToImage(), FLOAT]), "square"),
    "padded": (lambda: C([v2.Resize(32), v2.CenterCrop(64), v2.ToImage(), FLOAT]), "square"),
    "longest side": (lambda: C([v2.Resize(64, max_size=96), v2.CenterCrop(64), v2.ToImage(), FLOAT]), "Resize"),
    "resized twice": (lambda: C([v2.Resize(64), v2.CenterCrop(64), v2.Resize(32), FLOAT]), "Resize"),
    "one channel": (lambda: C([v2.Resize(64), v2.CenterCrop(64), FLOAT, v2.Normalize([0.5], [0.5])]), "mean"),
    "nested": (lambda: C([C([v2.Resize(64)]), v2.CenterCrop(64), FLOAT]), "Compose"),
    "function": (lambda: len, "builtin"),
    "number": (lambda: 224, "int"),
    "step alone": (lambda: v2.Resize(64), "Resize"),
    "field": (lambda: {"size": 64, "mean": (0,) * 3, "std": (1,) * 3, "crop": 3}, "crop"),
    "fields missing": (lambda: {"size": 64}, "mean is missing"),
    "sizes": (lambda: {"size": "64", "mean": (0,) * 3, "std": (1,) * 3}, "size"),
    "zero": (lambda: {"size": 64, "mean": (0,) * 3, "std": (1, 0, 1)}, "std"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_named(name):
    make, words = REFUSED[name]
    with pytest.raises(ModelError) as raised:
        read_transform(make())
    assert words in raised.value.what.en
    assert "CenterCrop" in raised.value.do.zh
