"""Boxes as pictures: outlines over the picture, thick where something is wrong. No torch; letters are those that Pillow has.

Before it: boxes and what was found, matched with each other. After it: the report's pictures and `weigh predict`.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from weigh.kinds.box_list import Boxes, Detections
from weigh.kinds.box_statistics import BoxStatistics, compare_boxes
from weigh.kinds.palette import palette
from weigh.kinds.shown import Pane
from weigh.language import text

__all__ = ["class_colours", "outlined", "overlaid", "panes_of"]

GROUND = (200, 200, 200)  # under boxes whose picture is gone
RIM = (255, 255, 255)  # beside every line: it is seen on dark pictures and on light ones
DASH = 6  # pixels of a dash, and of the gap after it
PLAIN, BOLD = 2, 4  # pixels of a line in a picture of `LARGE` pixels; larger ones get thicker lines
LARGE = 640
QUALITY = 82
SMALLEST, LINES = 9, 50  # height of letters: at least so many pixels, else this part of the longer side
HALF = 140  # of 255: on lighter colours letters are black


def class_colours(classes: int) -> np.ndarray:
    """`(classes, 3)` uint8; none is grey, which stands for what is no class."""
    return palette(classes + 1)[1:]


def ground(content: bytes | None, height: int, width: int, side: int) -> Image.Image:
    """The picture, or a plain grey of its shape, with the longer side `side` pixels."""
    scale = side / max(height, width, 1)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if content is not None:
        try:
            with Image.open(io.BytesIO(content)) as picture:
                return picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)
        except (OSError, ValueError):  # no picture, or a damaged one: the boxes are drawn all the same
            pass
    return Image.new("RGB", size, GROUND)


def outlined(
    picture: Image.Image,
    corners: np.ndarray,
    colours: np.ndarray,
    *,
    bold: np.ndarray,
    dashed: np.ndarray,
    scale: float = 1.0,
) -> Image.Image:
    """The picture with a box drawn around each of `corners` `(m, 4)`, times `scale`; the last ones lie on top.

    Args:
        colours: `(m, 3)` uint8.
        bold, dashed: `(m,)` bool, how each line is drawn.
    """
    picture = picture.convert("RGB")
    pen = ImageDraw.Draw(picture)
    thick = max(1, round(max(picture.size) / LARGE))
    # Others' boxes may reach anywhere: their lines are drawn no further than just outside of the picture
    beyond = (BOLD + DASH) * thick
    most = (np.tile(picture.size, 2) + beyond) / scale
    scaled = np.clip(np.nan_to_num(corners), -beyond / scale, most) * scale
    for box, colour, is_bold, is_dashed in zip(scaled, colours, bold, dashed, strict=True):
        width = thick * (BOLD if is_bold else PLAIN)
        left, top, right, bottom = (round(float(value)) for value in box)
        edges = left, top, max(left, right - 1), max(top, bottom - 1)
        ink = tuple(int(part) for part in colour)
        pen.rectangle((edges[0] - 1, edges[1] - 1, edges[2] + 1, edges[3] + 1), outline=RIM)
        pen.rectangle(edges, outline=RIM if is_dashed else ink, width=width)
        if is_dashed:
            for dash in _dashes(*edges, width, DASH * thick):
                pen.rectangle(dash, fill=ink)
    return picture


def _dashes(
    left: int, top: int, right: int, bottom: int, width: int, length: int
) -> Iterator[tuple[int, int, int, int]]:
    """Rectangles along the four sides, inside the box."""
    for start in range(left, right + 1, 2 * length):
        end = min(start + length - 1, right)
        yield start, top, end, min(top + width - 1, bottom)
        yield start, max(bottom - width + 1, top), end, bottom
    for start in range(top, bottom + 1, 2 * length):
        end = min(start + length - 1, bottom)
        yield left, start, min(left + width - 1, right), end
        yield max(right - width + 1, left), start, right, end


def panes_of(
    boxes: Boxes, answer: Detections | None, classes: int, side: int, picture: bytes | None
) -> tuple[Pane, ...]:
    """What was drawn over the picture, and beside it what is told: what is missed or wrong stands out.

    Args:
        picture: A small copy; None: it is gone.
    """
    judged = ~boxes.crowd & (boxes.classes >= 0)
    if answer is None:
        return (Pane(text("drawn", "标注"), _pane(boxes, classes, side, picture, ~judged & False, ~judged)),)
    told_boxes = answer.told()
    detected = BoxStatistics(compare_boxes([told_boxes], [boxes]), classes).detections
    hit = np.zeros(len(judged), dtype=bool)
    hit[detected.took[detected.hit()]] = True
    wrong = ~detected.hit() & detected.counted()
    told_boxes = told_boxes._replace(corners=detected.corners, classes=detected.classes, scores=detected.scores)
    return (
        Pane(
            text("drawn (bold: missed)", "标注（粗线：漏检）"),
            _pane(boxes, classes, side, picture, judged & ~hit, ~judged),
        ),
        Pane(
            text("found (bold, dashed: wrong)", "检出（粗虚线：误检）"),
            _pane(told_boxes, classes, side, picture, wrong, wrong),
        ),
    )


def overlaid(picture: Image.Image, answer: Detections, classes: Sequence[str] = ()) -> Image.Image:
    """The picture with what is told drawn over it, at its own size; without `classes` nothing is written beside the boxes."""
    told_boxes = answer.told()
    colours = class_colours(int(told_boxes.classes.max(initial=0)) + 1)[told_boxes.classes][::-1]  # the surest on top
    plain = np.zeros(len(told_boxes.classes), dtype=bool)
    scale = max(picture.size) / max(answer.height, answer.width, 1)
    drawn = outlined(picture, told_boxes.corners[::-1], colours, bold=~plain, dashed=plain, scale=scale)
    if classes:
        names = [
            f"{_plain(classes[c], c)} {score:.2f}"
            for c, score in zip(told_boxes.classes, told_boxes.scores, strict=True)
        ]
        _label(drawn, told_boxes.corners[::-1] * scale, names[::-1], colours)
    return drawn


def _plain(name: str, number: int) -> str:
    """What the letters at hand can write; else the number of the class, from 1, as in results of COCO."""
    name = " ".join(name.split())
    return name if name.isascii() and name.isprintable() and name else f"#{number + 1}"


def _label(picture: Image.Image, corners: np.ndarray, names: Sequence[str], colours: np.ndarray) -> None:
    """A line of text in the colour of each box, above it, or inside where there is no room."""
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(SMALLEST, round(max(picture.size) / LINES)))
    for (left, top, *_), name, colour in zip(corners.tolist(), names, colours, strict=True):
        x0, y0, x1, y1 = pen.textbbox((0, 0), name, font=font)
        wide, high = math.ceil(x1 - x0) + 2, math.ceil(y1 - y0) + 2
        x = min(max(0, round(left)), max(0, picture.width - wide))
        y = round(top) - high if top >= high else max(0, round(top))
        pen.rectangle((x, y, x + wide - 1, y + high - 1), fill=tuple(colour.tolist()))
        light = colour @ (0.3, 0.59, 0.11) > HALF
        pen.text((x + 1 - x0, y + 1 - y0), name, fill=(0, 0, 0) if light else RIM, font=font)


def _pane(
    boxes: Boxes | Detections, classes: int, side: int, picture: bytes | None, bold: np.ndarray, dashed: np.ndarray
) -> bytes:
    """Boxes of no class are grey; the bold ones lie on top."""
    under = ground(picture, boxes.height, boxes.width, side)
    order = np.argsort(bold, kind="stable")
    colours = np.vstack([class_colours(classes), GROUND]).astype(np.uint8)[boxes.classes[order]]
    scale = max(under.size) / max(boxes.height, boxes.width, 1)
    return photo_bytes(
        outlined(under, boxes.corners[order], colours, bold=bold[order], dashed=dashed[order], scale=scale)
    )


def photo_bytes(image: Image.Image) -> bytes:
    """A WebP: small where there is a photo under the lines."""
    content = io.BytesIO()
    image.save(content, "WEBP", quality=QUALITY, method=4)
    return content.getvalue()
