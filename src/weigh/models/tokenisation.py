"""How a language model wants its texts: cut into tokens of its own vocabulary, up to a length.

`Tokenisation` is to texts what `Preprocessing` is to pictures. A text becomes `(2, length)` int32: ids of tokens and segments (0
for the first text, 1 for the second of a pair).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from weigh.models.preparation import PlainInputs

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Tokenisation", "join"]

TOKEN_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@dataclass(frozen=True, repr=False)
class Tokenisation:
    """How a model's texts are prepared.

    Attributes:
        written: The tokenizer as JSON (the format of the `tokenizers` library), without padding or truncation.
        size: Most tokens of an example, special tokens included.
        pad: Id that fills short rows.
        unknown: Id of what the vocabulary lacks; -1 where nothing is unknown (bytes).
        segments: Whether the model tells the two texts of a pair apart by segments.
        prefix: Put before each text ("query: " of E5).
    """

    reads: ClassVar[str] = "texts"
    written: str
    size: int
    pad: int = 0
    unknown: int = -1
    segments: bool = False
    prefix: str = ""

    def configured(self, options: dict[str, Any]) -> Tokenisation:
        """The same preparation with the recipe's options (`max_length`)."""
        max_length = options.get("max_length")
        return replace(self, size=min(self.size, max_length)) if max_length else self

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the `tokenizers` library; parsed at every call (a tenth of a second), so keep it."""
        from tokenizers import Tokenizer

        return Tokenizer.from_str(self.written)

    def encode(self, texts: Sequence[tuple[str, ...]], *, cut: bool = True) -> list[np.ndarray]:
        """`(2, length)` int32 of each example; pairs in one row with the model's own separators.

        Args:
            cut: To `size`, the longer text of a pair first.
        """
        tokenizer = self.tokenizer
        if cut:
            tokenizer.enable_truncation(self.size, strategy="longest_first")
        prefixed = [tuple(self.prefix + text for text in row) for row in texts]
        encodings = tokenizer.encode_batch_fast([row[0] if len(row) == 1 else row for row in prefixed])
        return [np.array([e.ids, e.type_ids if self.segments else [0] * len(e.ids)], dtype=np.int32) for e in encodings]

    def count(self, texts: Sequence[tuple[str, ...]]) -> dict[str, Any]:
        """How these texts fit: examples, cut (how many are longer than `size`), lost_share, unknown_share, tokens_per_character."""
        rows = self.encode(texts, cut=False)
        lengths = np.array([row.shape[1] for row in rows], dtype=np.int64)
        total, special = int(lengths.sum()), len(self.tokenizer.encode("").ids) * len(rows)
        unknown = sum(int((row[0] == self.unknown).sum()) for row in rows) if self.unknown >= 0 else 0
        characters = sum(len(part.strip()) for row in texts for part in row)
        return {
            "examples": len(rows),
            "length": self.size,
            "cut": int((lengths > self.size).sum()),
            "lost_share": float(np.maximum(lengths - self.size, 0).sum() / max(total, 1)),
            "unknown_share": unknown / max(total - special, 1),
            "tokens_per_character": (total - special) / max(characters, 1),
        }

    def encode_sentences(self, sentences: Sequence[Sequence[str]]) -> list[tuple[np.ndarray, np.ndarray]]:
        """The tokens of sentences in words, not cut: `(length,)` ids without special tokens, `(length,)` the word that each belongs to."""
        encodings = self.tokenizer.encode_batch(
            [list(tokens) for tokens in sentences], is_pretokenized=True, add_special_tokens=False
        )
        return [(np.array(e.ids, np.int32), np.array(e.word_ids, np.int32)) for e in encodings]

    def around(self) -> tuple[list[int], list[int]]:
        """Special tokens that stand before and after a single text."""
        whole = self.tokenizer.encode("a")
        inside = [i for i, special in enumerate(whole.special_tokens_mask) if not special]
        return whole.ids[: inside[0]], whole.ids[inside[-1] + 1 :]

    def blank(self, n: int, device: str | torch.device = "cpu") -> torch.Tensor:
        """A batch of `n` rows of 32 tokens, for timings and shapes."""
        rows = torch.zeros((n, 3, min(32, self.size)), dtype=torch.long, device=device)
        rows[:, 1] = 1
        return rows

    def as_json(self) -> dict[str, Any]:
        """What the configuration of a saved model says of it; the tokenizer itself is a file of its own beside it."""
        return {
            "size": self.size,
            "pad": self.pad,
            "unknown": self.unknown,
            "segments": self.segments,
            "prefix": self.prefix,
        }

    def files(self) -> dict[str, str | dict[str, Any]]:
        """The tokenizer, and what `AutoTokenizer` of the transformers library needs besides."""
        tokenizer, words = self.tokenizer, {"pad_token": self.pad, "unk_token": self.unknown}
        settings = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": self.size,
            "model_input_names": ["input_ids", *(["token_type_ids"] if self.segments else []), "attention_mask"],
            **{name: tokenizer.id_to_token(number) for name, number in words.items() if number >= 0},
        }
        return {"tokenizer.json": self.written, "tokenizer_config.json": settings}

    def plain(self, *, apart: bool) -> PlainInputs:
        """Random words; one text is shorter."""
        rows, words = self.blank(3), self.tokenizer.get_vocab_size()
        generator = torch.Generator().manual_seed(0)
        rows[:, 0] = torch.randint(words // 2, words, rows[:, 0].shape, generator=generator)
        rows[0, :, 20:] = 0
        names = TOKEN_INPUTS if self.segments else TOKEN_INPUTS[:2]
        examples = {
            n + suffix: rows[:, k].contiguous() for suffix in ("", "_2")[: 1 + apart] for k, n in enumerate(names)
        }

        def join(*inputs: torch.Tensor) -> torch.Tensor:
            parts: list[torch.Tensor] = []
            for start in range(0, len(inputs), len(names)):
                ids, mask, *segments = inputs[start : start + len(names)]
                parts += [ids, mask, segments[0] if segments else torch.zeros_like(ids)]
            return torch.stack(parts, dim=1)

        return PlainInputs(examples, {1: (2, self.size)}, join)

    def __str__(self) -> str:
        return json.dumps(self.as_json()) + self.written


def join(rows: Sequence[np.ndarray], pad: int, device: str | torch.device) -> torch.Tensor:
    """`(n, 3, longest)` int64 of rows `(2, length)`: ids, mask (1: a token, 0: filled up), segments."""
    longest = max(row.shape[1] for row in rows)
    block = np.zeros((len(rows), 3, longest), dtype=np.int64)
    block[:, 0] = pad
    for i, row in enumerate(rows):
        length = row.shape[1]
        block[i, 0, :length], block[i, 1, :length], block[i, 2, :length] = row[0], 1, row[1]
    return torch.from_numpy(block).to(device)
