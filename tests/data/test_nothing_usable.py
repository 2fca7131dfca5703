"""A source of which no row can be used says why, with the first row of each reason, and what to do."""

from __future__ import annotations

import pytest
from PIL import Image

from weigh.data.readers import read_and_check
from weigh.errors import DataError
from weigh.spec import DataSpec


def refusal(path, task):
    with pytest.raises(DataError, match=r"No row of .* can be used") as caught:
        read_and_check(DataSpec(train=str(path)), task, offline=True)
    return caught.value


def save(folder, **splits):
    """A saved data set; each split is rows of (has a picture, label)."""
    datasets = pytest.importorskip("datasets")
    Image.new("RGB", (8, 8), "red").save(folder / "red.png")
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=["cat", "dog"]))
    made = {
        name: datasets.Dataset.from_dict(
            {
                "image": [str(folder / "red.png") if there else None for there, _ in rows],
                "label": [label for _, label in rows],
            },
            features=features,
        )
        for name, rows in splits.items()
    }
    datasets.DatasetDict(made).save_to_disk(folder / "saved")
    return folder / "saved"


@pytest.mark.parametrize(
    ("splits", "reason", "first", "do"),
    [
        ({"train": [(False, 0), (False, 1)]}, "2 rows hold no picture", "train[0]", "data.columns.path=NAME (columns: image, label)"),
        ({"train": [(True, -1), (True, -1)], "test": [(True, -1)]}, "3 rows have no label", "train[0]", "data.columns.label=NAME (columns: image, label)"),
        ({"unsupervised": [(True, 0), (True, 1)]}, "2 rows stand in splits", "unsupervised[0]", "a split called train"),
        ({"extra": [(True, 0)], "train": [(False, 0)]}, "1 row holds no picture; it is set aside", "train[0]", "a split called train"),
    ],
)  # fmt: skip
def test_a_saved_data_set(tmp_path, splits, reason, first, do):
    error = refusal(save(tmp_path, **splits), "image-classification")
    assert reason in error.why.en
    assert f"The first: {first}." in error.why.en
    assert first in error.why.zh
    assert do in error.do.en


@pytest.mark.parametrize(
    ("rows", "first", "do"),
    [
        (["a.png,cat", "b.png,dog"], "a.png", "data.root"),
        (["red.png,", "red2.png,"], "red.png", ""),
        (["red.png,cat", "red.png,dog"], "red.png", "Correct the labels"),
    ],
)
def test_a_table_of_pictures(tmp_path, rows, first, do):
    for name in ("red.png", "red2.png"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / name)
    (tmp_path / "list.csv").write_text("path,label\n" + "\n".join(rows) + "\n", "utf-8")
    error = refusal(tmp_path / "list.csv", "image-classification")
    assert f"The first: {first}." in error.why.en
    assert do in (error.do.en if error.do else "")


@pytest.mark.parametrize("rows", [["good day,"] * 4, ["good day, ", "x,\t"]])
def test_a_table_of_texts(tmp_path, rows):
    (tmp_path / "texts.csv").write_text("text,label\n" + "\n".join(rows) + "\n", "utf-8")
    error = refusal(tmp_path / "texts.csv", "text-classification")
    assert "The first: " in error.why.en
    assert "例如：" in error.why.zh
