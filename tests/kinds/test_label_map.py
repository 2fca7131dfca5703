"""Masks as they are kept."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from weigh.kinds.label_map import LabelMap, ignored_mark


@given(
    arrays.arrays(np.int32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-2, 400)),
    st.integers(1, 300),
)
def test_a_mask_comes_back_as_it_was_and_what_is_no_class_is_ignored(indices, classes):
    kept = LabelMap.of(indices, classes)
    back = kept.indices().astype(np.int64)
    known = (indices >= 0) & (indices < classes)
    assert (back[known] == indices[known]).all()
    assert (back[~known] == ignored_mark(kept.indices().dtype)).all()
    assert kept.ignored == (~known).sum()
    assert kept.counts == tuple(int((indices == c).sum()) for c in range(classes))


def test_254_classes_and_an_ignored_pixel_fit_into_bytes_and_255_do_not():
    assert LabelMap.of(np.array([[253, 255]]), 254).indices().dtype == np.uint8
    kept = LabelMap.of(np.array([[254, 255]]), 255)
    assert kept.indices().dtype == np.uint16
    assert kept.indices().tolist() == [[254, 65535]]
