"""Boxes: objects in a picture, each with a class. The target is `(n,)` object, the `Boxes` of each picture at its own size.

An answer is `Detections` in pixels of the same picture. A run records how they compare with the boxes, one row of numbers per picture
(`box_statistics.py`): scores, intervals and the reading of errors are made of it, and it holds the detections themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from PIL.Image import Image

from weigh.kinds.base import (
    KINDS,
    LEAST_HOLDERS,
    LEAST_MINORITY,
    Blind,
    Prediction,
    rows_of,
)
from weigh.kinds.box_files import BOX_TABLE, COCO_RESULTS, yolo_classes, yolo_text
from weigh.kinds.box_list import Boxes, Detections
from weigh.kinds.box_pictures import class_colours, overlaid, panes_of
from weigh.kinds.box_statistics import BoxStatistics, compare_boxes, detections_of, stacked
from weigh.kinds.palette import hex_of
from weigh.kinds.placed import PlacedKind, evenly_held
from weigh.kinds.shown import Form, Pane, Swatch
from weigh.language import Text, text
from weigh.nouns import Noun
from weigh.problem import Problem

__all__ = ["BOXES", "BoxRow", "BoxesKind"]

OBJECTS = Noun.plain("objects", "object", "目标", "个")
LEADING = 20  # detections of a picture that two answers are compared by
LEAST_SCORE = 0.05  # lower scores are of nothing that is found
QUOTED = 3  # classes of a picture that are named, those with the most boxes first
OF_BOXES = text(
    "a detection has one score, not the probability of each class", "一个检测结果只有一个得分，没有各类别的概率"
)


class BoxRow(NamedTuple):
    """The boxes of a picture as a reader hands them over, before all classes are known.

    Attributes:
        names: Of each box its class; None: of none that is known.
        boxes: Their `classes` are not final yet.
    """

    names: tuple[str | None, ...]
    boxes: Boxes


class BoxesKind(PlacedKind):
    """See the module."""

    name = "boxes"
    title = text("boxes", "检测框")
    primary = "map"
    most_pixels = 416
    shown_side = 360
    from_nothing = True
    written = "boxes"
    forms: ClassVar = {
        "": Form(".txt", each=yolo_text, beside={"classes.txt": yolo_classes}),
        ".json": Form(whole=COCO_RESULTS),
        ".csv": Form(whole=BOX_TABLE),
    }
    counted = OBJECTS
    fewest = LEAST_HOLDERS
    scored: ClassVar = {"AP": "map", "AP 50": "map_50"}
    beside = ("precision", "recall", "f1")
    unaveraged = text(
        "nothing says which box of one model is which box of another", "无从知道一个模型的某个框对应另一个模型的哪个框"
    )
    unasked: ClassVar = {
        "calibration": OF_BOXES,
        "errors:labels": OF_BOXES,
        "stability:agreement": text("two sets of boxes are never quite the same", "两组检测框几乎不会完全相同"),
    }
    unbalanced_why = text(
        "A score over all boxes would mostly speak of the frequent classes; mean AP does not.",
        "对所有框合计的得分主要反映数量多的类别；平均 AP 则不会。",
    )
    unbalanced_do = text("Keep mean AP as the primary metric.", "请以平均 AP 作为主要指标。")

    # ---- targets

    def blank(self, n: int, classes: int) -> np.ndarray:
        return rows_of([Boxes.of(1, 1, np.zeros((0, 4)), np.zeros(0))] * n)

    def named(self, row: Any) -> tuple[str, ...]:
        """Crowds are no objects of their class."""
        objects = (
            name for name, crowd in zip(row.names, row.boxes.crowd, strict=True) if name is not None and not crowd
        )
        return tuple(dict.fromkeys(objects))

    def encode(self, rows: Sequence[Any], classes: Sequence[str]) -> np.ndarray:
        """Rows are `BoxRow`; boxes of what is no class are ignored."""
        index = {name: i for i, name in enumerate(classes)}
        return rows_of(
            [
                row.boxes._replace(
                    classes=np.array(
                        [-1 if name is None else index.get(name, -1) for name in row.names], dtype=np.int64
                    )
                )
                for row in rows
            ]
        )

    def amounts(self, target: np.ndarray, classes: int = 0) -> np.ndarray:
        """Boxes, without crowds, which are no objects of their class; classes as far as any occurs."""
        counting = [boxes.classes[~boxes.crowd & (boxes.classes >= 0)] for boxes in target]
        classes = max([classes, *(int(own.max()) + 1 for own in counting if len(own))])
        return np.array([np.bincount(own, minlength=classes) for own in counting], np.int64).reshape(
            len(target), classes
        )

    def informative(self, target: np.ndarray) -> tuple[int, int]:
        """How many pictures would share the boxes evenly (`evenly_held`), of the classes that a score speaks of."""
        counts, judged = self.amounts(target), self.judged(target, 0)
        return evenly_held(counts[:, judged] if judged.any() else counts), 1

    def class_counts(self, target: np.ndarray, classes: int) -> np.ndarray:
        """How many boxes each class has."""
        return self.amounts(target, classes).sum(axis=0)

    def varied(self, target: np.ndarray) -> bool:
        """Whether enough pictures hold anything."""
        return int(self.amounts(target).any(axis=1).sum()) >= LEAST_MINORITY

    def check(self, target: np.ndarray, part: np.ndarray) -> list[Problem]:
        """An error where nothing is drawn on the training pictures."""
        if not (part == "train").any() or self.amounts(target[part == "train"]).any():
            return []
        return [
            Problem(
                "no-boxes",
                text("No training picture has a box.", "训练图片中没有任何检测框。"),
                severity="error",
                why=text("There is nothing to find.", "没有可以检测的目标。"),
                do=text(
                    "Give annotations that hold a box of at least one training picture.",
                    "请提供至少含有一个训练图片检测框的标注文件。",
                ),
            )
        ]

    def store(self, target: np.ndarray) -> np.ndarray:
        """The numbers of boxes and the sizes as a line of JSON, then the boxes."""
        head = json.dumps([[boxes.height, boxes.width, len(boxes.classes)] for boxes in target])
        parts = [np.concatenate([getattr(boxes, name) for boxes in target] or [[]]) for name in STORED]
        kept = [part.astype(of).tobytes() for part, of in zip(parts, STORED.values(), strict=True)]
        return np.frombuffer(b"".join([head.encode(), b"\n", *kept]), dtype=np.uint8)

    def restore(self, stored: np.ndarray) -> np.ndarray:
        """What `store` wrote, as boxes of each picture again."""
        head, _, kept = stored.tobytes().partition(b"\n")
        sizes = json.loads(head)
        total, start, parts = sum(m for *_, m in sizes), 0, []
        for name, of in STORED.items():
            values = np.frombuffer(kept, dtype=of, count=total * (4 if name == "corners" else 1), offset=start)
            start += values.nbytes
            parts.append(values.reshape(-1, 4) if name == "corners" else values)
        ends = np.cumsum([m for *_, m in sizes])
        return rows_of(
            [
                Boxes.of(height, width, *(part[end - m : end] for part in parts))
                for (height, width, m), end in zip(sizes, ends.tolist(), strict=True)
            ]
        )

    # ---- answers

    def recorded(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        return compare_boxes(answers, target)

    def decide(self, answers: np.ndarray, bias: np.ndarray | float = 0.0) -> Prediction:
        """What was recorded stands for the decision; of detections (new pictures) they themselves do."""
        if answers.dtype != object:
            answers = answers.astype(np.float64, copy=False)
        return Prediction(answers, answers)

    def departure(self, recorded: np.ndarray, former: np.ndarray, classes: int) -> float:
        """How far the scores of the best detections of each picture moved, or the places of these, whichever is more. Root mean squares."""
        (scores, middle), (before, middle_before) = _leading(recorded), _leading(former)
        size = max(float(np.abs(middle_before).max(initial=0.0)), 1.0)
        of_scores = np.sqrt(np.square(scores - before).mean()) / max(np.sqrt(np.square(before).mean()), LEAST_SCORE)
        return float(max(of_scores, np.sqrt(np.square((middle - middle_before) / size).mean())))

    def pack(self, answers: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
        """Places that are not empty; scores as they are, corners to a fraction of a pixel."""
        statistics = BoxStatistics(answers.astype(np.float64, copy=False), 0)
        full = statistics.places[..., 0] != 0
        own = statistics.places[full]
        scores, single = own[:, 1], own[:, 1].astype(np.float32)
        return {
            "thresholds": statistics.thresholds,
            "places": full.sum(axis=1, dtype=np.int32),
            "classes": own[:, 0].astype(np.int32),
            "scores": single if (single == scores).all() else scores,
            "corners": own[:, 2:6].astype(np.float32),
            "bits": own[:, 6:8].astype(np.int64),
            "took": own[:, 8].astype(np.int32),
        }

    def unpack(self, stored: Mapping[str, np.ndarray]) -> np.ndarray:
        own = np.column_stack(
            [stored[name].astype(np.float64) for name in ("classes", "scores", "corners", "bits", "took")]
        )
        return stacked(stored["thresholds"], np.split(own, np.cumsum(stored["places"]))[:-1])

    def answer_of(self, recorded: np.ndarray, target: Boxes) -> Detections:
        """The answer that one row was recorded of."""
        return detections_of(recorded, target)

    def distances(self, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
        """1 - F1 of the boxes that are told (IoU .5), over all classes; 0 where nothing is there and nothing was told."""
        hit, told, drawn = self.tallied(labels).sum(axis=1).T
        return np.where(told + drawn > 0, 1 - 2 * hit / np.maximum(told + drawn, 1), 0.0)

    def same_answer(self, labels: np.ndarray, target: np.ndarray, classes: Sequence[str]) -> str:
        return "" if self.tallied(labels)[..., 1].any() else "∅"

    def blind(self, target: np.ndarray, classes: int) -> Blind:
        """The answer that finds no object in any picture."""
        nothing = [
            Detections.of(boxes.height, boxes.width, np.zeros((0, 4)), np.zeros(0), np.zeros(0)) for boxes in target
        ]
        doing, short = text("finding no object at all", "一个目标也不找"), text("no object", "不找目标的基线")
        return Blind(self.decide(compare_boxes(nothing, target)), doing, short)

    def tallied(self, labels: np.ndarray, classes: int = 0) -> np.ndarray:
        """Boxes that are told (`BoxStatistics.told`); classes as far as any occurs."""
        return BoxStatistics.occurring(labels, classes).told

    # ---- for people

    def metrics(self, classes: int) -> list[str]:
        names = ["map", "map_50", "map_75", "map_small", "map_medium", "map_large", "average_recall_100"]
        return [*names, "box_f1", "box_precision", "box_recall", "count_error"]

    def quote(self, target: Any, classes: Sequence[str], tokens: Sequence[str] | None = None) -> str:
        """How many boxes of each class, most first."""
        counts = self.amount_of(target, len(classes))
        most = sorted((i for i in range(len(classes)) if counts[i]), key=lambda i: -counts[i])
        named = [f"{counts[i]} × {classes[i]}" for i in most[:QUOTED]]
        return ", ".join([*named, *(["…"] if len(most) > QUOTED else [])]) or "∅"

    def panes(
        self, target: Any, answer: Any | None, side: int, classes: Sequence[str], picture: bytes | None = None
    ) -> tuple[Pane, ...]:
        """What was drawn and what is told, over the picture."""
        return panes_of(target, answer, len(classes), side, picture)

    def legend(self, drawn: Sequence[Any], classes: Sequence[str]) -> list[Swatch]:
        """The classes that occur, the most frequent first."""
        classes_by_picture = [one.told().classes if isinstance(one, Detections) else one.classes for one in drawn]
        occurrences = np.concatenate([np.zeros(0, np.int64), *classes_by_picture])
        counts = np.bincount(occurrences + 1, minlength=len(classes) + 1)[1:]
        colours = class_colours(len(classes))
        occurring = sorted(np.flatnonzero(counts).tolist(), key=lambda c: -counts[c])
        return [Swatch(Text(classes[c], classes[c]), hex_of(colours[c])) for c in occurring]

    def drawn(self, decision: Detections, picture: Image, classes: Sequence[str]) -> Image:
        return overlaid(picture, decision, classes)

    def amount_of(self, one: Any, classes: int) -> np.ndarray:
        if isinstance(one, Boxes):
            return self.amounts(rows_of([one]), classes)[0]
        if isinstance(one, Detections):
            return np.bincount(one.told().classes, minlength=classes)
        return self.tallied(one[None], classes)[0, :, 1].astype(np.int64)

    def row(
        self,
        prediction: Prediction | None,
        i: int,
        classes: Sequence[str],
        *,
        tokens: Sequence[str] = (),
        threshold: bool = False,
    ) -> dict[str, Any]:
        """How many boxes of each class are told."""
        counts = (
            [None] * len(classes) if prediction is None else self.amount_of(prediction.labels[i], len(classes)).tolist()
        )
        return {f"count:{name}": count for name, count in zip(classes, counts, strict=True)}

    def errors(self, labels: np.ndarray, target: np.ndarray, classes: int) -> np.ndarray:
        """How far off the number of boxes of each class is."""
        tallies = self.tallied(labels, classes)
        return np.abs(tallies[..., 1] - tallies[..., 2])

    def ranges(self, prediction: Prediction, i: int, classes: Sequence[str], margins: np.ndarray) -> dict[str, Any]:
        """About 95 % of the true counts of a class lie between these, in new pictures that are like those of the study (`stats/conformal.py`)."""
        counts = self.amount_of(prediction.labels[i], len(classes))
        low, high = (np.maximum(counts + sign * margins, 0).astype(np.int64).tolist() for sign in (-1, 1))
        lows = {f"count_low:{name}": value for name, value in zip(classes, low, strict=True)}
        return lows | {f"count_high:{name}": value for name, value in zip(classes, high, strict=True)}

    def draw(self, rng: np.random.Generator, n: int, classes: int) -> tuple[Prediction, np.ndarray]:
        """A few boxes in every picture, crowds among them, none in the first; detections beside them and elsewhere, many of equal score."""
        target, answers = [], []
        for i in range(n):
            m, more = int(rng.integers(0, 6)) * bool(i), int(rng.integers(0, 8))
            corners = _drawn(rng, m)
            drawn = rng.integers(0, classes, m)
            target.append(Boxes.of(200, 200, corners, drawn, crowd=rng.random(m) < 0.1))
            moved = corners + rng.integers(-6, 7, corners.shape)
            detected = np.where(rng.random(m) < 0.8, drawn, rng.integers(0, classes, m))
            at, of = (
                np.concatenate([moved, _drawn(rng, more)]),
                np.concatenate([detected, rng.integers(0, classes, more)]),
            )
            answers.append(Detections.of(200, 200, at, of, rng.integers(1, 20, m + more) / 20))
        return self.decide(compare_boxes(answers, target)), rows_of(target)


STORED = {"corners": "<f8", "classes": "<i8", "crowd": "|b1", "area": "<f8"}


def _leading(recorded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best detections of each picture: `(n, LEADING)` scores, zeros where there are fewer, and `(n, 4)` the mean of their corners, each
    counted by its score.
    """
    detected = BoxStatistics(recorded.astype(np.float64, copy=False), 0).detections
    scores, middle = np.zeros((len(recorded), LEADING)), np.zeros((len(recorded), 4))
    for picture in range(len(recorded)):
        own = np.flatnonzero(detected.picture == picture)[:LEADING]
        scores[picture, : len(own)] = detected.scores[own]
        middle[picture] = detected.scores[own] @ detected.corners[own] / max(float(detected.scores[own].sum()), 1e-9)
    return scores, middle


def _drawn(rng: np.random.Generator, m: int) -> np.ndarray:
    """`(m, 4)` corners of boxes of all sizes."""
    start = rng.integers(0, 80, (m, 2))
    return np.concatenate([start, start + rng.integers(10, 120, (m, 2))], axis=1).astype(np.float64)


BOXES = KINDS.register(BoxesKind.name, BoxesKind())
