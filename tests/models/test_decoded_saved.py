"""Models with a decoder of their own on disk and as ONNX: what is opened again answers as what was saved."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.test_hf_masks import MADE, PREPARATION
from weigh.errors import ModelError
from weigh.heads.base import HEADS
from weigh.kinds.masks import MASKS
from weigh.models.network import make_network
from weigh.models.pretrained import load_model
from weigh.saved.meaning import Meaning
from weigh.saved.model import load_saved, save_model

CLASSES = ("ground", "square", "circle")
SOURCES = ["torchvision:lraspp_mobilenet_v3_large", "smp:unet/tu-test_resnet", "hf:segformer", "hf:upernet"]


def saved_folder(source: str, tmp_path: Path) -> tuple[Path, torch.nn.Module]:
    """A network with random weights, and the folder of it."""
    address = source
    if source.startswith("smp:"):
        pytest.importorskip("segmentation_models_pytorch")
    if source.startswith("hf:"):
        folder = tmp_path / "encoder"
        MADE[source.partition(":")[2]]().save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(PREPARATION))
        address = f"hf:{folder}"
    model = load_model(address, pretrained=source.startswith("hf:"), offline=True, rng_seed=4)
    network = make_network(
        model, len(CLASSES), torch.Generator().manual_seed(2), HEADS.get("masks"), port="maps"
    ).eval()
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    meaning = Meaning("semantic-segmentation", MASKS, CLASSES, 1.0, np.zeros(len(CLASSES)))
    options = {"frame": [64, 96]}
    save_model(
        tmp_path / "model", address=address, weights=weights, meaning=meaning, options=options, frozen=False, facts={}
    )
    return tmp_path / "model", network


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_opened_again_answers_as_what_was_saved(source, tmp_path):
    folder, network = saved_folder(source, tmp_path)
    again = load_saved(folder)
    pictures = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        answered = network(pictures)
        torch.testing.assert_close(again.network(pictures), answered)
    assert float(answered.abs().max()) > 0


@pytest.mark.parametrize(
    "source",
    [SOURCES[0], pytest.param(SOURCES[1], marks=pytest.mark.thorough), "hf:segformer"],  # not of UperNet
)
def test_onnx_answers_as_the_network(source, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from weigh.saved.onnx_file import export_onnx

    folder, _ = saved_folder(source, tmp_path)
    assert export_onnx(folder, tmp_path / "model.onnx") < 1e-3


def test_what_cannot_be_written_as_onnx_is_said_and_leaves_no_file(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from weigh.saved import onnx_file

    def fails(*_given) -> None:
        raise RuntimeError("no such layer in ONNX")

    for name in ("_write_any_size", "_write"):
        monkeypatch.setattr(onnx_file, name, fails)
    folder, _ = saved_folder("hf:segformer", tmp_path)
    with pytest.raises(ModelError, match="cannot be written as ONNX: no such layer") as refused:
        onnx_file.export_onnx(folder, tmp_path / "out" / "model.onnx")
    assert "weigh predict" in refused.value.render("en")
    assert not list((tmp_path / "out").iterdir())
