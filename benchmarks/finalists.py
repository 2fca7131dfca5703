"""Does choosing finalists by their heads make the report's claims false more often than promised? Simulated studies with known truth.

    python -m benchmarks.finalists [--studies N] [--seed S]

As `weigh run DATA` goes about it: four models run with a head in all repeats, the two with the best scores are fine-tuned in one repeat, in two
folds or in one, and everything that ran is compared. The choice uses the very folds that the claims are made from. A claim "a is better than
b" is false where b is at least as good in truth (refits on all data, new examples). The same studies without a choice, all four fine-tuned,
stand beside it. Also: how often the best of what ran is missing in the set that the report says may be best.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
from scipy.stats import beta

from benchmarks.racing_studies import KINDS, LADDER, Kind, Runs, designs, measured_upto
from tests.arrays import kind_of
from weigh.metrics.design import MeasuredDesign
from weigh.stats.comparison import compare
from weigh.stats.resampling import Units, make_units

MODELS, FINALISTS = 4, 2  # candidates 0 to 3 are heads, 4 to 7 the networks of the same models
STUDIES: dict[str, Kind] = {
    "all equal": KINDS["all equal"],
    "all equal, n 100": KINDS["all equal, n 100"],
    "all equal, n 1,000": replace(KINDS["all equal"], n=1000),
    "all equal, runs collapse": KINDS["all equal, runs collapse"],
    "all equal, 10 x 3": KINDS["all equal, 10 x 3"],
    "heads differ, networks equal": Kind(strengths=(1.8, 1.5, 1.2, 0.9, *(1.5,) * 4)),
    "ladder": Kind(strengths=(*LADDER[::2], *LADDER[::2])),
    "networks a little ahead": Kind(strengths=(*(1.2,) * 4, *(1.4,) * 4)),
}
FOLDS = {"one repeat": None, "two folds": 2, "one fold": 1}  # of a network


def study(kind: Kind, seed: int) -> dict[str, float]:
    """One simulated study, with each number of folds, with and without the choice."""
    rng = np.random.default_rng([seed, 20261128])
    runs, _ = designs(kind, {}, rng)
    units, result = make_units(kind_of(runs.target), runs.target), {}
    heads = {str(m): kind.folds * kind.repeats for m in range(MODELS)}
    measured = measured_upto(kind, runs, heads)
    order = sorted(heads, key=lambda name: -measured[name].score().overall)
    for name, folds in FOLDS.items():
        networks = {str(m + MODELS): folds or kind.folds for m in range(MODELS)}
        everything = measured | measured_upto(kind, runs, networks)
        chosen = {str(int(model) + MODELS) for model in order[:FINALISTS]}
        few = {c: design for c, design in everything.items() if c in heads or c in chosen}
        for which, designs_of in (("chosen", few), ("all", everything)):
            result |= {f"{name}, {which}, {key}": value for key, value in judged(kind, runs, units, designs_of).items()}
    return result


def judged(kind: Kind, runs: Runs, units: Units, measured: dict[str, MeasuredDesign]) -> dict[str, float]:
    """What a report on these candidates gets wrong. Of equal candidates every claim is false: they differ in truth by luck alone."""
    comparisons = compare(measured, units, rng=np.random.default_rng(1), claim=kind.claim)
    truth = {name: runs.truth[int(name)] for name in measured}
    claims = [pair for pair, difference in comparisons.pairs.items() if difference.relation == "better"]
    return {
        "false": any(kind.null or truth[a] <= truth[b] for a, b in claims),
        "best lost": max(truth, key=lambda name: truth[name]) not in comparisons.best,
        "sure": len(comparisons.best) == 1,
    }


def share(values: np.ndarray) -> str:
    """A share in per cent with its exact 95 % interval (Clopper and Pearson 1934)."""
    n, k = len(values), int(values.sum())
    low = beta.ppf(0.025, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.975, k + 1, n - k) if k < n else 1.0
    return f"{100 * k / n:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of a name")
    options = parser.parse_args()
    columns = ("studies", "networks run", "n", "false claims, finalists chosen", "false claims, all run",
               "truly best of what ran not in the set", "one left: chosen, all")  # fmt: skip
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|", flush=True)
    for title, kind in STUDIES.items():
        if options.only not in title:
            continue
        many = [study(kind, options.seed + i) for i in range(options.studies)]
        rows = {key: np.array([one[key] for one in many], dtype=float) for key in many[0]}
        for folds in FOLDS:
            chosen, everyone = (
                {key: rows[f"{folds}, {which}, {key}"] for key in ("false", "best lost", "sure")}
                for which in ("chosen", "all")
            )
            print(
                f"| {title} | {folds} | {len(many)} | {share(chosen['false'])} | {share(everyone['false'])} | {share(chosen['best lost'])} | "
                f"{100 * chosen['sure'].mean():.0f} %, {100 * everyone['sure'].mean():.0f} % |",
                flush=True,
            )


if __name__ == "__main__":
    main()
