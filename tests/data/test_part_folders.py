"""Folders of parts that are empty or hold no class folders; files without a suffix; classes that a part writes otherwise."""

from __future__ import annotations

import json

import pytest

from tests.data.picture_files import folder, read, table
from weigh.data.recognition.tasks import recognise_task
from weigh.data.texts.index import read_texts
from weigh.errors import DataError
from weigh.spec import DataSpec

TRAIN = [f"train/{c}/{i}.png" for c in ("cat", "dog") for i in range(3)]


@pytest.mark.parametrize("part", ["test", "val", "Testing"])
def test_pictures_of_a_part_without_class_folders_are_named(tmp_path, part):
    folder(tmp_path, [*TRAIN, *(f"{part}/{i}.png" for i in range(4)), "extra/cat/9.png"])
    examples, problems = read(tmp_path)
    assert set(examples.part) == {"train"}
    assert problems["left-out"].paths == ("extra/cat/9.png",)
    (tmp_path / "extra/cat/9.png").unlink()
    problem = read(tmp_path)[1]["left-out"]
    assert len(problem.paths) == 4
    assert "their classes are not known" in problem.sentence.en
    assert f"{part}/CLASS/" in problem.do.en


def test_the_advice_works_a_table_gives_their_labels(tmp_path):
    folder(tmp_path, [*TRAIN, *(f"test/{i}.png" for i in range(4))])
    labels = table(tmp_path, "path,label\n" + "".join(f"test/{i}.png,{'cat' if i % 2 else 'dog'}\n" for i in range(4)))
    examples, problems = read(tmp_path, test=str(labels))
    assert (examples.part == "test").sum() == 4
    assert "left-out" not in problems


def test_a_picture_beside_the_class_folders_makes_no_part_disappear(tmp_path):
    """All pictures of train/ were left out, as if it had no class folders, where train/preview.png lay in it."""
    folder(tmp_path, [*TRAIN, "train/preview.png", *(f"test/{c}/{i}.png" for c in ("cat", "dog") for i in range(2))])
    examples, problems = read(tmp_path)
    assert (examples.part == "train").sum() == len(TRAIN)
    assert problems["loose-files"].paths == ("train/preview.png",)
    for path in (tmp_path / "train").glob("*/*"):
        path.rename(tmp_path / "train" / f"{path.parent.name}{path.name}")
    with pytest.raises(DataError, match=r"no training part.*\nPictures beside the class folders"):
        read(tmp_path)
    for name in ("cat", "dog"):
        (tmp_path / "train" / name).rename(tmp_path / "train" / f"{name}s")
    folder(tmp_path, ["train/cats/1.png"])
    with pytest.raises(DataError, match=r"no training part.*\ntrain holds pictures beside its folders") as caught:
        read(tmp_path)
    assert "train/CLASS/" in str(caught.value)


