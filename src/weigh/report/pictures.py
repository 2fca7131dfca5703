"""Pictures of examples, embedded in the page.

Before it: whoever calls `render_html` gives `picture(path)`, which returns a small JPEG, WebP or PNG or None. Bytes are
checked by their signature: anything else (an SVG, a page of HTML) is not embedded. All pictures of a page share a
budget, so that a report stays a file one can mail.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

__all__ = ["Album"]

PictureOf = Callable[[str], "bytes | None"]
BUDGET = 3_000_000  # characters of base64 on one page
LARGEST = 200_000  # bytes of one picture
_SIGNATURES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"))


class Album:
    """Data URIs of pictures, each path asked for once, until the budget is spent."""

    def __init__(self, picture: PictureOf | None, budget: int = BUDGET) -> None:
        self._picture, self._left = picture, budget
        self._known: dict[str, bytes | None] = {}
        self.refused = 0  # pictures that found no room

    def uri(self, path: str) -> str | None:
        """`data:image/jpeg;base64,…`, or None where there is no picture, it is not one, or the budget is spent."""
        content = self.content(path)
        return None if content is None else self.embed(content)

    def content(self, path: str) -> bytes | None:
        """The picture itself, or None where there is none."""
        if self._picture is None:
            return None
        if path not in self._known:
            self._known[path] = self._picture(path)
        return self._known[path]

    def embed(self, content: bytes) -> str | None:
        """The address (`uri`) of a picture that was drawn for the page, from its bytes; None where the budget is spent."""
        uri = _encode(content)
        if uri is None:
            return None
        if len(uri) > self._left:
            self.refused += 1
            return None
        self._left -= len(uri)
        return uri


def _encode(content: bytes | None) -> str | None:
    if not content or len(content) > LARGEST:
        return None
    media_type = next((name for signature, name in _SIGNATURES if content.startswith(signature)), None)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        media_type = "image/webp"
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}" if media_type else None
