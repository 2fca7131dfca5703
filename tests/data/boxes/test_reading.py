"""What four numbers are: told from names of columns and from pictures; asked where two readings are plausible, never guessed."""

from __future__ import annotations

import numpy as np
import pytest

from tests.data.boxes.box_files import SIZE, TRUTH, boxes_of, read, write_coco, write_csv, write_voc, write_yolo
from tests.data.masks.mask_files import paint, write
from weigh.data.boxes.reading import ORDERS, Convention, Reading, corners_of, settle_reading
from weigh.data.recognition.tasks import recognise_task
from weigh.errors import DataError
from weigh.tasks import OBJECT_DETECTION

H, W = SIZE
CONVERT = {
    "xyxy": lambda x, y, r, b: (x, y, r, b),
    "xywh": lambda x, y, r, b: (x, y, r - x, b - y),
    "cxcywh": lambda x, y, r, b: ((x + r) / 2, (y + b) / 2, r - x, b - y),
}


def _relative(convert):
    return lambda *box: tuple(v / s for v, s in zip(convert(*box), (W, H, W, H), strict=True))


FORMATS = {**CONVERT, **{f"relative-{name}": _relative(convert) for name, convert in CONVERT.items()}}
HEADERS = {
    "xyxy": ["xmin,ymin,xmax,ymax", "x1,y1,x2,y2", "x_min,y_min,x_max,y_max", "left,top,right,bottom", "x0,y0,x1,y1", "bbox_x1,bbox_y1,bbox_x2,bbox_y2", "XMin,YMin,XMax,YMax"],
    "xywh": ["x,y,w,h", "x,y,width,height", "xmin,ymin,w,h", "left,top,width,height", "bbox_x,bbox_y,bbox_w,bbox_h"],
    "cxcywh": ["cx,cy,w,h", "x_center,y_center,width,height", "x,y,w,h"],
}  # fmt: skip


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize(
    ("order", "header"), [(order, header) for order, headers in HEADERS.items() for header in headers]
)
def test_columns_are_told_by_their_names_and_the_pictures(tmp_path, order, header, relative):
    convert = FORMATS[f"relative-{order}" if relative else order]
    table = write_csv(tmp_path, header=f"path,label,{header}", convert=convert)
    assert recognise_task(table).task == OBJECT_DETECTION
    examples, problems = read(table)
    for picture, boxes in TRUTH.items():
        assert boxes_of(examples, picture) == sorted((c, *map(float, box)) for c, *box in boxes)
    assert all(p.severity == "note" for p in problems.values())
    assert header.split(",")[0] in problems["columns"].sentence.en


@pytest.mark.parametrize("name", FORMATS)
def test_four_numbers_in_one_cell(tmp_path, name):
    paint_rows = [(p, c, FORMATS[name](*b)) for p, boxes in TRUTH.items() for c, *b in boxes]
    write_csv(tmp_path)
    lines = [
        "image_id,class,bbox",
        *(f'images/{p}.png,{c},"[{", ".join(map(str, four))}]"' for p, c, four in paint_rows),
    ]
    examples, problems = read(write(tmp_path / "t.csv", "\n".join(lines)))
    for picture, boxes in TRUTH.items():
        assert boxes_of(examples, picture) == sorted((c, *map(float, box)) for c, *box in boxes)
    assert "no other reading fits" in problems["box-format"].sentence.en


MIDDLE = {str(i): [("cat", 20 + i, 14 + i, 24 + i, 18 + i)] for i in range(4)}  # fits whatever it means


@pytest.mark.parametrize("header", ["path,class,x,y,w,h", "path,class,a,b,c,d", None])
def test_two_plausible_readings_are_asked_about(tmp_path, header):
    table = write_csv(tmp_path, MIDDLE, header=header)
    more = {"columns": {"box": ["a", "b", "c", "d"]}} if header and ",a," in header else {}
    with pytest.raises(DataError) as caught:
        read(table, **more)
    assert "data.box_format=" in caught.value.do.en
    assert "xywh" in caught.value.what.en
    assert caught.value.what.zh != caught.value.what.en
    for name in ORDERS:
        examples, _ = read(table, box_format=name, **more)
        four = np.array([[20, 14, 24, 18]], float)
        expected = corners_of(four, Reading(name, relative=False), np.array([[W, H]]))[0]
        assert boxes_of(examples, "0") == [("cat", *np.clip(expected, 0, [W, H, W, H]).tolist())]


