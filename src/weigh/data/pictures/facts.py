"""What is known about each picture after opening it once: whether it opens, its pixels' hash, a little grey copy, oddities.

Before it: an index with content hashes. After it: `checks.py` and `near_copies.py`, which only compare facts. Facts are
remembered by content, so that a second look at a data set opens nothing, and gives the same facts.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from weigh.data.cache import room
from weigh.data.examples import Examples
from weigh.data.memo import Memo
from weigh.data.pictures.decoding import (
    DEEP,
    MAX_PIXELS,
    PictureError,
    guarded,
    open_checked,
    read_bytes,
    room_for,
    to_rgb,
)
from weigh.lookahead import look_ahead
from weigh.notices import Progress
from weigh.settings import cache_folder

__all__ = ["Facts", "facts_of_file", "picture_facts"]

VERSION = "facts-1"  # raised when a fact is computed in another way
OPENED_BY = f"{VERSION}-{PIL.__version__}-{MAX_PIXELS}"  # what does not open today may open tomorrow
GREY_SIDE = 64
AHEAD = 64  # pictures opened before their facts are asked for
ROWS = 512  # hashed at once
COLOUR_SIDE = 32  # colours are counted on a copy of at most this side


@dataclass(frozen=True)
class Facts:
    """One picture file.

    Attributes:
        reason: "" if it opens, else a word of `PictureError.reason`.
        detail: What `PictureError` said, English and Chinese.
        pixels: Hash of size and RGB values as models see them (upright, 8 bits): equal for the same picture in two files.
        width, height: Upright.
        format, mode: As Pillow names them ("JPEG", "P").
        frames: More than 1 for animations.
        rotated: The file asks to be turned or mirrored (EXIF).
        transparent: It has transparent parts, put on white.
        deep: More than 8 bits per channel.
        colours: Different colours in a small copy.
        spread: Standard deviation of the grey copy (0 to 127).
    """

    reason: str = ""
    detail: tuple[str, str] = ("", "")
    pixels: str = ""
    width: int = 0
    height: int = 0
    format: str = ""
    mode: str = ""
    frames: int = 1
    rotated: bool = False
    transparent: bool = False
    deep: bool = False
    colours: int = 0
    spread: float = 0.0


def picture_facts(
    examples: Examples, *, progress: Progress | None = None, threads: int = 2
) -> tuple[list[Facts], np.ndarray]:
    """Facts and `(n, 64, 64)` uint8 grey copies (zeros where a file does not open), one pass over unknown files."""
    memo = Memo(OPENED_BY)
    contents = examples.content.tolist()
    facts: list[Facts | None] = [None] * len(examples)
    grey = room((len(examples), GREY_SIDE, GREY_SIDE), np.uint8, cache_folder())
    remembered = memo.get_many(c for c in contents if c)
    first: dict[str, int] = {}
    todo = []
    for i, content in enumerate(contents):
        if content in remembered:
            facts[i], grey[i] = _unpack(remembered[content])
        elif not content or content not in first:
            first.setdefault(content, i)
            todo.append(i)
    new: dict[str, bytes] = {}
    opened = look_ahead(lambda i: facts_of_file(examples.root / examples.path[i]), todo, threads=threads, count=AHEAD)
    for done, (i, (fact, copy)) in enumerate(opened, 1):
        facts[i], grey[i] = fact, copy
        if contents[i] and fact.reason not in ("missing", "no permission", "unreadable"):
            new[contents[i]] = _pack(fact, copy)
        if len(new) >= 2000:  # an interrupted first look is not lost
            memo.put_many(new)
            new = {}
        if progress and (done % 16 == 0 or done == len(todo)):
            progress("opening pictures", done, len(todo))
    memo.put_many(new)
    for i, content in enumerate(contents):
        if facts[i] is None:  # the same bytes as an earlier file
            facts[i], grey[i] = facts[first[content]], grey[first[content]]
    return [f for f in facts if f is not None], grey


def facts_of_file(path: Path) -> tuple[Facts, np.ndarray]:
    """Facts and grey copy of one file; a file that does not open has facts too."""
    blank = np.zeros((GREY_SIDE, GREY_SIDE), dtype=np.uint8)
    try:
        raw = read_bytes(path)
        return guarded(path, lambda: _read_facts(raw, path))
    except PictureError as error:
        return Facts(reason=error.reason, detail=(error.detail.en, error.detail.zh)), blank


def _read_facts(raw: bytes, path: Path) -> tuple[Facts, np.ndarray]:
    image = open_checked(raw, path)
    mode, frames = image.mode, getattr(image, "n_frames", 1)
    rotated = image.getexif().get(0x0112, 1) not in (1, None)
    with room_for(image):
        image.load()
        transparent = image.has_transparency_data
        rgb = to_rgb(image)
        copy = np.asarray(rgb.convert("L").resize((GREY_SIDE, GREY_SIDE), Image.Resampling.BOX))
        width, height = rgb.size
        digest = hashlib.blake2b(struct.pack("<II", *rgb.size), digest_size=16)
        for top in range(0, rgb.height, ROWS):
            digest.update(rgb.crop((0, top, rgb.width, min(top + ROWS, rgb.height))).tobytes())
        small = rgb
        small.thumbnail((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.NEAREST)
    facts = Facts(
        pixels=digest.hexdigest(),
        width=width,
        height=height,
        format=image.format or "",
        mode=mode,
        frames=int(frames),
        rotated=bool(rotated),
        transparent=bool(transparent),
        deep=mode in DEEP or _is_deep(raw),
        colours=len(small.getcolors(COLOUR_SIDE * COLOUR_SIDE) or ()),
        spread=round(float(copy.std()), 3),
    )
    return facts, copy


def _is_deep(raw: bytes) -> bool:
    """PNG files of 16 bits per channel that Pillow opens as 8 (RGB, RGBA, LA)."""
    return raw[:8] == b"\x89PNG\r\n\x1a\n" and len(raw) > 24 and raw[24] == 16


def _pack(facts: Facts, grey: np.ndarray) -> bytes:
    written = json.dumps(asdict(facts), ensure_ascii=False).encode()
    return struct.pack("<I", len(written)) + written + grey.tobytes()


def _unpack(packed: bytes) -> tuple[Facts, np.ndarray]:
    (length,) = struct.unpack_from("<I", packed)
    fields = json.loads(packed[4 : 4 + length])
    fields["detail"] = tuple(fields["detail"])
    return Facts(**fields), np.frombuffer(packed, np.uint8, offset=4 + length).reshape(GREY_SIDE, GREY_SIDE)
