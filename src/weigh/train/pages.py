"""Memory of the processor that is freed and asked for again in every step stays with the process meanwhile.

The C library of Linux hands large blocks back to the system when they are freed. A training step frees and asks for more
than a hundred of them; the system then clears every page anew, which took a third of the processor time of a step of
EfficientNet-Lite0 (docs/decisions/fine-tuning-speed.md). The numbers do not depend on it, and the most memory held at
once hardly does.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["keeping_pages"]

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # mallopt(3)
NEVER, LARGE = 2**31 - 1, 2**30  # bytes; larger blocks are not asked for in every step
USUAL_TRIM, USUAL_MMAP = 2**26, 2**25  # where glibc's own adjustment ends up in a process with large blocks


@contextmanager
def keeping_pages() -> Iterator[None]:
    """Keep freed memory for reuse; given back at the end. Does nothing with another C library than glibc."""
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(MMAP_THRESHOLD, LARGE)
    library.mallopt(TRIM_THRESHOLD, NEVER)
    try:
        yield
    finally:
        library.mallopt(MMAP_THRESHOLD, USUAL_MMAP)
        library.mallopt(TRIM_THRESHOLD, USUAL_TRIM)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if platform.libc_ver()[0] != "glibc":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
