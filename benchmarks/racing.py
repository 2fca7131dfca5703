"""Does racing find what the full design finds, and for how much? Replayed studies of eight candidates.

    python -m benchmarks.racing [--studies N] [--seed S] [--pools FOLDER] [--only NAME]

A replay trains the full design once, hands the races only the blocks that they ask for, and trains a second full design of
the same data with fresh seeds. Cost is the number of runs trained. Real pools (features of pictures, made by
`python -m benchmarks.audit pools`) are used where they are found; the others are simulated with known truth.
Every run is noisy (exponential weights per training example), as fine-tuning is; in some studies runs collapse.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.audit.real import Pool, find_pools, load_pool
from benchmarks.racing_studies import CANDIDATES, KINDS, Kind, Runs, designs, measured_upto
from tests.arrays import kind_of
from weigh.metrics.base import METRICS
from weigh.stats.comparison import Comparisons, compare
from weigh.stats.racing import Look, drop_out, look_level, planned_looks
from weigh.stats.resampling import Units, make_units


class Race(NamedTuple):
    """Looks of a race, and the blocks that each candidate ran."""

    looks: list[Look]
    ends: dict[str, int]

    @property
    def leader(self) -> str:
        return self.looks[-1].leader

    def cost(self, folds: int) -> int:
        """Runs trained; the winner completes its first repeat."""
        return sum(self.ends.values()) + max(0, folds - self.ends[self.leader])


def race(kind: Kind, runs: Runs, units: Units) -> Race:
    """Replay a race on a full design."""
    looks = planned_looks(kind.folds, kind.repeats)
    ends, seen = {str(m): looks[0] for m in range(CANDIDATES)}, []
    alive, rope = list(ends), METRICS.get(kind.metric).rope
    for blocks in looks:
        ends |= dict.fromkeys(alive, blocks)
        measured = measured_upto(kind, runs, dict.fromkeys(alive, blocks))
        look = drop_out(
            measured,
            units,
            rng=np.random.default_rng(1),
            claim=kind.claim,
            level=0.95,
            rope=rope,
            looks=looks,
            blocks=blocks,
            field=CANDIDATES,
        )
        seen.append(look)
        alive = [name for name in alive if name not in {drop.name for drop in look.dropped}]
        if look.stop:
            break
    return Race(seen, ends)


class Conclusion(NamedTuple):
    """What a study says in the end.

    Attributes:
        winner: The chosen candidate.
        verdict: "best" (no other one may be best), "equal" or "undecided", winner against all that may be best.
        claims: Ordered pairs (better, worse).
    """

    winner: str
    verdict: str
    claims: set[tuple[str, str]]


def conclude(found: Comparisons, winner: str, out: set[str] = frozenset()) -> Conclusion:
    """The conclusion that all pairs allow."""
    pairs = [found.of(winner, name) for name in found.best if name != winner and name not in out]
    claims = {(a, b) for (a, b), d in found.pairs.items() if d.relation == "better"}
    verdict = "best" if not pairs else "equal" if all(p.negligible for p in pairs) else "undecided"
    return Conclusion(winner, verdict, claims)


def full_conclusion(kind: Kind, runs: Runs, units: Units) -> Conclusion:
    ends = {str(m): kind.folds * kind.repeats for m in range(CANDIDATES)}
    measured = measured_upto(kind, runs, ends)
    scores = {name: design.score().overall for name, design in measured.items()}
    found = compare(measured, units, rng=np.random.default_rng(1), claim=kind.claim)
    return conclude(found, max(scores, key=lambda n: scores[n]))


def raced_conclusion(kind: Kind, runs: Runs, units: Units, raced: Race) -> Conclusion:
    """As the report says it: all pairs on what both have, at the level of a single look."""
    looks = planned_looks(kind.folds, kind.repeats)
    once = look_level(looks, 0.95, CANDIDATES)
    ends = raced.ends | {raced.leader: max(kind.folds, raced.ends[raced.leader])}
    found = compare(measured_upto(kind, runs, ends), units, rng=np.random.default_rng(1), claim=kind.claim, once=once)
    out = {drop.name for look in raced.looks for drop in look.dropped}
    return conclude(found, raced.leader, out)


def agree(one: Conclusion, two: Conclusion) -> bool:
    """The same winner, or the same verdict; two studies that are sure of different winners do not agree."""
    return one.winner == two.winner or (one.verdict == two.verdict != "best")


def replay(kind: Kind, pools: dict[str, Pool], seed: int) -> dict[str, float]:
    """One study: race, the full design that it shortens, and another one with fresh seeds."""
    rng = np.random.default_rng([seed, 20261124])
    first, second = designs(kind, pools, rng)
    units = make_units(kind_of(first.target), first.target)
    raced = race(kind, first, units)
    mine = raced_conclusion(kind, first, units, raced)
    whole, fresh = full_conclusion(kind, first, units), full_conclusion(kind, second, units)
    truth = (first.truth + second.truth) / 2
    dropped = {drop.name for look in raced.looks for drop in look.dropped}
    return {
        "agree fresh": agree(mine, fresh),
        "agree same": agree(mine, whole),
        "agree full": agree(whole, fresh),
        "winner fresh": mine.winner == fresh.winner,
        "winner same": mine.winner == whole.winner,
        "winner full": whole.winner == fresh.winner,
        "verdict fresh": mine.verdict == fresh.verdict,
        "verdict full": whole.verdict == fresh.verdict,
        "other": "best" in (mine.verdict, fresh.verdict) and mine.winner != fresh.winner,
        "other full": "best" in (whole.verdict, fresh.verdict) and whole.winner != fresh.winner,
        "lost": 100 * (truth.max() - truth[int(mine.winner)]),
        "lost full": 100 * (truth.max() - truth[int(whole.winner)]),
        "cost": raced.cost(kind.folds) / (CANDIDATES * kind.folds * kind.repeats),
        "runs": raced.cost(kind.folds),
        "dropped winner": fresh.winner in dropped,
        "dropped truth": str(int(truth.argmax())) in dropped,
        "decided": whole.verdict == "best",
        "decided, race": whole.verdict == "best" and mine.winner == whole.winner,
        "decided, fresh": whole.verdict == "best" and fresh.winner == whole.winner,
        "best": mine.verdict == "best",
        "best full": whole.verdict == "best",
        "false claim": bool(mine.claims),
        "false claim full": bool(whole.claims),
        "first dropped": "0" in dropped,
        "any dropped": bool(dropped),
        "futile": raced.looks[-1].stop == "futile",
        "one left": raced.looks[-1].stop == "one left",
        "spent": raced.looks[-1].stop == "spent",
    }


def rows(
    studies: int, seed: int, pools: dict[str, Pool], only: str
) -> Iterator[tuple[str, Kind, dict[str, np.ndarray]]]:
    for name, kind in KINDS.items():
        if only not in name or (kind.pool and kind.pool not in pools):
            continue
        many = [replay(kind, pools, seed + i) for i in range(studies if not kind.pool else -(-studies // 2))]
        yield name, kind, {key: np.array([one[key] for one in many], dtype=float) for key in many[0]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pools", type=Path, default=Path("audit-rows"))
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    pools = {name: load_pool(folder) for name, folder in find_pools(given.pools).items()}
    heads = (
        "studies", "n", "agree: race, full", "same winner: race, full", "sure: race, full", "sure of another winner: race, full",
        "cost: mean, median, 90 %", "lost: race, full", "truly best dropped",
    )  # fmt: skip
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    seen: list[tuple[str, Kind, dict[str, np.ndarray]]] = []
    for name, kind, found in rows(given.studies, given.seed, pools, given.only):
        seen.append((name, kind, found))
        _line(name, found)
    for title, chosen in (
        ("clearly decided", [f for _, k, f in seen if k.clear]),
        ("open", [f for _, k, f in seen if not k.clear and not k.null]),
        ("all equal", [f for _, k, f in seen if k.null]),
        ("all", [f for _, _, f in seen]),
    ):
        if chosen:
            _line(f"**{title}**", {key: np.concatenate([f[key] for f in chosen]) for key in chosen[0]})
    print(
        "\n| equal candidates | n | a given one dropped | any dropped | false better, race | full |\n|---|---|---|---|---|---|"
    )
    nulls = [(name, f) for name, k, f in seen if k.null]
    if nulls:
        nulls.append(("**all**", {key: np.concatenate([f[key] for _, f in nulls]) for key in nulls[0][1]}))
    for name, f in nulls:
        cells = [
            f"{100 * f[key].mean():.1f}" for key in ("first dropped", "any dropped", "false claim", "false claim full")
        ]
        print(f"| {name} | {len(f['cost'])} | " + " | ".join(cells) + " |")


def _line(name: str, f: dict[str, np.ndarray]) -> None:
    def percent(key: str) -> str:
        return f"{100 * f[key].mean():.1f}"

    middle, late = np.quantile(f["cost"], [0.5, 0.9])
    print(
        f"| {name} | {len(f['cost'])} | {percent('agree fresh')}, {percent('agree full')} | "
        f"{percent('winner fresh')}, {percent('winner full')} | {percent('best')}, {percent('best full')} | "
        f"{percent('other')}, {percent('other full')} | {100 * f['cost'].mean():.1f}, {100 * middle:.1f}, {100 * late:.1f} | "
        f"{f['lost'].mean():.2f}, {f['lost full'].mean():.2f} | {percent('dropped truth')} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
