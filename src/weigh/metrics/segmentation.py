"""The metrics of masks, from the counts of every picture (`kinds/mask_statistics.py`).

There are two ways to average and both are here, named, and never mixed:

- *pooled*: the pixels of all pictures are added up class by class, then each class is scored, then the classes are averaged. The primary
  one, `mean_iou`, is of this kind. Large pictures, and pictures with much of a class, count for more.
- *per picture*: every picture is scored over the classes that occur in it, then the pictures are averaged. Every picture counts the same.

A class that occurs neither in the masks nor in the answers has no score: it is left out of the mean. Ignored pixels are no pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from weigh.kinds.base import Prediction
from weigh.kinds.mask_statistics import MaskStatistics
from weigh.kinds.masks import Masks
from weigh.language import text
from weigh.metrics.base import METRICS, Metric
from weigh.metrics.ratios import F1, INTERSECTION_OVER_UNION, RECALL, ClassMean, Score, harmonic, ratio
from weigh.metrics.shares import mean_where

__all__ = ["SHARE"]

OVER_PICTURES = ClassMean(ratio((1.0, 0.0), (0.0, 1.0), (0.0, 1.0)), pooled=True)  # of (score, whether there is one)


def _statistics(prediction: Prediction, target: np.ndarray) -> MaskStatistics:
    return MaskStatistics(prediction.labels, len(target[0].counts) if len(target) else 0)


def _measure_pixels(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    """`(n, classes * 3)`."""
    return _statistics(prediction, target).counts.reshape(len(target), -1)


def _measure_borders(prediction: Prediction, target: np.ndarray) -> np.ndarray:
    """`(n, classes * 4)`."""
    return _statistics(prediction, target).borders.reshape(len(target), -1)


def _measure_pictures(score: Score) -> Callable[[Prediction, np.ndarray], np.ndarray]:
    def measure(prediction: Prediction, target: np.ndarray) -> np.ndarray:
        """`(n, 2)` the mean over the classes that occur in a picture, and 1; both 0 where none does."""
        counts = _statistics(prediction, target).counts
        occurs = counts @ score.occurs > 0
        return np.stack([np.nan_to_num(mean_where(score.of(counts), occurs)), occurs.any(axis=1)], axis=1)

    return measure


def _register(
    name: str,
    mean: ClassMean,
    en: str,
    zh: str,
    measure: Callable[[Prediction, np.ndarray], np.ndarray] = _measure_pixels,
    *,
    linear: bool = False,
) -> None:
    METRICS.register(
        name,
        Metric(
            name=name,
            title=text(en, zh),
            pooling="count",
            greater_is_better=True,
            measure=measure,
            reduce=mean.reduce,
            kinds=frozenset({Masks.name}),
            linear=linear,
            influence=mean.influence,
            parts=mean.parts_of_pictures,
            without=mean.without,
        ),
    )


_register("mean_iou", ClassMean(INTERSECTION_OVER_UNION), "mean IoU (pooled pixels)", "平均 IoU（合计像素）")
_register("mean_dice", ClassMean(F1), "mean Dice (pooled pixels)", "平均 Dice（合计像素）")
_register("pixel_accuracy", ClassMean(RECALL, pooled=True), "pixel accuracy (pooled pixels)", "像素准确率（合计像素）")
_register(
    "frequency_weighted_iou",
    ClassMean(INTERSECTION_OVER_UNION, weight=np.array([0.0, 0.0, 1.0])),
    "IoU weighted by frequency (pooled pixels)",
    "频率加权 IoU（合计像素）",
)
_register(
    "border_f1", ClassMean(harmonic()), "mean border F1 (pooled pixels)", "平均边界 F1（合计像素）", _measure_borders
)
_register(
    "mean_iou_per_picture",
    OVER_PICTURES,
    "mean IoU (per picture)",
    "平均 IoU（逐图平均）",
    _measure_pictures(INTERSECTION_OVER_UNION),
    linear=True,
)
_register(
    "dice_per_picture",
    OVER_PICTURES,
    "mean Dice (per picture)",
    "平均 Dice（逐图平均）",
    _measure_pictures(F1),
    linear=True,
)

# Not among the metrics that can be chosen: of (part, whole) of every picture, the share of all the parts in all the wholes
SHARE = Metric(
    name="share",
    title=text("share", "占比"),
    pooling="count",
    greater_is_better=False,
    measure=lambda prediction, _: prediction.labels,
    reduce=OVER_PICTURES.reduce,
    influence=OVER_PICTURES.influence,
    parts=OVER_PICTURES.parts_of_pictures,
)
