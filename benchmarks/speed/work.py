"""What a contender is asked to do and what it answers: the one protocol of `contenders/`.

A contender is a module with `prepare(work, **options) -> epoch`, where `epoch()` trains once over all pictures of
`work.folder` and returns an `Epoch`. Preparing (imports, building, reading the list of files) is not timed. All contenders
start from the same file of weights and may use the same number of threads and of loading processes.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["LOADERS", "Clock", "Epoch", "Work", "build", "clock", "tutorial_folder", "wait_for_accelerator"]

LOADERS = 2  # loading processes where a framework has them; its own default would be none
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Work:
    """One epoch of fine-tuning.

    Attributes:
        folder: Folder per class with JPEG or PNG files.
        model: Name of a timm architecture.
        weights: Safetensors file with its weights and its own head of 1,000 classes.
        classes: Classes of the new head.
        pictures: Files below `folder`.
        batch: Pictures per step.
        threads: Threads of torch.
        size: Side of the input.
    """

    folder: str
    model: str
    weights: str
    classes: int
    pictures: int
    batch: int
    threads: int = 2
    size: int = 224

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Epoch:
    """What an epoch took; `also` holds further seconds (decoding) that are not in `seconds`."""

    images: int
    seconds: float
    also: dict[str, float] = field(default_factory=dict)


Contender = Callable[[], Epoch]


@dataclass
class Clock:
    """Seconds between entry and exit of `with clock() as timed`."""

    seconds: float = 0.0


@contextmanager
def clock() -> Iterator[Clock]:
    timed, started = Clock(), time.perf_counter()
    try:
        yield timed
    finally:
        wait_for_accelerator()
        timed.seconds = time.perf_counter() - started


def wait_for_accelerator() -> None:
    """A GPU computes after the call has returned: wait for it before the clock is read. Nothing where torch is not in use."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.synchronize()


def build(work: Work) -> Any:
    """The network with the common weights and a new head, as timm's documentation does it."""
    import timm
    from safetensors.torch import load_file

    network = timm.create_model(work.model, pretrained=False)
    network.load_state_dict(load_file(work.weights))
    network.reset_classifier(work.classes)
    return network


def tutorial_folder(work: Work) -> Any:
    """ImageFolder with the transforms of torchvision's and Hugging Face's fine-tuning tutorials."""
    from torchvision import datasets, transforms

    steps = [transforms.RandomResizedCrop(work.size), transforms.RandomHorizontalFlip()]
    steps += [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    return datasets.ImageFolder(work.folder, transforms.Compose(steps))
