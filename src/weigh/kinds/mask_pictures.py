"""Masks as pictures: index PNGs with a palette, and colours over the picture. No torch."""

from __future__ import annotations

import numpy as np
from PIL import Image

from weigh.kinds.label_map import LabelMap, ignored_mark
from weigh.kinds.palette import palette, png_of, shrunk

__all__ = ["WRONG", "difference_png", "index_png", "overlaid", "small_png"]

WRONG = "#202020"
RIGHT, WHITE = (225, 225, 225), (255, 255, 255)
SHADES = 8  # of a small picture's pixel that stands for some wrong and some right ones
STRENGTH = 0.55  # of the colour over the picture


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
    return png_of(picture)


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
    return _coloured(np.asarray(shrunk(image, side)), np.vstack([palette(classes), WHITE]))


def difference_png(mask: LabelMap, answer: LabelMap, side: int) -> bytes:
    """Where an answer is wrong: grey where it is right, `WRONG` where it is not, white where the mask is ignored."""
    truth = mask.indices()
    known = truth < len(mask.counts)
    wrong = Image.fromarray((known & (truth != answer.indices())).astype(np.float32))
    shade = np.ceil(np.asarray(shrunk(wrong, side, Image.Resampling.BOX)) * SHADES).astype(int)
    shown = np.where(np.asarray(shrunk(Image.fromarray(known.astype(np.uint8)), side)) > 0, shade, SHADES + 1)
    share = np.arange(SHADES + 1)[:, None] / SHADES
    return _coloured(shown, np.vstack([(1 - share) * RIGHT + share * list(bytes.fromhex(WRONG[1:])), WHITE]))


def _coloured(indices: np.ndarray, colours: np.ndarray) -> bytes:
    """A PNG of `indices` into `colours` `(k, 3)`, with a palette where that can hold them."""
    rounded = np.round(colours).astype(np.uint8)
    if len(colours) > 256:
        return png_of(Image.fromarray(rounded[indices]))
    image = Image.fromarray(indices.astype(np.uint8))
    image.putpalette(rounded.tobytes())
    return png_of(image)
