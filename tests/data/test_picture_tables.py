"""Tables of pictures: every kind of file reads the same; bad rows, missing columns and paths outside are named."""

from __future__ import annotations

import json
import os

import numpy as np
import polars as pl
import pytest

from tests.data.picture_files import folder, paint, read, table
from weigh.data.contents import hash_file
from weigh.data.recognition.tasks import recognise_task
from weigh.errors import DataError
from weigh.spec import ColumnsSpec


@pytest.fixture
def pictures(tmp_path):
    return folder(tmp_path, [f"p/{i}.png" for i in range(6)])


def test_columns_and_slices(pictures):
    rows = "path,label,patient,split,site,age,note\n" + "\n".join(
        f'p/{i}.png,{"cat" if i % 2 else "dog"},pat{i // 2},{"test" if i > 3 else "train"},{"x" if i < 3 else "y"},{i / 7},"row {i}"'
        for i in (5, 1, 2, 3, 4, 0)
    )
    examples, problems = read(table(pictures, rows), columns={"group": "patient"})
    assert examples.path.tolist() == [f"p/{i}.png" for i in (5, 1, 2, 3, 4, 0)]
    assert examples.order.tolist() == list(range(6))
    assert examples.order_source == "table"
    assert examples.group.tolist() == ["pat2", "pat0", "pat1", "pat1", "pat2", "pat0"]
    assert examples.part.tolist() == ["test", "train", "train", "train", "test", "train"]
    assert list(examples.slices) == ["site"]
    assert set(problems) == {"columns"}


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet", "t.jsonl"])
def test_every_kind_of_table_reads_the_same(pictures, name):
    frame = pl.DataFrame({"path": [f"p/{i}.png" for i in range(4)], "label": [1.0, 0.0, 10.0, 1.0]})
    if name == "t.parquet":
        frame.write_parquet(pictures / name)
    elif name == "t.jsonl":
        frame.write_ndjson(pictures / name)
    else:
        frame.write_csv(pictures / name, separator="\t" if name == "t.tsv" else ",")
    examples, _ = read(pictures / name)
    assert examples.classes == ("0", "1", "10")
    assert examples.target.tolist() == [1, 0, 2, 1]


@pytest.mark.parametrize(
    ("separator", "encoding"), [(";", "utf-8-sig"), (",", "gb18030"), ("\t", "utf-16"), (",", "utf-8")]
)
def test_tables_of_other_spreadsheets(pictures, separator, encoding):
    text = "\r\n".join(
        separator.join(r) for r in (("path", "label"), ("p/0.png", "猫"), ("p/1.png", "狗"), ("p/2.png", "猫"))
    )
    examples, _ = read(table(pictures, text, encoding=encoding))
    assert set(examples.classes) == {"猫", "狗"}


def test_paths_out_of_the_root_are_never_opened(pictures, tmp_path_factory, monkeypatch):
    outside = paint(tmp_path_factory.mktemp("secret") / "x.png")
    up = os.path.relpath(outside, pictures)
    opened = []
    monkeypatch.setattr(
        "weigh.data.contents.hash_file",
        lambda path: (opened.append(str(path)), hash_file(path))[1],
    )
    hostile = [
        up,
        str(outside),
        up.replace("/", "\\"),
        "p/../../" + "../" * 20 + str(outside)[1:],
        "C:\\x.png",
        "p/\0.png",
    ]
    rows = [{"path": p, "label": "a"} for p in hostile]
    rows += [
        {"path": "p/0.png", "label": "a"},
        {"path": "./p/../p/1.png", "label": "b"},
        {"path": str(pictures / "p/2.png"), "label": "b"},
    ]
    path = table(pictures, "\n".join(map(json.dumps, rows)), "t.jsonl")
    examples, problems = read(path)
    assert examples.path.tolist() == ["p/0.png", "p/1.png", "p/2.png"]
    assert problems["outside-root"].paths == tuple(hostile[:5])
    assert problems["missing"].paths == ("p/\0.png",)
    assert not any("secret" in p for p in opened)
    examples, _ = read(path, root=str(pictures))
    assert len(examples) == 3


def test_bad_rows_are_named(pictures):
    text = """path,label,split
p/0.png,a,train
p/1.png,b,train
p/1.png,b,train
p/2.png,a,train
p/2.png,b,train
p/3.png,,train
gone.png,a,train
p/4.png,a,extra
p/5.png,a,test
"""
    examples, problems = read(table(pictures, text))
    assert examples.path.tolist() == ["p/0.png", "p/1.png", "p/5.png"]
    assert {k: p.paths for k, p in problems.items() if k != "columns"} == {
        "missing": ("gone.png",),
        "missing-label": ("p/3.png",),
        "repeated-row": ("p/1.png",),
        "label-conflict": ("p/2.png",),
        "split": ("p/4.png",),
    }


def test_missing_columns_are_all_reported_with_the_nearest(pictures):
    path = table(pictures, "file_path,labels\np/0.png,a\n")
    with pytest.raises(DataError) as caught:
        read(path, columns={"group": "patient"})
    message = str(caught.value)
    for words in (
        "data.columns.path",
        "'file_path' names pictures",
        "data.columns.label",
        "'labels'",
        "data.columns.group",
    ):
        assert words in message
    with pytest.raises(DataError, match="no usable column 'sit'"):
        read(table(pictures, "path,label,site\np/0.png,a,x\np/1.png,b,x\np/2.png,b,y\n"), slices=["sit"])


def test_ids_without_suffix_in_the_usual_folder(tmp_path):
    folder(tmp_path, ["images/x1.png", "images/x2.png", "images/x3.jpeg"])
    path = table(tmp_path, "ImageId,TrueLabel\nx1,1\nx3,2\nx2,10\n")
    examples, _ = read(path, columns={"path": "ImageId", "label": "TrueLabel"}, label_offset=-1)
    assert examples.path.tolist() == ["images/x1.png", "images/x3.jpeg", "images/x2.png"]
    assert examples.classes == ("0", "1", "9")
    assert recognise_task(path, ColumnsSpec(path="ImageId", label="TrueLabel")).task == "image-classification"
    assert recognise_task(path).task == "image-classification"


def test_offset_of_words_is_refused(pictures):
    with pytest.raises(DataError, match="label_offset"):
        read(table(pictures, "path,label\np/0.png,a\np/1.png,2\n"), label_offset=-1)


def test_several_labels(pictures):
    examples, _ = read(
        table(pictures, "path,label\np/0.png,sky|sea\np/1.png,sea\np/2.png,\np/3.png,sky| sky |sea\n"),
        label_separator="|",
    )
    assert examples.classes == ("sea", "sky")
    assert examples.target.tolist() == [[1, 1], [1, 0], [0, 0], [1, 1]]
    assert examples.target.dtype == np.uint8
    pl.DataFrame({"path": ["p/0.png", "p/1.png"], "label": [["sky", "sea"], ["sea"]]}).write_parquet(
        pictures / "t.parquet"
    )
    assert read(pictures / "t.parquet")[0].target.tolist() == [[1, 1], [1, 0]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", b""),
        ("t.csv", b"path,label\n"),
        ("t.csv", b"path,label\np/0.png,a\np/1.png,b,c,d\n"),
        ("t.parquet", b"PAR1 no"),
        ("t.jsonl", b'{"path": "p/0.png"\n'),
        ("t.jsonl", b"[1]\n"),
        ("t.csv", b"\xff\xff\x00\x81path,label\n"),
    ],
)
def test_damaged_tables_are_refused_in_words(pictures, name, content):
    (pictures / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(pictures / name)
    assert name in str(caught.value)
