"""From what a person typed to pictures with their boxes, in pixels of the upright picture, each of a class by name.

Before it: `spec.DataSpec`. After it: `data/pictures/index.py` assembles the examples, `data/pictures/checks.py` opens the pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from weigh.data.boxes.box_words import (
    alike_names,
    differing_ids,
    no_boxes,
    other_layouts,
    same_names,
    small_boxes,
    unused_classes,
    without_boxes,
)
from weigh.data.boxes.cleaning import Cleaned, clean_boxes
from weigh.data.boxes.coco import list_coco_boxes
from weigh.data.boxes.layouts import box_layouts, lone_folder
from weigh.data.boxes.reading import Reading, settle_origin, settle_reading
from weigh.data.boxes.sizes import Canvas, canvases, upright_corners
from weigh.data.boxes.table import list_table_boxes
from weigh.data.boxes.voc import list_voc
from weigh.data.boxes.written import MOST_PIXELS_OF_A_SIDE, BoxListing, WrittenBoxes
from weigh.data.boxes.yolo import list_yolo
from weigh.data.boxes.yolo_parts import other_yaml_files, read_yaml_file, yaml_in
from weigh.data.pictures.coco import coco_files, coco_source, unused_coco_files
from weigh.data.pictures.index import LISTERS, data_root, source_path
from weigh.data.rows.folders import empty_parts
from weigh.data.rows.listing import Listing, nothing_usable
from weigh.data.rows.trees import bare_parts
from weigh.data.tables.table_files import TABLE_SUFFIXES, is_written_as
from weigh.errors import DataError
from weigh.kinds.base import rows_of
from weigh.kinds.box_list import Boxes
from weigh.kinds.boxes import BOXES, BoxRow
from weigh.language import text
from weigh.notices import Progress
from weigh.spec import DataSpec

__all__ = ["YAML", "box_rows"]

YAML = (".yaml", ".yml")


@dataclass
class _Settled:
    """What the training source decided for the others, and what was seen of all."""

    reading: Reading | None = None
    ids: dict[str, dict[str, str]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


@LISTERS.named(BOXES.name)
def box_lister(spec: DataSpec, progress: Progress | None) -> Callable[[str], Listing]:
    """From what stands under data.train, data.test or data.shifted to its rows; the first of them decides what numbers mean where others leave it open."""
    del progress  # labels are small: the pictures take the time
    settled = _Settled()

    def list_boxes(address: str) -> Listing:
        source = _source(address, spec)
        listing = source.listing
        if not len(listing):
            raise nothing_usable(address, listing.problems)
        drawn_on, problems = canvases(listing.root, listing.path, source.boxes)
        listing.problems += problems
        keep = [i for i, canvas in enumerate(drawn_on) if canvas is not None]
        source.keep(keep)
        if not keep:
            raise nothing_usable(address, listing.problems)
        drawn_on = [canvas for canvas in drawn_on if canvas is not None]
        listing.counted = ("box_format", "origin", *(["classes"] if source.numbered else []))
        reading = _settle(source, drawn_on, spec, settled)
        sizes = np.array([canvas.drawn if canvas.opens else (np.nan, np.nan) for canvas in drawn_on])
        cleaned = clean_boxes(listing.path, source.boxes, sizes, reading, source.nameless)
        listing.problems += cleaned.problems
        targets = box_rows(source.boxes, drawn_on, cleaned)
        listing.targets = targets
        listing.label = [""] * len(listing)
        frame = BOXES.resolved({}, rows_of([row.boxes for row in targets]))["frame"]
        listing.problems += small_boxes(listing.path, source.boxes, targets, cleaned, frame)
        listing.problems += without_boxes(listing.path, targets)
        listing.problems += unused_classes(listing.classes, targets) if settled.reading is None else []
        listing.problems += same_names(source.ids)
        listing.problems += differing_ids(settled.ids | source.ids) + alike_names(targets, listing.part, settled.names)
        settled.ids |= source.ids
        settled.reading = settled.reading or reading
        return listing

    return list_boxes


def _source(address: str, spec: DataSpec) -> BoxListing:
    path, inside = source_path(address, spec)
    if path.is_dir():
        return _in_folder(path, spec, inside)
    if is_written_as(path, (".json",)):
        return list_coco_boxes([coco_source(path)], data_root(spec, path) or path.parent)
    if is_written_as(path, YAML):
        return list_yolo(data_root(spec, path) or path.parent, spec, read_yaml_file(path))
    if is_written_as(path, (*TABLE_SUFFIXES, ".txt", ".tab")):
        return list_table_boxes(path, spec, data_root(spec, path))
    raise DataError(
        text("{p} is neither a folder nor a table.", "{p} 既不是文件夹也不是表格。", p=path),
        do=text(
            "Give a folder (COCO, Pascal VOC or YOLO), a COCO file, a data.yaml, or a table with a row for each box.",
            "请提供文件夹（COCO、Pascal VOC 或 YOLO）、COCO 文件、data.yaml，或每行一个框的表格。",
        ),
    )


def _in_folder(path: Path, spec: DataSpec, inside: Path | None) -> BoxListing:
    layouts = box_layouts(path)
    if not layouts:
        raise no_boxes(path)
    folder = lone_folder(path)
    if layouts[0].name == "COCO":
        sources = [coco_source(source.file, source.part) for source in coco_files(folder)]
        listed = list_coco_boxes(sources, folder)
        listed.listing.problems += unused_coco_files(folder, sources)
    elif layouts[0].file is not None:
        listed = list_table_boxes(layouts[0].file, spec, data_root(spec, layouts[0].file))
    elif layouts[0].name == "Pascal VOC":
        listed = list_voc(folder, spec.encoding, without=inside)
        listed.listing.problems += empty_parts(bare_parts(folder, depth=2), folder)
    else:
        described = yaml_in(folder)
        above = yaml_in(folder.parent) if described is None else None
        used = described or (above and above._replace(places={}))
        listed = list_yolo(folder, spec, used, without=inside)
        listed.listing.problems += other_yaml_files(folder, used)
        if described is None or not described.places:
            listed.listing.problems += empty_parts(bare_parts(folder, depth=2), folder)
    listed.listing.problems += other_layouts(layouts)
    return listed


def _settle(source: BoxListing, drawn_on: list[Canvas], spec: DataSpec, settled: _Settled) -> Reading:
    """What the numbers are; problems go to the listing."""
    numbers = np.concatenate([one.numbers for one in source.boxes])
    counts = [len(one) for one in source.boxes]
    sizes = [canvas.drawn if canvas.opens else (np.nan, np.nan) for canvas in drawn_on]
    sizes_of_boxes = np.repeat(np.array(sizes, dtype=np.float64), counts, axis=0)
    convention, earlier = source.convention, settled.reading
    if earlier is not None and convention.origin:
        convention = convention._replace(origin=earlier.origin)
    reading, problems = settle_reading(numbers, sizes_of_boxes, convention, spec.box_format, earlier)
    reading, of_origin = settle_origin(numbers, reading, convention, spec.origin)
    source.listing.problems += [*problems, *of_origin]
    return reading


def box_rows(written: list[WrittenBoxes], drawn_on: list[Canvas], cleaned: Cleaned) -> list[BoxRow]:
    """Boxes on the upright pictures; those of no known class are ignored, as crowds are."""
    ends = np.searchsorted(cleaned.row, np.arange(len(written) + 1))
    rows = []
    for i, (one, canvas) in enumerate(zip(written, drawn_on, strict=True)):
        chosen = slice(ends[i], ends[i + 1])
        own = cleaned.box[chosen]
        corners = upright_corners(cleaned.corners[chosen], canvas)
        names = tuple(one.names[k] for k in own)
        area = one.area[own] * (np.prod(canvas.upright) / np.prod(canvas.drawn))
        sides = corners[:, 2:] - corners[:, :2]
        area = np.where(np.isfinite(area), area, np.prod(sides, axis=1))
        ignored = one.ignored[own] | np.array([name is None for name in names], dtype=bool)
        width, height = canvas.upright
        if not canvas.opens and len(corners):  # how large it is nobody knows; it is set aside when pictures are checked
            width, height = (
                np.clip(np.ceil(corners[:, 2:].max(axis=0)), canvas.upright, MOST_PIXELS_OF_A_SIDE).astype(int).tolist()
            )
        boxes = Boxes.of(height, width, corners, np.full(len(own), -1), ignored, area)
        rows.append(BoxRow(names, boxes))
    return rows
