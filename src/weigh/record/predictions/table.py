"""Predictions that others made, as a table: one row for what one model said about one example in one run.

    example,label,model,run[,set][,fold][,group],prediction          or          …,p:cat,p:dog

Before it: files of strangers. After it: `results.py`, which makes `Results` of them. Columns that say one thing of
each example become slices. A cell is only ever a name or a number; whatever is missing, repeated or contradictory is an
error that says how much of it there is and where it begins, or a `Problem` that names every example concerned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from weigh.data.rows.columns import line_problems, metadata_columns, nearest_columns
from weigh.data.rows.listing import natural_key
from weigh.data.tables.cells import LIST_SEPARATOR, as_cell
from weigh.data.tables.frames import read_frame
from weigh.data.tables.table_files import TableFile
from weigh.data.tables.text_encoding import encoding_problem
from weigh.errors import DataError
from weigh.files import open_regular
from weigh.language import Text, text
from weigh.problem import Problem
from weigh.record.predictions.answers import Answers, PredictionTable
from weigh.record.predictions.cells import (
    check_cells,
    check_fold_names,
    check_models,
    check_prediction_cells,
    check_scores,
    check_several_labels,
    check_words_for_nothing,
    some_names,
    training_rows,
)
from weigh.record.predictions.checks import check_probabilities
from weigh.record.predictions.columns import (
    NAMES,
    class_of,
    equal_numbers,
    further_columns,
    missing_columns,
    plain_names,
    probabilities_as_written,
    whole_numbers,
)
from weigh.record.predictions.folder import names_of_files
from weigh.record.predictions.repeats import read_once
from weigh.spreadsheets import DEFUSED

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_tables"]

NEEDED = ("example", "label")
NEVER_NAN = ("label", "prediction", "fold", "group")  # there these words are how a program wrote a missing cell
NAN = ("nan", "<na>", "#n/a")
FORMAT = text(
    "Columns: example, label, model, run, and prediction or one p:CLASS column for each class; optional: set, fold, group.",
    "所需的列：example、label、model、run，以及 prediction 或每个类别一列 p:类别名；可选：set、fold、group。",
)


def read_tables(
    paths: Sequence[Path],
    move: Callable[[Sequence[str]], list[str]] = list,
    slices: Sequence[str] | None = None,
    encoding: str | None = None,
) -> PredictionTable:
    """All rows of `paths` as one table; a file without a column `model` speaks of one model, named like the file (`_with_models`).

    Args:
        move: Gives the labels another number to count from.
        slices: Columns that become parts of the data; None: all that sort examples into kinds.
        encoding: What the user says that the files are written in.

    Raises:
        DataError: Not a table, columns or cells missing, contradictions.
    """
    import polars as pl

    repeats: list[Problem] = []
    frames = [_read(path, repeats, encoding) for path in paths]
    if empty := [path for path, frame in zip(paths, frames, strict=True) if not len(frame)]:
        raise DataError(text("{p} has no rows.", "{p} 没有数据行。", p=empty[0]), do=FORMAT)
    frame = pl.concat(_with_models(paths, frames), how="diagonal_relaxed")
    frame = frame.with_row_index("row", 1).with_columns(pl.when(pl.col("set") != "").then(pl.col("set")).alias("set"))
    if frame["set"].null_count() < len(frame):
        check_cells(frame, ["set"])
    frame = frame.with_columns(pl.col("set").fill_null(""))
    probable = [name for name in frame.columns if name.startswith("p:")]
    hard = "prediction" in frame.columns and (not probable or frame["prediction"].null_count() < len(frame))
    frame = _checked(frame, probable, hard=hard)
    frame = whole_numbers(frame, [n for n in ("label", "prediction") if n in frame.columns])
    frame = frame.with_columns(pl.Series("label", move(frame["label"].to_list()), dtype=pl.String))
    examples = _examples(frame)
    parts = _slices(examples, slices)
    notes = [
        *check_several_labels(examples["label"].to_list()),
        *training_rows(frame),
        *further_columns(frame, examples, parts, chosen=slices is not None),
    ]
    classes = _classes(frame, examples["label"], probable, hard=hard)
    frame = frame.join(
        examples.select("set", "example", "which"), on=["set", "example"], how="left", maintain_order="left"
    )
    probabilities, note = _probabilities(frame, probable)
    frame, probabilities, repeated = read_once(frame, probabilities, hard=hard)
    index = {name: i for i, name in enumerate(classes)}
    code = {"return_dtype": pl.Int64, "default": None}
    chosen = probabilities.argmax(axis=1) if probabilities is not None else np.zeros(len(frame), dtype=np.int64)
    if hard:
        decided = frame["prediction"].replace_strict(index, **code).fill_null(-1).to_numpy()
        chosen = np.where(decided < 0, chosen, decided)  # a model that states no decisions has probabilities
    group = examples["group"].to_numpy() if "group" in examples.columns else None
    return PredictionTable(
        name=paths[0].name.partition(".")[0] or paths[0].name,
        example=examples["example"].to_numpy(),
        target=examples["label"].replace_strict(index, **code).to_numpy(),
        set=examples["set"].to_numpy(),
        classes=classes,
        answers=_answers(frame, chosen, probabilities),
        group=group,
        slices=parts,
        problems=(*repeats, *notes, *note, *repeated),
    )


def _read(path: Path, problems: list[Problem], encoding: str | None) -> pl.DataFrame:
    import polars as pl

    _check_text(path)
    frame, repeated, encoding_found = read_frame(path, wanted=NEEDED, encoding=encoding)
    problems += encoding_problem({path.name: encoding_found})
    if repeated:
        problems += line_problems([TableFile(path, [], {}, True, "", repeated=repeated)], len(frame))
    names = plain_names(path, frame.columns)
    frame = frame.rename(dict(zip(frame.columns, names, strict=True)))
    missing = [name for name in NEEDED if name not in frame.columns]
    if "prediction" not in frame.columns and not any(c.startswith("p:") for c in frame.columns):
        missing.append("prediction")
    if missing:
        raise missing_columns(path, frame, missing, FORMAT)
    frame = frame.with_columns(  # lists, bytes and times as text: no column of a table may be of a type that stops it
        pl.Series(c.name, _single([as_cell(v) for v in c.to_list()]), pl.String)
        for c in frame
        if not (c.dtype.is_numeric() or c.dtype in (pl.String, pl.Boolean))
    )
    named = {c[2:].strip() for c in frame.columns if c.startswith("p:")}
    others = [c for c in frame.columns if not c.startswith("p:")]
    stripped = pl.col(others).cast(pl.String).str.strip_chars().str.normalize("NFC")
    kept = stripped.is_in(sorted(named))  # a class may be called '-ish; other cells that begin so were written by weigh
    stripped = pl.when(kept).then(stripped).otherwise(stripped.str.replace(DEFUSED, "${1}"))
    frame = frame.with_columns(pl.when(stripped == "").then(None).otherwise(stripped).name.keep())
    answers = pl.col([c for c in NEVER_NAN if c in others])
    frame = frame.with_columns(
        pl.when(answers.str.to_lowercase().is_in(NAN) & ~answers.is_in(sorted(named)))
        .then(None)
        .otherwise(answers)
        .name.keep()
    )
    defaults = {"run": "1", "set": ""}
    return frame.with_columns(pl.lit(value).alias(n) for n, value in defaults.items() if n not in frame.columns)


def _with_models(paths: Sequence[Path], frames: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """The tables with a column `model`, named like the file where there is none.

    Files that are called alike are parts of one model's table. Only where most rows of one speak of the same examples and runs as another are they of
    different models, told apart by the rest of their names ("resnet.v2") or by their folders.
    """
    import polars as pl

    names = {i: path.name.partition(".")[0] for i, path in enumerate(paths) if "model" not in frames[i].columns}
    rows = {i: set(frames[i].select("set", "run", "example").iter_rows()) for i in names}
    other = {
        i
        for i in names
        for k in names
        if names[i] == names[k]
        and not paths[i].samefile(paths[k])
        and len(rows[i] & rows[k]) > min(len(rows[i]), len(rows[k])) / 2
    }
    told_apart = names_of_files([paths[i] for i in sorted(other)]) if other else []
    names |= dict(zip(sorted(other), told_apart, strict=True))
    return [
        frame.with_columns(pl.lit(names[i]).alias("model")) if i in names else frame for i, frame in enumerate(frames)
    ]


def _check_text(path: Path) -> None:
    """Raise an error for a workbook or arrays, which are packed folders, as their first bytes say."""
    try:
        with open_regular(path) as file:
            packed = file.read(4) == b"PK\x03\x04"
    except OSError:
        return  # reading it will say why
    if not packed:
        return
    raise DataError(
        text(
            "{p} is a workbook or another packed file, not a table of text.",
            "{p} 是工作簿或其他压缩文件，不是文本表格。",
            p=path,
        ),
        do=text("Save it as CSV (UTF-8) with a header line.", "请另存为带表头的 CSV（UTF-8）。"),
    )


def _single(cells: list[str | None]) -> list[str | None]:
    """Lists of one name each are these names."""
    if all(cell is None or (cell.startswith(LIST_SEPARATOR) and cell.count(LIST_SEPARATOR) == 1) for cell in cells):
        return [cell and cell[1:] for cell in cells]
    return cells


def _checked(frame: pl.DataFrame, probable: Sequence[str], *, hard: bool) -> pl.DataFrame:
    """The rows, none of which lacks a name or an answer; only the first set may have folds."""
    import polars as pl

    if hard:
        check_words_for_nothing(frame, probable)
    check_cells(frame, [n for n in NAMES if n in frame.columns and n not in ("set", "fold", "prediction")])
    if "fold" in frame.columns:
        first = frame.filter(pl.col("set") == frame["set"][0])
        check_cells(first, ["fold"])
        check_fold_names(first)
        frame = frame.with_columns(pl.col("fold").fill_null(""))
    check_models(frame, probable)
    if hard:
        check_prediction_cells(frame, probable)
    return equal_numbers(frame)


def _examples(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per set and example, in the order of the table; label, group and other columns must agree."""
    import polars as pl

    constant = [c for c in frame.columns if c not in (*NAMES, "row") and not c.startswith("p:")]
    fixed = [c for c in ("label", "group") if c in frame.columns]
    per = frame.group_by("set", "example", maintain_order=True).agg(
        *(pl.col(c).first() for c in [*fixed, *constant]),
        *(pl.col(c).n_unique().alias(f"{c}\0") for c in [*fixed, *constant]),
    )
    for name in fixed:
        torn = per.filter(pl.col(f"{name}\0") > 1)
        if len(torn):
            raise DataError(
                text(
                    "Column '{c}' differs between the rows of one example for {n} of {m} examples: {e}.",
                    "同一样本各行的“{c}”列不一致：{m} 个样本中有 {n} 个，例如 {e}。",
                    c=name,
                    n=len(torn),
                    m=len(per),
                    e=", ".join(torn["example"].head(5)),
                ),
                text("An example has one truth for all models.", "对所有模型，一个样本只有一个真值。"),
                text(
                    "Correct the column; if one name stands for several examples, make the names different.",
                    "请更正该列；如果同一名称代表多个样本，请使用不同的名称。",
                ),
            )
    constant = [c for c in constant if (per[f"{c}\0"] == 1).all()]
    return per.select("set", "example", *fixed, *constant).with_row_index("which")


