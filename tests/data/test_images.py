"""From folders, tables and datasets to an index: what is used, what is set aside and named, what is refused and why."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from tests.data.picture_files import folder, paint, read
from weigh.data.pictures.index import read_images
from weigh.data.pictures.unlabelled import new_pictures
from weigh.data.recognition.tasks import recognise_task
from weigh.data.rows import hub
from weigh.errors import DataError, MissingExtra
from weigh.spec import DataSpec

# Folders ------------------------------------------------------------------------------------------------------------


def test_folder_per_class_in_natural_order(tmp_path):
    examples, problems = read(folder(tmp_path, ["c10/b2.png", "c9/b10.png", "c9/a.png", "c10/deep/er/b1.png"]))
    assert examples.classes == ("c9", "c10")
    assert examples.path.tolist() == ["c9/a.png", "c9/b10.png", "c10/b2.png", "c10/deep/er/b1.png"]
    assert examples.target.tolist() == [0, 0, 1, 1]
    assert examples.order.tolist() == [0, 2, 1, 3]  # a, b2, b10, deep/er/b1: without the class folder
    assert examples.order_source == "names"
    assert examples.slices["folder"].tolist() == ["", "", "", "deep/er"]
    assert not problems


@pytest.mark.parametrize(
    ("parts", "expected", "note"),
    [
        (("Train", "TEST"), {"Train": "train", "TEST": "test"}, False),
        (("train", "val"), {"train": "train", "val": "test"}, True),
        (("training", "Validation"), {"training": "train", "Validation": "test"}, True),
        (("train", "valid", "test"), {"train": "train", "valid": "train", "test": "test"}, True),
    ],
)
def test_parts(tmp_path, parts, expected, note):
    folder(tmp_path, [f"{p}/{c}/{p}{i}.png" for p in parts for c in "ab" for i in range(2)])
    examples, problems = read(tmp_path)
    assert {(p.split("/")[0], str(x)) for p, x in zip(examples.path, examples.part, strict=True)} == set(
        expected.items()
    )
    assert ("split" in problems) == note
    if note:
        assert problems["split"].severity == "note"


def test_a_class_may_be_called_train(tmp_path):
    examples, _ = read(folder(tmp_path, ["bus/1.png", "car/2.png", "train/3.png"]))
    assert examples.classes == ("bus", "car", "train")
    assert set(examples.part) == {"train"}


def test_everything_not_used_is_named(tmp_path):
    folder(tmp_path, ["train/a/1.png", "train/b/2.png", "test/a/3.png", "test/c/4.png", "extra/a/5.png", "6.png"])
    (tmp_path / "train/a/notes.txt").write_text("x")
    (tmp_path / "train/a/Thumbs.db").write_text("x")
    (tmp_path / "train/a/.hidden.png").write_text("x")
    (tmp_path / "train/empty").mkdir()
    shutil.copy(tmp_path / "train/a/1.png", tmp_path / "train/a/no_suffix")
    examples, problems = read(tmp_path)
    assert examples.path.tolist() == ["train/a/1.png", "train/a/no_suffix", "train/b/2.png", "test/a/3.png"]
    assert {kind: p.paths for kind, p in problems.items()} == {
        "other-files": ("train/a/notes.txt",),
        "empty-class": ("train/empty",),
        "left-out": ("extra/a/5.png",),
        "loose-files": ("6.png",),
        "unknown-class": ("test/c/4.png",),
    }


def test_a_study_among_the_data_is_no_class(tmp_path):
    """`weigh run .` in the folder of the data: the same command resumed another data set, with a class of the report's small pictures."""
    folder(tmp_path, ["cat/1.png", "dog/2.png"])
    for study, ledger in (("studies/here", "ledger.sqlite"), ("results", "ledger.copy.sqlite")):
        (tmp_path / study / "thumbnails").mkdir(parents=True)
        (tmp_path / study / ledger).touch()
        (tmp_path / study / "log.txt").write_text("x")
        shutil.copy(tmp_path / "cat/1.png", tmp_path / study / "thumbnails" / "0123456789abcdef")
    examples, problems = read(tmp_path)
    assert examples.path.tolist() == ["cat/1.png", "dog/2.png"]
    assert not problems
    assert len(new_pictures(tmp_path).path) == 2
    folder(tmp_path, ["studies/3.png"])
    (tmp_path / "studies" / "here" / "ledger.sqlite").unlink()
    assert read(tmp_path)[0].classes == ("cat", "dog", "studies")


