"""Pascal VOC: where pixels begin, what is difficult, what XML may hold, and what is never read of it."""

from __future__ import annotations

import pytest

from tests.data.boxes.box_files import TRUTH, boxes_of, read, write_voc
from tests.data.masks.mask_files import write
from weigh.errors import DataError

INSIDE = {p: [(c, x + 1, y + 1, r, b) for c, x, y, r, b in boxes] for p, boxes in TRUTH.items()}


@pytest.mark.parametrize(("origin", "taken", "told"), [(0, 0, "count from 0"), (1, 1, "cannot be told")])
def test_where_pixels_begin_is_told_from_a_zero(tmp_path, origin, taken, told):
    examples, problems = read(write_voc(tmp_path, INSIDE if origin else TRUTH))
    assert told in problems["origin"].sentence.en
    low = 1 - taken if origin else 0
    assert boxes_of(examples, "0")[0][1:3] == (low, low)
    for asked in (0, 1):
        examples, problems = read(tmp_path, origin=asked)
        assert "origin" not in problems
        assert boxes_of(examples, "1")[1][1:3] == (5 + origin - asked, 5 + origin - asked)


def test_a_single_zero_does_not_move_all_boxes(tmp_path):
    mixed = {p: [(c, max(x, 1), max(y, 1), r, b) for c, x, y, r, b in boxes] for p, boxes in TRUTH.items()}
    examples, problems = read(write_voc(tmp_path, mixed | {"8": [("cat", 0, 9, 20, 20)]}))
    assert "1 box begins at 0" in problems["origin"].sentence.en
    assert problems["origin"].severity == "warning"
    assert boxes_of(examples, "0")[0][1:3] == (0, 0)


def test_small_boxes_make_the_origin_matter(tmp_path):
    small = {str(i): [("cat", 3 * i + 1, 7, 3 * i + 4, 11)] for i in range(6)}
    assert read(write_voc(tmp_path / "s", small))[1]["origin"].severity == "warning"
    large = {str(i): [("cat", i + 1, 1, 60, 47)] for i in range(3)}
    assert read(write_voc(tmp_path / "l", large))[1]["origin"].severity == "note"


def test_the_training_part_decides_the_origin(tmp_path):
    train = write_voc(tmp_path / "a")
    test = write_voc(tmp_path / "b", {f"t{k}": v for k, v in INSIDE.items()})
    examples, problems = read(train, test=str(test))
    assert boxes_of(examples, "t1")[1][1:] == (6, 6, 25, 45)
    assert "count from 0" in problems["origin"].sentence.en


def test_difficult_objects_are_ignored_and_said(tmp_path):
    root = write_voc(tmp_path, flags="<truncated>1</truncated><difficult>0</difficult>")
    file = root / "Annotations/1.xml"
    write(file, file.read_text().replace("<difficult>0", "<difficult>1", 1))
    examples, problems = read(root)
    assert problems["difficult"].paths == ("Annotations/1.xml:2",)
    assert examples.target[1].crowd.tolist() == [True, False]
    assert not examples.target[0].crowd.any()  # truncated ones are objects


def test_parts_of_objects_are_no_objects(tmp_path):
    root = write_voc(tmp_path)
    file = root / "Annotations/1.xml"
    part = "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>4</xmax><ymax>4</ymax></bndbox></part></object>"
    write(file, file.read_text().replace("</object>", part, 1))
    examples, _ = read(root)
    assert examples.classes == ("bird", "cat", "dog")
    assert len(boxes_of(examples, "1")) == 2


@pytest.mark.parametrize("size", [None, (0, 0), ("ten", ""), (480000000000, 3), (-48, 64)])
def test_sizes_that_are_not_stated(tmp_path, size):
    examples, problems = read(write_voc(tmp_path, size=size))
    assert len(examples) == 4
    assert problems.keys() == {"origin"}


