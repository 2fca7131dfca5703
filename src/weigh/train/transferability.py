"""How well frozen features suit a task, by scores that train no head: LogME, H-score and the nearest neighbours.

They are columns beside the ranking and decide nothing (their regret: docs/benchmarks/choosing.md). Each is comparable between models on the same data only; which value is good, none of them says.
Before it: `features.py`. After it: `probe.py` keeps them with a run, `weigh rank` shows them.
"""

from __future__ import annotations

import numpy as np

__all__ = ["h_score", "log_evidence", "nearest_neighbours", "transferability"]

NEIGHBOURS = 5
MOST_ROWS = (
    1000  # examples that are looked at, some two seconds: singular values of more would take longer than the heads
)
AT_A_TIME = 1024  # rows whose similarities are computed at a time
RANK = 1e-7  # of the largest singular value; what is smaller is rounding
# Of the targets' sum of squares: at least so much is left over, where features explain the targets exactly
EXPLAINED = 1e-9
STEPS, HALVINGS = 121, 30  # of the search for the prior's strength


def transferability(features: np.ndarray, target: np.ndarray, group: np.ndarray | None = None) -> dict[str, float]:
    """All scores that need features and labels alone: "logme", "h_score", "knn"; empty with fewer than two classes.

    Args:
        features: `(n, width)`, raw.
        target: `(n,)` class numbers.
        group: `(n,)`: examples of one group are not each other's neighbours.
    """
    step = -(-len(target) // MOST_ROWS)
    rows = np.argsort(target, kind="stable")[::step]  # of every class its share
    features, target = features[rows], target[rows]
    if len(np.unique(target)) < 2:
        return {}
    return {
        "logme": log_evidence(features, target),
        "h_score": h_score(features, target),
        "knn": nearest_neighbours(features, target, group=None if group is None else group[rows]),
    }


def log_evidence(features: np.ndarray, target: np.ndarray) -> float:
    """LogME: the log evidence per example of linear models of the classes, mean over classes; greater is better.

    Each class is a target of zeros and ones, answered by a Bayesian linear regression without intercept whose noise and
    whose prior's strength maximise the evidence. The authors iterate to that maximum; here it is searched along the one
    parameter that remains, the ratio of both, so it cannot stop elsewhere. Turning or scaling the features changes nothing.

    Args:
        features: `(n, width)`.
        target: `(n,)` class numbers; classes that do not occur do not count.

    References:
        You, Liu, Wang & Long (2021), LogME: Practical assessment of pre-trained models for transfer learning, ICML.
    """
    x = np.asarray(features, np.float64)
    y = (target[:, None] == np.unique(target)).astype(np.float64)
    left, values, _ = np.linalg.svd(x, full_matrices=False)
    kept = values > RANK * values.max(initial=0.0)
    n, square = len(x), np.square(y).sum(axis=0)
    if not kept.any():
        return float(np.mean(-n / 2 * (np.log(2 * np.pi * square / n) + 1)) / n)
    power = np.square(values[kept] / values[kept].max())  # (rank,): a scale of the features changes nothing
    inside = np.square(left[:, kept].T @ y)  # (rank, classes)
    outside = np.maximum(square - inside.sum(axis=0), EXPLAINED * square)

    def evidence(ratio: np.ndarray) -> np.ndarray:
        """`(classes,)` at one log ratio of prior precision to noise precision a class."""
        r = np.exp(ratio)
        loss = (inside * (r / (power[:, None] + r))).sum(axis=0) + outside
        volume = (ratio - np.log(power[:, None] + r)).sum(axis=0) / 2
        return volume - n / 2 * (np.log(2 * np.pi * loss / n) + 1)

    grid = np.linspace(-35.0, 15.0, STEPS)
    classes = y.shape[1]
    best = grid[np.argmax([evidence(np.full(classes, at)) for at in grid], axis=0)]
    width = np.full(classes, grid[1] - grid[0])
    for _ in range(HALVINGS):
        width = width / 2
        tried = np.stack([best - width, best, best + width])
        best = tried[np.argmax([evidence(some) for some in tried], axis=0), np.arange(classes)]
    return float(np.mean(evidence(best)) / n)


def h_score(features: np.ndarray, target: np.ndarray) -> float:
    """The part of the features' variance that lies between classes, with a covariance shrunk as Ledoit and Wolf do; greater is better.

    Not shrunk, it would be (classes - 1) for any features that are more than the examples. Turning, scaling or shifting the
    features changes nothing. 0 for constant features.

    Args:
        features: `(n, width)`.
        target: `(n,)` class numbers.

    References:
        Bao et al. (2019), An information-theoretic approach to transferability in task transfer learning, ICIP;
        Ibrahim, Ponomareva & Mazumder (2022), Newer is not always better, ECML PKDD: the shrinkage;
        Ledoit & Wolf (2004), A well-conditioned estimator for large-dimensional covariance matrices.
    """
    x = np.asarray(features, np.float64)
    x = x - x.mean(axis=0)
    n, width = x.shape
    left, values, _ = np.linalg.svd(x, full_matrices=False)
    kept = values > RANK * values.max(initial=0.0)
    variance = np.square(values[kept]) / n
    usual = variance.sum() / width
    if usual <= 0:
        return 0.0
    squares = np.square(variance).sum()
    distance = squares - width * usual**2
    noise = (np.square(np.square(x).sum(axis=1)).sum() / n - squares) / n
    shrinkage = float(np.clip(noise / distance, 0.0, 1.0)) if distance > 0 else 1.0
    classes = target[:, None] == np.unique(target)
    counts = classes.sum(axis=0)
    # (classes, rank): all means lie where the examples do
    means = (classes / counts).T @ (left[:, kept] * values[kept])
    between = (counts[:, None] / n * np.square(means)).sum(axis=0)
    return float((1 - shrinkage) * (between / ((1 - shrinkage) * variance + shrinkage * usual)).sum())


def nearest_neighbours(
    features: np.ndarray, target: np.ndarray, *, neighbours: int = NEIGHBOURS, group: np.ndarray | None = None
) -> float:
    """Share of examples whose nearest others (by cosine) have mostly its label; of a tie, the classes share.

    Args:
        features: `(n, width)`.
        target: `(n,)` class numbers.
        neighbours: How many vote; fewer where there are not so many.
        group: `(n,)`: examples of one group do not vote on each other.
    """
    classes, label = np.unique(target, return_inverse=True)
    own = np.arange(len(label)) if group is None else np.unique(group, return_inverse=True)[1]
    x = np.asarray(features, np.float64)
    length = np.linalg.norm(x, axis=1, keepdims=True)
    x = np.divide(x, length, out=np.zeros_like(x), where=length > 0)
    votes, right = min(neighbours, len(x) - 1), 0.0
    if votes < 1:
        return 0.0
    for start in range(0, len(x), AT_A_TIME):
        rows = slice(start, start + AT_A_TIME)
        near = x[rows] @ x.T
        near[own[rows, None] == own] = -np.inf
        nearest = np.argsort(-near, axis=1, kind="stable")[:, :votes]
        counted = np.isfinite(np.take_along_axis(near, nearest, axis=1))
        count = (np.eye(len(classes))[label[nearest]] * counted[..., None]).sum(axis=1)
        winners = (count == count.max(axis=1, keepdims=True)) & (count > 0)
        mine = winners[np.arange(len(winners)), label[rows]]
        right += float((mine / np.maximum(winners.sum(axis=1), 1)).sum())
    return right / len(x)
