"""Is the score of an ensemble as honest as that of a candidate, is anything gained, and are useless members left out? Simulated studies.

    python -m benchmarks.ensembles [--studies N] [--seed S] [--gain STANDARD_ERRORS …] [--only NAME]

Every study trains all candidates in every fold, draws members as `record/ensembles.py` does (nested: without the fold that they answer
for), refits every candidate on all examples and measures the members that were drawn on all out-of-fold answers on 6,000 new examples:
the truth. Reported are the share of studies whose 95 % interval of the nested score holds the truth (with its 95 % interval, Clopper and
Pearson), how far the nested score and one that is not nested are above the truth, what the ensemble gains over the best single
candidate on new examples, and how often a useless candidate (its features say nothing) is among the members. The best single candidate
stands beside it: its interval meets the same difficulties.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from benchmarks.audit.rules import score as score_on_new
from benchmarks.audit.simulate import Design, Study, simulate
from weigh.kinds.label import LABEL
from weigh.metrics.base import METRICS, Metric
from weigh.record import ensembles
from weigh.record.results import OutOfFold
from weigh.stats.comparison import compare
from weigh.stats.interval import estimate_of
from weigh.stats.resampling import Resampler, make_units

DESIGNS = {
    "five alike": Design(strengths=(1.2,) * 5, folds=5, repeats=3),
    "five alike, correlated": Design(strengths=(1.0,) * 5, folds=5, repeats=3, correlation=0.6),
    "one ahead, five useless": Design(strengths=(2.0, *(0.0,) * 5), folds=5, repeats=3),
    "three alike, five useless": Design(strengths=(1.3, 1.3, 1.3, *(0.0,) * 5), folds=5, repeats=3),
    "ladder, two useless": Design(strengths=(1.8, 1.5, 1.2, 0.9, 0.0, 0.0), folds=5, repeats=3),
    "the same features, other seeds": Design(strengths=(1.5,) * 5, folds=5, repeats=3, same=True),
    "60 examples, two useless": Design(n=60, strengths=(1.8, 1.8, 1.2, 0.0, 0.0), folds=5, repeats=5),
    "one repeat, two useless": Design(n=200, strengths=(1.6, 1.4, 1.2, 0.0, 0.0), folds=5, repeats=1),
    "four classes, two useless": Design(
        n=400, classes=4, strengths=(0.8, 0.8, 0.6, 0.0, 0.0), folds=5, repeats=2, metric="balanced_accuracy"
    ),
    "rare class, balanced accuracy": Design(
        n=400, strengths=(1.8, 1.6, 1.2, 0.0), shift=1.5, weighted=True, folds=5, repeats=3, metric="balanced_accuracy"
    ),
}  # fmt: skip


class Replay(NamedTuple):
    """One study: scores of the ensemble and of the best single candidate, estimated and true.

    Attributes:
        wider: Width of the interval against that without the luck of the draws.
        useless: Share of the useless candidates among the drawn members; NaN where there are none.
        any_useless: Whether one is a member at all.
        said_better: Whether the paired interval calls the average better than the best single candidate.
        said_wrongly: Whether it does, and on new examples the average is not.
    """

    held: bool
    wider: float
    nested: float
    naive: float
    truth: float
    single_held: bool
    single: float
    single_truth: float
    members: int
    useless: float
    any_useless: bool
    said_better: bool
    said_wrongly: bool


def replay(design: Design, rng: np.random.Generator) -> Replay:
    """Simulate a study and read its ensemble."""
    study, metric = simulate(design, rng), METRICS.get(design.metric)
    answers = {str(m): _out_of_fold(study, logits) for m, logits in enumerate(study.logits)}
    ensemble = ensembles.average_candidates(metric, answers)
    assert ensemble is not None
    everywhere = dict.fromkeys(ensemble.by_fold, ensemble.members)
    naive = ensembles.apply_members(answers, everywhere)
    scores = {name: runs.measured(metric).score().overall for name, runs in answers.items()}
    best = max(scores, key=lambda name: scores[name])
    truth, single_truth = (_truth(design, study, members) for members in (ensemble.members, {best: 1.0}))
    useless = [str(m) for m, strength in enumerate(design.strengths) if strength == 0.0]
    pair = {"single": answers[best].measured(metric), "average": ensemble.out_of_fold.measured(metric)}
    units = make_units(LABEL, study.target)
    relation = compare(pair, units, rng=rng, claim="this_data").of("average", "single").relation
    better = len(ensemble.members) > 1 and relation == "better"
    drawn = sum(ensemble.members.get(name, 0.0) for name in useless)
    low, high = _interval_of(metric, ensemble.out_of_fold, ensemble.luck)
    plain, (single_low, single_high) = _interval_of(metric, ensemble.out_of_fold), _interval_of(metric, answers[best])
    return Replay(
        low <= truth <= high,
        (high - low) / (plain[1] - plain[0]),
        ensemble.out_of_fold.measured(metric).score().overall,
        naive.measured(metric).score().overall,
        truth,
        single_low <= single_truth <= single_high,
        scores[best],
        single_truth,
        len(ensemble.members),
        drawn if useless else np.nan,
        drawn > 0,
        better,
        better and truth <= single_truth,
    )


def _out_of_fold(study: Study, logits: np.ndarray) -> OutOfFold:
    n = len(study.target)
    bias = np.zeros((*study.fold.shape, 1), dtype=np.float32)
    return OutOfFold(np.arange(n), logits, study.fold.astype(np.int16), study.target, bias, LABEL)


def _interval_of(metric: Metric, runs: OutOfFold, further: float = 0.0) -> tuple[float, float]:
    units, measured = make_units(LABEL, runs.target), runs.measured(metric)
    resampled = Resampler(np.ones((1, len(runs.target))), units).of("one", measured)
    estimate = estimate_of(resampled, units, metric, claim="this_data", level=0.95, further=further)
    assert estimate.low is not None
    assert estimate.high is not None
    return estimate.low, estimate.high


def _truth(design: Design, study: Study, members: dict[str, float]) -> float:
    """On new examples, the mean over refits."""
    shares = np.array(list(members.values()))
    refits = range(study.fresh.shape[1])
    chosen = [int(name) for name in members]
    return float(
        np.mean(
            [score_on_new(design, LABEL.averaged(list(study.fresh[chosen, r]), shares), study.chance) for r in refits]
        )
    )


def _interval(hits: int, n: int) -> tuple[float, float]:
    """Clopper and Pearson's."""
    from scipy.stats import beta

    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, n - hits + 1))
    return low, 1.0 if hits == n else float(beta.ppf(0.975, hits + 1, n - hits))


