"""What the four numbers of a box are: corners or a size, pixels or shares of the picture, counted from 0 or from 1.

Before it: numbers as they are written, with what the layout says about them. After it: corners in pixels. A reading is plausible if hardly any box that
it gives is turned inside out or lies outside its picture; where two are, and nobody said which is meant, it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from weigh.errors import DataError
from weigh.language import Text, text
from weigh.problem import Problem

__all__ = ["LEAST_PIXELS", "ORDERS", "Convention", "Order", "Reading", "corners_of", "settle_origin", "settle_reading"]

Order = Literal["xyxy", "xywh", "cxcywh"]
ORDERS: tuple[Order, ...] = ("xyxy", "xywh", "cxcywh")
PLAUSIBLE = 0.9  # share of boxes that must fit a reading
# A reading is still considered if so many more boxes, or this share of them if that is more, do not fit it than do not fit the best one.
FEW, RARE = 2, 0.005
BROKEN = 0.75  # what a layout says of itself is doubted if a smaller share of its boxes fit
SLACK = 0.02  # share of a side by which a box may reach beyond the picture
LEAST_PIXELS = 2.0  # where nearly all boxes have only smaller numbers, these are shares of the picture and no pixels
# Overlap of a usual box with itself moved by one pixel, below which it matters whether pixels are counted from 0 or 1.
SHIFTED = 0.95
WORDS: dict[Order, Text] = {
    "xyxy": text("left, top, right, bottom", "左、上、右、下"),
    "xywh": text("left, top, width, height", "左、上、宽、高"),
    "cxcywh": text("centre, width, height", "中心、宽、高"),
}


class Reading(NamedTuple):
    """What the numbers are; `origin` is the number of the first pixel."""

    order: Order
    relative: bool
    origin: int = 0

    @property
    def name(self) -> str:
        """What `data.box_format` calls it."""
        return f"relative-{self.order}" if self.relative else self.order

    @property
    def words(self) -> Text:
        """How the numbers are written, for people."""
        unit = text("shares of the picture", "占图片的比例") if self.relative else text("pixels", "像素")
        return text("{o}, as {u}", "{o}，单位为{u}", o=WORDS[self.order], u=unit)


class Convention(NamedTuple):
    """What a layout, or the names of columns, say about the numbers.

    Attributes:
        source: "Pascal VOC", "labels.csv", for messages.
        orders: Which orders they leave open; one: they say it.
        relative: None: not said.
        origin: The number of the first pixel by the layout's own rules.
    """

    source: str
    orders: tuple[Order, ...] = ORDERS
    relative: bool | None = None
    origin: int = 0


def corners_of(numbers: np.ndarray, reading: Reading, sizes: np.ndarray) -> np.ndarray:
    """`(m, 4)` left, top, right, bottom in pixels.

    Args:
        numbers: `(m, 4)` as written.
        sizes: `(m, 2)` width and height of the picture of each.
    """
    scaled = numbers * np.tile(sizes, 2) if reading.relative else numbers.astype(np.float64, copy=True)
    first, second = scaled[:, :2].copy(), scaled[:, 2:]
    if reading.order == "cxcywh":
        first -= second / 2
    if not reading.relative:
        first -= reading.origin  # of corners, the last pixel is inside: its right edge is its own number
    return np.concatenate([first, second if reading.order == "xyxy" else first + second], axis=1)


def settle_reading(
    numbers: np.ndarray, sizes: np.ndarray, convention: Convention, asked: str | None, earlier: Reading | None = None
) -> tuple[Reading, list[Problem]]:
    """What the numbers of a source are.

    Args:
        numbers: `(m, 4)` of all boxes, as written.
        sizes: `(m, 2)` width and height of the picture of each, NaN where it does not open.
        asked: `data.box_format`.
        earlier: Of the training data: decides where several are plausible.

    Raises:
        DataError: Several readings are plausible, or none.
    """
    if asked is not None:
        return Reading(_order(asked), asked.startswith("relative-"), convention.origin), []
    finite = np.isfinite(numbers).all(axis=1)
    numbers, sizes = numbers[finite], sizes[finite]
    small = bool(len(numbers)) and float((np.abs(numbers) < LEAST_PIXELS).all(axis=1).mean()) >= PLAUSIBLE
    relative = convention.relative
    expected = Reading(convention.orders[0], bool(relative), convention.origin) if len(convention.orders) == 1 else None
    if not len(numbers):
        return expected or Reading(convention.orders[0], bool(relative), convention.origin), []
    if expected is not None and relative is None:
        expected = expected._replace(relative=small)
        relative = small
    if expected is not None and _share(numbers, sizes, expected) >= BROKEN and (expected.relative or not small):
        return expected, []
    orders = convention.orders if expected is None else ORDERS
    scales = [small] if expected is None and relative is None else [small, bool(relative)]
    candidates = [Reading(order, scale, convention.origin) for order in orders for scale in dict.fromkeys(scales)]
    candidates = [one for one in candidates if one.relative or not small]
    shares = {one: _share(numbers, sizes, one) for one in candidates}
    plausible = _plausible(shares, len(numbers))
    same_order = [one for one in plausible if expected is not None and one.order == expected.order]
    plausible = same_order or plausible
    if expected is not None:
        return (plausible[0], [_unexpected(convention, expected, plausible[0])]) if len(plausible) == 1 else (expected, [])  # fmt: skip
    if earlier in plausible:
        return earlier, []
    if len(plausible) == 1:
        return plausible[0], [_noted(convention, plausible[0], len(numbers))]
    raise _asked(convention, plausible or list(shares), shares, several=bool(plausible))


def settle_origin(
    numbers: np.ndarray, reading: Reading, convention: Convention, asked: int | None
) -> tuple[Reading, list[Problem]]:
    """The number of the first pixel: as asked, else as the layout says, unless as many boxes begin before it; said where it cannot be told."""
    if reading.relative:
        return reading._replace(origin=0), []
    if asked is not None:
        return reading._replace(origin=asked), []
    numbers = numbers[np.isfinite(numbers).all(axis=1)]
    if not convention.origin or not len(numbers):
        return reading, []
    first = numbers[:, :2]
    zeros, ones = (int(which.any(axis=1).sum()) for which in (first < convention.origin, first == convention.origin))
    if zeros and zeros >= ones:
        sentence = text(
            "Coordinates of {s} count from 0: {n} {n:|box begins|boxes begin} there.",
            "{s} 的坐标从 0 开始：有 {n} 个框以 0 起始。",
            s=convention.source,
            n=zeros,
        )
        return reading._replace(origin=0), [Problem("origin", sentence, severity="note", numbers={"n": zeros})]
    sides = numbers[:, 2:] - first if reading.order == "xyxy" else numbers[:, 2:]
    width, height = np.maximum(np.median(sides, axis=0), 1)
    overlap = float(width * height / ((width + 1) * (height + 1)))
    sentence = text(
        "Whether coordinates of {s} count from 0 or from 1 cannot be told: {z} {z:|box begins|boxes begin} at 0, {n} at 1. Taken from 1, as {s} defines it. Counted "
        "from 0, boxes would begin a pixel further in: one of the usual size ({w:.0f} x {h:.0f}) would have an IoU of {o:.3f} with what is used now.",
        "无法判断 {s} 的坐标从 0 还是从 1 开始：有 {z} 个框以 0 起始，{n} 个以 1 起始。按 {s} 的定义从 1 开始计。若从 0 开始，框的左边和上边会内移一个像素："
        "常见大小的框（{w:.0f} x {h:.0f}）与当前读法的 IoU 为 {o:.3f}。",
        s=convention.source,
        z=zeros,
        n=ones,
        w=float(width),
        h=float(height),
        o=overlap,
    )
    do = text(
        "If you know it: --set data.origin=1 or --set data.origin=0",
        "若已知：--set data.origin=1 或 --set data.origin=0",
    )
    severity: Literal["note", "warning"] = "note" if overlap >= SHIFTED and not zeros else "warning"
    numbers_of = {"zeros": zeros, "n": ones, "width": float(width), "height": float(height), "overlap": overlap}
    return reading, [Problem("origin", sentence, severity=severity, do=do, numbers=numbers_of)]


def _order(asked: str) -> Order:
    return next(order for order in ORDERS if asked.removeprefix("relative-") == order)


def _plausible(shares: dict[Reading, float], boxes: int) -> list[Reading]:
    """Readings that nearly all boxes fit, and hardly fewer than fit the best of them."""
    odd = {one: round((1 - share) * boxes) for one, share in shares.items()}
    allowed = min(odd.values()) + max(FEW, RARE * boxes)
    return [one for one, n in odd.items() if n <= allowed and (shares[one] >= PLAUSIBLE or n <= FEW)]


def _share(numbers: np.ndarray, sizes: np.ndarray, reading: Reading) -> float:
    """The share of boxes that are not turned inside out and lie inside their pictures, as far as these are known."""
    known = np.isfinite(sizes).all(axis=1)
    corners = corners_of(numbers, reading, np.where(known[:, None], sizes, 1.0))
    limits = np.where(known[:, None], sizes, np.inf)
    slack = np.where(known[:, None], SLACK * sizes + 1, 1.0)
    fits = (corners[:, 2:] >= corners[:, :2]).all(axis=1)
    fits &= (corners[:, :2] >= -slack).all(axis=1) & (corners[:, 2:] <= limits + slack).all(axis=1)
    return float(fits.mean())


def _noted(convention: Convention, reading: Reading, boxes: int) -> Problem:
    return Problem(
        "box-format",
        text(
            "The numbers of {s} are read as {w}: no other reading fits the pictures ({n} {n:|box|boxes}).",
            "{s} 中的数字按“{w}”读取：其他读法都与图片不符（{n} 个框）。",
            s=convention.source,
            w=reading.words,
            n=boxes,
        ),
        severity="note",
        do=text("If that is wrong: --set data.box_format=NAME", "如有误：--set data.box_format=名称"),
        numbers={"n": boxes},
    )


def _unexpected(convention: Convention, expected: Reading, reading: Reading) -> Problem:
    return Problem(
        "box-format",
        text(
            "The numbers of {s} should be {e}, which do not fit the pictures; they are read as {w}, which do.",
            "{s} 中的数字本应为“{e}”，但与图片不符；改按与图片相符的“{w}”读取。",
            s=convention.source,
            e=expected.words,
            w=reading.words,
        ),
        why=text("Boxes that are read wrongly teach the wrong places.", "读错的框会教错位置。"),
        do=text(
            "If that is right: --set data.box_format={r}. If the file is right: --set data.box_format={e}",
            "若正确：--set data.box_format={r}。若文件本身无误：--set data.box_format={e}",
            r=reading.name,
            e=expected.name,
        ),
    )


def _asked(
    convention: Convention, readings: Sequence[Reading], shares: dict[Reading, float], *, several: bool
) -> DataError:
    listed = [(one.name, WORDS[one.order], shares[one]) for one in readings]
    options = Text(
        "; ".join(f"{name} ({words.en}): {share:.0%}" for name, words, share in listed),
        "；".join(f"{name}（{words.zh}）：{share:.0%}" for name, words, share in listed),
    )
    what = (
        text("What the numbers of {s} are cannot be told: several readings fit the pictures.", "无法判断 {s} 中数字的含义：有多种读法与图片相符。", s=convention.source)
        if several
        else text("What the numbers of {s} are cannot be told: no reading fits the pictures.", "无法判断 {s} 中数字的含义：没有一种读法与图片相符。", s=convention.source)
    )  # fmt: skip
    return DataError(
        what + text("Boxes that fit, by reading: {o}.", "各读法中相符的框所占比例：{o}。", o=options),
        text("Boxes that are read wrongly teach the wrong places.", "读错的框会教错位置。"),
        text(
            "Say what they are: --set data.box_format={r}",
            "请指明：--set data.box_format={r}",
            r=" | ".join(one.name for one in readings),
        ),
    )
