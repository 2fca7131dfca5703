"""What is said about the mistakes of masks: the pictures that are most wrong, and what the masks themselves allow.

Before it: what the runs recorded, and the answers that they kept. Beside it: `pixels.py` (classes, borders, objects). After it: the report draws
the pictures with their masks.
"""

from __future__ import annotations

import numpy as np

from weigh.data.examples import Examples
from weigh.findings.amounts import count, share
from weigh.findings.errors.mask_labels import find_regions
from weigh.findings.errors.mistakes import MISTAKES
from weigh.findings.errors.pixels import find_borders, find_confusions, find_missed_objects
from weigh.findings.evidence import Evidence
from weigh.findings.model import Finding
from weigh.findings.questions import asked
from weigh.findings.targets import look_at
from weigh.kinds.mask_statistics import MaskStatistics, compare_with_shifted
from weigh.kinds.masks import Masks
from weigh.language import text
from weigh.metrics.base import METRICS
from weigh.metrics.design import MeasuredDesign
from weigh.stats.estimate import Estimate
from weigh.stats.interval import score_estimate
from weigh.stats.resampling import make_units

__all__ = ["find_mistakes"]

HARDEST = 12  # pictures that are listed: nearly every picture is wrong somewhere
MOST_PIXELS = 40_000_000  # that are moved: some seconds; of more pictures an even choice


@MISTAKES.named(Masks.name)
def find_mistakes(evidence: Evidence, reader: str) -> list[Finding]:
    """Everything about the mistakes of `reader`; none where it has no answers."""
    if not evidence.measured[reader].present.any():
        return []
    parts = (
        find_confusions(evidence, reader),
        find_borders(evidence, reader),
        find_missed_objects(evidence, reader),
        _find_hardest(evidence, reader),
        find_regions(evidence),
        _find_shift(evidence, reader),
    )
    return [finding for finding in parts if finding is not None]


# ---- the hardest pictures


def _find_hardest(evidence: Evidence, reader: str) -> Finding:
    """The pictures with the largest share of wrong pixels, in the mean of the repeats."""
    results, runs = evidence.results, evidence.out_of_fold[reader]
    seen = np.flatnonzero(~np.isnan(runs.mean_distance))
    wrong = runs.mean_distance[seen]
    worst = np.argsort(-wrong, kind="stable")[:HARDEST]
    worst = worst[wrong[worst] > 0]
    sizes = {"mean_wrong": wrong.mean(), "median_wrong": np.median(wrong), "most_wrong": wrong.max()}
    estimates = {
        name: share(float(value), n=len(seen), method="description, no interval") for name, value in sizes.items()
    }
    estimates["examples"] = count(len(seen), "examples")
    sentence = text(
        "In the mean {c} gets {a} % of the pixels of a picture wrong, in half of the pictures at most {m} %, in the worst {x} % ({n} {n:|picture|pictures}).",
        "{c} 平均每张图片判错 {a} % 的像素，一半的图片不超过 {m} %，最差的一张为 {x} %（共 {n} 张图片）。",
        c=evidence.label(reader),
        a=f"{estimates['mean_wrong'].value:.1f}",
        m=f"{estimates['median_wrong'].value:.1f}",
        x=f"{estimates['most_wrong'].value:.1f}",
        n=len(seen),
    )
    rows = [_row(evidence, reader, int(seen[i]), float(wrong[i])) for i in worst.tolist()]
    return Finding(
        id="errors:hardest",
        kind="errors",
        **asked("errors:pictures", "yes"),
        sentence=sentence,
        estimates=estimates,
        examples=[row["path"] for row in rows],
        candidates=[reader],
        next=[look_at(results)] if rows else [],
        table=rows,
    )


