"""What a study recorded, as tables for other tools: every prediction, every run, the suspected labels.

Before it: the records. After it: `weigh export`. The table of predictions has the columns that `weigh read` reads, so that anybody can
recompute a number of the report, with our statistics or with others'.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from weigh.errors import RecordError, SpecError
from weigh.findings.file import findings_file
from weigh.language import text
from weigh.record.results import OutOfFold, Results
from weigh.report.runs import score_run

if TYPE_CHECKING:
    import polars as pl

__all__ = ["make_table"]

CROSS_VALIDATION = (
    "cross-validation"  # what the column `set` says of out-of-fold predictions; others: "test", names of further sets
)
WHOLE = -1  # the fold of predictions on a test set, as in the records: the model was trained on all of them


class _Scored(NamedTuple):
    """Predictions of one candidate on one set."""

    candidate: str
    set: str
    predictions: OutOfFold


def predictions_table(results: Results) -> pl.DataFrame:
    """Every prediction that scores are made of, out of fold and on test sets; examples without one are left out.

    Columns: example, label, model (the candidate), run (the repeat), set, fold, group (where the design has groups), prediction
    (as decided), and `p:CLASS` as trained, before the temperature. For numbers label and prediction are numbers; of several labels both are
    joined by "|"; entities are JSON lists of [first token, token after the last, type].

    Raises:
        RecordError: There are none yet.
    """
    import polars as pl

    frames = [_frame(results, one, r) for one in _scored(results) for r in range(len(one.predictions.answers))]
    if not frames:
        raise RecordError(
            text("The study {n} has no predictions yet.", "研究 {n} 还没有任何预测。", n=results.name),
            text(
                "None of its runs has ended, or all failed; log.txt says why.",
                "没有任何运行完成，或全部失败；原因见 log.txt。",
            ),
            text("Go on with it: weigh run STUDY (--retry-failed)", "请继续运行：weigh run 研究（--retry-failed）"),
        )
    return pl.concat(frames)


def _scored(results: Results) -> Iterator[_Scored]:
    for candidate in results.candidates:
        if (runs := results.out_of_fold(candidate.id)) is not None:
            yield _Scored(candidate.id, CROSS_VALIDATION, runs)
    for part in ("test", *(f"shift:{name}" for name in results.shifted)):
        for candidate in results.candidates:
            if (runs := results.test(candidate.id, part)) is not None:
                yield _Scored(candidate.id, part.removeprefix("shift:"), runs)


def _frame(results: Results, scored: _Scored, repeat: int) -> pl.DataFrame:
    import polars as pl

    from weigh.plan.runs import group_of

    runs, examples = scored.predictions, results.examples
    rows = np.flatnonzero(runs.present[repeat])
    which, prediction = runs.indices[rows], runs.prediction(repeat)
    columns: dict[str, Any] = {
        "example": examples.path[which].astype(str),
        "label": runs.kind.cells(runs.target[rows], examples.classes),
        "model": [scored.candidate] * len(rows),
        "run": np.full(len(rows), repeat),
        "set": [scored.set] * len(rows),
        "fold": runs.fold[repeat, rows].astype(np.int64)
        if scored.set == CROSS_VALIDATION
        else np.full(len(rows), WHOLE),
    }
    if (group := group_of(examples, results.spec)) is not None:
        columns["group"] = group[which].astype(str)
    columns["prediction"] = runs.kind.cells(prediction.labels[rows], examples.classes)
    if runs.kind.probable:
        columns |= {f"p:{name}": prediction.probabilities[rows, i] for i, name in enumerate(examples.classes)}
    return pl.DataFrame(columns)


def runs_table(results: Results) -> pl.DataFrame:
    """Every recorded run, failed ones included: what it was, its score, and what it measured and decided (facts, as JSON where they are lists)."""
    import polars as pl

    rows = []
    for run in results.records:
        scores = {f"train_{name}": value for name, value in (run.facts.get("train_scores") or {}).items()}
        facts = {name: _plain(value) for name, value in run.facts.items() if name != "train_scores"}
        measured = {name: _plain(value) for name, value in run.measured.items() if name != "traceback"}
        rows.append({
            "key": run.key, "candidate": run.candidate, "purpose": run.purpose, "variant": run.variant,
            "repeat": run.repeat, "fold": run.fold, "status": run.status, "cause": run.cause, "n_train": run.n_train,
            f"{results.spec.primary}": score_run(results, run), **scores, **facts, **measured,
            **{f"seed_{name}": str(value) for name, value in run.seeds.items()},
        })  # fmt: skip
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame(
        [{name: row.get(name) for name in names} for row in rows], infer_schema_length=None, strict=False
    )


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict, tuple)) else value


def suspects_table(results: Results) -> pl.DataFrame:
    """Labels that are suspected to be wrong, the most suspicious first: path, given, predicted, probability_of_given, why."""
    import polars as pl

    finding = next((f for f in findings_file(results).findings if f.kind == "label-errors"), None)
    names = ("path", "given", "predicted", "probability_of_given", "why")
    rows = finding.table if finding else []
    return pl.DataFrame({name: [row[name] for row in rows] for name in names})


TABLES = {"predictions": predictions_table, "runs": runs_table, "suspects": suspects_table}


def make_table(results: Results, name: str) -> pl.DataFrame:
    """The table of that name.

    Raises:
        SpecError: There is none.
    """
    if name not in TABLES:
        raise SpecError(
            text("There is no table '{n}'.", "没有名为“{n}”的表格。", n=name),
            do=text("Choose one of {k}.", "可选：{k}。", k=", ".join(TABLES)),
        )
    return TABLES[name](results)
