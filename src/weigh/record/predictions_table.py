"""Predictions that others made, as a table: one row for what one model said about one example in one run.

    example,label,model,run[,set][,fold][,group],prediction          or          …,p:cat,p:dog

Before it: files of strangers. After it: `predictions.py`, which makes `Results` of them. Columns that say one thing of
each example become slices. A cell is only ever a name or a number; whatever is missing, repeated or contradictory is an
error that says how much of it there is and where it begins, or a `Problem` that names every example concerned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from weigh.data.names import compose
from weigh.data.rows.columns import line_problems, metadata_columns
from weigh.data.rows.listing import natural_key
from weigh.data.tables.cells import as_cell
from weigh.data.tables.frames import read_frame
from weigh.data.tables.table_files import TableFile
from weigh.errors import DataError
from weigh.files import open_regular
from weigh.language import join_texts, text
from weigh.problem import Problem
from weigh.record.predictions_answers import Answers, PredictionTable
from weigh.record.predictions_checks import check_probabilities
from weigh.record.predictions_columns import class_of, missing_columns, probabilities_as_written, whole_numbers
from weigh.record.predictions_folder import names_of_files
from weigh.spreadsheets import DEFUSED

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_tables"]

NAMES = ("example", "label", "model", "run", "set", "fold", "group", "prediction")
NEEDED = ("example", "label")
NEVER_NAN = ("label", "prediction", "fold", "group")  # there "NaN" is how a program wrote a missing cell
FORMAT = text(
    "Columns: example, label, model, run, and prediction or one p:CLASS column for each class; optional: set, fold, group.",
    "所需的列：example、label、model、run，以及 prediction 或每个类别一列 p:类别名；可选：set、fold、group。",
)


def read_tables(paths: Sequence[Path], move: Callable[[Sequence[str]], list[str]] = list) -> PredictionTable:
    """All rows of `paths` as one table; a file without a column `model` speaks of one model, named like the file (`_with_models`).

    Raises:
        DataError: Not a table, columns or cells missing, contradictions.
    """
    import polars as pl

    repeats: list[Problem] = []
    frame = pl.concat(_with_models(paths, [_read(path, repeats) for path in paths]), how="diagonal_relaxed")
    if not len(frame):
        raise DataError(text("{p} has no rows.", "{p} 没有数据行。", p=paths[0]), do=FORMAT)
    frame = frame.with_row_index("row", 1).with_columns(pl.when(pl.col("set") != "").then(pl.col("set")).alias("set"))
    if frame["set"].null_count() < len(frame):
        _check_cells(frame, ["set"])
    frame = frame.with_columns(pl.col("set").fill_null(""))
    probable = [name for name in frame.columns if name.startswith("p:")]
    hard = "prediction" in frame.columns
    _check_cells(frame, [n for n in NAMES if n in frame.columns and n not in ("set", "prediction")])
    if hard and (not probable or frame["prediction"].null_count() < len(frame)):
        _check_cells(frame, ["prediction"])
    else:
        hard = False
    frame = whole_numbers(frame, [n for n in ("label", "prediction") if n in frame.columns])
    frame = frame.with_columns(pl.Series("label", move(frame["label"].to_list()), dtype=pl.String))
    examples = _examples(frame)
    classes = _classes(frame, examples["label"], probable, hard=hard)
    frame = frame.join(
        examples.select("set", "example", "which"), on=["set", "example"], how="left", maintain_order="left"
    )
    probabilities, note = _probabilities(frame, probable)
    frame, probabilities, repeated = _once(frame, probabilities, hard=hard)
    index = {name: i for i, name in enumerate(classes)}
    code = {"return_dtype": pl.Int64, "default": None}
    chosen = (
        frame["prediction"].replace_strict(index, **code).to_numpy() if hard else probabilities.argmax(axis=1)  # type: ignore[union-attr]
    )
    group = examples["group"].to_numpy() if "group" in examples.columns else None
    return PredictionTable(
        name=paths[0].name.partition(".")[0] or paths[0].name,
        example=examples["example"].to_numpy(),
        target=examples["label"].replace_strict(index, **code).to_numpy(),
        set=examples["set"].to_numpy(),
        classes=classes,
        answers=_answers(frame, chosen, probabilities),
        group=group,
        slices=_slices(examples),
        problems=(*repeats, *note, *repeated),
    )


def _read(path: Path, problems: list[Problem]) -> pl.DataFrame:
    import polars as pl

    _check_text(path)
    frame, repeated = read_frame(path, wanted=NEEDED)
    if repeated:
        problems += line_problems([TableFile(path, [], {}, True, "", repeated=repeated)], len(frame))
    names = [compose(name.strip()) for name in frame.columns]
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(
            text("{p} has several columns called '{c}'.", "{p} 中有多列名为“{c}”。", p=path, c=twice[0]),
            text("Which one counts cannot be told.", "无法判断以哪一列为准。"),
            text("Delete or rename all but one of them.", "请删除或重命名其余各列。"),
        )
    frame = frame.rename(dict(zip(frame.columns, names, strict=True)))
    missing = [name for name in NEEDED if name not in frame.columns]
    if "prediction" not in frame.columns and not any(c.startswith("p:") for c in frame.columns):
        missing.append("prediction")
    if missing:
        raise missing_columns(path, frame, missing, FORMAT)
    frame = frame.with_columns(  # lists, bytes and times as text: no column of a table may be of a type that stops it
        pl.Series(c.name, [as_cell(v) for v in c.to_list()], pl.String)
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
        pl.when((answers.str.to_lowercase() == "nan") & ~answers.is_in(sorted(named)))
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
    """A workbook is a packed folder, and so are arrays: their first bytes say so."""
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


def _check_cells(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    import polars as pl

    lines = []
    for name in columns:
        empty = frame.filter(pl.col(name).is_null())
        if len(empty):
            lines.append(
                text(
                    "Column '{c}' is empty or NaN in {n} of {m} rows (the first: row {r}).",
                    "“{c}”列在 {m} 行中有 {n} 行为空或为 NaN（第一处：第 {r} 行）。",
                    c=name,
                    n=len(empty),
                    m=len(frame),
                    r=empty["row"][0],
                )
            )
    if lines:
        raise DataError(
            join_texts(lines, "\n", "\n"),
            text("An empty cell could mean anything.", "空单元格含义不明。"),
            text(
                "Fill the cells. Where a model gave no answer, leave the row out: missing rows are counted and reported. "
                "If NaN is the name of a class, call it otherwise (not-a-number).",
                "请补全单元格。如果模型没有给出答案，请删去该行：缺失的行会被统计并报告。如果 NaN 是类别名，请改用别的名称（如 not-a-number）。",
            ),
        )


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


def _slices(examples: pl.DataFrame) -> dict[str, np.ndarray]:
    cells = {c: examples[c].to_list() for c in examples.columns if c not in (*NAMES, "which")}
    return {name: np.array([v or "" for v in column]) for name, column in metadata_columns(cells, set()).items()}


def _classes(frame: pl.DataFrame, labels: pl.Series, probable: list[str], *, hard: bool) -> tuple[str, ...]:
    true_labels = set(labels)
    predicted = set(frame["prediction"]) if hard else set()
    if probable:
        named = [class_of(name, probable) for name in probable]
        unknown = sorted((true_labels | predicted) - set(named), key=natural_key)
        if unknown:
            raise DataError(
                text(
                    "No p: column stands for these classes: {u}.",
                    "以下类别没有对应的 p: 列：{u}。",
                    u=_some(unknown),
                ),
                text(
                    "Without their probabilities nothing can be said of examples of these classes.",
                    "没有它们的概率，就无法评价这些类别的样本。",
                ),
                text("Columns found: {c}.", "找到的列：{c}。", c=_some(probable)),
            )
        return tuple(sorted(dict.fromkeys(named), key=natural_key))
    if not predicted & true_labels:
        raise DataError(
            text(
                "No prediction is one of the labels. Labels: {a}. Predictions: {b}.",
                "没有任何预测值出现在标签中。标签：{a}。预测值：{b}。",
                a=_some(sorted(true_labels, key=natural_key)),
                b=_some(sorted(predicted, key=natural_key)),
            ),
            do=text(
                "Write labels and predictions alike (both names, or both numbers).",
                "请统一标签和预测值的写法（同为名称，或同为编号）。",
            ),
        )
    return tuple(sorted(true_labels | predicted, key=natural_key))


def _some(names: Sequence[str], limit: int = 8) -> str:
    return ", ".join(names[:limit]) + (f", … ({len(names)})" if len(names) > limit else "")


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
                "{n} of {m} rows have no finite number in a p: column (the first: row {r}, {c}: {v}).",
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


def _once(
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
            text(
                "Say in a column run which run a row belongs to (and in a column set which test set). Columns found: {c}.",
                "请用 run 列注明每行属于哪次运行（用 set 列注明属于哪个测试集）。找到的列：{c}。",
                c=", ".join(c for c in frame.columns if c != "row" and c != "which"),
            ),
        )
    again = frame.filter(~kept)
    problem = Problem(
        "repeated-prediction",
        text(
            "{n} of {m} rows repeat another row exactly; each is read once.",
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
