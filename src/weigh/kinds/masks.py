"""Masks: the class of every pixel. The target is `(n,)` object, a `LabelMap` of each picture at its own size.

An answer is a `LabelMap` of the same size. A run records how it differs from the mask, `(n, k)` counts (`mask_statistics.py`): scores,
intervals and the reading of errors are made of them, and label maps are not needed again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from PIL.Image import Image

from weigh.kinds.base import (
    KINDS,
    LEAST_MINORITY,
    Blind,
    Prediction,
    rows_of,
)
from weigh.kinds.label_map import LabelMap
from weigh.kinds.mask_pictures import WRONG, difference_png, index_png, overlaid, small_png
from weigh.kinds.mask_statistics import MaskStatistics, compare_constant, compare_masks
from weigh.kinds.palette import hex_of, palette
from weigh.kinds.placed import PlacedKind
from weigh.kinds.shown import Form, Pane, Swatch
from weigh.language import Text, text
from weigh.problem import Problem

__all__ = ["MASKS", "MaskRow", "Masks"]

QUOTED = 3  # classes of a mask that are named, the largest first
OF_PIXELS = text(
    "of an answer the classes of the pixels are kept as counts, not the probability of each",
    "每个回答只保留各类像素的数量，不保留逐像素的概率",
)


class MaskRow(NamedTuple):
    """A mask as a reader hands it over, before all classes are known.

    Attributes:
        names: What the values of `mask` mean; None: pixels that are ignored.
        mask: Its counts are as many as there are names.
    """

    names: tuple[str | None, ...]
    mask: LabelMap


class Masks(PlacedKind):
    """See the module."""

    name = "masks"
    title = text("masks", "分割掩码")
    primary = "mean_iou"
    most_pixels = 512
    shown_side = 240
    kept = 12  # of street scenes of 480 x 360 pixels an answer takes about 2 kB, so a run 25 kB beside 8 kB of counts
    written = "masks"
    forms: ClassVar = {"": Form(".png", each=index_png)}
    scored: ClassVar = {"IoU": "mean_iou", "Dice": "mean_dice"}
    unaveraged = text(
        "what is recorded of a mask are counts of pixels, not the probabilities of each pixel",
        "记录的是掩码的像素计数，而不是每个像素的概率",
    )
    unasked: ClassVar = {
        "calibration": OF_PIXELS,
        "errors:labels": OF_PIXELS,
        "stability:agreement": text("two masks are never quite the same", "两张掩码几乎不会完全相同"),
    }
    unbalanced_why = text(
        "Pixel accuracy would mostly speak of the large classes; mean IoU does not.",
        "像素准确率主要反映面积大的类别；平均 IoU 则不会。",
    )
    unbalanced_do = text("Keep mean IoU as the primary metric.", "请以平均 IoU 作为主要指标。")

    # ---- targets

    def blank(self, n: int, classes: int) -> np.ndarray:
        return rows_of([LabelMap.of(np.full((1, 1), classes), classes)] * n)

    def named(self, row: Any) -> tuple[str, ...]:
        """The classes that have a pixel in the mask."""
        names_in_mask = (
            name for name, count in zip(row.names, row.mask.counts, strict=True) if count and name is not None
        )
        return tuple(dict.fromkeys(names_in_mask))

    def encode(self, rows: Sequence[Any], classes: Sequence[str]) -> np.ndarray:
        """Rows are `MaskRow`; pixels of what is no class are ignored."""
        return rows_of([self._encoded(row, tuple(classes)) for row in rows])

    @staticmethod
    def _encoded(row: MaskRow, classes: tuple[str, ...]) -> LabelMap:
        if row.names == classes:
            return row.mask
        index = {name: i for i, name in enumerate(classes)}
        indices = row.mask.indices()
        final = np.full(np.iinfo(indices.dtype).max + 1, -1)
        final[: len(row.names)] = [index.get(name, -1) for name in row.names]
        return LabelMap.of(final[indices], len(classes))

    def shares(self, target: np.ndarray, classes: int) -> np.ndarray:
        """The share of each class among the known pixels."""
        pixels = self.amounts(target, classes).sum(axis=0)
        return pixels / max(pixels.sum(), 1)

    def varied(self, target: np.ndarray) -> bool:
        """Whether enough pictures hold something beside the class that most pixels are of."""
        pixels = self.amounts(target)
        if not pixels.size:
            return False
        return int((np.delete(pixels, pixels.sum(axis=0).argmax(), axis=1) > 0).any(axis=1).sum()) >= LEAST_MINORITY

    def check(self, target: np.ndarray, part: np.ndarray) -> list[Problem]:
        """An error where the training masks know one class only."""
        trained = target[part == "train"]
        if not len(trained) or np.count_nonzero(self.amounts(trained).sum(axis=0)) > 1:
            return []
        return [
            Problem(
                "one-class",
                text("All pixels of the training masks are of one class.", "训练掩码的所有像素都属于同一个类别。"),
                severity="error",
                why=text("There is nothing to tell apart.", "没有可以区分的内容。"),
                do=text(
                    "If another value was ignored that is a class: --set data.ignore=[]",
                    "若有某个类别的取值被忽略：--set data.ignore=[]",
                ),
                numbers={"classes": 1},
            )
        ]

    def store(self, target: np.ndarray) -> np.ndarray:
        """A line of JSON that says how long each mask is, then the masks."""
        head = json.dumps([[*mask[:3], len(mask.data)] for mask in target], separators=(",", ":"))
        return np.frombuffer(b"".join([head.encode(), b"\n", *(mask.data for mask in target)]), dtype=np.uint8)

    def restore(self, stored: np.ndarray) -> np.ndarray:
        head, _, data = stored.tobytes().partition(b"\n")
        masks, start = [], 0
        for height, width, counts, length in json.loads(head):
            masks.append(LabelMap(height, width, tuple(counts), data[start : start + length]))
            start += length
        return rows_of(masks)

    def amounts(self, target: np.ndarray, classes: int = 0) -> np.ndarray:
        """Known pixels of each class."""
        return np.array([mask.counts for mask in target], dtype=np.int64).reshape(
            len(target), -1 if len(target) else classes
        )

    # ---- answers

    def recorded(self, answers: np.ndarray, target: np.ndarray) -> np.ndarray:
        return compare_masks(answers, target)

    def decide(self, answers: np.ndarray, bias: np.ndarray | float = 0.0) -> Prediction:
        """What was recorded stands for the decision; of label maps (new pictures) the share of each class takes the place of probabilities."""
        if answers.dtype != object:
            statistics = answers.astype(np.float64, copy=False)
            return Prediction(statistics, statistics)
        sizes = np.array([mask.height * mask.width for mask in answers], dtype=np.float64)
        return Prediction(self.amounts(answers) / sizes[:, None], answers)

    def departure(self, recorded: np.ndarray, former: np.ndarray, classes: int) -> float:
        """By how many pixels the classes' right and predicted ones moved, as a share of all pixels that were predicted."""
        counts, before = (self.tallied(rows, classes)[..., :2] for rows in (recorded, former))
        return float(np.abs(counts - before).sum() / max(before[..., 1].sum(), 1.0))

    def pack(self, answers: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
        """Counts as they are."""
        return {"statistics": answers.astype(np.int32)}

    def unpack(self, stored: Mapping[str, np.ndarray]) -> np.ndarray:
        return stored["statistics"].astype(np.float64)

    def distances(self, labels: np.ndarray, target: np.ndarray) -> np.ndarray:
        """The share of the known pixels that are wrong; 0 where none is known."""
        hit, _, actual = self._statistics(labels, target).counts.sum(axis=1).T
        return np.where(actual > 0, 1 - hit / np.maximum(actual, 1), 0.0)

    def same_answer(self, labels: np.ndarray, target: np.ndarray, classes: Sequence[str]) -> str:
        predicted = self.tallied(labels, len(classes))[..., 1].sum(axis=0)
        return classes[int(predicted.argmax())] if np.count_nonzero(predicted) == 1 else ""

    def blind(self, target: np.ndarray, classes: int) -> Blind:
        """The class that most pixels are of, everywhere."""
        most = int(self.amounts(target, classes).sum(axis=0).argmax())
        return Blind(
            self.decide(compare_constant(most, target, classes)),
            text("giving every pixel the most frequent class", "把每个像素都判为最常见的类别"),
            text("one class everywhere", "全图一类"),
        )

    def tallied(self, labels: np.ndarray, classes: int) -> np.ndarray:
        return MaskStatistics(labels, classes).counts

    @staticmethod
    def _statistics(labels: np.ndarray, target: np.ndarray) -> MaskStatistics:
        return MaskStatistics(labels, len(target[0].counts) if len(target) else 0)

    # ---- for people

    def metrics(self, classes: int) -> list[str]:
        names = ["mean_iou", "mean_dice", "border_f1", "pixel_accuracy", "frequency_weighted_iou"]
        return [*names, "mean_iou_per_picture", "dice_per_picture"]

    def quote(self, target: Any, classes: Sequence[str], tokens: Sequence[str] | None = None) -> str:
        """The largest classes and their shares of the known pixels."""
        pixels = self.amount_of(target, len(classes))
        largest = sorted((i for i in range(len(classes)) if pixels[i]), key=lambda i: -pixels[i])
        named = [f"{classes[i]} {pixels[i] / pixels.sum():.0%}" for i in largest[:QUOTED]]
        return ", ".join([*named, *(["…"] if len(largest) > QUOTED else [])]) or "–"

    def panes(
        self, target: Any, answer: Any | None, side: int, classes: Sequence[str], picture: bytes | None = None
    ) -> tuple[Pane, ...]:
        """The picture, the mask, the answer, and where they differ."""
        panes = [] if picture is None else [Pane(text("picture", "图片"), picture)]
        panes.append(Pane(text("mask", "标注"), small_png(target, side)))
        if answer is not None:
            panes.append(Pane(text("predicted", "预测"), small_png(answer, side)))
            panes.append(Pane(text("wrong", "判错"), difference_png(target, answer, side)))
        return tuple(panes)

    def legend(self, drawn: Sequence[Any], classes: Sequence[str]) -> list[Swatch]:
        """The classes that occur, the largest first; then what is not of a class."""
        pixels = self.amounts(rows_of(drawn), len(classes)).sum(axis=0)
        occurring = sorted(np.flatnonzero(pixels).tolist(), key=lambda c: -pixels[c])
        colours = [hex_of(colour) for colour in palette(len(classes))]
        swatches = [Swatch(text("wrong", "判错"), WRONG)] if drawn else []
        if any(mask.ignored for mask in drawn):
            swatches.append(Swatch(text("ignored", "忽略"), "#ffffff"))
        return [*swatches, *(Swatch(Text(classes[c], classes[c]), colours[c]) for c in occurring)]

    def amount_of(self, one: Any, classes: int) -> np.ndarray:
        if isinstance(one, LabelMap):
            return np.array(one.counts)
        return self.tallied(one[None], classes)[0, :, 1]

    def row(
        self,
        prediction: Prediction | None,
        i: int,
        classes: Sequence[str],
        *,
        tokens: Sequence[str] = (),
        threshold: bool = False,
    ) -> dict[str, Any]:
        """The share of the picture that each class takes."""
        areas = [None] * len(classes) if prediction is None else prediction.probabilities[i].tolist()
        return {f"area:{name}": area for name, area in zip(classes, areas, strict=True)}

    def errors(self, labels: np.ndarray, target: np.ndarray, classes: int) -> np.ndarray:
        """How far off the share of each class among the known pixels is."""
        counts = self._statistics(labels, target).counts
        known = np.maximum(counts[..., 2].sum(axis=1, keepdims=True), 1)
        return np.abs(counts[..., 1] - counts[..., 2]) / known

    def ranges(self, prediction: Prediction, i: int, classes: Sequence[str], margins: np.ndarray) -> dict[str, Any]:
        """About 95 % of the true shares of a class lie between these, in new pictures that are like those of the study (`stats/conformal.py`)."""
        low, high = (np.clip(prediction.probabilities[i] + sign * margins, 0, 1) for sign in (-1, 1))
        lows = {f"area_low:{name}": float(value) for name, value in zip(classes, low, strict=True)}
        return lows | {f"area_high:{name}": float(value) for name, value in zip(classes, high, strict=True)}

    def drawn(self, decision: LabelMap, picture: Image, classes: Sequence[str]) -> Image:
        return overlaid(picture, decision)

    def draw(self, rng: np.random.Generator, n: int, classes: int) -> tuple[Prediction, np.ndarray]:
        """Small pictures of a few blocks; some pixels are ignored, some classes absent, one picture is ignored as a whole."""
        masks, answers = [], []
        for i in range(n):
            height, width = (int(side) for side in rng.integers(2, 9, 2))
            drawn = np.repeat(rng.integers(-1, classes, (2, height, -(-width // 2))), 2, axis=2)[:, :, :width]
            masks.append(LabelMap.of(drawn[0] if i else np.full((height, width), -1), classes))
            answers.append(LabelMap.of(np.maximum(drawn[1], 0), classes))
        return self.decide(compare_masks(answers, masks)), rows_of(masks)


MASKS = KINDS.register(Masks.name, Masks())
