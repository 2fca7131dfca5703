"""Tables that other tools write otherwise than the documentation says: what would be read wrongly is refused or said, and the advice works."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tests.record.tables import findings, rows_of, write
from weigh.cli.main import main
from weigh.errors import DataError, SpecError
from weigh.reading import read_predictions

DECIDED = rows_of(n=60, probable=False)
PROBABLE = rows_of(n=60)


def of(model, rows=DECIDED):
    """The rows of one model, without its name."""
    return [{k: v for k, v in row.items() if k != "model"} for row in rows if row["model"] == model]


def number(row) -> int:
    return int(row["example"][1:])


def problems(*paths, **options):
    return read_predictions(*paths, **options).results.problems


def refused(*paths, **options) -> str:
    with pytest.raises((DataError, SpecError)) as caught:
        read_predictions(*paths, **options)
    assert caught.value.render("zh") != caught.value.render("en")
    return caught.value.render("en")


# ---- names of columns


def test_capitals_in_names_of_columns_do_not_count(tmp_path):
    rows = [{**row, "fold": number(row) % 4} for row in DECIDED]
    right = read_predictions(write(tmp_path / "a.csv", rows)).results
    table = write(tmp_path / "b.csv", [{key.title(): value for key, value in row.items()} for row in rows])
    read = read_predictions(table).results
    assert (read.origin, [c.id for c in read.candidates]) == (right.origin, [c.id for c in right.candidates])
    assert read.origin == "folds"
    soft = write(tmp_path / "p.csv", [{key.replace("p:", "P:"): v for key, v in row.items()} for row in PROBABLE])
    assert read_predictions(soft).results.examples.classes == ("ant", "bee")
    twice = write(tmp_path / "c.csv", [{**row, "Fold": "x"} for row in rows])
    assert read_predictions(twice).results.origin == "folds"  # the other one is a column of its own
    assert "Fold" in problems(twice)[0].sentence.en


@pytest.mark.parametrize(("column", "role"), [("patient", "group"), ("cv_fold", "fold"), ("Subject_ID", "group")])
def test_a_column_that_seems_to_be_meant_is_named_and_the_advice_works(tmp_path, column, role):
    rows = [{**row, column: number(row) // 4} for row in DECIDED]
    (told, _) = problems(write(tmp_path / "t.csv", rows))
    assert (told.kind, told.severity) == ("columns", "warning")
    assert f"{column} → {role}" in told.do.en
    renamed = [{role if key == column else key: value for key, value in row.items()} for row in rows]
    assert not [p for p in problems(write(tmp_path / "t.csv", renamed)) if p.kind == "columns"]
    alone = [{**row, column: row["example"]} for row in DECIDED]  # every example has its own
    assert {p.severity for p in problems(write(tmp_path / "t.csv", alone))} == {"note"}


def test_what_became_of_further_columns_is_told(tmp_path):
    rows = [{**row, "site": number(row) % 2, "seed": 7, "loss": i / 7} for i, row in enumerate(DECIDED)]
    found = findings(write(tmp_path / "t.csv", rows))["data:columns"]
    assert found.severity == "detail"
    assert found.sentence.en.startswith("Further columns that sort the examples: site. Not used (several")
    assert "seed, loss" in found.sentence.en
    (chosen,) = problems(tmp_path / "t.csv", settings=["data.slices=[]"])
    assert chosen.sentence.en == "Not used, since data.slices does not name them: site, seed, loss."
    subjects = [{**row, "subject": ("law", "physics")[number(row) % 2]} for row in DECIDED]
    assert {p.severity for p in problems(write(tmp_path / "t.csv", subjects))} == {"note"}


def test_data_slices_chooses_the_parts(tmp_path):
    rows = [{**row, "site": number(row) % 2, "age": number(row) + 0.5, "ward": number(row) % 3} for row in DECIDED]
    table = write(tmp_path / "t.csv", rows)
    assert set(read_predictions(table).results.examples.slices) == {"site", "ward"}
    chosen = read_predictions(table, settings=["data.slices=[age, site]"]).results
    assert set(chosen.examples.slices) == {"age", "site"}
    assert "no column 'sites'" in refused(table, settings=["data.slices=[sites]"])


@pytest.mark.parametrize(("before", "renamed"), [("prob_", "prob_bee → p:bee"), (".pred_", ".pred_ant → p:ant")])
def test_probabilities_that_are_called_otherwise_are_named(tmp_path, before, renamed):
    rows = [{key.replace("p:", before): value for key, value in row.items()} for row in PROBABLE]
    assert renamed in refused(write(tmp_path / "t.csv", rows))


def test_predictions_of_caret_are_named(tmp_path):
    rows = [
        {"pred": "bee", "obs": row["label"], "rowIndex": number(row), "bee": row["p:bee"], "ant": row["p:ant"], "Resample": "Fold1"}
        for row in of("good", PROBABLE)
    ]  # fmt: skip
    told = refused(write(tmp_path / "t.csv", rows))
    for renamed in ("rowIndex → example", "obs → label", "pred → prediction", "bee → p:bee", "ant → p:ant"):
        assert renamed in told


def test_a_column_for_each_model_is_named(tmp_path):
    wide = [{"example": i, "label": "ab"[i % 2], "vit": "ab"[i % 3 == 0], "vgg": "ab"[i % 5 == 0]} for i in range(20)]
    told = refused(write(tmp_path / "t.csv", wide))
    assert "vit, vgg look like the answers of one model each" in told
    long = pl.DataFrame(wide).unpivot(["vit", "vgg"], index=["example", "label"], variable_name="model")
    long.rename({"value": "prediction"}).write_csv(tmp_path / "long.csv")
    assert len(read_predictions(tmp_path / "long.csv").results.candidates) == 2
    many = [{**row, **{f"m{k}": row["vit"] for k in range(9)}} for row in wide]
    assert '"m7", "m8"]' in refused(write(tmp_path / "t.csv", many))
    one = [{k: v for k, v in row.items() if k != "vgg"} for row in wide]
    assert "vit → prediction" in refused(write(tmp_path / "t.csv", one))


# ---- files that are put together


def test_a_file_without_rows_is_named(tmp_path):
    (tmp_path / "empty.csv").write_text("example,label,prediction\n")
    assert "empty.csv has no rows" in refused(write(tmp_path / "a.csv", of("good")), tmp_path / "empty.csv")


def test_numbers_that_one_program_wrote_with_a_point_are_equal(tmp_path):
    rows = [{**row, "example": number(row), "fold": number(row) % 4} for row in DECIDED]
    plain = write(tmp_path / "plain.csv", of("good", rows))
    pointed = [{**row, "example": float(row["example"]), "fold": float(row["fold"])} for row in of("poor", rows)]
    read = read_predictions(plain, write(tmp_path / "pointed.csv", pointed)).results
    assert (len(read.examples), len(read.candidates), read.origin) == (60, 2, "folds")


def test_probabilities_beside_decisions_are_told(tmp_path):
    soft, hard = write(tmp_path / "soft.csv", of("good", PROBABLE)), write(tmp_path / "hard.csv", of("poor"))
    assert "others only decisions: hard" in refused(soft, hard)
    assert len(read_predictions(soft).results.candidates) == 1
    silent = [{k: "" if k.startswith("p:") else v for k, v in row.items()} for row in of("poor", PROBABLE)]
    silent = write(tmp_path / "silent.csv", silent)
    assert "neither probabilities nor decisions of: silent" in refused(soft, silent)
    empty = write(tmp_path / "empty.csv", [{**row, "p:bee": "", "p:ant": ""} for row in DECIDED])
    assert "The p: columns are empty in all rows" in refused(empty)
    wasp = write(tmp_path / "wasp.csv", [{**row, "p:wasp": 0} for row in of("poor", PROBABLE)])
    assert "soft has no number in these columns, which other models have: p:wasp" in refused(soft, wasp)
    both = [{**row, "prediction": "bee" if row["p:bee"] > 0.3 else "ant"} for row in of("poor", PROBABLE)]
    read = read_predictions(
        soft, write(tmp_path / "both.csv", both)
    ).results  # one states decisions, the other does not
    assert len(read.candidates) == 2


def test_examples_with_two_names_are_shown(tmp_path):
    left = write(tmp_path / "left.csv", of("good"))
    other = [{**row, "example": f"{'img/' * (number(row) > 0)}{row['example']}"} for row in of("poor")]
    right = write(tmp_path / "right.csv", other)
    told = "left has an example called 'e1' that right lacks, and right one called 'img/e1' that left lacks"
    assert told in refused(left, right)


def test_a_file_for_each_fold_is_told(tmp_path):
    parts = [[row for row in of("good") if number(row) % 3 == k] for k in range(3)]
    files = [write(tmp_path / f"fold{k}.csv", part) for k, part in enumerate(parts)]
    assert "No two of them share an example" in refused(*files)
    for k, part in enumerate(parts):  # the advice
        write(files[k], [{**row, "model": "good", "fold": k} for row in part])
    read = read_predictions(*files).results
    assert (read.origin, [c.id for c in read.candidates], len(read.examples)) == ("folds", ["good"], 60)


def test_more_models_are_not_set_aside_than_are_left(tmp_path):
    more = [{**DECIDED[0], "example": f"x{i}", "model": "big", "prediction": "bee"} for i in range(200)]
    big = [{**row, "model": "big"} for row in DECIDED if row["model"] == "good"]
    assert "Only 60 of 260 examples" in refused(write(tmp_path / "t.csv", [*DECIDED, *big, *more]))


def test_a_column_that_tells_contradicting_rows_apart_is_named(tmp_path):
    runs = rows_of(n=40, runs=2, noise=2.0, probable=False)
    repeats = [{"repeat" if key == "run" else key: value for key, value in row.items()} for row in runs]
    repeats = [{"score": round(i / 7, 3), "index": i, **row} for i, row in enumerate(repeats)]
    assert "Column 'repeat' tells these rows apart" in refused(write(tmp_path / "t.csv", repeats))
    indexed = [{k: v for k, v in row.items() if k != "repeat"} for row in repeats]
    assert "tells these rows apart" not in refused(write(tmp_path / "t.csv", indexed))
    folds = [{**{k: v for k, v in row.items() if k != "run"}, "fold": row["run"]} for row in runs]
    assert "Examples stand in several folds of one run" in refused(write(tmp_path / "t.csv", folds))


# ---- what a row belongs to


@pytest.mark.parametrize("odd", ["test", -1, "NA"])
def test_a_test_part_is_no_fold(tmp_path, odd):
    rows = [{**row, "fold": number(row) % 4 if number(row) < 40 else odd} for row in DECIDED]
    assert f"holds {odd}, which is no fold" in refused(write(tmp_path / "t.csv", rows))
    for row in rows:  # the advice
        row["set"], row["fold"] = ("test", "") if row["fold"] == odd else ("cv", row["fold"])
    read = read_predictions(write(tmp_path / "t.csv", rows)).results
    assert (read.origin, read.measured_on) == ("folds", "cv")
    assert len(read.examples.where("train")) == 40


def test_folds_may_be_called_otherwise(tmp_path):
    rows = [{**row, "fold": number(row) % 4 + (row["model"] == "good")} for row in DECIDED]
    read = read_predictions(write(tmp_path / "t.csv", rows)).results
    assert (read.origin, read.spec.design.folds) == ("folds", 4)
    for row in rows:
        row["fold"] = f"part {row['fold']}" if row["model"] == "good" else row["fold"] // 2
    assert "not cross-validated on the same folds" in refused(write(tmp_path / "t.csv", rows))


@pytest.mark.parametrize("column", ["split", "set", "Part"])
def test_training_examples_are_told(tmp_path, column):
    rows = [{**row, column: "train" if number(row) < 20 else "test"} for row in DECIDED]
    rows.sort(key=lambda row: row[column] != "train")
    assert findings(write(tmp_path / "t.csv", rows))["data:training-rows"].severity == "problem"
    rows.sort(key=lambda row: row[column] == "train")  # the advice
    for row in rows:
        row["set"] = row[column]
    assert "training-rows" not in {p.kind for p in problems(write(tmp_path / "t.csv", rows))}
    folded = [{**row, "split": "train", "fold": number(row) % 4} for row in DECIDED]
    assert "training-rows" not in {p.kind for p in problems(write(tmp_path / "t.csv", folded))}


def test_a_model_without_a_further_set_is_named(tmp_path):
    rows = [{**row, "set": name} for name in ("here", "away") for row in DECIDED]
    rows = [row for row in rows if (row["model"], row["set"]) != ("poor", "away")]
    (told,) = problems(write(tmp_path / "t.csv", rows))
    assert told.sentence.en == 'These models have no predictions for the set "away": poor.'


# ---- labels and answers


@pytest.mark.parametrize("column", ["label", "prediction"])
def test_na_in_one_column_only_is_an_empty_cell(tmp_path, column):
    rows = [{**row, column: "NA" if number(row) in (3, 5) else row[column]} for row in DECIDED]
    assert f"Column '{column}' says NA in 4 of 120 rows (the first: row 4)" in refused(write(tmp_path / "t.csv", rows))
    left = [row for row in rows if row[column] != "NA"]
    assert len(read_predictions(write(tmp_path / "t.csv", left)).results.examples) == 58
    named = {"bee": "NA", "ant": "EU"}
    both = [{**row, "label": named[row["label"]], "prediction": named[row["prediction"]]} for row in DECIDED]
    assert set(read_predictions(write(tmp_path / "t.csv", both)).results.examples.classes) == {"NA", "EU"}


def test_scores_and_measurements_are_no_decisions(tmp_path):
    scores = [{"example": i, "label": i % 2, "prediction": i * 7 % 20 / 20 if i else 1} for i in range(60)]
    told = refused(write(tmp_path / "t.csv", scores))
    assert "numbers with a fraction" in told
    shares = [{"example": i, "label": i % 2, "p:0": 1 - i % 9 / 10, "p:1": i % 9 / 10} for i in range(60)]
    read_predictions(write(tmp_path / "t.csv", shares))
    half = [{k: v for k, v in row.items() if k != "p:0"} for row in shares]
    assert "p:0 is 1 minus p:1" in refused(write(tmp_path / "t.csv", half))
    measured = [{"example": i, "label": i % 30 * 0.37, "prediction": (i + i % 2) % 30 * 0.37} for i in range(90)]
    assert "how far an answer is off would not count" in refused(write(tmp_path / "t.csv", measured))
    for i, row in enumerate(measured):
        row["prediction"] += i / 1000  # no prediction is one of the labels
    assert "how far an answer is off would not count" in refused(write(tmp_path / "t.csv", measured))
    stars = [{"example": i, "label": i % 10 / 2, "prediction": (i + i % 3) % 10 / 2} for i in range(90)]
    read_predictions(write(tmp_path / "t.csv", stars))


def test_zeros_before_a_number_are_writing(tmp_path):
    rows = [{"example": i, "label": f"{i % 12 + 1:02d}", "prediction": i % 12 + 1} for i in range(60)]
    found = {p.kind: p for p in problems(write(tmp_path / "t.csv", rows))}
    assert "01 = 1" in found["class-names"].sentence.en


def test_several_labels_of_one_example(tmp_path):
    names = ["a", "b", "a|b", "c"]
    rows = [{"example": i, "label": names[i % 4], "prediction": names[(i + i % 5) % 4]} for i in range(40)]
    (told,) = problems(write(tmp_path / "t.csv", rows))
    assert "several labels joined by '|'" in told.sentence.en
    lists = [{"example": str(i), "label": ["a", "b"][: 1 + i % 2], "prediction": ["a"]} for i in range(40)]
    pl.DataFrame(lists).write_parquet(tmp_path / "t.parquet")
    assert "lists of several labels" in refused(tmp_path / "t.parquet")
    single = [{"example": str(i), "label": ["ab"[i % 2]], "prediction": ["ab"[i % 3 == 0]]} for i in range(40)]
    pl.DataFrame(single).write_parquet(tmp_path / "t.parquet")
    assert read_predictions(tmp_path / "t.parquet").results.examples.classes in (("a", "b"), ("b", "a"))


def test_decisions_among_probabilities_are_told(tmp_path):
    certain = [{**row, "p:bee": float(row["p:bee"] > 0.5), "p:ant": float(row["p:bee"] <= 0.5)} for row in PROBABLE]
    rows = [c if c["model"] == "poor" else p for c, p in zip(certain, PROBABLE, strict=True)]
    found = findings(write(tmp_path / "t.csv", rows))["data:bare-probabilities"]
    assert (found.severity, "All probabilities of poor are zero or one" in found.sentence.en) == ("problem", True)


@pytest.mark.parametrize(("threshold", "severity"), [(0.3, "detail"), (None, "problem")])
def test_decisions_against_the_probabilities_are_told(tmp_path, threshold, severity):
    def decision(p):
        return "bee" if (p > threshold if threshold else p < 0.5) else "ant"

    rows = [{**row, "prediction": decision(row["p:bee"])} for row in PROBABLE]
    assert findings(write(tmp_path / "t.csv", rows))["data:other-decision"].severity == severity


def test_a_further_metric_that_needs_probabilities_is_refused(tmp_path):
    told = refused(write(tmp_path / "t.csv", DECIDED), settings=["metrics.also=[auroc]"])
    assert "metrics.also: auroc needs probabilities" in told


# ---- arrays


def test_arrays_are_read_without_a_folder(tmp_path, capsys):
    labels = np.arange(40) % 2
    p = np.where(np.arange(40) % 5, labels, 1 - labels) * 0.6 + 0.2
    (tmp_path / "folder").mkdir()
    for place in (tmp_path, tmp_path / "folder"):
        np.save(place / "vit.npy", np.column_stack([1 - p, p]))
        np.save(place / "vgg.npy", np.column_stack([1 - p, p])[:, ::-1])
    np.save(tmp_path / "y.npy", labels)
    files = [tmp_path / "vgg.npy", tmp_path / "vit.npy"]
    read = read_predictions(*files, labels=[tmp_path / "y.npy"]).results
    folder = read_predictions(tmp_path / "folder", labels=tmp_path / "y.npy", settings="design.level=0.95").results
    assert read.examples.fingerprint == folder.examples.fingerprint
    assert [c.id for c in read.candidates] == [c.id for c in folder.candidates]
    assert main(["read", str(files[0])]) == 2
    assert f"weigh read {files[0]} --labels LABELS.npy" in capsys.readouterr().err
    assert "one file of labels" in refused(*files, labels=[tmp_path / "y.npy"] * 2)
    assert "cannot be read together" in refused(write(tmp_path / "t.csv", DECIDED), *files, labels=[tmp_path / "y.npy"])


def test_labels_beside_the_models_are_no_model(tmp_path):
    for name, content in (("vit", np.arange(40) % 3), ("vgg", np.arange(40) % 2), ("y", np.arange(40) % 3)):
        np.save(tmp_path / f"{name}.npy", content)
    for paths in ([tmp_path], sorted(tmp_path.glob("*.npy"))):
        read = read_predictions(*paths, labels=tmp_path / "y.npy").results
        assert [c.id for c in read.candidates] == ["vgg", "vit"]
    np.savez(tmp_path / "both.npz", predictions=np.arange(40) % 2, label_ids=np.arange(40) % 3)
    assert len(read_predictions(tmp_path / "both.npz", labels=tmp_path / "both.npz").results.candidates) == 1
    assert "no file of predictions beside the labels" in refused(tmp_path / "y.npy", labels=tmp_path / "y.npy")
    (tmp_path / "gone.npy").symlink_to(tmp_path / "nowhere.npy")
    assert "gone.npy" in refused(tmp_path, labels=tmp_path / "y.npy")


def test_shapes_of_arrays_as_keras_gives_them(tmp_path):
    labels, p = np.arange(40) % 2, np.linspace(0.1, 0.9, 40)
    np.save(tmp_path / "y.npy", labels[:, None])
    np.save(tmp_path / "one_hot.npy", np.eye(2)[labels])
    for content in (p[:, None], p):
        np.save(tmp_path / "m.npy", content)
        assert "np.column_stack([1 - p, p])" in refused(tmp_path / "m.npy", labels=[tmp_path / "y.npy"])
    np.save(tmp_path / "m.npy", np.column_stack([1 - p, p]))
    read_predictions(tmp_path / "m.npy", labels=[tmp_path / "y.npy"])
    assert "labels.argmax(axis=1)" in refused(tmp_path / "m.npy", labels=[tmp_path / "one_hot.npy"])


def test_a_folder_of_tables_is_told(tmp_path):
    (tmp_path / "tables").mkdir()
    table = write(tmp_path / "tables" / "good.csv", of("good"))
    assert f"weigh read {table}" in refused(tmp_path / "tables")
    (tmp_path / "tables" / "vit.json").write_text("[0, 1]")
    assert "the labels are missing" in refused(tmp_path / "tables")


# ---- settings


def test_settings_count_for_what_is_read_or_are_refused(tmp_path):
    told = refused(tmp_path / "a.json", gold=tmp_path / "gold.json", settings=["data.label_offset=1"])
    assert "data.label_offset does not count" in told
    assert "data.text" in told
    assert "data.slices" not in told
    assert "data.slices does not count" in refused(tmp_path, labels=[tmp_path / "y.npy"], settings=["data.slices=[a]"])


@pytest.mark.parametrize("setting", ["metrics.primary=mean_iou", "metrics.also=[accuracy, pearson]"])
@pytest.mark.parametrize("rows", [DECIDED, PROBABLE])
def test_metrics_of_other_kinds_are_refused(tmp_path, setting, rows):
    assert "is not defined for" in refused(write(tmp_path / "t.csv", rows), settings=setting)


def test_one_of_three_classes_is_not_the_positive_one(tmp_path):
    table = write(tmp_path / "t.csv", rows_of(n=30, classes=("a", "b", "c"), probable=False))
    assert "there are 3" in refused(table, settings="data.positive=a")


def test_advice_on_columns_of_tags_works(tmp_path):
    lines = [("Anna", "B-PER"), ("sings", "O"), ("", "")] * 20
    for name in ("gold", "system"):
        rows = ["\t".join(("x", tag, "y", token)) if token else "" for token, tag in lines]
        (tmp_path / f"{name}.conll").write_text("\n".join(rows) + "\n")
    paths = {"gold": tmp_path / "gold.conll", "settings": ["data.text=4", "data.label=2"]}
    read = read_predictions(tmp_path / "system.conll", **paths).results
    assert tuple(read.examples.rows[0]) == ("Anna", "sings")


def test_an_encoding_that_was_guessed_is_told_and_the_advice_works(tmp_path):
    names = {"bee": "пчела", "ant": "муравей"}
    rows = [{**row, "label": names[row["label"]], "prediction": names[row["prediction"]]} for row in DECIDED]
    table = write(tmp_path / "t.csv", rows, encoding="cp1251")
    (told,) = problems(table)
    assert (told.kind, told.severity) == ("encoding", "warning")
    assert not problems(table, settings=["data.encoding=cp1251"])
    assert set(read_predictions(table, settings=["data.encoding=cp1251"]).results.examples.classes) == {*names.values()}
    assert "data.encoding" in refused(table, settings=["data.encoding=utf-8"])
