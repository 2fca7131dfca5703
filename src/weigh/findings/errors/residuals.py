"""How far off are predicted numbers, which way, and where most? The counterpart, for numbers, of the list of the hardest examples (`hardest.py`).

Before it: the winner's out-of-fold numbers. After it: the report shows the first of the examples that are furthest off.
"""

from __future__ import annotations

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.errors.mistakes import MISTAKES
from weigh.findings.evidence import Evidence
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.targets import look_at
from weigh.kinds.number import Number
from weigh.language import text
from weigh.stats.estimate import Estimate

__all__ = ["find_residuals"]

FURTHEST = 24  # examples that are listed: any number of examples is off by something


@MISTAKES.named(Number.name)
def find_residuals(evidence: Evidence, reader: str) -> list[Finding]:
    """One finding about `reader`, whose predictions are averaged over its repeats; none where it has no predictions."""
    runs, present = evidence.out_of_fold[reader], evidence.measured[reader].present
    often = present.sum(axis=0)
    seen = np.flatnonzero(often > 0)
    if not len(seen):
        return []
    values = np.stack([runs.prediction(repeat).labels for repeat in range(len(runs.answers))])
    mean = np.where(present, values, 0.0).sum(axis=0)[seen] / often[seen]
    target = runs.target[seen]
    off = mean - target
    distance = np.abs(off)
    worst = np.argsort(-distance, kind="stable")[:FURTHEST]
    sizes = {
        "mean_error": float(distance.mean()),
        "median_error": float(np.median(distance)),
        "largest_error": float(distance.max()),
        "mean_offset": float(off.mean()),
    }
    estimates = {
        name: Estimate(value=value, n=len(seen), method="description, no interval", unit="label units")
        for name, value in sizes.items()
    }
    estimates["examples"] = count(len(seen), "examples")
    digits = max(0, 3 - int(np.floor(np.log10(max(sizes["largest_error"], 1e-300)))) - 1)
    written = {name: f"{abs(value):.{min(digits + 1, 12)}f}" for name, value in sizes.items()}
    written |= {name: _not_nothing(sizes[name], written[name]) for name in ("mean_error", "median_error")}
    sentence = text(
        "Predictions of {c} are off by {a} in the mean (in the unit of the label), half of them by {m} at most, the worst by {x} ({n} "
        "examples).",
        "{c} 的预测平均偏差为 {a}（以标签的单位计），一半的偏差不超过 {m}，最大偏差为 {x}（{n} 个样本）。",
        c=evidence.label(reader),
        a=written["mean_error"],
        m=written["median_error"],
        x=written["largest_error"],
        n=len(seen),
    )
    sentence += (
        text("On average they are neither too high nor too low.", "总体上既不偏高也不偏低。")
        if float(written["mean_offset"]) == 0
        else text("On average they are too high by {o}.", "总体上偏高 {o}。", o=written["mean_offset"])
        if sizes["mean_offset"] > 0
        else text("On average they are too low by {o}.", "总体上偏低 {o}。", o=written["mean_offset"])
    )
    paths = evidence.results.examples.path[runs.indices[seen]]
    rows = [
        {
            "path": str(paths[i]),
            "given": f"{target[i]:.6g}",
            "predicted": f"{mean[i]:.6g}",
            "off": round(float(off[i]), 6),
        }
        for i in worst.tolist()
    ]
    return [
        Finding(
            id="errors:hardest",
            kind="errors",
            **asked("errors:residuals", "yes"),
            sentence=sentence,
            estimates=estimates,
            examples=[row["path"] for row in rows],
            candidates=[reader],
            next=[look_at(evidence.results)],
            table=rows,
        )
    ]


def _not_nothing(value: float, written: str) -> str:
    """A number beside a much larger one: with as many digits as show that it is not 0, where it is not."""
    if value == 0 or float(written) > 0:
        return written
    return f"{value:.{min(1 - int(np.floor(np.log10(value))), 12)}f}"