def test_test_folder_elsewhere_or_inside(tmp_path):
    folder(tmp_path, ["one/a/1.png", "one/b/2.png", "two/a/3.png", "two/b/4.png", "two/z/5.png"])
    examples, problems = read(tmp_path / "one", test=str(tmp_path / "two"))
    assert examples.path.tolist() == ["one/a/1.png", "one/b/2.png", "two/a/3.png", "two/b/4.png"]
    assert examples.part.tolist() == ["train", "train", "test", "test"]
    assert problems["unknown-class"].paths == ("two/z/5.png",)
    folder(tmp_path / "all", ["a/1.png", "b/2.png", "held/a/3.png", "held/b/4.png"])
    examples, _ = read(tmp_path / "all", test=str(tmp_path / "all/held"))
    assert examples.classes == ("a", "b")
    assert examples.part.tolist() == ["train", "train", "test", "test"]


def test_two_test_parts_are_refused(tmp_path):
    folder(tmp_path, ["x/train/a/1.png", "x/train/b/2.png", "x/test/a/3.png", "y/a/4.png", "y/b/5.png"])
    with pytest.raises(DataError, match="two test parts"):
        read(tmp_path / "x", test=str(tmp_path / "y"))
    with pytest.raises(DataError, match="training part of its own"):
        read(tmp_path / "y", test=str(tmp_path / "x"))
    with pytest.raises(DataError, match=r"both in data\.train and in data\.test"):
        read(tmp_path / "y", test=str(tmp_path / "y"))


