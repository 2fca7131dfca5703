"""Masked-language modelling on an encoder: which tokens are hidden, and the head that guesses them.

Source: Devlin et al. 2019 (BERT), §3.1: 15 % of the tokens; of these 80 % become the mask, 10 % another token, 10 % stay.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from weigh.errors import ModelError
from weigh.language import text
from weigh.models.encoder import Encoder
from weigh.models.tokenisation import Tokenisation

__all__ = ["MaskedHead", "Masking", "masked_loss"]

MASKS = ("[MASK]", "<mask>")


@dataclass(frozen=True)
class Masking:
    """What a tokenizer has for hiding tokens.

    Attributes:
        mask: Id of the mask.
        special: `(s,)` ids that are never hidden.
        vocabulary: Number of ids.
    """

    mask: int
    special: torch.Tensor
    vocabulary: int

    @staticmethod
    def of(preparation: Tokenisation, address: str) -> Masking:
        """What is hidden, by a model's tokenizer.

        Raises:
            ModelError: It has no mask token: the model was never trained to guess hidden words.
        """
        tokenizer = preparation.tokenizer
        mask = next((token for name in MASKS if (token := tokenizer.token_to_id(name)) is not None), None)
        if mask is None:
            raise ModelError(
                text("{a} has no token that hides a word.", "{a} 没有用于遮盖词语的掩码标记。", a=address),
                text(
                    "Further pretraining hides words and lets the model guess them.", "继续预训练要遮盖词语让模型去猜。"
                ),
                text(
                    "Use finetune with this model, or an encoder like BERT.",
                    "该模型请用 finetune，或换用 BERT 类编码器。",
                ),
            )
        added = tokenizer.get_added_tokens_decoder()
        special = sorted({*(i for i, token in added.items() if token.special), mask, preparation.pad})
        return Masking(mask, torch.tensor(special), tokenizer.get_vocab_size())

    def hide(self, batch: torch.Tensor, share: float, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch `(n, 3, length)` with tokens hidden, and `(n, length)` bool: which are to be guessed (at least one)."""
        ids = batch[:, 0].cpu()
        free = (batch[:, 1].cpu() == 1) & ~torch.isin(ids, self.special)
        chance = torch.rand(ids.shape, generator=generator).masked_fill(~free, 2.0)
        chosen = chance < max(share, float(chance.min()) + 1e-7) if free.any() else free
        fate, other = (
            torch.rand(ids.shape, generator=generator),
            torch.randint(self.vocabulary, ids.shape, generator=generator),
        )
        ids = torch.where(chosen & (fate < 0.8), self.mask, ids)
        ids = torch.where(chosen & (fate >= 0.9), other, ids)
        hidden = batch.clone()
        hidden[:, 0] = ids.to(batch.device)
        return hidden, chosen.to(batch.device)


class MaskedHead(nn.Module):
    """From a token's vector to scores over the vocabulary; the table of token vectors serves as the last layer.

    Sentence encoders are published without the head of their pretraining, so it starts anew: the first layer as the identity, and
    the tied table keeps it small.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        rows, width = encoder.table.shape
        self.dense, self.norm = nn.Linear(encoder.width, width), nn.LayerNorm(width)
        self.bias = nn.Parameter(torch.zeros(rows))
        with torch.no_grad():
            self.dense.weight.copy_(torch.eye(width, encoder.width))
            self.dense.bias.zero_()

    def forward(self, vectors: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        return functional.linear(self.norm(functional.gelu(self.dense(vectors))), table, self.bias.to(table.dtype))


def masked_loss(
    encoder: Encoder, head: MaskedHead, batch: torch.Tensor, hidden: torch.Tensor, chosen: torch.Tensor
) -> torch.Tensor:
    """`()` cross-entropy of the hidden tokens of `batch`; only they go through the head (memory: hidden tokens × vocabulary)."""
    vectors = encoder.tokens(hidden)[chosen]
    scores = head(vectors, encoder.table)
    return functional.cross_entropy(scores.float(), batch[:, 0][chosen])
