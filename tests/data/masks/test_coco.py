"""COCO files drawn as classes of pixels: polygons by the centres of pixels, runs as they are defined, crowds ignored."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.masks.mask_files import indices, paint, read, write
from weigh.data.pictures.outlines import fill_polygon, runs_of
from weigh.data.recognition.tasks import recognise_task

CATEGORIES = [{"id": 7, "name": "cat"}, {"id": 3, "name": "dog"}]
SQUARE = [[2, 1, 8, 1, 8, 5, 2, 5]]  # columns 2 to 7, rows 1 to 4


def _file(root, annotations, name="coco.json", images=2, categories=CATEGORIES):
    for i in range(images):
        paint(root / "images" / f"{i}.jpg", i)
    listed = [{"id": i + 1, "file_name": f"{i}.jpg", "width": 16, "height": 12} for i in range(images)]
    annotations = [{"id": k, "image_id": 1, "category_id": 7, **a} for k, a in enumerate(annotations)]
    return write(root / name, {"images": listed, "annotations": annotations, "categories": categories})


def _packed(runs):
    """The packed form, written from its definition."""
    written = ""
    for i, value in enumerate(runs):
        x = value - runs[i - 2] if i > 2 else value
        more = True
        while more:
            digits = x & 0x1F
            x >>= 5
            more = x != -1 if digits & 0x10 else x != 0
            written += chr((digits | (0x20 if more else 0)) + 48)
    return written


def _inside(points, height, width):
    """Slow and plain: crossings to the right of each centre."""
    covered = np.zeros((height, width), bool)
    n = len(points)
    for row in range(height):
        for column in range(width):
            x, y = column + 0.5, row + 0.5
            for (xa, ya), (xb, yb) in zip(points, [*points[1:], points[0]], strict=True):
                if (ya <= y) != (yb <= y) and xa + (y - ya) / (yb - ya) * (xb - xa) > x:
                    covered[row, column] ^= True
    assert n > 2
    return covered


def test_polygons_are_filled_by_the_centres_of_pixels():
    rng = np.random.default_rng(0)
    for _ in range(60):
        points = np.round(rng.uniform(-3, 20, (rng.integers(3, 9), 2)), int(rng.integers(0, 3)))
        assert (fill_polygon(points, 12, 16) == _inside([tuple(p) for p in points], 12, 16)).all()


def test_packed_runs_are_read_as_they_were_written():
    rng = np.random.default_rng(1)
    for _ in range(60):
        runs = rng.integers(0, 5000, rng.integers(1, 20)).tolist()
        assert runs_of(_packed(runs)) == runs


@pytest.mark.parametrize("form", ["polygon", "runs", "packed"])
def test_objects_become_classes(tmp_path, form):
    covered = np.zeros((12, 16), bool)
    covered[1:5, 2:8] = True
    flat = covered.T.ravel().astype(int)
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *edges, len(flat)]).tolist()
    outline = {
        "polygon": SQUARE,
        "runs": {"size": [12, 16], "counts": runs},
        "packed": {"size": [12, 16], "counts": _packed(runs)},
    }[form]
    file = _file(tmp_path, [{"segmentation": outline}, {"segmentation": SQUARE, "image_id": 2, "category_id": 3}])
    examples, problems = read(file)
    assert examples.classes == ("background", "dog", "cat")
    assert (indices(examples, "images/0.jpg") == np.where(covered, "cat", "background")).all()
    assert (indices(examples, "images/1.jpg") == np.where(covered, "dog", "background")).all()
    assert not problems


def test_later_objects_lie_over_earlier_ones_and_crowds_are_ignored(tmp_path):
    over = [[4, 2, 12, 2, 12, 9, 4, 9]]
    crowd = {"size": [12, 16], "counts": [0, 12, 180]}  # the first column
    file = _file(
        tmp_path,
        [
            {"segmentation": SQUARE},
            {"segmentation": over, "category_id": 3},
            {"segmentation": crowd, "iscrowd": 1},
        ],
    )
    examples, problems = read(file)
    classes = indices(examples, "images/0.jpg")
    assert classes[3, 5] == "dog"
    assert classes[3, 3] == "cat"
    assert (classes[:, 0] == "").all()
    assert examples.target[0].ignored == 12
    assert problems["no-objects"].paths == ("1.jpg",)
    assert problems["ignored"].paths == ("0.jpg",)


@pytest.mark.parametrize(
    ("written", "crowd"), [(1, True), (True, True), ("1", True), (0, False), ("0", False), (None, False)]
)
def test_crowds_are_told_by_what_iscrowd_means(tmp_path, written, crowd):
    """ "0" in quotes is no crowd, as for boxes."""
    file = _file(tmp_path, [{"segmentation": SQUARE, "iscrowd": written}])
    examples, problems = read(file)
    assert ("ignored" in problems) == crowd
    assert indices(examples, "images/0.jpg")[3, 3] == ("" if crowd else "cat")


def test_folders_of_coco_with_parts(tmp_path):
    _file(
        tmp_path,
        [{"segmentation": SQUARE}, {"segmentation": SQUARE, "image_id": 2}],
        "annotations/instances_train2017.json",
    )
    paint(tmp_path / "images/9.jpg", 9)
    write(
        tmp_path / "annotations/instances_val2017.json",
        {
            "images": [{"id": 1, "file_name": "9.jpg", "width": 16, "height": 12}],
            "annotations": [{"image_id": 1, "category_id": 7, "segmentation": SQUARE}],
            "categories": CATEGORIES,
        },
    )
    write(tmp_path / "annotations/captions_val2017.json", {"images": [], "annotations": [{"caption": "a"}]})
    examples, _ = read(tmp_path)
    assert dict(zip(examples.path.tolist(), examples.part.tolist(), strict=True))["images/9.jpg"] == "test"
    assert len(examples) == 3


FLAWS = {
    "no such category": ({"category_id": 99, "segmentation": SQUARE}, "annotation", "0.jpg (annotation 2)"),
    "no such picture": ({"image_id": 99, "segmentation": SQUARE}, "annotation", "annotation 2"),
    "a box alone": ({"bbox": [1, 2, 3, 4]}, "annotation", "0.jpg (annotation 2)"),
    "two corners": ({"segmentation": [[1, 1, 2, 2]]}, "unreadable", "images/0.jpg"),
    "half a corner": ({"segmentation": [[1, 1, 2, 2, 3]]}, "unreadable", "images/0.jpg"),
    "runs of another size": ({"segmentation": {"size": [3, 4], "counts": [12]}}, "unreadable", "images/0.jpg"),
    "too few runs": ({"segmentation": {"size": [12, 16], "counts": [12, 3]}}, "unreadable", "images/0.jpg"),
    "not a number": ({"segmentation": [[1, 1, "a", 2, 3, 4]]}, "unreadable", "images/0.jpg"),
    "cut runs": ({"segmentation": {"size": [12, 16], "counts": "o"}}, "unreadable", "images/0.jpg"),
    "words": ({"segmentation": "all of it"}, "unreadable", "images/0.jpg"),
}


@pytest.mark.parametrize("name", FLAWS)
def test_flaws_are_named(tmp_path, name):
    annotation, kind, words = FLAWS[name]
    whole = [{"segmentation": SQUARE}, {"segmentation": SQUARE, "image_id": 2}]
    examples, problems = read(_file(tmp_path, [*whole, annotation]))
    assert any(words in path for path in problems[kind].paths)
    assert len(examples) == (1 if kind == "unreadable" else 2)


def test_pictures_that_do_not_exist_or_have_no_size(tmp_path):
    file = _file(tmp_path, [{"segmentation": SQUARE, "image_id": i + 1} for i in range(3)], images=3)
    (tmp_path / "images/1.jpg").unlink()
    examples, problems = read(file)
    assert problems["missing"].paths == ("1.jpg",)
    assert len(examples) == 2
    content = file.read_text().replace('"file_name": "2.jpg", "width": 16', '"file_name": "2.jpg", "width": null')
    file.write_text(content)
    examples, problems = read(file)
    assert problems["unreadable"].paths == ("images/2.jpg",)


def test_a_coco_file_is_recognised_and_the_task_can_be_said(tmp_path):
    file = _file(tmp_path, [{"segmentation": SQUARE}])
    assert recognise_task(file).task == "object-detection"


def test_a_polygon_without_a_list_around_it(tmp_path):
    examples, problems = read(_file(tmp_path, [{"segmentation": SQUARE[0]}]))
    assert (indices(examples, "images/0.jpg") == "cat").sum() == 24
    assert "unreadable" not in problems


def test_outlines_in_shares_of_the_picture_are_refused(tmp_path):
    """All of every picture would be background."""
    shares = [[x / (16, 12)[i % 2] for i, x in enumerate(SQUARE[0])]]
    _, problems = read(_file(tmp_path, [{"segmentation": shares}, {"segmentation": shares, "image_id": 2}]))
    assert problems["outline"].severity == "error"
    assert "outline" not in read(_file(tmp_path, [{"segmentation": shares}, {"segmentation": SQUARE}]))[1]


def _part(root, name, categories, category_id, picture):
    """A COCO file of one picture with one object."""
    paint(root / "images" / picture, len(picture) + category_id)
    annotation = {"id": 1, "image_id": 1, "category_id": category_id, "segmentation": SQUARE}
    image = {"id": 1, "file_name": picture, "width": 16, "height": 12}
    return write(root / name, {"images": [image], "annotations": [annotation], "categories": categories})


def test_files_that_number_their_categories_otherwise_mean_the_same_by_name(tmp_path):
    """The second file lists fewer categories, with other ids: its dogs were read as ants."""
    names = ("ant", "cat", "dog")
    _part(tmp_path, "annotations/train.json", [{"id": i, "name": n} for i, n in enumerate(names)], 2, "a.jpg")
    _part(tmp_path, "annotations/val.json", [{"id": 5, "name": "dog"}, {"id": 9, "name": "bee"}], 5, "b.jpg")
    examples, _ = read(tmp_path)
    assert set(np.unique(indices(examples, "images/a.jpg"))) == {"background", "dog"}
    assert set(np.unique(indices(examples, "images/b.jpg"))) == {"background", "dog"}


@pytest.mark.parametrize("empty", ["background", "Background"])
def test_a_test_file_with_other_categories_means_the_same_by_name(tmp_path, empty):
    train = _part(tmp_path / "a", "a.json", [{"id": 1, "name": "ant"}, {"id": 2, "name": "dog"}], 2, "a.jpg")
    given = [{"id": 1, "name": "dog"}, {"id": 2, "name": "elk"}, {"id": 3, "name": empty}]
    test = _part(tmp_path / "b", "b.json", given, 1, "b.jpg")
    examples, problems = read(train, test=str(test))
    assert set(np.unique(indices(examples, "b/images/b.jpg"))) == {"background", "dog"}
    assert "unknown-value" not in problems
    assert "unknown-class" not in problems


def test_a_class_that_is_ignored_in_training_is_ignored_in_a_test_file_too(tmp_path):
    train = _part(tmp_path / "a", "a.json", [{"id": 1, "name": "ant"}, {"id": 2, "name": "dog"}], 1, "a.jpg")
    test = _part(tmp_path / "b", "b.json", [{"id": 1, "name": "dog"}, {"id": 2, "name": "ant"}], 2, "b.jpg")
    examples, problems = read(train, test=str(test), ignore=["ant"])
    assert set(np.unique(indices(examples, "b/images/b.jpg"))) == {"background", ""}
    assert "unknown-class" not in problems


@pytest.mark.parametrize("side", ['"{}"', "{}.0"])
def test_sizes_are_read_as_programs_write_them(tmp_path, side):
    """ "640" and 640.0 are sizes as 640 is; such pictures were set aside as if no size were given."""
    file = _file(tmp_path, [{"segmentation": SQUARE}, {"segmentation": SQUARE, "image_id": 2}])
    written = file.read_text()
    for name, value in (("width", 16), ("height", 12)):
        written = written.replace(f'"{name}": {value}', f'"{name}": {side.format(value)}')
    file.write_text(written)
    examples, problems = read(file)
    assert "unreadable" not in problems
    assert (indices(examples, "images/0.jpg") == "cat").sum() == 24


def test_a_corner_that_no_number_holds_is_named(tmp_path):
    far = [[1, 1, 2, 2, 10**400, 4]]
    examples, problems = read(_file(tmp_path, [{"segmentation": far}, {"segmentation": SQUARE, "image_id": 2}]))
    assert len(examples) == 1
    assert "images/0.jpg" in problems["unreadable"].paths


def test_files_without_outlines_are_named(tmp_path):
    """The test part was passed over without a word."""
    _part(tmp_path, "annotations/train.json", CATEGORIES, 7, "a.jpg")
    file = _part(tmp_path, "annotations/val.json", CATEGORIES, 3, "b.jpg")
    file.write_text(file.read_text().replace('"segmentation"', '"bbox": [1, 1, 4, 4], "outline"'))
    examples, problems = read(tmp_path)
    assert examples.path.tolist() == ["images/a.jpg"]
    assert problems["other-files"].paths == ("annotations/val.json",)


def test_categories_without_a_pixel_are_named(tmp_path):
    examples, problems = read(_file(tmp_path, [{"segmentation": SQUARE}]))
    assert examples.classes == ("background", "cat")
    assert "Classes of coco.json without a pixel: 1 of 3: dog; left out." in problems["absent-class"].sentence.en
