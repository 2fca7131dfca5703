"""Bad inputs: each is a finding or an error that names the file and what is wrong with it, and no other example is lost."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.data.masks.mask_files import SIZE, draw, indices, paint, read, save, write
from weigh.data.pictures.checks import check_pictures
from weigh.errors import DataError
from weigh.kinds.masks import MASKS

N = 6


def _good(root):
    for i in range(N):
        paint(root / "images" / f"{i}.png", i)
        save(root / "masks" / f"{i}.png", draw(i))
    return root


def _float(root):
    Image.fromarray(draw(2).astype(np.float32) / 2).save(root / "masks/2.tiff")
    (root / "masks/2.png").unlink()


def _photo(root):
    paint(root / "masks/2.png", 9, size=(48, 64))
    paint(root / "images/2.png", 2, size=(48, 64))


def _cut_off(root):
    path = root / "masks/2.png"
    path.write_bytes(path.read_bytes()[:45])


BAD = {  # what is done to example 2, kind of the problem, what its sentence names
    "picture without a mask": (lambda r: (r / "masks/2.png").unlink(), "no-mask", ["images/2.png"]),
    "mask without a picture": (lambda r: (r / "images/2.png").unlink(), "no-picture", ["masks/2.png"]),
    "names that differ": (lambda r: (r / "masks/2.png").rename(r / "masks/zwei.png"), "no-mask", ["images/2.png"]),
    "another size": (lambda r: save(r / "masks/2.png", draw(2, size=(20, 16))), "mask-size", ["16 x 12", "16 x 20"]),
    "half the size, once": (lambda r: save(r / "masks/2.png", draw(2, size=(6, 8))), "mask-size", ["16 x 12", "8 x 6"]),
    "lying across": (lambda r: save(r / "masks/2.png", draw(2, size=SIZE[::-1])), "mask-size", ["12 x 16"]),
    "damaged": (lambda r: (r / "masks/2.png").write_bytes(b"nothing"), "unreadable", ["masks/2.png"]),
    "cut off": (_cut_off, "unreadable", ["masks/2.png"]),
    "empty file": (lambda r: (r / "masks/2.png").write_bytes(b""), "unreadable", ["masks/2.png"]),
    "fractions": (_float, "unreadable", ["masks/2.tiff", "whole numbers"]),
    "a photo": (_photo, "unreadable", ["masks/2.png", "different colours"]),
    "all ignored": (lambda r: save(r / "masks/2.png", np.full(SIZE, 255)), "empty-mask", ["images/2.png"]),
    "two masks": (lambda r: save(r / "masks/2.tif", draw(3)), "several-masks", ["images/2.png"]),
    "two pictures": (lambda r: paint(r / "images/2.jpg", 3), "several-masks", ["images/2.jpg"]),
}


@pytest.mark.parametrize("name", BAD)
def test_one_bad_example_is_named_and_the_others_stay(tmp_path, name):
    spoil, kind, words = BAD[name]
    root = _good(tmp_path)
    if name == "all ignored":
        save(root / "masks/0.png", np.where(np.arange(SIZE[1]) < 2, 255, draw(0)))
    spoil(root)
    examples, problems = read(root)
    assert len(examples) == N - 1
    problem = problems[kind]
    assert problem.severity == "warning"
    assert problem.do is not None
    assert any("2." in path for path in problem.paths)
    sentence = problem.sentence.en + " ".join(problem.paths)
    assert all(word in sentence for word in words), sentence


def test_values_outside_the_table_are_counted_and_named(tmp_path):
    root = _good(tmp_path)
    strange = draw(2)
    strange[0, :5] = 7
    save(root / "masks/2.png", strange)
    write(root / "classes.txt", "sky\nroad\ncar\n")
    examples, problems = read(root)
    assert len(examples) == N
    problem = problems["unknown-value"]
    assert problem.paths == ("masks/2.png",)
    assert problem.numbers == {"values": 1, "pixels": 5, "masks": 1}
    assert problem.details == ({"value": "7", "pixels": 5, "masks": 1, "first": "masks/2.png"},)
    assert "classes.txt" in problem.sentence.en
    assert (indices(examples, "images/2.png")[0, :5] == "").all()
    assert examples.target[2].ignored == 5


def test_unknown_colours_are_counted_and_named(tmp_path):
    colours = np.array([(0, 0, 0), (200, 0, 0), (0, 200, 0)], dtype=np.uint8)
    for i in range(N):
        paint(tmp_path / "images" / f"{i}.png", i)
        mask = colours[draw(i)]
        if i == 3:
            mask[5, 5] = (100, 1, 2)
        save(tmp_path / "masks" / f"{i}.png", mask)
    write(tmp_path / "class_dict.csv", "name,r,g,b\nsky,0,0,0\nroad,200,0,0\ncar,0,200,0\n")
    examples, problems = read(tmp_path)
    assert problems["unknown-value"].details == ({"value": "100,1,2", "pixels": 1, "masks": 1, "first": "masks/3.png"},)
    assert len(examples) == N


def test_a_table_that_names_little_of_the_masks_forbids_the_study(tmp_path):
    _, problems = read(_good(tmp_path), classes={"1": "road"})
    assert problems["unknown-value"].severity == "error"


def test_jpeg_masks_are_named(tmp_path):
    for i in range(N):
        paint(tmp_path / "images" / f"{i}.png", i, size=(48, 64))
        mask = np.kron(draw(i, (0, 90, 200), (6, 8)), np.ones((8, 8))) + np.eye(48, 64) * 55
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask.astype(np.uint8)).save(tmp_path / "masks" / f"{i}.jpg", quality=70)
    _, problems = read(tmp_path)
    assert problems["lossy-mask"].severity == "error"
    assert "masks/0.jpg" in problems["lossy-mask"].paths
    assert "PNG" in problems["lossy-mask"].do.en


def test_jpeg_masks_of_black_and_white_are_told_apart(tmp_path):
    """Values around the two are what JPEG left of them."""
    drawn = {}
    for i in range(N):
        paint(tmp_path / "images" / f"{i}.png", i, size=(48, 64))
        drawn[i] = np.kron(draw(i, (0, 255), (6, 8)), np.ones((8, 8)))
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(drawn[i].astype(np.uint8)).save(tmp_path / "masks" / f"{i}.jpg", quality=80)
    examples, problems = read(tmp_path)
    assert problems["lossy-mask"].severity == "warning"
    assert examples.classes == ("0", "255")
    for i in range(N):
        assert ((indices(examples, f"images/{i}.png") == "255") == (drawn[i] > 127)).all()


@pytest.mark.parametrize("values", [(0, 1), (0, 1, 2, 3)])
def test_jpeg_masks_of_numbers_are_no_black_and_white(tmp_path, values):
    """All of them would be black: one class, and nothing to learn."""
    for i in range(N):
        paint(tmp_path / "images" / f"{i}.png", i, size=(48, 64))
        (tmp_path / "masks").mkdir(exist_ok=True)
        drawn = np.kron(draw(i, values, (6, 8)), np.ones((8, 8)))
        Image.fromarray(drawn.astype(np.uint8)).save(tmp_path / "masks" / f"{i}.jpg", quality=95)
    _, problems = read(tmp_path)
    assert problems["lossy-mask"].severity == "error"
    assert "numbers of classes" in problems["lossy-mask"].sentence.en
    assert len(problems["lossy-mask"].paths) == N


def test_palettes_that_differ_are_asked_about(tmp_path):
    colours = [(0, 0, 0), (200, 0, 0), (0, 200, 0)]
    root = _good(tmp_path)
    for i in range(N):
        save(root / "masks" / f"{i}.png", draw(i), palette=colours if i else [colours[0], colours[2], colours[1]])
    _, problems = read(root)
    assert problems["palettes"].severity == "error"
    assert "200,0,0" in problems["palettes"].sentence.en
    by_index, problems = read(root, classes={"0": "sky", "1": "road", "2": "car"})
    assert "palettes" not in problems
    assert (indices(by_index, "images/0.png") == np.array(["sky", "road", "car"])[draw(0)]).all()
    by_colour, problems = read(root, classes={"0,0,0": "sky", "200,0,0": "road", "0,200,0": "car"})
    assert "palettes" not in problems
    assert (indices(by_colour, "images/0.png") == np.array(["sky", "car", "road"])[draw(0)]).all()
    assert (indices(by_colour, "images/1.png") == np.array(["sky", "road", "car"])[draw(1)]).all()


def test_masks_at_another_scale_all_of_them(tmp_path):
    for i in range(N):
        paint(tmp_path / "images" / f"{i}.png", i, size=(24, 33))
        save(tmp_path / "masks" / f"{i}.png", draw(i, size=(12, 16)))
    examples, problems = read(tmp_path)
    assert len(examples) == N
    assert problems["mask-scale"].severity == "warning"
    assert MASKS.sizes(examples.target).tolist() == [[12, 16]] * N


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("drawn_on", ["stored", "upright"])
def test_pictures_that_exif_turns(tmp_path, orientation, drawn_on):
    """Where the sizes tell, the mask fits the upright picture in the end, whichever it was drawn on."""
    from PIL import ImageOps

    stored = draw(0, (0, 1, 2))
    stored[0, :3] = 1  # no symmetry
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "images").mkdir()
    coloured = np.array([(0, 0, 0), (250, 0, 0), (0, 250, 0)], dtype=np.uint8)[stored]
    Image.fromarray(coloured).save(tmp_path / "images/0.png", exif=exif)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "images/0.png")))
    upright = (upright[..., 0] > 0) + 2 * (upright[..., 1] > 0)
    save(tmp_path / "masks/0.png", stored if drawn_on == "stored" else upright)
    paint(tmp_path / "images/1.png", 1)
    save(tmp_path / "masks/1.png", draw(1))
    examples, problems = read(tmp_path)
    told = orientation >= 5 or orientation == 1
    assert ("mask-exif" in problems) == (orientation != 1)
    if told or drawn_on == "upright":
        assert (examples.target[0].indices() == upright).all()
    if orientation != 1:
        assert problems["mask-exif"].severity == ("note" if told else "warning")
        assert problems["mask-exif"].paths == ("images/0.png",)


def test_masks_of_one_class_are_noted(tmp_path):
    root = _good(tmp_path)
    save(root / "masks/2.png", np.full(SIZE, 1))
    examples, problems = read(root)
    assert len(examples) == N
    assert problems["constant-mask"].details == ({"path": "images/2.png", "class": "1"},)


def test_masks_that_know_one_class_only_forbid_the_study(tmp_path):
    for i in range(N):
        paint(tmp_path / "images" / f"{i}.png", i)
        save(tmp_path / "masks" / f"{i}.png", np.zeros(SIZE))
    examples, _ = read(tmp_path)
    _, problems = check_pictures(examples)
    assert next(p for p in problems if p.kind == "one-class").severity == "error"


def test_a_class_in_few_pictures_is_said(tmp_path):
    for i in range(14):
        paint(tmp_path / "images" / f"{i}.png", i)
        save(tmp_path / "masks" / f"{i}.png", draw(i, (0, 1, 2) if i < 3 else (0, 1)))
    _, problems = check_pictures(read(tmp_path)[0])
    tiny = next(p for p in problems if p.kind == "tiny-class")
    assert "2 (3)" in tiny.sentence.en


def test_numbers_of_objects_are_no_classes(tmp_path):
    for i in range(N):
        paint(tmp_path / "images" / f"{i}.png", i, size=(24, 24))
        save(tmp_path / "masks" / f"{i}.png", np.arange(576).reshape(24, 24) % 100 + 100 * i)
    with pytest.raises(DataError, match="600 different values"):
        read(tmp_path)


def test_many_colours_without_a_table_are_refused(tmp_path):
    for i in range(N):
        paint(tmp_path / "images" / f"{i}.png", i)
        paint(tmp_path / "masks" / f"{i}.png", i + 50)
    with pytest.raises(DataError, match=r"1151 different colours"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "no pictures"),
        (["images/a.png"], "no masks"),
        (["masks/a.png"], "no pictures"),
        (["images/a.png", "masks/b.png"], "images/a.png"),
        (["train/a.png", "trainannot/b.png"], "train/a.png"),
    ],
)
def test_nothing_that_pairs_up(tmp_path, files, words):
    for file in files:
        paint(tmp_path / file)
    with pytest.raises(DataError, match=words) as caught:
        read(tmp_path)
    assert "masks/" in caught.value.do.en


def test_the_folder_of_pictures_alone_names_the_one_above(tmp_path):
    for i in range(3):
        paint(tmp_path / "train" / f"{i}.png", i)
        save(tmp_path / "trainannot" / f"{i}.png", draw(i))
    with pytest.raises(DataError) as caught:
        read(tmp_path / "train")
    assert str(tmp_path / "trainannot") in caught.value.do.en


def test_arrays_and_other_files_among_masks_are_named(tmp_path):
    root = _good(tmp_path)
    np.save(root / "masks/2.npy", draw(2))
    write(root / "masks/classes.txt", "sky\nroad\ncar\n")  # it is read
    _, problems = read(root)
    assert problems["other-files"].paths == ("masks/2.npy",)


# Values that are no classes -----------------------------------------------------------------------------------------


def write_masks(root, make, n=N, size=(24, 32)):
    for i in range(n):
        paint(root / "images" / f"{i}.png", i, size=size)
        save(root / "masks" / f"{i}.png", make(i))
    return root


@pytest.mark.parametrize("how", ["BILINEAR", "BICUBIC", "LANCZOS"])
def test_smoothed_masks_are_named(tmp_path, how):
    def make(i):
        drawn = np.zeros((37, 50), np.uint8)
        drawn[5 + i : 20 + i, 10:31] = 255
        return np.asarray(Image.fromarray(drawn).resize((32, 24), Image.Resampling[how]))

    _, problems = read(write_masks(tmp_path, make))
    assert problems["smoothed-mask"].severity == "error"
    told, problems = read(tmp_path, classes={"0": "sky", "255": "cell"})
    assert told.classes == ("sky", "cell")
    assert problems["unknown-value"].severity == "warning"


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_of_few_objects_are_no_classes(tmp_path, first):
    def make(i):
        return first + np.arange(24)[:, None] * (4 + i) // 24 + np.zeros(32, int)

    _, problems = read(write_masks(tmp_path, make))
    assert problems["numbered-objects"].severity == "error"
    assert "numbered-objects" not in read(tmp_path, classes={str(v): f"c{v}" for v in range(11)})[1]


def test_classes_without_a_gap_are_classes(tmp_path):
    """The same largest value in all, or gaps in some: no numbers of objects."""
    assert "numbered-objects" not in read(write_masks(tmp_path / "a", lambda i: draw(i, range(9), (24, 32))))[1]
    assert "numbered-objects" not in read(write_masks(tmp_path / "b", lambda i: draw(i, (0, 2 + i, 11), (24, 32))))[1]


def test_stray_values_are_asked_about(tmp_path):
    def make(i):
        mask = draw(i, (0, 1, 2), (100, 120))
        if i == 3:
            mask[0, :2] = 9
        return mask

    root = write_masks(tmp_path, make, n=12, size=(100, 120))
    _, problems = read(root)
    assert problems["stray-value"].details == ({"value": "9", "pixels": 2, "first": "masks/3.png"},)
    told, problems = read(root, ignore=["9"])
    assert "stray-value" not in problems
    assert told.classes == ("0", "1", "2")


def test_one_mask_for_two_pictures_is_named(tmp_path):
    root = _good(tmp_path)
    rows = [f"images/{i}.png,masks/{0 if i == 1 else i}.png" for i in range(N)]
    _, problems = read(write(root / "t.csv", "\n".join(["image,mask", *rows])))
    assert problems["shared-mask"].paths == ("images/0.png", "images/1.png")


def test_lists_of_voc_that_do_not_fit_are_named(tmp_path):
    for i in range(4):
        paint(tmp_path / "JPEGImages" / f"{i}.jpg", i)
        save(tmp_path / "SegmentationClass" / f"{i}.png", draw(i))
    write(tmp_path / "ImageSets/Segmentation/train.txt", "0\n1\n2\n7\n")
    write(tmp_path / "ImageSets/Segmentation/test.txt", "2\n3\n")
    examples, problems = read(tmp_path)
    assert problems["missing"].paths == ("7",)
    assert problems["listed-twice"].paths == ("2",)
    assert (examples.part == "test").sum() == 2


def test_names_in_another_form_of_unicode_belong_together(tmp_path):
    import unicodedata

    for i in range(3):
        paint(tmp_path / "images" / unicodedata.normalize("NFC", f"Straßé{i}.png"), i)
        save(tmp_path / "masks" / unicodedata.normalize("NFD", f"Straßé{i}.png"), draw(i))
    assert len(read(tmp_path)[0]) == 3


def test_names_that_are_no_letters_are_named(tmp_path):
    import os

    root = _good(tmp_path)
    for folder in ("images", "masks"):
        source = os.fsencode(root / folder / "2.png")
        os.rename(source, os.path.join(os.path.dirname(source), b"\xff2.png"))
    examples, problems = read(root)
    assert len(examples) == N - 1
    assert len(problems["other-files"].paths) == 2


def test_pictures_that_two_coco_files_name(tmp_path):
    from tests.data.masks.test_coco import CATEGORIES, SQUARE

    content = {
        "images": [{"id": 1, "file_name": "0.jpg", "width": 16, "height": 12}],
        "annotations": [{"image_id": 1, "category_id": 7, "segmentation": SQUARE}],
        "categories": CATEGORIES,
    }
    paint(tmp_path / "images/0.jpg")
    for part in ("train", "val"):
        write(tmp_path / f"annotations/instances_{part}.json", content)
    _, problems = read(tmp_path)
    assert problems["repeated-row"].paths == ("images/0.jpg",)
