"""Which settings are tried next: Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), seeded, in memory.

Before it: `inner_choice.py`, which trains with them and tells the score. The defaults are the first trial, so a search can also end where it began.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from weigh.errors import MissingExtra
from weigh.language import text

__all__ = ["Search", "require_optuna"]

Settings = dict[str, float | int]
DIGITS = 6  # of a drawn value that are kept


def require_optuna() -> None:
    """Raise an error if the package is missing.

    Raises:
        MissingExtra: It is not installed.
    """
    if find_spec("optuna") is None:
        raise MissingExtra("optuna", text("the recipe tuned", "方案 tuned "), "search")


class Search:
    """A search around default settings: `ask` for some, train, `tell` their score."""

    def __init__(
        self, defaults: Mapping[str, float | int], factors: Mapping[str, float], *, trials: int,
        greater_is_better: bool, rng: np.random.Generator,
    ) -> None:  # fmt: skip
        """Args:
            defaults: Of the settings that are searched; whole numbers stay whole.
            factors: Setting -> it is drawn from its default divided by this to its default times this, evenly on a logarithmic scale.
            trials: How many are planned: half of them are drawn at random before the estimator has something to go by.
            rng: The only source of chance.

        Raises:
            MissingExtra: Optuna is not installed.
        """
        require_optuna()
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=int(rng.integers(2**31)), n_startup_trials=max(2, trials // 2))
        self._study = optuna.create_study(direction="maximize" if greater_is_better else "minimize", sampler=sampler)
        self._failed = optuna.trial.TrialState.FAIL
        self._defaults, self._space, self._trial = dict(defaults), {}, None
        for name, default in defaults.items():
            low, high = default / factors[name], default * factors[name]
            if isinstance(default, int):
                self._space[name] = optuna.distributions.IntDistribution(max(1, round(low)), round(high), log=True)
            else:
                self._space[name] = optuna.distributions.FloatDistribution(low, high, log=True)
        self._study.enqueue_trial(self._defaults)

    def ask(self) -> Settings:
        """The next settings to try; first the defaults."""
        self._trial = self._study.ask(self._space)
        if not self._trial.number:
            return dict(self._defaults)
        return {
            name: value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")
            for name, value in self._trial.params.items()
        }

    def tell(self, score: float) -> None:
        """The score of what was asked for last; NaN where it could not be trained."""
        assert self._trial is not None, "ask comes first"
        outcome: dict[str, Any] = {"state": self._failed} if np.isnan(score) else {"values": score}
        self._study.tell(self._trial, **outcome)
