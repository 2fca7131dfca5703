"""Tiny whole detectors with random weights: of transformers as folders, of torchvision with few classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

NAMES = {0: "red", 1: "cat", 2: "blue"}
SIZES = {
    "d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
}  # fmt: skip
KINDS = (
    "detr", "conditional_detr", "deformable_detr", "deformable_detr two_stage", "rt_detr", "rt_detr_v2", "d_fine", "yolos",
)  # fmt: skip
TARGETS = torch.tensor(  # a box, a crowd, another box; a picture without boxes; marks as of `models.own_boxes`
    [
        [[10, 10, 50, 60, 1], [60, 20, 100, 70, -1], [70, 8, 110, 50, 2], [0, 0, 128, 96, -3]],
        [[0, 0, 0, 0, -2], [0, 0, 0, 0, -2], [0, 0, 0, 0, -2], [0, 0, 128, 96, -3]],
    ],
    dtype=torch.float32,
)


def noise(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tiny_of_transformers(kind: str) -> Any:
    """A detector of the library, of three classes."""
    import transformers as hf

    kind, _, two_stage = kind.partition(" ")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        body = {"embedding_size": 8, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "layer_type": "basic"}
        three = {**body, "out_features": ["stage2", "stage3", "stage4"]}
        if kind == "yolos":
            config = hf.YolosConfig(
                hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=[64, 96],
                patch_size=16, num_detection_tokens=10, id2label=NAMES,
            )  # fmt: skip
            return hf.YolosForObjectDetection(config)
        if kind in ("rt_detr", "rt_detr_v2", "d_fine"):
            sizes = {
                **SIZES, "encoder_hidden_dim": 32, "encoder_in_channels": [16, 24, 32], "decoder_in_channels": [32] * 3, "num_queries": 20,
                "num_denoising": 4, "hidden_expansion": 0.5, "backbone_config": hf.RTDetrResNetConfig(**three), "id2label": NAMES,
            }  # fmt: skip
            name = {"rt_detr": "RTDetr", "rt_detr_v2": "RTDetrV2", "d_fine": "DFine"}[kind]
            model = getattr(hf, f"{name}ForObjectDetection")(getattr(hf, f"{name}Config")(**sizes))
            with torch.no_grad():  # as it is drawn many places have the same score, and any of them may be taken
                model.model.enc_score_head.weight.normal_()
                model.model.enc_output[0].bias.normal_()
                for name, layer in model.named_modules():
                    if isinstance(layer, torch.nn.Conv2d):
                        torch.nn.init.kaiming_normal_(layer.weight)
                    elif "class_embed." in name and isinstance(layer, torch.nn.Linear):
                        layer.weight.normal_()
            return model
        deformable = kind == "deformable_detr"
        more: dict[str, Any] = {"num_feature_levels": 4} if deformable else {}
        if two_stage:
            more |= {"two_stage": True, "with_box_refine": True, "two_stage_num_proposals": 12}
        body = three if deformable else {**body, "out_features": ["stage4"]}
        name = "".join(part.capitalize() for part in kind.split("_"))
        config = getattr(hf, f"{name}Config")(
            backbone_config=hf.ResNetConfig(**body), num_queries=12, id2label=NAMES, **more, **SIZES
        )
        return getattr(hf, f"{name}ForObjectDetection")(config)


def save_tiny(kind: str, folder: Path) -> str:
    """The address of one in a folder."""
    tiny_of_transformers(kind).save_pretrained(folder)
    prepared = {"size": {"shortest_edge": 800, "longest_edge": 1333}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(prepared), "utf-8")
    return f"hf:{folder}"
