"""Models that answer with a set of masks or boxes and whose loss weigh does not know: what is said of them, and what serves instead."""

from __future__ import annotations

from typing import Any

from weigh.errors import ModelError
from weigh.language import text
from weigh.models.hf_boxes import FAMILIES, is_of_boxes

__all__ = ["refuse_sets"]

# endings of names of classes of the transformers library
OF_MASKS = ("ForUniversalSegmentation", "ForInstanceSegmentation")
OF_BOXES = ("ForObjectDetection",)


def refuse_sets(config: Any, address: str) -> None:
    """Raise an error if a model of the transformers library answers with a set of masks or boxes.

    Raises:
        ModelError: MaskFormer, Mask2Former, OneFormer and the like; detectors whose loss is not known (`hf_boxes.FAMILIES`).
    """
    if is_of_boxes(config):
        return
    names = [str(name) for name in getattr(config, "architectures", None) or ()]
    if any(name.endswith(OF_BOXES) for name in names):
        raise ModelError(
            text("{a} ({n}) is a detector of a kind that is not known.", "{a}（{n}）是一种未知的检测器。", a=address, n=names[0]),
            text("Detectors that are known: {k}.", "已知的检测器：{k}。", k=", ".join(FAMILIES)),
            text(
                "Use one of these, or a backbone: timm:tf_efficientnet_lite0. Detections that this one has made are read by weigh read --gold instances.json detections.json",
                "请使用其中之一，或使用骨干网络：timm:tf_efficientnet_lite0。该检测器已有的检测结果可用 weigh read --gold instances.json detections.json 读入",
            ),
        )  # fmt: skip
    named = next((name for name in names if name.endswith(OF_MASKS)), None)
    if named is None:
        return
    raise ModelError(
        text("{a} ({n}) answers with a set of masks.", "{a}（{n}）给出的是一组掩码。", a=address, n=named),
        text(
            "Such models are trained by matching their masks with the labelled ones, a loss that weigh does not have.",
            "这类模型通过把自身的掩码与标注匹配来训练，weigh 没有这种损失函数。",
        ),
        text(
            "Use a model that answers for every pixel (SegFormer, UperNet, torchvision:deeplabv3_resnet50), or a backbone of timm:.",
            "请使用逐像素作答的模型（SegFormer、UperNet、torchvision:deeplabv3_resnet50），或 timm: 的骨干网络。",
        ),
    )