def test_the_advice_for_a_table_that_says_parts_works(tmp_path):
    folder(tmp_path, [f"{i}.png" for i in range(24)])
    own = table(tmp_path, "path,label\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(12)), "a.csv")
    rows = "".join(f"{i}.png,{'ab'[i % 2]},{['train', 'test'][i % 3 // 2]}\n" for i in range(12, 24))
    other = table(tmp_path, f"path,label,set\n{rows}", "b.csv")
    for options in ({"test": str(other)}, {"shifted": {"second": str(other)}}):
        with pytest.raises(DataError, match="training part of its own") as caught:
            read(own, **options)
        assert "b.csv/test" not in str(caught.value)
        assert "give it another name" in str(caught.value)
    with pytest.raises(DataError, match=r"two test parts(.|\n)*give it another name"):
        read(other, test=str(own))
    other.write_text(other.read_text().replace("set", "sort", 1))
    examples, _ = read(own, shifted={"second": str(other)})
    assert (examples.part == "shift:second").sum() == 12


def test_an_empty_part_is_named(tmp_path):
    folder(tmp_path, [path.replace("train", part) for part in ("val", "test") for path in TRAIN])
    (tmp_path / "train").mkdir()
    (tmp_path / "train/.DS_Store").write_bytes(b"x")
    examples, problems = read(tmp_path)
    assert problems["empty-part"].paths == ("train",)
    assert problems["empty-part"].severity == "warning"
    assert len(examples) == 12


def test_classes_that_the_test_part_writes_otherwise_are_named(tmp_path):
    folder(tmp_path, [*TRAIN, *(f"test/{c}/{i}.png" for c in ("Cat", "dog") for i in range(2))])
    _, problems = read(tmp_path)
    assert "Cat = cat" in problems["unknown-class"].sentence.en
    folder(tmp_path, ["test/bird/1.png"])
    assert "bird =" not in read(tmp_path)[1]["unknown-class"].sentence.en


def test_pictures_without_a_suffix_are_known_by_their_contents(tmp_path):
    for path in sorted(folder(tmp_path, TRAIN).rglob("*.png")):
        path.rename(path.with_suffix(""))
    assert recognise_task(tmp_path).task == "image-classification"
    assert len(read(tmp_path)[0]) == len(TRAIN)


def test_texts_that_are_called_by_a_number(tmp_path):
    """As 20 newsgroups is handed out."""
    for c in ("space", "sport"):
        (tmp_path / c).mkdir()
        for i in range(3):
            (tmp_path / c / f"{10 * i + len(c)}").write_text(f"From: a@b\n\nWhat is said of {c} in post {i}.\n")
    assert recognise_task(tmp_path).task == "text-classification"
    examples, _ = read_texts(DataSpec(train=str(tmp_path)))
    assert len(examples) == 6
    assert examples.classes == ("space", "sport")


@pytest.mark.parametrize(
    ("name", "parts"), [("Split", True), ("subset", True), ("set", True), ("split", True), ("colour", False)]
)
def test_a_column_of_parts_is_known_whatever_its_name(tmp_path, name, parts):
    """Rows of the test part were trained on where the column was called "Split"."""
    folder(tmp_path, [f"{i}.png" for i in range(12)])
    rows = "".join(f"{i}.png,{'ab'[i % 2]},{['train', 'Train', 'TEST'][i // 4]}\n" for i in range(12))
    examples, problems = read(table(tmp_path, f"path,label,{name}\n{rows}"))
    assert (examples.part == "test").sum() == (4 if parts else 0)
    assert ("split" in problems) == (parts and name != "split")
    texts = "".join(f"what is said of {i},{'ab'[i % 2]},{['train', 'Train', 'TEST'][i // 4]}\n" for i in range(12))
    examples, _ = read_texts(DataSpec(train=str(table(tmp_path, f"text,label,{name}\n{texts}", "x.csv"))))
    assert (examples.part == "test").sum() == (4 if parts else 0)


def test_a_column_that_is_called_like_parts_and_holds_others_is_metadata(tmp_path):
    folder(tmp_path, [f"{i}.png" for i in range(12)])
    rows = "".join(f"{i}.png,{'ab'[i % 2]},{['train', 'test', 'spare'][i // 4]}\n" for i in range(12))
    examples, _ = read(table(tmp_path, f"path,label,set\n{rows}"))
    assert set(examples.part) == {"train"}
    assert "set" in examples.slices


def test_a_column_of_parts_is_no_label(tmp_path):
    rows = "".join(f"what is said of number {i},{'abc'[i % 3]},{['train', 'test'][i // 20]}\n" for i in range(30))
    examples, _ = read_texts(DataSpec(train=str(table(tmp_path, f"message,kind_of_it,Split\n{rows}"))))
    assert examples.classes == ("a", "b", "c")
    assert (examples.part == "test").sum() == 10


def test_an_empty_split_of_a_saved_data_set_is_named(tmp_path):
    """The library cannot load it, and neither the others."""
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict(
        {"text": [f"what is said of {i}" for i in range(8)], "label": [i % 2 for i in range(8)]}
    )
    parts = {"train": rows, "validation": rows.select([]), "test": rows.select(range(2))}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "saved")
    examples, problems = read_texts(DataSpec(train=str(tmp_path / "saved")))
    assert len(examples) == 10
    assert [p.paths for p in problems if p.kind == "empty-part"] == [("validation",)]


def test_no_file_of_a_part_is_left_out_in_silence(tmp_path, monkeypatch):
    """Large data sets come in hundreds of files."""
    for k in range(210):
        rows = [{"text": f"the words of row {i} in file {k}", "label": "ab"[i]} for i in range(2)]
        (tmp_path / f"train-{k:05}-of-00210.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    examples, _ = read_texts(DataSpec(train=str(tmp_path)))
    assert len(examples) == 420
    monkeypatch.setattr("weigh.data.rows.part_files.MOST_FILES", 100)
    with pytest.raises(DataError, match="210 files; the limit for a data set of texts is 100"):
        read_texts(DataSpec(train=str(tmp_path)))
