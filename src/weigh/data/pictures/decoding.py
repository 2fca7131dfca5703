"""One picture as a person sees it: opened safely, upright, 8 bits, RGB.

Before it: an index of files that other people made. After it: the checks (`data/pictures/facts.py`), decoding for models (compute
wing) and the little pictures of a report. Everything that can be odd about a picture file is settled here, once:
EXIF rotation, palettes, transparency (put on white), CMYK, 16 bits (divided by 257, never clipped), animations (first
frame), sizes that would exhaust the memory.
"""

from __future__ import annotations

import io
import math
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from weigh.data.pages import page_bytes, split_page
from weigh.errors import DataError
from weigh.language import Text, text

__all__ = [
    "DEEP",
    "MAX_PIXELS",
    "ORIENTATION",
    "PictureError",
    "guarded",
    "open_checked",
    "open_picture",
    "read_bytes",
    "room_for",
    "thumbnail_bytes",
    "to_rgb",
    "use_picture",
]

T = TypeVar("T")

# Pillow warns at half of its limit; ours is checked in `open_checked`. Set once, since catch_warnings is not thread-safe.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # odd metadata of users' files

MAX_PIXELS = 178_956_970  # where Pillow itself refuses by default: 2 x 89.5 million pixels, 537 MB as RGB
STRIP_PIXELS = 4_000_000  # converted at once
ORIENTATION = 0x0112  # of EXIF
DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")  # modes with more than 8 bits per channel


class PictureError(DataError):
    """A file that cannot be opened as a picture; `reason` is a short word for tables.

    Attributes:
        reason: "unreadable", "truncated", "too large", "not a picture", "missing", "no permission".
    """

    def __init__(self, path: Path | str, reason: str, detail: Text) -> None:
        self.path, self.reason, self.detail = str(path), reason, detail
        super().__init__(text("{p} cannot be opened: {d}", "无法打开 {p}：{d}", p=path, d=detail))

    def __reduce__(self):
        return type(self), (self.path, self.reason, self.detail)


def open_picture(path: Path | str, *, draft_size: int | None = None) -> Image.Image:
    """The picture at `path`: first frame, upright, mode RGB, fully decoded.

    Args:
        path: A file. Its name is not trusted: the format is read from the contents.
        draft_size: The shorter side, in pixels, that is wanted in the end. JPEG files are then decoded at 1/2, 1/4 or
            1/8 of their size as long as the shorter side stays at least twice `draft_size` (so that the resize that
            follows decides the result). None: full size.

    Raises:
        PictureError: Missing, unreadable, truncated, not a picture, or larger than `MAX_PIXELS`.
    """
    return use_picture(path, lambda image: image, draft_size=draft_size)


def use_picture(path: Path | str, use: Callable[[Image.Image], T], *, draft_size: int | None = None) -> T:
    """What `use` makes of the picture that `open_picture` returns; the picture itself is let go before others are decoded.

    Raises:
        PictureError: As `open_picture`.
    """
    raw = read_bytes(path)

    def opened() -> Image.Image:
        image = open_checked(raw, path)
        if draft_size is not None and image.format == "JPEG":
            _draft(image, draft_size)
        return image

    def decoded() -> Image.Image:
        image.load()
        return to_rgb(image)

    image = guarded(path, opened)
    with room_for(image):
        return use(guarded(path, decoded))


@contextmanager
def room_for(image: Image.Image) -> Iterator[None]:
    """Waits until the pixels of all pictures that are decoded at this moment, in all threads, are at most `MAX_PIXELS`."""
    pixels = image.width * image.height
    with _room.freed:
        _room.freed.wait_for(lambda: not _room.used or _room.used + pixels <= MAX_PIXELS)
        _room.used += pixels
    try:
        yield
    finally:
        with _room.freed:
            _room.used -= pixels
            _room.freed.notify_all()


class _Room:
    """Pixels being decoded in this process."""

    def __init__(self) -> None:
        self.used, self.freed = 0, threading.Condition()


_room = _Room()


def guarded(path: Path | str, work: Callable[[], T]) -> T:
    """What `work` returns; whatever a decoder raises becomes a `PictureError`."""
    try:
        return work()
    except PictureError:
        raise
    except (MemoryError, Image.DecompressionBombError):
        raise _too_large(path, f"> {MAX_PIXELS}") from None
    except Exception as error:  # decoders raise almost anything on damaged files (SyntaxError, struct.error, …)
        raise _damaged(path, error) from None


