"""Rules that need runs of their own: seeds on one split, random splits, out-of-bootstrap pairs (accuracy, two candidates).

They are run on the reference design and its alternative only. The product's rule is not among them: it uses the
cross-validation that all other rules of the audit use.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri, stdtrit
from scipy.stats import ttest_ind

from benchmarks.audit.simulate import Design, draw_data, fit, score

__all__ = ["EXTRA_RULES", "extra_row"]

SEEDS, PAIRS, SPLITS, TEST = 10, 50, 5, 0.2
EXTRA_RULES = (
    "5 seeds, one split, Welch t",
    "10 seeds, one split, Welch t",
    "mean ± sd, 5 seeds",
    "ASO < 0.5, 10 seeds",
    "ASO < 0.2, 10 seeds",
    "P(A>B) > 0.75, 50 pairs",
    "Nadeau-Bengio, 5 random splits",
)


def extra_row(design: Design, rng: np.random.Generator) -> list[int]:
    """+1, -1 or 0 for every rule of `EXTRA_RULES` on one simulated data set."""
    data = draw_data(design, rng)
    n = design.n
    split = rng.permutation(n) >= round(TEST * n)
    seeds = [_accuracy(design, rng, data, m, np.tile(split, (SEEDS, 1))) for m in (0, 1)]
    splits = np.stack([rng.permutation(n) >= round(TEST * n) for _ in range(SPLITS)])
    random = [_accuracy(design, rng, data, m, splits) for m in (0, 1)]
    counts = rng.multinomial(n, np.full(n, 1 / n), size=PAIRS)
    bags = [_accuracy(design, rng, data, m, counts > 0, counts) for m in (0, 1)]
    a, b = seeds
    epsilon = aso(a, b, rng), aso(b, a, rng)
    difference = random[0] - random[1]
    error = difference.std(ddof=1) * np.sqrt(1 / SPLITS + TEST / (1 - TEST))
    return [
        _welch(a[:5], b[:5]),
        _welch(a, b),
        _apart(a[:5], b[:5]),
        _dominates(epsilon, 0.5),
        _dominates(epsilon, 0.2),
        _probability(bags[0], bags[1], rng),
        int(np.sign(difference.mean())) * int(abs(difference.mean()) > stdtrit(SPLITS - 1, 0.975) * error),
    ]


def _accuracy(design, rng, data, candidate, train, counts=None) -> np.ndarray:
    """Accuracy outside of every row of `train` `(b, n)`."""
    x = data.features[candidate]
    fitted = fit(design, rng, x, data.target, train if counts is None else counts)
    right = score(fitted, x, slice(None)).argmax(axis=2) == data.target
    return np.where(train, 0, right).sum(axis=1) / (~train).sum(axis=1)


def _welch(a: np.ndarray, b: np.ndarray) -> int:
    if a.std() + b.std() == 0:
        return int(np.sign(a.mean() - b.mean()))
    return int(np.sign(a.mean() - b.mean())) * int(ttest_ind(a, b, equal_var=False).pvalue < 0.05)


def _apart(a: np.ndarray, b: np.ndarray) -> int:
    gap = a.mean() - b.mean()
    return int(np.sign(gap)) * int(abs(gap) > a.std(ddof=1) + b.std(ddof=1))


def aso(a: np.ndarray, b: np.ndarray, rng: np.random.Generator, *, level: float = 0.95, draws: int = 200) -> float:
    """Almost stochastic order: upper bound of how far a is from dominating b (0: dominates, 1: is dominated).

    References:
        Del Barrio et al. (2018); Dror, Shlomov & Reichart (2019), Deep dominance.
    """

    def violation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        gap = np.sort(first, axis=-1) - np.sort(second, axis=-1)
        total = np.square(gap).sum(axis=-1)
        return np.where(total > 0, np.square(np.minimum(gap, 0)).sum(axis=-1) / np.where(total > 0, total, 1), 0.5)

    n = len(a)
    value = violation(a, b)
    again = violation(rng.choice(a, (draws, n)), rng.choice(b, (draws, n)))
    spread = np.sqrt(n / 2) * (again - value).std()
    return float(min(1.0, value + spread / np.sqrt(n / 2) * ndtri(level)))


def _dominates(epsilon: tuple[float, float], threshold: float) -> int:
    return 1 if epsilon[0] < threshold else -1 if epsilon[1] < threshold else 0


def _probability(a: np.ndarray, b: np.ndarray, rng: np.random.Generator, gamma: float = 0.75) -> int:
    """Bouthillier et al. (2021): significant (interval above one half) and meaningful (interval reaches gamma)."""
    wins = (a > b) + 0.5 * (a == b)
    drawn = rng.choice(wins, (500, len(wins))).mean(axis=1)
    for sign, values in ((1, drawn), (-1, 1 - drawn)):
        low, high = np.quantile(values, [0.025, 0.975])
        if low > 0.5 and high > gamma:
            return sign
    return 0
