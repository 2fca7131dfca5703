"""Where pictures and masks may stand: a folder, a table with a column of each, a COCO file. Each becomes a `MaskListing`.

Before it: a path that a person typed. After it: `index.py` reads the masks.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from weigh.data.masks.coco import Annotated, draw_annotated, outlined, table_of_classes
from weigh.data.masks.pair_words import lonely_files, no_masks
from weigh.data.masks.pairs import Pair, Pairs, pair_files
from weigh.data.masks.raster import Raster, read_raster
from weigh.data.masks.sources import MaskListing
from weigh.data.pages import count_pages, page_name
from weigh.data.pictures.coco import CocoSource, coco_sources, unused_coco_files
from weigh.data.pictures.coco import list_coco as list_pictures
from weigh.data.pictures.tables import list_columns, picture_columns
from weigh.data.rows.columns import nearest_columns, require_column
from weigh.data.rows.folders import empty_parts
from weigh.data.rows.listing import Listing, natural_key, set_aside
from weigh.data.rows.paths import Resolver, found_otherwise
from weigh.data.rows.trees import bare_parts
from weigh.data.tables.table_files import read_table
from weigh.errors import DataError
from weigh.language import text
from weigh.problem import Problem
from weigh.spec import DataSpec

__all__ = ["is_mask_column", "list_coco", "list_pairs", "list_rows"]

MASK_COLUMNS = (
    "mask",
    "label",
    "segmentation",
    "annotation",
    "annot",
    "gt",
    "target",
    "seg",
)  # words in the names of columns


def list_pairs(folder: Path, *, without: Path | None = None) -> MaskListing:
    """Pictures and masks of a folder; or of the COCO files in it, where there are no masks.

    Raises:
        DataError: There are none.
    """
    pairs = pair_files(folder, without=without)
    if not pairs.pairs:
        files = coco_sources(folder, "segmentation")
        if files:
            listed = list_coco(files, folder)
            listed.listing.problems += unused_coco_files(folder, files)
            return listed
        raise no_masks(folder, pairs)
    listing = Listing(root=folder, problems=lonely_files(pairs))
    listing.problems += empty_parts(bare_parts(folder, depth=2), folder)
    pairs, problems = _pages(folder, pairs)
    listing.problems += problems
    for pair in pairs.pairs:
        within = PurePosixPath(pair.folder) / PurePosixPath(pair.picture).name
        order = (natural_key(within.as_posix()), natural_key(pair.picture))
        listing.add(pair.picture, "", part=pair.part, order=order)
    if any(pair.folder for pair in pairs.pairs):
        listing.columns["folder"] = [pair.folder for pair in pairs.pairs]
    masks = [pair.mask for pair in pairs.pairs]
    folders = [folder, *(folder / f for f in dict.fromkeys(str(PurePosixPath(m).parent) for m in masks)), folder.parent]
    return MaskListing(listing, masks, lambda name: read_raster(folder / name), folders)


def _pages(folder: Path, pairs: Pairs) -> tuple[Pairs, list[Problem]]:
    """Stacks of pictures with stacks of masks, page by page."""
    single: list[Pair] = []
    unequal: list[tuple[str, int, str, int]] = []
    for pair in pairs.pairs:
        pictures, masks = count_pages(folder / pair.picture), count_pages(folder / pair.mask)
        if pictures == masks == 1:
            single.append(pair)
        elif pictures == masks:
            for page in range(1, pictures + 1):
                names = page_name(pair.picture, page), page_name(pair.mask, page)
                single.append(pair._replace(picture=names[0], mask=names[1]))
        else:
            unequal.append((pair.picture, pictures, pair.mask, masks))
    if not unequal:
        return pairs._replace(pairs=single), []
    picture, pages, mask, mask_pages = unequal[0]
    problem = set_aside(
        "stack",
        text(
            "Pictures and masks with different numbers of pages: {n} (first: {p} has {a}, {m} has {b}); set aside.",
            "图片与掩码的页数不同：{n} 对（第一对：{p} 有 {a} 页，{m} 有 {b} 页），已搁置。",
            n=len(unequal),
            p=picture,
            a=pages,
            m=mask,
            b=mask_pages,
        ),
        [path for row in unequal for path in (row[0], row[2])],
        text("Give every page of a picture a page of the mask.", "请让图片的每一页都有对应的掩码页。"),
    )
    return pairs._replace(pairs=single), [problem]


def list_rows(table: Path, spec: DataSpec, root: Path | None) -> MaskListing:
    """Rows of a table with a column of pictures and one of masks."""
    read = read_table(table, wanted=(spec.columns.path, spec.columns.label), encoding=spec.encoding)
    path, mask = _mask_columns(read.columns, table, spec)
    columns = spec.columns.model_copy(update={"path": path, "label": mask})
    root = Path(os.path.abspath(root or table.parent))
    listing = list_columns(read.columns, table, columns=columns, root=root, separator=None)
    listing.separator = None
    written = [label for label in listing.label if label]
    resolver = Resolver(root, written, beside=table.parent)
    places = [resolver.find(label) for label in listing.label]
    otherwise = [(label, p.path) for label, p in zip(listing.label, places, strict=True) if p.otherwise and p.path]
    listing.problems += found_otherwise(otherwise, len(places))
    missing = [i for i, place in enumerate(places) if place.path is None]
    if missing:
        listing.problems.append(
            set_aside(
                "missing",
                text(
                    "Rows whose mask does not exist, or lies outside the data folder: {n} of {r} (first: {f}); set aside.",
                    "{r} 行中有 {n} 行的掩码不存在或在数据文件夹之外（第一个：{f}），已搁置。",
                    n=len(missing),
                    r=len(places),
                    f=listing.label[missing[0]],
                ),
                [listing.path[i] for i in missing],
                resolver.remedy(listing.label[missing[0]]),
                more={"rows": len(places)},
            )
        )
    keep = [i for i, place in enumerate(places) if place.path is not None]
    listing.keep(keep)
    masks = [str(places[i].path) for i in keep]
    return MaskListing(listing, masks, lambda name: read_raster(root / name), [table.parent, root])


def is_mask_column(name: str) -> bool:
    """Whether a column of files is called like one of masks."""
    return any(word in name.casefold() for word in MASK_COLUMNS)


def _mask_columns(cells: dict, table: Path, spec: DataSpec) -> tuple[str, str]:
    """The column of pictures and that of masks.

    Raises:
        DataError: It cannot be told.
    """
    path, mask = spec.columns.path, spec.columns.label
    for role, name in (("path", path), ("label", mask)):
        require_column(role, None if name == role else name, list(cells), table)
    if path in cells and mask in cells:
        return path, mask
    files = picture_columns(cells, table)
    masks = [c for c in files if c == mask or is_mask_column(c)]
    pictures = [c for c in files if c not in masks]
    if path in cells:
        pictures = [path]
    if mask in cells:
        masks = [mask]
    if len(masks) == len(pictures) == 1:
        return pictures[0], masks[0]
    raise DataError(
        text(
            "{t}: which column holds the pictures and which the masks cannot be told.",
            "{t}：无法判断哪一列是图片、哪一列是掩码。",
            t=table,
        )
        + nearest_columns(mask, list(cells)),
        do=text(
            "Name them: --set data.columns.path=image --set data.columns.label=mask",
            "请指明：--set data.columns.path=image --set data.columns.label=mask",
        ),
    )


# COCO ---------------------------------------------------------------------------------------------------------------


def list_coco(sources: Sequence[CocoSource], root: Path) -> MaskListing:
    """Pictures of COCO files, each of them with the part that it is; classes of pixels are drawn from polygons and runs."""
    coco = list_pictures(sources, root)
    listing = coco.listing
    drawn: dict[str, Annotated] = {}
    table = table_of_classes([listed.file for listed in coco.files])
    for listed in coco.files:
        content = outlined(listed.file, listed.pictures, table)
        drawn |= content.pictures
        listing.problems += content.problems
    return MaskListing(listing, list(listing.path), partial(_draw, drawn), [], table)


def _draw(drawn: dict[str, Annotated], name: str) -> Raster:
    return draw_annotated(drawn[name])
