"""Models of the timm library: `timm:NAME` or `timm:NAME.TAG`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import timm
from torch import nn

from weigh.data.pictures.imagenet import classes_of_outputs
from weigh.errors import ModelError, reason_of
from weigh.language import text
from weigh.models.address import Address
from weigh.models.anatomy import Anatomy
from weigh.models.catalogue import find_packaged
from weigh.models.hub import Fetched, cached_from_hub, fetch_from_hub, named, unreachable
from weigh.models.hub_refusals import Refusal
from weigh.models.packaged import load_packaged
from weigh.models.preprocessing import Preprocessing
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance
from weigh.models.published import near_addresses

__all__ = ["ANATOMY", "load", "names"]

FILES = ("model.safetensors", "pytorch_model.bin")


def _features(module: Any, _address: str) -> int:
    """timm takes its heads away itself."""
    head = module.get_classifier()
    width = int(getattr(module, "head_hidden_size", 0) or getattr(module, "num_features", 0))
    module.reset_classifier(0)
    return head.in_features if isinstance(head, nn.Linear) else width


ANATOMY = Anatomy(features=_features)


def names(pattern: str) -> list[str]:
    """Names that match a pattern with * and ?."""
    return timm.list_models(pattern)


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:
    """See `pretrained.load_model`."""
    if not timm.is_model(address.name):
        near = near_addresses(f"timm:{address.name}")
        raise ModelError(
            text("timm has no model called '{n}'.", "timm 中没有名为“{n}”的模型。", n=address.name),
            do=text(
                "Near: {x}. `weigh models 'timm:*'` lists all.",
                "相近的有：{x}。`weigh models 'timm:*'` 会列出全部。",
                x=", ".join(near) or "–",
            ),
        )
    try:
        module = timm.create_model(address.name, pretrained=False)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ModelError(
            text("timm cannot build '{n}': {e}", "timm 无法构建“{n}”：{e}", n=address.name, e=reason_of(error))
        ) from None
    config = module.pretrained_cfg
    provenance, packaged = Provenance("random"), find_packaged(address.architecture)
    if pretrained:
        provenance, repository = None, config.get("hf_hub_id")
        fetched = Fetched(None, Refusal(text("timm names no repository", "timm 未给出仓库")))
        if packaged is not None and packaged.same:
            provenance = load_packaged(address.architecture, module)
        if provenance is None and repository:
            fetched = fetch_from_hub(repository, FILES, offline=offline)
            if fetched.path is not None:
                module = timm.create_model(
                    address.name, pretrained=True, pretrained_cfg_overlay={"file": str(fetched.path)}
                )
                provenance = Provenance(
                    "hub", named(repository, fetched.path), str(config.get("license") or ""), files=(fetched.path,)
                )
        if provenance is None:
            provenance = load_packaged(address.architecture, module)
        if provenance is None:
            raise unreachable(address.written, fetched.refusal, offline=offline, packaged=packaged)
    data = timm.data.resolve_model_data_config(module)
    size = data["input_size"][-1]
    squash = data.get("crop_mode") == "squash"
    resize = size if squash else math.floor(size / data["crop_pct"])
    preprocessing = Preprocessing(
        size, resize, tuple(data["mean"]), tuple(data["std"]), data["interpolation"], squash=squash
    )
    if provenance.source == "package" and packaged is not None and packaged.interpolation:
        preprocessing = replace(preprocessing, interpolation=packaged.interpolation)
    classes = getattr(module, "num_classes", 1000)
    return Pretrained(address, module, preprocessing, provenance, classes, anatomy=ANATOMY, imagenet=_imagenet(classes))


def _imagenet(classes: int) -> tuple[int, ...] | None:
    """Where the classes of ImageNet-1k stand among the outputs of a head of one of the larger ImageNets."""
    subset = timm.data.infer_imagenet_subset({"num_classes": classes})
    if classes == 1000 or subset is None:
        return None
    return classes_of_outputs(timm.data.ImageNetInfo(subset).label_names())


def _cached(name: str) -> bool:
    config = timm.get_pretrained_cfg(name)
    return bool(config and config.hf_hub_id and cached_from_hub(config.hf_hub_id, FILES))


MODEL_SOURCES.register("timm", ModelSource(load, names, _cached))
