"""What the columns of a table of predictions are called and how their numbers are written.

Before it: a frame of text. After it: `predictions_table.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from weigh.data.rows.columns import nearest_columns
from weigh.data.tables.numbers import number_style, plain_number
from weigh.errors import DataError
from weigh.language import Text, join_texts, text

if TYPE_CHECKING:
    import polars as pl

__all__ = ["class_of", "missing_columns", "probabilities_as_written", "whole_numbers"]

WHOLE = r"^[+-]?\d+(\.0+)?$"  # class numbers: a table with an empty cell once held them as 3.0
OTHER_NAMES = {
    "example": ("id", "index", "image", "path", "filename", "file", "row"),
    "label": ("y_true", "true", "truth", "target", "y", "gold", "true_label"),
    "prediction": ("y_pred", "pred", "predicted", "predictions", "y_hat", "predicted_label"),
}


def missing_columns(path: Path, frame: pl.DataFrame, missing: Sequence[str], columns_found: Text) -> DataError:
    """Columns that are not there, with those that seem to be meant."""
    lines, renamed = [], []
    for name in missing:
        meant = next((c for c in frame.columns if c.casefold() in OTHER_NAMES.get(name, ())), None)
        lines.append(
            text("{p} has no column '{n}'.", "{p} 中没有“{n}”列。", p=path, n=name)
            + nearest_columns(name, frame.columns)
        )
        renamed += [f"{meant} → {name}"] if meant else []
    cells = frame["label"].to_list() if "label" in frame.columns else []
    labels = {
        str(cell) for cell in cells if not isinstance(cell, (list, dict))
    }  # cells of a Parquet file may hold lists
    bare = [c for c in frame.columns if c in labels]
    renamed += [f"{c} → p:{c}" for c in bare] if "prediction" in missing and len(bare) > 1 else []
    do = columns_found
    if renamed:
        do = text("Rename columns: {r}.", "请重命名列：{r}。", r=", ".join(renamed[:12])) + columns_found
    return DataError(join_texts(lines, "\n", "\n"), do=do)


def whole_numbers(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Class numbers without ".0", where all are numbers."""
    import polars as pl

    if all(frame[name].drop_nulls().str.contains(WHOLE).all() for name in columns):
        return frame.with_columns(pl.col(name).str.replace(r"\.0+$", "") for name in columns)
    return frame


def class_of(column: str, probable: Sequence[str]) -> str:
    """The class of a p: column; where all are called by numbers, p:2.0 is class 2."""
    plain = all(re.fullmatch(WHOLE, name[2:].strip()) for name in probable)
    return re.sub(r"\.0+$", "", column[2:].strip()) if plain else column[2:].strip()


def probabilities_as_written(frame: pl.DataFrame, named: Sequence[str], numbers: np.ndarray) -> np.ndarray:
    """Probabilities with decimal commas, or in per cent; `numbers` as they are where they are written otherwise."""
    columns = [[None if v is None else str(v) for v in frame[name].to_list()] for name in named]
    style = number_style(cell for cells in columns for cell in cells)
    if style is None or style.decimal == "?":
        return numbers
    values = np.array([[plain_number(c, style) for c in cells] for cells in columns], dtype=np.float64).T
    return values / 100 if style.percent else values
