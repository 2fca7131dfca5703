"""Boxes of Pascal VOC: an XML file for each picture, in Annotations/ or beside the pictures; ImageSets/Main says the parts.

Before it: a folder. After it: `index.py`. Corners in pixels, of which the last lies inside; VOC counts from 1 (`reading.settle_origin`). What is marked
as difficult is ignored in training and in scores, as the VOC challenge ignores it; what is truncated is an object like any other.
"""

from __future__ import annotations

from pathlib import Path

from weigh.data.boxes.files import list_labelled, listed_in, match_files, unreadable_labels
from weigh.data.boxes.reading import Convention
from weigh.data.boxes.written import BoxesBuilder, BoxListing, Nameless, WrittenBoxes, as_side
from weigh.data.boxes.xml_file import Element, read_xml
from weigh.data.names import compose
from weigh.data.tables.text_encoding import encoding_problem
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.problem import Problem

__all__ = ["is_voc_file", "list_voc"]

SIDES = ("xmin", "ymin", "xmax", "ymax")
CALLED = text("an XML file", " XML 文件")


def is_voc_file(path: Path) -> bool:
    """Whether a file is an annotation of Pascal VOC."""
    try:
        return read_xml(path)[0].name == "annotation"
    except DataError:
        return False


def list_voc(folder: Path, encoding: str | None = None, *, without: Path | None = None) -> BoxListing:
    """Pictures below a folder and the boxes of their XML files.

    Args:
        encoding: What the user says that they are written in.
        without: A folder inside that is not looked at.
    """
    lists = listed_in(folder)
    files = match_files(folder, ".xml", lists, without=without)
    do = text(
        "A picture without objects has an XML file without <object>.",
        "没有目标的图片也应有一个不含 <object> 的 XML 文件。",
    )
    listing = list_labelled(folder, files, lists.twice, called=CALLED, do=do)
    boxes: list[WrittenBoxes] = []
    failed: dict[str, Text] = {}
    encodings: dict[str, str] = {}
    difficult: list[str] = []
    keep = []
    for row, (_, labels) in enumerate(files.pairs):
        try:
            top, encodings[labels.path] = read_xml(folder / labels.path, encoding)
            written = _written(top, folder, labels.path)
        except DataError as error:
            failed[labels.path] = error.what
            continue
        keep.append(row)
        boxes.append(written)
        difficult += [mark for mark, ignored in zip(written.marks, written.ignored, strict=True) if ignored]
    listing.keep(keep)
    xml_files = text("XML files", "XML 文件")
    listing.problems += unreadable_labels(xml_files, failed, len(files.pairs)) + _difficult(difficult)
    listing.problems += encoding_problem(encodings)
    nameless = Nameless(
        text("<name> is empty", "<name> 为空"), text("Write <name> in these objects.", "请在这些目标中写上 <name>。")
    )
    return BoxListing(listing, boxes, Convention("Pascal VOC", ("xyxy",), relative=False, origin=1), nameless)


def _written(top: Element, folder: Path, file: str) -> WrittenBoxes:
    if top.name != "annotation":
        raise DataError(
            text("{p} holds <{n}> instead of <annotation>.", "{p} 中是 <{n}>，而不是 <annotation>。", p=folder / file, n=top.name)
        )  # fmt: skip
    written = BoxesBuilder()
    size_element = top.first("size") or Element("size", 0)
    width, height = as_side(size_element.value("width")), as_side(size_element.value("height"))
    written.size = (width, height) if width and height else None
    for item in top.all("object"):
        name = " ".join(compose(item.value("name")).split())
        box = item.first("bndbox")
        numbers = [] if box is None else [box.value(side) for side in SIDES]
        line = item.line if box is None else box.line
        written.add(f"{file}:{line}", name or None, numbers, ignored=item.value("difficult") in ("1", "true", "True"))
    return written.build()


def _difficult(marks: list[str]) -> list[Problem]:
    if not marks:
        return []
    sentence = text(
        "Boxes marked as difficult: {n} (first: {f}); neither trained on nor scored, as in the VOC challenge.",
        "标为“difficult”的框：{n} 个（第一个：{f}）；与 VOC 竞赛一样，既不用于训练，也不计分。",
        n=len(marks),
        f=marks[0],
    )
    do = text(
        "If they should count, set <difficult> to 0 in these files.", "若应计入，请在这些文件中把 <difficult> 设为 0。"
    )
    return [Problem("difficult", sentence, tuple(marks), severity="note", do=do, numbers={"n": len(marks)})]
