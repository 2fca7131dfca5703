"""Pages of a file with several pictures (a TIFF stack), each an example of its own: "stack.tif#3" is the third page of stack.tif.

Before it: a reader that lists such a file page by page. After it: whoever reads the bytes of an example gets those of a file with one page.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from PIL import Image

__all__ = ["count_pages", "page_bytes", "page_content", "page_name", "split_page"]

PAGE = re.compile(r"(.+\.tiff?)#(\d+)", re.IGNORECASE)


def page_name(file: str, page: int) -> str:
    """The name of a page, counted from 1."""
    return f"{file}#{page}"


def split_page(path: Path | str) -> tuple[Path, int] | None:
    """File and page; None where the path is not of that form, or is a file of just that name."""
    match = PAGE.fullmatch(str(path))
    return None if match is None or Path(path).is_file() else (Path(match[1]), int(match[2]))


def count_pages(file: Path) -> int:
    """How many pages a TIFF file has; 1 for any other, and for one that does not open (whoever reads it will say so)."""
    if file.suffix.casefold() not in (".tif", ".tiff"):
        return 1
    try:
        with Image.open(file) as image:
            return int(getattr(image, "n_frames", 1))
    except Exception:  # decoders raise almost anything on damaged files
        return 1


def page_bytes(file: Path, page: int) -> bytes:
    """A TIFF file that holds this page alone, not compressed.

    Raises:
        OSError, EOFError, ValueError: It cannot be read, or has fewer pages.
    """
    out = io.BytesIO()
    _page(file, page).save(out, "TIFF")
    return out.getvalue()


def page_content(file: Path, page: int) -> bytes:
    """What the page shows: the same bytes whichever program reads and writes files.

    Raises:
        OSError, EOFError, ValueError: It cannot be read, or has fewer pages.
    """
    image = _page(file, page)
    return f"{image.mode} {image.size} {image.getpalette() if image.mode == 'P' else ''}".encode() + image.tobytes()


def _page(file: Path, page: int) -> Image.Image:
    with Image.open(file) as image:
        image.seek(page - 1)
        image.load()
        single = Image.frombytes(image.mode, image.size, image.tobytes())
        if image.mode == "P":
            single.putpalette(image.getpalette() or [])
        return single
