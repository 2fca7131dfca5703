"""Studies of masks with known truth: scenes of a few blocks, and answers that are moved and noisy copies of them."""

from __future__ import annotations

import numpy as np

from tests.findings.synthetic import make_results
from weigh.kinds.base import rows_of
from weigh.kinds.label_map import LabelMap
from weigh.kinds.masks import MASKS
from weigh.record.results import Results

__all__ = ["CLASSES", "mask_study"]

CLASSES = ("sky", "road", "car", "sign")


def mask_study(*, n: int = 40, tested: int = 0, seed: int = 0, **options) -> Results:
    """`good` is off by a pixel, `poor` by three and noisier, the control `untrained` by five: every candidate in two repeats.

    Args:
        tested: Pictures of a test part.
        options: Of `make_results`.
    """
    rng = np.random.default_rng(seed)
    scenes = [_scene(rng) for _ in range(n + tested)]
    target = rows_of([LabelMap.of(np.where(rng.random(one.shape) < 0.03, -1, one), len(CLASSES)) for one in scenes])

    def recorded(noise: float, moved: int, which: range) -> np.ndarray:
        answers = [_answer(rng, scenes[i], noise, moved) for i in which]
        return MASKS.recorded(rows_of(answers), target[list(which)])

    how = {"good": (0.05, 1), "poor": (0.15, 3), "untrained": (0.4, 5)}
    return make_results(
        {name: np.stack([recorded(*off, range(n)) for _ in range(2)]) for name, off in how.items()},
        target[:n],
        classes=CLASSES,
        recipes={"good": "finetune", "poor": "finetune"},
        controls=("untrained",),
        test={name: recorded(*how[name], range(n, n + tested)) for name in ("good", "poor")} if tested else None,
        test_target=target[n:] if tested else None,
        task="semantic-segmentation",
        metrics={"primary": "mean_iou"},
        **options,
    )


def _scene(rng: np.random.Generator) -> np.ndarray:
    """Sky above a road, a car in most of them, a sign in some."""
    scene = np.zeros((24, 32), int)
    scene[rng.integers(8, 16) :] = 1
    for label, chance, size in ((2, 0.6, (6, 8)), (3, 0.3, (4, 3))):
        if rng.random() < chance:
            y, x = (int(rng.integers(0, side - own)) for side, own in zip(scene.shape, size, strict=True))
            scene[y : y + size[0], x : x + size[1]] = label
    return scene


def _answer(rng: np.random.Generator, scene: np.ndarray, noise: float, moved: int) -> LabelMap:
    there = np.roll(scene, rng.integers(-moved, moved + 1, 2), (0, 1))
    drawn = rng.integers(0, len(CLASSES), scene.shape)
    return LabelMap.of(np.where(rng.random(scene.shape) < noise, drawn, there), len(CLASSES))
