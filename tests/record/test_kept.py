"""Answers that are kept as the network gave them: the worst of a run, or all; old files have none."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from tests.arrays import labelled
from weigh.kinds.base import rows_of
from weigh.kinds.label_map import LabelMap
from weigh.kinds.mask_statistics import compare_masks
from weigh.kinds.masks import MASKS
from weigh.record.arrays import read_kept, read_predictions, write_predictions
from weigh.record.ledger import Ledger
from weigh.run import Kept, Outcome, Run, Setting
from weigh.train.furthest import Furthest, furthest_of

WRONG = np.array([3, 0, 9, 1, 9, 5])  # pixels of each of six pictures


def masks_of(wrong=WRONG):
    """Masks of sixteen pixels, and answers with so many wrong ones."""
    truth = rows_of([LabelMap.of(np.zeros((4, 4), int), 2)] * len(wrong))
    answers = rows_of([LabelMap.of((np.arange(16) < k).reshape(4, 4).astype(int), 2) for k in wrong])
    return SimpleNamespace(target=truth, kind=MASKS), answers, compare_masks(answers, truth)


def looked(most, batches=((0, 1, 2), (3, 4, 5))):
    examples, answers, recorded = masks_of()
    furthest = Furthest(examples, most)
    for batch in batches:
        rows = np.array(batch)
        furthest.look(rows, answers[rows], recorded[rows])
    return furthest.kept(), answers


@pytest.mark.parametrize(
    ("most", "expected"), [(1, [2]), (2, [2, 4]), (3, [2, 4, 5]), (None, [0, 1, 2, 3, 4, 5]), (9, [0, 1, 2, 3, 4, 5])]
)
@pytest.mark.parametrize("batches", [((0, 1, 2), (3, 4, 5)), ((5,), (4, 2), (0, 1, 3)), ((0, 1, 2, 3, 4, 5),)])
def test_those_furthest_off_are_kept_whatever_the_batches(most, expected, batches):
    kept, answers = looked(most, batches)
    assert kept.examples.tolist() == expected
    assert list(kept.answers) == [answers[i] for i in expected]


@pytest.mark.parametrize(
    ("purpose", "keep_all", "most"),
    [("main", False, 12), ("main", True, None), ("refit", True, None), ("refit", False, 0), ("curve", True, 0)],
)
def test_what_a_run_keeps_follows_from_its_purpose(purpose, keep_all, most):
    examples, answers, recorded = masks_of(np.arange(15) % 16)
    run = SimpleNamespace(purpose=purpose)
    furthest = furthest_of(run, Setting("semantic-segmentation", ("a", "b"), "mean_iou", keep_all=keep_all), examples)
    if most == 0:
        assert furthest is None
        return
    furthest.look(np.arange(15), answers, recorded)
    assert len(furthest.kept().examples) == (15 if most is None else most)
    assert furthest_of(run, Setting("", (), ""), labelled(np.zeros(3, int))) is None  # logits say all


def test_they_come_back_from_disk_and_older_files_have_none(tmp_path):
    examples, _, recorded = masks_of()
    kept, _ = looked(3)
    written = (tmp_path / "a.npz", "key", MASKS, np.arange(6) + 40, recorded, examples.target)
    plain = write_predictions(*written)
    assert read_kept(tmp_path / "a.npz", plain) is None
    digest = write_predictions(*written, Kept(kept.examples + 40, kept.answers))
    assert digest != plain
    back = read_kept(tmp_path / "a.npz", digest)
    assert back.examples.tolist() == [42, 44, 45]
    assert list(back.answers) == list(kept.answers)
    indices, counts = read_predictions(tmp_path / "a.npz", digest)
    assert indices.tolist() == list(range(40, 46))
    assert np.array_equal(counts, recorded)
    with pytest.raises(ValueError, match="not what was written"):
        read_kept(tmp_path / "a.npz", plain)


def test_the_ledger_hands_them_out(tmp_path):
    examples, _, recorded = masks_of()
    kept, _ = looked(2)
    empty = {"options": {}, "purpose": "main", "variant": "", "repeat": 0, "train": np.arange(0), "seeds": {}}
    runs = [Run(k, "c", "m", "decoder", fold=i, test=np.arange(6), **empty) for i, k in enumerate("ab")]
    ledger = Ledger(tmp_path, create=True)
    outcomes = [Outcome("a", "done", answers=recorded, kept=kept), Outcome("b", "done", answers=recorded)]
    ledger.commit(runs, outcomes, examples)
    assert list(ledger.kept("a").answers) == list(kept.answers)
    assert ledger.kept("b") is None