ENTITIES = {
    "a thousand laughs": '<!DOCTYPE a [<!ENTITY l "ha"><!ENTITY m "&l;&l;&l;&l;">]><annotation><object><name>&m;</name></object></annotation>',
    "a file": '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><object><name>&x;</name></object></annotation>',
    "a document type": '<!DOCTYPE annotation SYSTEM "http://example.org/a.dtd"><annotation/>',
    "parameters": '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><annotation/>',
    "an unknown entity": "<annotation><object><name>&nbsp;</name></object></annotation>",
    "nothing": "",
    "blanks": " \n ",
    "cut off": "<annotation><object><name>cat</name>",
    "no XML": "cat 1 2 3 4",
    "something else": "<annotations><image/></annotations>",
    "deep": "<a>" * 5000 + "</a>" * 5000,
    "a long name": "<annotation><object><name>" + "&amp;" * 200_000 + "</name></object></annotation>",
    "two roots": "<annotation/><annotation/>",
    "control characters": "<annotation><object><name>\x01</name></object></annotation>",
}


@pytest.mark.parametrize("name", ENTITIES)
def test_hostile_and_broken_xml_is_named_and_not_read(tmp_path, name):
    root = write_voc(tmp_path)
    write(root / "Annotations/1.xml", ENTITIES[name])
    examples, problems = read(root)
    assert problems["unreadable-labels"].paths == ("Annotations/1.xml",)
    assert len(examples) == 3
    assert not any("root:" in c or "haha" in c for c in examples.classes)


ENCODINGS = {
    "UTF-8 with a mark": ("utf-8-sig", "", "猫"),
    "UTF-16": ("utf-16", '<?xml version="1.0" encoding="UTF-16"?>', "猫"),
    "GBK": ("gbk", '<?xml version="1.0" encoding="gbk"?>', "猫"),
    "Latin": ("latin-1", "<?xml version='1.0' encoding='ISO-8859-1'?>", "Käfer"),
    "a lie": ("utf-8", '<?xml version="1.0" encoding="ascii"?>', "猫"),
    "no encoding": ("utf-8", '<?xml version="1.0" encoding="zlib"?>', "猫"),
    "letters taken apart": ("utf-8", "", "Ka\u0308fer"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_encodings(tmp_path, name):
    codec, head, word = ENCODINGS[name]
    root = write_voc(tmp_path)
    for file in (root / "Annotations").iterdir():
        file.write_bytes((head + file.read_text().replace("cat", word)).encode(codec))
    examples, _ = read(root)
    assert {"bird", "dog"} < set(examples.classes)
    assert examples.classes[-1] == word.replace("a\u0308", "ä") or word.replace("a\u0308", "ä") in examples.classes


def test_objects_without_a_box_or_a_name(tmp_path):
    root = write_voc(tmp_path)
    file = root / "Annotations/1.xml"
    write(
        file,
        file.read_text().replace(
            "</annotation>",
            "\n<object><name>cat</name><polygon/></object>\n<object><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>",
        ),
    )
    examples, problems = read(root)
    assert problems["box-numbers"].paths == ("Annotations/1.xml:5",)
    assert examples.target[1].crowd.tolist() == [False, False, True]  # of no class: ignored


def test_pictures_outside_the_lists_and_names_without_pictures(tmp_path):
    root = write_voc(tmp_path)
    write(root / "ImageSets/Main/train.txt", "0\n1\n7\n../../etc/passwd\n")
    write(root / "ImageSets/Main/val.txt", "1\n2\n")
    examples, problems = read(root)
    assert problems["unlisted"].paths == ("JPEGImages/3.png",)
    assert set(problems["missing"].paths) == {"7", "../../etc/passwd"}
    assert problems["listed-twice"].paths == ("1",)
    assert examples.part.tolist() == ["train", "test", "test"]


def test_masks_of_the_same_pictures_are_no_pictures(tmp_path):
    root = write_voc(tmp_path)
    for i in range(4):
        write(root / f"SegmentationClass/{i}.png", "x")
        write(root / f"SegmentationObject/{i}.png", "x")
    examples, _ = read(root)
    assert [p.split("/")[0] for p in examples.path.tolist()] == ["JPEGImages"] * 4


def test_a_folder_without_boxes_is_an_error_in_words(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no boxes") as caught:
        read(tmp_path / "empty")
    assert "COCO" in caught.value.do.en
