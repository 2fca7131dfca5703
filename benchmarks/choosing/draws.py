"""One replay: half A of a data set, on which is chosen, and half B, which says what the choice is worth.

The head is ridge on one target a class, its strength chosen by leaving one out, over features standardised with half A: it costs a fiftieth of
the probe's logistic head, and whole tables of replays become possible. Policies are charged the seconds of weigh's own head, read once.
Before it: `features.py`. After it: `policies.py`.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.choosing.features import Pool

__all__ = ["FOLDS", "REPEATS", "Draw", "head_seconds", "new_draw"]

FOLDS, REPEATS = 5, 5
STRENGTHS = np.geomspace(1e-3, 10, 9)  # times the mean eigenvalue and the examples
LEAST_SPREAD = 0.1  # of the mean over columns
LARGEST = 300  # examples of half A


@dataclass
class Draw:
    """One replay.

    Attributes:
        pool: The data set.
        a: `(n,)` rows of half A, in random order: a policy that looks at few sees the first.
        b: `(m,)` rows of half B.
        heads: Candidate -> seconds of weigh's head on all of A, and of what it needs once.
        seed: For folds.
        kept: What was computed before.
    """

    pool: Pool
    a: np.ndarray
    b: np.ndarray
    heads: dict[str, tuple[float, float]]
    seed: int
    kept: dict = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return list(self.pool.features)

    @property
    def label(self) -> np.ndarray:
        """`(n,)` of half A."""
        return self.pool.target[self.a]

    def folds(self, many: int) -> np.ndarray:
        """`(REPEATS, many)` fold of each of the first examples, classes spread evenly; the same for all candidates."""
        key = ("folds", many)
        if key not in self.kept:
            rng, label = np.random.default_rng([self.seed, many]), self.label[:many]
            drawn = np.empty((REPEATS, many), np.int16)
            for repeat in range(REPEATS):
                order = rng.permutation(many)
                order = order[np.argsort(label[order], kind="stable")]
                drawn[repeat, order] = (np.arange(many) + rng.integers(FOLDS)) % FOLDS
            self.kept[key] = drawn
        return self.kept[key]

    def logits(self, name: str, many: int, repeats: int = REPEATS) -> np.ndarray:
        """`(repeats, many, classes)` out-of-fold answers on the first `many` of half A."""
        key = (name, many)
        have = self.kept.get(key)
        if have is None or len(have) < repeats:
            gram, targets = self._gram(name, many), self._targets(many)
            rows = [] if have is None else list(have)
            for fold in self.folds(many)[len(rows) : repeats]:
                answers = np.zeros((many, targets.shape[1]))
                for k in range(FOLDS):
                    inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
                    if len(outside):
                        answers[outside] = _ridge(gram, targets, inside, outside)
                rows.append(answers)
            self.kept[key] = have = np.array(rows)
        return have[:repeats]

    def score(self, name: str, many: int, repeats: int = REPEATS) -> float:
        """Accuracy out of fold."""
        return float((self.logits(name, many, repeats).argmax(axis=-1) == self.label[:many]).mean())

    def truth(self, name: str) -> float:
        """Accuracy on half B of the head that saw all of A."""
        key = (name, "truth")
        if key not in self.kept:
            x = self.pool.features[name]
            mean, spread = _statistics(x[self.a])
            every = (x[np.concatenate([self.a, self.b])] - mean) / spread
            n = len(self.a)
            targets = np.eye(self.pool.target.max() + 1)[self.pool.target[np.concatenate([self.a, self.b])]]
            gram = every @ every[:n].T / every.shape[1]
            full = np.zeros((len(every), len(every)), np.float64)
            full[:, :n] = gram
            answers = _ridge(full, targets, np.arange(n), np.arange(n, len(every)))
            self.kept[key] = float((answers.argmax(axis=1) == self.pool.target[self.b]).mean())
        return self.kept[key]

    def features_cost(self, name: str, many: int) -> float:
        return many * self.pool.seconds[name]

    def heads_cost(self, name: str, many: int, fits: int) -> float:
        """Of so many heads on the first `many` of half A."""
        each, once = self.heads[name]
        return (once + fits * each) * many / len(self.a)

    def full_cost(self) -> float:
        """Repeated cross-validation of every candidate on all of half A."""
        n = len(self.a)
        return sum(self.features_cost(name, n) + self.heads_cost(name, n, FOLDS * REPEATS) for name in self.names)

    def _targets(self, many: int) -> np.ndarray:
        return np.eye(self.pool.target.max() + 1)[self.label[:many]]

    def _gram(self, name: str, many: int) -> np.ndarray:
        x = self.pool.features[name][self.a[:many]]
        mean, spread = _statistics(x)
        x = (x - mean) / spread
        return (x @ x.T / x.shape[1]).astype(np.float64)


def _statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of each column; what hardly moves is not blown up, for it may move in other pictures."""
    spread = x.std(axis=0)
    return x.mean(axis=0), np.maximum(spread, LEAST_SPREAD * max(float(spread.mean()), 1e-6))


