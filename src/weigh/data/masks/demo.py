"""The data of `weigh demo --masks`: drawn pictures (`pictures/drawn.py`) with their masks, and as a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from weigh.data.pictures.drawn import CLASSES, PICTURES, draw_scenes, drawn_study
from weigh.disk import replacing, write_file
from weigh.language import text
from weigh.tasks import SEMANTIC_SEGMENTATION

__all__ = ["DRAWN", "draw_demo", "mask_demo_spec"]

DRAWN = text(
    "These {n} pictures were drawn for the demo, so their masks are exact; nothing here speaks about real photographs.",
    "这 {n} 张图片是为演示绘制的，因此掩码完全精确；结果不代表真实照片。",
    n=PICTURES,
)


def draw_demo(folder: Path) -> Path:
    """Write `images/`, `masks/` and `classes.txt` below `folder`, the same every time; returns the folder."""
    for scene in draw_scenes(folder):
        with replacing(folder / "masks" / scene.file) as temporary:
            Image.fromarray(scene.kinds[scene.objects]).save(temporary, "PNG")
    write_file(folder / "classes.txt", "\n".join(CLASSES) + "\n")
    return folder


def mask_demo_spec(folder: Path, *, offline: bool = True) -> dict[str, Any]:
    """The study of the demo, as for study.yaml: light decoders on the frozen maps of two networks, three folds."""
    return drawn_study(folder, draw_demo(folder / "drawn"), SEMANTIC_SEGMENTATION, repeats=2, offline=offline)
