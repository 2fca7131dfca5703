"""Predictions that others made, as the `Results` that findings read. Nothing is trained and nothing is guessed.

Without folds the rows are predictions of trained models on a test set: one "repeat" for each run, one fold, and whatever
is concluded speaks about exactly these models. With a column `fold` they are a cross-validation made elsewhere, and stand
where a study's own runs would. Further test sets (column `set`) take the place of a study's further test sets.

Before it: `table.py`, `folder.py`, `checks.py`. After it: `findings/`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from weigh.data.examples import Examples
from weigh.data.rows.listing import natural_key
from weigh.errors import DataError, SpecError, did_you_mean
from weigh.kinds.base import Kind
from weigh.kinds.label import LABEL
from weigh.language import Text, text
from weigh.metrics.base import Metric
from weigh.metrics.tables import require_metric
from weigh.plan.prepare import positive_last
from weigh.problem import Problem
from weigh.record.choice_of_winner import choose_winner
from weigh.record.predictions.answers import Answers, PredictionTable
from weigh.record.predictions.checks import check_answers, keep_common, without_bare
from weigh.record.predictions.files import hold_arrays
from weigh.record.predictions.folder import read_folders
from weigh.record.predictions.folds import check_folds, number_folds, number_runs
from weigh.record.predictions.shift import check_shift, moved_labels
from weigh.record.predictions.table import read_tables
from weigh.record.results import Candidate, Results, RunRecord
from weigh.spec import StudySpec

__all__ = ["read_predictions", "require_metrics", "results_of_models"]

SURE, NEVER = 0.0, -70.0  # log probabilities of a bare decision: softmax gives back 1 and 0
LOWEST = 1e-30  # a stated probability of 0, whose logarithm must stay finite
OUTVOTED = 1e3  # added to the log probability of a decision that is not the most probable class
MOST_CELLS = 4e8  # predictions × classes kept in memory as float32: 1.6 GB
MANY_CLASSES = 100  # from here on, half as many classes as examples means that the labels are no classes
DECISIONS = ("balanced_accuracy", "accuracy", "f1", "precision", "recall")  # metrics that need no probabilities
UNTRAINED = text("nothing was trained here", "这里没有做任何训练")
UNPROBABLE = text("only decisions were given, no probabilities", "只提供了判断结果，没有概率")
UNFOLDED = text("the predictions are not cross-validated", "这些预测不是交叉验证的结果")
CHECKED = text(
    "missing and repeated rows, labels that contradict each other, classes that no label has, sums of probabilities, models with equal or constant answers, class names",
    "缺失与重复的行、互相矛盾的标签、没有标注过的类别、概率之和、答案完全相同或恒定不变的模型、类别名称",
)
TRAINING = ("cost", "order", "curve", "variation", "cleaned", "generalisation:test")  # ask about training runs


def read_predictions(paths: Sequence[Path], spec: StudySpec, labels: Sequence[Path] = ()) -> Results:
    """The records in `paths`: tables, or (with `labels`, one file for each) folders of arrays.

    Args:
        spec: Its sections `data.positive`, `design` (purpose, level, seed) and `metrics` count; the rest is filled in.

    Raises:
        DataError: What is there cannot be read as predictions.
        SpecError: The primary metric needs probabilities that are not there.
    """
    for path in paths:
        if not path.exists():
            raise DataError(text("{p} does not exist.", "{p} 不存在。", p=path), do=did_you_mean(path))
    arrays = hold_arrays(paths, labels)
    offset = spec.data.label_offset
    table = (
        read_folders(paths, labels, offset)
        if arrays
        else read_tables(paths, partial(moved_labels, offset=offset), spec.data.slices, spec.data.encoding)
    )
    return results_of(check_shift(table, offset), spec)


def results_of(table: PredictionTable, spec: StudySpec) -> Results:
    """`Results` of predictions; the first set is what everything but `shift` speaks about."""
    require_metrics(spec, LABEL)
    _check_size(table)
    own, notes = without_bare(table.answers)
    table = replace(table, answers=own, problems=(*table.problems, *notes))
    sets = list(dict.fromkeys(table.set.tolist()))
    kept, parts, problems = [], [], [*table.problems]
    start = 0
    for at, name in enumerate(sets):
        members = np.flatnonzero(table.set == name)
        inside = [a.about(members, len(table.set)) for a in table.answers]
        if at:
            problems += _without_answers(inside, name)
            inside = [a for a in inside if len(a.which)]
        common, answers, left_out = keep_common(len(members), inside, table.example[members])
        problems += left_out
        kept.append(members[common])
        parts.append([replace(a, which=a.which + start) for a in answers])
        start += len(common)
    examples, parts = _order_classes(_examples(table, sets, np.concatenate(kept), [len(k) for k in kept]), parts, spec)
    main = parts[0]
    checked = replace(table, target=examples.target[examples.where("train")], classes=examples.classes)
    problems += check_answers(checked, main)
    repeats = number_runs(main)
    folds, notes = number_folds(main, repeats, len(kept[0]))
    problems += notes
    if folds is not None:
        problems += check_folds(examples, folds)
    models = list(dict.fromkeys(a.model for a in main))
    probable = all(a.probabilities is not None for a in main)
    store: dict[str, tuple[Answers, np.ndarray]] = {}
    records = [
        *_main(main, repeats, folds, store),
        *(_other(a, i, store) for i, a in enumerate(a for part in parts[1:] for a in part) if a.model in models),
    ]
    width = len(examples.classes)

    def predictions(key: str) -> tuple[np.ndarray, np.ndarray]:
        answer, rows = store[key]
        return answer.which[rows], _logits(answer, rows, width)

    results = Results(
        name=spec.name or table.name,
        spec=_fill(spec, models, examples, folds, max(repeats.values(), default=0) + 1, probable=probable),
        examples=examples,
        problems=tuple(problems),
        candidates=tuple(Candidate(id=name, model=name, recipe="", label=name) for name in models),
        records=tuple(records),
        predictions=predictions,
        skipped=skipped_of_others(folded=folds is not None, probable=probable),
        origin="models" if folds is None else "folds",
        measured_on=sets[0],
        checked=CHECKED,
    )
    return results.with_winner(choose_winner(results))


def results_of_models(
    name: str, spec: StudySpec, task: str, primary: str, examples: Examples, answers: Mapping[str, np.ndarray], problems: Sequence[Problem], checked: Text,
) -> Results:  # fmt: skip
    """`Results` of trained models on one test set, each with one answer to every example.

    Args:
        spec: Its sections `design` (level, seed) and `metrics` count; the rest is filled in.
        answers: Model -> `(n, k)`, as a run would have left them.
        checked: What was looked for before anything was concluded.
    """
    models, indices = list(answers), np.arange(len(examples))
    results = Results(
        name=name,
        spec=spec.model_copy(
            update={
                "task": task,
                "models": models,
                "recipes": [],
                "design": spec.design.model_copy(update={"folds": 2, "repeats": 1, "group_by": None}),
                "metrics": spec.metrics.model_copy(update={"primary": primary}),
            }
        ),
        examples=examples,
        problems=tuple(problems),
        candidates=tuple(Candidate(id=model, model=model, recipe="", label=model) for model in models),
        records=tuple(RunRecord(model, model, "main", 0, 0, "done") for model in models),
        predictions=lambda key: (indices, answers[key]),
        skipped=skipped_of_others(folded=False),
        origin="models",
        checked=checked,
    )
    return results.with_winner(choose_winner(results))


def require_metrics(spec: StudySpec, kind: Kind) -> Metric:
    """The primary metric; it and the further ones are defined for targets of `kind`.

    Raises:
        SpecError: One is not.
    """
    for name in spec.metrics.also or []:
        require_metric(name, kind, "metrics.also")
    return require_metric(spec.primary, kind)


def _without_answers(answers: Sequence[Answers], name: str) -> list[Problem]:
    """Models that say nothing about a further test set."""
    lacking = {a.model for a in answers} - {a.model for a in answers if len(a.which)}
    if not lacking:
        return []
    sentence = text(
        'These models have no predictions for the set "{s}": {m}.',
        "以下模型没有对集合“{s}”的预测：{m}。",
        s=name,
        m=", ".join(sorted(lacking, key=natural_key)),
    )
    return [Problem("missing-prediction", sentence, severity="note")]


def _check_size(table: PredictionTable) -> None:
    n, k = len(table.example), len(table.classes)
    if k < 2:
        raise DataError(
            text("There is only one class: {c}.", "只有一个类别：{c}。", c=table.classes[0]),
            text("With one class every answer is right.", "只有一个类别时，任何答案都是对的。"),
            text("Give the predictions of all classes.", "请给出所有类别的预测。"),
        )
    if k >= MANY_CLASSES and k > n / 2:
        raise DataError(
            text("{n} examples have {k} different classes.", "{n} 个样本有 {k} 个不同的类别。", n=n, k=k),
            text(
                "Labels that hardly repeat are names or measurements, no classes.",
                "几乎不重复的标签是名称或测量值，而不是类别。",
            ),
            text("Check which column is called label and prediction.", "请检查 label 列和 prediction 列是否正确。"),
        )
    cells = sum(len(a.which) for a in table.answers) * k
    if cells > MOST_CELLS:
        raise DataError(
            text(
                "{m:.0f} million probabilities do not fit into memory.",
                "{h:.1f} 亿个概率超出内存限度。",
                m=cells / 1e6,
                h=cells / 1e8,
            ),
            do=text("Read fewer models or runs at a time.", "请减少每次读取的模型或运行数量。"),
        )


def _examples(table: PredictionTable, sets: list[str], kept: np.ndarray, sizes: list[int]) -> Examples:
    names = table.example[kept].astype(str)
    if len(sets) > 1:
        names = np.array([f"{s}/{e}" for s, e in zip(table.set[kept], names, strict=True)])
    target = table.target[kept].astype(np.int64)
    group = None if table.group is None else table.group[kept].astype(str)
    part = np.repeat(["train", *(f"shift:{name}" for name in sets[1:])], sizes)
    hashed = hashlib.blake2b(digest_size=16)
    for column in (names, target, part, table.classes, () if group is None else group):
        hashed.update("\x1f".join(map(str, column)).encode("utf-8", "surrogatepass") + b"\x1e")
    return Examples(
        root=Path("."),
        path=names,
        target=target,
        kind=LABEL,
        classes=table.classes,
        part=part,
        order=np.arange(len(kept)),
        content=np.full(len(kept), ""),
        group=group,
        order_source="table",
        slices={name: column[kept] for name, column in table.slices.items()},
        fingerprint=hashed.hexdigest(),
    )


def _order_classes(
    examples: Examples, parts: list[list[Answers]], spec: StudySpec
) -> tuple[Examples, list[list[Answers]]]:
    """Two classes: the class of interest last, as the metrics expect."""
    ordered = positive_last(examples, spec)
    if ordered.classes == examples.classes:
        return examples, parts

    def turned(a: Answers) -> Answers:
        return replace(
            a, chosen=1 - a.chosen, probabilities=None if a.probabilities is None else a.probabilities[:, ::-1]
        )

    return ordered, [[turned(a) for a in part] for part in parts]


def _main(
    answers: Sequence[Answers],
    repeats: dict[tuple[str, str], int],
    folds: dict[int, np.ndarray] | None,
    store: dict[str, tuple[Answers, np.ndarray]],
) -> list[RunRecord]:
    records = []
    for i, a in enumerate(answers):
        r = repeats[a.model, a.run]
        mine = np.zeros(len(a.which), dtype=np.int64) if folds is None else folds[r][a.which]
        for k in np.unique(mine).tolist():
            rows, key = np.flatnonzero(mine == k), f"main/{i}/{k}"
            store[key] = (a, rows)
            n_train = 0 if folds is None else int((folds[r] >= 0).sum()) - len(rows)
            records.append(RunRecord(key, a.model, "main", r, k, "done", n_train=n_train, facts=_facts(a, rows)))
    return records


def _other(a: Answers, i: int, store: dict[str, tuple[Answers, np.ndarray]]) -> RunRecord:
    key, rows = f"elsewhere/{i}", np.arange(len(a.which))
    store[key] = (a, rows)
    return RunRecord(key, a.model, "refit", -1, -1, "done", variant=a.run, facts=_facts(a, rows))


def _facts(a: Answers, rows: np.ndarray) -> dict[str, Any]:
    """A decision that is not the most probable class is kept as what would have to be added for it to win."""
    if a.probabilities is None:
        return {}
    differs = np.flatnonzero(a.probabilities[rows].argmax(axis=1) != a.chosen[rows])
    if not len(differs):
        return {}
    bias = np.zeros((len(rows), a.probabilities.shape[1]), dtype=np.float32)
    bias[differs, a.chosen[rows][differs]] = OUTVOTED
    return {"bias": bias}


def _logits(a: Answers, rows: np.ndarray, classes: int) -> np.ndarray:
    if a.probabilities is not None:
        return np.log(np.maximum(a.probabilities[rows], np.float32(LOWEST)))
    logits = np.full((len(rows), classes), NEVER, dtype=np.float32)
    logits[np.arange(len(rows)), a.chosen[rows]] = SURE
    return logits


def skipped_of_others(*, folded: bool, probable: bool = True) -> dict[str, Text]:
    """Kinds (or ids) of findings that cannot be asked of others' predictions, and why."""
    skipped = dict.fromkeys(TRAINING, UNTRAINED)
    skipped |= {"stability:failed": UNTRAINED} if folded else {"stability": UNFOLDED}
    return skipped | (dict.fromkeys(("calibration", "errors:labels"), UNPROBABLE) if not probable else {})


