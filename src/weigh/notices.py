"""Notices: what a user should know although nothing stops. They go into the log and, in the user's language, onto the screen. And how far something is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from weigh.language import Text

__all__ = ["Progress", "logging_to", "notice", "notices_to"]

Progress = Callable[[str, int, int], None]  # what is being done, how much of it is done, of how much
Say = Callable[[Text], None]

_log = logging.getLogger("weigh.notices")
_listeners: list[tuple[Say, Say]] = []  # for any notice, and for those that are told always


def notice(sentence: Text, *, always: bool = False) -> None:
    """Log `sentence` as a warning, and tell the listener that came last; without one, logging prints it.

    Args:
        always: Tell it also who wants to see results alone (--quiet): something that was asked for did not happen, or is not what it seems to be.
    """
    _log.warning("%s", sentence.en)
    if _listeners:
        say, insist = _listeners[-1]
        (insist if always else say)(sentence)


@contextmanager
def notices_to(say: Say, insist: Say | None = None) -> Iterator[None]:
    """Inside the block `say` is called with every notice of this process.

    Args:
        insist: Called in place of `say` with those that are told always; None: `say` is called with all.
    """
    silent = logging.NullHandler()  # or logging would print it too where no log is kept
    _log.addHandler(silent)
    listener = say, insist or say
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
        _log.removeHandler(silent)


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """What weigh logs inside the block is added to the file at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.handleError = lambda _record: None  # type: ignore[method-assign]  # a full disk must not print a traceback for every line
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("weigh")
    logger.addHandler(handler)
    previous = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(previous)
        with suppress(OSError):
            handler.close()
