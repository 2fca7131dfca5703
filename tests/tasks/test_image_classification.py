"""Image classification as a task: losses, targets, decoding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from weigh.heads.base import HEADS
from weigh.models.preprocessing import STRIP, Preprocessing


def loss_of(kind, logits, target, weight=None):
    head = HEADS.get(kind)
    return float(head.loss(logits, head.targets(target, None, None), weight))


def test_loss_is_the_log_loss_of_sklearn():
    generator = torch.Generator().manual_seed(0)
    logits, target = torch.randn(50, 3, generator=generator), np.arange(50) % 3
    got = loss_of("label", logits, target)
    assert got == pytest.approx(log_loss(target, torch.softmax(logits, dim=1).numpy()), rel=1e-5)
    weight = torch.tensor([1.0, 2.0, 0.5])
    weighted = log_loss(
        target, torch.softmax(logits, dim=1).numpy(), sample_weight=weight.numpy()[target], normalize=True
    )
    got = loss_of("label", logits, target, weight) * 50 / float(weight[torch.from_numpy(target)].sum())
    assert got == pytest.approx(weighted, rel=1e-5)


def test_loss_of_several_labels_is_the_mean_over_labels():
    logits = torch.tensor([[0.3, -2.0], [4.0, 0.0]])
    labels = np.array([[1, 0], [1, 1]], dtype=np.uint8)
    p = torch.sigmoid(logits).numpy()
    expected = -np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p))
    assert loss_of("labels", logits, labels) == pytest.approx(expected, rel=1e-5)


def test_collate_keeps_the_meaning():
    """The kind says how targets are read, not their shape."""
    one, several = (HEADS.get(kind).targets for kind in ("label", "labels"))
    assert one(np.array([0, 2], dtype=np.int32), None, None).dtype == torch.int64
    assert several(np.array([[0, 1]], dtype=np.uint8), None, None).dtype == torch.float32


def test_weights_give_every_class_and_both_answers_the_same_total():
    target = np.array([0, 0, 0, 2])
    weight = HEADS.get("label").balance(target, 3).numpy()
    assert weight[target][:3].sum() == pytest.approx(weight[2])
    assert weight[target].mean() == pytest.approx(1)
    marks = np.array([[1, 0], [0, 0], [0, 1], [0, 1]], dtype=np.uint8)
    yes = HEADS.get("labels").balance(marks, 2).numpy()
    np.testing.assert_allclose(yes * marks.sum(axis=0), (1 - marks).sum(axis=0))
    assert HEADS.get("number").balance is None


@pytest.mark.parametrize("shape", [(48, 48), (30, 90), (200, 40)])
@pytest.mark.parametrize("squash", [False, True])
def test_crop_has_the_size_of_the_model(shape, squash):
    from PIL import Image

    prepared = Preprocessing(32, 40, (0.5,) * 3, (0.5,) * 3, "bicubic", squash=squash)
    pixels = np.zeros((*shape, 3), np.uint8)
    pixels[:, shape[1] // 2 :] = 255  # right half white
    crop = prepared.crop(Image.fromarray(pixels))
    assert crop.shape == (32, 32, 3)
    assert crop[:, :12].mean() < 30  # the middle stays in the middle
    assert crop[:, 20:].mean() > 225


@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(8, 40), st.integers(0, 13), st.booleans(), st.booleans(),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=150)
def test_the_middle_of_a_kept_square_is_the_crop_itself(width, height, size, more, floors, squash, seed):
    """Fine-tuning scores pictures from squares, a probe and `weigh predict` from the picture: one pixel beside it is another answer."""
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    prepared = Preprocessing(size, size + more, (0.5,) * 3, (0.5,) * 3, floors=floors, squash=squash)
    square = prepared.whole.crop(picture)
    assert square.shape == (size + more, size + more, 3)
    middle = prepared.middle(square[None])[0]
    if max(width, height) <= STRIP * min(width, height):
        np.testing.assert_array_equal(middle, prepared.crop(picture))


def test_crop_equals_torchvision():
    """The preparation of pretrained models, pixel by pixel."""
    from PIL import Image
    from torchvision.transforms import v2

    rng = np.random.default_rng(0)
    for height, width in [(300, 300), (61, 83), (500, 231)]:
        picture = Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))
        for name in ("bilinear", "bicubic"):
            prepared = Preprocessing(64, 73, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), name)
            theirs = v2.Compose([v2.Resize(73, interpolation=v2.InterpolationMode(name)), v2.CenterCrop(64)])(picture)
            np.testing.assert_array_equal(prepared.crop(picture), np.asarray(theirs))
            normal = v2.Normalize(prepared.mean, prepared.std)(
                v2.functional.to_dtype(v2.functional.pil_to_tensor(theirs), torch.float32, scale=True)
            )
            ours = prepared.normalise(torch.from_numpy(prepared.crop(picture))[None])[0]
            torch.testing.assert_close(ours, normal, atol=1e-5, rtol=1e-5)
