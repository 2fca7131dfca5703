"""What the head of entities makes of the outputs for tokens: a tag for every word, those without a token included."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from weigh.heads.base import HEADS
from weigh.inputs.base import Batch
from weigh.kinds.base import Prediction, rows_of
from weigh.kinds.spans import SPANS


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ((1, 2), ((0, 3, 0),)),  # begins, goes on: what stands between belongs to it
        ((1, 1), ((0, 1, 0), (2, 3, 0))),
        ((1, 0), ((0, 1, 0),)),
        ((0, 1), ((2, 3, 0),)),
    ],
)
def test_a_word_without_a_token_does_not_part_an_entity(tags, spans):
    """Of three words the tokenizer drops the one in the middle."""
    block = np.zeros((1, 6, 4), dtype=np.int64)
    block[0, 1], block[0, 3], block[0, 5] = 1, (-1, 0, 2, -1), 3
    logits = torch.zeros(1, 4, 3)
    for token, tag in enumerate(tags, 1):
        logits[0, token, tag] = 9.0
    answers = HEADS.get(SPANS.name).answers(torch.nn.Identity(), logits, Batch(torch.from_numpy(block)), 6)
    assert SPANS.decide(answers).labels.tolist() == [spans]


@pytest.mark.parametrize(("tokens", "written"), [(("New", "York", "is"), "New York"), (("张", "三", "在"), "张三")])
def test_the_text_of_an_entity_is_written_as_its_script_writes_it(tokens, written):
    prediction = Prediction(np.ones((1, 1)), rows_of([((0, 2, 0),)]))
    row = SPANS.row(prediction, 0, ("NAME",), tokens=tokens)
    assert row == {"entities": [{"start": 0, "end": 2, "type": "NAME", "text": written}]}
