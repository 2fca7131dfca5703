"""Folds: every example once, no group split, classes even, the same seed the same folds; against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.arrays import kind_of, strata_of
from weigh.data.fold_checks import fold_warnings
from weigh.data.folds import assign_blocks, assign_folds, holdout, inner_split
from weigh.errors import DesignError
from weigh.kinds.base import rows_of
from weigh.kinds.box_list import Boxes
from weigh.kinds.boxes import BOXES
from weigh.kinds.label_map import LabelMap
from weigh.kinds.masks import MASKS


@st.composite
def designs(draw):
    n = draw(st.integers(4, 120))
    folds = draw(st.integers(2, 6))
    classes = draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    target = rng.integers(0, classes, n)
    group = rng.integers(0, draw(st.integers(1, n)), n) if draw(st.booleans()) else None
    return target, folds, group, seed


@given(designs(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_example_once_no_group_split_no_fold_empty(design, stratify):
    target, folds, group, seed = design
    units = len(target) if group is None else len(np.unique(group))
    if units < folds:
        with pytest.raises(DesignError):
            assign_folds(
                strata_of(target, stratify=stratify), folds=folds, rng=np.random.default_rng(seed), group=group
            )
        return
    fold = assign_folds(strata_of(target, stratify=stratify), folds=folds, rng=np.random.default_rng(seed), group=group)
    again = assign_folds(
        strata_of(target, stratify=stratify), folds=folds, rng=np.random.default_rng(seed), group=group
    )
    assert fold.dtype == np.int16
    assert (fold == again).all()
    assert set(fold.tolist()) == set(range(folds))
    if group is not None:
        for g in np.unique(group):
            assert len(set(fold[group == g].tolist())) == 1
    else:
        sizes = np.bincount(fold, minlength=folds)
        assert sizes.max() - sizes.min() <= 1
        if stratify:
            for c in np.unique(target):
                counts = np.bincount(fold[target == c], minlength=folds)
                assert counts.max() - counts.min() <= 1


@given(designs())
@settings(max_examples=60, deadline=None)
def test_groups_of_one_are_as_good_as_no_groups(design):
    target, folds, _, seed = design
    if len(target) < folds:
        return
    fold = assign_folds(
        strata_of(target), folds=folds, rng=np.random.default_rng(seed), group=np.arange(len(target)).astype(str)
    )
    for c in np.unique(target):
        counts = np.bincount(fold[target == c], minlength=folds)
        assert counts.max() - counts.min() <= 1


def test_grouped_folds_are_at_least_as_even_as_scikit_learns():
    from sklearn.model_selection import StratifiedGroupKFold

    worse = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        target, group = rng.choice(4, 600, p=[0.6, 0.25, 0.1, 0.05]), rng.integers(0, 70, 600)
        ours = assign_folds(strata_of(target), folds=5, rng=rng, group=group)
        theirs = np.empty(600, int)
        splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for k, (_, inside) in enumerate(splitter.split(target, target, group)):
            theirs[inside] = k

        def unevenness(fold, target=target):
            table = np.array([np.bincount(target[fold == k], minlength=4) for k in range(5)])
            return (((table - table.mean(0)) ** 2) / table.mean(0)).sum()

        worse += unevenness(ours) > unevenness(theirs)
    assert worse <= 5


def test_multilabel_spreads_rare_labels_and_label_sets():
    rng = np.random.default_rng(0)
    target = (rng.random((1000, 8)) < np.linspace(0.01, 0.4, 8)).astype(np.uint8)
    fold = assign_folds(strata_of(target), folds=5, rng=rng)
    table = np.array([target[fold == k].sum(0) for k in range(5)])
    assert np.ptp(np.bincount(fold)) <= 4
    assert (np.ptp(table, axis=0) <= 4).all()


def test_one_giant_group_gets_few_others():
    target = np.zeros(100, int)
    group = np.concatenate([np.zeros(40, int), np.arange(1, 61)])
    fold = assign_folds(strata_of(target), folds=5, rng=np.random.default_rng(0), group=group)
    assert sorted(np.bincount(fold)) == [15, 15, 15, 15, 40]


def test_folds_depend_on_the_seed_and_are_not_a_fixed_pattern():
    target = np.arange(60) % 3
    folds = {tuple(assign_folds(strata_of(target), folds=5, rng=np.random.default_rng(s))) for s in range(20)}
    assert len(folds) == 20
    first = [assign_folds(strata_of(target), folds=5, rng=np.random.default_rng(s))[0] for s in range(200)]
    assert (np.bincount(first, minlength=5) > 20).all()  # the first example may stand anywhere


def test_a_million_examples_with_groups():
    rng = np.random.default_rng(0)
    fold = assign_folds(
        strata_of(rng.integers(0, 10, 10**6)), folds=5, rng=rng, group=rng.integers(0, 5 * 10**5, 10**6)
    )
    assert np.ptp(np.bincount(fold)) < 100


@given(st.integers(10, 400), st.floats(0.1, 0.5), st.integers(0, 1000))
@settings(max_examples=80, deadline=None)
def test_holdout_takes_its_share_of_every_class(n, share, seed):
    rng = np.random.default_rng(seed)
    target = rng.integers(0, 3, n)
    held = holdout(strata_of(target), share=share, rng=rng)
    assert held.any()
    assert not held.all()
    assert abs(held.sum() - share * n) <= 3
    for c in np.unique(target):
        inside = (target == c).sum()
        assert abs(held[target == c].sum() - share * inside) <= 1 + 1e-9
        assert not held[target == c].all()


def test_holdout_of_many_tiny_classes_keeps_its_share():
    held = holdout(strata_of(np.repeat(np.arange(300), 3)), share=0.2, rng=np.random.default_rng(0))
    assert abs(held.mean() - 0.2) < 0.01


def test_inner_split_respects_groups():
    rng = np.random.default_rng(0)
    target, group = rng.integers(0, 2, 200), np.arange(200) // 8
    held = inner_split(strata_of(target), share=0.2, rng=rng, group=group)
    assert all(len(set(held[group == g])) == 1 for g in range(25))
    assert 24 <= held.sum() <= 56


@given(st.integers(10, 300), st.integers(1, 40), st.integers(2, 6), st.integers(0, 100))
@settings(max_examples=80, deadline=None)
def test_blocks_are_contiguous_and_balanced(n, size, folds, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(n) * 7
    blocks = max(1, (n + size // 2) // size)
    if blocks < folds:
        with pytest.raises(DesignError):
            assign_blocks(order, block_size=size, folds=folds, rng=rng)
        return
    fold, block = assign_blocks(order, block_size=size, folds=folds, rng=rng)
    along = block[np.argsort(order)]
    assert (np.diff(along) >= 0).all()
    assert along.max() + 1 == blocks
    sizes = np.bincount(along)
    assert (sizes[:-1] == size).all()
    assert sizes[-1] < 1.5 * size
    assert all(len(set(fold[block == b])) == 1 for b in range(blocks))
    dealt = np.bincount([fold[block == b][0] for b in range(blocks)], minlength=folds)
    assert np.ptp(dealt) <= 1


def test_fifths_are_as_many_blocks_as_folds():
    fold, block = assign_blocks(np.arange(2624), block_size=None, folds=5, rng=np.random.default_rng(0))
    assert np.bincount(block).tolist() == [525, 525, 525, 525, 524]
    assert sorted(set(fold)) == [0, 1, 2, 3, 4]


def test_classes_smaller_than_the_folds_are_warned_of():
    target = np.array([0] * 20 + [1] * 3 + [2] * 20)
    group = np.concatenate([np.arange(20), [50, 50, 50], np.repeat([60, 61], 10)])
    (problem,) = fold_warnings(kind_of(target), target, 5, "abc")
    assert problem.details == ({"class": "b", "examples": 3, "groups": 3},)
    assert problem.kind == "class-in-fold"
    alone, few = fold_warnings(kind_of(target), target, 5, "abc", group)
    assert (alone.kind, alone.severity, [d["class"] for d in alone.details]) == ("never-trained", "warning", ["b"])
    assert [d["class"] for d in few.details] == ["c"]
    assert not fold_warnings(kind_of(np.arange(50) % 2), np.arange(50) % 2, 5, "ab")


def test_impossible_designs_say_so():
    with pytest.raises(DesignError, match="5 parts need as many groups; the data have 3"):
        assign_folds(strata_of(np.zeros(30, int)), folds=5, rng=np.random.default_rng(0), group=np.arange(30) % 3)
    with pytest.raises(DesignError):
        assign_folds(strata_of(np.zeros(30, int)), folds=1, rng=np.random.default_rng(0))
    with pytest.raises(DesignError):
        holdout(strata_of(np.zeros(1, int)), share=0.5, rng=np.random.default_rng(0))


def test_numbers_are_spread_by_their_size():
    target = np.random.default_rng(0).normal(-3, 2, 500)
    fold = assign_folds(strata_of(target), folds=5, rng=np.random.default_rng(1))
    assert (np.bincount(fold) == 100).all()
    means = [target[fold == f].mean() for f in range(5)]
    shuffled = [target[np.arange(500) % 5 == f].mean() for f in range(5)]
    assert np.std(means) < np.std(shuffled) / 2
    assert not fold_warnings(kind_of(target), target, 5, ())
    equal = assign_folds(strata_of(np.full(20, 2.5)), folds=4, rng=np.random.default_rng(1))
    assert (np.bincount(equal) == 5).all()


def test_sentences_are_spread_by_the_types_of_their_entities():
    rng = np.random.default_rng(0)
    target = rows_of([tuple((j, j + 1, int(rng.integers(3))) for j in range(rng.integers(0, 3))) for _ in range(400)])
    target[0] = ((0, 1, 3),)  # one sentence alone has the fourth type
    fold = assign_folds(strata_of(target), folds=5, rng=np.random.default_rng(1))
    assert np.ptp(np.bincount(fold)) <= 4
    for kind in range(3):
        held = np.bincount(fold[[any(s[2] == kind for s in spans) for spans in target]], minlength=5)
        assert np.ptp(held) <= 3
    (problem,) = fold_warnings(kind_of(target), target, 5, "abcd")
    assert [row["class"] for row in problem.details] == ["d"]
    nothing = rows_of([()] * 10)
    assert (np.bincount(assign_folds(strata_of(nothing), folds=5, rng=rng)) == 2).all()


def test_of_masks_and_boxes_the_rare_class_is_named_and_no_other():
    """Background stands in every picture and is no stratum: the class before the rare one was named."""
    masks = [LabelMap.of(np.array([[0, i % 2, 2 * (i == 0)]]), 3) for i in range(20)]
    (problem,) = fold_warnings(MASKS, rows_of(masks), 5, ("background", "cat", "dog"))
    assert (problem.kind, [row["class"] for row in problem.details]) == ("never-trained", ["dog"])
    drawn = [Boxes.of(9, 9, np.tile([0, 0, 5, 5], (3, 1)), [0, 0, 2 if i == 0 else 0]) for i in range(20)]
    (problem,) = fold_warnings(BOXES, rows_of(drawn), 5, ("ant", "bee", "fly"))
    assert (problem.kind, [row["class"] for row in problem.details]) == ("never-trained", ["fly"])
