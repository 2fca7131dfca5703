"""The tables of docs/benchmarks/choosing.md from the replays.

Before it: `replays.py`. Errors of means count data sets, not replays: draws of one data set share its examples and its best candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.choosing.pools import DEVELOPMENT

__all__ = ["TEXTS", "tables", "write_page", "write_tables"]

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks" / "choosing.md"
PICTURES = "<!-- tables: written by python -m benchmarks.choosing publish -->"
TEXTS = "<!-- table: written by python -m benchmarks.choosing texts -->"
END = "<!-- end of tables -->"
BANDS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
Row = dict[str, Any]


def _regret(row: Row, name: str) -> float:
    """Points that the choice is behind the best on half B."""
    truth = row["truth"]
    return 100 * (max(truth.values()) - truth[row["choices"][name][0]])


def _by_pool(rows: Sequence[Row], values: Sequence[float]) -> np.ndarray:
    """Mean of each data set."""
    pools = [row["pool"] for row in rows]
    return np.array(
        [np.mean([v for v, p in zip(values, pools, strict=True) if p == pool]) for pool in dict.fromkeys(pools)]
    )


def _mean(rows: Sequence[Row], values: Sequence[float]) -> tuple[float, float]:
    """Mean over data sets and its standard error."""
    means = _by_pool(rows, values)
    return float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else float("nan")


def _steady_regret(row: Row, name: str, steady: dict[str, dict[str, float]]) -> float:
    """The same where the truth is the mean of all halves B: without the luck of a single half."""
    truth = steady[row["pool"]]
    return 100 * (max(truth.values()) - truth[row["choices"][name][0]])


def _share_of_full(row: Row, name: str) -> float:
    return row["choices"][name][1] / row["choices"]["full cross-validation"][1]


def policy_rows(rows: Sequence[Row]) -> list[str]:
    """A line of the table for each policy."""
    steady, lines = _steady(rows), []
    for name in rows[0]["choices"]:
        regrets = [_regret(row, name) for row in rows]
        mean, error = _mean(rows, regrets)
        against = [_regret(row, "halving") - regret for row, regret in zip(rows, regrets, strict=True)]
        difference, difference_error = _mean(rows, against)
        calm, calm_error = _mean(rows, [_steady_regret(row, name, steady) for row in rows])
        seconds = float(np.mean([row["choices"][name][1] for row in rows]))
        share = float(np.mean([_share_of_full(row, name) for row in rows]))
        hits = float(np.mean([regret <= 0 for regret in regrets]))
        compared = "–" if name == "halving" else f"{difference:+.2f} ± {difference_error:.2f}"
        lines.append(
            f"| {name} | {mean:.2f} ± {error:.2f} | {calm:.2f} ± {calm_error:.2f} | {_by_pool(rows, regrets).max():.2f} | {max(regrets):.1f} | {100 * hits:.0f} % | "
            f"{compared} | {seconds:.1f} | {100 * share:.1f} % |"
        )
    oracle = {pool: max(truth, key=truth.__getitem__) for pool, truth in steady.items()}
    mean, error = _mean(rows, [100 * (max(row["truth"].values()) - row["truth"][oracle[row["pool"]]]) for row in rows])
    lines.append(f"| (whoever is best on average, for comparison) | {mean:.2f} ± {error:.2f} | 0 | | | | | | |")
    return lines


def pool_rows(rows: Sequence[Row]) -> list[str]:
    """Mean regret of each policy on each data set."""
    lines = []
    for pool in dict.fromkeys(row["pool"] for row in rows):
        some = [row for row in rows if row["pool"] == pool]
        cells = [f"{np.mean([_regret(row, name) for row in some]):.2f}" for name in rows[0]["choices"]]
        means = {name: np.mean([row["truth"][name] for row in some]) for name in some[0]["truth"]}
        best = max(means, key=means.__getitem__)
        mark = "" if pool in DEVELOPMENT else " *"
        lines.append(
            f"| {pool}{mark} | {some[0]['n']} / {some[0]['n_b']} | {best} ({means[best]:.3f}) | "
            + " | ".join(cells)
            + " |"
        )
    return lines


def _interval(hits: int, n: int) -> str:
    """Share with Clopper and Pearson's interval."""
    from scipy.stats import beta

    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(0.975, hits + 1, n - hits))
    return f"{hits} of {n} = {100 * hits / n:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def _steady(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Data set -> candidate -> mean of all its halves B: far less noise, and of this data set as a whole."""
    kept: dict[str, dict[str, float]] = {}
    for pool in dict.fromkeys(row["pool"] for row in rows):
        some = [row["truth"] for row in rows if row["pool"] == pool]
        kept[pool] = {name: float(np.mean([truth[name] for truth in some])) for name in some[0]}
    return kept


