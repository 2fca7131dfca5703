"""The tasks: what an example is labelled with (kind) times what it is made of (medium). One line each; no torch.

Kinds: `kinds/`. Media: `data/readers.py` reads and checks them, `inputs/` feeds them to networks. Heads and losses of kinds: `heads/`. Third parties add
a task under the entry point `task.NAME`.
"""

from __future__ import annotations

from dataclasses import dataclass

from weigh.language import text
from weigh.registry import Registry

__all__ = [
    "IMAGE_CLASSIFICATION",
    "IMAGE_REGRESSION",
    "OBJECT_DETECTION",
    "SEMANTIC_SEGMENTATION",
    "TASKS",
    "TEXT_CLASSIFICATION",
    "TEXT_REGRESSION",
    "TOKEN_CLASSIFICATION",
    "Task",
]


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: As in study.yaml, and as the hub calls it where it does.
        kinds: Names of the kinds of targets; where there are two, the data say which.
        medium: Name of what its examples are made of.
        pipeline: Name of the hub's pipeline, where it is another: the hub has none for one number per example.
    """

    name: str
    kinds: tuple[str, ...]
    medium: str
    pipeline: str = ""


TASKS: Registry[Task] = Registry(text("task", "任务"))


def _add(name: str, kinds: tuple[str, ...], medium: str, pipeline: str = "") -> str:
    return TASKS.register(name, Task(name, kinds, medium, pipeline)).name


IMAGE_CLASSIFICATION = _add("image-classification", ("label", "labels"), "pictures")
IMAGE_REGRESSION = _add("image-regression", ("number",), "pictures", pipeline="image-classification")
TEXT_CLASSIFICATION = _add("text-classification", ("label", "labels"), "texts")
TEXT_REGRESSION = _add("text-regression", ("number",), "texts", pipeline="text-classification")
TOKEN_CLASSIFICATION = _add("token-classification", ("spans",), "sentences")
SEMANTIC_SEGMENTATION = _add("semantic-segmentation", ("masks",), "pictures", pipeline="image-segmentation")
OBJECT_DETECTION = _add("object-detection", ("boxes",), "pictures")
