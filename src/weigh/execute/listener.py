"""Who is told what happens while a study runs."""

from __future__ import annotations

from typing import Protocol

from weigh.execute.forecast import Forecast
from weigh.language import Text
from weigh.run import Job

__all__ = ["Listener", "Silent"]


class Listener(Protocol):
    """Who is told what happens; the command line draws it."""

    def stage(self, what: Text) -> None: ...
    def progress(self, what: str, done: int, total: int) -> None: ...
    def planned(self, forecast: Forecast) -> bool: ...  # False: do not start
    def ahead(self, seconds: float) -> None: ...  # predicted from now on, where the plan has become another one
    def job_done(self, job: Job, failed: int, done: int, total: int) -> None: ...


class Silent:
    """A listener that shows nothing and agrees to everything."""

    def stage(self, what: Text) -> None: ...
    def ahead(self, seconds: float) -> None: ...
    def progress(self, what: str, done: int, total: int) -> None: ...
    def job_done(self, job: Job, failed: int, done: int, total: int) -> None: ...

    def planned(self, forecast: Forecast) -> bool:
        return True
