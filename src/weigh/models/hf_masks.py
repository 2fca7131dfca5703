"""A model of the transformers library that answers for every pixel (SegFormer, UperNet and others), without its last classifier."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from weigh.models.decoded import decoded_anatomy

__all__ = ["ANATOMY", "PixelEncoder", "is_of_masks", "without_helpers"]


def is_of_masks(config: Any) -> bool:
    """Whether its weights were trained to answer for every pixel."""
    import transformers

    named = any(str(name).endswith("ForSemanticSegmentation") for name in getattr(config, "architectures", None) or ())
    return named and type(config) in transformers.AutoModelForSemanticSegmentation._model_mapping


def without_helpers(config: Any) -> Any:
    """The configuration, changed in place: no classifier that only helped in training, and weights from the model's own files alone."""
    for name in ("use_auxiliary_head", "use_pretrained_backbone"):
        if hasattr(config, name):
            setattr(config, name, False)
    return config


class _Reached(Exception):
    """Ends a forward pass where the decoder begins; carries the maps."""

    def __init__(self, maps: Any) -> None:
        self.maps = maps


class _Nothing(nn.Identity):
    """Stands in the place of a convolution of single pixels, with what a layer around it may ask."""

    stride = kernel_size = dilation = (1, 1)


class PixelEncoder(nn.Module):
    """`(n, 3, height, width)` to `(n, width, h, w)`: what the last classifier took. A `decoded.Decoded`.

    Args:
        model: The library's own; its last classifier is taken away.

    Raises:
        ValueError: Its last layer is no classifier of single pixels.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        convolutions = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Conv2d)]
        fits = [
            name
            for name, part in convolutions
            if part.out_channels == model.config.num_labels and part.kernel_size == (1, 1)
        ]  # type: ignore[union-attr]
        first = {name.partition(".")[0] for name in fits[-1:]}
        if not first or next(iter(first)) != list(model._modules)[-1]:
            raise ValueError("its last part has no classifier of single pixels")
        self.model, (self.first,) = model, first
        model.set_submodule(fits[-1], _Nothing())

    @property
    def decoder(self) -> nn.Module:
        return self.model.get_submodule(self.first)

    def encode(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        """The maps that go into the decoder, of pictures `(n, 3, height, width)`; the decoder itself is not run."""

        def stop(_module: nn.Module, inputs: tuple, named: dict) -> None:
            raise _Reached(inputs[0] if inputs else next(iter(named.values())))

        hook = self.decoder.register_forward_pre_hook(stop, with_kwargs=True)
        try:
            self.model(pixel_values=pictures)
        except _Reached as reached:
            return [reached.maps] if isinstance(reached.maps, torch.Tensor) else list(reached.maps)
        finally:
            hook.remove()
        raise RuntimeError(f"{self.first} was not reached")

    def decode(self, maps: list[torch.Tensor]) -> torch.Tensor:
        return self.decoder(maps if len(maps) > 1 else maps[0])

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """What the decoder gives for pictures `(n, 3, height, width)`: `(n, channels, height, width)` at a size of its own."""
        if not torch.compiler.is_compiling():
            return self.decode(self.encode(pictures))
        # an exporter loses count of modules that an exception leaves, and drops what nobody uses by itself
        decoded: list[torch.Tensor] = []
        hook = self.decoder.register_forward_hook(lambda _module, _inputs, output: decoded.append(output))
        try:
            self.model(pixel_values=pictures)
        finally:
            hook.remove()
        return decoded[0]


ANATOMY = decoded_anatomy(
    take=lambda encoder: encoder, head=lambda _encoder: set(), inner=lambda encoder: encoder.model, inner_name="model."
)  # type: ignore[arg-type]
