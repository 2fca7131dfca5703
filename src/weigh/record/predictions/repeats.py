"""Rows that say the same thing twice, and rows that contradict each other.

Before it: the rows of `table.py`, each with its example. After it: one answer of each model and run to each example.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from weigh.errors import DataError
from weigh.language import Text, text
from weigh.problem import Problem
from weigh.record.predictions.columns import NAMES

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_once"]


def read_once(
    frame: pl.DataFrame, probabilities: np.ndarray | None, *, hard: bool
) -> tuple[pl.DataFrame, np.ndarray | None, list[Problem]]:
    """Rows that say the same thing twice are read once; rows that contradict each other are an error."""
    import polars as pl

    key = ["which", "model", "run"]
    rest = [c for c in frame.columns if c.startswith("p:") or c in ("fold", *(["prediction"] if hard else []))]
    if not frame.select(pl.struct(key).is_duplicated().any()).item():
        return frame, probabilities, []
    kept = frame.select(pl.struct(*key, *rest).is_first_distinct()).to_series()
    twice = frame.filter(kept).filter(pl.struct(key).is_duplicated())
    if len(twice):
        first = twice.row(0, named=True)
        raise DataError(
            text(
                "{n} {n:|row contradicts|rows contradict} another row of the same example, model and run (the first: example {e}, model {m}, run {r}).",
                "有 {n} 行与同一样本、同一模型、同一次运行的另一行相矛盾（第一处：样本 {e}，模型 {m}，运行 {r}）。",
                n=len(twice),
                e=first["example"],
                m=first["model"],
                r=first["run"],
            ),
            text("A model says one thing about an example in a run.", "一次运行中，模型对一个样本只有一个答案。"),
            _telling_apart(frame)
            + text(
                "Columns found: {c}.",
                "找到的列：{c}。",
                c=", ".join(c for c in frame.columns if c not in ("row", "which")),
            ),
        )
    again = frame.filter(~kept)
    problem = Problem(
        "repeated-prediction",
        text(
            "{n} of {m} rows {n:|repeats|repeat} another row exactly; each is read once.",
            "{m} 行中有 {n} 行与另一行完全相同，只读取一次。",
            n=len(again),
            m=len(frame),
        ),
        paths=tuple(again["example"].unique(maintain_order=True)),
        numbers={"repeated": len(again), "rows": len(frame)},
        do=text("Check how the table was put together.", "请检查表格是如何合并的。"),
    )
    mask = kept.to_numpy()
    return frame.filter(kept), None if probabilities is None else probabilities[mask], [problem]


def _telling_apart(frame: pl.DataFrame) -> Text:
    """What to do where a model answers twice about an example: the column that tells its answers apart, where one does."""
    import polars as pl

    key = ["which", "model", "run"]

    def separates(column: str) -> bool:
        return not frame.select(pl.struct(*key, column).is_duplicated().any()).item()

    if "fold" in frame.columns and separates("fold"):
        return text(
            "Examples stand in several folds of one run. If these are repeats of a cross-validation, say in a column run which one a row belongs to; "
            "splits that draw the same example several times (ShuffleSplit, bootstrap) are no cross-validation and cannot be read.",
            "同一次运行中有样本出现在多个折里。如果是交叉验证的多次重复，请用 run 列注明每行属于哪一次；多次抽到同一样本的划分（ShuffleSplit、自助法）不是交叉验证，无法读取。",
        )
    values = {
        c: frame[c].n_unique() for c in frame.columns if not c.startswith("p:") and c not in ("row", *NAMES, *key)
    }
    # As many values as examples are an index or a score, and no names of trainings.
    few = [c for c, count in values.items() if count < frame["which"].n_unique() and separates(c)]
    if few:
        return text(
            "Column '{c}' tells these rows apart: call it run if it is the training, model if it is the model, set if it is the test set.",
            "“{c}”列可以区分这些行：如果它是第几次训练，请改名为 run；如果是模型，改名为 model；如果是测试集，改名为 set。",
            c=min(few, key=lambda c: values[c]),
        )
    return text(
        "Say in a column run which run a row belongs to (and in a column set which test set).",
        "请用 run 列注明每行属于哪次运行（用 set 列注明属于哪个测试集）。",
    )
