"""Wherever people put masks, each picture gets its own; what has no partner is named."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.data.masks.mask_files import draw, indices, paint, read, save, write
from weigh.data.classes import size_in_words
from weigh.data.recognition.tasks import recognise_task
from weigh.tasks import SEMANTIC_SEGMENTATION

LAYOUTS = {  # pictures, masks; {p}: part, {i}: number
    "images and masks": ("images/{i}.jpg", "masks/{i}.png"),
    "with parts inside": ("images/{p}/{i}.jpg", "masks/{p}/{i}.png"),
    "train and trainannot": ("{p}/{i}.png", "{p}annot/{i}.png"),
    "parts outside": ("{p}/images/{i}.png", "{p}/labels/{i}.png"),
    "image and label": ("{p}/image/{i}.png", "{p}/label/{i}.png"),
    "image and label alone": ("image/{i}.png", "label/{i}.png"),
    "joined with a line": ("{p}_images/{i}.jpg", "{p}_masks/{i}_mask.png"),
    "VOC": ("JPEGImages/2007_{i}.jpg", "SegmentationClass/2007_{i}.png"),
    "Cityscapes": ("leftImg8bit/{p}/bonn/b_{i}_leftImg8bit.png", "gtFine/{p}/bonn/b_{i}_gtFine_labelIds.png"),
    "an end to the name": ("images/x{i}.png", "masks/x{i}_L.png"),
    "a beginning": ("images/img_{i}.png", "masks/mask_{i}.png"),
    "beside each other": ("x{i}.jpg", "x{i}_mask.png"),
    "beside each other in folders": ("{p}/site/x{i}.jpg", "{p}/site/x{i}_mask.png"),
    "satellite": ("{p}/{i}_sat.jpg", "{p}/{i}_mask.png"),
    "training and validation": ("images/{p}ing/{i}.jpg", "annotations/{p}ing/{i}.png"),
    "one folder further in": ("data/camvid/{p}/{i}.png", "data/camvid/{p}annot/{i}.png"),
    "other letters": ("Images/{i}.JPG", "Masks/{i}.PNG"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_picture_gets_its_mask(tmp_path, layout):
    pictures, masks = LAYOUTS[layout]
    root, parts = tmp_path / "d", ("train", "test") if "{p}" in pictures else ("train",)
    drawn = {}
    for part in parts:
        for i in range(4):
            number = 10 * parts.index(part) + i
            paint(root / pictures.format(p=part, i=number), number)
            drawn[pictures.format(p=part, i=number)] = draw(number)
            save(root / masks.format(p=part, i=number), draw(number))
    if layout != "beside each other in folders":  # those may be classes
        assert recognise_task(root).task == SEMANTIC_SEGMENTATION
    examples, problems = read(root)
    assert sorted(examples.path) == sorted(drawn)
    assert examples.classes == ("0", "1", "2")
    for path, mask in drawn.items():
        assert (indices(examples, path) == mask.astype(str)).all()
    assert {str(p) for p in examples.part} == set(parts)
    for path, part in zip(examples.path.tolist(), examples.part.tolist(), strict=True):
        assert "{p}" not in pictures or part in path
    assert problems.keys() == {"values"}


def test_pictures_outside_of_the_folders_of_pictures_are_named(tmp_path):
    for i in range(3):
        paint(tmp_path / "images" / f"{i}.png", i)
        save(tmp_path / "masks" / f"{i}.png", draw(i))
    paint(tmp_path / "shown" / "0.png", 7)
    paint(tmp_path / "overview.png", 8)
    examples, problems = read(tmp_path)
    assert len(examples) == 3
    assert problems["left-out"].paths == ("overview.png", "shown/0.png")
    assert problems["left-out"].severity == "note"


def test_a_validation_folder_trains_where_there_is_a_test_folder(tmp_path):
    for n, part in enumerate(("train", "val", "test")):
        for i in range(3):
            paint(tmp_path / part / f"{n}{i}.png", 3 * n + i)
            save(tmp_path / f"{part}annot" / f"{n}{i}.png", draw(i))
    examples, problems = read(tmp_path)
    assert (examples.part == "train").sum() == 6
    assert problems["split"].numbers["n"] == 3


def test_lists_of_voc_say_the_part(tmp_path):
    for i in range(6):
        paint(tmp_path / "JPEGImages" / f"{i}.jpg", i)
    for i in range(4):
        save(tmp_path / "SegmentationClass" / f"{i}.png", draw(i))
        save(tmp_path / "SegmentationObject" / f"{i}.png", draw(i))
        write(tmp_path / "Annotations" / f"{i}.xml", "<annotation/>")
    write(tmp_path / "ImageSets/Segmentation/train.txt", "0\n1\n")
    write(tmp_path / "ImageSets/Segmentation/val.txt", "2\n")
    write(tmp_path / "ImageSets/Segmentation/trainval.txt", "0\n1\n2\n")
    assert recognise_task(tmp_path).task == SEMANTIC_SEGMENTATION
    examples, problems = read(tmp_path)
    assert dict(zip(examples.path.tolist(), examples.part.tolist(), strict=True)) == {
        "JPEGImages/0.jpg": "train",
        "JPEGImages/1.jpg": "train",
        "JPEGImages/2.jpg": "test",
    }
    assert set(problems["unlisted"].paths) == {f"JPEGImages/{i}.jpg" for i in (3, 4, 5)}
    assert {"SegmentationClass/3.png", "SegmentationObject/0.png"} <= set(problems["object-masks"].paths)


def test_of_several_masks_the_one_of_classes_counts(tmp_path):
    for i in range(3):
        paint(tmp_path / "leftImg8bit/train/bonn" / f"b_{i}_leftImg8bit.png", i)
        for end in ("labelIds", "instanceIds", "color"):
            save(
                tmp_path / "gtFine/train/bonn" / f"b_{i}_gtFine_{end}.png",
                draw(i, (7, 8) if end == "labelIds" else (1, 2)),
            )
    examples, problems = read(tmp_path)
    assert examples.classes == ("7", "8")
    assert examples.slices["folder"].tolist() == ["bonn"] * 3
    assert len(problems["object-masks"].paths) == 6


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("image,mask,site", {}),
        ("path,label,site", {}),
        ("picture_file,label_file,site", {}),
        ("a,b,site", {"columns": {"path": "a", "label": "b"}}),
    ],
)
def test_a_table_with_two_columns_of_files(tmp_path, header, columns):
    rows = []
    for i in range(4):
        paint(tmp_path / "p" / f"{i}.png", i)
        save(tmp_path / "q" / f"{i}s.png", draw(i))
        rows.append(f"p/{i}.png,q/{i}s.png,{'ab'[i % 2]}")
    rows.append("p/3x.png,q/1s.png,a")
    paint(tmp_path / "p/4.png", 4)
    rows.append("p/4.png,q/none.png,a")
    table = write(tmp_path / "t.csv", "\n".join([header, *rows]))
    examples, problems = read(table, **columns)
    assert examples.path.tolist() == [f"p/{i}.png" for i in range(4)]
    assert (indices(examples, "p/2.png") == draw(2).astype(str)).all()
    assert examples.slices["site"].tolist() == ["a", "b", "a", "b"]
    assert "p/3x.png" in problems["missing"].paths or "p/4.png" in problems["missing"].paths
    if header != "path,label,site":
        assert recognise_task(table).task in (SEMANTIC_SEGMENTATION, "image-classification")
    if header.startswith(("image", "picture")):
        assert recognise_task(table).task == SEMANTIC_SEGMENTATION


def test_masks_that_were_found_by_the_end_of_their_path_are_told(tmp_path):
    rows = []
    for i in range(4):
        paint(tmp_path / "p" / f"{i}.png", i)
        save(tmp_path / "q" / f"{i}s.png", draw(i))
        rows.append(f"p/{i}.png,/home/someone/q/{i}s.png")
    examples, problems = read(write(tmp_path / "t.csv", "\n".join(["image,mask", *rows])))
    assert len(examples) == 4
    assert problems["paths"].paths == tuple(f"q/{i}s.png" for i in range(4))


def test_an_own_test_folder_is_read_as_the_training_folder_is(tmp_path):
    """255 alone in a small test set would be a class; the training masks said that it is none."""
    for i in range(4):
        paint(tmp_path / "a/images" / f"{i}.png", i)
        save(tmp_path / "a/masks" / f"{i}.png", draw(i, (0, 1, 2, 255)))
        paint(tmp_path / "b/images" / f"t{i}.png", 10 + i)
        save(tmp_path / "b/masks" / f"t{i}.png", draw(i, (0, 255)))
    write(tmp_path / "a/classes.txt", "sky\nroad\ncar\n")
    examples, problems = read(tmp_path / "a", test=str(tmp_path / "b"))
    assert examples.classes == ("sky", "road", "car")
    assert set(np.unique(indices(examples, "b/images/t0.png"))) == {"", "sky"}
    assert (examples.part == "test").sum() == 4
    assert "unknown-class" not in problems


def test_a_class_that_training_lacks_is_not_scored_and_the_picture_stays(tmp_path):
    for part, values in (("train", (0, 1)), ("test", (0, 3))):
        for i in range(3):
            paint(tmp_path / part / "images" / f"{part}{i}.png", i + 10 * len(part))
            save(tmp_path / part / "masks" / f"{part}{i}.png", draw(i, values))
    examples, problems = read(tmp_path)
    assert len(examples) == 6
    assert set(np.unique(indices(examples, "test/images/test0.png"))) == {"", "0"}
    assert "1 (3)" in problems["unknown-class"].sentence.en
    assert len(problems["unknown-class"].paths) == 3


def test_masks_beside_pictures_of_classes_name_the_task(tmp_path):
    from tests.data.picture_files import read as read_classes

    for i in range(4):
        for name in ("benign", "malignant"):
            paint(tmp_path / name / f"{i}.png", i)
            Image.fromarray(draw(i).astype(np.uint8)).save(tmp_path / name / f"{i}_mask.png")
    assert "--task semantic-segmentation" in read_classes(tmp_path)[1]["masks"].do.en
    assert len(read(tmp_path)[0]) == 8


def test_sizes_are_told_side_by_side(tmp_path):
    """No picture is as narrow and as low as the narrowest and the lowest."""
    for i, size in enumerate([(12, 40), (12, 40), (30, 16)]):
        paint(tmp_path / "images" / f"{i}.png", i, size)
        save(tmp_path / "masks" / f"{i}.png", draw(i, size=size))
    sentence = size_in_words(read(tmp_path)[0]).sentence
    assert "2 sizes, 16 to 40 pixels wide and 12 to 30 high; the most frequent is 40 x 12 (2)." in sentence.en
    assert "宽 16–40、高 12–30 像素；最常见的是 40 x 12（2 个）" in sentence.zh
