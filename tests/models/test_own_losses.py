"""Models that answer with sets and whose loss is not known are refused by name, and what is named instead can be loaded."""

from __future__ import annotations

import json

import pytest

from weigh.errors import ModelError
from weigh.models.hf_boxes import FAMILIES
from weigh.models.pretrained import load_model


@pytest.mark.parametrize(
    ("kind", "named"),
    [("rf_detr", "RfDetrForObjectDetection"), ("lw_detr", "LwDetrForObjectDetection"), ("dab-detr", "DabDetrForObjectDetection")],
)  # fmt: skip
def test_detectors_of_kinds_that_are_not_known_are_refused(kind, named, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, "architectures": [named]}))
    with pytest.raises(ModelError, match=f"{named}.* is a detector of a kind that is not known") as refused:
        load_model(f"hf:{tmp_path}", pretrained=False, offline=True)
    for language in ("en", "zh"):
        assert all(known in refused.value.render(language) for known in FAMILIES)
        assert "timm:tf_efficientnet_lite0" in refused.value.render(language)


@pytest.mark.parametrize(("kind", "named"), [("mask2former", "Mask2FormerForUniversalSegmentation"), ("maskformer", "MaskFormerForInstanceSegmentation")])  # fmt: skip
def test_sets_of_masks_are_refused(kind, named, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, "architectures": [named]}))
    with pytest.raises(ModelError, match=named):
        load_model(f"hf:{tmp_path}", pretrained=False, offline=True)
