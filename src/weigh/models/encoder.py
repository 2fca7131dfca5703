"""An encoder of texts as a body: batches of tokens in, one vector per text (or per token) out.

Whatever the architecture, the batch is one tensor `(n, 3, length)`: ids, mask, segments (see `tokenisation.py`), so a text
network has the shape that everything else expects: `logits = head(body(batch))`.
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

from weigh.models.anatomy import Anatomy, depth_of_parameters
from weigh.models.layers import quarters

__all__ = ["ANATOMY", "Encoder", "Siamese"]


class Encoder(nn.Module):
    """A model of the transformers library, pooled.

    Attributes:
        pooling: "mean" over the tokens, "first" token, or "none": `(n, length, width)`.
        plain_below: Texts shorter than so many tokens go through plain attention, longer ones through the model's own.
        layers: "last"; "mean" of the outputs of all layers (useful for probes of models whose last layer was trained for the pretraining task);
            or "several": those a quarter, a half and three quarters of the way up and the last, side by side.
    """

    def __init__(
        self, model: nn.Module, *, width: int, pooling: str = "mean", layers: str = "last", segments: bool = False
    ) -> None:
        super().__init__()
        self.model, self.width, self.pooling, self.layers, self.segments = model, width, pooling, layers, segments
        self.plain_below, self._own = 0, getattr(getattr(model, "config", None), "_attn_implementation", None)

    def configure(self, options: dict[str, Any]) -> None:
        """Take the recipe's options `pooling` and `layers` where they are set."""
        self.pooling = options.get("pooling") or self.pooling
        self.layers = options.get("layers") or self.layers

    @property
    def features_width(self) -> int:
        """The width of what it returns: `width` for each layer of which it returns the output."""
        return self.width * (len(quarters(self.model.config.num_hidden_layers)) if self.layers == "several" else 1)

    @property
    def table(self) -> torch.Tensor:
        """`(vocabulary, width)`: the vectors that tokens start as."""
        return self.model.get_input_embeddings().weight  # type: ignore[operator]

    def tokens(self, batch: torch.Tensor) -> torch.Tensor:
        """`(n, length, features_width)`: one vector per token, before pooling."""
        if self.plain_below:
            self._choose_attention(batch.shape[2])
        inputs = {"input_ids": batch[:, 0], "attention_mask": batch[:, 1]}
        if self.segments:
            inputs["token_type_ids"] = batch[:, 2]
        if self.layers == "mean":
            outputs = self.model(**inputs, output_hidden_states=True).hidden_states
            return torch.stack(outputs[1:]).mean(dim=0)
        if self.layers == "several":
            outputs = self.model(**inputs, output_hidden_states=True)
            inner = [outputs.hidden_states[layer] for layer in quarters(len(outputs.hidden_states) - 1)[:-1]]
            return torch.cat([*inner, outputs.last_hidden_state], dim=2)
        return self.model(**inputs).last_hidden_state

    def _choose_attention(self, length: int) -> None:
        wanted = "eager" if length < self.plain_below else self._own
        if wanted and self.model.config._attn_implementation != wanted:  # type: ignore[union-attr]
            self.model.set_attn_implementation(wanted)  # type: ignore[operator]

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        hidden = self.tokens(batch)
        if self.pooling == "none":
            return hidden
        if self.pooling == "first":
            return hidden[:, 0]
        weight = batch[:, 1].to(hidden.dtype)[..., None]
        return (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1)


# "model.encoder.layer.3." of BERT, "model.transformer.layer.3." of DistilBERT, "model.layers.3." of ModernBERT
NUMBERED = re.compile(r"^body\.model\.(?:[A-Za-z_]\w*\.)*?(?=\d+\.)")


def _depths(network: nn.Module) -> dict[str, int]:
    """Embeddings first, then layer by layer; the words before a layer's number say nothing of its depth."""
    return depth_of_parameters(network, lambda name: NUMBERED.sub("body.layers.", name))


def _vector_per_token(encoder: nn.Module) -> None:
    encoder.pooling = "none"  # type: ignore[assignment]


ANATOMY = Anatomy(
    features=lambda encoder, _address: encoder.features_width, tokens=_vector_per_token,
    layers=lambda encoder, width, _blank: (encoder, width),  # as `configure` set it
    maps=None,
    configure=lambda encoder, options: encoder.configure(options),
    depths=_depths,
    settings=lambda encoder: {"pooling": encoder.pooling, "layers": encoder.layers},
    inner=lambda encoder: encoder.model, inner_name="model.", embedding=lambda encoder: encoder.model.get_input_embeddings(),
)  # fmt: skip


class Siamese(nn.Module):
    """Two texts encoded apart and put together as (u, v, |u - v|, u * v): features of a pair for a linear head.

    The batch is `(n, 6, length)`: the first text, then the second. Source: Conneau et al. 2017 (InferSent), §3.
    """

    PARTS = 4  # u, v, |u - v|, u * v

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        if batch.shape[1] == 3:  # a blank batch, for timings and shapes: each text beside itself
            batch = torch.cat([batch, batch], dim=1)
        vectors = self.encoder(torch.cat([batch[:, :3], batch[:, 3:]]))
        u, v = vectors[: batch.shape[0]], vectors[batch.shape[0] :]  # `split` would fix the number where it is exported
        return torch.cat([u, v, (u - v).abs(), u * v], dim=1)
