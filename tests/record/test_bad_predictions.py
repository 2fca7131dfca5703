"""Predictions that cannot be read are a clear error; those that can be read in part are a named finding."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

import weigh
from tests.record.tables import findings, kinds, rows_of, write
from weigh.cli.rows import write_table
from weigh.errors import DataError, SpecError, WeighError

# ---- bad input: a clear error …


def spoil_label(rows):
    rows[0]["label"] = "ant" if rows[0]["label"] == "bee" else "bee"


def empty_label(rows):
    rows[5]["label"] = ""


def logits(rows):
    for row in rows[:7]:
        row["p:bee"], row["p:ant"] = 3.0, -2.0


def not_a_number(rows):
    rows[3]["p:bee"] = "nan"


def word_for_a_number(rows):
    rows[3]["p:bee"] = "0,7"


def contradict(rows):
    rows.append({**rows[0], "p:bee": 0.5, "p:ant": 0.5})


def no_column_of_a_class(rows):
    for row in rows:
        row["p:be"] = row.pop("p:bee")


def other_folds(rows):
    for i, row in enumerate(rows):
        row["fold"] = i % 5 if row["model"] == "good" else i % 4


def half_of_the_examples(rows):
    rows[:] = [r for r in rows if (r["model"] == "good") == (int(r["example"][1:]) < 180)]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_label, "'label' differs between the rows of one example for 1 of 300"),
        (empty_label, r"'label' is empty or NaN in 1 of 600 rows \(the first: row 6\)"),
        (logits, r"in 7 of 600 rows \(the first: row 1, sum 1\)"),
        (not_a_number, r"1 of 600 rows has no finite number in a p: column \(the first: row 4, p:bee: nan\)"),
        (word_for_a_number, "p:bee: 0,7"),
        (contradict, "2 rows contradict another row of the same example, model and run"),
        (no_column_of_a_class, "No p: column stands for these classes: bee"),
        (other_folds, "not cross-validated on the same folds; these differ from the first: poor"),
        (half_of_the_examples, "Only 0 of 300|Only 180 of 300|set aside"),
    ],
)
def test_bad_rows_are_errors(tmp_path, spoil, message):
    rows = rows_of()
    spoil(rows)
    if spoil is half_of_the_examples:  # one model has less than half: it is set aside and named, the other is read
        found = findings(write(tmp_path / "t.csv", rows))
        assert "poor" in found["data:missing-prediction:2"].sentence.en
        return
    with pytest.raises(DataError, match=message) as error:
        weigh.read_predictions(write(tmp_path / "t.csv", rows))
    assert error.value.render("zh") != error.value.render("en")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no column 'example'"),
        (b"example,label,model,run,prediction\n", "has no rows"),
        (
            b"image,label,model,prediction\na,b,c,d\n",
            "no column 'example'.*Columns found: image, label, model, prediction",
        ),
        (b"example,label,model\na,b,c\n", "no column 'prediction'"),
        (b"example|label|model|prediction\na|b|c|d\n", "No prediction is one of the labels"),
        (b"example:label:model:prediction\na:b:c:d\n", "Columns found: example:label:model:prediction"),
        (b"example,label,prediction\na,b\nc,d,e,f,g\n", "Line 2 of .* has 2 cells; the header has 3. There are 2"),
        (b"example,label,prediction\na,x,1\nb,y,2\n", "No prediction is one of the labels"),
        (b"example,label,prediction\na,x,x\nb,x,x\n", "only one class: x"),
        (b"\x89PNG\r\n\x1a\n\x00\xff\xfe\xfd", "not a file of text"),
        (b"\x1f\x8b broken", "cannot be read"),
    ],
)
def test_bad_files_are_errors(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match="(?s)" + message):
        weigh.read_predictions(path)


def test_labels_that_are_no_classes(tmp_path):
    rows = [{"example": i, "label": f"n{i}", "model": "m", "prediction": f"n{(i * 7) % 300}"} for i in range(300)]
    with pytest.raises(DataError, match="300 examples have 300 different classes"):
        weigh.read_predictions(write(tmp_path / "t.csv", rows))


def test_settings_that_do_not_count_are_refused(tmp_path):
    table = write(tmp_path / "t.csv", rows_of(n=40))
    with pytest.raises(SpecError, match=r"design\.folds does not count"):
        weigh.read_predictions(table, settings=["design.folds=3"])
    with pytest.raises(WeighError, match="does not exist"):
        weigh.read_predictions(tmp_path / "none.csv")


# ---- … or a named finding


def test_repeated_rows_are_read_once_and_named(tmp_path):
    rows = rows_of()
    found = findings(write(tmp_path / "t.csv", [*rows, *rows[:5]]))
    assert found["data:repeated-prediction"].estimates["repeated"].value == 5
    assert found["data:repeated-prediction"].examples == [row["example"] for row in rows[:5]]
    assert (
        found["verdict"].estimates["score"] == findings(write(tmp_path / "u.csv", rows))["verdict"].estimates["score"]
    )


def test_examples_that_a_model_lacks_are_set_aside_for_all(tmp_path):
    rows = [r for r in rows_of() if not (r["model"] == "poor" and r["example"] in ("e3", "e7"))]
    found = findings(write(tmp_path / "t.csv", rows))
    assert found["data:missing-prediction"].examples == ["e3", "e7"]
    assert found["verdict"].estimates["examples"].value == 298


def test_rounded_probabilities_are_scaled_and_said(tmp_path):
    rows = rows_of(classes=("a", "b", "c"))
    for row in rows:
        row |= {key: round(value, 2) for key, value in row.items() if key.startswith("p:")}
    found = findings(write(tmp_path / "t.csv", rows))
    assert found["data:rounded-probabilities"].severity == "detail"


def test_ties_everywhere_settle_nothing(tmp_path):
    rows = rows_of(n=200)
    for row in rows:
        row["p:bee"] = row["p:ant"] = 0.5
    found = findings(write(tmp_path / "t.csv", rows))
    assert found["data:tied-probabilities"].severity == "problem"
    assert found["data:constant-answer"].verdict == "yes"
    assert found["verdict"].verdict != "yes"


def test_one_fold_is_a_test_set(tmp_path):
    rows = [{**row, "fold": 1} for row in rows_of()]
    found = findings(write(tmp_path / "t.csv", rows))
    assert found["verdict"].claim == "these_models"
    assert found["data:one-fold"].severity == "detail"


def test_a_class_missing_in_a_fold_is_said(tmp_path):
    rows = rows_of(n=120, folds=4, classes=("a", "b", "c"))
    for row in rows:
        if row["label"] == "c":
            row["fold"] = 0
    found = findings(write(tmp_path / "t.csv", rows))
    assert found["data:class-in-fold"].estimates["lacking"].value == 3


def test_groups_in_several_folds_are_a_problem(tmp_path):
    rows = [{**row, "group": f"g{int(row['example'][1:]) // 4}"} for row in rows_of(folds=5)]
    found = findings(write(tmp_path / "t.csv", rows))
    assert found["data:split-group"].severity == "problem"


def test_predictions_of_a_class_that_no_label_has(tmp_path):
    rows = rows_of(probable=False)
    rows[0]["prediction"] = "wasp"
    found = findings(write(tmp_path / "t.csv", rows))
    assert "wasp" in found["data:unlabelled-class"].sentence.en


@pytest.mark.parametrize("n", [2, 3, 9])
def test_few_examples_settle_nothing(tmp_path, n):
    found = findings(write(tmp_path / "t.csv", rows_of(n=n)))
    assert found["verdict"].verdict == "undecided"
    assert found["comparison:good:poor"].relation == "undecided"


def test_one_example(tmp_path):
    rows = [row for row in rows_of(n=2) if row["example"] == "e0"]
    found = findings(write(tmp_path / "t.csv", rows))
    assert found["verdict"].verdict == "undecided"


def test_one_model(tmp_path):
    found = findings(write(tmp_path / "t.csv", [row for row in rows_of() if row["model"] == "good"]))
    assert "only candidate" in found["verdict"].sentence.en
    assert "comparison" not in kinds(found)


@pytest.mark.parametrize("classes", [200, pytest.param(1000, marks=pytest.mark.thorough)])
def test_many_classes(tmp_path, classes):
    rows = [
        {
            "example": f"e{i}",
            "label": f"c{i % classes}",
            "model": m,
            "prediction": f"c{i % classes if (i * s) % 10 else 0}",
        }
        for m, s in (("a", 3), ("b", 7))
        for i in range(3 * classes)
    ]
    found = findings(write(tmp_path / "t.csv", rows))
    assert 0.85 < found["verdict"].estimates["score"].value < 0.95


def test_models_with_different_numbers_of_runs_and_a_missing_fold(tmp_path):
    rows = [r for r in rows_of(runs=3, folds=4) if not (r["model"] == "poor" and r["run"] == "r2")]
    found = findings(write(tmp_path / "t.csv", rows))
    assert found["comparison:good:poor"].relation == "better"
    holes = [r for r in rows if not (r["model"] == "good" and r["run"] == "r1" and r["fold"] == 2)]
    found = findings(write(tmp_path / "u.csv", holes))
    assert found["verdict"].estimates["examples"].value == 225
    assert "good/r1 (75)" in found["data:missing-prediction"].sentence.en


HOSTILE = "<script>alert(1)</script>{0}%s\u202e"


def test_hostile_names_do_nothing(tmp_path):
    rows = rows_of(n=60, classes=(HOSTILE + "a", "b"), models={HOSTILE: 2.0, "=cmd()": 1.0})
    for row in rows:
        row["example"] += HOSTILE
    reading = weigh.read_predictions(write(tmp_path / "t.csv", rows))
    assert not reading.findings().of("internal")
    for language in ("en", "zh"):
        page = reading.report("html", language)
        assert "<script>alert" not in page
        assert "\u202e" not in page
        outside_code = re.sub(r"`[^`]*`", "", reading.report("md", language))  # file names stand in code spans
        assert "<script>alert" not in outside_code


# ---- names of files and of columns


def test_a_file_that_is_meant_is_named(tmp_path):
    table = write(tmp_path / "predictions.csv", rows_of(n=20))
    with pytest.raises(DataError, match="does not exist") as caught:
        weigh.read_predictions(tmp_path / "prediction.csv")
    assert str(table) in caught.value.render("en")
    folder = tmp_path / "answers"
    folder.mkdir()
    np.save(tmp_path / "labels.npy", np.arange(4) % 2)
    np.save(folder / "one.npy", np.arange(4) % 2)
    for name in ("lables.npy", "lables.json"):
        with pytest.raises(DataError, match="There is no file") as caught:
            weigh.read_predictions(folder, labels=[tmp_path / name])
        assert caught.value.do == (
            f"Did you mean {tmp_path / 'labels.npy'}?",
            f"您是想用 {tmp_path / 'labels.npy'} 吗？",
        )


def test_two_columns_of_one_name_are_refused(tmp_path):
    rows = rows_of(n=20)
    frame = pl.DataFrame(rows).with_columns(pl.col("label").alias("label "))
    frame.write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="several columns called 'label'"):
        weigh.read_predictions(tmp_path / "t.parquet")


def test_files_may_keep_probabilities_in_different_types(tmp_path):
    """One program writes 32 bits, another 64, a third one text."""
    rows = rows_of(n=40, models={"good": 2.5, "poor": 1.0, "third": 1.5})
    frame = pl.DataFrame(rows)
    single = frame.filter(pl.col("model") == "good").with_columns(pl.col("p:bee", "p:ant").cast(pl.Float32))
    single.write_parquet(tmp_path / "single.parquet")
    frame.filter(pl.col("model") == "poor").write_parquet(tmp_path / "double.parquet")
    frame.filter(pl.col("model") == "third").write_csv(tmp_path / "text.csv")
    whole, parts = (
        tmp_path / "whole.csv",
        [tmp_path / name for name in ("single.parquet", "double.parquet", "text.csv")],
    )
    frame.write_csv(whole)
    expected, read = (weigh.read_predictions(*paths).results for paths in ([whole], parts))
    assert [one.id for one in read.candidates] == [one.id for one in expected.candidates]
    for mine, theirs in zip(read.records, expected.records, strict=True):
        assert np.allclose(read.predictions(mine.key)[1], expected.predictions(theirs.key)[1], atol=1e-4)


@pytest.mark.parametrize("classes", [("+", "-"), ("=a", "@b"), ("'quoted'", "plain")])
def test_names_that_were_made_safe_for_spreadsheets_are_read_as_they_were(tmp_path, classes):
    """Of `weigh export --predictions`: an apostrophe stands before them in cells, and none in the names of columns."""
    write_table(pl.DataFrame(rows_of(n=40, classes=classes)), tmp_path / "t.csv")
    assert set(weigh.read_predictions(tmp_path / "t.csv").results.examples.classes) == set(classes)


def test_a_class_that_begins_with_an_apostrophe_keeps_it(tmp_path):
    table = write(tmp_path / "t.csv", rows_of(n=40, classes=("'-ish", "-ish")))
    assert set(weigh.read_predictions(table).results.examples.classes) == {"'-ish", "-ish"}
