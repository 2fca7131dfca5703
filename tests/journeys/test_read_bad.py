"""`weigh read` on what a stranger may hand over: a clear error or an honest finding, never a traceback, never a wrong claim."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.record.tables import rows_of, write
from weigh.cli.main import main


def read(tmp_path, capsys, rows, *options):
    """Exit code, findings by id (where it could be read) and what was printed as an error."""
    code = main(["read", str(write(tmp_path / "t.csv", rows)), "--format", "json", *options])
    said = capsys.readouterr()
    return code, {f["id"]: f for f in json.loads(said.out)["findings"]} if code == 0 else {}, said.err


def decisions(answer, n=200, models=("a", "b")):
    """Rows of bare decisions: `answer(model, i, label)`."""
    rows = []
    for model in models:
        for i in range(n):
            label = ("bee", "ant")[i % 2]
            rows.append({"example": f"e{i}", "label": label, "model": model, "prediction": answer(model, i, label)})
    return rows


@pytest.mark.parametrize("column", ["label", "prediction"])
@pytest.mark.parametrize("written", ["NaN", "nan", ""])
def test_a_missing_cell_is_no_class(tmp_path, capsys, column, written):
    rows = decisions(lambda model, i, label: label)
    rows[3][column] = written
    code, _, error = read(tmp_path, capsys, rows)
    assert code == 2
    assert f"Column '{column}' is empty or NaN in 1 of 400 rows (the first: row 4)" in error


def test_names_that_differ_only_in_writing_are_said(tmp_path, capsys):
    rows = decisions(lambda model, i, label: label)
    for row in rows:
        row["label"] = row["label"].upper() if int(row["example"][1:]) < 40 else row["label"]
    _, found, _ = read(tmp_path, capsys, rows)
    assert found["data:class-names"]["severity"] == "problem"
    assert "BEE = bee" in found["data:class-names"]["sentence"]["en"]


def test_signs_are_not_writing(tmp_path, capsys):
    rows = decisions(lambda model, i, label: label)
    for row in rows:
        row["label"], row["prediction"] = ({"bee": "1", "ant": "-1"}[row[c]] for c in ("label", "prediction"))
    _, found, _ = read(tmp_path, capsys, rows)
    assert "data:class-names" not in found


def test_probabilities_of_0_and_1_are_decisions(tmp_path, capsys):
    rows = rows_of(n=100)
    for row in rows:
        first = float(row["p:bee"] > 0.5)
        row["p:bee"], row["p:ant"] = first, 1 - first
    _, found, _ = read(tmp_path, capsys, rows)
    assert "data:bare-probabilities" in found
    assert not {"calibration", "errors:labels"} & set(found)
    assert "Only decisions were given" in found["reading"]["sentence"]["en"]


@pytest.mark.parametrize("n", [6, 20, 40])
def test_a_few_right_answers_do_not_make_probabilities_trustworthy(tmp_path, capsys, n):
    rows = rows_of(n=n, models={"sure": 30.0, "poor": 1.0})
    _, found, _ = read(tmp_path, capsys, rows)
    assert found["calibration"]["verdict"] == "undecided"
    assert found["calibration"]["estimates"]["calibration_error"]["high"] > -np.log(0.05) / n - 0.01


def test_a_model_at_chance_suspects_no_labels(tmp_path, capsys):
    rng = np.random.default_rng(0)
    rows = rows_of(n=400, classes=("a", "b", "c", "d"), models={"lost": 0.0})
    for row in rows:  # as sure as it is wrong
        p = np.full(4, 0.002)
        p[rng.integers(4)] = 0.994
        row.update({f"p:{c}": x for c, x in zip("abcd", p.tolist(), strict=True)})
    _, found, _ = read(tmp_path, capsys, rows)
    labels = found["errors:labels"]
    assert labels["verdict"] == "undecided"
    assert not labels["examples"]
    assert not labels["next"]
    assert "suspected labels" not in json.dumps([item["en"] for item in found["advice"]["next"]])


def test_identical_models_are_never_told_apart(tmp_path, capsys):
    _, found, _ = read(tmp_path, capsys, decisions(lambda model, i, label: label if i % 7 else "bee"))
    assert found["data:copied-model"]["severity"] == "problem"
    assert found["comparison:a:b"]["relation"] in ("undecided", "equal")


def test_a_part_is_at_most_all_of_the_score_worse(tmp_path, capsys):
    rows = decisions(lambda model, i, label: label if i % 25 or label == "ant" else "ant")
    for row in rows:
        row["site"] = "x" if int(row["example"][1:]) % 4 == 0 else "y"
        if row["site"] == "x":
            row["prediction"] = {"bee": "ant", "ant": "bee"}[row["label"]]
    _, found, _ = read(tmp_path, capsys, rows)
    for name, estimate in found["slices"]["estimates"].items():
        if name.endswith(":shortfall"):
            assert -1 <= estimate["low"] <= estimate["high"] <= 1


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("format", ["html", "md", "text", "json"])
def test_hostile_names_are_shown_and_do_nothing(tmp_path, monkeypatch, capsys, format, language):
    monkeypatch.chdir(tmp_path)
    models = ("a,b <script>alert(1)</script>", "\u202eevil\u202c عربى", "=cmd()|x \"q\" 's' & {n} %s")
    write(tmp_path / "t.csv", decisions(lambda model, i, label: label if i % len(model) else "bee", models=models))
    assert main(["read", "t.csv", "--format", format, "--lang", language]) == 0
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    if format == "html":
        for page in ("report.html", "report.zh.html"):
            written = (tmp_path / "readings" / "t" / page).read_text(encoding="utf-8")
            assert "<script>alert" not in written
            assert "\u202e" not in written


def test_counts_of_one_are_written_as_one(tmp_path, capsys):
    rows = [row for row in rows_of(folds=5) if row["model"] == "good"]
    _, found, _ = read(tmp_path, capsys, rows)
    said = found["reading"]["sentence"]["en"]
    assert "Predictions of 1 model for" in said
    assert "5 folds × 1 repeat)" in said
    assert "1 out-of-fold predictions" not in found["errors:hardest"]["sentence"]["en"]


def test_a_report_that_cannot_be_written_is_told(tmp_path, capsys):
    table = write(tmp_path / "t.csv", decisions(lambda model, i, label: label))
    (tmp_path / "file").write_text("mine")
    for output in ("file", "file/below"):
        assert main(["read", str(table), "--output", str(tmp_path / output)]) == 2
        assert "cannot be read or written" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_labels_are_not_ignored_beside_a_table(tmp_path, capsys):
    code, _, error = read(tmp_path, capsys, rows_of(n=40), "--labels", "labels.npy")
    assert (code, "--labels is for arrays" in error) == (2, True)


def test_json_lines_are_read_and_workbooks_named(tmp_path, capsys):
    rows = decisions(lambda model, i, label: label)
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert main(["read", str(tmp_path / "t.jsonl"), "--format", "json"]) == 0
    capsys.readouterr()
    (tmp_path / "t.csv").write_bytes(b"PK\x03\x04" + bytes(100))
    assert main(["read", str(tmp_path / "t.csv")]) == 2
    assert "a workbook or another packed file" in capsys.readouterr().err


def test_a_zero_that_arithmetic_left_below_zero_is_zero(tmp_path, capsys):
    rows = rows_of(n=60)
    rows[0]["p:bee"], rows[0]["p:ant"] = -1e-9, 1 + 1e-9
    assert read(tmp_path, capsys, rows)[0] == 0
    rows[0]["p:bee"], rows[0]["p:ant"] = -1e-3, 1.001
    assert read(tmp_path, capsys, rows)[0] == 2


def sets(second, name="away"):
    """The rows of two test sets; `second` turns a row of the first into one of the second, or leaves it out."""
    rows = [{**row, "set": "here"} for row in rows_of(runs=1)]
    return rows + [row for row in (second({**row, "set": name}) for row in rows) if row]


def test_a_set_without_a_name_is_an_error_where_others_have_one(tmp_path, capsys):
    code, _, error = read(tmp_path, capsys, sets(lambda row: row, name=""))
    assert (code, "Column 'set' is empty" in error) == (2, True)


@pytest.mark.parametrize("name", ["cv", "test"])
def test_sets_are_called_by_their_names(tmp_path, capsys, name):
    _, found, _ = read(tmp_path, capsys, sets(lambda row: row, name=name))
    said = found[f"shift:{name}"]["sentence"]["en"]
    assert f'on "{name}"' in said
    assert "cross-validation" not in said
    assert "the test part" not in said


def test_sets_with_other_classes_are_not_compared(tmp_path, capsys):
    _, found, _ = read(tmp_path, capsys, sets(lambda row: row if row["label"] == "bee" else None))
    shift = found["shift:away"]
    assert shift["verdict"] == "undecided"
    assert "do not have the same classes (occurring in only one of them: 1)" in shift["sentence"]["en"]
    assert not shift["next"]


def test_a_class_that_one_fold_holds_all_of_is_a_problem(tmp_path, capsys):
    rows = rows_of(folds=5, runs=2)
    _, found, _ = read(tmp_path, capsys, rows)
    assert "data:class-in-one-fold" not in found
    for row in rows:
        row["fold"] = int(row["label"] == "bee")
    _, found, _ = read(tmp_path, capsys, rows)
    assert found["data:class-in-one-fold"]["severity"] == "problem"
    assert "in one fold: ant, bee" in found["data:class-in-one-fold"]["sentence"]["en"]


@pytest.mark.parametrize(
    "label", [[["a"], ["b"]], [[0, 1], [1]], [{"x": 1}, {"x": 2}], [b"a", b"b"], [0, 1], [None, None]]
)
def test_a_parquet_table_without_its_columns_is_told_whatever_its_labels_hold(tmp_path, label, capsys):
    """Cells of a Parquet file may be lists, records or bytes."""
    import polars as pl

    path = tmp_path / "t.parquet"
    pl.DataFrame({"label": label, "a": [0.5, 0.5], "b": [0.5, 0.5]}, strict=False).write_parquet(path)
    assert main(["read", str(path)]) == 2
    told = capsys.readouterr().err
    assert "has no column" in told
    assert "Traceback" not in told
