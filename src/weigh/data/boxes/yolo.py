"""Boxes of YOLO: a text file for each picture, a line for each box: number of the class, centre, width and height as shares of the picture.

Before it: a folder with images/ and labels/, or with both side by side, or its data.yaml. After it: `index.py`. An empty file is a picture without
objects; where there is no file, nobody knows. Lines may hold outlines (their extent is taken) or more numbers behind the box (not read).
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from weigh.data.boxes.files import LabelFiles, list_labelled, match_files, unreadable_labels
from weigh.data.boxes.reading import Convention
from weigh.data.boxes.written import BoxesBuilder, BoxListing, Nameless, WrittenBoxes, as_number
from weigh.data.boxes.yolo_parts import Parts, YamlFile, listed_parts
from weigh.data.names import compose
from weigh.data.pictures.class_table import class_table, shifted_numbers
from weigh.data.pictures.pairing import place_file
from weigh.data.tables.text_encoding import decode, split_lines
from weigh.errors import DataError
from weigh.files import read_file
from weigh.language import first_names, text
from weigh.problem import Problem
from weigh.spec import DataSpec

__all__ = ["is_yolo_file", "list_yolo"]

NAMES = ("classes.txt", "obj.names", "names.txt", "labels.txt", "class_names.txt", "predefined_classes.txt", "classes.json")  # fmt: skip
NO_LABELS = (*NAMES, "train.txt", "val.txt", "valid.txt", "test.txt", "trainval.txt", "requirements.txt")
CALLED = text("a file of labels (.txt)", "标注文件（.txt）")
RENUMBER = text(
    'Correct the numbers. If they count from 1: --set "data.classes={1: a, 2: b}" (every number, with its name)',
    '请更正编号。若编号从 1 开始：--set "data.classes={1: a, 2: b}"（写出每个编号及其名称）',
)
LOOKED_AT = 20  # lines that show what a file is
LONGEST = 10  # digits of the number of a class
NUMBER = re.compile(r"\d+(?:\.0*)?")


def is_yolo_file(path: Path) -> bool:
    """Whether every first line of a file is the number of a class and at least four numbers."""
    try:
        raw = read_file(path, head=4096)
    except DataError:
        return False
    decoded = decode(raw)
    lines = split_lines(decoded.content)[:LOOKED_AT] if decoded else []
    lines = lines[:-1] if len(raw) == 4096 else lines
    rows = [line.split() for line in lines if line.strip()]
    return bool(rows) and all(len(r) >= 5 and NUMBER.fullmatch(r[0]) and _are_numbers(r[1:]) for r in rows)


def _are_numbers(cells: list[str]) -> bool:
    return all(as_number(cell) == as_number(cell) for cell in cells)


def list_yolo(folder: Path, spec: DataSpec, yaml: YamlFile | None = None, *, without: Path | None = None) -> BoxListing:
    """Pictures below a folder and the boxes of their files of labels.

    Args:
        yaml: Says the classes and the parts, where there is such a file.
        without: A folder inside that is not looked at.

    Raises:
        DataError: The names of classes that were asked for cannot be read.
    """
    files = match_files(folder, ".txt", without=without, ignored=NO_LABELS)
    lonely = [f for f in files.labels if place_file(f.path)[1] == "labels" or is_yolo_file(folder / f.path)]
    files = files._replace(labels=lonely)
    parts = listed_parts(folder, yaml)
    files = _placed(files, parts)
    bare = _bare_parts(folder, parts, files, without)
    empty = text(
        "If they hold no objects, give each an empty file of that name.",
        "若其中没有目标，请为每张图片建一个同名的空文件。",
    )
    listing = list_labelled(folder, files, [], called=CALLED, do=empty)
    listing.problems += parts.problems + bare
    names = _names(folder, spec, yaml, files)
    listing.classes = tuple(dict.fromkeys(names.values()))
    boxes, failed, further = [], {}, []
    used: Counter[str] = Counter()
    for _, labels in files.pairs:
        try:
            written = _read(folder, labels.path, names, further, used, keypoints=bool(yaml and yaml.keypoints))
        except DataError as error:
            failed[labels.path] = error.what
            written = BoxesBuilder().build()
        boxes.append(written)
    keep = [i for i, (_, labels) in enumerate(files.pairs) if labels.path not in failed]
    convention = Convention("YOLO", ("cxcywh",), relative=True)
    listed = BoxListing(
        listing, boxes, convention, _nameless(names), {str(_source(folder, yaml)): names}, numbered=True
    )
    listed.keep(keep)
    listing.problems += shifted_numbers(used, names, text("labels", "标注"), RENUMBER) if names else []
    label_files = text("Files of labels", "标注文件")
    listing.problems += unreadable_labels(label_files, failed, len(files.pairs))
    listing.problems += _unnamed(names, boxes) + _further(further)
    return listed


def _source(folder: Path, yaml: YamlFile | None) -> Path:
    return yaml.path if yaml else folder / NAMES[0]


def _placed(files: LabelFiles, parts: Parts) -> LabelFiles:
    """Pairs with the part that lists or data.yaml say; what these leave out is not used."""
    pairs, unlisted = [], []
    for picture, labels in files.pairs:
        part = parts.of(picture.path) or picture.part or labels.part
        if part or not parts.known:
            pairs.append((picture._replace(part=part), labels))
        else:
            unlisted.append(picture.path)
    return files._replace(pairs=pairs, unlisted=unlisted)


def _bare_parts(folder: Path, parts: Parts, files: LabelFiles, without: Path | None) -> list[Problem]:
    """Folders that are named as a part and hold no picture with labels; what lies in `without` is read by itself, as data.test."""
    places = {os.path.dirname(picture.path) or "." for picture, _ in files.pairs}
    folders_with_pictures = places | {str(above) for place in places for above in PurePosixPath(place).parents}
    bare = [
        f"{part}: {named}"
        for named, part in parts.folders.items()
        if named not in folders_with_pictures and not (without is not None and _overlap(folder / named, without))
    ]
    if not bare:
        return []
    sentence = text(
        "Parts without a picture that has labels: {l}; not used.", "没有带标注图片的部分：{l}，未使用。", l=", ".join(bare)
    )  # fmt: skip
    do = text("Put pictures and their files of labels there, or delete the part.", "请放入图片及其标注文件，或删除该部分。")  # fmt: skip
    return [Problem("empty-part", sentence, tuple(bare), do=do, numbers={"n": len(bare)})]


def _overlap(a: Path, b: Path) -> bool:
    """Whether one of two folders lies in the other."""
    a, b = a.resolve(), b.resolve()
    return a.is_relative_to(b) or b.is_relative_to(a)


def _names(folder: Path, spec: DataSpec, yaml: YamlFile | None, files: LabelFiles) -> dict[str, str]:
    """Number of a class, as text, -> its name; empty where nothing says it."""
    inside = dict.fromkeys(os.path.dirname(labels.path) for _, labels in files.pairs)
    folders = [folder, *(folder / place for place in inside), folder.parent]
    source_of_names = spec.classes if spec.classes is not None else str(yaml.path) if yaml and yaml.named else None
    table = class_table(source_of_names, folders, NAMES)
    if table is None:
        return {}
    named = [
        (i if e.value is None else e.value, " ".join(compose(e.name).split())) for i, e in enumerate(table.entries)
    ]
    return {str(number): name for number, name in sorted(named)}


def _read(
    folder: Path, file: str, names: dict[str, str], further: list[str], used: Counter[str], *, keypoints: bool
) -> WrittenBoxes:
    """The boxes of one file; marks of lines with more than a box are added to `further`, and numbers of classes counted in `used`."""
    decoded = decode(read_file(folder / file))
    if decoded is None:
        raise DataError(text("{p} is not a file of text.", "{p} 不是文本文件。", p=folder / file))
    written = BoxesBuilder()
    for number, cells in _rows(decoded.content):
        mark = f"{file}:{number}"
        code = cells[0].split(".")[0] if NUMBER.fullmatch(cells[0]) else ""
        key = str(int(code)) if 0 < len(code) < LONGEST else None
        used.update([key] if key is not None else [])
        name = names.get(key) if names and key is not None else key
        outline = len(cells) >= 7 and len(cells) % 2 == 1 and not keypoints
        numbers = _extent(cells[1:]) if outline else cells[1:5]
        if len(cells) > 5:
            further.append(mark)
        written.add(mark, name, numbers)
    return written.build()


def _rows(content: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(split_lines(content), 1):
        if cells := line.split():
            yield number, cells


def _extent(cells: list[str]) -> list[float]:
    """Centre, width and height of an outline."""
    numbers = [as_number(cell) for cell in cells]
    across, down = numbers[::2], numbers[1::2]
    if any(n != n for n in numbers):
        return [float("nan")] * 4
    left, top, right, bottom = min(across), min(down), max(across), max(down)
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def _nameless(names: dict[str, str]) -> Nameless:
    if not names:
        return Nameless(
            text("their lines do not begin with the number of a class", "其行首不是类别编号"),
            text("Begin these lines with the number of the class.", "请在这些行首写上类别编号。"),
        )
    numbers = sorted(map(int, names))
    return Nameless(
        text(
            "there are {k} names, {a} to {b}",
            "共有 {k} 个名称，编号 {a} 至 {b}",
            k=len(names),
            a=numbers[0],
            b=numbers[-1],
        ),
        text(
            "Correct these numbers, or the list of names: --set data.classes=FILE",
            "请更正这些编号，或更正名称列表：--set data.classes=文件",
        ),
    )


# Problems -----------------------------------------------------------------------------------------------------------


def _unnamed(names: dict[str, str], boxes: list[WrittenBoxes]) -> list[Problem]:
    if not names:
        used = sorted({name for written in boxes for name in written.names if name}, key=int)
        sentence = text(
            "Nothing names the classes; their numbers are used: {n} ({l}).",
            "没有文件给出类别名称，因此直接使用编号：{n} 个（{l}）。",
            n=len(used),
            l=first_names(used, 10),
        )
        do = text(
            "Add data.yaml or classes.txt, or: --set 'data.classes=[first,second]'",
            "请添加 data.yaml 或 classes.txt，或：--set 'data.classes=[第一类,第二类]'",
        )
        return [Problem("class-index", sentence, severity="note", do=do, numbers={"n": len(used)})]
    return []


def _further(marks: list[str]) -> list[Problem]:
    if not marks:
        return []
    sentence = text(
        "Lines with more than a class and a box: {n} (first: {f}); of outlines the extent is taken, further numbers are not read.",
        "除类别与框之外还有其他数字的行：{n} 行（第一行：{f}）；轮廓取其外接框，其余数字不读取。",
        n=len(marks),
        f=marks[0],
    )
    return [Problem("further-numbers", sentence, tuple(marks), severity="note", numbers={"n": len(marks)})]
