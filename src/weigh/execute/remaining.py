"""How long a study still takes: by the forecasts of its jobs, by how they turned out so far, and by the clock.

Before it: `forecast.py`. After it: the bar of `screen.py`, which moves with the clock and not only when a job ends, for a study may
have two jobs of half an hour each.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Remaining"]

# This share of the whole forecast is added to what was forecast and to what was measured, so that the first jobs do not decide the pace alone.
TRUST = 0.15
OVERRUN = 0.1  # a job that takes longer than predicted is assumed to need this share of its time so far in addition


@dataclass
class Remaining:
    """Seconds that are left.

    Attributes:
        predicted: Of the whole study.
        began: When it began; all times are of one clock.
        finished: Predicted seconds of the jobs that are done.
        last: When the last job ended.
        inside: Share of the present job that is done; None where only the clock tells.
        phase: What the present job does (features, heads …), when that began, and how much of it was done by then.
        phase_ends: When it ends at its own pace; None where that is not known yet.
        furthest: The greatest share of the study that was shown: a bar does not go back.
    """

    predicted: float
    began: float
    finished: float = 0.0
    last: float | None = None
    inside: float | None = None
    phase: tuple[str, float, int] = ("", 0.0, 0)
    phase_ends: float | None = None
    furthest: float = 0.0

    def job_done(self, predicted: float, now: float) -> None:
        """A job that was predicted to take so long has ended."""
        self.finished, self.last, self.inside = self.finished + predicted, now, None
        self.phase, self.phase_ends = ("", 0.0, 0), None

    def job_at(self, what: str, done: int, total: int, now: float) -> None:
        """So much of a phase of the present job is done."""
        name, began, first = self.phase
        if what != name or done < first:
            self.phase = name, began, first = what, now, done
        self.phase_ends = now + (now - began) * (total - done) / (done - first) if done > first else None

    def ahead(self, seconds: float) -> None:
        """So much is predicted from now on: the plan has become another one."""
        self.predicted = self.finished + seconds

    def left(self, now: float) -> float:
        """Seconds that are left: at least 0, and at least what the present phase of the present job still takes."""
        return max(self._left(now), 0.0 if self.phase_ends is None else self.phase_ends - now)

    def _left(self, now: float) -> float:
        last = self.began if self.last is None else self.last
        trusted = TRUST * self.predicted
        pace = (last - self.began + trusted) / (self.finished + trusted) if self.predicted else 1.0
        spent, ahead = now - last, pace * max(0.0, self.predicted - self.finished)
        if self.inside:  # of the jobs ahead the present one is counted by its own share
            return max(0.0, spent * (1 - self.inside) / self.inside, ahead - spent)
        return max(ahead - spent, OVERRUN * spent)

    def share(self, now: float) -> float:
        """How much of the study is done, from 0 to 1."""
        spent = now - self.began
        self.furthest = max(self.furthest, spent / max(spent + self.left(now), 1e-9))
        return self.furthest
