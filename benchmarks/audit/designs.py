"""The designs of the audit, listed before anything was run.

`DEVELOPMENT`: rules were chosen on these, with development seeds. `UNSEEN`: never run before the published table.
`REFERENCE` and its alternative are those of the studies that the product's first rules were judged on: 300 examples,
two learners that each see twenty features of their own, a true difference of 0 or of 5.5 points.
"""

from __future__ import annotations

from benchmarks.audit.real import REAL, RealDesign
from benchmarks.audit.simulate import Design

__all__ = ["AGAIN", "DEVELOPMENT", "SEALED", "UNSEEN", "designs", "fast", "seed_of"]

SEALED = 20261124  # never used while rules were chosen
AGAIN = 20261129  # of all designs with the rule as it is after the second audit, in fewer studies
SEALED_AGAIN = 20261125  # of designs with more than two candidates, after the rule for several was changed

STABLE = {"used": 20, "noisy": False}
WILD = {"features": 200, "used": 160}
RARE = {"shift": 3.6, "strengths": (1.6, 1.6), "weighted": True}  # some 5 % positives
GAP = (1.39, 1.01)

DEVELOPMENT: dict[str, Design] = {
    # The reference design, and with a true difference
    "reference": Design(),
    "reference-gap": Design(strengths=GAP),
    # Sizes of the data, folds and repeats
    "n100-5x1": Design(n=100, folds=5, repeats=1),
    "n100-5x5": Design(n=100, folds=5),
    "n100-10x10": Design(n=100, repeats=10),
    "n300-5x1": Design(folds=5, repeats=1),
    "n300-5x2": Design(folds=5, repeats=2),
    "n300-5x5": Design(folds=5),
    "n300-10x1": Design(repeats=1),
    "n300-10x10": Design(repeats=10),
    "n300-2x1": Design(folds=2, repeats=1),
    "n1000-5x1": Design(n=1000, folds=5, repeats=1),
    "n1000-5x5": Design(n=1000, folds=5),
    "n1000-10x2": Design(n=1000, repeats=2),
    "n3000-5x1": Design(n=3000, folds=5, repeats=1),
    "n3000-5x2": Design(n=3000, folds=5, repeats=2),
    # Learners without noise of their own
    "stable-n100-5x1": Design(n=100, folds=5, repeats=1, **STABLE),
    "stable-n100-5x5": Design(n=100, folds=5, **STABLE),
    "stable-n300-10x5": Design(**STABLE),
    "stable-n1000-5x5": Design(n=1000, folds=5, **STABLE),
    "stable-n3000-5x1": Design(n=3000, folds=5, repeats=1, **STABLE),
    "very-stable-n300-5x5": Design(folds=5, features=5, used=5, noisy=False, penalty=30.0),
    # Very unstable learners
    "wild-n100-5x1": Design(n=100, folds=5, repeats=1, **WILD),
    "wild-n100-10x5": Design(n=100, **WILD),
    "wild-quiet-n100-5x5": Design(n=100, folds=5, features=200, used=200, noisy=False),
    "wild-n300-5x2": Design(folds=5, repeats=2, **WILD),
    # Runs that degenerate at random
    "degenerate-n300-5x1": Design(degenerate=0.1, folds=5, repeats=1),
    "degenerate-n300-10x5": Design(degenerate=0.1),
    "degenerate-n1000-5x1": Design(n=1000, degenerate=0.1, folds=5, repeats=1),
    "degenerate-n1000-5x3": Design(n=1000, degenerate=0.1, folds=5, repeats=3),
    # Candidates that are alike
    "same-recipe-5x2": Design(strengths=(1.7, 1.7), same=True, folds=5, repeats=2),
    "same-recipe-n1000-5x1": Design(n=1000, strengths=(1.7, 1.7), same=True, folds=5, repeats=1),
    "correlated-5x5": Design(correlation=0.6, folds=5),
    "correlated-stable-5x1": Design(correlation=0.9, folds=5, repeats=1, **STABLE),
    # More classes, rare classes, other metrics
    "ten-classes-n300-5x2": Design(classes=10, strengths=(1.0, 1.0), folds=5, repeats=2),
    "ten-classes-n1000-5x1": Design(n=1000, classes=10, strengths=(1.0, 1.0), folds=5, repeats=1),
    "ten-classes-balanced-5x5": Design(classes=10, strengths=(1.0, 1.0), folds=5, metric="balanced_accuracy"),
    "auroc-n300-5x5": Design(folds=5, metric="auroc"),
    "auroc-n100-5x1": Design(n=100, folds=5, repeats=1, metric="auroc"),
    "auroc-rare-n1000-5x2": Design(n=1000, folds=5, repeats=2, metric="auroc", **RARE),
    "f1-n300-5x5": Design(folds=5, metric="f1"),
    "f1-rare-n1000-5x5": Design(n=1000, folds=5, metric="f1", **RARE),
    "f1-macro-ten-5x2": Design(n=1000, classes=10, strengths=(1.0, 1.0), folds=5, repeats=2, metric="f1_macro"),
    "balanced-rare-n300-5x5": Design(folds=5, metric="balanced_accuracy", shift=2.0, strengths=(1.6, 1.6)),
    "balanced-rare-weighted-5x2": Design(
        folds=5, repeats=2, metric="balanced_accuracy", shift=2.0, strengths=(1.6, 1.6), weighted=True
    ),
    "balanced-rare-n1000-10x1": Design(n=1000, repeats=1, metric="balanced_accuracy", **RARE),
    # Clustered examples
    "groups-of-5": Design(group=5, folds=5),
    "groups-of-10-n1000": Design(n=1000, group=10, folds=5, repeats=2),
    # Other learners
    "centroid-n300-5x5": Design(learner="centroid", folds=5),
    "knn-n300-5x2": Design(learner="knn", folds=5, repeats=2, features=8, used=8, noisy=False),
    # More candidates
    "three-5x5": Design(strengths=(1.2,) * 3, folds=5),
    "six-5x1": Design(strengths=(1.0,) * 6, folds=5, repeats=1),
    "six-10x2": Design(strengths=(1.0,) * 6, repeats=2),
    # Random true differences
    "gap-n100-5x5": Design(n=100, folds=5, gap=0.3),
    "gap-n300-5x1": Design(folds=5, repeats=1, gap=0.3),
    "gap-n300-5x5": Design(folds=5, gap=0.2),
    "gap-n1000-5x1": Design(n=1000, folds=5, repeats=1, gap=0.1),
    "gap-n3000-5x1": Design(n=3000, folds=5, repeats=1, gap=0.05),
    "gap-wild-n100-10x5": Design(n=100, gap=0.5, **WILD),
    "gap-degenerate-n300-5x1": Design(degenerate=0.1, folds=5, repeats=1, gap=0.3),
    "gap-f1-rare-n1000-5x5": Design(n=1000, folds=5, metric="f1", gap=0.3, **RARE),
    "gap-auroc-n300-5x5": Design(folds=5, metric="auroc", gap=0.3),
    "gap-four-5x2": Design(strengths=(1.0,) * 4, folds=5, repeats=2, gap=0.3),
    "four-one-best-5x2": Design(strengths=(1.6, 1.0, 1.0, 1.0), folds=5, repeats=2),
    "gap-n1000-5x2": Design(n=1000, folds=5, repeats=2, gap=0.2),
    "gap-wide-n300-10x5": Design(gap=0.5),
    "gap-stable-n300-5x1": Design(folds=5, repeats=1, gap=0.3, **STABLE),
}

