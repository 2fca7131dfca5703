"""What the tasks on texts share: how texts, and pairs of them, are fed to an encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from weigh.data.examples import Examples
from weigh.inputs.texts import Texts
from weigh.models.encoder import Siamese
from weigh.models.network import Network, make_network
from weigh.models.pretrained import Pretrained
from weigh.models.tokenisation import Tokenisation
from weigh.run import Setting
from weigh.tasks.base import Progress, Stream

__all__ = ["adapt_texts", "is_pair", "stream_texts", "text_inputs"]


def is_pair(examples: Examples) -> bool:
    """Whether each example is two texts."""
    return examples.texts is not None and len(examples.texts) > 0 and len(examples.texts[0]) == 2


def text_inputs(
    examples: Examples, preparation: Tokenisation, setting: Setting, _options: dict[str, Any], _progress: Progress
) -> Texts:
    """For training a network: a pair is one row, so that the two texts attend to each other."""
    assert examples.texts is not None
    rows = preparation.encode(list(examples.texts))
    return Texts([(row,) for row in rows], preparation.pad, setting.device)


def stream_texts(examples: Examples, preparation: Tokenisation, setting: Setting) -> Stream:
    """For frozen features: a pair is two rows, for a frozen encoder has learnt to embed texts and not pairs."""
    assert examples.texts is not None
    texts = list(examples.texts)
    if is_pair(examples):
        first, second = (preparation.encode([(pair[i],) for pair in texts]) for i in (0, 1))
        rows = list(zip(first, second, strict=True))
    else:
        rows = [(row,) for row in preparation.encode(texts)]
    inputs = Texts(rows, preparation.pad, setting.device)
    everything = np.arange(len(examples))
    for positions in inputs.cut(everything, setting.batch):
        yield positions, inputs.batch(positions)


def adapt_texts(
    model: Pretrained, outputs: int, examples: Examples, generator: torch.Generator | None, *, frozen: bool
) -> Network:
    """The encoder with a new head; pairs are encoded apart for recipes that train the head alone."""
    if not (frozen and is_pair(examples)):
        return make_network(model, outputs, generator)
    network = make_network(model, outputs, generator, copies=Siamese.PARTS)
    return Network(Siamese(network.body), network.head)
