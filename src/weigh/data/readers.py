"""What reads and checks examples of each medium, of a study, new ones and those without labels: one entry per medium, one door for whoever has a specification.

Before it: `recognition/tasks.py` names the task. After it: `weigh data` and `plan/prepare.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from weigh.data.examples import Examples, LeftOut, NewExamples
from weigh.data.pictures.checks import check_pictures
from weigh.data.pictures.decoding import thumbnail_bytes
from weigh.data.pictures.index import read_images
from weigh.data.pictures.unlabelled import new_pictures, read_unlabelled_pictures
from weigh.data.recognition.tasks import recognise_task
from weigh.data.sentences.index import read_tokens
from weigh.data.texts.checks import check_texts
from weigh.data.texts.index import read_texts
from weigh.data.texts.new_texts import new_sentences, new_texts
from weigh.data.texts.unlabelled import read_unlabelled_texts
from weigh.errors import SpecError
from weigh.kinds.base import KINDS
from weigh.language import Text, text
from weigh.notices import Progress
from weigh.problem import Problem
from weigh.registry import Registry
from weigh.spec import DataSpec
from weigh.tasks import TASKS

__all__ = ["READERS", "Reader", "read_and_check", "task_of"]


@dataclass(frozen=True)
class Reader:
    """How the examples of a medium are read.

    Attributes:
        medium: As `tasks.TASKS` names it.
        read: (spec, kinds, offline=, progress=) -> examples, and what was set aside.
        check: (examples, progress=) -> examples that can be used, and what is wrong.
        new: (what a person gives to be predicted, how the training data are written, pair=, encoding=) -> new examples.
        unlabelled: (path, examples of the study, encoding=, progress=) -> examples without labels for further pretraining, and how many were left
            out; None: nothing is pretrained on this medium.
        name_unlabelled: How they are named in a specification.
        thumbnail: (file, side in pixels) -> a small picture of an example that is a file; None: it is shown as text.
    """

    medium: str
    read: Callable[..., tuple[Examples, list[Problem]]]
    check: Callable[..., tuple[Examples, list[Problem]]]
    new: Callable[..., NewExamples]
    unlabelled: Callable[..., tuple[Examples, LeftOut]] | None = None
    name_unlabelled: Text | None = None
    thumbnail: Callable[[Path, int], bytes] | None = None


NAME_PICTURES = text("Name a folder: --set pretrain.pictures=more/", "请指定文件夹：--set pretrain.pictures=more/")
NAME_TEXTS = text(
    "Name them: --set pretrain.texts=more.csv (a table with a text column, or one text per line).",
    "请指定：--set pretrain.texts=more.csv（含文本列的表格，或每行一条文本）。",
)
READERS: Registry[Reader] = Registry(text("reader", "读取器"))
for _reader in (
    Reader(
        "pictures", read_images, check_pictures, new_pictures, read_unlabelled_pictures, NAME_PICTURES, thumbnail_bytes
    ),
    Reader("texts", read_texts, check_texts, new_texts, read_unlabelled_texts, NAME_TEXTS),
    Reader("sentences", read_tokens, check_texts, new_sentences, read_unlabelled_texts, NAME_TEXTS),
):
    READERS.register(_reader.medium, _reader)


def task_of(data: DataSpec, asked: str | None = None) -> str:
    """The task that was asked for, else the one that the data look like.

    Raises:
        SpecError: It cannot be told.
    """
    if asked is not None:
        return asked
    task, reason, do = recognise_task(data.train, data.columns, data.encoding)
    if task is None:
        raise SpecError(
            text("The task cannot be told from {d}: {r}", "无法从 {d} 判断任务：{r}", d=data.train, r=reason),
            do=do or text("Say it: --task {t}", "请指明任务：--task {t}", t=" | ".join(TASKS)),
        )
    return task


def read_and_check(
    data: DataSpec, task: str, *, offline: bool = False, progress: Progress | None = None
) -> tuple[Examples, list[Problem]]:
    """The examples that can be used, and every problem: what the reader set aside first, then what the checks found.

    Raises:
        SpecError: No such task.
        DataError: Nothing usable.
    """
    chosen = TASKS.get(task)
    reader, kinds = READERS.get(chosen.medium), [KINDS.get(name) for name in chosen.kinds]
    examples, problems = reader.read(data, kinds, offline=offline, progress=progress)
    examples, checked = reader.check(examples, progress=progress)
    return examples, [*problems, *checked]
