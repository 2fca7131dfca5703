"""`weigh evaluate`: labels that are numbered otherwise than the head's outputs are noticed, and the advice works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.conftest import make_photos
from weigh.cli.main import main
from weigh.data.pictures.decoding import open_picture
from weigh.models.pretrained import load_model


@pytest.fixture(scope="module")
def judged(tmp_path_factory, tiny):
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


def evaluate(tmp_path: Path, judged, labels, capsys, *more) -> dict:
    files, _, model = judged
    table = tmp_path / "labels.csv"
    table.write_text(
        "\n".join(["path,label", *(f"{f.parent.name}/{f.name},{c}" for f, c in zip(files, labels, strict=True))]),
        encoding="utf-8",
    )
    given = [
        "--models",
        model,
        "--offline",
        "--format",
        "json",
        "--set",
        "run.threads=1",
        "--set",
        f"data.root={files[0].parents[1]}",
        *more,
    ]
    assert main(["evaluate", str(table), *given]) == 0
    return json.loads(capsys.readouterr().out)[0]


@pytest.mark.parametrize("shift", [-1, 1])
def test_labels_off_by_one_are_named_and_the_remedy_works(judged, tmp_path, capsys, shift):
    said = judged[1]
    row = evaluate(tmp_path, judged, said + shift, capsys)
    assert row["top1"]["value"] < 0.1
    setting = re.search(r"data\.label_offset=-?\d", row["hint"]["en"])[0]
    assert setting in row["hint"]["zh"]
    after = evaluate(tmp_path, judged, said + shift, capsys, "--set", setting)
    assert after["top1"]["value"] > 0.9
    assert f"{after['top1']['value']:.3f}" in row["hint"]["en"]
    assert after["hint"] is None


def test_an_offset_in_the_wrong_direction_is_turned_round(judged, tmp_path, capsys):
    said = judged[1]
    row = evaluate(tmp_path, judged, said, capsys, "--set", "data.label_offset=1")
    assert "data.label_offset=0" in row["hint"]["en"]


def test_right_labels_and_hard_pictures_get_no_hint(judged, tmp_path, capsys):
    said = judged[1]
    assert evaluate(tmp_path, judged, said, capsys)["hint"] is None
    half = np.where(np.arange(len(said)) % 3 == 0, said, 999)  # a poor model: a third right
    assert evaluate(tmp_path, judged, half, capsys)["hint"] is None


def test_another_order_of_classes_is_said(judged, tmp_path, capsys):
    said = judged[1]
    row = evaluate(tmp_path, judged, (said + 333) % 1000, capsys)
    assert "another order" in row["hint"]["en"]