def test_no_plausible_reading_is_asked_about(tmp_path):
    wild = {str(i): [("cat", 500 * i + 90, 700, 40, 30)] for i in range(9)}
    with pytest.raises(DataError, match="no reading fits"):
        read(write_csv(tmp_path, wild, header="path,class,x,y,w,h"))


def test_a_test_table_is_read_as_the_training_table(tmp_path):
    train = write_csv(tmp_path / "a", header="path,class,x,y,w,h", convert=CONVERT["cxcywh"])
    renamed = {f"t{k}": v for k, v in MIDDLE.items()}
    test = write_csv(tmp_path / "b", renamed, header="path,class,x,y,w,h", convert=CONVERT["cxcywh"])
    examples, _ = read(train, test=str(test))
    assert boxes_of(examples, "t0") == [("cat", 20.0, 14.0, 24.0, 18.0)]


def _coco_of(order):
    def write_as(root):
        write_coco(root)
        file = root / "instances.json"
        content = file.read_text()
        for boxes in TRUTH.values():
            for _, *box in boxes:
                old, new = list(CONVERT["xywh"](*box)), list(FORMATS[order](*box))
                content = content.replace(f'"bbox": {old}', f'"bbox": {new}')
        write(file, content)
        return root

    return write_as


LYING = {
    "COCO of corners": (_coco_of("xyxy"), "xyxy"),
    "COCO of shares": (_coco_of("relative-xywh"), "relative-xywh"),
    "VOC of shares": (lambda root: write_voc(root, {p: [(c, *FORMATS["relative-xyxy"](*b)) for c, *b in boxes] for p, boxes in TRUTH.items()}), "relative-xyxy"),
    "YOLO of pixels": (lambda root: write_yolo(root, {p: [(c, x * W, y * H, r * W, b * H) for c, x, y, r, b in boxes] for p, boxes in TRUTH.items()}), "cxcywh"),
}  # fmt: skip


@pytest.mark.parametrize("name", LYING)
def test_numbers_that_are_not_what_their_layout_says(tmp_path, name):
    writer, reading = LYING[name]
    root = writer(tmp_path)
    if name == "YOLO of pixels":
        for file in (root / "labels").iterdir():
            rows = [[float(v) for v in line.split()] for line in file.read_text().splitlines()]
            write(file, "\n".join(" ".join([str(int(c)), *(f"{v:.4f}" for v in four)]) for c, *four in rows))
    examples, problems = read(root)
    assert problems["box-format"].severity == "warning"
    assert f"data.box_format={reading}" in problems["box-format"].do.en
    for picture, boxes in TRUTH.items():
        assert boxes_of(examples, picture) == sorted((c, *map(float, box)) for c, *box in boxes)
    asked, problems = read(root, box_format=reading)
    assert "box-format" not in problems
    assert [b.corners.tolist() for b in asked.target] == [b.corners.tolist() for b in examples.target]


def test_one_wild_number_makes_no_pixels_of_shares(tmp_path):
    many = {str(i): TRUTH[str(i % 4)] for i in range(16)}
    table = write_csv(tmp_path, many, convert=FORMATS["relative-xyxy"])
    write(table, table.read_text() + "images/0.png,cat,0.1,0.1,300,0.5\n")
    examples, problems = read(table)
    assert problems["clipped-box"].paths == (f"boxes.csv:{len(table.read_text().splitlines())}",)
    assert boxes_of(examples, "5") == sorted((c, *map(float, box)) for c, *box in TRUTH["1"])


def test_a_few_odd_boxes_do_not_decide():
    rng = np.random.default_rng(0)
    sizes = np.tile([640.0, 480.0], (400, 1))
    low = rng.uniform(0, 400, (400, 2))
    true = np.concatenate([low, rng.uniform(10, 80, (400, 2))], axis=1)
    true[:6] = [600, 10, 200, 20]  # wrongly drawn
    reading, _ = settle_reading(true, sizes, Convention("t.csv", ("xywh", "xyxy")), None)
    assert reading == Reading("xywh", relative=False)


