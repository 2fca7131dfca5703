"""Metrics of entities equal seqeval's; tags are repaired as seqeval reads them, and kept as numbers without loss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

from weigh.data.sentences.tags import decode_tags
from weigh.kinds.base import Prediction
from weigh.kinds.spans import SPANS
from weigh.kinds.tags import BEYOND, code_spans, decode_codes, pack_tags, unpack_tags
from weigh.metrics.base import METRICS

TYPES = ["LOC", "PER", "ORG"]
NAMES = [name for name, metric in METRICS.items() if "spans" in metric.kinds]
ORACLES = {
    "entity_f1": f1_score,
    "entity_precision": precision_score,
    "entity_recall": recall_score,
    "entity_f1_macro": lambda y, p: f1_score(y, p, average="macro", zero_division=0),
}
pytestmark = pytest.mark.filterwarnings("ignore")
sentence = st.lists(st.integers(0, 2 * len(TYPES)), min_size=1, max_size=12)
sentences = st.lists(sentence, min_size=1, max_size=8)


def written(codes) -> list[str]:
    return ["O" if c == 0 else f"{'BI'[(c - 1) % 2]}-{TYPES[(c - 1) // 2]}" for c in codes]


def padded(rows) -> np.ndarray:
    width = max(map(len, rows))
    return np.array([[*row, *[BEYOND] * (width - len(row))] for row in rows])


def answers(seed: int, n: int = 40) -> tuple[list[list[int]], list[list[int]]]:
    """Tags in the data and predicted ones, some as they should be."""
    rng = np.random.default_rng(seed)
    gold = [rng.integers(0, 7, rng.integers(1, 9)) * (rng.random() < 0.8) for _ in range(n)]
    said = [np.where(rng.random(len(row)) < 0.6, row, rng.integers(0, 7, len(row))) for row in gold]
    return [row.tolist() for row in gold], [row.tolist() for row in said]


def measured(metric, gold, said):
    spans = decode_codes(padded(said))
    return metric.measure(Prediction(np.ones((len(said), 1)), spans), decode_codes(padded(gold)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", NAMES)
def test_equals_seqeval(name, seed):
    gold, said = answers(seed)
    metric = METRICS.get(name)
    found = metric.reduce(measured(metric, gold, said), np.ones(len(gold)))
    assert found == pytest.approx(ORACLES[name](list(map(written, gold)), list(map(written, said))), abs=1e-12)


@given(seed=st.integers(0, 10_000), name=st.sampled_from(NAMES))
@settings(max_examples=60, deadline=None)
def test_weights_are_copies_of_sentences(seed, name):
    gold, said = answers(seed, 15)
    counts = np.random.default_rng(seed).integers(0, 3, len(gold))
    rows = np.repeat(np.arange(len(gold)), counts)
    true, predicted = ([written(side[i]) for i in rows] for side in (gold, said))
    if not any(tag != "O" for tags in true + predicted for tag in tags):
        return
    metric = METRICS.get(name)
    found = metric.reduce(measured(metric, gold, said), np.stack([counts, 2.5 * counts]))
    np.testing.assert_allclose(found, ORACLES[name](true, predicted), atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_no_entity_anywhere_is_nan_and_none_right_is_zero(name):
    metric = METRICS.get(name)
    assert np.isnan(metric.reduce(measured(metric, [[0, 0]], [[0, 0]]), np.ones(1)))
    for gold, said in (([[1, 2]], [[0, 0]]), ([[0, 0]], [[1, 2]]), ([[1, 2]], [[3, 4]])):
        statistics = measured(metric, gold, said)
        assert metric.reduce(statistics, np.ones(1)) == 0
        assert np.isnan(metric.reduce(statistics, np.zeros(1)))


@given(sentences)
@settings(max_examples=150, deadline=None)
def test_tags_are_repaired_as_seqeval_reads_them(rows):
    found = decode_codes(padded(rows))
    for codes, spans in zip(rows, found, strict=True):
        theirs = [(start, end + 1, TYPES.index(kind)) for kind, start, end in get_entities(written(codes))]
        assert list(spans) == theirs
        pairs = [("O", "") if c == 0 else ("BI"[(c - 1) % 2], TYPES[(c - 1) // 2]) for c in codes]
        ours = decode_tags(pairs, "IOB2").spans
        assert list(spans) == [(a, b, TYPES.index(kind)) for a, b, kind in ours]  # the readers' repair is the same
        assert decode_codes(code_spans(spans, len(codes))[None])[0] == spans


@given(sentences, st.integers(0, 3), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_tags_are_kept_without_loss(rows, spare, seed):
    rng = np.random.default_rng(seed)
    logs = [np.log(rng.uniform(0.1, 1, len(row))) for row in rows]
    packed = pack_tags([np.array(row) for row in rows], logs, max(map(len, rows)) + spare)
    assert packed.dtype == np.float32
    codes, kept = unpack_tags(packed)
    for row, own, place, value in zip(rows, logs, codes, kept, strict=True):
        assert place[: len(row)].tolist() == row
        assert (place[len(row) :] == BEYOND).all()
        np.testing.assert_allclose(value[: len(row)], own, rtol=1e-6)
        assert (value[len(row) :] == 0).all()


def test_a_prediction_of_spans_and_a_missing_run():
    packed = pack_tags([np.array([1, 2, 0]), np.array([4])], [np.log([0.5, 0.5, 0.8]), np.log([0.25])], 3)
    packed = np.concatenate([packed, np.full((1, 6), np.nan, dtype=np.float32)])
    found = SPANS.decide(packed)
    assert found.labels.tolist() == [((0, 2, 0),), ((0, 1, 1),), ()]
    np.testing.assert_allclose(found.probabilities[:2, 0], [0.2, 0.25], rtol=1e-6)
