"""Files of detections as strangers write them: what would make every score wrong is refused, what concerns some rows is named."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.data.boxes.box_files import write_yolo
from weigh.data.boxes.gold import Gold, read_gold
from weigh.errors import DataError
from weigh.record.predictions.detections import read_detections
from weigh.spec import DataSpec

NAMES = [f"p/{i:02}.jpg" for i in range(12)]
GOLD = Gold(
    "gold.json", NAMES, np.array([(480, 640)] * 12), {str(100 + 7 * i): i for i in range(12)}, {"1": 0, "3": 1, "90": 2}, ["cat", "dog", "toothbrush"],
)  # fmt: skip


def rows(n: int = 48) -> list[dict]:
    """Boxes all over the pictures, four in each."""
    rng = np.random.default_rng(0)
    made = []
    for i in range(n):
        w, h = rng.uniform(20, 150, 2)
        x, y = rng.uniform(0, 640 - w), rng.uniform(0, 480 - h)
        made.append(
            {
                "image_id": 100 + 7 * (i % 12),
                "category_id": (1, 3, 90)[i % 3],
                "bbox": [x, y, w, h],
                "score": (i + 1) / 50,
            }
        )
    return made


def read(tmp_path, content, gold=GOLD):
    path = tmp_path / "model.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return read_detections("model", path, gold)


def each(**changes):
    """All rows with some values changed."""
    return [{**row, **{k: f(row) if callable(f) else f for k, f in changes.items()}} for row in rows()]


def test_rows_become_detections_of_their_pictures(tmp_path):
    read_file = read(tmp_path, rows())
    assert not read_file.problems
    assert [len(answer.scores) for answer in read_file.answers] == [4] * 12
    first, answer = rows()[36], read_file.answers[0]  # of picture 0 the one with the highest score
    x, y, w, h = first["bbox"]
    np.testing.assert_allclose(answer.corners[0], (x, y, x + w, y + h))
    assert (answer.height, answer.width, answer.classes[0], answer.scores[0]) == (480, 640, 0, 37 / 50)


@pytest.mark.parametrize(
    "same",
    [
        lambda: {"annotations": rows(), "images": []},
        lambda: {"predictions": rows()},
        lambda: each(image_id=lambda r: str(r["image_id"])),
        lambda: each(image_id=lambda r: float(r["image_id"])),
        lambda: each(image_id=1, file_name=lambda r: NAMES[(r["image_id"] - 100) // 7]),
        lambda: each(image_id=1, file_name=lambda r: NAMES[(r["image_id"] - 100) // 7].removeprefix("p/")),
        lambda: each(image_id=1, file_name=lambda r: f"C:\\x\\p\\{(r['image_id'] - 100) // 7:02}.jpg"),
        lambda: each(category_id=7, category=lambda r: {1: "cat", 3: "dog", 90: "toothbrush"}[r["category_id"]]),
        lambda: each(id=1, area=3.0, iscrowd=0, segmentation=[]),
        lambda: each(score=lambda r: str(r["score"])),
    ],
)  # fmt: skip
def test_other_ways_to_write_the_same_are_read(tmp_path, same):
    expected, answers = read(tmp_path, rows()).answers, read(tmp_path, same()).answers
    for a, b in zip(expected, answers, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"a": 1}, "no list of detections"),
        ([1, 2], "no list of detections"),
        ([{"image_id": 100, "category_id": 1, "bbox": [0, 0, 5, 5]}], "detection 1 lacks score"),
        ([*rows(3), {"image_id": 100, "bbox": [0, 0, 5, 5], "score": 0.1}], "detection 4 lacks category_id"),
        (each(image_id=lambda r: r["image_id"] + 1), "none of its 48 detections belongs to a picture"),
        (each(category_id=lambda r: {1: 0, 3: 1, 90: 2}[r["category_id"]]), "counted or called otherwise"),
        (each(category_id=lambda r: r["category_id"] + 1000), "counted or called otherwise"),
        (each(category=lambda r: {1: "Cat", 3: "Dog", 90: "Brush"}[r["category_id"]]), "counted or called otherwise"),
        (each(file_name=lambda r: f"other/{(r['image_id'] - 100) // 7:02}.jpg"), "none of its 48 detections belongs to a picture"),
        (each(category_id=[1]), "counted or called otherwise"),
        (each(image_id={"a": 1}), "none of its 48 detections"),
        (each(score=lambda r: 100 * r["score"]), "(?s)scores are not between 0 and 1.*Divide them by 100"),
        (each(score=lambda r: 6 * r["score"] - 3), "(?s)scores are not between 0 and 1.*sigmoid"),
        (each(score=lambda r: 1.0001 * r["score"] / max(row["score"] for row in rows())), "(?s)not between 0 and 1.*Divide all of them by the greatest"),
        (each(score=lambda r: 500 * r["score"]), "(?s)not between 0 and 1.*Divide all of them by the greatest"),
        (each(score=None), "(?s)48 of 48 scores.*Give every detection a number"),
        (each(score="high"), "48 of 48 scores"),
        (each(score=True), "48 of 48 scores"),
        (each(score=float("nan")), "48 of 48 scores"),
        (each(bbox=lambda r: [*r["bbox"][:2], *(np.add(r["bbox"][:2], r["bbox"][2:]).tolist())]), "two corners"),
        (each(bbox=lambda r: [v / s for v, s in zip(r["bbox"], (640, 480) * 2, strict=True)]), "shares of the picture"),
        (each(bbox=lambda r: [4 * v for v in r["bbox"]]), "another size"),
    ],
)  # fmt: skip
def test_what_would_make_every_score_wrong_is_refused(tmp_path, content, told):
    with pytest.raises(DataError, match=told) as error:
        read(tmp_path, content)
    assert error.value.do


@pytest.mark.parametrize("shift", [-1, 1])
def test_ids_that_count_from_another_number_are_refused(tmp_path, shift):
    first = (1, 0)[shift > 0]
    gold = GOLD._replace(pictures={str(i + first): i for i in range(12)})
    moved = each(image_id=lambda row: (row["image_id"] - 100) // 7 + first + shift)
    with pytest.raises(DataError, match="image_id counts from another number") as caught:
        read(tmp_path, moved, gold)
    assert f"moved by {-shift:+d} all of them are" in caught.value.what.en
    read(tmp_path, each(image_id=lambda row: (row["image_id"] - 100) // 7 + first), gold)
    few = [row for row in moved if row["image_id"] in (first - 1, first + 1, first + 2, first + 12)]
    assert next(p.kind for p in read(tmp_path, few, gold).problems) == "other-pictures"


def test_a_picture_more_at_the_end_is_another_picture(tmp_path):
    gold = GOLD._replace(pictures={str(i + 1): i for i in range(12)})
    later = each(image_id=lambda row: (row["image_id"] - 100) // 7 + 2)  # nothing in the first, one more at the end
    assert next(p.kind for p in read(tmp_path, later, gold).problems) == "other-pictures"


def test_rows_that_are_odd_are_named_and_count(tmp_path):
    content = rows()
    content[0]["bbox"] = [1, 2, 3]
    content[1]["bbox"] = [1, 2, None, 4]
    content[2]["bbox"] = [5, 5, -3, 4]
    content[3]["bbox"] = [600, 5, 100, 40]
    content += [content[4], content[4], content[5]]
    content.append({**content[6], "image_id": 5})
    content.append({**content[6], "category_id": 4})
    read_file = read(tmp_path, content)
    told = {p.kind: p.numbers["detections"] for p in read_file.problems}
    assert told == {
        "other-pictures": 1, "unlabelled-class": 1, "broken-row": 2, "empty-box": 1, "beyond-picture": 1, "repeated-detection": 3,
    }  # fmt: skip
    assert sum(len(answer.scores) for answer in read_file.answers) == 48 + 3
    assert {p.kind: p.paths for p in read_file.problems}["broken-row"] == (NAMES[0], NAMES[1])
    assert all(p.sentence.zh != p.sentence.en for p in read_file.problems)


@pytest.mark.parametrize(("n", "severity"), [(1, "note"), (6, "warning")])
def test_pictures_without_detections_are_named(tmp_path, n, severity):
    (problem,) = read(tmp_path, [row for row in rows() if row["image_id"] >= 100 + 7 * n]).problems
    assert (problem.kind, problem.severity, problem.paths) == ("without-detections", severity, tuple(NAMES[:n]))


def test_nothing_at_all_is_a_model_that_found_nothing(tmp_path):
    read_file = read(tmp_path, [])
    assert [len(answer.scores) for answer in read_file.answers] == [0] * 12
    assert [p.kind for p in read_file.problems] == ["without-detections"]


def test_more_than_a_hundred_of_a_class_are_told(tmp_path):
    content = [{**row, "image_id": 100, "category_id": 1, "score": i / 200} for i, row in enumerate(rows(101))]
    problems = {p.kind: p for p in read(tmp_path, [*rows(), *content]).problems}
    assert problems["many-detections"].numbers == {"n": 1, "most": 100}


def test_a_detector_that_does_not_cut_boxes_at_the_edge_is_read(tmp_path):
    """A third of the boxes reach outside, their centres do not."""
    content = each(bbox=lambda r: r["bbox"] if r["score"] < 0.66 else [600, 100, 70, 90])
    assert [p.kind for p in read(tmp_path, content).problems] == ["beyond-picture"]


def test_without_sizes_nothing_is_concluded_from_where_boxes_lie(tmp_path):
    unknown = GOLD._replace(sizes=np.zeros((12, 2), dtype=np.int64))
    assert not read(tmp_path, each(bbox=lambda r: [4 * v for v in r["bbox"]]), unknown).problems


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("box", [[1e308] * 4, [0, 0, 1e12, 5], [-1e300, 0, 5, 5], [float("inf"), 0, 1, 1]])
def test_numbers_that_no_pixels_are_concern_their_rows_alone(tmp_path, box):
    content = rows()
    for i in (3, 20, 31, 40):
        content[i]["bbox"] = box
    (problem,) = read(tmp_path, content).problems
    assert (problem.kind, problem.numbers["detections"]) == ("broken-row", 4)


@pytest.mark.parametrize(
    "changes", [{"image_id": "00"}, {"file_name": "00.jpg"}, {"file_name": "c/02.jpg"}, {"file_name": "/x/c/02.jpg"}]
)
def test_a_name_that_several_pictures_have_is_refused(tmp_path, changes):
    """All boxes went to the last of these pictures."""
    names = ["a/00.jpg", "b/00.jpg", "c/02.jpg", "c/02.jpg", *NAMES[4:]]
    gold = GOLD._replace(file="gold", names=names, several=frozenset({"00"}))
    with pytest.raises(DataError, match="whose name several pictures of gold have"):
        read(tmp_path, [*rows(5)[4:], *each(**changes)[:4]], gold)
    answers = read(tmp_path, each(file_name="b/00.jpg")[:4], gold).answers
    assert [len(answer.scores) for answer in answers[:3]] == [0, 4, 0]


def test_of_a_folder_the_names_of_files_are_ids_where_one_picture_has_them(tmp_path):
    truth = {"a/1": [("cat", 0, 0, 12, 20)], "b/1": [("dog", 5, 5, 25, 45)], "b/002": [("cat", 0, 8, 10, 30)]}
    gold = read_gold(write_yolo(tmp_path, truth), DataSpec(train=str(tmp_path))).gold
    assert gold.several == {"1"}
    assert gold.names[gold.pictures["2"]] == gold.names[gold.pictures["002"]] == "images/b/002.png"
    assert gold.names[gold.pictures["images/a/1.png"]] == "images/a/1.png"
    assert "1" not in gold.pictures
