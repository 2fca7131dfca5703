"""Whether the cells of a table of predictions say what they must: empty ones, words for nothing, models without probabilities, several labels.

Before it: columns with their right names. After it: `table.py`. What would give a wrong score is an error that says what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from weigh.data.rows.columns import SPLITS
from weigh.data.rows.listing import PARTS, natural_key
from weigh.data.tables.several_labels import joined_labels, labels_of
from weigh.errors import DataError
from weigh.language import Text, join_texts, text
from weigh.problem import Problem
from weigh.record.predictions.columns import NAMES

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "check_cells", "check_fold_names", "check_models", "check_prediction_cells", "check_scores", "check_several_labels", "check_words_for_nothing",
    "some_names", "training_rows",
]  # fmt: skip

NOTHING = ("na", "n/a")  # how R and spreadsheets write an empty cell; may also be the name of a class
MANY_NUMBERS = 20  # so many different numbers with a fraction are measurements, no classes
NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
NO_FOLD = ("-1", "na", "n/a", "none", "holdout", "hold-out")  # scikit-learn's PredefinedSplit writes -1
FILL = text(
    "Fill the cells. Where a model gave no answer, leave the row out: missing rows are counted and reported. "
    "If NaN is the name of a class, call it otherwise (not-a-number).",
    "请补全单元格。如果模型没有给出答案，请删去该行：缺失的行会被统计并报告。如果 NaN 是类别名，请改用别的名称（如 not-a-number）。",
)


def some_names(names: Sequence[str], limit: int = 8) -> str:
    """The first names, and in brackets how many there are in all where not all are told."""
    return ", ".join(names[:limit]) + (f", … ({len(names)})" if len(names) > limit else "")


def check_cells(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    """No cell of these columns is empty."""
    import polars as pl

    lines = []
    for name in columns:
        empty = frame.filter(pl.col(name).is_null())
        if len(empty):
            lines.append(
                text(
                    "Column '{c}' is empty or NaN in {n} of {m} {m:|row|rows} (the first: row {r}).",
                    "“{c}”列在 {m} 行中有 {n} 行为空或为 NaN（第一处：第 {r} 行）。",
                    c=name,
                    n=len(empty),
                    m=len(frame),
                    r=empty["row"][0],
                )
            )
    if lines:
        raise DataError(
            join_texts(lines, "\n", "\n"), text("An empty cell could mean anything.", "空单元格含义不明。"), FILL
        )


def check_words_for_nothing(frame: pl.DataFrame, probable: Sequence[str]) -> None:
    """ "NA" is a class where labels and predictions both say it, or where a p: column does; else it is an empty cell."""
    if any(name[2:].strip().casefold() in NOTHING for name in probable):
        return
    nothing = {
        name: frame[name].str.to_lowercase().is_in(NOTHING).fill_null(value=False) for name in ("label", "prediction")
    }
    if nothing["label"].any() == nothing["prediction"].any():
        return
    own, other = ("label", "prediction") if nothing["label"].any() else ("prediction", "label")
    rows = frame.filter(nothing[own])
    raise DataError(
        text(
            "Column '{c}' says {w} in {n} of {m} rows (the first: row {r}), and column '{o}' never does.",
            "“{c}”列在 {m} 行中有 {n} 行为 {w}（第一处：第 {r} 行），而“{o}”列从未出现。",
            c=own, w=rows[own][0], n=len(rows), m=len(frame), r=rows["row"][0], o=other,
        ),
        text("R and spreadsheets write an empty cell so; it would count as a class.", "R 和电子表格这样写空单元格；照读就会把它算作一个类别。"),
        text(
            "Leave these rows out: missing rows are counted and reported. If {w} is the name of a class, call it otherwise.",
            "请删去这些行：缺失的行会被统计并报告。如果 {w} 是类别名，请改用别的名称。",
            w=rows[own][0],
        ),
    )  # fmt: skip


def check_models(frame: pl.DataFrame, probable: Sequence[str]) -> None:
    """Every model has a number for every class, or none has any; those without numbers say what they decided."""
    import polars as pl

    if not probable or not any(frame[name].null_count() for name in probable):
        return
    empty = frame.group_by("model", maintain_order=True).agg(pl.col(name).is_null().all() for name in probable)
    bare = [model for model, *columns in empty.iter_rows() if all(columns)]
    rows = frame.filter(pl.col("prediction").is_not_null()) if "prediction" in frame.columns else frame.clear()
    deciding = set(rows["model"])
    if silent := [model for model in bare if model not in deciding]:
        raise DataError(
            text(
                "There are neither probabilities nor decisions of: {m}.",
                "既没有概率也没有判断结果的模型：{m}。",
                m=some_names(silent),
            ),
            do=text(
                "Fill their p: columns or the column prediction, or leave their rows out.",
                "请补全它们的 p: 列或 prediction 列，或删去相应的行。",
            ),
        )
    if len(bare) == len(empty):
        raise DataError(
            text("The p: columns are empty in all rows.", "p: 列在所有行中都为空。"),
            do=text(
                "Leave these columns out to compare the models by their decisions.",
                "请去掉这些列，以按判断结果比较各模型。",
            ),
        )
    if bare:
        raise DataError(
            text(
                "Some models have probabilities and others only decisions: {m}.",
                "有些模型给出概率，另一些只有判断结果：{m}。",
                m=some_names(bare),
            ),
            text("They can be compared by their decisions only.", "它们只能按判断结果比较。"),
            text(
                "Give the column prediction for all models and leave out the p: columns; or read the two kinds one after the other.",
                "请为所有模型提供 prediction 列并去掉 p: 列；或分两次分别读取。",
            ),
        )
    for model, *columns in empty.iter_rows():
        if lacking := [name for name, is_empty in zip(probable, columns, strict=True) if is_empty]:
            raise DataError(
                text(
                    "{m} has no number in these columns, which other models have: {c}.",
                    "{m} 在以下列中没有数值，而其他模型有：{c}。",
                    m=model, c=some_names(lacking),
                ),
                text("All models must speak of the same classes.", "所有模型须针对相同的类别。"),
                text(
                    "If it does not know these classes, write 0 there; if it calls them otherwise, rename its columns.",
                    "如果该模型没有这些类别，请填 0；如果只是名称不同，请重命名相应的列。",
                ),
            )  # fmt: skip


def check_prediction_cells(frame: pl.DataFrame, probable: Sequence[str]) -> None:
    """A model with probabilities may state no decision at all; else it states one in every row."""
    import polars as pl

    if probable:
        has_decisions = frame.select(pl.col("prediction").is_not_null().any().over("model")).to_series()
        frame = frame.filter(has_decisions)
    check_cells(frame, ["prediction"])


def check_fold_names(frame: pl.DataFrame) -> None:
    """Folds are parts of one cross-validation; rows of a test or training part are none. `frame` holds the first set."""
    names = sorted(frame["fold"].unique().to_list(), key=natural_key)
    odd = [name for name in names if name.casefold() in PARTS or name.casefold() in NO_FOLD]
    if len(names) < 2 or not odd:
        return
    rename = text("Or, if it names parts of the data, call the column set.", "如果该列是数据的划分，请将其改名为 set。")
    raise DataError(
        text(
            "Column 'fold' holds {o}, which {n:|is no fold|are no folds} of a cross-validation (all values: {a}).",
            "“fold”列中有 {o}，它不是交叉验证的折（全部取值：{a}）。",
            o=some_names(odd), n=len(odd), a=some_names(names),
        ),
        text("Rows of a training or test part would be read as one more fold.", "否则训练或测试部分的行会被当作额外的一折。"),
        text(
            "Leave these rows out, or say in a column set which rows are the cross-validation and which the test part; cells of the column fold are then empty in the test part.",
            "请删去这些行；或用 set 列注明哪些行是交叉验证、哪些是测试部分，测试部分的 fold 单元格留空。",
        ) + rename,
    )  # fmt: skip


def check_scores(labels: set[str], predicted: set[str]) -> None:
    """Decisions are classes, and neither scores nor measurements."""
    names = sorted(labels | predicted, key=natural_key)
    scores = [name for name in predicted if has_fraction(name)]
    if len(names) > MANY_NUMBERS and any(map(has_fraction, labels)) and all(re.fullmatch(NUMBER, n) for n in names):
        raise DataError(
            text(
                "Labels and predictions are numbers with a fraction, {k} different ones ({c}).",
                "标签和预测是带小数的数值，共有 {k} 个不同取值（{c}）。",
                k=len(names), c=some_names(names, 3),
            ),
            text("They are measurements: how far an answer is off would not count.", "这是测量值，而答案相差多少在这里不计入。"),
            text(
                "weigh read compares models that name classes. Give the classes, such as ranges of the values.",
                "weigh read 比较的是给出类别的模型。请给出类别，例如数值区间。",
            ),
        )  # fmt: skip
    if 2 * len(scores) < len(predicted) or not scores or any(map(has_fraction, labels)):
        return
    raise DataError(
        text(
            "Column 'prediction' holds numbers with a fraction ({p}), column 'label' does not ({l}).",
            "“prediction”列是带小数的数值（{p}），而“label”列不是（{l}）。",
            p=some_names(sorted(scores, key=natural_key), 4), l=some_names(sorted(labels, key=natural_key), 4),
        ),
        text("A score or a measurement is no decision for a class.", "得分或测量值不是对类别的判断。"),
        text(
            "Give probabilities in one column p:CLASS for each class (of two classes: the score, and 1 minus the score), or the class that was decided for.",
            "请为每个类别提供一列 p:类别名 的概率（两个类别时为得分和 1 减得分），或给出所判定的类别。",
        ),
    )  # fmt: skip


def has_fraction(name: str) -> bool:
    """Whether it is a number that is not whole."""
    try:
        value = float(name)
    except ValueError:
        return False
    return abs(value) < float("inf") and not value.is_integer()


def check_several_labels(labels: Sequence[str]) -> list[Problem]:
    """Cells that seem to hold several labels: each combination is read as a class, and that is said.

    Raises:
        DataError: Lists of several labels.
    """
    several = text(
        "weigh read compares models that give one class for each example.",
        "weigh read 比较的是每个样本给出一个类别的模型。",
    )
    apart = text(
        "If an example may have several labels, make a table of yes and no for each label.",
        "如果一个样本可有多个标签，请为每个标签各做一张“是/否”的表格。",
    )  # fmt: skip
    if labels_of({"label": list(labels)}, "label").separator is not None:
        raise DataError(
            text("Column 'label' holds lists of several labels.", "“label”列中是含有多个标签的列表。"), several, apart
        )
    joiner = joined_labels(labels)
    if joiner is None:
        return []
    sentence = text(
        "Column 'label' seems to hold several labels joined by '{j}' (\"{e}\"); each combination is read as a class of its own.",
        "“label”列似乎用“{j}”连接了多个标签（“{e}”）；每种组合各算一个类别。",
        j=joiner, e=next(label for label in labels if joiner in label),
    )  # fmt: skip
    return [Problem("columns", sentence, why=several, do=apart)]


def training_rows(frame: pl.DataFrame) -> list[Problem]:
    """Examples of the first set that a column calls training examples, where no column says that models were kept from them."""
    if "fold" in frame.columns:
        return []
    main = frame.filter(frame["set"] == frame["set"][0])
    for name in ("set", *(name for name in frame.columns if name.casefold() in SPLITS and name not in NAMES)):
        parts = {cell: PARTS.get((cell or "").casefold()) for cell in main[name].unique().to_list()}
        if "train" not in parts.values() or None in parts.values():
            continue
        rows = main.filter(main[name].is_in([cell for cell, part in parts.items() if part == "train"]))
        every = len(main.select("example").unique())
        examples = rows.select("example").unique(maintain_order=True)
        return [
            Problem(
                "training-rows",
                _said_training(name, len(examples), every),
                paths=tuple(examples["example"]),
                numbers={"training": len(examples), "examples": every},
                why=text(
                    "If models were trained on them, their scores say nothing about new examples.",
                    "如果模型用它们训练过，得分就不能说明在新样本上的表现。",
                ),
                do=text(
                    "Leave these rows out, or write the rows of the test set first, with its name in a column set.",
                    "请删去这些行；或把测试集的行写在最前面，并在 set 列中写明集合名称。",
                ),
            )
        ]
    return []


def _said_training(column: str, n: int, every: int) -> Text:
    return text(
        "Column '{c}' calls {n} of {m} examples training examples, and the scores here count them.",
        "“{c}”列把 {m} 个样本中的 {n} 个标为训练样本，而这里的得分把它们计算在内。",
        c=column, n=n, m=every,
    )  # fmt: skip
