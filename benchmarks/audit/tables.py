"""From the rows of the audit to its tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.stats import binom, binomtest

from benchmarks.audit.designs import designs
from benchmarks.audit.rules import FOLD_RULES
from benchmarks.audit.run import COLUMNS, RELATIONS
from benchmarks.audit.simulate import Design

__all__ = ["holm", "load", "summary"]

ROPE = 0.01
INDEX = {name: i for i, name in enumerate(COLUMNS)}


def load(folder: Path, seed: int, name: str) -> np.ndarray:
    """`(studies, columns)` rows of one design."""
    files = sorted(folder.glob(f"{name}-{seed}-*.npy"), key=lambda f: int(f.stem.rsplit("-", 1)[1]))
    return np.concatenate([np.load(f) for f in files]) if files else np.empty((0, len(COLUMNS)))


def column(rows: np.ndarray, name: str) -> np.ndarray:
    return rows[:, INDEX[name]]


def truth_of_new_data(design: Design, rows: np.ndarray) -> np.ndarray:
    """`(studies,)` expectation of the difference over data sets: 0 by symmetry, or a smooth function of the drawn gap."""
    truth, gap = column(rows, "truth"), column(rows, "gap")
    if design.null:
        return np.zeros(len(rows))
    if not design.gap:
        return np.full(len(rows), truth.mean())
    odd = np.stack([gap, gap**3, gap**5], axis=1)  # exchanging both candidates changes the sign
    scale = np.abs(odd).max(axis=0)
    return odd / scale @ np.linalg.lstsq(odd / scale, truth, rcond=None)[0]


def summary(name: str, design: Design, rows: np.ndarray) -> dict[str, float]:
    """One line of the table."""
    value, truth = column(rows, "value"), column(rows, "truth")
    expected = truth_of_new_data(design, rows)
    line: dict[str, float] = {"studies": len(rows)}
    spread_new, spread_this = (value - expected).std(), (value - truth).std()
    for claim, target, spread in (("new_data", expected, spread_new), ("this_data", truth, spread_this)):
        low, high = column(rows, f"{claim}:low"), column(rows, f"{claim}:high")
        relation = column(rows, f"{claim}:relation")
        claimed = relation >= RELATIONS.index("better")
        signed = np.where(relation == RELATIONS.index("better"), 1, -1)
        q = np.median(column(rows, f"{claim}:adjusted"))
        if claim == "new_data":
            line["false"] = float(column(rows, "new_data:any").sum()) if design.null else np.nan
            line["false_equal"] = float(((relation == 1) & (np.abs(expected) > ROPE)).mean())
            line["power"] = float((claimed & (signed == np.sign(expected))).mean()) if not design.null else np.nan
            line["power_oracle"] = float((np.abs(value) > q * spread).mean()) if not design.null else np.nan
            line["cover_new"] = float(((low <= target) & (target <= high)).mean())
            line["width_new"] = float(np.median(high - low) / (2 * q * spread)) if spread else np.nan
        else:
            line["cover_this"] = float(column(rows, "this_data:all_cover").mean())
            line["cover_pair"] = float(((low <= target) & (target <= high)).mean())
            line["claims_this"] = float(claimed.mean())
            line["wrong_sign"] = float((claimed & (signed != np.sign(target))).mean())
            line["width_this"] = float(np.median(high - low) / (2 * q * spread)) if spread else np.nan
            line["false_equal_this"] = float(((relation == 1) & (np.abs(target) > ROPE)).mean())
    line["set_holds"] = float(column(rows, "this_data:set").mean())
    line["set_size"] = float(column(rows, "this_data:set_size").mean())
    line["ms"] = 1000 * float(np.median(column(rows, "seconds")))
    for rule in FOLD_RULES:
        answer = column(rows, f"rule:{rule}")
        wrong = answer != 0 if design.null else (answer != 0) & (answer == np.sign(expected))
        line[rule] = float(wrong.mean())
    return line


def holm(table: dict[str, dict[str, float]], promise: float = 0.05) -> dict[str, float]:
    """Design -> Holm-adjusted one-sided exact p-value of "false claims <= promise"."""
    known = {k: v for k, v in table.items() if not np.isnan(v["false"])}
    p = {k: float(binom.sf(v["false"] - 1, int(v["studies"]), promise)) for k, v in known.items()}
    adjusted, worst = {}, 0.0
    for rank, name in enumerate(sorted(p, key=p.__getitem__)):
        worst = max(worst, min(1.0, p[name] * (len(p) - rank)))
        adjusted[name] = worst
    return adjusted


def below(share: float, studies: int, promise: float) -> float:
    """One-sided exact p-value of "coverage >= promise"."""
    return float(binomtest(round(share * studies), studies, promise, alternative="less").pvalue)


def show(part: str, seed: int, folder: Path) -> None:
    """Print the table, for a person at work."""
    table = {}
    for name, design in designs(part).items():
        rows = load(folder, seed, name)
        if len(rows):
            table[name] = summary(name, design, rows)
    keys = ["false", "false_equal", "power", "power_oracle", "cover_new", "width_new", "cover_this", "cover_pair"]
    keys += ["claims_this", "wrong_sign", "width_this", "set_holds", "set_size", "ms", "Nadeau-Bengio", "naive t"]
    print(f"{'design':28s}{'n':>6s}" + "".join(f"{k[:10]:>11s}" for k in keys))
    for name, line in table.items():
        line = {**line, "false": line["false"] / line["studies"]}
        print(f"{name:28s}{line['studies']:6.0f}" + "".join(f"{line[k]:11.3f}" for k in keys))
    adjusted = holm(table)
    false = sum(v["false"] for k, v in table.items() if k in adjusted)
    print(
        "pooled false",
        false / max(sum(table[k]["studies"] for k in adjusted), 1),
        "smallest p",
        min(adjusted.items(), key=lambda x: x[1]),
    )
    print(
        "pooled cover this",
        np.mean([v["cover_this"] for v in table.values()]),
        "median width",
        np.median([v["width_this"] for v in table.values()]),
    )
    print(
        "wrong sign",
        np.mean([v["wrong_sign"] for v in table.values()]),
        "of claims",
        sum(v["wrong_sign"] for v in table.values()) / sum(v["claims_this"] for v in table.values()),
    )
