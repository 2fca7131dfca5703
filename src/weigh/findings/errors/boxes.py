"""What is said about the mistakes of boxes: what each sort costs, which objects are missed, counts, the hardest pictures, boxes to look at.

Before it: what the runs recorded of every picture (`kinds/box_statistics.py`). After it: the report draws the pictures with their boxes.
"""

from __future__ import annotations

import numpy as np

from weigh.findings.amounts import count
from weigh.findings.errors.box_costs import find_costs
from weigh.findings.errors.box_labels import find_suspects
from weigh.findings.errors.mistakes import MISTAKES
from weigh.findings.errors.object_counts import find_counts
from weigh.findings.errors.objects import find_missed_boxes
from weigh.findings.errors.sightings import Sightings, sightings_of
from weigh.findings.evidence import Evidence
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.targets import look_at
from weigh.kinds.boxes import BOXES
from weigh.language import text
from weigh.stats.estimate import Estimate

__all__ = ["find_mistakes"]

HARDEST = 12  # pictures that are listed


@MISTAKES.named(BOXES.name)
def find_mistakes(evidence: Evidence, reader: str) -> list[Finding]:
    """Everything about the mistakes of `reader`; none where it has no answers."""
    if not evidence.measured[reader].present.any():
        return []
    sightings = {name: sightings_of(evidence, name) for name in (reader, *evidence.rivals)}
    own = sightings[reader]
    parts = (
        find_costs(evidence, reader, sightings),
        *find_missed_boxes(evidence, reader, own),
        find_counts(evidence, reader, own),
        _find_hardest(evidence, reader, own),
        find_suspects(evidence, sightings),
    )
    return [finding for finding in parts if finding is not None]


def _find_hardest(evidence: Evidence, reader: str, sightings: Sightings) -> Finding:
    """The pictures with the lowest F1 of what is told, in the mean of the repeats."""
    results, runs = evidence.results, evidence.out_of_fold[reader]
    seen = np.flatnonzero(~np.isnan(runs.mean_distance))
    wrong = runs.mean_distance[seen]
    worst = np.argsort(-wrong, kind="stable")[:HARDEST]
    worst = worst[wrong[worst] > 0]
    values = {"median_f1": 1 - np.median(wrong), "lowest_f1": 1 - wrong.max()}
    estimates = {
        name: Estimate(value=float(value), n=len(seen), method="description, no interval")
        for name, value in values.items()
    }
    right = int((wrong == 0).sum())
    estimates |= {"all_found": count(right, "examples"), "examples": count(len(seen), "examples")}
    sentence = text(
        "In {k} of {n} pictures {c} finds every object and nothing else. In half of the {n} pictures F1 is at least {m}, in the worst one it is {x}.",
        "在 {n} 张图片中，{c} 对 {k} 张既无漏检也无误检。{n} 张中有一半的 F1 不低于 {m}，最差的一张为 {x}。",
        c=evidence.label(reader),
        k=right,
        n=len(seen),
        m=f"{values['median_f1']:.2f}",
        x=f"{values['lowest_f1']:.2f}",
    )
    rows = [_row(evidence, runs.indices, sightings, int(seen[i])) for i in worst.tolist()]
    return Finding(
        id="errors:hardest",
        kind="errors",
        **asked("errors:worst", "yes"),
        sentence=sentence,
        estimates=estimates,
        examples=[row["path"] for row in rows],
        candidates=[reader],
        next=[look_at(results)] if rows else [],
        table=rows,
    )


def _row(evidence: Evidence, indices: np.ndarray, sightings: Sightings, i: int) -> dict:
    """One picture: how many objects are missed and how many boxes are wrong, in its first repeat."""
    repeat = int(np.flatnonzero(sightings.present[:, i])[0])
    told, boxes = sightings.told(repeat, i), sightings.target[i]
    judged = ~boxes.crowd & (boxes.classes >= 0)
    missed = int((judged & ~told.objects(len(judged))).sum())
    mistakes = text(
        "{m} of {n} objects missed, {w} of {t} boxes wrong",
        "{n} 个目标漏检 {m} 个，{t} 个框误检 {w} 个",
        m=missed,
        n=int(judged.sum()),
        w=int((told.object < 0).sum()),
        t=len(told.object),
    )
    return {"path": str(evidence.results.examples.path[indices[i]]), "mistakes": mistakes._asdict()}
