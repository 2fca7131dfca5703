"""What a score is a mean of: class by class the share that was right, and among how many.

A metric that can be written so (accuracy, recalls, precision, F1, areas under curves) says it here; the interval of its
score takes the sizes of the parts into account (`stats/limits.py`): a class without errors is not certain. Metrics
that cannot have one part, the score itself.

Before it: statistics of the examples (`base.py`). Beside it: influences, from which the measured variance comes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from weigh.metrics.shares import share

__all__ = ["Parts", "among_pictures", "mean_of_parts", "one_part", "parts_over_folds", "size_of_f1"]


@dataclass(frozen=True)
class Parts:
    """A score as the sum of weight x share over k parts.

    Attributes:
        weight: `(k,)`; 0 where a part does not occur.
        share: `(k,)` in [0, 1].
        size: `(k,)` examples that the share is taken among (`size_of_f1`; for ranks the positive ones).
        rivals: `(k,)` negative examples that a positive one is ranked among (ranks only).
        optimism: `(k,)` by how much the share is too high because examples count themselves: at most ("precision"), or on average ("region").
        form: How a share varies: "share" as a share of independent examples; "f1" as twice a share over 1 + that share;
            "area" as Hanley & McNeil (1982); "region" as a share of pixels or boxes in pictures, at least as much as its size says.
    """

    weight: np.ndarray
    share: np.ndarray
    size: np.ndarray
    rivals: np.ndarray | None = None
    optimism: np.ndarray | None = None
    form: Literal["share", "f1", "area", "precision", "region"] = "share"

    @property
    def too_high(self) -> float:
        """By how much the score is too high because examples count themselves."""
        return 0.0 if self.optimism is None else max(0.0, float((self.weight * self.optimism).sum()))

    @property
    def varying(self) -> bool:
        """Whether the effective size depends on the share."""
        return self.form == "area"

    @property
    def overlap(self) -> float:
        """Variance over that of independent parts if errors fall anywhere: one of an F1 counts in two classes."""
        moved = self.weight[self.weight > 0] / np.maximum(self.size[self.weight > 0], 1.0)
        if self.form != "f1" or len(moved) < 2:
            return 1.0
        squares = float(np.square(moved).sum())
        return 1.0 + (float(moved.sum()) ** 2 - squares) / (len(moved) - 1) / squares

    @property
    def ranked(self) -> bool:
        """Whether the shares do not say how much they vary: ranks of a class may spread in many ways, and so may pixels of a picture."""
        return self.form in ("area", "region")

    def effective(self, share: np.ndarray) -> np.ndarray:
        """`(k,)` independent examples of which a share would vary as much as this one does where the truth is `share`."""
        if self.form == "area" and self.rivals is not None:
            few, many = np.minimum(self.size, self.rivals) - 1, np.maximum(self.size, self.rivals) - 1
            alike = few * (1 - share) / (2 - share) + many * share / (1 + share)  # the wider of both orientations
            return self.size * self.rivals / np.maximum(1 + alike, 1.0)
        return self.size


def size_of_f1(f1: np.ndarray, answered: np.ndarray) -> np.ndarray:
    """`(k,)` the size of a share that varies as F1 does, given the examples in a class or given it.

    Of them the share J = F1 / (2 - F1) is in the class and was given it, and Wilson's limits of J among m are, turned
    into F1, exactly those of a share F1 among 2 m / (2 - F1)².
    """
    return 2 * answered / np.square(2 - f1)


def one_part(share: float, size: float) -> Parts:
    """A score that is a share itself."""
    return Parts(np.ones(1), np.array([share], dtype=np.float64), np.array([size], dtype=np.float64))


def among_pictures(
    weight: np.ndarray, score: np.ndarray, amounts: np.ndarray, squares: np.ndarray, optimism: np.ndarray | None = None
) -> Parts:
    """Scores of classes whose pixels, or boxes, lie in pictures: each is taken among pictures, for those of one picture are right or wrong together.

    A class's score is taken among as many pictures as would share it evenly (Kish 1965), so a class of which one picture holds
    nearly all is known from one. If a picture were right or wrong as a whole, the variance of a share s among m pictures would be
    s (1 - s) / m; it is mostly right in part, and varies less. By how much is measured (the design effect, over all classes together:
    single ones have too few pictures), and m divided by it is the size. A class without errors, or without hits, shows no
    variance of its own and is so worth about as much as others of as many pictures.

    Args:
        weight, score: `(classes,)`.
        amounts: `(2, classes)` the sums over the pictures of how much each holds, and of its square.
        squares: `(classes,)` sums of the squares of how much each picture moves the score of a class.
    """
    pictures = np.maximum(share(amounts[0] ** 2, amounts[1], otherwise=1.0), 1.0)
    in_several = pictures >= 2
    whole = weight**2 * score * (1 - score) / pictures
    measured = weight**2 * squares * pictures / np.maximum(pictures - 1, 1.0)
    effect = share(measured[in_several].sum(), whole[in_several].sum(), otherwise=1.0)
    size = pictures / max(min(float(effect), 1.0), 1e-6)
    return Parts(weight, score, size, optimism=optimism, form="region")


def mean_of_parts(parts: Sequence[Parts], weights: Sequence[float]) -> Parts | None:
    """The parts of the weighted mean of scores of the same examples (repeats, models); None where none has weight."""
    return _joined(parts, weights, lambda sizes, of_each: of_each @ sizes)


def parts_over_folds(parts: Sequence[Parts], weights: Sequence[float]) -> Parts | None:
    """The parts of the weighted mean of scores of different examples (folds): sizes add up."""
    return _joined(parts, weights, lambda sizes, _: sizes.sum(axis=0))


def _joined(parts: Sequence[Parts], weights: Sequence[float], sizes: Callable) -> Parts | None:
    used = [(part, w) for part, w in zip(parts, weights, strict=True) if w > 0]
    if len(used) < 2:
        return used[0][0] if used else None
    places = max(len(part.weight) for part, _ in used)
    of_each = np.array([w for _, w in used]) / sum(w for _, w in used)

    def stacked(name: str) -> np.ndarray:
        """`(scores, k)`; classes that only some of the scores know are missing from the others."""
        return np.stack([np.pad(getattr(p, name), (0, places - len(p.weight))) for p, _ in used])

    weight = stacked("weight") * of_each[:, None]
    total = weight.sum(axis=0)
    share = (weight * stacked("share")).sum(axis=0) / np.where(total > 0, total, 1.0)
    first = used[0][0]
    more = {name: of_each @ stacked(name) for name in ("rivals", "optimism") if getattr(first, name) is not None}
    size = sizes(stacked("size"), of_each)
    return replace(first, weight=total, share=np.clip(share, 0.0, 1.0), size=size, **more)
