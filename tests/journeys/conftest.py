"""Fixtures of journeys: a model of 1,000 classes whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.conftest import make_photos
from weigh.data.pictures.decoding import open_picture
from weigh.models.pretrained import load_model


@pytest.fixture(scope="session")
def heads_of_1000(tmp_path_factory, tiny):
    """Eighty pictures, a model of 1,000 classes that tells them apart, and its answers: the labels, for all that the tests know."""
    folder = make_photos(tmp_path_factory.mktemp("many"), per_class=40)
    files = sorted(folder.rglob("*.png"))
    model = load_model(tiny, pretrained=True, offline=True)
    pictures = torch.from_numpy(np.stack([model.preprocessing.crop(open_picture(f)) for f in files]))
    head = model.module.get_classifier()
    with torch.inference_mode():
        pictures = model.preprocessing.normalise(pictures)
        features = model.module.forward_head(model.module.forward_features(pictures), pre_logits=True)
        head.bias.copy_(-(features.mean(dim=0) @ head.weight.T))  # no class is everybody's favourite
        said = model.module(pictures).argmax(dim=1).numpy()
    path = tmp_path_factory.mktemp("weights") / "spread.safetensors"
    save_file(model.module.state_dict(), path)
    assert len(set(said)) > 10
    return files, np.clip(said, 2, 997), f"file:{path}@timm:test_resnet"