def _fill(
    spec: StudySpec, models: list[str], examples: Examples, folds: dict | None, repeats: int, *, probable: bool
) -> StudySpec:
    also = spec.metrics.also
    if not probable:
        wanted = {"metrics.primary": [spec.primary], "metrics.also": also or []}
        for setting, names in wanted.items():
            if lacking := [name for name in names if not name.startswith(DECISIONS)]:
                raise SpecError(
                    text(
                        "{s}: {m} needs probabilities, and only decisions were given.",
                        "{s}：{m} 需要概率，而这里只提供了判断结果。",
                        s=setting,
                        m=lacking[0],
                    ),
                    do=text(
                        "Give p:CLASS columns, or choose a metric of decisions, such as accuracy.",
                        "请提供 p:类别名 列，或选择只需判断结果的指标，例如 accuracy。",
                    ),
                )
        also = also if also is not None else LABEL.metrics(len(examples.classes))
        also = [name for name in also if name.startswith(DECISIONS)]
    most = 2 if folds is None else max(int(f.max()) + 1 for f in folds.values())
    return spec.model_copy(
        update={
            "models": models,
            "recipes": [],
            "design": spec.design.model_copy(update={"folds": most, "repeats": repeats}),
            "metrics": spec.metrics.model_copy(update={"also": also}),
        }
    )