TABLES = {
    "Open Images": "ImageID,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside",
    "TensorFlow": "filename,width,height,class,xmin,ymin,xmax,ymax",
    "RetinaNet": None,
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_others(tmp_path, name):
    write_csv(tmp_path)
    lines = [TABLES[name]] if TABLES[name] else []
    for p, boxes in TRUTH.items():
        for c, x, y, r, b in boxes:
            lines += {
                "Open Images": [f"{p},{c},1,{x / W},{r / W},{y / H},{b / H},0,0,{int(p == '0')},0,0"],
                "TensorFlow": [f"{p}.png,{W},{H},{c},{x},{y},{r},{b}"],
                "RetinaNet": [f"images/{p}.png,{x},{y},{r},{b},{c}"],
            }[name]
    table = write(tmp_path / "t.csv", "\n".join(lines) + "\n")
    assert recognise_task(table).task == OBJECT_DETECTION
    examples, problems = read(table)
    for picture, boxes in TRUTH.items():
        expected = sorted(
            ("" if examples.target[int(picture)].crowd.all() and c not in examples.classes else c, *map(float, box))
            for c, *box in boxes
        )
        assert boxes_of(examples, picture) == expected
    assert ("ignored" in problems) == (name == "Open Images")
    assert not [p for p in problems.values() if p.severity != "note"]


def test_a_table_with_a_row_for_each_picture_is_one_of_classes(tmp_path):
    table = write_csv(
        tmp_path, {str(i): [("cat", i, 0, 64, 48)] for i in range(4)}, header="path,label,xmin,ymin,xmax,ymax"
    )
    assert recognise_task(table).task == "image-classification"
    assert len(read(table)[0]) == 4  # read as boxes where that is asked for


def test_parts_groups_and_rows_without_a_box(tmp_path):
    for k in range(6):
        paint(tmp_path / f"{k}.png", k, SIZE)
    rows = [
        "path,label,xmin,ymin,xmax,ymax,split,site",
        "0.png,cat,0,0,9,9,train,a",
        "./0.png,dog,10,0,64,48,train,a",
        "1.png,No finding,,,,,train,b",
        "2.png,cat,0,0,20,20,test,a",
        "3.png,cat,0,0,64,20,train,b",
        "3.png,cat,0,20,64,48,val,b",
        "4.png,,1,1,5,5,train,c",
        "5.png,cat,,,,,train,c",
        ",cat,1,1,5,5,train,c",
    ]
    examples, problems = read(write(tmp_path / "t.csv", "\n".join(rows)), columns={"group": "site"})
    assert problems["torn-picture"].paths == ("3.png",)
    assert problems["missing"].paths == ("t.csv:10",)
    assert dict(zip(examples.path.tolist(), examples.part.tolist(), strict=True))["2.png"] == "test"
    assert len(boxes_of(examples, "0")) == 2
    assert set(problems["no-objects"].paths) == {"1.png", "5.png"}  # what is found in the box of no class is not wrong
    assert problems["box-numbers"].paths == ("t.csv:9",)
    assert boxes_of(examples, "4") == [("", 1.0, 1.0, 5.0, 5.0)]
    assert set(examples.group) == {"a", "b", "c"}


@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "parquet"])
def test_other_kinds_of_tables(tmp_path, suffix):
    import polars as pl

    write_csv(tmp_path)
    rows = [(f"images/{p}.png", c, [float(v) for v in b]) for p, boxes in TRUTH.items() for c, *b in boxes]
    frame = pl.DataFrame(rows, schema=["path", "label", "bbox"], orient="row")
    file = tmp_path / f"t.{suffix}"
    if suffix == "tsv":
        write(file, "path\tlabel\tbbox\n" + "\n".join(f"{p}\t{c}\t{' '.join(map(str, b))}" for p, c, b in rows))
    elif suffix == "jsonl":
        frame.write_ndjson(file)
    else:
        frame.write_parquet(file)
    examples, _ = read(file)
    for picture, boxes in TRUTH.items():
        assert boxes_of(examples, picture) == sorted((c, *map(float, box)) for c, *box in boxes)


ASKED = {
    "no such column": ({"columns": {"box": ["xmin", "ymin", "xmax", "oops"]}}, "oops"),
    "three columns": ({"columns": {"box": ["xmin", "ymin", "xmax"]}}, "3 columns"),
    "no such class": ({"columns": {"label": "kind"}}, "kind"),
}


@pytest.mark.parametrize("name", ASKED)
def test_columns_that_are_not_there(tmp_path, name):
    options, words = ASKED[name]
    with pytest.raises(DataError, match=words):
        read(write_csv(tmp_path, header="path,species,xmin,ymin,xmax,ymax"), **options)


def test_columns_of_width_and_height_may_be_those_of_each_box(tmp_path):
    """They were taken for the size of the picture, and every picture was set aside."""
    header = "path,class,xmin,ymin,xmax,ymax,width,height"
    table = write_csv(tmp_path, header=header, convert=lambda x, y, r, b: (x, y, r, b, r - x, b - y))
    examples, problems = read(table)
    assert {name: boxes_of(examples, name) for name in TRUTH} == {name: sorted(boxes) for name, boxes in TRUTH.items()}
    assert "box-size" not in problems
