"""Which metadata columns a report breaks scores down by.

`Examples.slices` keeps every column that sorts examples into kinds, so that `design.group_by` can name any of them (a
patient, a module). Only those with few values are worth a table of scores.
"""

from __future__ import annotations

import numpy as np

from weigh.data.examples import Examples

__all__ = ["MOST_VALUES", "slices_to_report"]

MOST_VALUES = 20  # more rows than this are not read by anybody, and each would rest on few examples


def slices_to_report(examples: Examples, names: list[str] | None = None) -> list[str]:
    """Names of the columns to report scores by: those asked for (`data.slices`), else those with 2 to 20 values."""
    if names is not None:
        return [name for name in names if name in examples.slices]
    return [name for name, column in examples.slices.items() if 2 <= len(np.unique(column)) <= MOST_VALUES]