UNSEEN: dict[str, Design] = {
    "unseen-n150-5x3": Design(n=150, folds=5, repeats=3, features=10, used=8),
    "unseen-n500-10x3": Design(n=500, repeats=3, features=40, used=30),
    "unseen-n2000-4x1": Design(n=2000, folds=4, repeats=1),
    "unseen-20x2": Design(n=400, folds=20, repeats=2),
    "unseen-three-classes": Design(n=300, classes=3, strengths=(1.0, 1.0), folds=5, repeats=4),
    "unseen-five-classes-balanced": Design(n=600, classes=5, strengths=(0.8, 0.8), folds=5, metric="balanced_accuracy"),
    "unseen-degenerate-fifth": Design(n=500, degenerate=0.2, folds=5, repeats=2),
    "unseen-degenerate-rare": Design(n=600, degenerate=0.05, folds=10, repeats=1, **STABLE),
    "unseen-groups-of-3": Design(n=450, group=3, folds=5, repeats=3),
    "unseen-knn-noisy": Design(n=200, learner="knn", features=6, used=6, folds=5, repeats=3),
    "unseen-centroid-n100": Design(n=100, learner="centroid", folds=10, repeats=3, noisy=False),
    "unseen-auroc-groups": Design(n=500, group=5, folds=5, repeats=2, metric="auroc"),
    "unseen-f1-shifted": Design(n=500, shift=1.5, strengths=(1.4, 1.4), folds=10, repeats=2, metric="f1"),
    "unseen-correlated-noisy": Design(n=250, correlation=0.8, folds=5, repeats=5),
    "unseen-heavy-penalty": Design(n=120, folds=5, repeats=2, penalty=50.0, **STABLE),
    "unseen-four": Design(n=300, strengths=(1.0,) * 4, folds=5, repeats=3),
    "unseen-three-150": Design(n=150, strengths=(1.3,) * 3, repeats=1, **STABLE),
    "unseen-three-degenerate": Design(n=400, degenerate=0.1, strengths=(1.3,) * 3, folds=5, repeats=3),
    "unseen-five": Design(n=250, strengths=(1.0,) * 5, folds=5, repeats=2),
    "unseen-eight": Design(n=400, strengths=(0.9,) * 8, folds=5, repeats=1),
    "unseen-gap-five": Design(n=300, strengths=(1.0,) * 5, folds=5, repeats=2, gap=0.2),
    "unseen-wide-features": Design(n=200, features=100, used=100, noisy=False, folds=5, repeats=2),
    "unseen-gap-classes": Design(n=500, classes=4, strengths=(0.9, 0.9), folds=5, repeats=2, gap=0.2),
    "unseen-gap-groups": Design(n=600, group=4, folds=5, repeats=2, gap=0.3),
    "unseen-gap": Design(n=400, folds=5, repeats=3, gap=0.3),
}


def designs(part: str) -> dict[str, Design | RealDesign]:
    """ "development", "unseen", "real" or "all"."""
    parts = {"development": DEVELOPMENT, "unseen": UNSEEN, "real": REAL}
    return {**DEVELOPMENT, **UNSEEN, **REAL} if part == "all" else parts[part]


def fast(design: Design) -> bool:
    """Whether a study takes milliseconds: such designs are run 5,000 times, the others 1,000 times."""
    fits = design.folds * design.repeats * len(design.strengths)
    return design.learner != "knn" and design.features <= 40 and design.classes == 2 and fits * design.n <= 31_000


def seed_of(name: str, seed: int) -> int:
    """The seed of a design in a run with this seed: the sealed one has two."""
    several = len(getattr(designs("all")[name], "strengths", ())) > 2
    return SEALED_AGAIN if seed == SEALED and several else seed
