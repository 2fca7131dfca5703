"""From the rows of the audit to its tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy.stats import binom, binomtest

from benchmarks.audit.designs import designs, seed_of
from benchmarks.audit.real import RealDesign
from benchmarks.audit.rules import FOLD_RULES
from benchmarks.audit.run import CLAIMS, COLUMNS, RELATIONS
from benchmarks.audit.simulate import Design

__all__ = ["below", "holm", "load", "pooled", "read", "show", "summary"]

ROPE = 0.01
INDEX = {name: i for i, name in enumerate(COLUMNS)}


def load(folder: Path, seed: int, name: str) -> np.ndarray:
    """`(studies, columns)` rows of one design."""
    files = sorted(folder.glob(f"{name}-{seed}-*.npy"), key=lambda f: int(f.stem.rsplit("-", 1)[1]))
    return np.concatenate([np.load(f) for f in files]) if files else np.empty((0, len(COLUMNS)))


def column(rows: np.ndarray, name: str) -> np.ndarray:
    return rows[:, INDEX[name]]


def truth_of_new_data(design: Design | RealDesign, rows: np.ndarray) -> np.ndarray:
    """`(studies,)` expectation of the difference over data sets: 0 by symmetry, or a smooth function of the drawn gap."""
    truth, gap = column(rows, "truth"), column(rows, "gap")
    if design.null:
        return np.zeros(len(rows))
    if not design.gap:
        return np.full(len(rows), truth.mean())
    odd = np.stack([gap, gap**3, gap**5], axis=1)  # exchanging both candidates changes the sign
    scale = np.abs(odd).max(axis=0)
    return odd / scale @ np.linalg.lstsq(odd / scale, truth, rcond=None)[0]


def summary(design: Design | RealDesign, rows: np.ndarray) -> dict[str, float]:
    """One line of the tables; shares between 0 and 1, NaN where a question does not arise."""
    value, truth = column(rows, "value"), column(rows, "truth")
    expected = truth_of_new_data(design, rows)
    line: dict[str, float] = {"studies": len(rows), "ms": 1000 * float(np.median(column(rows, "seconds")))}
    targets = {
        "new_data": (value, expected),
        "this_data": (value, truth),
        "these_models": (column(rows, "tested"), column(rows, "tested_truth")),
    }
    for claim, (measured, target) in targets.items():
        low, high = column(rows, f"{claim}:low"), column(rows, f"{claim}:high")
        relation = column(rows, f"{claim}:relation")
        claimed = relation >= RELATIONS.index("better")
        signed = np.where(relation == RELATIONS.index("better"), 1, -1)
        q, spread = float(np.median(column(rows, f"{claim}:adjusted"))), float((measured - target).std())
        line |= {
            f"{claim} coverage": float(((low <= target) & (target <= high)).mean()),
            f"{claim} all pairs": float(column(rows, f"{claim}:all_cover").mean()),
            f"{claim} raw": float(column(rows, f"{claim}:raw").mean()),
            f"{claim} claims": float(claimed.mean()),
            f"{claim} wrong sign": float((claimed & (signed != np.sign(target))).mean()),
            f"{claim} width": float(np.median(high - low) / (2 * q * spread)) if spread else np.nan,
            f"{claim} equal": float((relation == 1).mean()),
            f"{claim} false equal": float(((relation == 1) & (np.abs(target) > ROPE)).mean()),
            f"{claim} set holds": float(column(rows, f"{claim}:set").mean()),
            f"{claim} set size": float(column(rows, f"{claim}:set_size").mean()),
            # An oracle that knows the spread leaves out what lies 1.645 spreads behind (two candidates)
            f"{claim} oracle's set size": 1 + float((np.abs(measured) <= 1.645 * spread).mean())
            if pair(design)
            else np.nan,
        }
        if claim == "new_data":
            line["false"] = float(column(rows, "new_data:any").sum()) if design.null else np.nan
            right = claimed & (signed == np.sign(expected))
            line["power"] = np.nan if design.null else float(right.mean())
            oracle = (np.abs(value) > q * spread) & (np.sign(value) == np.sign(expected))
            line["oracle's power"] = np.nan if design.null else float(oracle.mean())
    for rule in FOLD_RULES:
        answer = column(rows, f"rule:{rule}")
        line[rule] = float(
            (answer != 0).mean() if design.null else ((answer != 0) & (answer == np.sign(expected))).mean()
        )
    return line


def pair(design: Design | RealDesign) -> bool:
    return len(getattr(design, "strengths", (1, 1))) == 2


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


def read(part: str, seed: int, folder: Path) -> dict[str, dict[str, float]]:
    """Design -> line, for all designs that were run."""
    loaded = {name: (design, load(folder, seed_of(name, seed), name)) for name, design in designs(part).items()}
    return {name: summary(design, rows) for name, (design, rows) in loaded.items() if len(rows)}


def pooled(table: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """What the promises are about, over all designs."""
    nulls = [line for line in table.values() if not np.isnan(line["false"])]
    studies = sum(line["studies"] for line in nulls)
    found = {"false claims": sum(line["false"] for line in nulls) / studies if studies else np.nan}
    adjusted = holm(table)
    found["smallest p, Holm"] = min(adjusted.values(), default=np.nan)
    for claim in CLAIMS:
        lines = list(table.values())
        found[f"{claim} coverage"] = float(np.mean([v[f"{claim} all pairs"] for v in lines]))
        found[f"{claim} lowest"] = min(v[f"{claim} all pairs"] for v in lines)
        tests = {k: below(v[f"{claim} all pairs"], int(v["studies"]), 0.93) for k, v in table.items()}
        found[f"{claim} smallest p below 93 %, Holm"] = min(1.0, min(tests.values()) * len(tests))
        found[f"{claim} raw"] = float(np.mean([v.get(f"{claim} raw", np.nan) for v in lines]))
        found[f"{claim} raw lowest"] = min(v.get(f"{claim} raw", np.nan) for v in lines)
        found[f"{claim} width"] = float(np.nanmedian([v[f"{claim} width"] for v in lines]))
        found[f"{claim} wrong sign"] = float(np.mean([v[f"{claim} wrong sign"] for v in lines]))
        claims = sum(v[f"{claim} claims"] for v in lines)
        found[f"{claim} wrong of claims"] = sum(v[f"{claim} wrong sign"] for v in lines) / claims if claims else np.nan
        found[f"{claim} false equal"] = float(np.mean([v[f"{claim} false equal"] for v in lines]))
        found[f"{claim} set holds, lowest"] = min(v[f"{claim} set holds"] for v in lines)
    return found


def show(part: str, seed: int, folder: Path) -> None:
    """Print the table, for a person at work."""
    table = read(part, seed, folder)
    keys = ["power", "oracle's power", *(f"{c} {k}" for c in CLAIMS for k in ("all pairs", "width", "wrong sign"))]
    print(f"{'design':28s}{'n':>6s}{'false':>8s}" + "".join(f"{k[:6] + k[-6:]:>13s}" for k in keys))
    for name, line in table.items():
        share = line["false"] / line["studies"]
        print(f"{name:28s}{line['studies']:6.0f}{share:8.3f}" + "".join(f"{line[k]:13.3f}" for k in keys))
    for name, value in pooled(table).items():
        print(f"{name:50s}{value:8.4f}")
