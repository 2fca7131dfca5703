"""How long a study still takes: by the forecasts of its jobs, by how they turned out so far, and by the clock.

Before it: `forecast.py`. After it: the bar of `screen.py`, which moves with the clock and not only when a job ends, for a study may
have two jobs of half an hour each.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Remaining"]

TRUST = 0.15  # share of the study by whose length the forecast counts against what was seen
OVERRUN = 0.1  # a job that takes longer than predicted is taken to need this share of its time yet


@dataclass
class Remaining:
    """Seconds that are left.

    Attributes:
        predicted: Of the whole study.
        began: When it began; all times are of one clock.
        finished: Predicted seconds of the jobs that are done.
        last: When the last job ended.
        inside: Share of the present job that is done; None where only the clock tells.
        furthest: The greatest share of the study that was shown: a bar does not go back.
    """

    predicted: float
    began: float
    finished: float = 0.0
    last: float | None = None
    inside: float | None = None
    furthest: float = 0.0

    def job_done(self, predicted: float, now: float) -> None:
        """A job that was predicted to take so long has ended."""
        self.finished, self.last, self.inside = self.finished + predicted, now, None

    def ahead(self, seconds: float) -> None:
        """So much is predicted from now on: the plan has become another one."""
        self.predicted = self.finished + seconds

    def left(self, now: float) -> float:
        """Seconds, never less than nothing."""
        last = self.began if self.last is None else self.last
        trusted = TRUST * self.predicted
        pace = (last - self.began + trusted) / (self.finished + trusted) if self.predicted else 1.0
        spent, ahead = now - last, pace * max(0.0, self.predicted - self.finished)
        if self.inside:  # of the jobs ahead the present one is counted by its own share
            return max(0.0, spent * (1 - self.inside) / self.inside, ahead - spent)
        return max(ahead - spent, OVERRUN * spent)

    def share(self, now: float) -> float:
        """Of the study that is done, from 0 to 1."""
        spent = now - self.began
        self.furthest = max(self.furthest, spent / max(spent + self.left(now), 1e-9))
        return self.furthest
