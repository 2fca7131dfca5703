"""Studies of masks with planted mistakes, for the tests of findings and reports (see `synthetic.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tests.findings.synthetic import make_results
from weigh.kinds.base import rows_of
from weigh.kinds.label_map import LabelMap
from weigh.kinds.mask_statistics import compare_masks
from weigh.record.results import Results
from weigh.run import Kept

__all__ = ["CLASSES", "border_errors", "halves_confused", "inside_errors", "objects_missed", "planted_study"]

CLASSES = ("ground", "sign", "pole")
Pair = tuple[np.ndarray, np.ndarray]
Drawn = Callable[[np.random.Generator, int], Pair]


def planted_study(
    drawn: Drawn,
    n: int = 40,
    repeats: int = 1,
    *,
    seed: int = 0,
    classes: Sequence[str] = CLASSES,
    test: int = 0,
    rivals: Sequence[Drawn] = (),
    **options: Any,
) -> Results:
    """A study of one candidate, "m0", and more for each of `rivals`, whose answers are kept.

    Args:
        drawn: (generator, number of the picture) -> the class of each pixel in the mask, and in the answer. The mask must be the same for
            the same generator whatever the answer.
    """
    logits, kept, target, tested = {}, {}, rows_of([]), {}
    for k, one in enumerate((drawn, *rivals)):
        pairs = [one(np.random.default_rng([seed, i]), i) for i in range(n + test)]
        truth, answers = (rows_of([LabelMap.of(pair[j], len(classes)) for pair in pairs]) for j in (0, 1))
        recorded = compare_masks(answers, truth)
        logits[f"m{k}"] = np.repeat(recorded[None, :n], repeats, axis=0)
        tested[f"m{k}"] = recorded[n:]
        kept[f"m{k}"], target = answers, truth
    parts = {"test": tested, "test_target": target[n:]} if test else {}
    options = {"folds": 5, "task": "semantic-segmentation", "classes": classes, **parts, **options}
    options["recipes"] = dict.fromkeys(logits, "decoder")
    results = make_results(logits, target[:n], **options)

    def kept_of(key: str) -> Kept | None:
        where = results.predictions(key)[0]
        return Kept(where, kept[key.split("/")[0]][where]) if "/main/" in key else None

    return replace(results, kept=kept_of)


def halves_confused(share: float, spread: float = 0.05) -> Drawn:
    """Ground above, signs below; so much of the signs, in the mean, is given to poles."""

    def drawn(rng: np.random.Generator, i: int) -> Pair:
        truth = np.zeros((20, 20), int)
        truth[10:] = 1
        answer = truth.copy()
        wrong = round(200 * np.clip(rng.normal(share, spread), 0, 1))
        answer[10:].flat[:wrong] = 2
        return truth, answer

    return drawn


def border_errors(near: float, inside: float = 0.0) -> Drawn:
    """Ground left, signs right; pixels at the border are wrong with one probability, those further inside with another."""

    def drawn(rng: np.random.Generator, i: int) -> Pair:
        truth = np.repeat(np.arange(40) // 20, 40).reshape(40, 40).T
        depth = np.abs(np.arange(40) - 19.5) < 2
        wrong = rng.random((40, 40)) < np.where(depth, near, inside)[None, :]
        return truth, np.where(wrong, 1 - truth, truth)

    return drawn


def inside_errors(rate: float) -> Drawn:
    """All wrong pixels are far from the border."""
    return border_errors(0.0, rate)


def objects_missed(small: float, large: float) -> Drawn:
    """Signs of four pixels and poles of a hundred on 4,096 pixels of ground; so many of either are missed."""

    def drawn(rng: np.random.Generator, i: int) -> Pair:
        truth = np.zeros((64, 64), int)
        answer = truth.copy()
        for k in range(3):
            for size, label, missed, top in ((2, 1, small, 2), (10, 2, large, 30)):
                place = np.s_[top : top + size, 4 + 20 * k : 4 + 20 * k + size]
                truth[place] = label
                answer[place] = 0 if rng.random() < missed else label
        return truth, answer

    return drawn


def wrong_masks(pictures: int, noise: float = 0.02) -> Drawn:
    """Ground left, signs right; the masks of the first pictures call a square of the ground a sign, which the answer does not."""

    def drawn(rng: np.random.Generator, i: int) -> Pair:
        seen = np.repeat(np.arange(40) // 20, 40).reshape(40, 40).T
        truth = seen.copy()
        if i < pictures:
            truth[10:18, 4:12] = 1
        wrong = rng.random((40, 40)) < noise
        return truth, np.where(wrong, 1 - seen, seen)

    return drawn
