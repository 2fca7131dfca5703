"""Does the learning curve know what twice the data bring? Small studies drawn from a large pool of real pictures.

    weigh features POOL --models timm:tf_efficientnet_lite0 --output pool          # once: pool/MODEL.npz
    python -m benchmarks.curve draw pool/MODEL.npz --name cells --examples 300 --draws 200 --to draws/
    python -m benchmarks.curve read draws/

A draw: N examples of the pool are the study (5 folds x 2 repeats, a head per fold on all of its training folds and on
nested eighths, quarters and halves of them); N more are the data that arrive later. The truth now is the mean score of the
study's own heads on the rest of the pool; the truth later that of five heads on random four fifths of both. The rest of the pool is finite as well: what that makes of the true gain (`noise`) is
allowed for where the gain's interval is judged. Features
are standardised over the pool and turned by one random matrix to fewer columns, for speed. `draw` goes on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from tests.arrays import kind_of, strata_of
from weigh.data.folds import assign_folds
from weigh.kinds.base import Prediction
from weigh.kinds.label import LABEL, decide_class
from weigh.metrics.base import METRICS
from weigh.metrics.design import measure_design
from weigh.plan.purposes import PARTS, SHARES
from weigh.record.results import OutOfFold
from weigh.seeds import generator
from weigh.stats.curve import learning_curve
from weigh.stats.resampling import Resampler, draw_weights, make_units

__all__ = ["draw", "read"]

FOLDS, REPEATS, LATER, COLUMNS, NOISE_DRAWS = 5, 2, 5, 256, 40
NAMES = ("accuracy", "balanced_accuracy", "auroc")
SIZES = ("size:0.125", "size:0.25", "size:0.5", "")


def draw(features: Path, name: str, examples: int, draws: int, to: Path) -> None:
    """Make the draws that are missing: one small .npz each."""
    import torch

    from weigh.train.logistic import eigenbasis
    from weigh.train.probe import fit_head
    from weigh.train.recipe_defaults import STRENGTHS
    from weigh.train.rows import Rows

    torch.set_num_threads(1)
    stored = np.load(features)
    x, target = stored["features"].astype(np.float64), np.unique(stored["label"], return_inverse=True)[1]
    x = (x - x.mean(axis=0)) / x.std(axis=0).clip(1e-6)
    turn = generator("curve", "columns").standard_normal((x.shape[1], COLUMNS)) / np.sqrt(x.shape[1])
    x = (x @ turn).astype(np.float32)
    basis, classes = eigenbasis(Rows.standardise(x)), int(target.max()) + 1

    def head(rows: np.ndarray, rng: np.random.Generator):
        return fit_head(x[rows], target[rows], STRENGTHS, classes, basis, kind=kind_of(target[rows]), rng=rng)

    def on_rest(heads: list, rest: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """`(metrics, 1 + b)` mean score of the heads: as it is, and with other examples in the rest."""
        scores = []
        for one in heads:
            p = LABEL.probabilities(one.logits(x[rest]))
            measured = [(METRICS.get(m), Prediction(p, decide_class(p))) for m in NAMES]
            scores.append([m.reduce(m.measure(found, target[rest]), weights) for m, found in measured])
        return np.mean(scores, axis=0)

    to.mkdir(parents=True, exist_ok=True)
    for number in range(draws):
        path = to / f"{name}-{examples}-{number:04d}.npz"
        if path.exists():
            continue
        rng = generator("curve", name, examples, number)
        order = rng.permutation(len(target))
        now, later, rest = order[:examples], order[examples : 2 * examples], order[2 * examples :]
        logits = np.full((len(SIZES), REPEATS, examples, classes), np.nan, np.float32)
        fold, trained, heads = np.zeros((REPEATS, examples), np.int16), np.zeros(len(SIZES)), []
        for repeat in range(REPEATS):
            fold[repeat] = assign_folds(strata_of(target[now]), folds=FOLDS, rng=rng)
            for k in range(FOLDS):
                inside = fold[repeat] == k
                train = now[~inside]
                part = assign_folds(strata_of(target[train]), folds=PARTS, rng=rng)
                for i, variant in enumerate(SIZES):
                    rows = train[part < SHARES.get(variant, PARTS)]
                    one = head(rows, rng)
                    logits[i, repeat, inside] = one.logits(x[now[inside]])
                    trained[i] += len(rows) / (FOLDS * REPEATS)
                    heads += [] if variant else [one]
        both = np.concatenate([now, later])
        grown = [head(rng.permutation(both)[: len(both) * (FOLDS - 1) // FOLDS], rng) for _ in range(LATER)]
        weights = np.concatenate([np.ones((1, len(rest))), rng.standard_exponential((NOISE_DRAWS, len(rest)))])
        truth, later_truth = on_rest(heads, rest, weights), on_rest(grown, rest, weights)
        np.savez_compressed(
            path, logits=logits, fold=fold, trained=trained, target=target[now],
            truth=truth[:, 0], truth_later=later_truth[:, 0], noise=(later_truth - truth)[:, 1:].std(axis=1),
        )  # fmt: skip


def read(folder: Path, *, sizes: tuple[int, ...] = (0, 1, 2, 3), level: float = 0.95) -> list[dict]:
    """One row per design and metric: coverage and width of the prediction and of the gain, interval scores.

    Args:
        sizes: Which of the training sizes to use (the last one is the present).

    The interval score (Gneiting & Raftery 2007) is the width plus 2 / (1 - level) times what is missed; lower is better.
    "No change" is the interval of the present score, as if twice the data changed nothing; for the gain it is 0.
    """
    found: dict[tuple, list] = {}
    for path in sorted(folder.glob("*.npz")):
        design, stored = path.stem.rpartition("-")[0], np.load(path)
        target = stored["target"]
        units = make_units(kind_of(target), target)
        resampler = Resampler(draw_weights(generator("curve", "read"), units, 400), units)
        for m, name in enumerate(NAMES):
            resamples = []
            for i in sizes:
                logits = stored["logits"][i]
                of = OutOfFold(
                    np.arange(len(target)), logits, stored["fold"], target, np.zeros_like(logits), kind=kind_of(target)
                )
                resamples.append(resampler.of(f"{name}-{i}", measure_design(METRICS.get(name), of)))
            curve = learning_curve(stored["trained"][list(sizes)], resamples, units, claim="this_data", level=level)
            if curve is None or curve.gain.low is None:
                found.setdefault((design, name), []).append(None)
                continue
            now, later = float(stored["truth"][m]), float(stored["truth_later"][m])
            off = later - now - curve.gain.value
            side = curve.gain.high - curve.gain.value if off > 0 else curve.gain.value - curve.gain.low
            found.setdefault((design, name), []).append(
                {
                    "predicted": curve.predicted.covers(later),
                    "gain": curve.gain.covers(later - now),
                    "gain_allowing": abs(off) <= np.hypot(side, 1.96 * float(stored["noise"][m])),
                    "score_gain": _interval_score(curve.gain.low, curve.gain.high, later - now, level),
                    "score_gain_no_change": _interval_score(0.0, 0.0, later - now, level),
                    "noise": float(stored["noise"][m]),
                    "present": curve.present.covers(now),
                    "width": curve.predicted.high - curve.predicted.low,
                    "width_gain": curve.gain.high - curve.gain.low,
                    "score": _interval_score(curve.predicted.low, curve.predicted.high, later, level),
                    "score_no_change": _interval_score(curve.present.low, curve.present.high, later, level),
                    "bias": curve.gain.value - (later - now),
                    "true_gain": later - now,
                    "claims": curve.gain.low > 0.01 or curve.gain.high < 0.01,
                    "wrong": (curve.gain.low > 0.01 >= later - now) or (curve.gain.high < 0.01 <= later - now),
                }
            )
    rows = []
    for (design, name), values in found.items():
        known = [v for v in values if v is not None]
        mean = {key: 100 * float(np.mean([v[key] for v in known])) for key in known[0]}
        rows.append({"design": design, "metric": name, "draws": len(values), "none": len(values) - len(known), **mean})
    return rows


def _interval_score(low: float, high: float, truth: float, level: float) -> float:
    return high - low + 2 / (1 - level) * (max(low - truth, 0.0) + max(truth - high, 0.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("draw")
    make.add_argument("features", type=Path)
    make.add_argument("--name", required=True)
    make.add_argument("--examples", type=int, default=300)
    make.add_argument("--draws", type=int, default=200)
    make.add_argument("--to", type=Path, required=True)
    show = commands.add_parser("read")
    show.add_argument("folder", type=Path)
    show.add_argument("--sizes", default="0,1,2,3")
    given = parser.parse_args()
    if given.command == "draw":
        draw(given.features, given.name, given.examples, given.draws, given.to)
        return
    rows = read(given.folder, sizes=tuple(int(i) for i in given.sizes.split(",")))
    keys = list(rows[0])
    print("| " + " | ".join(keys) + " |\n|" + "---|" * len(keys))
    for row in rows:
        print("| " + " | ".join(f"{v:.1f}" if isinstance(v, float) else str(v) for v in row.values()) + " |")


if __name__ == "__main__":
    main()
