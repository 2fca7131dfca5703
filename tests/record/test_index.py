"""Folders of studies that former versions wrote are read as they were meant."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.findings.kinds import entity_study, number_study, text_study
from weigh.disk import seal, unseal
from weigh.kinds.base import rows_of
from weigh.media import joined_tokens
from weigh.record.index import NAME, _pack, read_index, write_index


@pytest.mark.parametrize(
    ("make", "medium"), [(text_study, "texts"), (number_study, "texts"), (entity_study, "sentences")]
)
def test_an_index_of_before_rows(tmp_path, make, medium):
    """Texts and tokens were columns of their own; of sentences both were kept, and the medium was not named."""
    examples = make(n=40).examples
    write_index(tmp_path, examples)
    with np.load(io.BytesIO(unseal((tmp_path / NAME).read_bytes()))) as stored:
        columns = {name: stored[name] for name in stored if name not in ("rows", "medium", "kind")}
    texts = [examples.texts(i) for i in range(len(examples))]
    columns["texts"] = _pack(rows_of(texts))
    if medium == "sentences":
        columns["tokens"] = _pack(examples.rows)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **columns)
    (tmp_path / NAME).write_bytes(seal(buffer.getvalue()))
    read = read_index(tmp_path)
    assert read.medium.name == medium
    assert read.kind is examples.kind
    assert read.rows.tolist() == examples.rows.tolist()
    assert [read.texts(i) for i in range(len(read))] == texts
    assert [read.quote(i) for i in range(3)] == [examples.quote(i) for i in range(3)]


def test_sentences_are_quoted_as_they_are_written():
    assert joined_tokens(["we", "saw", "Anna"]) == "we saw Anna"
    assert joined_tokens(["科", "技", "李"]) == "科技李"
