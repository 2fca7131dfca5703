"""The tasks: what an example is labelled with (kind) times what it is made of (medium). One line each; no torch.

Kinds: `kinds/`. Media: `data/readers.py` reads and checks them, `inputs/` feeds them to networks. Heads and losses of kinds: `heads/`. Third parties add
a task under the entry point `task.NAME`.
"""

from __future__ import annotations

from dataclasses import dataclass

from weigh.errors import SpecError
from weigh.language import text
from weigh.registry import Registry

__all__ = ["PLANNED", "TASKS", "Task", "registered_task"]


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: As in study.yaml, and as the hub calls it where it does.
        kinds: Names of the kinds of targets; where there are two, the data say which.
        medium: Name of what its examples are made of.
        pipeline: Name of the hub's pipeline, where it is another.
    """

    name: str
    kinds: tuple[str, ...]
    medium: str
    pipeline: str = ""


TASKS: Registry[Task] = Registry(text("task", "任务"))
for _task in (
    Task("image-classification", ("label", "labels"), "pictures"),
    Task("image-regression", ("number",), "pictures", pipeline="image-classification"),
    Task("text-classification", ("label", "labels"), "texts"),
    Task(
        "text-regression", ("number",), "texts", pipeline="text-classification"
    ),  # the hub has no name for one number per text
    Task("token-classification", ("spans",), "sentences"),
):
    TASKS.register(_task.name, _task)
PLANNED = ("object-detection", "semantic-segmentation")  # named in messages: nothing reads or trains them yet


def registered_task(name: str) -> Task:
    """The task of that name.

    Raises:
        SpecError: There is none, or it is only planned; says which there are.
    """
    if name in PLANNED and name not in TASKS:
        raise SpecError(
            text("The task {t} is planned but not built yet.", "任务 {t} 已在计划中，但尚未实现。", t=name),
            do=text("Built: {b}.", "已实现：{b}。", b=", ".join(TASKS)),
        )
    return TASKS.get(name)
