"""Many draws of the halves of every data set: what each policy chose, what that cost, and what weigh said of it.

Before it: `policies.py`. After it: `publish.py`. One line of JSON a replay, so that a run goes on where it was stopped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.choosing.draws import REPEATS, Draw, head_seconds, new_draw
from benchmarks.choosing.features import load_pool
from benchmarks.choosing.policies import POLICIES, RULE, full_cross_validation
from weigh.kinds.label import LABEL
from weigh.metrics.base import METRICS, Prediction
from weigh.metrics.design import MeasuredDesign
from weigh.stats.choosing import true_scores
from weigh.stats.comparison import compare
from weigh.stats.luck_of_choosing import may_be_best
from weigh.stats.resampling import make_units

__all__ = ["read_replays", "run_replays", "statements"]

QUANTILE_DRAWS, CHOICE_DRAWS = 1000, 4000


def statements(draw: Draw, names: Sequence[str], many: int, repeats: int) -> dict[str, Any]:
    """What weigh says of candidates that were cross-validated on the first `many` of half A: who may be best, and how probably each is."""
    accuracy, fold, label = METRICS.get("accuracy"), draw.folds(many)[:repeats], draw.label[:many]
    present, measured = np.ones(fold.shape, bool), {}
    for name in names:
        answers = draw.logits(name, many, repeats)
        chances = np.exp(answers) / np.exp(answers).sum(axis=-1, keepdims=True)
        statistics = np.stack([accuracy.measure(Prediction(p, p.argmax(axis=-1)), label) for p in chances])
        measured[name] = MeasuredDesign(accuracy, statistics, fold, present, label)
    rng = np.random.default_rng([draw.seed, 1])
    compared = compare(measured, make_units(LABEL, label), rng=rng, claim="this_data", draws=QUANTILE_DRAWS)
    scores = true_scores(compared, rng=rng, draws=CHOICE_DRAWS)
    return {"best": may_be_best(compared), "p_best": None if scores is None else scores.p_best()}


def run_replays(folder: Path, pools: Iterable[str], seeds: Iterable[int], to: Path) -> None:
    """Replays that are not in the file yet."""
    done = {(row["pool"], row["seed"]) for row in read_replays(to)} if to.exists() else set()
    for name in pools:
        pool = load_pool(folder, name)
        heads = head_seconds(folder, name, pool)
        for seed in seeds:
            if (name, seed) not in done:
                row = {"pool": name, "seed": seed, **replay(new_draw(pool, heads, seed))}
                with to.open("a") as file:
                    file.write(json.dumps(row) + "\n")


def replay(draw: Draw) -> dict[str, Any]:
    """All policies on one draw."""
    chosen = {name: policy(draw) for name, policy in POLICIES.items()}
    return {
        "n": len(draw.a),
        "n_b": len(draw.b),
        "truth": {name: draw.truth(name) for name in draw.names},
        "choices": {name: [choice.name, choice.seconds] for name, choice in chosen.items()},
        "full": statements(draw, full_cross_validation(draw).finalists, len(draw.a), REPEATS),
        "finalists": list(chosen["halving"].finalists),
        "settings": asdict(RULE),
    }


def read_replays(path: Path) -> list[dict[str, Any]]:
    """All lines of the file."""
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
