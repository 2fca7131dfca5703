"""Does bf16 cost accuracy? The same recipe in fp32 and bf16, compared by our own rule: paired, region ±0.5 point.

    python -m benchmarks.precision cells --recipe probe
    WEIGH_TEST_DATA=… python -m benchmarks.precision flowers --recipe finetune --repeats 6 --set epochs=3 --set image_size=64

Two studies with the same folds and seeds, one for each arithmetic; their out-of-fold predictions are two candidates of
one comparison. The studies are kept and resume, so more repeats can be added until the answer is decided.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from tests.arrays import kind_of
from weigh.data.pictures.demo import DEMO_MODELS, demo_root, demo_table
from weigh.metrics.base import METRICS
from weigh.metrics.design import measure_design
from weigh.stats.comparison import compare
from weigh.stats.resampling import make_units
from weigh.study import Study

ROPE = 0.005
METRIC_NAMES = ("accuracy", "auroc", "log_loss")


def source(pool: str, folder: Path) -> tuple[str, list[str]]:
    """What to train on, and settings that go with it."""
    if pool == "cells":
        return str(demo_table(folder / "table")), [f"data.root={demo_root()}"]
    return str(Path(os.environ["WEIGH_TEST_DATA"]) / "images" / pool), []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", help="cells, or the name of a folder of pictures below WEIGH_TEST_DATA/images")
    parser.add_argument("--models", default=DEMO_MODELS[0])
    parser.add_argument("--recipe", default="probe")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--set", action="append", default=[], help="of the recipe: epochs=3")
    parser.add_argument("--folder", type=Path, default=Path("studies/precision"))
    options = parser.parse_args()
    recipe = {"name": options.recipe, **dict(pair.split("=", 1) for pair in options.set)}
    data, settings = source(options.pool, options.folder)
    switched_off = ["order_check=false", "curve=false", "cleaned=false"]
    settings += [f"design.{s}" for s in switched_off] + [
        f"design.repeats={options.repeats}",
        f"design.folds={options.folds}",
    ]
    settings += ["output.refit=false", "run.offline=true"]
    print("| model | metric | bf16 | fp32 | bf16 - fp32 | relation |\n|---|---|---|---|---|---|", flush=True)
    for model in options.models.split(","):
        found = {}
        for precision in ("bf16", "fp32"):
            name = f"{options.pool}-{options.recipe}-{model.split(':')[1]}-{precision}"
            study = Study.from_data(
                data,
                [model],
                [recipe],
                settings=[*settings, f"run.precision={precision}"],
                folder=options.folder / name,
            )
            results = study.run().results()
            found[precision] = results.out_of_fold(results.candidates[0].id)
            assert found[precision] is not None, f"no run of {name} succeeded: see its log.txt"
        for metric in METRIC_NAMES:
            measured = {name: measure_design(METRICS.get(metric), oof) for name, oof in found.items()}
            units = make_units(kind_of(found["fp32"].target), found["fp32"].target)
            pair = compare(
                measured,
                units,
                rng=np.random.default_rng(0),
                claim="this_data",
                rope=ROPE if metric != "log_loss" else None,
            ).of("bf16", "fp32")
            scores = [float(np.mean(measured[name].score().repeat)) for name in ("bf16", "fp32")]
            print(
                f"| {model} | {metric} | {scores[0]:.4f} | {scores[1]:.4f} | {pair.estimate.format(4)} | {pair.relation} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
