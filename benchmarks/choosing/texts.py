"""How many text encoders must be looked at, and what is a published score worth? Replays of MTEB's results: `python -m benchmarks.choosing texts`.

Each replay takes ten encoders, one data set and one experiment of it. A policy sees the encoders' means on the *other* eleven data sets (the
published score, as somebody with new data finds it) and this experiment, and names one encoder; the truth is its mean over the other
experiments. Nothing is tuned here. Before it: `mteb.py`. 12 data sets x 10 experiments x `POOLS` pools of ten: two seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.choosing.mteb import TASKS, Encoders, read_encoders

__all__ = ["POLICIES", "Replay", "regrets", "text_tables"]

POOLS, POOL, SEED = 200, 10, 2026
EXAMPLES = (
    200  # of a test part that a user might have, whose luck is added to the experiments' scores, which are of thousands
)
SMALL = 130.0  # millions of parameters


class Replay(NamedTuple):
    """What the policies see of many pools of one data set; rows are pools, columns their encoders.

    Attributes:
        prior: Mean accuracy on the other data sets.
        probe: Mean accuracy in the experiments that were seen.
        noisy: The same with the luck of `EXAMPLES` test examples, drawn for each encoder by itself.
        truth: Mean accuracy in the other experiments.
        weight: Share of the probe in the posterior mean of empirical Bayes; `slope`: points of accuracy for a point of the prior. From the other data sets.
    """

    prior: np.ndarray
    probe: np.ndarray
    noisy: np.ndarray
    truth: np.ndarray
    weight: float
    slope: float


def _standard(values: np.ndarray) -> np.ndarray:
    """Within a pool."""
    return (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)


def _posterior(replay: Replay) -> np.ndarray:
    """Posterior mean: the probe, drawn towards what the published score foretells (up to a constant of the pool)."""
    foretold = replay.slope * (replay.prior - replay.prior.mean(axis=1, keepdims=True))
    seen = replay.probe - replay.probe.mean(axis=1, keepdims=True)
    return replay.weight * seen + (1 - replay.weight) * foretold


def _shortlist(count: int, values: str = "probe") -> Callable[[Replay], np.ndarray]:
    """The probe decides among the first `count` by the published score."""

    def scores(replay: Replay) -> np.ndarray:
        place = (-replay.prior).argsort(axis=1).argsort(axis=1)
        return np.where(place < count, getattr(replay, values), -np.inf)

    return scores


POLICIES: dict[str, tuple[int, Callable[[Replay], np.ndarray]]] = {  # networks passed over the data, and what is highest for the chosen one
    "published score alone": (0, lambda replay: replay.prior),
    "probe of the first 2 by it": (2, _shortlist(2)),
    "probe of the first 3 by it": (3, _shortlist(3)),
    "probe of the first 5 by it (as weigh's shortlist)": (5, _shortlist(5)),
    "probe of all": (POOL, lambda replay: replay.probe),
    "equal sum of both, standardised": (POOL, lambda replay: _standard(replay.prior) + _standard(replay.probe)),
    "empirical Bayes of both": (POOL, _posterior),
    f"probe of the first 5, scored on {EXAMPLES} texts": (5, _shortlist(5, "noisy")),
    f"probe of all, scored on {EXAMPLES} texts": (POOL, lambda replay: replay.noisy),
    "at random": (0, lambda replay: np.random.default_rng(SEED).random(replay.prior.shape)),
}  # fmt: skip


def _from_other_tasks(accuracy: np.ndarray, task: int, draws: int) -> tuple[float, float]:
    """Weight of the probe and slope of the prior, by how published scores and experiments do on the other data sets."""
    others = [u for u in range(accuracy.shape[1]) if u != task]
    means = accuracy.mean(axis=2)
    x, y, luck = [], [], []
    for u in others:
        prior = means[:, [v for v in others if v != u]].mean(axis=1)
        x.append(prior - prior.mean())
        y.append(means[:, u] - means[:, u].mean())
        alone = accuracy[:, u] - means[:, u, None]
        luck.append((alone - alone.mean(axis=0)).var() * accuracy.shape[2] / (accuracy.shape[2] - 1))
    slope = float((np.ravel(x) @ np.ravel(y)) / (np.ravel(x) @ np.ravel(x)))
    apart = float((np.ravel(y) - slope * np.ravel(x)).var())
    return apart / (apart + float(np.mean(luck)) / draws), slope


def regrets(encoders: Encoders, *, draws: int, most: float = np.inf) -> dict[str, np.ndarray]:
    """Policy -> `(tasks,)` mean regret on each data set, in points.

    Args:
        draws: Experiments that a policy sees.
        most: Millions of parameters; models whose size is not stated are then left out.
    """
    small = np.ones(len(encoders.names), bool) if np.isinf(most) else encoders.parameters <= most
    accuracy = encoders.accuracy[small]
    rng = np.random.default_rng([SEED, draws])
    total: dict[str, list[float]] = {name: [] for name in POLICIES}
    for task in range(len(TASKS)):
        others = [u for u in range(len(TASKS)) if u != task]
        prior = accuracy[:, others].mean(axis=(1, 2))
        weight, slope = _from_other_tasks(accuracy, task, draws)
        lost: dict[str, list[float]] = {name: [] for name in POLICIES}
        for first in range(accuracy.shape[2]):
            seen = [(first + k) % accuracy.shape[2] for k in range(draws)]
            rest = [k for k in range(accuracy.shape[2]) if k not in seen]
            pools = rng.permuted(np.tile(np.arange(len(accuracy)), (POOLS, 1)), axis=1)[:, :POOL]
            probe, truth = (
                accuracy[:, task][:, seen].mean(axis=1)[pools],
                accuracy[:, task][:, rest].mean(axis=1)[pools],
            )
            luck = np.sqrt(probe * (1 - probe) / EXAMPLES) * rng.standard_normal(probe.shape)
            replay = Replay(prior[pools], probe, probe + luck, truth, weight, slope)
            for name, (_, policy) in POLICIES.items():
                chosen = np.take_along_axis(truth, policy(replay).argmax(axis=1)[:, None], axis=1)[:, 0]
                lost[name].append(float((truth.max(axis=1) - chosen).mean()))
        for name, values in lost.items():
            total[name].append(100 * float(np.mean(values)))
    return {name: np.array(values) for name, values in total.items()}


def text_tables() -> str:
    """The table of docs/benchmarks/choosing.md."""
    encoders = read_encoders()
    known = int((encoders.parameters <= SMALL).sum())
    columns = [
        (f"{title}, {draws} experiment{'s' if draws > 1 else ''}", regrets(encoders, draws=draws, most=most))
        for title, most in ((f"all {len(encoders.names)}", np.inf), (f"{known} of up to {SMALL:.0f} M", SMALL))
        for draws in (1, 3)
    ]
    lines = [
        f"{len(encoders.names)} encoders, {len(TASKS)} data sets, 10 experiments, {POOLS} pools of {POOL} each; results as of {encoders.date}. "
        "Mean regret in points ± its standard error over data sets; in brackets the worst data set.\n",
        "| policy | networks passed | " + " | ".join(title for title, _ in columns) + " |",
        "|---|---|" + "---|" * len(columns),
    ]
    for name, (passed, _) in POLICIES.items():
        cells = [
            f"{r[name].mean():.2f} ± {r[name].std(ddof=1) / np.sqrt(len(TASKS)):.2f} ({r[name].max():.2f})"
            for _, r in columns
        ]
        lines.append(f"| {name} | {passed} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
