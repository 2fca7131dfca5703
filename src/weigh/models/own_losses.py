"""Models whose answers need a loss of their own, which weigh does not have: what is said of them, and what serves instead."""

from __future__ import annotations

from typing import Any

from weigh.errors import ModelError
from weigh.language import text

__all__ = ["refuse_sets", "whole_detector"]

# endings of names of classes of the transformers library
OF_MASKS = ("ForUniversalSegmentation", "ForInstanceSegmentation")
OF_BOXES = ("ForObjectDetection",)


def refuse_sets(config: Any, address: str) -> None:
    """Nothing, or the error that a model of the transformers library answers with a set of masks or boxes.

    Raises:
        ModelError: MaskFormer, Mask2Former, OneFormer and the like; DETR, RT-DETR, D-FINE, YOLOS and the like.
    """
    names = [str(name) for name in getattr(config, "architectures", None) or ()]
    if any(name.endswith(OF_BOXES) for name in names):
        raise whole_detector(f"{address} ({names[0]})", "timm:tf_efficientnet_lite0")
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


def whole_detector(named: str, instead: str) -> ModelError:
    """That a model is a detector with a loss of its own.

    Args:
        instead: Address of a model whose maps serve.
    """
    return ModelError(
        text("{a} is a whole detector with a loss of its own.", "{a} 是一个自带损失函数的完整检测器。", a=named),
        text(
            "weigh puts its own detector on the maps of any picture model, and trains that.",
            "weigh 在任意图片模型的特征图上加自己的检测头，并训练它。",
        ),
        text(
            "Use a model of pictures in its place: {b}. Detections that this one has made are read by weigh read --gold instances.json detections.json",
            "请改用图片模型：{b}。该检测器已有的检测结果可用 weigh read --gold instances.json detections.json 读入",
            b=instead,
        ),
    )
