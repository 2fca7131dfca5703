"""Work done in threads a little before it is needed, in order, and never far ahead: memory holds what waits, not everything."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["look_ahead"]

Item = TypeVar("Item")
Made = TypeVar("Made")


def look_ahead(
    make: Callable[[Item], Made], items: Iterable[Item], *, threads: int, count: int
) -> Iterator[tuple[Item, Made]]:
    """Every item with what `make` makes of it, in their order; an error is raised where its item stands.

    Args:
        count: How many at most are made or being made beyond the one asked for.
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[Item, Future[Made]]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(make, item)))
                if len(waiting) > count:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
