"""What was measured, as small JSON files in results/: one for each part, with the machine and the versions.

The page is written from these files alone, so it can be rebuilt without measuring again. No paths and no names of
machines are kept.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "environment", "load", "machine", "save"]

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "torchvision", "timm", "numpy", "scikit-learn", "pillow", "polars")


def machine() -> dict[str, Any]:
    """The processor, what decides about bf16, its cores, the load before the start, versions, the commit."""
    name, lines = platform.processor() or platform.machine(), list[str]()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "processor": name,
        "instructions": [flag for flag in ("avx512_bf16", "amx_bf16") if flag in flags],
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {package: found for package in PACKAGES if (found := _version(package))},
        "commit": head.stdout.strip(),
    }


def environment(threads: int) -> dict[str, str]:
    """The same settings for every process that is measured."""
    count = str(threads)
    fixed = {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count}
    quiet = {"HF_HUB_OFFLINE": "1", "WEIGH_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "TQDM_DISABLE": "1"}
    return {**os.environ, **fixed, **quiet}


def save(name: str, content: dict[str, Any], folder: Path | None = None) -> Path:
    """Write `name`.json; called after every round, so that a stopped run leaves its rounds."""
    folder = folder or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", "utf-8")
    return file


def load(pattern: str, folder: Path | None = None) -> dict[str, dict[str, Any]]:
    """Name -> content of the files that match, in the order of names."""
    found = sorted((folder or RESULTS).glob(f"{pattern}.json"))
    return {file.stem: json.loads(file.read_text("utf-8")) for file in found}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
