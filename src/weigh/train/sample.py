"""A few training examples about which a refit answers while its network is in memory, so that the saved model can be asked the same.

Before it: the recipes, which keep a `run.Sample` where a run's weights are kept. After it: `saved/check.py`. No test example is among them: a
look at those is counted.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from weigh.run import Run, Sample, Setting

__all__ = ["sample_of"]

MOST, LEAST = 8, 2  # examples
SECONDS = 2.0  # that their forward passes may take, as far as the least number allows


def sample_of(
    run: Run, setting: Setting, seconds_per_example: float, answer: Callable[[np.ndarray], np.ndarray]
) -> Sample | None:
    """Some training examples of the run, evenly from the first to the last, with their answers; None where no weights are kept.

    Args:
        setting: In which the answers are computed.
        seconds_per_example: Of a forward pass.
        answer: `(indices) -> (m, k)` what is recorded of these examples.
    """
    if not run.keep_weights:
        return None
    wanted = int(np.clip(SECONDS / max(seconds_per_example, 1e-9), LEAST, MOST))
    rows = run.train[np.unique(np.linspace(0, len(run.train) - 1, wanted).round().astype(np.int64))]
    exact = setting.device == "cpu" and setting.precision in ("fp32", "fp64")
    return Sample(rows, answer(rows), exact)
