"""What averaging gives in fine-tuning: weights of a run's last epochs, and predictions of two runs that differ in their seeds.

    WEIGH_TEST_DATA=… python -m benchmarks.averaging flowers --repeats 4

One study with the same folds in all repeats (`design.vary` without "split"), so that runs of two repeats have seen the same training
folds and their mean is a prediction out of fold. Compared by our own rule, paired: every second repeat alone; `average: 3`; the
mean of two runs' probabilities, which costs two trainings and two predictions. The study resumes.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.arrays import kind_of
from weigh.metrics.base import METRICS
from weigh.metrics.design import measure_design
from weigh.record.results import OutOfFold
from weigh.stats.comparison import compare
from weigh.stats.resampling import make_units
from weigh.study import Study

ALONE, EPOCHS, BOTH = "one run", "mean of its last three epochs", "mean of two runs' predictions"


def every_second(oof: OutOfFold) -> OutOfFold:
    return replace(oof, answers=oof.answers[::2], fold=oof.fold[::2], bias=oof.bias[::2])


def in_pairs(oof: OutOfFold) -> OutOfFold:
    """Log of the mean probability of repeats 0 and 1, 2 and 3, …"""
    logp = oof.answers - np.logaddexp.reduce(oof.answers, axis=2, keepdims=True)
    first, second = logp[::2], logp[1::2]
    mean = np.logaddexp(first, second) - np.log(2)
    return replace(oof, answers=mean.astype(np.float32), fold=oof.fold[::2], bias=oof.bias[::2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", help="name of a folder of pictures below WEIGH_TEST_DATA/images")
    parser.add_argument("--model", default="timm:tf_efficientnet_lite0")
    parser.add_argument("--repeats", type=int, default=4, help="an even number")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--folder", type=Path, default=Path("studies/averaging"))
    given = parser.parse_args()
    options = {"name": "finetune", "epochs": given.epochs, "image_size": given.image_size}
    recipes = [{**options, "label": "plain"}, {**options, "average": 3, "label": "average"}]
    settings = [f"design.repeats={given.repeats}", "design.folds=3", "design.vary=[init,order,augmentation]"]
    settings += [f"design.{name}=false" for name in ("order_check", "curve", "cleaned", "race")]
    settings += ["output.refit=false", "run.offline=true"]
    data = Path(os.environ["WEIGH_TEST_DATA"]) / "images" / given.pool
    study = Study.from_data(str(data), [given.model], recipes, settings=settings, folder=given.folder / given.pool)
    results = study.run().results()
    plain, average = (results.out_of_fold(candidate.id) for candidate in results.candidates)
    assert plain is not None
    assert average is not None
    assert plain.complete.all()
    assert average.complete.all()
    assert (plain.fold == plain.fold[0]).all(), "the repeats have different folds"
    found = {ALONE: every_second(plain), EPOCHS: every_second(average), BOTH: in_pairs(plain)}
    print("| metric | what | score | against one run | relation |\n|---|---|---|---|---|")
    for name in ("accuracy", "balanced_accuracy", "log_loss"):
        metric = METRICS.get(name)
        measured = {what: measure_design(metric, oof) for what, oof in found.items()}
        comparison = compare(
            measured, make_units(kind_of(plain.target), plain.target), rng=np.random.default_rng(0), claim="this_data"
        )
        for what in found:
            score = float(np.mean(measured[what].score().repeat))
            if what == ALONE:
                print(f"| {name} | {what} | {score:.4f} | | |")
                continue
            pair = comparison.of(what, ALONE)
            print(f"| {name} | {what} | {score:.4f} | {pair.estimate.format(4)} | {pair.relation} |")


if __name__ == "__main__":
    main()
