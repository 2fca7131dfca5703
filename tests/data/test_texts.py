"""Texts are read as they stand, whatever the layout; what is wrong with them is named, with the line; nothing is invented."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from tests.data.text_files import read, sentences, table
from weigh.data.readers import READERS, read_and_check, task_of
from weigh.data.recognition.tasks import recognise_task
from weigh.data.rows.part_files import family, part_of
from weigh.data.texts.checks import check_texts
from weigh.data.texts.index import read_texts
from weigh.errors import DataError, SpecError
from weigh.kinds.base import KINDS, rows_of
from weigh.kinds.number import NUMBER
from weigh.record.index import read_index, write_index
from weigh.spec import DataSpec
from weigh.tasks import TASKS


@pytest.mark.parametrize(
    "header", [None, ("label", "text"), ("sentiment", "review"), ("标签", "评论"), ("kind", "words said")]
)
def test_label_and_text_in_either_order(tmp_path, header):
    rows = [("pos" if i % 2 else "neg", s) for i, s in enumerate(sentences(40))]
    for flip in (False, True):
        turned = [r[::-1] for r in rows] if flip else rows
        names = header[::-1] if header and flip else header
        examples, _ = read(table(tmp_path / "data.tsv", turned, names))
        assert [t for (t,) in examples.rows] == [s for _, s in rows]
        assert examples.classes == ("neg", "pos")
        assert [examples.classes[t] for t in examples.target] == [label for label, _ in rows]
        assert examples.path[0] == f"data.tsv:{2 if header else 1}"


def test_named_columns_overrule_the_guess(tmp_path):
    path = tmp_path / "data.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["text", "review", "label", "stars"])
        out.writerows([[f"title of {s}", s, i % 2, i % 5] for i, s in enumerate(sentences(30))])
    examples, _ = read(path, text="review", label="stars")
    assert examples.rows[3] == (sentences(30)[3],)
    assert len(examples.classes) == 5
    examples, _ = read(path, columns={"text": "text", "text_pair": "review"})
    assert len(examples.rows[0]) == 2
    with pytest.raises(DataError, match="Did you mean 'review'"):
        read(path, text="reviews")
    with pytest.raises(DataError, match="stairs"):
        read(path, label="stairs")
    with pytest.raises(ValueError, match="different columns"):
        DataSpec(train="x", text="a", columns={"text": "b"})


def test_columns_without_a_header_are_named_by_number(tmp_path):
    rows = [(str(i), sentences(30)[i], sentences(30, 5)[i], "ab"[i % 2]) for i in range(30)]
    examples, found = read(table(tmp_path / "x.tsv", rows), text="3", label="4")
    assert examples.rows[0] == (rows[0][2],)
    assert "column 3" in found["columns"].sentence.en


def test_parts_are_files(tmp_path):
    for name, seed, n in (("train", 1, 40), ("dev", 2, 10), ("test", 3, 12)):
        table(tmp_path / f"{name}.tsv", [(s + name, str(i % 2)) for i, s in enumerate(sentences(n, seed))])
    examples, found = read(tmp_path)
    assert (len(examples.where("train")), len(examples.where("test"))) == (50, 12)
    assert found["split"].numbers["n"] == 10
    (tmp_path / "test.tsv").unlink()
    examples, found = read(tmp_path)
    assert (len(examples.where("train")), len(examples.where("test"))) == (40, 10)
    assert "serves as the test part" in found["split"].sentence.en


def test_a_test_file_without_labels_is_left_out(tmp_path):
    rows = [(str(i), s, "yes" if i % 3 else "no") for i, s in enumerate(sentences(30))]
    table(tmp_path / "train.tsv", rows, ("index", "sentence", "label"))
    table(tmp_path / "test.tsv", [r[:2] for r in rows], ("index", "sentence"))
    examples, found = read(tmp_path)
    assert len(examples) == 30
    assert found["unlabelled"].paths == ("test.tsv",)


def test_pairs_and_numbers(tmp_path):
    rows = [(a, b, f"{(i % 11) / 2}") for i, (a, b) in enumerate(zip(sentences(30), sentences(30, 9), strict=True))]
    path = table(tmp_path / "pairs.tsv", rows, ("sentence1", "sentence2", "similarity"))
    assert recognise_task(path).task == "text-regression"
    examples, _ = read_texts(DataSpec(train=str(path)), (NUMBER,))
    assert examples.rows[4] == rows[4][:2]
    assert examples.target.tolist() == [float(r[2]) for r in rows]
    assert examples.target.dtype == np.float64
    assert examples.classes == ()
    path.write_text(path.read_text() + "a text\tanother\tunknown\n")
    examples, problems = read_texts(DataSpec(train=str(path)), (NUMBER,))
    assert len(examples) == 30
    assert [p.paths for p in problems if p.kind == "missing-label"] == [("pairs.tsv:32",)]


def test_a_folder_of_text_files_per_class(tmp_path):
    for part in ("train", "test"):
        for i, s in enumerate(sentences(20, 1 if part == "train" else 2)):
            path = tmp_path / part / ("pos" if i % 2 else "neg") / f"{i}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(s + "\nsecond line", "utf-8")
        (tmp_path / part / "urls_pos.txt").write_text("http://x")
    assert recognise_task(tmp_path).task == "text-classification"
    examples, found = read(tmp_path)
    assert (len(examples.where("train")), len(examples.where("test"))) == (20, 20)
    assert examples.rows[0][0].endswith("\nsecond line")
    assert found["loose-files"].paths == ("test/urls_pos.txt", "train/urls_pos.txt")


def test_trec_fasttext_and_first_words(tmp_path):
    said = sentences(20)
    (tmp_path / "a.txt").write_text("".join(f"{'NUM:dist' if i % 2 else 'HUM:ind'} {s}\n" for i, s in enumerate(said)))
    examples, _ = read(tmp_path / "a.txt")
    assert examples.classes == ("HUM", "NUM")
    assert set(examples.slices["fine"]) == {"dist", "ind"}
    (tmp_path / "b.txt").write_text("".join(f"__label__{i % 3} {s}\n" for i, s in enumerate(said)))
    assert read(tmp_path / "b.txt")[0].classes == ("0", "1", "2")
    (tmp_path / "c.txt").write_text("".join(f"{i % 2} {s}\n" for i, s in enumerate(said)))
    assert [t for (t,) in read(tmp_path / "c.txt")[0].rows] == said


def test_json_lines_and_parquet(tmp_path):
    import polars as pl

    rows = [{"sentence": s, "label": "ab"[i % 2], "id": i} for i, s in enumerate(sentences(20))]
    (tmp_path / "d.jsonl").write_text(
        "\n".join(json.dumps(r) for r in rows[:10]) + "\n{broken\n" + json.dumps(rows[10]), "utf-8"
    )
    examples, found = read(tmp_path / "d.jsonl")
    assert len(examples) == 11
    assert found["broken-row"].paths == ("d.jsonl:11",)
    pl.DataFrame(rows).write_parquet(tmp_path / "d.parquet")
    assert [t for (t,) in read(tmp_path / "d.parquet")[0].rows] == [r["sentence"] for r in rows]


def test_versions_of_one_file_are_told_from_shards(tmp_path):
    rows = [(s, str(i % 2)) for i, s in enumerate(sentences(40))]
    table(tmp_path / "train.tsv", rows)
    table(tmp_path / "train_v2.tsv", [*rows[:-1], ("corrected text of five words", "1")])
    examples, found = read(tmp_path)
    assert len(examples) == 40
    assert found["left-out"].paths == ("train.tsv",)
    table(tmp_path / "train_v2.tsv", [(s, str(i % 2)) for i, s in enumerate(sentences(30, 8))])
    examples, _ = read(tmp_path)
    assert len(examples) == 70
    assert set(examples.slices["file"]) == {"train.tsv", "v2.tsv"} or len(set(examples.slices["file"])) == 2


def test_files_of_unknown_part_are_asked_about(tmp_path):
    table(tmp_path / "a.tsv", [(s, str(i % 2)) for i, s in enumerate(sentences(10))])
    table(tmp_path / "b.tsv", [(s, str(i % 2)) for i, s in enumerate(sentences(10, 3))])
    with pytest.raises(DataError, match="which is for training"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "part"),
    [("train.tsv", "train"), ("in_domain_dev.tsv", "val"), ("emerging.test.conll", "test"), ("wnut17train.conll", "train"),
     ("dev_matched.tsv", "val"), ("train_test_split.csv", None), ("data.csv", None), ("latest.csv", None)],
)  # fmt: skip
def test_part_of_a_name(name, part):
    assert part_of(name) == part


def test_family():
    assert family("books.task.train") == family("books.task.test") == "books.task"


# What is kept -------------------------------------------------------------------------------------------------------


def test_fingerprint_and_index(tmp_path):
    rows = [(s, "ab"[i % 2]) for i, s in enumerate(sentences(20))]
    examples, _ = read(table(tmp_path / "d.tsv", rows))
    again, _ = read(table(tmp_path / "e.tsv", rows))
    assert again.fingerprint == examples.fingerprint
    changed, _ = read(table(tmp_path / "e.tsv", [*rows[:-1], (rows[-1][0] + ".", rows[-1][1])]))
    assert changed.fingerprint != examples.fingerprint
    odd = examples.subset(np.arange(20))
    odd.rows[3] = ("lone \ud800 surrogate, \x00 and 汉字",)
    write_index(tmp_path, odd)
    kept = read_index(tmp_path)
    assert kept.rows.tolist() == odd.rows.tolist()
    assert kept.target.tolist() == odd.target.tolist()
    assert kept.fingerprint == examples.fingerprint


def test_rows_of_equal_length_stay_rows():
    assert rows_of([("a", "b"), ("c", "d")]).shape == (2,)


def test_saved_datasets(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    said = sentences(30)

    def make(some):
        return datasets.Dataset.from_dict({"text": some, "label": [i % 2 for i in range(len(some))]}, features=features)

    datasets.DatasetDict({"train": make(said[:20]), "test": make(said[20:])}).save_to_disk(tmp_path / "saved")
    assert recognise_task(tmp_path / "saved").task == "text-classification"
    examples, _ = read(tmp_path / "saved")
    assert examples.classes == ("neg", "pos")
    assert (len(examples.where("train")), len(examples.where("test"))) == (20, 10)
    assert examples.rows[2] == (said[2],)


# The door -----------------------------------------------------------------------------------------------------------


def test_every_reader_is_called_alike():
    import inspect

    for name, reader in READERS.items():
        assert reader.medium == name
        assert {"offline", "progress"} <= inspect.signature(reader.read).parameters.keys()
        assert "progress" in inspect.signature(reader.check).parameters
    with pytest.raises(SpecError, match="pose-estimation"):
        read_and_check(DataSpec(train="x"), "pose-estimation")
    with pytest.raises(SpecError, match="cannot be told"):
        task_of(DataSpec(train="/nowhere/at/all"))


def test_weigh_data_prints_texts_and_json(tmp_path, capsys):
    from weigh.cli.main import main

    def shown(*options):
        assert (
            main(["data", str(path), "--quiet", "--set", "data.text=review", "--set", "data.label=mark", *options]) == 0
        )
        return capsys.readouterr().out

    path = table(tmp_path / "d.tsv", [(s, "ab"[i % 2]) for i, s in enumerate(sentences(20))], ("review", "mark"))
    assert shown("--lang", "en").startswith("20 texts (20 train, 0 test) in 2 classes. a: 10, b: 10")
    assert shown("--lang", "zh").startswith("20 条文本（训练 20，测试 0），2 个类别")
    listed = json.loads(shown("--format", "json"))
    assert listed[0]["kind"] == "size"
    assert listed[0]["estimates"]["n"]["value"] == 20


# Real data ----------------------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("path", "task", "train", "test", "classes"),
    [
        ("text/sst2", "text-classification", 6920 + 872, 1821, 2),
        pytest.param("text/sms-spam", "text-classification", 5574, 0, 2, marks=pytest.mark.thorough),
        ("text/trec", "text-classification", 5452, 500, 6),
        ("text/waimai-zh", "text-classification", 11987, 0, 2),
        pytest.param("glue/CoLA", "text-classification", 8551, 527, 2, marks=pytest.mark.thorough),
        pytest.param("glue/RTE", "text-classification", 2490, 277, 2, marks=pytest.mark.thorough),
        ("glue/WNLI", "text-classification", 635, 71, 2),
        ("glue/STS-B", "text-regression", 4749 + 1250, 1129, 0),
        ("shift/fdu-mtl-4", "text-classification", 6400, 1600, 2),
    ],
)
def test_real_data_are_read_whole(shared, path, task, train, test, classes):
    spec = DataSpec(train=str(shared / path))
    assert task_of(spec) == task
    examples, problems = READERS.get(TASKS.get(task).medium).read(spec, [KINDS.get(k) for k in TASKS.get(task).kinds])
    assert (len(examples.where("train")), len(examples.where("test")), len(examples.classes)) == (train, test, classes)
    assert not {"broken-row", "missing-label"} & {p.kind for p in problems}


@pytest.mark.shared
def test_real_traps_are_named(shared):
    examples, _ = read(shared / "text/sms-spam")
    assert len(set(examples.content)) == 5171
    _, problems = check_texts(read(shared / "text/waimai-zh")[0])
    assert {p.kind: p.numbers.get("sets") for p in problems}["label-conflict"] == 7
    _, problems = check_texts(read(shared / "glue/CoLA")[0])
    assert {p.kind: p.numbers.get("test") for p in problems}["leak"] == 6
    examples, found = read(shared / "text/trec")
    assert "TREC.train" in found["encoding"].sentence.en
    assert not any("\ufffd" in t for (t,) in examples.rows)