def _ridge(gram: np.ndarray, targets: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """`(outside, classes)` answers of a head that saw `inside`."""
    own = gram[np.ix_(inside, inside)]
    column = own.mean(axis=0)
    centred = own - column - column[:, None] + own.mean()
    offset = targets[inside].mean(axis=0)
    values, vectors = np.linalg.eigh(centred)
    values = np.maximum(values, 0.0)
    turned = vectors.T @ (targets[inside] - offset)
    losses, n = [], len(inside)
    strengths = STRENGTHS * max(float(values.mean()), 1e-12)
    for strength in strengths:
        share = values / (values + strength)
        left = targets[inside] - offset - vectors @ (share[:, None] * turned)
        alone = 1 - (np.square(vectors) @ share) - 1 / n
        losses.append(np.square(left / np.maximum(alone, 1e-3)[:, None]).sum())
    strength = strengths[int(np.argmin(losses))]
    dual = vectors @ (turned / (values + strength)[:, None])
    cross = gram[np.ix_(outside, inside)]
    cross = cross - cross.mean(axis=1, keepdims=True) - column + own.mean()
    return cross @ dual + offset


def new_draw(pool: Pool, heads: dict[str, tuple[float, float]], seed: int) -> Draw:
    """Halves drawn with this seed."""
    order = np.random.default_rng(seed).permutation(len(pool.target))
    n = min(LARGEST, len(order) // 2)
    return Draw(pool, order[:n], order[n:], heads, seed)


def head_seconds(folder: Path, name: str, pool: Pool) -> dict[str, tuple[float, float]]:
    """Processor seconds of weigh's head (strength chosen inside) on half of this data set, and of its basis; read once and kept."""
    path = folder / f"heads.{name.replace(' ', '-').replace(',', '')}.json"
    if not path.exists():
        import torch

        from weigh.kinds.label import LABEL
        from weigh.train.logistic import eigenbasis
        from weigh.train.probe import fit_head
        from weigh.train.recipe_defaults import STRENGTHS as PROBE
        from weigh.train.rows import Rows

        torch.set_num_threads(1)
        draw, read = new_draw(pool, {}, 0), {}
        for candidate, x in pool.features.items():
            x = np.ascontiguousarray(x[draw.a], np.float32)
            started = time.process_time()
            basis = eigenbasis(Rows.standardise(x))
            once = time.process_time() - started
            rows = np.arange(len(x) * (FOLDS - 1) // FOLDS)
            rng = np.random.default_rng(0)
            started = time.process_time()
            fit_head(x, draw.label[rows], PROBE, int(pool.target.max()) + 1, basis, kind=LABEL, rng=rng, rows=rows)
            read[candidate] = (time.process_time() - started, once)
        path.write_text(json.dumps(read))
    return {candidate: (each, once) for candidate, (each, once) in json.loads(path.read_text()).items()}