def test_links_are_followed_but_not_in_circles(tmp_path):
    folder(tmp_path, ["a/1.png", "b/2.png", "elsewhere/3.png"])
    photos = tmp_path / "photos"
    photos.mkdir()
    for c in "ab":
        (photos / c).symlink_to(tmp_path / c)
    (tmp_path / "a/loop").symlink_to(tmp_path / "a")
    (tmp_path / "a/broken.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "a/3.png").symlink_to(tmp_path / "elsewhere/3.png")
    examples, _ = read_images(DataSpec(train=str(photos)))
    assert examples.path.tolist() == ["a/1.png", "a/3.png", "a/broken.png", "b/2.png"]
    assert examples.content.tolist().count("") == 1  # the checks name it


def test_names_that_are_no_text_are_set_aside(tmp_path):
    folder(tmp_path, ["a/1.png", "b/2.png"])
    try:
        shutil.copy(tmp_path / "a/1.png", os.fsencode(tmp_path) + b"/a/\xff\xfe.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    examples, problems = read(tmp_path)
    assert len(examples) == 2
    problems["file-name"].paths[0].encode()
    hostile = "<img src=x onerror=alert(1)>"
    folder(tmp_path / hostile.replace("/", ""), ["x {n} %s.png"])
    assert hostile in read(tmp_path)[0].classes


def test_folders_that_cannot_be_used(tmp_path):
    (tmp_path / "empty").mkdir()
    folder(tmp_path / "flat", ["1.png", "2.png"])
    (tmp_path / "flat/labels.csv").write_text("path,label\n")
    folder(tmp_path / "one", ["a/1.png"])
    folder(tmp_path / "deep", ["photos/cats/1.png", "photos/dogs/2.png"])
    cases = {
        "empty": "holds no pictures",
        "flat": "There is a table",
        "one": "only one class: a",
        "deep": "Did you mean",
        "flta": "Did you mean",
        "flat/1.png": "neither a folder nor a table",
    }
    for name, words in cases.items():
        with pytest.raises(DataError, match=words) as caught:
            read(tmp_path / name)
        assert caught.value.do is not None
        assert caught.value.render("zh")


# The datasets library -----------------------------------------------------------------------------------------------


def test_saved_datasets(tmp_path):
    datasets = pytest.importorskip("datasets")
    names = ["cat", "dog"]
    features = datasets.Features(
        image=datasets.Image(), label=datasets.ClassLabel(names=names), site=datasets.Value("string")
    )
    paths = [str(paint(tmp_path / f"src/{i}.png", i)) for i in range(5)]

    def part(rows):
        return datasets.Dataset.from_dict(
            {
                "image": [paths[i] for i in rows],
                "label": [i % 2 for i in rows],
                "site": ["x" if i < 2 else "y" for i in rows],
            },
            features=features,
        )

    datasets.DatasetDict(train=part([0, 1, 2, 3]), test=part([4, 0])).save_to_disk(tmp_path / "saved")
    examples, problems = read(tmp_path / "saved")
    assert examples.classes == ("cat", "dog")
    assert examples.part.tolist() == ["train"] * 4 + ["test"] * 2
    assert examples.slices["site"].tolist() == ["x", "x", "y", "y", "y", "x"]
    assert examples.content[0] == examples.content[5]  # a leak stays visible
    assert examples.order_source == "table"
    assert not problems
    assert recognise_task(tmp_path / "saved").task == "image-classification"
    again, _ = read(tmp_path / "saved")
    assert again.fingerprint == examples.fingerprint


def test_a_dataset_without_pictures_is_told_to_name_its_task(tmp_path):
    """A name on the hub is taken for one of pictures."""
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_dict({"text": ["good", "bad"], "label": [1, 0]})
    made.save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError) as caught:
        read_images(DataSpec(train=str(tmp_path / "saved")))
    assert "--task image-classification | " in caught.value.render("en")


def test_hub_names_offline_and_without_the_library(tmp_path, monkeypatch):
    for name in ("hub:cifar10", "someone/flowers"):
        with pytest.raises(DataError, match="offline"):
            read(name)
    monkeypatch.setattr(hub, "find_spec", lambda name: None)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(MissingExtra, match="weigh\\[datasets\\]"):
        read_images(DataSpec(train="hub:cifar10"), offline=False)


# Fingerprint --------------------------------------------------------------------------------------------------------


def test_fingerprint_names_contents_not_places(tmp_path):
    files = ["a/1.png", "a/2.png", "b/3.png"]
    first = read(folder(tmp_path / "one", files))[0].fingerprint
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    os.utime(tmp_path / "two/a/1.png", (1, 1))
    assert read(tmp_path / "two")[0].fingerprint == first
    paint(tmp_path / "two/a/1.png", seed=99)
    assert read(tmp_path / "two")[0].fingerprint != first
    shutil.move(tmp_path / "one/a/2.png", tmp_path / "one/b/2.png")
    assert read(tmp_path / "one")[0].fingerprint != first


def test_remembered_hashes_notice_every_change(tmp_path, monkeypatch):
    monkeypatch.setattr("weigh.data.contents.SETTLED_SECONDS", -1e9)  # as if the files were old
    root = folder(tmp_path, ["a/1.png", "b/2.png"])
    before = read(root)[0].content.copy()
    assert (read(root)[0].content == before).all()
    status = os.stat(root / "a/1.png")
    raw = (root / "a/1.png").read_bytes()
    (root / "a/1.png").write_bytes(raw[:-1] + b"\0")  # same size, and the old time put back
    os.utime(root / "a/1.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert read_images(DataSpec(train=str(root)))[0].content[0] != before[0]


# Tasks --------------------------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("path", "task"),
    [
        ("images/ants-bees", "image-classification"),
        ("images/flowers", "image-classification"),
        ("imagenet/nips150/dev_dataset.csv", "image-classification"),
        ("imagenet/nips150", None),
        ("boxes/bccd", "object-detection"),
        ("boxes/coco128", "object-detection"),
        ("boxes/coco128/instances_train2017.json", "object-detection"),
        ("masks/camvid-mini", "semantic-segmentation"),
        ("masks/em-membrane", "semantic-segmentation"),
        ("text/sst2", "text-classification"),
        ("text/sst2/train.tsv", "text-classification"),
        ("text/waimai-zh/waimai_10k.csv", "text-classification"),
        ("ner/wnut17", "token-classification"),
        ("ner/weibo-zh/weiboNER_2nd_conll.dev", "token-classification"),
        ("nothing", None),
    ],
)
def test_tasks_of_real_data(shared, path, task):
    found = recognise_task(shared / path)
    assert found.task == task
    assert found.reason.zh != found.reason.en


def test_the_index_imports_no_torch():
    import subprocess

    code = "import sys, weigh.data.pictures.index, weigh.data.pictures.checks, weigh.data.folds, weigh.data.pictures.demo; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
