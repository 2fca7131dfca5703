"""The facts of GLUE's nine tasks, and a specification completed with them where a folder is recognised as one of them.

Before it: what the user typed. After it: the readers of texts, which tell the columns themselves, and `glue/submission.py`, which
answers the test files whose labels GLUE keeps. Whatever the user has set stays.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from weigh.data.rows.part_files import part_within, text_files
from weigh.data.tables.roles import are_numbers
from weigh.data.tables.table_files import TableFile
from weigh.data.texts.tables import read_text_table
from weigh.errors import DataError
from weigh.glue.hub import fetch_glue, named_on_hub
from weigh.language import text
from weigh.problem import Problem
from weigh.settings import user_path
from weigh.spec import DataSpec, StudySpec
from weigh.tasks import TEXT_CLASSIFICATION, TEXT_REGRESSION

__all__ = ["GLUE", "SubmissionFile", "complete_spec", "recognise_glue", "submission_files"]

LOOK = 300_000  # bytes of the training file that are looked at
DIAGNOSTICS = ("AX", "ax", "diagnostic", "diagnostics", "Diagnostic")


class GlueTask(NamedTuple):
    """One task.

    Attributes:
        name: As GLUE's table and its submission files call it.
        texts: Columns of the texts, in the spellings that GLUE and the authors use.
        labels: Columns of the label.
        answers: Every label; none: a number from 0 to 5.
        metric: What GLUE scores it by; of two metrics their mean, as in its table.
        positive: The class that F1 is about.
        slices: Columns worth a score of their own; None: as the reader finds them.
    """

    name: str
    texts: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...]
    answers: tuple[str, ...]
    metric: str = "accuracy"
    positive: str | None = None
    slices: tuple[str, ...] | None = None

    @property
    def task(self) -> str:
        """Name in `tasks.TASKS`."""
        return TEXT_CLASSIFICATION if self.answers else TEXT_REGRESSION


PAIR = (("sentence1", "sentence2"),)
ENTAILED = ("entailment", "not_entailment")
GLUE: dict[str, GlueTask] = {  # in the order of GLUE's table
    task.name: task
    for task in (
        GlueTask("CoLA", (("sentence",),), ("label",), ("0", "1"), "matthews"),
        GlueTask("SST-2", (("sentence",),), ("label",), ("0", "1")),
        GlueTask("MRPC", (("#1 string", "#2 string"), *PAIR), ("quality", "label"), ("0", "1"), "accuracy_f1", "1"),
        GlueTask("STS-B", PAIR, ("score", "label"), (), "pearson_spearman"),
        GlueTask("QQP", (("question1", "question2"),), ("is_duplicate", "label"), ("0", "1"), "accuracy_f1", "1"),
        GlueTask("MNLI", (*PAIR, ("premise", "hypothesis")), ("gold_label", "label"),
                 ("contradiction", "entailment", "neutral"), slices=("genre",)),
        GlueTask("QNLI", (("question", "sentence"),), ("label",), ENTAILED),
        GlueTask("RTE", PAIR, ("label",), ENTAILED),
        GlueTask("WNLI", PAIR, ("label",), ("0", "1")),
    )
}  # fmt: skip
NAMES = {re.sub(r"\W", "", name).casefold(): name for name in GLUE} | {
    "stsbenchmark": "STS-B", "colapublic": "CoLA", "multinli": "MNLI", "multinli10": "MNLI", "quoraquestionpairs": "QQP",
    "quoraduplicatequestions": "QQP", "msrparaphrasecorpus": "MRPC", "msrparaphrase": "MRPC",
}  # fmt: skip


class SubmissionFile(NamedTuple):
    """A test file without labels, and the name under which GLUE takes the answers ("MNLI-mm")."""

    name: str
    table: TableFile


def recognise_glue(data: DataSpec) -> GlueTask | None:
    """The task whose name the folder, or the single file, bears and whose columns and labels the training file has; else None."""
    folder = user_path(data.train)
    name = NAMES.get(re.sub(r"[\W_]", "", folder.name if folder.is_dir() else folder.stem).casefold())
    if name is None or not folder.exists():
        return None
    entry = GLUE[name]
    table = _training_table(folder, data)
    if table is None or table.roles.label is None:
        return None
    roles, labels = table.roles, [label.strip() for label in table.columns[table.roles.label] if label]
    texts, label = tuple(c.casefold() for c in roles.text), roles.label or ""
    if not table.named or texts not in entry.texts or label.casefold() not in entry.labels:
        return None
    fits = set(labels) <= {*entry.answers, "-"} if entry.answers else are_numbers(labels)  # "-": no majority (MNLI)
    return entry if labels and fits else None


def complete_spec(spec: StudySpec) -> tuple[StudySpec, list[Problem]]:
    """The specification with GLUE's own task, metric and further test sets where the user has set none, and a note that says so.

    A task by its name on the hub is downloaded at first, and is a folder from then on.

    Raises:
        DataError: The folder of the diagnostics, which has nothing to train on; a name on the hub that cannot be reached.
    """
    on_hub = named_on_hub(spec.data.train)
    if on_hub is not None:
        folder = fetch_glue(on_hub, offline=spec.run.offline, typed=spec.data.train)
        spec = spec.model_copy(update={"data": spec.data.model_copy(update={"train": str(folder)})})
    folder = user_path(spec.data.train)
    if folder.name in DIAGNOSTICS and any(p.name.startswith("diagnostic") for p in _listed(folder)):
        raise DataError(
            text("{f} holds GLUE's diagnostics (AX): no training data.", "{f} 是 GLUE 的诊断集（AX），没有训练数据。", f=folder),
            text("They are a test of models that were trained on MNLI.", "它用于测试在 MNLI 上训练的模型。"),
            text(
                "Run MNLI beside it: weigh run {p} answers the diagnostics too.",
                "请运行同级的 MNLI：weigh run {p} 也会回答诊断集。",
                p=shlex.quote(str(folder.parent / "MNLI")),
            ),
        )  # fmt: skip
    entry = recognise_glue(spec.data)
    if entry is None or spec.task not in (None, entry.task):
        return spec, []
    data: dict[str, object] = {}
    if entry.positive is not None and spec.data.positive is None:
        data["positive"] = entry.positive
    if entry.slices is not None and spec.data.slices is None:
        table = _training_table(folder, spec.data)
        data["slices"] = [n for n in entry.slices if table is not None and len(set(table.columns.get(n, ()))) > 1]
    if entry.name == "MNLI" and not spec.data.shifted:
        data["shifted"] = _further_sets(folder)
    metric = spec.metrics.primary or entry.metric
    spec = spec.model_copy(
        update={
            "task": entry.task,
            "metrics": spec.metrics.model_copy(update={"primary": metric}),
            "data": spec.data.model_copy(update=data),
        }
    )
    sentence = text(
        "Recognised as GLUE's {n}: {t}, scored by {m}.", "识别为 GLUE 的 {n}：{t}，按 {m} 评分。",
        n=entry.name, t=entry.task, m=entry.metric,
    )  # fmt: skip
    if metric != entry.metric:
        sentence = sentence + text("Here it is scored by {m}, as you asked.", "这里按您的要求以 {m} 评分。", m=metric)
    if "shifted" in data and spec.data.shifted:
        sets = ", ".join(spec.data.shifted)
        sentence = sentence + text("Further test sets: {s}.", "另有测试集：{s}。", s=sets)
    do = text("If that is wrong: --set metrics.primary=NAME", "如有误：--set metrics.primary=名称")
    return spec, [Problem("glue", sentence, severity="note", do=do, details=({"glue": entry.name},))]


def submission_files(spec: StudySpec) -> list[SubmissionFile]:
    """The test files of a GLUE folder whose labels are kept secret; none where it is no GLUE folder."""
    entry = recognise_glue(spec.data)
    if entry is None:
        return []
    folder = user_path(spec.data.train)
    train = _training_table(folder, spec.data)
    files = text_files(folder) if folder.is_dir() else []
    paths = [(entry.name + _half(path), path) for path in files if part_within(path, folder) == "test"]
    if entry.name == "MNLI":
        paths += [("AX", path) for path in _diagnostics(folder)]
    files_of: dict[str, SubmissionFile] = {}
    for name, path in paths:
        try:
            table = read_text_table(path, spec.data.columns, roles=train.roles if train else None)
        except DataError:
            continue  # the reader names files that it cannot read
        secret = table.roles.label is None or name == "AX"
        if secret and len(table.roles.text) == len(train.roles.text if train else ()):
            files_of.setdefault(name, SubmissionFile(name, table))
    return list(files_of.values())


def _half(path: Path) -> str:
    """MNLI has two test files."""
    if "mismatched" in path.name:
        return "-mm"
    return "-m" if "matched" in path.name else ""


def _further_sets(folder: Path) -> dict[str, str]:
    """MNLI's mismatched development set, from other genres, and the diagnostics where their labels are there."""
    named = [p for p in text_files(folder) if part_within(p, folder) == "val" and _half(p) == "-mm"]
    full = [p for p in _diagnostics(folder) if "full" in p.name]
    return {n: str(paths[0]) for n, paths in (("mismatched", named), ("diagnostics", full)) if paths}


def _diagnostics(folder: Path) -> list[Path]:
    """Files of the diagnostics, in the folder of MNLI or beside it; the one without labels first."""
    beside = [folder, *(folder.parent / name for name in DIAGNOSTICS)]
    return [path for place in beside for path in _listed(place) if re.match(r"(?i)(diagnostic|ax\b)", path.name)]


def _listed(folder: Path) -> Iterable[Path]:
    return sorted(p for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []


def _training_table(folder: Path, data: DataSpec) -> TableFile | None:
    """A first look at the training file, as the reader of texts will read it."""
    files = (
        [path for path in text_files(folder) if part_within(path, folder) == "train"] if folder.is_dir() else [folder]
    )
    for path in files:
        if path.is_file():
            try:
                return read_text_table(path, data.columns, limit=LOOK)
            except DataError:
                continue
    return None
