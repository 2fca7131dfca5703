"""A model of pictures of the transformers library: any that classifies pictures, and the tower of pictures of those that also read texts.

Its features are what is below its own head; that head, where the weights have one, answers until they are asked for. How its pictures are
prepared: `hf_processor.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from weigh.models.anatomy import Anatomy, count_operations

__all__ = [
    "ANATOMY",
    "PictureEncoder",
    "family_with_head",
    "is_of_pictures",
    "names_of_outputs",
    "settings_of_pictures",
    "without_texts",
]

WITHOUT_POOLER = {
    "vit",
    "deit",
    "beit",
    "data2vec-vision",
    "vit_msn",
    "ijepa",
}  # a layer that pretraining left untrained
TOWERS = {  # of pictures alone, without a class for labels in the library
    "clip_vision_model", "siglip_vision_model", "metaclip_2_vision_model", "chinese_clip_vision_model", "mlcd", "mlcd_vision_model",
    "dinov3_vit", "dinov3_convnext",
}  # fmt: skip
SMALL = 64  # pixels: convolutions say with few what they say with many
PAIRS = {"clip", "siglip", "metaclip_2", "chinese_clip"}  # a tower of pictures beside one of texts


def without_texts(config: Any) -> Any:
    """The configuration of the tower of pictures, where the model has one of texts too; else the same configuration."""
    return config.vision_config if config.model_type in PAIRS else config


def is_of_pictures(config: Any) -> bool:
    """Whether the library has a class for pictures of this configuration, and it takes pictures alone."""
    import transformers

    known = type(config) in transformers.AutoModelForImageClassification._model_mapping
    return (known or config.model_type in TOWERS) and not hasattr(config, "text_config")


def settings_of_pictures(config: Any) -> dict[str, Any]:
    """The settings that the module is built with."""
    return {"add_pooling_layer": False} if config.model_type in WITHOUT_POOLER else {}


def family_with_head(config: Any) -> Any:
    """The library's class with which these weights answer with labels; None: they have no head."""
    import transformers

    families = transformers.AutoModelForImageClassification._model_mapping.get(type(config), ())
    families = families if isinstance(families, tuple) else (families,)
    return next((family for family in families if family.__name__ in (config.architectures or ())), None)


def names_of_outputs(config: Any) -> tuple[str, ...]:
    """What the outputs of that head stand for, in order."""
    return tuple(str(config.id2label.get(number, number)) for number in range(config.num_labels))


class PictureEncoder(nn.Module):
    """`(n, 3, size, size)` to `(n, width)`: the class token where there is one, else what the model pools, else the mean.

    Args:
        load_headed: Loads the same model with its own head, which answers until `forget_head`. It is no part of the module: weights, hashes
            and runs are those of the model alone, and it is loaded when it is asked for an answer.
    """

    def __init__(self, model: nn.Module, load_headed: Callable[[], nn.Module] | None = None) -> None:
        super().__init__()
        self.model = model
        self.class_token = any(name.rpartition(".")[2] == "cls_token" for name, _ in model.named_parameters())
        self._interpolates = "interpolate_pos_encoding" in inspect.signature(model.forward).parameters
        self._load_headed = load_headed
        self._headed: list[nn.Module] = []  # a list: torch does not look into it

    def forget_head(self) -> None:
        self._load_headed = None
        self._headed.clear()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """`(n, width)` features of pictures `(n, 3, height, width)`, or the answers of the model's own head until `forget_head`."""
        if self._load_headed is not None:
            if not self._headed:
                self._headed.append(self._load_headed().eval().to(pictures.device))
            return self._headed[0](pixel_values=pictures).logits
        native = _side(self.model.config)
        resized = self._interpolates and native is not None and tuple(pictures.shape[2:]) != native
        outputs = self.model(pixel_values=pictures, **({"interpolate_pos_encoding": True} if resized else {}))
        hidden, pooled = outputs.last_hidden_state, getattr(outputs, "pooler_output", None)
        if self.class_token:
            return hidden[:, 0]
        if pooled is not None:
            return pooled.flatten(1)
        return hidden.mean(dim=1) if hidden.ndim == 3 else hidden.mean(dim=(2, 3))


def _side(config: Any) -> tuple[int, int] | None:
    """Height and width for which the model was made; None: it does not say."""
    size = getattr(config, "image_size", None)
    if isinstance(size, int):
        return size, size
    return tuple(size) if isinstance(size, (list, tuple)) and len(size) == 2 else None  # type: ignore[return-value]


def _width(encoder: Any, _address: str) -> int:
    encoder.forget_head()
    stated_width = getattr(encoder.model.config, "hidden_size", None)
    if isinstance(stated_width, int):
        return stated_width
    for side in (
        (SMALL, SMALL),
        _side(encoder.model.config),
    ):  # of convolutions the configuration often says another number
        try:
            return _width_for(encoder, side or (224, 224))
        except (RuntimeError, ValueError):  # too small for it
            continue
    raise ValueError(f"its features for pictures of {side} pixels cannot be computed")


def _width_for(encoder: nn.Module, side: tuple[int, int]) -> int:
    weight, training = next(encoder.parameters()), encoder.training
    encoder.eval()
    try:
        with torch.inference_mode():
            return int(encoder(torch.zeros(1, 3, *side, dtype=weight.dtype, device=weight.device)).shape[1])
    finally:
        encoder.train(training)


def _operations(encoder: Any, blank: torch.Tensor) -> int:
    """Multiply-accumulates of computing the features of one picture."""
    loads, encoder._load_headed = encoder._load_headed, None
    try:
        return count_operations(encoder, blank)
    finally:
        encoder._load_headed = loads


ANATOMY = Anatomy(features=_width, inner=lambda encoder: encoder.model, inner_name="model.", operations=_operations)
