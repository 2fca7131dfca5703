"""A mask file as it is written: the value or the colour of every pixel, exactly; nothing is converted, scaled or guessed here.

Before it: the path of a mask (`layouts.py`). After it: `meaning.py` decides what values are classes. Index PNGs (mode P) are read by
index; their colours are kept beside it, since files whose palettes differ do not mean the same by one index.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from weigh.data.pictures.class_table import pack_colour
from weigh.data.pictures.decoding import DEEP, ORIENTATION, PictureError, guarded, open_checked, read_bytes, room_for
from weigh.kinds.label_map import LabelMap
from weigh.language import text

__all__ = ["OTHER", "Raster", "colour_name", "read_raster", "turned"]

NEAR = 64  # of black or of white: what JPEG leaves of them
MOST_VALUES = 1000  # of one file: more are a photo, or numbers of objects
OTHER = 1 << 40  # added to a value that can be no colour, or an index without one in its palette
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Raster(NamedTuple):
    """One mask.

    Attributes:
        codes: The different values, ascending: numbers, or packed colours (`class_table.pack_colour`).
        mask: Which of `codes` each pixel has.
        coloured: `codes` are colours.
        palette: Of an index file: the colour of each of `codes`; `OTHER` and the code where the palette has none.
        lossy: Written as JPEG, which changes values; of black and white ones the nearer of the two is kept.
        peak: Of such a black and white one: its highest value as it is written.
    """

    codes: tuple[int, ...]
    mask: LabelMap
    coloured: bool = False
    palette: tuple[int, ...] = ()
    lossy: bool = False
    peak: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.mask.width, self.mask.height


def colour_name(code: int) -> str:
    """ "128,64,0", as it may be typed; with a fourth number where it is not opaque."""
    parts = [code >> 16 & 255, code >> 8 & 255, code & 255]
    return ",".join(map(str, [*parts, 255 - (code >> 24)] if code >> 24 else parts))


def read_raster(path: Path) -> Raster:
    """The mask in a file.

    Raises:
        PictureError: It cannot be opened, or holds no classes: broken numbers, or more values than classes can have.
    """
    raw = read_bytes(path)
    image = guarded(path, lambda: open_checked(raw, path))
    with room_for(image):
        return guarded(path, lambda: _raster(image, path))


def turned(mask: LabelMap, orientation: int) -> LabelMap:
    """A mask that was drawn on the stored pixels of a picture, turned as the picture is (EXIF)."""
    image = Image.fromarray(mask.indices()).transpose(TURNS[orientation])
    return LabelMap.of(np.asarray(image), len(mask.counts))


def _raster(image: Image.Image, path: Path) -> Raster:
    lossy = image.format == "JPEG"
    image.load()
    if image.getexif().get(ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode in ("PA", "LA"):
        image = image.getchannel(0) if image.mode == "LA" else image.convert("RGBA")
    palette = image.getpalette("RGB") if image.mode == "P" else None
    if image.mode in ("1", "L", "P"):
        values = np.asarray(image).astype(np.uint8)
    elif image.mode in DEEP:
        values = _whole(np.asarray(image), path)
    else:
        values = _colours(image)
    coloured = image.mode not in ("1", "L", "P", *DEEP)
    peak = 0
    if lossy:
        peak = int(np.asarray(image).max(initial=0))
        values, coloured = _black_and_white(image, values, coloured=coloured)
    codes, places = _distinct(values)
    if coloured and all(code >> 24 == 0 and len({code >> 16, code >> 8 & 255, code & 255}) == 1 for code in codes):
        codes, coloured = [code & 255 for code in codes], False  # grey, written three times
    if len(codes) > MOST_VALUES:
        raise PictureError(
            path,
            "not a mask",
            text(
                "{n} different {w}: this is no mask of classes.",
                "有 {n} 种不同的{w}：这不是类别掩码。",
                n=len(codes),
                w=text("colours", "颜色") if coloured else text("values", "数值"),
            ),
        )
    used = () if palette is None else tuple(_colour_of(palette, code) for code in codes)
    return Raster(tuple(codes), LabelMap.of(places, len(codes)), coloured, used, lossy, peak)


def _colour_of(palette: list[int], code: int) -> int:
    """The colour of an index; palettes often hold the classes alone, and the index of what is ignored (255) lies behind them."""
    colour = palette[3 * code : 3 * code + 3]
    return pack_colour(*colour) if len(colour) == 3 else OTHER + code


def _whole(values: np.ndarray, path: Path) -> np.ndarray:
    """Numbers of more than 8 bits, if they are whole and not negative."""
    whole = np.isfinite(values).all() and (values >= 0).all() and (values == np.floor(values)).all()
    if not whole:
        raise PictureError(
            path,
            "not a mask",
            text("its values are not whole numbers from 0.", "其数值不是从 0 开始的整数。"),
        )
    return values.astype(np.int64)


def _colours(image: Image.Image) -> np.ndarray:
    """`(h, w)` packed colours."""
    pixels = np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB")).astype(np.uint32)
    packed = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    return packed | (255 - pixels[..., 3]) << 24 if pixels.shape[2] == 4 else packed


def _black_and_white(image: Image.Image, values: np.ndarray, *, coloured: bool) -> tuple[np.ndarray, bool]:
    """Black or white, whichever is nearer, for each pixel of a JPEG file that holds little else; any other stays as it is."""
    channels = np.asarray(image).reshape(*values.shape, -1)
    grey = channels[..., 0]
    if np.ptp(channels, axis=2).max() > NEAR // 2 or np.mean((grey >= NEAR) & (grey <= 255 - NEAR)) > 0.02:
        return values, coloured
    return np.where(grey > 127, 255, 0).astype(np.uint8), False


def _distinct(values: np.ndarray) -> tuple[list[int], np.ndarray]:
    """The different values, ascending, and which of them each pixel has."""
    if values.dtype == np.uint8:
        codes = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
        place = np.zeros(256, np.int16)  # small: a mask may have 100 million pixels
        place[codes] = np.arange(len(codes))
        return codes.tolist(), place[values]
    codes, places = np.unique(values, return_inverse=True)
    return codes.tolist(), places.reshape(values.shape)
