"""Values that kill the worker process that receives them, or keep it busy."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path


class Deadly:
    """Put into a job. Pickled, it is a call of `die`, so nothing happens in the driver.

    Args:
        folder: Where its victims are counted.
        times: How many workers it kills.
    """

    def __init__(self, folder: Path, times: int) -> None:
        self.folder, self.times = folder, times

    def __reduce__(self):
        return die, (self.folder, self.times)


def die(folder: Path, times: int) -> None:
    assert multiprocessing.parent_process() is not None, "only a worker may die"
    died = len(list(folder.iterdir()))
    if died < times:
        (folder / str(died)).touch()
        os.kill(os.getpid(), signal.SIGKILL)


class Hungry:
    """In the place of what a study knows of a model: the first worker that looks at it has no memory left, later ones take it for nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __bool__(self) -> bool:
        if not list(self.folder.iterdir()):
            (self.folder / "looked").touch()
            raise MemoryError("planted")
        return False


class Endless:
    """Whoever receives it computes for ever."""

    def __reduce__(self):
        return compute, ()


def compute() -> None:
    while True:
        sum(range(1000))
