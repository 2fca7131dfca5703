"""The metrics of boxes, from what a run recorded of every picture (`kinds/box_statistics.py`).

- *Ranks*: average precision (`ranked_boxes.py`), COCO's: of every class, at ten overlaps from .5 to .95 (`map`) or at one, of boxes of every
  size or of some. It is worked out within a fold and averaged over folds: scores of different models are not comparable.
- *Counts*: average recall, of the 1, 10 or 100 detections of the highest scores of each class in a picture; precision, recall and F1 of the
  detections that are told (overlap .5, all classes together); and by how many objects a picture is miscounted.

A class of which no box was drawn has no score and is left out of the mean; one of which nothing was detected scores 0. A score that is reported
speaks of the classes that stand in at least `LEAST_HOLDERS` pictures of what is scored (`Metric.within`): of fewer no class can be judged.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from weigh.kinds.base import Prediction
from weigh.kinds.box_statistics import IOUS, MOST, BoxStatistics
from weigh.kinds.boxes import BOXES
from weigh.language import text
from weigh.metrics.base import METRICS, Metric
from weigh.metrics.ranked_boxes import (
    average_precision_without,
    classes_that_count,
    measure_ranks,
    parts_of_ranks,
    ranks_of_class,
    reduce_ranks,
)
from weigh.metrics.ratios import F1, PRECISION, RECALL, ClassMean, ratio
from weigh.metrics.shares import influence_on_mean, weighted_mean

__all__: list[str] = []

KINDS = frozenset({BOXES.name})
OF_DRAWN = ClassMean(ratio((1.0, 0.0), (0.0, 1.0), (0.0, 1.0)))  # of (hit, drawn)


def _judged(target: np.ndarray) -> np.ndarray:
    return BOXES.judged(target, 0)


def _measure(area: int, ious: slice) -> Callable[..., np.ndarray]:
    def measure(prediction: Prediction, _: np.ndarray, classes: np.ndarray | None = None) -> np.ndarray:
        return measure_ranks(prediction.labels, classes, area, ious)

    return measure


def _register_ranks(name: str, en: str, zh: str, *, area: int = 0, iou: int | None = None) -> None:
    ious = range(len(IOUS)) if iou is None else range(iou, iou + 1)
    METRICS.register(
        name,
        Metric(
            name=name,
            title=text(en, zh),
            pooling="rank",
            greater_is_better=True,
            measure=_measure(area, slice(ious.start, ious.stop)),
            reduce=partial(reduce_ranks, ious=ious),
            kinds=KINDS,
            judged=_judged,
            alone=ranks_of_class,
            parts=partial(parts_of_ranks, ious=ious),
            without=partial(average_precision_without, ious=ious),
            counting=classes_that_count,
        ),
    )


_register_ranks("map", "mAP (IoU 0.50 to 0.95)", "mAP（IoU 0.50 至 0.95）")
_register_ranks("map_50", "mAP (IoU 0.50)", "mAP（IoU 0.50）", iou=0)
_register_ranks("map_75", "mAP (IoU 0.75)", "mAP（IoU 0.75）", iou=5)
_register_ranks("map_small", "mAP of small boxes (below 32² pixels)", "小框的 mAP（小于 32² 像素）", area=1)
_register_ranks("map_medium", "mAP of medium boxes (32² to 96² pixels)", "中框的 mAP（32² 至 96² 像素）", area=2)
_register_ranks("map_large", "mAP of large boxes (above 96² pixels)", "大框的 mAP（大于 96² 像素）", area=3)


def _measure_recall(area: int, most: int) -> Callable[..., np.ndarray]:
    def measure(prediction: Prediction, target: np.ndarray, classes: np.ndarray | None = None) -> np.ndarray:
        """`(n, classes * 2)` boxes that were hit, summed over the overlaps, and as many times the boxes drawn: whole numbers."""
        statistics = BoxStatistics.occurring(prediction.labels)
        counts = np.zeros((len(target), statistics.classes, 2))
        detected = statistics.detections
        hits = np.sum([detected.hit(iou, area) for iou in range(len(IOUS))], axis=0)
        first = detected.rank < most
        np.add.at(counts[..., 0], (detected.picture[first], detected.classes[first]), hits[first])
        counts[..., 1] = len(IOUS) * statistics.drawn[..., area]
        if classes is not None:
            counts[:, ~np.isin(np.arange(statistics.classes), classes)] = 0.0
        return counts.reshape(len(target), -1)

    return measure


def _measure_told(prediction: Prediction, _: np.ndarray) -> np.ndarray:
    """`(n, 3)` boxes hit, told, drawn, of all classes together."""
    return BoxStatistics.occurring(prediction.labels).told.sum(axis=1)


def _measure_miscounted(prediction: Prediction, _: np.ndarray) -> np.ndarray:
    """`(n, 1)` by how many the told and the drawn boxes of each class differ, summed over the classes."""
    counts_of_classes = BoxStatistics.occurring(prediction.labels).told
    return np.abs(counts_of_classes[..., 1] - counts_of_classes[..., 2]).sum(axis=1, keepdims=True)


def _register_counts(
    name: str, mean: ClassMean, measure: Callable[..., np.ndarray], en: str, zh: str,
    judged: Callable[[np.ndarray], np.ndarray] | None = None, counting: Callable[[np.ndarray], np.ndarray] | None = None,
) -> None:  # fmt: skip
    METRICS.register(
        name,
        Metric(
            name=name,
            title=text(en, zh),
            pooling="count",
            greater_is_better=True,
            measure=measure,
            reduce=mean.reduce,
            kinds=KINDS,
            influence=mean.influence,
            parts=mean.parts_of_pictures,
            without=mean.without,
            judged=judged,
            counting=counting,
        ),
    )


def _drawn(statistics: np.ndarray) -> np.ndarray:
    """Indices of the classes of which a box was drawn (`Metric.counting`), from what `_measure_recall` gives."""
    return np.flatnonzero(statistics[:, 1::2].any(axis=0))


def _register_recall(name: str, en: str, zh: str, *, area: int = 0, most: int = MOST) -> None:
    _register_counts(name, OF_DRAWN, _measure_recall(area, most), en, zh, _judged, _drawn)


_register_recall("average_recall_1", "average recall, 1 detection per class", "平均召回率（每类 1 个检测）", most=1)
_register_recall(
    "average_recall_10", "average recall, 10 detections per class", "平均召回率（每类 10 个检测）", most=10
)
_register_recall("average_recall_100", "average recall", "平均召回率")
_register_recall("average_recall_small", "average recall of small boxes", "小框的平均召回率", area=1)
_register_recall("average_recall_medium", "average recall of medium boxes", "中框的平均召回率", area=2)
_register_recall("average_recall_large", "average recall of large boxes", "大框的平均召回率", area=3)
_register_counts("box_f1", ClassMean(F1, pooled=True), _measure_told, "F1 of boxes (IoU 0.50)", "检测框 F1（IoU 0.50）")
_register_counts(
    "box_precision",
    ClassMean(PRECISION, pooled=True),
    _measure_told,
    "precision of boxes (IoU 0.50)",
    "检测框精确率（IoU 0.50）",
)
_register_counts(
    "box_recall",
    ClassMean(RECALL, pooled=True),
    _measure_told,
    "recall of boxes (IoU 0.50)",
    "检测框召回率（IoU 0.50）",
)
METRICS.register(
    "count_error",
    Metric(
        name="count_error",
        title=text("count error per picture", "每张图片的计数误差"),
        pooling="count",
        greater_is_better=False,
        measure=_measure_miscounted,
        reduce=weighted_mean,
        rope=0.0,
        unit="objects",
        kinds=KINDS,
        linear=True,
        influence=influence_on_mean,
    ),
)
