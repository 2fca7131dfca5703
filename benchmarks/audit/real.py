"""The audit on real features: small studies drawn from a pool of real pictures, the truth measured on the rest.

    python -m benchmarks.audit pools       once: features of solar cells (a package) and of flowers (WEIGH_TEST_DATA)
    python -m benchmarks.audit sealed

A study draws `n` examples without replacement and cross-validates two heads. The truth of this data set is the score
of the heads refitted on the n examples, measured on all others; the truth for new data sets is its mean over all
studies of the design. Heads: ridge on targets ±1 over standardised features, as probes do at a fixed strength.
Studies overlap by n / pool size in expectation, which is at most an eighth here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["REAL", "RealDesign", "find_pools", "load_pool", "make_pools", "real_study"]


@dataclass(frozen=True)
class RealDesign:
    """Two candidates on one pool.

    Attributes:
        pool: Name of the pool.
        models: Files of the two candidates' features, in the pool's alphabetical order.
        penalty: Ridge penalty of each candidate, times the number of features.
        n, folds, repeats, metric: Of the study.
        noisy: Exponential weights per example in every fit.
    """

    pool: str
    models: tuple[int, int] = (0, 1)
    penalty: tuple[float, float] = (0.1, 0.1)
    n: int = 200
    folds: int = 5
    repeats: int = 5
    metric: str = "accuracy"
    noisy: bool = False

    @property
    def null(self) -> bool:
        return False

    @property
    def gap(self) -> float:
        return 0.0

    @property
    def degenerate(self) -> float:
        return 0.0


REAL: dict[str, RealDesign] = {
    "cells-n100-5x5": RealDesign("cells", n=100),
    "cells-n200-5x1": RealDesign("cells", repeats=1),
    "cells-n300-10x2": RealDesign("cells", (1, 2), n=300, folds=10, repeats=2),
    "cells-n200-strengths": RealDesign("cells", (0, 0), (0.1, 0.01)),
    "cells-n200-noisy": RealDesign("cells", (0, 2), noisy=True),
    "cells-n200-auroc": RealDesign("cells", (0, 1), metric="auroc"),
    "cells-n300-f1": RealDesign("cells", (0, 1), n=300, repeats=2, metric="f1"),
    "flowers-n100-5x5": RealDesign("flowers", n=100),
    "flowers-n300-5x1": RealDesign("flowers", n=300, repeats=1),
    "flowers-n300-5x5": RealDesign("flowers", (1, 2), n=300),
    "flowers-n500-10x2": RealDesign("flowers", (0, 2), n=500, folds=10, repeats=2),
    "flowers-n200-strengths": RealDesign("flowers", (1, 1), (0.1, 0.001)),
    "flowers-n200-noisy": RealDesign("flowers", (0, 1), noisy=True, repeats=2),
    "flowers-n200-balanced": RealDesign("flowers", (0, 2), metric="balanced_accuracy"),
    # Never run before the published table
    "unseen-cells-n150-4x3": RealDesign("cells", (1, 2), (0.3, 0.03), n=150, folds=4, repeats=3),
    "unseen-cells-n250-auroc": RealDesign("cells", (0, 2), n=250, repeats=1, metric="auroc"),
    "unseen-flowers-n150-3x2": RealDesign("flowers", (1, 2), n=150, folds=3, repeats=2),
    "unseen-flowers-n400-noisy": RealDesign("flowers", (0, 1), (0.1, 0.01), n=400, repeats=1, noisy=True),
}


def make_pools(folder: Path) -> None:
    """Features of the demo's three models: solar cells, and flowers where WEIGH_TEST_DATA points to them."""
    from weigh.cli.main import main
    from weigh.data.pictures.demo import DEMO_MODELS, demo_root, demo_table

    models = ["--models", ",".join(DEMO_MODELS), "--offline"]
    if "cells" not in find_pools(folder):
        table = demo_table(folder / "table")
        main(["features", str(table), "--set", f"data.root={demo_root()}", "--output", str(folder / "cells"), *models])
    flowers = Path(os.environ.get("WEIGH_TEST_DATA", "")) / "images" / "flowers"
    if "flowers" not in find_pools(folder) and flowers.is_dir():
        main(["features", str(flowers), "--output", str(folder / "flowers"), *models])


