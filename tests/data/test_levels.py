"""Folders within folders and links: what may be meant otherwise is asked, and nothing gets two classes."""

from __future__ import annotations

import pytest

from tests.data.picture_files import folder, read
from weigh.cli.main import main
from weigh.data.texts.index import read_texts
from weigh.spec import DataSpec


def _crossed(outer, inner, each=2):
    return [f"{o}/{i}/{o}_{i}_{k}.png" for o in outer for i in inner for k in range(each)]


# Links --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "target"),
    [("cat/loop", ".."), ("loop", ".."), ("all", "."), ("cat/up", "../.."), ("zoo", "cat"), ("dog/inside", "../cat/young"),
     ("apes", "cat/young"), ("cat/young/again", "../../dog")],
)  # fmt: skip
def test_a_link_gives_no_picture_a_second_class(tmp_path, link, target):
    root = folder(tmp_path / "pets", ["cat/1.png", "cat/young/2.png", "dog/3.png", "dog/4.png"])
    before, _ = read(root)
    (root / link).symlink_to(target, target_is_directory=True)
    examples, problems = read(root)
    assert examples.classes == before.classes == ("cat", "dog")
    assert examples.path.tolist() == before.path.tolist()
    assert problems["links"].paths == (link,)


def test_links_to_folders_elsewhere_are_followed_once(tmp_path):
    folder(tmp_path / "store", ["x/1.png", "x/2.png", "y/3.png"])
    root = folder(tmp_path / "pets", ["cat/0.png", "dog/9.png"])
    for link, target in [("cat/x", "x"), ("dog/x", "x"), ("dog/y", "y")]:
        (root / link).symlink_to(tmp_path / "store" / target)
    examples, problems = read(root)
    assert examples.path.tolist() == ["cat/0.png", "cat/x/1.png", "cat/x/2.png", "dog/9.png", "dog/y/3.png"]
    assert problems["links"].paths == ("dog/x",)


def test_a_training_folder_of_links_to_a_store_beside_it_is_read(tmp_path):
    root = folder(tmp_path, ["all/cat/1.png", "all/dog/2.png", "test/cat/3.png", "test/dog/4.png"])
    (root / "train").mkdir()
    for name in ("cat", "dog"):
        (root / "train" / name).symlink_to(root / "all" / name)
    examples, _ = read(root)
    assert examples.path.tolist() == ["train/cat/1.png", "train/dog/2.png", "test/cat/3.png", "test/dog/4.png"]


# Two levels ---------------------------------------------------------------------------------------------------------

DOMAINS = [
    (("photo", "sketch"), ("cat", "dog")),
    (("amazon", "dslr", "webcam"), ("bike", "mug", "phone")),
    (("2019", "2020"), ("good", "scratch", "dent")),
    (("40X", "100X"), ("benign", "malignant")),
]


@pytest.mark.parametrize(("outer", "inner"), DOMAINS)
def test_domains_with_classes_inside_are_asked_about(tmp_path, outer, inner, capsys):
    root = folder(tmp_path / "data", _crossed(outer, inner))
    problem = read(root)[1]["levels"]
    assert problem.severity == "error"
    assert all(name in problem.sentence.en for name in (*outer, *inner))
    assert main(["run", str(root), "--models", "timm:resnet18", "--yes", "--output", str(tmp_path / "study")]) == 2
    assert "data.class_folder=inner" in capsys.readouterr().err
    assert not (tmp_path / "study" / "runs").exists()


@pytest.mark.parametrize(("outer", "inner"), DOMAINS)
def test_each_answer_to_the_question_works(tmp_path, outer, inner):
    root = folder(tmp_path / "data", _crossed(outer, inner))
    examples, problems = read(root, class_folder="inner")
    assert set(examples.classes) == set(inner)
    assert set(examples.slices["folder"]) == set(outer)
    assert "levels" not in problems
    examples, problems = read(root, class_folder="outer")
    assert set(examples.classes) == set(outer)
    assert "levels" not in problems
    examples, problems = read(root / outer[0], shifted={outer[1]: str(root / outer[1])})
    assert set(examples.classes) == set(inner)
    assert set(examples.part) == {"train", f"shift:{outer[1]}"}
    assert "levels" not in problems


def test_most_inner_names_repeat_is_enough(tmp_path):
    files = [f for f in _crossed(("photo", "sketch"), ("cat", "dog", "cow")) if not f.startswith("sketch/cow")]
    assert read(folder(tmp_path, files))[1]["levels"].severity == "error"


def test_folders_that_stand_in_one_class_only_are_mentioned(tmp_path):
    root = folder(tmp_path, [*_crossed(("ill",), ("p1", "p2", "p3")), *_crossed(("well",), ("p4", "p5"))])
    examples, problems = read(root)
    assert examples.classes == ("ill", "well")
    assert problems["levels"].severity == "warning"
    assert "design.group_by=folder" in problems["levels"].do.en
    assert read(root, class_folder="inner")[0].classes == ("p1", "p2", "p3", "p4", "p5")


@pytest.mark.parametrize(
    "files",
    [
        ["cat/1.png", "cat/2.png", "dog/3.png"],
        ["cat/images/1.png", "cat/images/2.png", "dog/images/3.png"],  # as in Tiny ImageNet
        ["cat/1.png", "cat/2.png", "cat/old/3.png", "dog/4.png", "dog/5.png", "dog/old/6.png"],
        ["cat/a/1.png", "dog/2.png", "dog/3.png", "dog/4.png"],
    ],
)
def test_layouts_that_raise_no_question(tmp_path, files):
    assert "levels" not in read(folder(tmp_path, files))[1]


@pytest.mark.parametrize("names", [("train", "test"), ("Train", "val", "TEST"), ("training", "testing")])
def test_parts_inside_the_class_folders(tmp_path, names):
    """Classes above, parts below: the test pictures must not be trained on."""
    examples, problems = read(folder(tmp_path, _crossed(("cat", "dog"), names)))
    assert examples.classes == ("cat", "dog")
    last = names[-1].lower()
    for path, part in zip(examples.path.tolist(), examples.part.tolist(), strict=True):
        assert (part == "test") == (path.split("/")[1].lower() == last)
    assert "levels" not in problems


def test_texts_by_domain_are_asked_about_too(tmp_path):
    for name in _crossed(("books", "dvd"), ("positive", "negative")):
        path = (tmp_path / name).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
    for outer in ("books", "dvd"):  # one file beside, as a list of sources would be
        (tmp_path / outer / "about.txt").write_text("about")
    examples, problems = read_texts(DataSpec(train=str(tmp_path), class_folder="inner"))
    assert set(examples.classes) == {"positive", "negative"}
    assert [p.paths for p in problems if p.kind == "loose-files"] == [("books/about.txt", "dvd/about.txt")]
