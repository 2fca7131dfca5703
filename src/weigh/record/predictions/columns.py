"""What the columns of a table of predictions are called, what further ones are for, and how their numbers are written.

Before it: a frame of text. After it: `table.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from weigh.data.names import compose
from weigh.data.rows.columns import nearest_columns
from weigh.data.tables.cells import as_cell
from weigh.data.tables.numbers import number_style, plain_number
from weigh.errors import DataError
from weigh.language import Text, first_names, join_texts, text
from weigh.problem import Problem

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "NAMES", "class_of", "equal_numbers", "further_columns", "missing_columns", "plain_names", "probabilities_as_written", "whole_numbers",
]  # fmt: skip

LISTED = 8  # names of columns in a sentence
NAMES = ("example", "label", "model", "run", "set", "fold", "group", "prediction")
WHOLE = r"^[+-]?\d+(\.0+)?$"  # class numbers: a table with an empty cell once held them as 3.0
POINT = r"\.0+$"
OTHER_NAMES = {  # of pandas, scikit-learn, and of caret, mlr3 and tidymodels in R
    "example": (
        "id", "index", "idx", "image", "image_id", "path", "filename", "file_name", "file", "row", "row_id", "row_ids", "rowindex", "rowname", "rownames",
        "sample", "sample_id", "unnamed: 0",
    ),
    "label": (
        "labels", "y_true", "true", "truth", "target", "y", "gold", "true_label", "actual", "obs", "observed", "reference", "ground_truth", "expected",
    ),
    "prediction": (
        "y_pred", "pred", "preds", "predicted", "predictions", "y_hat", "predicted_label", "response", ".pred_class", "pred_class",
    ),
}  # fmt: skip
# Columns that may say what a missing one would, and what is wrong where they do and are not called so.
ROLES = {
    "fold": (
        ("folds", "resample", "cv_fold", "cvfold", "cv", "fold_id", "fold_idx", "fold_no", "kfold", "折"),
        text(
            "If the predictions come from a cross-validation, intervals are too narrow: they do not allow for the training samples.",
            "如果这些预测来自交叉验证，区间就偏窄：没有计入训练样本的影响。",
        ),
    ),
    "group": (
        ("groups", "group_id", "patient", "patient_id", "patientid", "subject_id", "participant", "participant_id", "病人", "患者"),
        text("If examples of one value belong together, intervals are too narrow.", "如果取值相同的样本属于一体，区间就偏窄。"),
    ),
}  # fmt: skip
BEFORE_CLASS = r"\.?(p|prob|probs|proba|probability|pred_prob|pred|score)[_.:\- ]+"  # "prob_cat", ".pred_cat", "p.cat"


def plain_names(path: Path, written: Sequence[str]) -> list[str]:
    """Names of columns in one form; "Label" is "label" where no other column is, and "P:Cat" is "p:Cat".

    Raises:
        DataError: Two columns of one name.
    """
    names = [compose(name.strip()) for name in written]
    lowered = [name.casefold() for name in names]
    names = [
        low if low in NAMES and lowered.count(low) == 1 else name for name, low in zip(names, lowered, strict=True)
    ]
    names = [f"p:{name[2:]}" if name.startswith("P:") else name for name in names]  # the class keeps its capitals
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(
            text("{p} has several columns called '{c}'.", "{p} 中有多列名为“{c}”。", p=path, c=twice[0]),
            text("Which one counts cannot be told.", "无法判断以哪一列为准。"),
            text("Delete or rename all but one of them.", "请删除或重命名其余各列。"),
        )
    return names


def missing_columns(path: Path, frame: pl.DataFrame, missing: Sequence[str], columns_found: Text) -> DataError:
    """Columns that are not there, with those that seem to be meant."""
    lines, renamed = [], []
    for name in missing:
        old = next((c for c in frame.columns if c.casefold() in OTHER_NAMES.get(name, ())), None)
        lines.append(
            text("{p} has no column '{n}'.", "{p} 中没有“{n}”列。", p=path, n=name)
            + nearest_columns(name, frame.columns)
        )
        renamed += [f"{old} → {name}"] if old else []
    do = columns_found
    meant = {new: old for old, new in (one.split(" → ") for one in renamed)}
    labels = _values(frame, "label" if "label" in frame.columns else meant.get("label"))
    if "prediction" in missing:
        named = [(c, _class_named(c, labels)) for c in frame.columns]
        bare = [f"{c} → p:{name}" for c, name in named if name is not None]
        renamed += bare if len(bare) > 1 else []
        wide = [] if bare or "prediction" in meant else _answers_of_models(frame, labels, set(meant.values()))
        renamed += [f"{wide[0]} → prediction"] if len(wide) == 1 else []
        do = (_one_row_each(wide) + columns_found) if len(wide) > 1 else do
    if renamed:
        do = text("Rename columns: {r}.", "请重命名列：{r}。", r=first_names(renamed, 12)) + do
    return DataError(join_texts(lines, "\n", "\n"), do=do)


def _values(frame: pl.DataFrame, column: str | None) -> set[str]:
    """Different cells of a column, without those that hold lists: a Parquet file may have them."""
    cells = frame[column].to_list() if column is not None else []
    return {str(as_cell(cell)) for cell in cells if cell is not None and not isinstance(cell, (list, dict))}


def _class_named(column: str, labels: set[str]) -> str | None:
    """The class that a column is called like, perhaps after "prob_" or the like."""
    before = re.match(BEFORE_CLASS, column, re.IGNORECASE)
    name = column[before.end() :] if before is not None and column not in labels else column
    return name if name in labels else None


def _answers_of_models(frame: pl.DataFrame, labels: set[str], others: set[str]) -> list[str]:
    """Columns beside `others` that hold nothing but labels, several of them: each may be the answers of one model."""
    named = {c: {as_cell(v) for v in frame[c].to_list()} for c in frame.columns if c not in (*NAMES, *others)}
    return [c for c, values in named.items() if len(values) > 1 and values <= labels] if len(labels) > 1 else []


def _one_row_each(columns: Sequence[str]) -> Text:
    return text(
        "{c} look like the answers of one model each. Write one row for each model and example, with columns model and prediction (pandas: "
        'table.melt(["example", "label"], {l}, "model", "prediction"); R: tidyr::pivot_longer).',
        "{c} 看起来各是一个模型的答案。请改为每个模型、每个样本一行，用 model 列和 prediction 列表示（pandas："
        'table.melt(["example", "label"], {l}, "model", "prediction")；R：tidyr::pivot_longer）。',
        c=first_names(columns, LISTED),
        l="[" + ", ".join(f'"{c}"' for c in columns) + "]",
    )


def further_columns(
    frame: pl.DataFrame, examples: pl.DataFrame, parts: Collection[str], *, chosen: bool
) -> list[Problem]:
    """What became of the columns that are not among `NAMES`, and those that seem to be meant for one of them.

    Args:
        examples: One row per example, with the columns that say one thing of each.
        parts: Columns that became parts of the data.
        chosen: Whether the user named these columns.
    """
    others = [c for c in frame.columns if c not in (*NAMES, "row", "which") and not c.startswith("p:")]
    problems = []
    for role, (names, why) in ROLES.items():
        meant = [c for c in others if c.casefold() in names and role not in frame.columns and c in examples.columns]
        meant = [c for c in meant if 1 < examples[c].n_unique() < len(examples)]
        problems += [
            Problem(
                "columns",
                text("Column '{c}' is not read as '{r}'.", "“{c}”列没有被当作“{r}”读取。", c=column, r=role),
                why=why,
                do=text(
                    "If it says that, rename it: {c} → {r}.", "如果确是此意，请重命名：{c} → {r}。", c=column, r=role
                ),
            )
            for column in meant
        ]
    if others:
        left = [c for c in others if c not in parts]
        sentence = text("", "")
        if parts:
            sentence += text(
                "Further columns that sort the examples: {c}.",
                "其余可用来划分样本的列：{c}。",
                c=first_names(parts, LISTED),
            )
        if left and chosen:
            sentence += text(
                "Not used, since data.slices does not name them: {c}.",
                "未使用（data.slices 未列出）：{c}。",
                c=first_names(left, LISTED),
            )
        elif left:
            sentence += text(
                "Not used (several values for one example, one value for all, another for each, long texts or measurements): {c}.",
                "未使用（同一样本取值不一、所有样本取值相同、每个样本取值都不同、文本过长或是测量值）：{c}。",
                c=first_names(left, LISTED),
            )
        problems.append(Problem("columns", sentence, severity="note"))
    return problems


def whole_numbers(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Class numbers without ".0", where all are numbers."""
    import polars as pl

    if all(frame[name].drop_nulls().str.contains(WHOLE).all() for name in columns):
        return frame.with_columns(pl.col(name).str.replace(POINT, "") for name in columns)
    return frame


