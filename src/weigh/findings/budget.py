"""A longer budget for a study that was short of time, as a command takes it.

Before it: `design.budget`. After it: every finding that proposes to give a study more time.
"""

from __future__ import annotations

import math

from weigh.spec_yaml import parse_duration

__all__ = ["longer_budget"]

LONG = 10  # hours: proposed where the study had less


def longer_budget(written: str | None) -> str:
    """ "10h"; where the study had as much already, twice what it had.

    Args:
        written: `design.budget`.
    """
    hours = 0.0 if written is None else parse_duration(written) / 3600
    return f"{LONG if hours < LONG else math.ceil(2 * hours)}h"
