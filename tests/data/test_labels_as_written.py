"""Numbers and several labels in every way that people write them; labels that do not vary."""

from __future__ import annotations

import csv
import json
import math

import polars as pl
import pytest
from PIL import Image

from weigh.data.confirmation import what_was_read
from weigh.data.readers import read_and_check, task_of
from weigh.data.tables.numbers import number_style, plain_number
from weigh.data.tables.several_labels import joined_labels
from weigh.data.texts.index import read_texts
from weigh.errors import DataError
from weigh.spec import DataSpec

TEXTS = [f"the film was {w} on day {i}" for i, w in enumerate(["good", "long", "dull"] * 20)]
VALUES = [round(0.7 * (i % 17) + 0.13 * i, 2) for i in range(60)]


def write(path, names, rows, separator=",", quoting=csv.QUOTE_MINIMAL):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=separator, quoting=quoting).writerows([names, *rows])
    return path


def read(path, task=None, **options):
    spec = DataSpec(train=str(path), **options)
    task = task or task_of(spec)
    return task, *read_and_check(spec, task)


# Numbers ------------------------------------------------------------------------------------------------------------

WAYS = {
    "point": lambda v: f"{v}",
    "comma": lambda v: f"{v}".replace(".", ","),
    "per cent": lambda v: f"{v}%",
    "per cent with a blank": lambda v: f"{v} %".replace(".", ","),
    "thousands, point": lambda v: f"{v:,.2f}",
    "thousands, comma": lambda v: f"{v:,.2f}".translate(str.maketrans(",.", ".,")),
    "thousands, blank": lambda v: f"{v:,.2f}".replace(",", "\u00a0"),
    "thousands, apostrophe": lambda v: f"{v:,.2f}".replace(",", "’"),
    "exponent": lambda v: f"{v:e}",
    "minus sign": lambda v: f"{v}".replace("-", "\u2212"),
    "blanks": lambda v: f"  {v} ",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scale", [1.0, -1.0, 1000.0])
def test_numbers_as_people_write_them(tmp_path, way, scale):
    values = [round(v * scale, 2) for v in VALUES]
    path = write(tmp_path / "t.csv", ("text", "score"), zip(TEXTS, map(WAYS[way], values), strict=True), ";")
    task, examples, _ = read(path)
    assert task == "text-regression"
    assert examples.target.tolist() == pytest.approx(values, rel=1e-6)


def test_what_may_be_two_numbers_is_asked(tmp_path):
    path = write(
        tmp_path / "t.csv", ("text", "score"), [(t, f"{1 + i % 9},{100 + i}") for i, t in enumerate(TEXTS)], ";"
    )
    with pytest.raises(DataError, match="may be one of two numbers"):
        read(path, "text-regression")
    path = write(
        tmp_path / "t.csv", ("text", "score"), [(t, "3,5" if i % 2 else "4.25") for i, t in enumerate(TEXTS)], ";"
    )
    with pytest.raises(DataError, match="written in several ways"):
        read(path, "text-regression")
    assert number_style(["0,123", "0,456"]).decimal == ","
    assert number_style(["1,234,567", "8"]).decimal == "."
    assert number_style(["12,34,567.8"]) is None
    assert number_style(["1_000"]) is None
    assert number_style(["nan", "1.5"]) is None
    assert plain_number("", number_style(["1"])) is None
    assert math.isclose(plain_number("1'234,5", number_style(["1'234,5"])), 1234.5)


def test_a_few_cells_that_are_no_numbers_are_named(tmp_path):
    cells = [f"{v}".replace(".", ",") for v in VALUES]
    cells[7], cells[9] = "unknown", ""
    task, examples, problems = read(write(tmp_path / "t.csv", ("text", "score"), zip(TEXTS, cells, strict=True), ";"))
    assert (task, len(examples)) == ("text-regression", 58)
    assert sorted(p for q in problems if q.kind == "missing-label" for p in q.paths) == ["t.csv:11", "t.csv:9"]


def test_labels_that_do_not_vary_are_refused(tmp_path):
    for values, left in (
        ([3.5] * 60, "All 60 training labels are 3.5"),
        ([0.0] * 57 + [1.5, 2.5, 3.5], "All but 3 of 60"),
    ):
        _, _, problems = read(
            write(tmp_path / "t.csv", ("text", "score"), zip(TEXTS, values, strict=True)), "text-regression"
        )
        (problem,) = [p for p in problems if p.kind == "constant-label"]
        assert problem.severity == "error"
        assert left in problem.sentence.en
    write(tmp_path / "train.csv", ("text", "score"), zip(TEXTS, VALUES, strict=True))
    write(tmp_path / "test.csv", ("text", "score"), [(t + " again", 1.5) for t in TEXTS[:12]])
    _, _, problems = read(tmp_path)
    (problem,) = [p for p in problems if p.kind == "constant-label"]
    assert problem.severity == "warning"
    assert "All 12 labels of the part test are 1.5" in problem.sentence.en
    _, _, problems = read(
        write(tmp_path / "train.csv", ("text", "score"), zip(TEXTS, VALUES, strict=True)), "text-regression"
    )
    assert "constant-label" not in {p.kind for p in problems}


# Several labels -----------------------------------------------------------------------------------------------------

SETS = [[n for n, on in (("food", i % 2), ("trip", i % 3 == 0), ("polite", i % 5 > 1)) if on] for i in range(60)]
NAMES = ("food", "polite", "trip")


def marks(one="1", none="0"):
    return [[one if n in row else none for n in NAMES] for row in SETS]


@pytest.mark.parametrize(
    "way",
    ["columns", "true and false", "floats", "python", "json", "numpy", "jsonl", "parquet", "joined", "marks of pandas"],
)
def test_several_labels_in_every_way(tmp_path, way):
    path, options = tmp_path / "t.csv", {}
    if way in ("columns", "true and false", "floats"):
        one, none = {"columns": ("1", "0"), "true and false": ("True", "False"), "floats": ("1.0", "0.0")}[way]
        write(
            path,
            ("id", "comment_text", *NAMES),
            [(f"id{i}", t, *m) for i, (t, m) in enumerate(zip(TEXTS, marks(one, none), strict=True))],
        )
    elif way == "marks of pandas":
        write(path, ("text", *NAMES), [(t, *m) for t, m in zip(TEXTS, marks("True", "False"), strict=True)], ";")
    elif way in ("python", "json", "numpy"):
        as_text = {"python": str, "json": json.dumps, "numpy": lambda row: "[" + " ".join(f"'{n}'" for n in row) + "]"}[
            way
        ]
        write(path, ("text", "labels"), [(t, as_text(row)) for t, row in zip(TEXTS, SETS, strict=True)])
    elif way == "jsonl":
        path = tmp_path / "t.jsonl"
        path.write_text("\n".join(json.dumps({"text": t, "labels": row}) for t, row in zip(TEXTS, SETS, strict=True)))
    elif way == "parquet":
        path = tmp_path / "t.parquet"
        pl.DataFrame({"text": TEXTS, "labels": SETS}).write_parquet(path)
    else:
        write(path, ("text", "label"), [(t, "|".join(row)) for t, row in zip(TEXTS, SETS, strict=True)])
        options = {"label_separator": "|"}
    task, examples, problems = read(path, **options)
    assert (task, examples.kind.name, examples.classes) == ("text-classification", "labels", NAMES)
    assert [[examples.classes[k] for k in range(3) if row[k]] for row in examples.target] == [
        sorted(row) for row in SETS
    ]
    assert "\x1f" not in " ".join(p.sentence.en for p in problems)
    assert way == "joined" or any("Several labels" in p.sentence.en for p in problems)


def test_lists_of_one_and_columns_that_exclude_each_other_are_classes(tmp_path):
    one = [("food", "trip", "tax")[i % 3] for i in range(60)]
    (tmp_path / "t.jsonl").write_text(
        "\n".join(json.dumps({"text": t, "labels": [k]}) for t, k in zip(TEXTS, one, strict=True))
    )
    assert read(tmp_path / "t.jsonl")[1].kind.name == "label"
    names = ("food", "tax", "trip")
    rows = [(t, *("1" if k == n else "0" for n in names)) for t, k in zip(TEXTS, one, strict=True)]
    _, examples, problems = read(write(tmp_path / "t.csv", ("text", *names), rows))
    assert (examples.kind.name, examples.classes) == ("label", names)
    assert [examples.classes[t] for t in examples.target] == one
    assert any("the column that holds 1" in p.sentence.en for p in problems)


def test_vectors_without_names_are_said(tmp_path):
    rows = [(t, str([int(v) for v in m])) for t, m in zip(TEXTS, marks(), strict=True)]
    _, examples, problems = read(write(tmp_path / "t.csv", ("text", "labels"), rows))
    assert (examples.kind.name, examples.classes) == ("labels", ("1", "2", "3"))
    assert any("without names" in p.sentence.en and p.severity == "warning" for p in problems)


@pytest.mark.parametrize("joiner", ["|", ";", ", "])
def test_names_that_seem_to_be_joined_are_asked_about(tmp_path, joiner):
    rows = [(t, joiner.join(row) or "none") for t, row in zip(TEXTS, SETS, strict=True)]
    _, _, problems = read(write(tmp_path / "t.csv", ("text", "label"), rows))
    (problem,) = [p for p in problems if p.kind == "columns" and p.severity == "warning"]
    setting = problem.do.en.rpartition("=")[2].strip("'")
    assert setting == joiner.strip()
    assert read(tmp_path / "t.csv", label_separator=setting)[1].kind.name == "labels"  # the advice works


@pytest.mark.parametrize(
    "cells", [["a/b", "c/d"] * 5, ["food", "trip"] * 5, ["yes, please", "no"] * 5, ["1|2"] * 9, ["x; y", "z"] * 4]
)
def test_names_with_marks_are_not_several(cells):
    assert joined_labels(cells) is None


def test_a_label_with_a_name_goes_before_columns_of_marks(tmp_path):
    rows = [(t, "ab"[i % 2], *m) for i, (t, m) in enumerate(zip(TEXTS, marks(), strict=True))]
    assert read(write(tmp_path / "t.csv", ("text", "label", *NAMES), rows))[1].kind.name == "label"
    kinds = [("first", "second", "third")[i % 3] for i in range(60)]
    rows = [(t, k, *m[:2]) for t, k, m in zip(TEXTS, kinds, marks(), strict=True)]
    assert read(write(tmp_path / "t.csv", ("text", "source kind", *NAMES[:2]), rows))[1].classes == (
        "first",
        "second",
        "third",
    )


def test_pictures_with_a_column_per_label(tmp_path):
    rows = []
    for i in range(24):
        Image.new("RGB", (8, 8), (i * 9, 50, 200 - i * 5)).save(tmp_path / f"{i}.png")
        rows.append((f"{i}.png", int(i % 2), int(i % 3 == 0)))
    task, examples, _ = read(write(tmp_path / "t.csv", ("path", "cat", "outdoors"), rows))
    assert (task, examples.kind.name, examples.classes) == ("image-classification", "labels", ("cat", "outdoors"))


# Words that some programs take for "missing", and truth values ------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("NA", "EU"), ("null", "zero"), ("None", "Some"), ("nan", "num"), ("inf", "fin"), ("N/A", "-"), ("", "x")]
)
def test_class_names_that_look_missing(tmp_path, words):
    rows = [(t, words[i % 2]) for i, t in enumerate(TEXTS)]
    path = write(tmp_path / "t.csv", ("text", "label"), rows)
    if "" in words:
        with pytest.raises(DataError, match="only one class"):
            read(path, "text-classification")
    else:
        assert set(read(path)[1].classes) == set(words)


