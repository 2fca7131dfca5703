"""The data of `weigh demo --boxes`: drawn pictures (`pictures/drawn.py`) with a box around what is seen of each object, and as a study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from weigh.data.pictures.drawn import CLASSES, PICTURES, draw_scenes, drawn_study
from weigh.disk import write_file
from weigh.language import text
from weigh.tasks import OBJECT_DETECTION

__all__ = ["DRAWN", "box_demo_spec", "draw_demo"]

DRAWN = text(
    "These {n} pictures were drawn for the demo, so their boxes are exact; nothing here speaks about real photographs.",
    "这 {n} 张图片是为演示绘制的，因此框完全精确；结果不代表真实照片。",
    n=PICTURES,
)
LEAST_SEEN = 30  # pixels: an object of which less is seen has no box


def draw_demo(folder: Path) -> Path:
    """Write `images/` and `instances.json` (COCO) below `folder`, the same every time; returns the folder."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, scene in enumerate(draw_scenes(folder)):
        height, width = scene.objects.shape
        images.append({"id": number, "file_name": scene.file, "width": width, "height": height})
        for item in range(1, len(scene.kinds)):
            rows, columns = np.nonzero(scene.objects == item)
            if len(rows) < LEAST_SEEN:
                continue
            left, top = int(columns.min()), int(rows.min())
            box = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
            own = {"id": len(annotations), "image_id": number, "category_id": int(scene.kinds[item])}
            annotations.append({**own, "bbox": box, "area": len(rows), "iscrowd": 0})
    categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES) if i]
    content = {"images": images, "annotations": annotations, "categories": categories}
    write_file(folder / "instances.json", json.dumps(content))
    return folder


def box_demo_spec(folder: Path, *, offline: bool = True) -> dict[str, Any]:
    """The study of the demo, as for study.yaml: light detectors on the frozen maps of two networks, three folds."""
    return drawn_study(folder, draw_demo(folder / "drawn"), OBJECT_DETECTION, repeats=1, offline=offline)