def open_checked(raw: bytes, path: Path | str) -> Image.Image:
    """The picture with its header read and its size checked, not decoded yet.

    Raises:
        PictureError: Not a picture, or larger than `MAX_PIXELS`.
    """
    try:
        image = Image.open(io.BytesIO(raw))
    except Image.DecompressionBombError:
        raise _too_large(path, f"> {MAX_PIXELS}") from None
    except Exception as error:
        if not raw:
            raise PictureError(path, "truncated", text("the file is empty.", "文件为空。")) from None
        if isinstance(error, Image.UnidentifiedImageError):
            raise PictureError(
                path, "not a picture", text("it is not in a picture format that is known.", "不是已知的图片格式。")
            ) from None
        raise _damaged(path, error) from None
    if image.width * image.height > MAX_PIXELS:
        raise _too_large(path, image.width * image.height)
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """A decoded picture, upright and as 8-bit RGB; transparency is put on white."""
    try:
        if image.getexif().get(ORIENTATION, 1) != 1:  # else it would only be copied
            image = ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block says nothing about the pixels: keep the picture as it is stored
        pass
    if image.mode in DEEP:
        return Image.fromarray(_to_eight_bits(image)).convert("RGB")
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.has_transparency_data:
        rgb = Image.new("RGB", image.size)
        for box in _strips(image):
            part = image.crop(box).convert("RGBA")
            rgb.paste(
                Image.alpha_composite(Image.new("RGBA", part.size, (255, 255, 255, 255)), part).convert("RGB"), box
            )
        return rgb
    return image.convert("RGB")


def thumbnail_bytes(path: Path | str, side: int) -> bytes:
    """A little WebP of the picture with the longer side at most `side` pixels, for reports; the same bytes each time.

    Raises:
        PictureError: As `open_picture`.
    """

    def shrink(image: Image.Image) -> bytes:
        image.thumbnail((side, side), Image.Resampling.LANCZOS)
        image = Image.frombytes(
            "RGB", image.size, image.tobytes()
        )  # a bare copy: no EXIF, no colour profile, no comment
        out = io.BytesIO()
        image.save(out, "WEBP", quality=80, method=4)
        return out.getvalue()

    return use_picture(path, shrink, draft_size=side)


def read_bytes(path: Path | str) -> bytes:
    """The bytes of a regular file, or of one page of it ("stack.tif#3").

    Raises:
        PictureError: Missing, not a file, no permission.
    """
    try:
        if (page := split_page(path)) is not None and page[0].is_file():
            return guarded(path, lambda: page_bytes(*page))
        if Path(path).exists() and not Path(path).is_file():  # a pipe or a device would block for ever
            raise PictureError(path, "not a picture", text("it is not a file.", "它不是文件。"))
        return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise PictureError(path, "missing", text("there is no such file.", "文件不存在。")) from None
    except PermissionError:
        raise PictureError(path, "no permission", text("no permission to read it.", "没有读取权限。")) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise PictureError(path, "unreadable", text("{e}.", "{e}。", e=reason)) from None


def _draft(image: Image.Image, side: int) -> None:
    """Ask libjpeg for a smaller decoding, never below twice `side` on the shorter side."""
    scale = min(image.size) // (2 * side) if side > 0 else 1
    if scale >= 2:
        smallest = max(2 * side, 1)
        ratio = min(image.size) / smallest
        image.draft(None, (int(image.width / ratio), int(image.height / ratio)))


def _to_eight_bits(image: Image.Image) -> np.ndarray:
    """Deep pixels as `(h, w)` uint8: 16 bits divided by 257; 32-bit and float files by the range that they use."""
    grey = np.empty((image.height, image.width), np.uint8)
    strips = [(slice(box[1], box[3]), box) for box in _strips(image)]
    if image.mode.startswith("I;16"):
        for rows, box in strips:
            grey[rows] = np.round(np.asarray(image.crop(box)).astype(np.float32) / 257)
        return grey
    low, high = math.inf, -math.inf
    for _, box in strips:
        pixels = np.asarray(image.crop(box)).astype(np.float64)
        finite = pixels[np.isfinite(pixels)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    low, high = (low, high) if low <= high else (0.0, 0.0)
    if low >= 0 and high <= 65535 and image.mode == "I" and (high > 255 or image.format in ("PNG", "PPM")):
        low, high = 0.0, 65535.0  # 16 bits that Pillow opens as 32
    elif low >= 0 and high <= 255 and high > 1:
        low, high = 0.0, 255.0
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    for rows, box in strips:
        pixels = np.nan_to_num(np.asarray(image.crop(box)).astype(np.float64), nan=low, posinf=high, neginf=low)
        grey[rows] = np.round(np.clip((pixels - low) * (255 / max(high - low, 1e-12)), 0, 255))
    return grey


def _strips(image: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of full width, one below the other, small enough that copies of one take little memory."""
    rows = max(1, STRIP_PIXELS // max(image.width, 1))
    for top in range(0, image.height, rows):
        yield (0, top, image.width, min(top + rows, image.height))


def _too_large(path: Path | str, pixels: int | str) -> PictureError:
    return PictureError(
        path,
        "too large",
        text("{p} pixels; the limit is {m}.", "共 {p} 像素，上限为 {m}。", p=pixels, m=MAX_PIXELS),
    )


def _damaged(path: Path | str, error: Exception) -> PictureError:
    words = str(error).lower()
    if "truncated" in words or "unexpected end" in words or "not enough image data" in words or "eof" in words:
        return PictureError(path, "truncated", text("the file ends too early.", "文件不完整（被截断）。"))
    return PictureError(path, "unreadable", text("it is damaged ({e}).", "文件已损坏（{e}）。", e=type(error).__name__))