@pytest.mark.parametrize("spelling", [("True", "False"), ("TRUE", "FALSE"), ("true", "false")])
def test_truth_values_are_the_same_in_every_file(tmp_path, spelling):
    write(tmp_path / "train.csv", ("text", "label"), [(t, spelling[i % 2]) for i, t in enumerate(TEXTS)])
    (tmp_path / "test.jsonl").write_text(
        "\n".join(json.dumps({"text": t + "!", "label": i % 2 == 0}) for i, t in enumerate(TEXTS[:20]))
    )
    _, examples, problems = read(tmp_path)
    assert examples.classes == ("False", "True")
    assert len(examples) == 80
    assert "unknown-class" not in {p.kind for p in problems}


def test_zeros_before_numbers_stay(tmp_path):
    rows = [(t, f"0{i % 3}") for i, t in enumerate(TEXTS)]
    assert read(write(tmp_path / "t.csv", ("text", "label"), rows))[1].classes == ("00", "01", "02")


def test_what_was_read_is_said_with_two_examples(tmp_path):
    rows = [(i, t, "ab"[i % 2]) for i, t in enumerate(TEXTS)]
    _, examples, problems = read(write(tmp_path / "t.csv", ("number", "text", "label"), rows, ";"))
    said = "\n".join(line.en for line in what_was_read(examples, problems))
    assert "60 texts" in said
    assert "texts: text; labels: label" in said
    assert "Not used: number." in said
    assert "“the film was good on day 0” → a; “the film was long on day 1” → b" in said


