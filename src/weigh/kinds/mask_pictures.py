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

__all__ = ["index_png", "overlaid", "palette"]

GOLDEN = 0.618034  # of the colour circle from one class to the next: no two of the first dozens are close
LIGHTNESS = (0.45, 0.7, 0.3, 0.58)
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
    indices, content = mask.indices(), io.BytesIO()
    if indices.dtype == np.uint8:
        picture = Image.fromarray(indices)
        colours = np.full((256, 3), 255, dtype=np.uint8)
        colours[: len(mask.counts)] = palette(len(mask.counts))
        picture.putpalette(colours.tobytes())
    else:
        picture = Image.fromarray(indices)
    picture.save(content, "PNG", optimize=True)
    return content.getvalue()


def overlaid(picture: Image.Image, mask: LabelMap) -> Image.Image:
    """The picture under the colours of the mask; ignored pixels are left as they are. The mask is scaled to the picture by nearest pixels."""
    indices = mask.indices()
    known = indices != ignored_mark(indices.dtype)
    colours = palette(len(mask.counts))[np.where(known, indices, 0)]
    layer = Image.fromarray(colours).resize(picture.size, Image.Resampling.NEAREST)
    strength = Image.fromarray((known * round(STRENGTH * 255)).astype(np.uint8))
    return Image.composite(layer, picture.convert("RGB"), strength.resize(picture.size, Image.Resampling.NEAREST))
