"""Masks as pictures: index PNGs with a palette, and colours over the picture. No torch.

Colours are told apart by lightness as well as by hue, so that neighbours differ for colour-blind readers too; class 0 is grey.
"""

from __future__ import annotations

import colorsys
import io
from functools import lru_cache

import numpy as np
from PIL import Image

from weigh.kinds.label_map import LabelMap, ignored_mark

__all__ = ["WRONG", "difference_png", "index_png", "overlaid", "palette", "small_png"]

GOLDEN = 0.618034  # of the colour circle from one class to the next: no two of the first dozens are close
LIGHTNESS = (0.45, 0.7, 0.3, 0.58)
WRONG = "#202020"
RIGHT, WHITE = (225, 225, 225), (255, 255, 255)
SHADES = 8  # of a small picture's pixel that stands for some wrong and some right ones
STRENGTH = 0.55  # of the colour over the picture


@lru_cache
def palette(classes: int) -> np.ndarray:
    """`(classes, 3)` uint8, the same colour for a class whatever the number of classes."""
    colours = [(0.55, 0.55, 0.55)]
    for i in range(1, classes):
        colours.append(colorsys.hls_to_rgb((i * GOLDEN) % 1.0, LIGHTNESS[i % len(LIGHTNESS)], 0.75))
    return np.round(np.array(colours[:classes]) * 255).astype(np.uint8)


def index_png(mask: LabelMap) -> bytes:
    """A PNG whose pixels are class indices: mode P with the palette (ignored: 255, white); 16-bit grey beyond 254 classes (ignored: 65535)."""
    indices = mask.indices()
    if indices.dtype == np.uint8:
        picture = Image.fromarray(indices)
        colours = np.full((256, 3), 255, dtype=np.uint8)
        colours[: len(mask.counts)] = palette(len(mask.counts))
        picture.putpalette(colours.tobytes())
    else:
        picture = Image.fromarray(indices)
    return _png(picture)


def overlaid(picture: Image.Image, mask: LabelMap) -> Image.Image:
    """The picture under the colours of the mask; ignored pixels are left as they are. The mask is scaled to the picture by nearest pixels."""
    indices = mask.indices()
    known = indices != ignored_mark(indices.dtype)
    colours = palette(len(mask.counts))[np.where(known, indices, 0)]
    layer = Image.fromarray(colours).resize(picture.size, Image.Resampling.NEAREST)
    strength = Image.fromarray((known * round(STRENGTH * 255)).astype(np.uint8))
    return Image.composite(layer, picture.convert("RGB"), strength.resize(picture.size, Image.Resampling.NEAREST))


def small_png(mask: LabelMap, side: int) -> bytes:
    """A mask in colours, its longer side at most `side` pixels; ignored pixels are white."""
    classes = len(mask.counts)
    image = Image.fromarray(np.minimum(mask.indices(), classes).astype(np.int32))
    return _coloured(np.asarray(_shrunk(image, side)), np.vstack([palette(classes), WHITE]))


def difference_png(mask: LabelMap, answer: LabelMap, side: int) -> bytes:
    """Where an answer is wrong: grey where it is right, `WRONG` where it is not, white where the mask is ignored."""
    truth = mask.indices()
    known = truth < len(mask.counts)
    wrong = Image.fromarray((known & (truth != answer.indices())).astype(np.float32))
    shade = np.ceil(np.asarray(_shrunk(wrong, side, Image.Resampling.BOX)) * SHADES).astype(int)
    shown = np.where(np.asarray(_shrunk(Image.fromarray(known.astype(np.uint8)), side)) > 0, shade, SHADES + 1)
    share = np.arange(SHADES + 1)[:, None] / SHADES
    return _coloured(shown, np.vstack([(1 - share) * RIGHT + share * list(bytes.fromhex(WRONG[1:])), WHITE]))


def _shrunk(image: Image.Image, side: int, how: Image.Resampling = Image.Resampling.NEAREST) -> Image.Image:
    scale = min(1.0, side / max(image.size))
    wide, high = (max(1, round(length * scale)) for length in image.size)
    return image.resize((wide, high), how)


def _coloured(indices: np.ndarray, colours: np.ndarray) -> bytes:
    """A PNG of `indices` into `colours` `(k, 3)`, with a palette where that can hold them."""
    rounded = np.round(colours).astype(np.uint8)
    if len(colours) > 256:
        return _png(Image.fromarray(rounded[indices]))
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette(rounded.tobytes())
    return _png(image)


def _png(image: Image.Image) -> bytes:
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return content.getvalue()
