"""Frozen features of labelled examples as files for other tools: what needs a model but no study."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from weigh.data.examples import Examples
from weigh.disk import replacing
from weigh.errors import SpecError
from weigh.execute.choices import usable_cores
from weigh.execute.listener import Listener
from weigh.language import text
from weigh.media import MEDIA
from weigh.models.address import check_trust
from weigh.problem import refuse_errors
from weigh.run import Setting
from weigh.settings import cache_folder, offline_by_environment
from weigh.spec import StudySpec
from weigh.tasks import TASKS

__all__ = ["export_features", "setting_of"]


def export_features(
    spec: StudySpec, folder: Path, listener: Listener, *, trust_code: bool = False
) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Write one .npz per model with path, label, part and features; yields each file and the shape of its features.

    Where an example may have several labels, `label` has a column for each of `classes`.

    Raises:
        SpecError: A task that is not answered from one vector of each example.
    """
    from weigh.data.readers import task_of
    from weigh.train.determinism import computing
    from weigh.train.features import features_of

    check_trust(spec.models, trust_code=trust_code)
    task = task_of(spec.data, spec.task)
    _require_vectors(task)
    examples = _read(spec, task, listener)
    setting = replace(setting_of(spec, task, examples), trust_code=trust_code)
    labels = np.array(examples.classes)[examples.target] if examples.kind.exclusive else examples.target
    several = examples.kind.typed and not examples.kind.exclusive
    named = {"classes": np.array(examples.classes, dtype=str)} if several else {}
    for address in spec.models:
        listener.stage(text("Computing features of {m}", "计算 {m} 的特征", m=address))
        with computing(threads=setting.threads):
            exported = features_of(address, examples, setting, progress=listener.progress)
        name = "".join(c if c.isalnum() or c in "-_." else "-" for c in address) + ".npz"
        columns = {"path": examples.path.astype(str), "label": labels, "part": examples.part.astype(str), **named}
        with replacing(folder / name) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **columns, features=exported.features)
        yield folder / name, exported.features.shape


def _require_vectors(task: str) -> None:
    """Nothing, or the error that answers for this task are made from many vectors of an example: before anything is read or computed."""
    from weigh.heads.base import HEADS

    fitting = [name for name, one in TASKS.items() if HEADS.get(one.kinds[0]).port == "features"]
    if task in fitting:
        return
    raise SpecError(
        text(
            "For {t} there is no single feature vector per {o}.",
            "任务 {t} 中不存在与每{o}对应的单个特征向量。",
            t=task,
            o=MEDIA.get(TASKS.get(task).medium).noun.one,
        ),
        text(
            "Answers are made from the vectors of words, or of places in the picture.",
            "其回答取自各个词或图片中各个位置的向量。",
        ),
        text("Features are written for {n}.", "可导出特征的任务：{n}。", n=", ".join(fitting)),
    )


def _read(spec: StudySpec, task: str, listener: Listener) -> Examples:
    from weigh.data.readers import read_and_check

    examples, problems = read_and_check(spec.data, task, offline=spec.run.offline, progress=listener.progress)
    refuse_errors(problems)
    for problem in problems:
        if problem.severity == "warning":
            listener.stage(problem.sentence)
    return examples


def setting_of(spec: StudySpec, task: str, examples: Examples) -> Setting:
    """How models without a study are run: device, threads and precision of the specification."""
    from weigh.train.device import resolve_device

    threads = usable_cores() if spec.run.threads == "auto" else int(spec.run.threads)
    precision = "fp32" if spec.run.precision == "auto" else spec.run.precision
    return Setting(
        task=task,
        classes=examples.classes,
        primary="accuracy",
        device=resolve_device(spec.run.device),
        threads=threads,
        precision=precision,
        offline=spec.run.offline or offline_by_environment(),
        cache=cache_folder(),
    )
