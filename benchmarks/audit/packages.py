"""Rules as other packages implement them, called through their own doors: baycomp and autorank (accuracy, fold scores).

They are slow and optional: `pip install baycomp autorank` before `python -m benchmarks.audit packages`.
"""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np

from benchmarks.audit.rules import measure
from benchmarks.audit.simulate import Design, simulate

__all__ = ["PACKAGE_RULES", "package_row"]

PACKAGE_RULES = ("baycomp 1.0 (± 1 point, 95 %)", "autorank 1.3")


def package_row(design: Design, rng: np.random.Generator) -> list[int]:
    """+1, -1 or 0 for every rule of `PACKAGE_RULES` on one simulated study."""
    import baycomp
    import pandas
    from autorank import autorank

    measured = measure(design, simulate(design, rng, truth=False))
    one, two = (measured[name].score().fold.ravel() for name in ("m0", "m1"))
    first, _, second = baycomp.two_on_single(one, two, rope=0.01, runs=design.repeats)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        ranked = autorank(pandas.DataFrame({"m0": one, "m1": two}), alpha=0.05)
    leads = int(np.sign(one.mean() - two.mean()))
    return [1 if first > 0.95 else -1 if second > 0.95 else 0, leads * int(ranked.pvalue < 0.05)]