def _best(truth: dict[str, float]) -> set[str]:
    """All that share the first place."""
    return {name for name, value in truth.items() if value >= max(truth.values()) - 1e-9}


def coverage(rows: Sequence[Row]) -> list[str]:
    """How often the 95 % set holds the best, by either truth; and its size."""
    steady, lines = _steady(rows), []
    sets = {
        "95 % set of the full cross-validation": [row["full"]["best"] for row in rows],
        "the two of the rule's last look (no set: those left out are not shown to be worse)": [
            row["finalists"] for row in rows
        ],
    }
    for title, held in sets.items():
        own = sum(bool(_best(row["truth"]) & set(names)) for row, names in zip(rows, held, strict=True))
        mean = sum(bool(_best(steady[row["pool"]]) & set(names)) for row, names in zip(rows, held, strict=True))
        size = np.mean([len(names) for names in held])
        lines.append(f"| {title} | {_interval(own, len(rows))} | {_interval(mean, len(rows))} | {size:.1f} |")
    return lines


def _stated(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of every candidate of every replay: what was stated, what happened by half B, by the mean of all halves, and whether it led."""
    steady, stated, own, mean, led = _steady(rows), [], [], [], []
    for row in rows:
        p_best = row["full"]["p_best"]
        if p_best is None:
            continue
        first = max(p_best, key=p_best.__getitem__)
        best, best_steady = _best(row["truth"]), _best(steady[row["pool"]])
        for name, p in p_best.items():
            stated.append(p)
            own.append((name in best) / len(best))
            mean.append((name in best_steady) / len(best_steady))
            led.append(name == first)
    return np.array(stated), np.array(own), np.array(mean), np.array(led)


def calibration(rows: Sequence[Row]) -> list[str]:
    """Stated probability to be the best against the share that was."""
    stated, own, mean, led = _stated(rows)
    lines = []
    for low, high in pairwise(BANDS):
        band = (stated >= low) & ((stated < high) | (high == 1.0))
        if band.any():
            lines.append(
                f"| {low:.1f} to {high:.1f} | {band.sum()} | {stated[band].mean():.3f} | {own[band].mean():.3f} | {mean[band].mean():.3f} |"
            )
    lines.append(
        f"| the most probable of each replay | {led.sum()} | {stated[led].mean():.3f} | {own[led].mean():.3f} | {mean[led].mean():.3f} |"
    )
    return lines


def calibration_error(rows: Sequence[Row]) -> tuple[float, float]:
    """Mean over bands of |stated - share|, weighed by the probability stated in them; by half B and by the mean of all halves."""
    stated, *happened, _ = _stated(rows)
    errors = []
    for truth in happened:
        total = 0.0
        for low, high in pairwise(BANDS):
            band = (stated >= low) & ((stated < high) | (high == 1.0))
            if band.any():
                total += stated[band].sum() * abs(stated[band].mean() - truth[band].mean())
        errors.append(total / stated.sum())
    return errors[0], errors[1]


def tables(rows: Sequence[Row]) -> str:
    """All tables."""
    names = list(rows[0]["choices"])
    own, mean = calibration_error(rows)
    parts = [
        f"{len(rows)} replays: {len({row['pool'] for row in rows})} data sets, {len(rows[0]['truth'])} candidates.\n",
        "| policy | mean regret (points) | against the mean of all halves B | of the worst data set | worst replay | chose the best | halving minus this | seconds | of full |",
        "|---|---|---|---|---|---|---|---|---|",
        *policy_rows(rows),
        "\nMean regret by data set (* not seen before this run); n of A / B; the best on average:\n",
        "| data set | A / B | best | " + " | ".join(names) + " |",
        "|---|---|---|" + "---|" * len(names),
        *pool_rows(rows),
        "\n| candidates | hold the best of half B | hold the best of the mean over all halves B | how many |",
        "|---|---|---|---|",
        *coverage(rows),
        "\n| stated probability to be the best | times | mean stated | share that was (half B) | share that was (mean of all halves B) |",
        "|---|---|---|---|---|",
        *calibration(rows),
        f"\nError of the stated probabilities: {own:.3f} by half B, {mean:.3f} by the mean of all halves.",
    ]
    return "\n".join(parts)


def write_page(rows: Sequence[Row]) -> None:
    """The tables of the replays into the page."""
    write_tables(PICTURES, tables(rows))


def write_tables(start: str, written: str) -> None:
    """Tables into the page after the line `start`, up to the next `END`; the words around them stay."""
    before, rest = PAGE.read_text("utf-8").split(start)
    PAGE.write_text(f"{before}{start}\n\n{written}\n\n{END}{rest.split(END, 1)[1]}", "utf-8")
