"""From what a person typed to pictures with their masks: every mask is decoded once, here, and never opened again.

Before it: `spec.DataSpec`. After it: `data/pictures/index.py` assembles the examples, `data/pictures/checks.py` opens the pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from weigh.data.masks.layouts import list_coco, list_pairs, list_rows
from weigh.data.masks.meaning import Meaning, codes_in, contradicting, decide_meaning, unnamed
from weigh.data.masks.pair_words import lossy_masks, shared_masks, unreadable_masks, unusual_masks
from weigh.data.masks.raster import Raster
from weigh.data.masks.sizes import fit_sizes
from weigh.data.masks.sources import MaskListing
from weigh.data.masks.value_words import differing_tables
from weigh.data.pictures.class_table import ClassTable, class_table
from weigh.data.pictures.coco import coco_source
from weigh.data.pictures.decoding import PictureError
from weigh.data.pictures.index import LISTERS, data_root, source_path
from weigh.data.rows.listing import Listing, nothing_usable
from weigh.data.tables.table_files import TABLE_SUFFIXES, is_written_as
from weigh.errors import DataError
from weigh.kinds.masks import MASKS, MaskRow
from weigh.language import Text, text
from weigh.lookahead import look_ahead
from weigh.notices import Progress
from weigh.problem import Problem
from weigh.spec import DataSpec

__all__ = ["mask_lister"]

THREADS, AHEAD = 2, 32


class _Settled(NamedTuple):
    """What the training source decided for all others, and what that rests on."""

    meaning: Meaning
    source: Text
    table: ClassTable | None


@LISTERS.named(MASKS.name)
def mask_lister(spec: DataSpec, progress: Progress | None) -> Callable[[str], Listing]:
    """From what stands under data.train, data.test or data.shifted to its rows; the first of them decides what values mean."""
    settled: list[_Settled] = []

    def list_masks(address: str) -> Listing:
        sources = _sources(address, spec)
        listing = sources.listing
        listing.problems += shared_masks(listing.path, sources.masks)
        rasters = _read(sources, progress)
        _keep(sources, [i for i, path in enumerate(sources.masks) if path in rasters])
        kept = {path: rasters[path] for path in sources.masks}
        if not kept:
            raise nothing_usable(address, listing.problems)
        listing.problems += lossy_masks({path: raster for path, raster in kept.items() if raster.lossy})
        listing.counted = ("ignore",)
        later = bool(settled)
        if not later:
            table = sources.table or class_table(spec.classes, sources.folders)
            meaning, problems = decide_meaning(kept, table, spec.ignore)
            listing.problems += problems
            settled.append(_Settled(meaning, _named(table), table))
            listing.counted += ("classes",) if sources.table is None else ()
        meaning, source, _ = settled[0]
        if later and sources.table is not None:
            meaning = meaning.of_table(sources.table)
        elif later and spec.classes is None:
            listing.problems += _contradictions(address, sources, settled[0])
        listing.problems += unnamed(kept, meaning, source)
        listing.classes = meaning.classes
        turned, keep, problems = fit_sizes(listing.root, listing.path, [kept[path].mask for path in sources.masks])
        listing.problems += problems
        listing.targets = [
            MaskRow(_names(kept[path], meaning), mask) for path, mask in zip(sources.masks, turned, strict=True)
        ]
        listing.label = [""] * len(listing)
        _keep(sources, keep)
        unusual, keep = unusual_masks(listing.path, listing.targets)
        listing.problems += unusual
        _keep(sources, keep)
        if not len(listing):
            raise nothing_usable(address, listing.problems)
        return listing

    return list_masks


def _contradictions(address: str, sources: MaskListing, settled: _Settled) -> list[Problem]:
    """Whether a file of classes beside further masks says otherwise than that of the training masks, by which they are read."""
    try:
        own = class_table(None, sources.folders)
    except DataError:  # it is not used
        return []
    if settled.table is None or own is None:
        return []
    differing = contradicting(settled.table, own, coloured=settled.meaning.coloured)
    return [differing_tables(settled.table, own, address, differing)] if differing else []


def _named(table: ClassTable | None) -> Text:
    return text("the training masks", "训练掩码") if table is None else text("{t}", "{t}", t=table.source)


def _keep(sources: MaskListing, rows: list[int]) -> None:
    sources.listing.keep(rows)
    sources.masks[:] = [sources.masks[i] for i in rows]


def _sources(address: str, spec: DataSpec) -> MaskListing:
    path, inside = source_path(address, spec)
    if path.is_dir():
        return list_pairs(path, without=inside)
    if is_written_as(path, (".json",)):
        return list_coco([coco_source(path)], data_root(spec, path) or path.parent)
    if is_written_as(path, (*TABLE_SUFFIXES, ".txt", ".tab")):
        return list_rows(path, spec, data_root(spec, path))
    raise DataError(
        text("{p} is neither a folder nor a table.", "{p} 既不是文件夹也不是表格。", p=path),
        do=text(
            "Give a folder with images/ and masks/, a table with a column of pictures and one of masks, or a COCO file.",
            "请提供含 images/ 与 masks/ 的文件夹、含图片列与掩码列的表格，或 COCO 文件。",
        ),
    )


def _read(sources: MaskListing, progress: Progress | None) -> dict[str, Raster]:
    """Every mask that opens, by its name; the others are named in a problem."""
    rasters: dict[str, Raster] = {}
    failed: dict[str, Text] = {}
    names = list(dict.fromkeys(sources.masks))
    opened = look_ahead(partial(_attempt, sources.read), names, threads=THREADS, count=AHEAD)
    for done, (name, raster) in enumerate(opened, 1):
        if isinstance(raster, Raster):
            rasters[name] = raster
        else:
            failed[name] = raster
        if progress and (done % 16 == 0 or done == len(names)):
            progress("reading masks", done, len(names))
    sources.listing.problems += unreadable_masks(failed, len(names))
    return rasters


def _attempt(read: Callable[[str], Raster], name: str) -> Raster | Text:
    try:
        return read(name)
    except PictureError as error:
        return error.detail


def _names(raster: Raster, meaning: Meaning) -> tuple[str | None, ...]:
    codes: Sequence[int] = codes_in(raster, coloured=meaning.coloured)
    return tuple(meaning.names.get(code) for code in codes)
