"""Named entities: every word gets a tag (outside, begin or inside of a type), and tags become spans.

The loss and the answer look at the first token of each word. Of all sequences of tags the likeliest valid one is taken (an
inside tag only after its own type): the best path, not a repair afterwards. What is recorded is described in `data/sentences/tags.py`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from weigh.data.examples import Examples
from weigh.heads.base import HEADS, Head
from weigh.inputs.base import Batch, Placed
from weigh.kinds.spans import Spans
from weigh.kinds.tags import OUTSIDE, code_spans, pack_tags
from weigh.models.network import Network

__all__ = ["best_tags"]

NOTHING = -100  # torch's own mark of what the loss leaves out


def _targets(target: np.ndarray, batch: torch.Tensor, _placed: Placed | None) -> torch.Tensor:
    """`(rows, length)` int64: the tag of the word that begins at each token, `NOTHING` elsewhere."""
    words, owner, lengths = batch[:, 3].cpu().numpy(), batch[:, 4, 0].cpu().numpy(), batch[:, 5, 0].cpu().numpy()
    tags = np.full(words.shape, NOTHING, dtype=np.int64)
    for k, example in enumerate(owner):
        begins = words[k] >= 0
        tags[k, begins] = code_spans(target[example], lengths[k])[words[k, begins]]
    return torch.from_numpy(tags)


def _loss(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    return functional.cross_entropy(logits.flatten(0, 1), target.flatten(), weight=weight, ignore_index=NOTHING)


def _words(target: torch.Tensor) -> int:
    return int((target != NOTHING).sum())


def _tags(examples: Examples) -> int:
    return 1 + 2 * len(examples.classes)


def _width(examples: Examples) -> int:
    return 2 * max((len(tokens) for tokens in examples.rows), default=1)


def _start(network: Network, training: Examples) -> None:
    """The logarithm of how often each tag occurs as bias (one word more of each, so that none is impossible): otherwise the first steps, in which
    the encoder is moved most, are spent on learning that most words belong to no entity.
    """
    counts = np.ones(network.outputs)
    for spans, words in zip(training.target, training.rows, strict=True):
        counts += np.bincount(code_spans(spans, len(words)), minlength=network.outputs)
    network.set_head(bias=np.log(counts / counts.sum()))


def _answers(_head: nn.Module, logits: torch.Tensor, batch: Batch, width: int) -> np.ndarray:
    """`(n, width)`: the tags of every word, then their log-probabilities; -1 after the last word.

    A word without a token of its own (a sign that the tokenizer drops) has 0 and 0; between two words of one entity it is inside of it, or the entity
    would fall into two.
    """
    logs = torch.log_softmax(logits.double(), dim=-1).cpu().numpy()
    words, owner = batch.inputs[:, 3].cpu().numpy(), batch.inputs[:, 4, 0].cpu().numpy()
    lengths = batch.inputs[:, 5, 0].cpu().numpy()
    codes: list[np.ndarray] = []
    sure: list[np.ndarray] = []
    for example in range(int(owner.max(initial=-1)) + 1):
        rows = np.flatnonzero(owner == example)
        codes.append(np.full(lengths[rows[0]], OUTSIDE))
        sure.append(np.zeros(lengths[rows[0]]))
        place = [(words[k, j], logs[k, j]) for k in rows for j in np.flatnonzero(words[k] >= 0)]
        place.sort(key=lambda pair: pair[0])
        if not place:
            continue
        at, scores = np.array([word for word, _ in place]), np.stack([score for _, score in place])
        tags = best_tags(scores)
        codes[-1][at], sure[-1][at] = tags, scores[np.arange(len(tags)), tags]
        for k in np.flatnonzero(np.diff(at) > 1).tolist():
            if tags[k + 1] != OUTSIDE and tags[k + 1] % 2 == 0:  # it continues the entity of the word before
                codes[-1][at[k] + 1 : at[k + 1]] = tags[k + 1]
    return pack_tags(codes, sure, width // 2)


def best_tags(scores: np.ndarray) -> np.ndarray:
    """`(words,)` int64: the likeliest sequence in which an inside tag follows a tag of its own type (Viterbi 1967).

    Args:
        scores: `(words, 1 + 2 types)` log-probabilities.
    """
    tags = scores.shape[1]
    before = np.zeros((tags, tags))  # [from, to]
    for inside in range(2, tags, 2):
        before[:, inside] = -np.inf
        before[[inside - 1, inside], inside] = 0
    total = scores[0].copy()
    total[2::2] = -np.inf
    came = np.zeros(scores.shape, dtype=np.int64)
    for word in range(1, len(scores)):
        paths = total[:, None] + before
        came[word] = paths.argmax(axis=0)
        total = paths.max(axis=0) + scores[word]
    best = np.empty(len(scores), dtype=np.int64)
    best[-1] = total.argmax()
    for word in range(len(scores) - 1, 0, -1):
        best[word - 1] = came[word, best[word]]
    return best


HEADS.register(Spans.name, Head(_tags, _width, _targets, _loss, _words, _answers, port="tokens", start=_start))
