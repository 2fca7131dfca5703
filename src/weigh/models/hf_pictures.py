"""A model of pictures of the transformers library: any that it can classify pictures with, without that head."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from weigh.files import read_json
from weigh.models.anatomy import Anatomy
from weigh.models.preprocessing import RESAMPLING, Preprocessing

__all__ = ["ANATOMY", "PictureEncoder", "is_of_pictures", "preprocessing", "settings_of_pictures"]

WITHOUT_POOLER = {
    "vit",
    "deit",
    "beit",
    "data2vec-vision",
    "vit_msn",
    "ijepa",
}  # a layer that pretraining left untrained
RESCALED, BICUBIC = 384, 3  # ConvNeXt's preparation cuts nothing off from this size on; number of a filter in Pillow


def is_of_pictures(config: Any) -> bool:
    """Whether the library has a class for pictures of this configuration, and it takes pictures alone."""
    import transformers

    known = type(config) in transformers.AutoModelForImageClassification._model_mapping
    return known and not hasattr(config, "text_config")


def settings_of_pictures(config: Any) -> dict[str, Any]:
    """With what the module is built."""
    return {"add_pooling_layer": False} if config.model_type in WITHOUT_POOLER else {}


class PictureEncoder(nn.Module):
    """`(n, 3, size, size)` to `(n, width)`: the class token where there is one, else what the model pools, else the mean."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.class_token = any(name.rpartition(".")[2] == "cls_token" for name, _ in model.named_parameters())

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        outputs = self.model(pixel_values=pictures)
        hidden, pooled = outputs.last_hidden_state, getattr(outputs, "pooler_output", None)
        if self.class_token:
            return hidden[:, 0]
        if pooled is not None:
            return pooled.flatten(1)
        return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.mean(dim=(2, 3))


def _width(encoder: nn.Module, _address: str) -> int:
    config = encoder.model.config
    return int(getattr(config, "hidden_size", 0) or config.hidden_sizes[-1])


ANATOMY = Anatomy(features=_width, inner=lambda encoder: encoder.model, inner_name="model.")


def preprocessing(folder: Path, config: Any) -> Preprocessing:
    """What preprocessor_config.json says.

    Raises:
        ValueError: It is not there, or speaks of pictures that are not square.
    """
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        raise ValueError("it has no preprocessor_config.json, which says how its pictures were prepared")
    given = read_json(path)
    size, crop = _side(given.get("size")), _side(given.get("crop_size"))
    squash, resize = False, size
    if given.get("do_center_crop") and crop:
        size = crop
    elif "crop_pct" in given and size < RESCALED:
        resize = int(size / (given["crop_pct"] or 1))
    else:
        squash = True
    filters = {int(number): name for name, number in RESAMPLING.items()}
    normal = given.get("do_normalize", True)
    mean, std = (tuple(given[k]) if normal else (v,) * 3 for k, v in (("image_mean", 0.0), ("image_std", 1.0)))
    own = getattr(config, "image_size", size)
    if not isinstance(size, int) or size < 1 or not isinstance(own, (int, list, tuple)):
        raise ValueError(f"its pictures are of size {given.get('size')}")
    return Preprocessing(size, resize, mean, std, filters.get(given.get("resample", BICUBIC), "bicubic"), squash=squash)


def _side(size: Any) -> int:
    """Of a number, or a dictionary of sides; 0 where nothing is said."""
    if not isinstance(size, dict):
        return int(size or 0)
    sides = {int(side) for side in size.values() if side}
    if len(sides) != 1:
        raise ValueError(f"its pictures are of size {size}")
    return sides.pop()
