"""Boxes of a table: a row for each box, with its picture, its class and four numbers; rows of one picture become one example.

Before it: CSV, TSV, Parquet or JSON lines. After it: `index.py`. A row whose numbers are empty is a picture without objects.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from weigh.data.boxes.columns import BoxColumns, box_columns, label_column, picture_size_columns, read_four
from weigh.data.boxes.reading import Convention
from weigh.data.boxes.written import BoxesBuilder, BoxListing, Nameless, as_side
from weigh.data.names import compose
from weigh.data.pictures.tables import list_columns, picture_columns
from weigh.data.rows.columns import columns_note, line_problems, nearest_columns, require_column, split_column
from weigh.data.rows.listing import Listing, set_aside
from weigh.data.rows.paths import Resolver
from weigh.data.tables.cells import Columns
from weigh.data.tables.table_files import TableFile, read_table
from weigh.data.tables.text_encoding import encoding_problem
from weigh.errors import DataError
from weigh.language import join_texts, text
from weigh.problem import Problem
from weigh.spec import DataSpec

__all__ = ["list_table_boxes"]

MARKED = ("isgroupof", "iscrowd", "is_crowd", "crowd", "difficult", "ignore")  # columns of what is no single object
TRUE = ("1", "true", "yes", "1.0")
NO_NAME = "object"  # of the only class, where no column names any
UNUSED = "(boxes)"  # stands where a table of pictures has its labels


def list_table_boxes(path: Path, spec: DataSpec, root: Path | None) -> BoxListing:
    """Pictures of a table and their boxes.

    Raises:
        DataError: It cannot be read, or which column is which cannot be told.
    """
    read = read_table(path, wanted=(spec.columns.path, spec.columns.label, *(spec.columns.box or ())), encoding=spec.encoding)  # fmt: skip
    cells = read.columns
    box, pictures, label = _columns(cells, path, spec)
    root = Path(os.path.abspath(root or path.parent))
    rows_of = _rows_by_picture(cells[pictures], root, path)
    nowhere = [f"{path.name}:{read.lines[row]}" for row in rows_of.pop("", ())]
    listing = _pictures(cells, rows_of, path, spec, root, pictures, (*box.names, label))
    rows_by_number = list(rows_of.values())
    rows_by_picture = [rows_by_number[number] for number in listing.order]
    empty = _empty_marks(cells, box, label)
    sizes = _picture_sizes(cells, box, rows_by_picture)
    marked = [name for name in cells if name.casefold() in MARKED]
    boxes = []
    for rows in rows_by_picture:
        written = BoxesBuilder()
        if sizes is not None:
            width, height = (as_side(cells[name][rows[0]]) for name in sizes)
            written.size = (width, height) if width and height else None
        for row in rows:
            name = (cells[label][row] or "").strip() if label else NO_NAME
            numbers = read_four(cells, box, row)
            if not any(numbers) and (not label or name in empty):
                continue
            ignored = any((cells[column][row] or "").casefold() in TRUE for column in marked)
            mark = f"{path.name}:{read.lines[row]}"
            written.add(mark, " ".join(compose(name).split()) or None, numbers, ignored=ignored)
        boxes.append(written.build())
    listing.problems += _nowhere(nowhere, len(read.lines))
    listing.problems += _read_as(read, box, pictures, label, spec, listing)
    if marked:
        listing.problems += _ignored(marked, [m for w in boxes for m, i in zip(w.marks, w.ignored, strict=True) if i])
    nameless = Nameless(
        text("their cell is empty", "其单元格为空"), text("Fill in the class in these rows.", "请在这些行中填上类别。")
    )
    return BoxListing(listing, boxes, Convention(path.name, box.orders), nameless)


def _columns(cells: Columns, table: Path, spec: DataSpec) -> tuple[BoxColumns, str, str | None]:
    """Columns of the numbers, of the pictures and of the classes.

    Raises:
        DataError: One of the first two is not there.
    """
    named_columns = spec.columns.box
    absent = [name for name in named_columns or () if name not in cells]
    if absent or (named_columns and len(named_columns) not in (1, 4)):
        raise DataError(
            text("data.columns.box: {t} has no column '{n}'.", "data.columns.box：{t} 中没有“{n}”列。", t=table, n=absent[0]) + nearest_columns(absent[0], list(cells))
            if absent
            else text("data.columns.box names {n} {n:|column|columns}; a box has four numbers.", "data.columns.box 指定了 {n} 列；一个框有四个数。", n=len(named_columns or ())),
            do=text("Name four columns, or one that holds all four: --set 'data.columns.box=[xmin,ymin,xmax,ymax]'", "请指定四列，或同时包含四个数的一列：--set 'data.columns.box=[xmin,ymin,xmax,ymax]'"),
        )  # fmt: skip
    box = box_columns(cells, named_columns)
    if box is None:
        raise DataError(
            text("{t}: which columns hold the boxes cannot be told.", "{t}：无法判断哪些列是框。", t=table)
            + text("Columns found: {c}.", "找到的列：{c}。", c=", ".join(cells) or "–"),
            do=text(
                "Name them in their order: --set 'data.columns.box=[xmin,ymin,xmax,ymax]'",
                "请按顺序指明：--set 'data.columns.box=[xmin,ymin,xmax,ymax]'",
            ),
        )
    require_column("path", None if spec.columns.path == "path" else spec.columns.path, list(cells), table)
    named = [name for name in picture_columns(cells, table) if name not in box.names]
    pictures = spec.columns.path if spec.columns.path in cells else next(iter(named), None)
    if pictures is None:
        raise DataError(
            text("{t}: which column names the pictures cannot be told.", "{t}：无法判断哪一列是图片。", t=table)
            + nearest_columns(spec.columns.path, list(cells)),
            do=text(
                "Name it, and the folder that holds the pictures: --set data.columns.path=NAME --set data.root=FOLDER",
                "请指明该列以及存放图片的文件夹：--set data.columns.path=列名 --set data.root=文件夹",
            ),
        )
    label = label_column(cells, spec.columns.label, (*box.names, pictures))
    if label != spec.columns.label != "label":
        raise DataError(
            text("data.columns.label: {t} has no column '{n}'.", "data.columns.label：{t} 中没有“{n}”列。", t=table, n=spec.columns.label)
            + nearest_columns(spec.columns.label, list(cells)),
            do=text("Name the column of classes: --set data.columns.label=NAME", "请指明类别列：--set data.columns.label=列名"),
        )  # fmt: skip
    return box, pictures, label


def _rows_by_picture(written: Sequence[str | None], root: Path, table: Path) -> dict[str, list[int]]:
    """Rows of each picture, by the first way in which its path is written."""
    names = [(name or "").strip() for name in written]
    resolver = Resolver(root, list(dict.fromkeys(name for name in names if name)), beside=table.parent)
    places: dict[str, str] = {}
    first: dict[str, str] = {}
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        if name not in places:
            place = resolver.find(name).path or name
            places[name] = first.setdefault(place, name)
        rows.setdefault(places[name], []).append(row)
    return rows


def _pictures(
    cells: Columns, rows_of: dict[str, list[int]], table: Path, spec: DataSpec, root: Path, pictures: str,
    used: Sequence[str | None],
) -> Listing:  # fmt: skip
    """A row for each picture that exists, with part, group and metadata; those whose rows contradict each other are set aside."""
    columns = spec.columns
    split = split_column(cells, columns)
    torn = [
        name
        for name, rows in rows_of.items()
        if any(len({cells[c][r] for r in rows}) > 1 for c in (split, columns.group) if c is not None and c in cells)
    ]
    one_value = [
        c
        for c in cells
        if c not in (pictures, *used) and (c in (split, columns.group) or _constant(cells[c], rows_of.values()))
    ]
    of_pictures: Columns = {pictures: list(rows_of)}
    of_pictures |= {c: [cells[c][rows[0]] for rows in rows_of.values()] for c in one_value}
    of_pictures[UNUSED] = [UNUSED] * len(rows_of)
    chosen = columns.model_copy(update={"path": pictures, "label": UNUSED})
    listing = list_columns(of_pictures, table, columns=chosen, root=root, separator=None)
    listing.label = [""] * len(listing)
    if torn:
        names, apart = list(rows_of), set(torn)
        keep = [i for i, number in enumerate(listing.order) if names[number] not in apart]
        sentence = text(
            "Pictures whose rows name several parts or groups: {n} (first: {f}); set aside.",
            "各行所属部分或组不一致的图片：{n} 张（第一张：{f}），已搁置。",
            n=len(torn),
            f=torn[0],
        )
        listing.keep(keep)
        do = text("Let all rows of a picture say the same.", "请让同一图片的各行保持一致。")
        listing.problems.append(set_aside("torn-picture", sentence, torn, do))
    return listing


def _picture_sizes(cells: Columns, box: BoxColumns, rows_by_picture: Sequence[Sequence[int]]) -> tuple[str, str] | None:
    """Columns of the size of the picture; None where "width" and "height" are those of each box: they differ within most pictures."""
    sizes = picture_size_columns(cells, box)
    several = [rows for rows in rows_by_picture if len(rows) > 1]
    differ = sum(not all(_constant(cells[name], [rows]) for name in sizes or ()) for rows in several)
    return None if differ * 2 > len(several) else sizes


def _nowhere(marks: list[str], rows: int) -> list[Problem]:
    if not marks:
        return []
    sentence = text(
        "Rows that name no picture: {n} of {t} (first: {f}); set aside.",
        "{t} 行中有 {n} 行没有写明图片（第一行：{f}），已搁置。",
        n=len(marks),
        t=rows,
        f=marks[0],
    )
    return [set_aside("missing", sentence, marks, more={"rows": rows})]


def _constant(column: Sequence[str | None], groups) -> bool:
    return all(len({column[row] for row in rows}) == 1 for rows in groups)


def _empty_marks(cells: Columns, box: BoxColumns, label: str | None) -> set[str]:
    """Labels that never have a box ("", "No finding"): their rows are pictures without objects."""
    if label is None:
        return {""}
    names = [(name or "").strip() for name in cells[label]]
    with_box = {name for row, name in enumerate(names) if any(read_four(cells, box, row))}
    return {"", *(set(names) - with_box)}


def _read_as(
    read: TableFile, box: BoxColumns, pictures: str, label: str | None, spec: DataSpec, listing: Listing
) -> list[Problem]:
    split = split_column(read.columns, spec.columns)
    used = {*box.names, pictures, label, split, spec.columns.group, "split", *listing.columns}
    sentence = text(
        "Read as boxes (pictures: {p}; classes: {l}; numbers: {b}).",
        "按框读取（图片：{p}；类别：{l}；数值：{b}）。",
        p=pictures,
        l=label or text("none, so all are of one class", "无，因此全部属于同一类别"),
        b=", ".join(box.names),
    )
    do = text(
        "If that is wrong: --set data.columns.path=NAME --set data.columns.label=NAME --set 'data.columns.box=[xmin,ymin,xmax,ymax]'",
        "如有误：--set data.columns.path=列名 --set data.columns.label=列名 --set 'data.columns.box=[xmin,ymin,xmax,ymax]'",
    )
    note = columns_note(sentence, [name for name in read.columns if name not in used], do)
    return [note, *encoding_problem({read.path.name: read.encoding}), *line_problems([read], len(read.lines))]


def _ignored(columns: Sequence[str], marks: list[str]) -> list[Problem]:
    if not marks:
        return []
    names = join_texts(columns, ", ", "、")
    sentence = text(
        "Boxes marked in {c}: {n} (first: {f}); no single objects: neither trained on nor scored.",
        "在 {c} 列中作了标记的框：{n} 个（第一个：{f}）；它们不是单个目标，既不用于训练，也不计分。",
        c=names,
        n=len(marks),
        f=marks[0],
    )
    return [Problem("ignored", sentence, tuple(marks), severity="note", numbers={"n": len(marks)})]
