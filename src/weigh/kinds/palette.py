"""Colours of classes, and pictures as files: what drawings of masks and of boxes share. No torch.

Colours are told apart by lightness as well as by hue, so that neighbours differ for colour-blind readers too; class 0 is grey.
"""

from __future__ import annotations

import colorsys
import io
from functools import lru_cache

import numpy as np
from PIL import Image

__all__ = ["hex_of", "palette", "png_of", "shrunk"]

GOLDEN = 0.618034  # of the colour circle from one class to the next: no two of the first dozens are close
LIGHTNESS = (0.45, 0.7, 0.3, 0.58)


@lru_cache
def palette(classes: int) -> np.ndarray:
    """`(classes, 3)` uint8, the same colour for a class whatever the number of classes."""
    colours = [(0.55, 0.55, 0.55)]
    for i in range(1, classes):
        colours.append(colorsys.hls_to_rgb((i * GOLDEN) % 1.0, LIGHTNESS[i % len(LIGHTNESS)], 0.75))
    return np.round(np.array(colours[:classes]) * 255).astype(np.uint8)


def hex_of(colour: np.ndarray) -> str:
    """ "#rrggbb"."""
    return "#" + bytes(colour).hex()


def shrunk(image: Image.Image, side: int, resampling: Image.Resampling = Image.Resampling.NEAREST) -> Image.Image:
    """Its longer side at most `side` pixels."""
    scale = min(1.0, side / max(image.size))
    wide, high = (max(1, round(length * scale)) for length in image.size)
    return image.resize((wide, high), resampling)


def png_of(image: Image.Image) -> bytes:
    """The bytes of a PNG file."""
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return content.getvalue()
