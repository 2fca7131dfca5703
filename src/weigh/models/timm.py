"""Models of the timm library: `timm:NAME` or `timm:NAME.TAG`."""

from __future__ import annotations

import difflib
import math

import timm

from weigh.errors import ModelError
from weigh.language import text
from weigh.models.address import Address
from weigh.models.catalogue import find_packaged
from weigh.models.hub import fetch_from_hub, unreachable
from weigh.models.packaged import load_packaged
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Preprocessing, Pretrained, Provenance

__all__ = ["load", "names"]


def names(pattern: str) -> list[str]:
    """Names that match a pattern with * and ?."""
    return timm.list_models(pattern)


def load(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:
    """See `pretrained.load_model`."""
    if not timm.is_model(address.name):
        near = difflib.get_close_matches(address.name.split(".")[0], timm.list_models(), n=3)
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
            text("timm cannot build '{n}': {e}", "timm 无法构建“{n}”：{e}", n=address.name, e=str(error)[:200])
        ) from None
    config = module.pretrained_cfg
    provenance = Provenance("random")
    if pretrained:
        provenance = None
        repository = config.get("hf_hub_id")
        packaged = find_packaged(address.architecture)
        here = packaged is not None and packaged.locate() is not None
        if repository and (
            path := fetch_from_hub(repository, ("model.safetensors", "pytorch_model.bin"), offline=offline or here)
        ):
            module = timm.create_model(address.name, pretrained=True, pretrained_cfg_overlay={"file": str(path)})
            provenance = Provenance("hub", repository, str(config.get("license") or ""))
        if provenance is None:
            provenance = load_packaged(address.architecture, module)
        if provenance is None:
            tried = (
                ("installed packages" if offline else f"hub {repository}, installed packages")
                if repository
                else "installed packages"
            )
            raise unreachable(address.written, tried, offline=offline, packaged=packaged)
    data = timm.data.resolve_model_data_config(module)
    size = data["input_size"][-1]
    preprocessing = Preprocessing(
        size, math.floor(size / data["crop_pct"]), tuple(data["mean"]), tuple(data["std"]), data["interpolation"]
    )
    return Pretrained(address, module, preprocessing, provenance, getattr(module, "num_classes", 1000))


MODEL_SOURCES.register("timm", ModelSource(load, names))
