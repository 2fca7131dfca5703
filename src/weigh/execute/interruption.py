"""Stopping a study on request: Ctrl-C, SIGTERM (a queue that takes the machine away) and SIGHUP (a closed terminal) do the same.

An interrupt is an exception at a random place, and what is at that place may catch it or turn it into an error of its own (reading
safetensors does). So it is also remembered: nothing is recorded, and no error is believed, once it was asked for.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Interruption", "interruptible"]

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # those that this system has
SAME = 0.3  # seconds within which a second signal is the same request: a shell and its terminal may both pass it on


class Interruption:
    """Whether the user or the system asked the study to stop."""

    def __init__(self) -> None:
        self.since: float | None = None

    def check(self) -> None:
        """Raise the interrupt again if a library swallowed it.

        Raises:
            KeyboardInterrupt: Somebody asked for the end.
        """
        if self.since is not None:
            raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Turns requests to stop into KeyboardInterrupt, also errors that they caused; a second request ends the process at once.

    Signals that are ignored (`nohup`) stay ignored. Outside of the main thread, where signals never arrive, nothing changes.
    """
    interruption, before = Interruption(), {}

    def handle(number: int, frame) -> None:
        now, former = time.monotonic(), before[number]
        if interruption.since is not None:
            if now - interruption.since > SAME:
                if sys.stderr.isatty():
                    os.write(2, b"\x1b[?25h\n")  # bars hide the cursor
                os._exit(130)  # workers see it, and the ledger is valid at any moment
            return
        if not callable(former):  # the system's own way of ending a process
            interruption.since = now
            raise KeyboardInterrupt
        try:
            former(number, frame)  # Python's own raises KeyboardInterrupt; somebody else's may do something else
        except KeyboardInterrupt:
            interruption.since = now
            raise

    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in SIGNALS if hasattr(signal, name)):
            former = signal.getsignal(number)
            if former is not None and former != signal.SIG_IGN:
                before[number] = former
                signal.signal(number, handle)
    try:
        yield interruption
    except Exception:
        interruption.check()
        raise
    finally:
        for number, former in before.items():
            signal.signal(number, former)
