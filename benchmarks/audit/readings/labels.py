"""Suspected labels: clean and flipped labels of models that are calibrated and that are not; a "yes" is never said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.audit.readings.part import Kept, Part, Row, exact_p, smallest, stream
from weigh.stats.calibration import fit_temperature
from weigh.stats.label_errors import find_label_errors, flags_by_chance

__all__ = ["PART"]

DRAWS = 60


def rows(studies: int, seed: int) -> Iterator[Row]:
    """How often "these are more" is said, wrong ones among the flagged, flags over those by chance."""
    for n in (300, 1000):
        for sharpness in (1.0, 2.0):
            for share in (0.0, 0.01, 0.05):
                rng, shown = stream(seed, f"labels {n} {sharpness} {share}"), []
                for _ in range(studies):
                    signal = 2.0 * rng.standard_normal(n)
                    right = (rng.random(n) < 1 / (1 + np.exp(-signal))).astype(np.int64)
                    flipped = rng.random(n) < share
                    target, logit = np.where(flipped, 1 - right, right), sharpness * signal
                    logits = np.stack([np.zeros(n), logit], axis=1)
                    p, scaled = _shares(logit), _shares(logit / fit_temperature(logits, target))
                    flagged = find_label_errors(target, p).flagged
                    chance = flags_by_chance(p, scaled, multilabel=False, rng=rng, draws=DRAWS)
                    wrong = (flagged & flipped).sum() / max(flagged.sum(), 1)
                    shown.append(
                        (
                            flagged.sum() > np.ceil(np.quantile(chance, 0.975)),
                            wrong,
                            flagged.sum() / max(chance.mean(), 1),
                        )
                    )
                sure = "calibrated" if sharpness == 1 else "too sure by a temperature of 2"
                yield Row(f"{n} examples, {sure}, {100 * share:g} % flipped", studies, *np.mean(shown, axis=0))


def _shares(logit: np.ndarray) -> np.ndarray:
    p = 1 / (1 + np.exp(-logit))
    return np.stack([1 - p, p], axis=1)


def _promise(rows: Sequence[Mapping[str, float]]) -> Kept:
    null = [row for row in rows if " 0 % flipped" in row["design"]]
    p = exact_p(null, "first", 0.05)
    return Kept(
        'Whether labels are wrong is never answered with "yes". Promised: "these are more" on clean labels in at most 5 %. '
        f"Pooled {100 * np.mean([row['first'] for row in null]):.1f} %, smallest exact p, Holm: {smallest(p):.3f}.",
        p,
    )


PART = Part(
    "Labels that look wrong",
    ('"these are more", %', "wrong among the flagged, %", "flags over those by chance"),
    rows,
    _promise,
)
