"""The data of `make demo`: photos of solar cells from the package elpv-dataset, as a table and as a study.

The package is found by its metadata and never imported. Its order is kept: cells of one module stand next to each other
and conditions drift along the file, which the order check is there to show. Licence of the photos: CC BY-NC-SA 4.0;
Deitsch et al. (2019), Automatic classification of defective photovoltaic module cells in electroluminescence images.
"""

from __future__ import annotations

import csv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from weigh.disk import replacing
from weigh.errors import DataError, MissingExtra
from weigh.language import text
from weigh.tasks import IMAGE_CLASSIFICATION

__all__ = ["DEMO_MODELS", "demo_root", "demo_spec", "demo_table"]

PACKAGE = "elpv-dataset"
DEMO_MODELS = ("timm:tf_efficientnet_lite0", "timm:tf_efficientnet_lite1", "timm:tf_efficientnet_lite2")


def demo_root() -> Path:
    """The folder of the package that holds `labels.csv` and `images/`.

    Raises:
        MissingExtra: The package is not installed.
        DataError: It is installed without its data.
    """
    try:
        installed = distribution(PACKAGE)
    except PackageNotFoundError:
        raise MissingExtra(
            PACKAGE, text("the demo's photos of solar cells", "演示用的太阳能电池照片"), "demo"
        ) from None
    for file in installed.files or ():
        if file.name == "labels.csv":
            root = Path(str(installed.locate_file(file))).resolve().parent
            if (root / "images").is_dir():
                return root
    raise DataError(
        text("The package {p} holds no labels.csv with images.", "软件包 {p} 中没有 labels.csv 和图片。", p=PACKAGE),
        do=text(
            "Install it anew: pip install --force-reinstall {p}",
            "请重新安装：pip install --force-reinstall {p}",
            p=PACKAGE,
        ),
    )


def demo_table(folder: Path) -> Path:
    """Write `folder/cells.csv` (path, label, type) in the package's own order and return its path.

    A cell is "defective" where the experts' probability of a defect is at least one half, else "functional". Paths are
    relative to `demo_root()`, which belongs into `data.root`.
    """
    root = demo_root()
    rows = [line.split() for line in (root / "labels.csv").read_text("utf-8").splitlines() if line.strip()]
    table = folder / "cells.csv"
    with replacing(table) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "label", "type"])
        for path, probability, cell_type in rows:
            writer.writerow([path, "defective" if float(probability) >= 0.5 else "functional", cell_type])
    return table


def demo_spec(folder: Path, *, offline: bool = True) -> dict[str, Any]:
    """The study of the demo, as for study.yaml: three backbones, probes, 5 folds x 5 repeats, a held-out fifth.

    The primary metric is AUROC, the measure in which the effect of neighbouring cells on this file is known.
    """
    table = demo_table(folder)
    return {
        "name": "solar-cells",
        "task": IMAGE_CLASSIFICATION,
        "data": {"train": str(table), "root": str(demo_root()), "positive": "defective"},
        "models": list(DEMO_MODELS),
        "recipes": [{"name": "probe"}],
        "design": {"folds": 5, "repeats": 5, "test": 0.2},
        "metrics": {"primary": "auroc"},
        "output": {"folder": str(folder)},
        "run": {"offline": offline},
    }