def find_pools(folder: Path) -> dict[str, Path]:
    """The pools whose features are complete."""
    return {name: folder / name for name in ("cells", "flowers") if len(list((folder / name).glob("*.npz"))) == 3}


@dataclass(frozen=True)
class Pool:
    """Features `(models, n, columns)` in float32, standardised, and labels `(n,)`."""

    features: list[np.ndarray]
    target: np.ndarray


def load_pool(folder: Path, columns: int = 400) -> Pool:
    """Read every .npz of `folder`; features are turned by one random matrix to fewer columns, for speed."""
    features, target = [], None
    for file in sorted(folder.glob("*.npz")):
        stored = np.load(file)
        x = stored["features"].astype(np.float64)
        x = (x - x.mean(axis=0)) / x.std(axis=0).clip(1e-6)
        if x.shape[1] > columns:
            x = x @ np.random.default_rng(0).standard_normal((x.shape[1], columns)) / np.sqrt(x.shape[1])
        features.append(((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32))
        target = np.unique(stored["label"], return_inverse=True)[1]
    assert target is not None, f"no .npz file in {folder}"
    return Pool(features, target)


@dataclass(frozen=True)
class RealStudy:
    """As `simulate.Study`; the new examples are the rest of the pool, whose labels are certain (`chance` 0 or 1)."""

    logits: np.ndarray
    fold: np.ndarray
    target: np.ndarray
    fresh: np.ndarray
    chance: np.ndarray
    groups: None = None
    majority: int = 0
    gap: float = 0.0


def real_study(design: RealDesign, pool: Pool, rng: np.random.Generator) -> RealStudy:
    """Draw one study."""
    classes = int(pool.target.max()) + 1
    order = rng.permutation(len(pool.target))
    chosen, rest = order[: design.n], order[design.n :]
    target = pool.target[chosen]
    fold = np.empty((design.repeats, design.n), dtype=np.int64)
    for repeat in range(design.repeats):
        shuffled = rng.permutation(design.n)
        fold[repeat, shuffled[np.argsort(target[shuffled], kind="stable")]] = np.arange(design.n) % design.folds
    logits = np.empty((2, design.repeats, design.n, classes), dtype=np.float32)
    refits = 8 if design.noisy else 1
    fresh = np.empty((2, refits, len(rest), classes), dtype=np.float32)
    for m in (0, 1):
        x = pool.features[design.models[m]].astype(np.float64)
        penalty = design.penalty[m] * x.shape[1]
        inner, outer = x[chosen] @ x[chosen].T, x[rest] @ x[chosen].T
        for repeat in range(design.repeats):
            for k in range(design.folds):
                test = fold[repeat] == k
                train = np.flatnonzero(~test)
                weights = rng.standard_exponential(len(train)) if design.noisy else np.ones(len(train))
                logits[m, repeat, test] = _head(
                    inner[np.ix_(train, train)], inner[test][:, train], target[train], weights, penalty, classes
                )
        for r in range(refits):
            weights = rng.standard_exponential(design.n) if design.noisy else np.ones(design.n)
            fresh[m, r] = _head(inner, outer, target, weights, penalty, classes)
    return RealStudy(logits, fold, target, fresh, np.eye(classes)[pool.target[rest]])


def _head(kernel, new, target, weights, penalty, classes):
    """Kernel ridge with an intercept: `(len(new), classes)` scores."""
    weights = weights / weights.mean()
    signs = 2.0 * (target[:, None] == np.arange(classes)) - 1
    level = weights @ signs / weights.sum()
    dual = np.linalg.solve(kernel + np.diag(penalty / weights), signs - level)
    return new @ dual + level
