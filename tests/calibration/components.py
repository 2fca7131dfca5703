"""Are variance components inside their intervals? Crossed designs with known shares.

    python -m tests.calibration.components --studies 2000

Every design: R repeats of K folds; each run once more with S - 1 other seeds of init, order and augmentation. The score of a
run is the sum of normal effects with known variances; what the examples explain is known up to its own sampling error.
Per cent of studies in which the interval holds the truth, for each component and its share.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from weigh.stats.components import EVALUATION, Star, variance_components

__all__ = ["DESIGNS", "Design", "coverage", "simulate"]


@dataclass(frozen=True)
class Design:
    """Variances of the components, `own` of the evaluation part being each run's own (not shared by runs of a fold)."""

    evaluation: float = 4.0
    own: float = 1.0
    split: float = 1.0
    init: float = 2.0
    order: float = 1.0
    augmentation: float = 0.5
    repeats: int = 2
    folds: int = 5
    seeds: int = 2
    units: int = 300

    @property
    def truth(self) -> dict[str, float]:
        names = (EVALUATION, "split", "init", "order", "augmentation")
        return {name: getattr(self, name) for name in names}


DESIGNS = {
    "1 × 5, 2 seeds": Design(repeats=1),
    "2 × 5, 2 seeds": Design(),
    "5 × 5, 3 seeds": Design(repeats=5, seeds=3),
    "1 × 10, 3 seeds": Design(repeats=1, folds=10, seeds=3),
    "init alone": Design(split=0.0, order=0.0, augmentation=0.0, init=4.0),
    "split alone": Design(split=4.0, order=0.0, augmentation=0.0, init=0.0),
    "examples alone": Design(split=0.0, order=0.0, augmentation=0.0, init=0.0),
    "stable examples": Design(evaluation=0.5, own=0.2, repeats=3, folds=5),
}


def simulate(design: Design, rng: np.random.Generator):
    """Main scores, stars, and the measured evaluation variance of one study."""
    cells = design.repeats * design.folds
    own = np.sqrt(design.own)
    cell = rng.normal(0, np.sqrt(design.split), cells) + rng.normal(0, np.sqrt(design.evaluation - design.own), cells)
    sources = ("init", "order", "augmentation")
    base = {s: rng.normal(0, np.sqrt(getattr(design, s)), cells) for s in sources}
    main = cell + sum(base.values()) + rng.normal(0, own, cells)
    stars = {}
    for source in sources:
        others = main - main + cell + sum(base[s] for s in sources if s != source)
        drawn = rng.normal(0, np.sqrt(getattr(design, source)), (design.seeds - 1, cells))
        again = others + drawn + rng.normal(0, own, (design.seeds - 1, cells))
        stars[source] = Star(np.column_stack([main, again.T]), design.own)
    measured = design.evaluation * rng.chisquare(design.units - 1) / (design.units - 1)
    return main.reshape(design.repeats, design.folds), stars, measured


def coverage(design: Design, studies: int, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """Source -> per cent of studies whose interval holds the variance, the share, and the median width of the share's."""
    rng = np.random.default_rng(seed)
    truth, held = design.truth, {name: [] for name in design.truth}
    total = sum(truth.values())
    for _ in range(studies):
        main, stars, measured = simulate(design, rng)
        found = variance_components(main, measured, design.units - 1, stars, rng=rng, draws=1000)
        assert found is not None
        for name, value in truth.items():
            share = found.share[name]
            held[name].append(
                (found.variance[name].covers(value), share.covers(100 * value / total), share.high - share.low)
            )
    return {
        name: (
            100 * np.mean([h[0] for h in rows]),
            100 * np.mean([h[1] for h in rows]),
            np.median([h[2] for h in rows]),
        )
        for name, rows in held.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print("| design | component | variance held | share held | width of the share |\n|---|---|---|---|---|")
    for name, design in DESIGNS.items():
        for source, (variance, share, width) in coverage(design, given.studies, given.seed).items():
            print(f"| {name} | {source} | {variance:.1f} % | {share:.1f} % | {width:.0f} points |")


if __name__ == "__main__":
    main()
