"""`words:tfidf`: counted words in place of a pretrained model. It has no weights of its own: recipe `naive-bayes` puts in what it learnt.

A text becomes the n-grams that it holds and how often (`NGrams`); the module looks them up in a table that stands in the saved model, weighs
them by TF-IDF, and adds what each says for every class. An n-gram is known by 64 bits of its hash, so the table is an array like
any other weights, and no vocabulary has to be carried beside it.

Before it: texts. After it: `train/naive_bayes.py`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import nn

from weigh.data.unspaced import UNSPACED
from weigh.errors import ModelError
from weigh.language import text
from weigh.models.address import Address
from weigh.models.anatomy import Anatomy
from weigh.models.preparation import WITH_WEIGH
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance

__all__ = ["CountedWords", "NGrams", "ngrams"]

NAMES = ("tfidf",)
WORDS, CHARACTERS = 2, 3  # longest n-grams: of words; of characters where a script has no blanks between words
RULE = f"words 1-{WORDS}, characters 1-{CHARACTERS}, NFKC, lower case, blake2b-64; raw counts, smooth idf, l2"


def ngrams(written: str) -> Iterator[str]:
    """Words and pairs of neighbouring words in lower case; of Han, kana, Thai and their like one to three characters of an unbroken run."""
    plain = unicodedata.normalize("NFKC", written).lower()
    before = ""
    for match in _pieces().finditer(plain):
        piece = match[0]
        if UNSPACED.match(piece):
            before = ""
            for size in range(1, CHARACTERS + 1):
                yield from (piece[i : i + size] for i in range(len(piece) - size + 1))
            continue
        yield piece
        if before:
            yield f"{before} {piece}"
        before = piece


@cache
def _pieces() -> re.Pattern[str]:
    """Runs of a script without blanks, or else of letters and digits. The marks that are written into words of Devanagari and its like are
    no letters for `re`.
    """
    marks = "".join(chr(c) for c in range(0x300, 0xFE30) if unicodedata.category(chr(c))[0] == "M")
    unspaced = UNSPACED.pattern.strip("[]")
    return re.compile(f"[{unspaced}]+|(?:(?![{unspaced}])[\\w{re.escape(marks)}])+")


@lru_cache(maxsize=2**18)
def _hash(ngram: str) -> int:
    digest = hashlib.blake2b(ngram.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


class _Encoded(NamedTuple):
    """The same names as an encoding of the tokenizers library has."""

    offsets: list[tuple[int, int]]


class _Characters:
    """Stands where a tokenizer is asked to cut a script without blanks: into characters."""

    def encode(self, written: str, **_options: Any) -> _Encoded:
        return _Encoded([(i, i + 1) for i in range(len(written))])


@dataclass(frozen=True)
class NGrams:
    """The preparation: it is the same whatever was learnt."""

    reads: ClassVar[str] = "texts"
    size: ClassVar[int] = 32  # of a blank example
    pad: ClassVar[int] = 0
    tokenizer: ClassVar[_Characters] = _Characters()

    def configured(self, options: dict[str, Any]) -> NGrams:
        return self

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[np.ndarray]:
        """`(2, k)` int64 of each example: the hashes of its n-grams, ascending, and how often each occurs."""
        hashes = [np.fromiter((_hash(one) for part in row for one in ngrams(part)), np.int64) for row in texts]
        return [np.stack(np.unique(of_text, return_counts=True)) for of_text in hashes]

    def count(self, texts: Sequence[tuple[str, ...]]) -> None:
        """Every text is read to its end, and there is no vocabulary that could lack a word of it before training."""

    def blank(self, n: int, device: str | torch.device = "cpu") -> torch.Tensor:
        rows = torch.zeros((n, 3, self.size), dtype=torch.long, device=device)
        rows[:, 1] = 1
        return rows

    def as_json(self) -> dict[str, Any]:
        return {"ngrams": RULE}

    def files(self) -> dict[str, str | dict[str, Any]]:
        return {}

    def plain(self, *, apart: bool) -> Any:
        raise ModelError(
            text("Counted words cannot be written as ONNX.", "词频模型无法写成 ONNX。"),
            text("Its operators do not cut texts into words.", "ONNX 的算子不能把文本切成词。"),
            WITH_WEIGH,
        )

    def __str__(self) -> str:
        return RULE


class CountedWords(nn.Module):
    """What the n-grams of a text say for each class: the sum of their weights, weighed by TF-IDF.

    Attributes:
        table: `(m,)` int64 hashes of the known n-grams, ascending.
        idf: `(m,)` how rare they were.
        weight: `(m, width)` what they say.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("idf", torch.ones(1))
        self.register_buffer("weight", torch.zeros(1, 1))

    def learn(self, table: np.ndarray, idf: np.ndarray, weight: np.ndarray) -> None:
        self.table = torch.from_numpy(np.ascontiguousarray(table, np.int64))
        self.idf = torch.from_numpy(np.ascontiguousarray(idf, np.float32))
        self.weight = torch.from_numpy(np.ascontiguousarray(weight, np.float32))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """`(n, width)` of `(n, 3, k)`: hashes, a mask, counts."""
        hashes, counts = batch[:, 0].long().contiguous(), batch[:, 2]
        if not hashes.numel() or not len(self.table):  # texts without a word, or nothing but such in training
            return self.weight.new_zeros((len(batch), self.weight.shape[1]))
        place = torch.searchsorted(self.table, hashes).clamp_max(len(self.table) - 1)
        values = torch.where(self.table[place] == hashes, counts.to(self.idf.dtype) * self.idf[place], 0.0)
        values = values / values.square().sum(dim=1, keepdim=True).sqrt().clamp_min(1e-12)
        return nn.functional.embedding_bag(place, self.weight, per_sample_weights=values, mode="sum")


def _take_sizes(module: nn.Module, shapes: Mapping[str, Sequence[int]]) -> None:
    m, width = next(shape for name, shape in shapes.items() if name.startswith("body.") and name.endswith("weight"))
    assert isinstance(module, CountedWords)
    module.learn(np.zeros(m), np.ones(m), np.zeros((m, width)))


ANATOMY = Anatomy(
    features=lambda module, _address: module.weight.shape[1], layers=None, maps=None, trainable=False, cuts=frozenset(),
    fold=lambda module, _like: module, operations=lambda _module, _blank: 0, parameters=lambda _module: 0,
    bytes=lambda _module: 0, digest=lambda _module: hashlib.sha256(RULE.encode()).hexdigest(), take_sizes=_take_sizes,
)  # fmt: skip


def load_words(address: Address, *, pretrained: bool, offline: bool) -> Pretrained:  # noqa: ARG001 - it has no weights
    """The counter, before it has learnt anything.

    Raises:
        ModelError: There is one only.
    """
    if address.name not in NAMES:
        raise ModelError(
            text("There is no '{n}' among counted words.", "没有名为“{n}”的词频模型。", n=address.name),
            do=text("Write words:{n}", "请写 words:{n}", n=NAMES[0]),
        )
    return Pretrained(address, CountedWords(), NGrams(), Provenance("none"), classes=0, anatomy=ANATOMY)


def _names(pattern: str) -> list[str]:
    from fnmatch import fnmatch

    return [name for name in NAMES if fnmatch(name, pattern)]


MODEL_SOURCES.register("words", ModelSource(load_words, _names))