def equal_numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """Names that are numbers, without ".0" where one program wrote it and another did not: 3.0 and 3 are one fold."""
    import polars as pl

    for name in ("example", "run", "fold", "group"):
        if name in frame.columns:
            cells = frame[name].drop_nulls()
            pointed = cells.str.contains(POINT)
            if pointed.any() and not pointed.all() and cells.str.contains(WHOLE).all():
                frame = frame.with_columns(pl.col(name).str.replace(POINT, ""))
    return frame


def class_of(column: str, probable: Sequence[str]) -> str:
    """The class of a p: column; where all are called by numbers, p:2.0 is class 2."""
    plain = all(re.fullmatch(WHOLE, name[2:].strip()) for name in probable)
    return re.sub(POINT, "", column[2:].strip()) if plain else column[2:].strip()


def probabilities_as_written(frame: pl.DataFrame, named: Sequence[str], numbers: np.ndarray) -> np.ndarray:
    """Probabilities with decimal commas, or in per cent; `numbers` as they are where they are written otherwise."""
    columns = [[None if v is None else str(v) for v in frame[name].to_list()] for name in named]
    style = number_style(cell for cells in columns for cell in cells)
    if style is None or style.decimal == "?":
        return numbers
    values = np.array([[plain_number(c, style) for c in cells] for cells in columns], dtype=np.float64).T
    return values / 100 if style.percent else values
