"""Entities as numbers: a code per token (0 outside, 1 + 2t begin of type t, 2 + 2t inside of it, -1 beyond the end of the sentence) and the
log probability of the tag that was decided on, side by side in one row per sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from weigh.kinds.base import rows_of

__all__ = ["BEYOND", "OUTSIDE", "code_spans", "decode_codes", "pack_tags", "unpack_tags"]

OUTSIDE = 0  # code of a token outside of all entities
BEYOND = -1  # code of a place beyond the end of the sentence


class PackedTags(NamedTuple):
    """Predicted tags of `n` sentences of at most `L` tokens.

    Attributes:
        codes: `(n, L)` int64.
        log_probabilities: `(n, L)` float64 of the tag that was decided on; 0 beyond the end.
    """

    codes: np.ndarray
    log_probabilities: np.ndarray


def code_spans(spans: Sequence[tuple[int, int, int]], length: int) -> np.ndarray:
    """`(length,)` int64 codes (IOB2) of the entities (first token, token after the last, class index) of one sentence."""
    codes = np.full(length, OUTSIDE, dtype=np.int64)
    for start, end, entity_type in spans:
        codes[start:end] = 2 + 2 * entity_type
        codes[start] = 1 + 2 * entity_type
    return codes


def decode_codes(codes: np.ndarray) -> np.ndarray:
    """`(n,)` object: the entities of every row of `codes` `(n, L)`, repaired as `decode_tags` does for IOB2.

    All sentences at once: findings decode what every run of every candidate predicted.
    """
    codes = np.asarray(codes)
    entity_type = np.where(codes > OUTSIDE, (codes - 1) // 2, -1)
    edge = np.full((len(entity_type), 1), -1)
    before, after = np.hstack([edge, entity_type[:, :-1]]), np.hstack([entity_type[:, 1:], edge])
    begins = (entity_type >= 0) & ((codes % 2 == 1) | (entity_type != before))
    next_begins = np.hstack([begins[:, 1:], np.zeros((len(entity_type), 1), dtype=bool)])
    ends = (entity_type >= 0) & (next_begins | (entity_type != after))
    rows, starts = np.nonzero(begins)  # in the order of reading, as their ends are
    stops = np.nonzero(ends)[1] + 1
    spans = list(zip(starts.tolist(), stops.tolist(), entity_type[rows, starts].tolist(), strict=True))
    bounds = np.searchsorted(rows, np.arange(len(entity_type) + 1)).tolist()
    return rows_of([tuple(spans[a:b]) for a, b in pairwise(bounds)])


def pack_tags(codes: Sequence[np.ndarray], log_probabilities: Sequence[np.ndarray], width: int) -> np.ndarray:
    """`(n, 2 * width)` float32: what a run leaves of its predicted tags.

    Args:
        codes, log_probabilities: One array per sentence, as long as the sentence.
        width: Tokens of the longest sentence of the study.
    """
    packed = np.zeros((len(codes), 2 * width), dtype=np.float32)
    packed[:, :width] = BEYOND
    for row, (tags, logs) in enumerate(zip(codes, log_probabilities, strict=True)):
        packed[row, : len(tags)] = tags
        packed[row, width : width + len(tags)] = logs
    return packed


def unpack_tags(packed: np.ndarray) -> PackedTags:
    """What `pack_tags` packed."""
    codes, logs = np.split(packed, 2, axis=1)
    codes = codes.astype(np.int64)
    return PackedTags(codes, np.where(codes == BEYOND, 0.0, logs.astype(np.float64)))