def _slices(examples: pl.DataFrame, wanted: Sequence[str] | None) -> dict[str, np.ndarray]:
    cells = {c: examples[c].to_list() for c in examples.columns if c not in (*NAMES, "which")}
    columns = metadata_columns(cells, set())
    for name in wanted or ():
        if name not in cells:
            raise DataError(
                text(
                    "data.slices: there is no column '{n}' that says one thing of each example.",
                    "data.slices：没有对每个样本取值唯一的“{n}”列。",
                    n=name,
                )
                + nearest_columns(name, list(cells))
            )
        columns |= metadata_columns({name: cells[name]}, set(), kept=name)
    return {
        name: np.array([v or "" for v in column])
        for name, column in columns.items()
        if wanted is None or name in wanted
    }


def _classes(frame: pl.DataFrame, labels: pl.Series, probable: list[str], *, hard: bool) -> tuple[str, ...]:
    true_labels = set(labels)
    predicted = set(frame["prediction"].drop_nulls()) if hard else set()
    if probable:
        named = [class_of(name, probable) for name in probable]
        unknown = sorted((true_labels | predicted) - set(named), key=natural_key)
        if unknown:
            raise DataError(
                text(
                    "No p: column stands for these classes: {u}.",
                    "以下类别没有对应的 p: 列：{u}。",
                    u=some_names(unknown),
                ),
                text(
                    "Without their probabilities nothing can be said of examples of these classes.",
                    "没有它们的概率，就无法评价这些类别的样本。",
                ),
                text("Columns found: {c}.", "找到的列：{c}。", c=some_names(probable)) + _other_class(unknown, named),
            )
        return tuple(sorted(dict.fromkeys(named), key=natural_key))
    check_scores(true_labels, predicted)
    if not predicted & true_labels:
        raise DataError(
            text(
                "No prediction is one of the labels. Labels: {a}. Predictions: {b}.",
                "没有任何预测值出现在标签中。标签：{a}。预测值：{b}。",
                a=some_names(sorted(true_labels, key=natural_key)),
                b=some_names(sorted(predicted, key=natural_key)),
            ),
            do=text(
                "Write labels and predictions alike (both names, or both numbers).",
                "请统一标签和预测值的写法（同为名称，或同为编号）。",
            ),
        )
    return tuple(sorted(true_labels | predicted, key=natural_key))