def test_columns_of_0_and_1_are_no_numbers(tmp_path):
    rows = [(words, i % 2, i // 2 % 2) for i, words in enumerate(TEXTS)]
    path = write(tmp_path / "t.csv", ("text", "about_food", "polite"), rows)
    with pytest.raises(DataError, match="not a number: 60 of 60"):
        read(path, "text-regression")


def test_a_thousand_is_another_class_than_one(tmp_path):
    """ "1,0" is a 1 with a decimal comma, "1,000" a thousand."""
    bands = ("1", "10", "100", "1,000")
    rows = [(words, bands[i % 4]) for i, words in enumerate(TEXTS)]
    _, examples, _ = read(write(tmp_path / "t.csv", ("text", "label"), rows), "text-classification")
    assert set(examples.classes) == set(bands)
    rows = [(words, f"{i % 3},0") for i, words in enumerate(TEXTS)]
    _, examples, _ = read(write(tmp_path / "t.csv", ("text", "label"), rows), "text-classification")
    assert examples.classes == ("0", "1", "2")


def test_several_labels_in_the_test_set_of_a_study_with_one_each(tmp_path):
    """The first of them was taken, and a row without any was an internal error."""
    rows = [(words, "ab"[i % 2]) for i, words in enumerate(TEXTS)]
    train = write(tmp_path / "train.csv", ("text", "label"), rows)
    labels = (["a"], ["a", "b"], [], ["b"])
    new = [{"text": f"quite other words {i} of {i * 7}", "label": labels[i % 4]} for i in range(12)]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in new))
    examples, problems = read_texts(DataSpec(train=str(train), test=str(tmp_path / "new.jsonl")))
    assert (examples.part == "test").sum() == 6
    (conflict,) = [p for p in problems if p.kind == "label-conflict"]
    assert conflict.paths == tuple(f"new.jsonl:{line}" for line in (2, 3, 6, 7, 10, 11))