def _mean(values: list[float]) -> str:
    half = 1.96 * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{100 * np.mean(values):+.2f} ± {100 * half:.2f}"


def row(name: str, replays: list[Replay]) -> str:
    """One line of the table of docs/decisions/ensembles.md."""
    n = len(replays)
    low, high = _interval(sum(r.held for r in replays), n)
    useless = [r.useless for r in replays if not np.isnan(r.useless)]
    left_out = f"{100 * np.mean(useless):.1f} % ({sum(r.any_useless for r in replays)} of {n})" if useless else "–"
    cells = (
        name,
        str(n),
        f"{100 * np.mean([r.held for r in replays]):.1f} % [{100 * low:.1f}, {100 * high:.1f}]",
        f"{np.median([r.wider for r in replays]):.2f}",
        f"{100 * np.mean([r.single_held for r in replays]):.1f} %",
        _mean([r.nested - r.truth for r in replays]),
        _mean([r.naive - r.truth for r in replays]),
        _mean([r.single - r.single_truth for r in replays]),
        _mean([r.truth - r.single_truth for r in replays]),
        f"{np.mean([r.members for r in replays]):.1f}",
        left_out,
        f"{sum(r.said_better for r in replays)} ({sum(r.said_wrongly for r in replays)})",
    )
    return "| " + " | ".join(cells) + " |"


HEADER = (
    "study", "replays", "interval holds the truth", "times as wide", "of the best single", "nested − truth", "not nested − truth",
    "best single − truth", "gain on new examples", "members", "share of useless members (studies with one)", "called better (wrongly)",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--gain", type=float, nargs="*", default=[ensembles.GAIN])
    parser.add_argument("--only", default="")
    chosen = parser.parse_args()
    for gain in chosen.gain:
        ensembles.GAIN = gain
        print(f"\nA draw must gain more than {gain:g} standard errors.\n")
        print("| " + " | ".join(HEADER) + " |\n|" + "---|" * len(HEADER))
        every: list[Replay] = []
        for at, (name, design) in enumerate(DESIGNS.items()):
            if chosen.only not in name:
                continue
            rng = np.random.default_rng([chosen.seed, at])
            replays = [replay(replace(design), rng) for _ in range(chosen.studies)]
            every += replays
            print(row(name, replays), flush=True)
        print(row("all", every), flush=True)


if __name__ == "__main__":
    main()