def _row(evidence: Evidence, reader: str, i: int, wrong: float) -> dict:
    """One picture: how much of it is wrong, and which confusion makes most of that."""
    results, runs = evidence.results, evidence.out_of_fold[reader]
    classes = results.examples.classes
    row = {"path": str(results.examples.path[runs.indices[i]]), "wrong": f"{100 * wrong:.1f} %"}
    statistics = runs.answers[runs.present[:, i], i].astype(np.float64)
    confusion = MaskStatistics(statistics, len(classes)).confusion
    if confusion is not None:
        cells = confusion.sum(axis=0)
        np.fill_diagonal(cells, 0)
        a, b = np.unravel_index(int(cells.argmax()), cells.shape)
        values = {"a": classes[a], "b": classes[b], "s": f"{100 * cells[a, b] / cells.sum():.0f}"}
        named = text("'{a}' taken for '{b}' ({s} %)", "“{a}”判成“{b}”（{s} %）", **values)
        row["confusion"] = named._asdict()
    return row


# ---- what the masks allow


def _find_shift(evidence: Evidence, reader: str) -> Finding | None:
    """The score of masks against themselves moved by one pixel; None where no class occurs."""
    examples = evidence.results.examples.subset(evidence.out_of_fold[reader].indices)
    chosen = _some(examples)
    target, metric = examples.target[chosen], METRICS.get("mean_iou")
    counts = np.stack([compare_with_shifted(mask) for mask in target])
    design = MeasuredDesign(
        metric,
        counts.reshape(1, len(chosen), -1),
        np.zeros((1, len(chosen)), dtype=np.int16),
        np.ones((1, len(chosen)), dtype=bool),
        target,
        seeded=False,
    )
    grouped = evidence.units.name == "groups"
    units = make_units(examples.kind, target, evidence.units.of[chosen] if grouped else None)
    kept = score_estimate(design, units, claim="these_models", level=evidence.level)
    if not np.isfinite(kept.value):
        return None
    lost = kept.model_copy(
        update={
            "value": 100 * (1 - kept.value),
            "low": None if kept.high is None else 100 * (1 - kept.high),
            "high": None if kept.low is None else 100 * (1 - kept.low),
            "unit": "points",
        }
    )
    totals = counts.sum(axis=0)
    union = totals[:, 1] + totals[:, 2] - totals[:, 0]
    occurs = np.flatnonzero(union > 0)
    iou = totals[occurs, 0] / union[occurs]
    names = [examples.classes[c] for c in occurs.tolist()]
    most = int(iou.argmin())
    estimates = {
        "cost": lost,
        "score": kept,
        "lowest_iou": Estimate(value=float(iou[most]), method="description, no interval"),
        "examples": count(len(chosen), "examples"),
    }
    sentence = text(
        "Masks moved by one pixel (in the mean of the eight directions) reach a mean IoU of {s} against themselves: {l} points are lost; most by '{w}', "
        "which keeps an IoU of {i} ({n} {n:|picture|pictures}). If borders are drawn no more exactly than to a pixel, no model can be expected to score much higher.",
        "把掩码移动一个像素（取八个方向的平均），与原掩码相比平均 IoU 只有 {s}，损失 {l} 个百分点；受影响最大的是“{w}”，IoU 只剩 {i}"
        "（共 {n} 张图片）。如果边界的标注精度只有一个像素，就不能指望任何模型的得分明显更高。",
        s=kept.format(),
        l=f"{lost.value:.1f}",
        w=names[most],
        i=f"{iou[most]:.3f}",
        n=len(chosen),
    )
    return Finding(
        id="errors:shift",
        kind="errors",
        **asked("errors:shift", "yes"),
        severity="detail",
        sentence=sentence,
        estimates=estimates,
        table=[{"class": name, "IoU": round(float(value), 4)} for name, value in zip(names, iou, strict=True)],
    )


def _some(examples: Examples) -> np.ndarray:
    """Indices of all examples, or of an even choice of so many as can be moved in a few seconds."""
    pixels = int(examples.kind.sizes(examples.target).prod(axis=1).sum())
    n = len(examples)
    return np.unique(np.linspace(0, n - 1, max(1, min(n, n * MOST_PIXELS // max(pixels, 1)))).astype(np.int64))