def _other_class(unknown: Sequence[str], named: Sequence[str]) -> Text:
    if len(unknown) > 1 or len(named) > 1:
        return text("", "")
    return text(
        "Of two classes both have a column: p:{u} is 1 minus {c}.",
        "两个类别都需要各自的列：p:{u} 为 1 减 {c}。",
        u=unknown[0],
        c=f"p:{named[0]}",
    )


def _probabilities(frame: pl.DataFrame, probable: list[str]) -> tuple[np.ndarray | None, list[Problem]]:
    """`(rows, classes)` in the order of the classes."""
    import polars as pl

    if not probable:
        return None, []
    named = sorted(probable, key=lambda name: natural_key(class_of(name, probable)))
    numbers = frame.select(pl.col(named).cast(pl.Float64, strict=False)).to_numpy()
    if not np.isfinite(numbers).all():
        numbers = probabilities_as_written(frame, named, numbers)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise DataError(
            text(
                "{n} of {m} rows {n:|has|have} no finite number in a p: column (the first: row {r}, {c}: {v}).",
                "{m} 行中有 {n} 行的 p: 列不是有限数值（第一处：第 {r} 行，{c}：{v}）。",
                n=int(wrong.any(axis=1).sum()),
                m=len(frame),
                r=int(frame["row"][int(row)]),
                c=named[column],
                v=frame[named[column]][int(row)],
            ),
            do=text(
                "Write numbers with a decimal point. Where a model gave no answer, leave the row out.",
                "请使用带小数点的数字。如果模型没有给出答案，请删去该行。",
            ),
        )
    return check_probabilities(numbers)


def _answers(frame: pl.DataFrame, chosen: np.ndarray, probabilities: np.ndarray | None) -> tuple[Answers, ...]:
    which = frame["which"].to_numpy().astype(np.int64)
    fold = frame["fold"].to_numpy() if "fold" in frame.columns else None
    parts = frame.select("model", "run").with_row_index("at").group_by("model", "run", maintain_order=True).agg("at")
    answers = []
    for model, run, at in parts.iter_rows():
        rows = np.asarray(at)
        rows = rows[np.argsort(which[rows], kind="stable")]
        answers.append(Answers(model, run, which, chosen, probabilities, fold).rows(rows))
    return tuple(answers)
