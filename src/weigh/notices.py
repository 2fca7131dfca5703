"""What whoever runs weigh must be told though nothing stops: into the log, and on the screen in their language."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from weigh.language import Text

__all__ = ["notice", "notices_to"]

_log = logging.getLogger("weigh.notices")


def notice(sentence: Text) -> None:
    """Log `sentence` as a warning, and say it to whoever listens."""
    _log.warning("%s", sentence.en, extra={"sentence": sentence})


@contextmanager
def notices_to(say: Callable[[Text], None]) -> Iterator[None]:
    """Inside the block `say` is called with every notice of this process."""

    class _Teller(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(getattr(record, "sentence", Text(record.getMessage(), record.getMessage())))

    teller = _Teller(logging.WARNING)
    _log.addHandler(teller)
    try:
        yield
    finally:
        _log.removeHandler(teller)
