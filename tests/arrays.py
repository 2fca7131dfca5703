"""Kinds for arrays that tests make by hand: what a reader of data would know, told here from shape and type."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from weigh.kinds.base import Kind, Strata
from weigh.kinds.box_list import Boxes
from weigh.kinds.boxes import BOXES
from weigh.kinds.label import LABEL
from weigh.kinds.label_map import LabelMap
from weigh.kinds.labels import LABELS
from weigh.kinds.masks import MASKS
from weigh.kinds.number import NUMBER
from weigh.kinds.spans import SPANS

__all__ = ["kind_of", "labelled", "strata_of"]


def kind_of(target: np.ndarray) -> Kind:
    """Objects are masks, boxes or entities, a matrix several labels, floats numbers, anything else classes."""
    target = np.asarray(target)
    if target.dtype == object:
        of = type(target[0]) if len(target) else tuple
        return MASKS if of is LabelMap else BOXES if of is Boxes else SPANS
    if target.ndim == 2:
        return LABELS
    return NUMBER if target.dtype.kind == "f" else LABEL


def strata_of(target: np.ndarray, *, stratify: bool = True) -> Strata:
    """What folds of these targets spread evenly."""
    target = np.asarray(target)
    return kind_of(target).strata(target) if stratify else Strata.single(np.zeros(len(target), np.int64), 1)


def labelled(target: np.ndarray) -> SimpleNamespace:
    """What a ledger needs of examples."""
    return SimpleNamespace(target=np.asarray(target), kind=kind_of(target))
