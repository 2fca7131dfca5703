"""Which files of a folder are pictures: by suffix, else by the first bytes; masks that lie beside their pictures are none.

Before it: nothing. After it: `data/rows/folders.py` lists them.
"""

from __future__ import annotations

import os
from pathlib import Path

from weigh.data.pictures.masks import without_masks
from weigh.data.rows.folders import FileKind
from weigh.data.rows.listing import PICTURE_SUFFIXES
from weigh.media import PICTURES

__all__ = ["PICTURE_FILES", "begins_like_picture", "is_picture_name"]

MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")


def is_picture_name(name: str) -> bool:
    """Whether the suffix is one of a picture."""
    return os.path.splitext(name)[1].casefold() in PICTURE_SUFFIXES


def _looks_like_picture(path: Path) -> bool:
    try:
        if not path.is_file():  # a pipe or a device would block
            return False
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return begins_like_picture(head)


def begins_like_picture(head: bytes) -> bool:
    """Whether the first bytes (16 are enough) are those of a picture."""
    return head.startswith(MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


PICTURE_FILES = FileKind(PICTURES, "path", is_picture_name, _looks_like_picture, choose=without_masks)
