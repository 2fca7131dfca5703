"""Detectors with a loss of their own are refused by name, and what is named instead is a model with maps."""

from __future__ import annotations

import json
import re

import pytest
import torchvision

from weigh.errors import ModelError
from weigh.models.pretrained import load_model

DETECTORS = torchvision.models.list_models(module=torchvision.models.detection)


def instead(refused: pytest.ExceptionInfo) -> str:
    """The address that both languages name."""
    named = {
        re.search(r"((?:timm|torchvision):\w+)[.。]", refused.value.render(language))[1] for language in ("en", "zh")
    }
    assert len(named) == 1
    return named.pop()


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_of_torchvision_are_refused_with_the_network_inside(name):
    with pytest.raises(ModelError, match=f"{name} is a whole detector") as refused:
        load_model(f"torchvision:{name}", pretrained=True, offline=True)
    kind, _, backbone = instead(refused).partition(":")
    assert kind == "torchvision"
    assert backbone in name
    assert backbone in torchvision.models.list_models(module=torchvision.models)


def test_the_network_that_is_named_instead_has_maps_for_a_detector():
    model = load_model("torchvision:mobilenet_v3_large", pretrained=False, offline=True)
    assert {8, 16, 32} <= set(model.maps().strides)


@pytest.mark.parametrize(
    ("kind", "named"),
    [("detr", "DetrForObjectDetection"), ("rt_detr_v2", "RTDetrV2ForObjectDetection"), ("d_fine", "DFineForObjectDetection"),
     ("deformable_detr", "DeformableDetrForObjectDetection"), ("yolos", "YolosForObjectDetection")],
)  # fmt: skip
def test_detectors_of_transformers_are_refused(kind, named, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, "architectures": [named]}))
    with pytest.raises(ModelError, match=named) as refused:
        load_model(f"hf:{tmp_path}", pretrained=False, offline=True)
    assert instead(refused) == "timm:tf_efficientnet_lite0"
