"""One set of boxes written in every layout, and read again."""

from __future__ import annotations

import numpy as np

from tests.data.masks.mask_files import paint, write
from weigh.data.pictures.index import read_images
from weigh.kinds.boxes import BOXES
from weigh.spec import DataSpec

__all__ = ["LAYOUTS", "SIZE", "TRUTH", "boxes_of", "paint_all", "read", "write_coco", "write_csv", "write_voc", "write_yolo"]  # fmt: skip

SIZE = (48, 64)  # height and width
NAMES = ("cat", "dog", "bird")
# picture -> boxes: class, left, top, right, bottom in pixels; corners touch the borders, so that one reading alone is plausible
TRUTH = {
    "0": [("cat", 0, 0, 12, 20), ("dog", 40, 30, 64, 48), ("dog", 2, 22, 30, 40)],
    "1": [("dog", 5, 5, 25, 45), ("bird", 50, 4, 60, 10)],
    "2": [("bird", 30, 20, 62, 46), ("cat", 0, 8, 10, 30)],
    "3": [("cat", 20, 10, 64, 34), ("bird", 1, 1, 9, 9)],
}


def paint_all(root, truth=TRUTH, folder="images"):
    for seed, name in enumerate(truth):
        paint(root / folder / f"{name}.png", seed, SIZE)


def write_coco(root, truth=TRUTH, names=NAMES, file="instances.json", first=1, **more):
    """A COCO file; ids count from `first` in steps of 3; `more` is put into every annotation."""
    ids = {name: first + 3 * i for i, name in enumerate(names)}
    paint_all(root, truth)
    rows = [(picture, box) for picture, boxes in truth.items() for box in boxes]
    pictures = list(truth)
    content = {
        "images": [{"id": 10 * i, "file_name": f"{p}.png", "width": SIZE[1], "height": SIZE[0]} for i, p in enumerate(pictures)],
        "annotations": [
            {"id": k, "image_id": 10 * pictures.index(p), "category_id": ids[c], "bbox": [x, y, r - x, b - y], **more}
            for k, (p, (c, x, y, r, b)) in enumerate(rows)
        ],
        "categories": [{"id": i, "name": name} for name, i in ids.items()],
    }  # fmt: skip
    write(root / file, content)
    return root


def write_voc(root, truth=TRUTH, *, origin=0, pictures="JPEGImages", labels="Annotations", size=SIZE, flags=""):
    paint_all(root, truth, pictures)
    for name, boxes in truth.items():
        objects = "".join(
            f"\n<object><name>{c}</name>{flags}<bndbox><xmin>{x + origin}</xmin><ymin>{y + origin}</ymin><xmax>{r}</xmax><ymax>{b}</ymax></bndbox></object>"
            for c, x, y, r, b in boxes
        )
        stated = f"<size><width>{size[1]}</width><height>{size[0]}</height><depth>3</depth></size>" if size else ""
        write(root / labels / f"{name}.xml", f"<annotation>{stated}{objects}\n</annotation>")
    return root


def write_yolo(root, truth=TRUTH, names=NAMES, *, pictures="images", labels="labels", file="data.yaml"):
    paint_all(root, truth, pictures)
    scale = np.array([SIZE[1], SIZE[0]])
    for name, boxes in truth.items():
        lines = []
        for c, x, y, r, b in boxes:
            low, high = np.array([x, y], float) / scale, np.array([r, b], float) / scale
            four = [*((low + high) / 2), *(high - low)]
            lines.append(" ".join([str(names.index(c)), *(f"{v:.8f}" for v in four)]))
        write(root / labels / f"{name}.txt", "\n".join(lines) + "\n" * bool(lines))
    if file:
        write(root / file, "names: [" + ", ".join(names) + "]\n")
    return root


def write_csv(root, truth=TRUTH, *, header="path,class,xmin,ymin,xmax,ymax", convert=lambda *b: b, file="boxes.csv"):
    paint_all(root, truth)
    lines = [header] if header else []
    for name, boxes in truth.items():
        lines += [",".join(map(str, (f"images/{name}.png", c, *convert(*box)))) for c, *box in boxes]
        lines += [] if boxes else [f"images/{name}.png,,,,,"]
    return write(root / file, "\n".join(lines) + "\n")


LAYOUTS = {"COCO": write_coco, "VOC": write_voc, "YOLO": write_yolo, "CSV": write_csv}


def read(train, **options):
    """Examples, and problems by kind."""
    examples, problems = read_images(DataSpec(train=str(train), **options), [BOXES], offline=True)
    assert len(set(examples.path.tolist())) == len(examples)
    assert all((examples.root / p).is_file() for p in examples.path.tolist())
    for problem in problems:
        assert problem.sentence.zh != problem.sentence.en
        assert "{" not in problem.sentence.en + problem.sentence.zh
    for boxes in examples.target:
        assert np.isfinite(boxes.corners).all()
        assert (boxes.corners[:, 2:] > boxes.corners[:, :2]).all()
        assert (boxes.corners >= 0).all()
        assert (boxes.corners[:, 2:] <= [boxes.width, boxes.height]).all()
    return examples, {p.kind: p for p in problems}


def boxes_of(examples, picture):
    """`(class, left, top, right, bottom)` of a picture, sorted, rounded; "" is of no class, which is ignored."""
    i = next(i for i, path in enumerate(examples.path.tolist()) if path.rsplit("/")[-1].split(".")[0] == picture)
    boxes = examples.target[i]
    names = [examples.classes[c] if c >= 0 else "" for c in boxes.classes]
    return sorted((n, *np.round(c, 3).tolist()) for n, c in zip(names, boxes.corners, strict=True))
