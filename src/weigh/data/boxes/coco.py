"""Boxes out of COCO files; an object with an outline and no box has the extent of its outline.

Before it: files and their pictures (`pictures/coco.py`). After it: `index.py`. A box is left, top, width and height in pixels from 0; "area" is that of the
object, by which COCO's small, medium and large are told. Crowds are regions, not objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from weigh.data.boxes.reading import Convention
from weigh.data.boxes.written import BoxesBuilder, BoxListing, Nameless, WrittenBoxes, as_side
from weigh.data.pictures.coco import CocoPicture, CocoSource, list_coco
from weigh.data.pictures.outlines import outline_extent
from weigh.language import text
from weigh.problem import Problem

__all__ = ["NAMELESS", "list_coco_boxes", "written_boxes"]

NAMELESS = Nameless(
    text("their category_id is not that of one category", "其 category_id 不对应唯一的类别"),
    text("Correct category_id.", "请更正 category_id。"),
)


def list_coco_boxes(sources: Sequence[CocoSource], root: Path) -> BoxListing:
    """Pictures of COCO files and their boxes, each picture with the part that its file is.

    Raises:
        DataError: One of them is no such file.
    """
    coco = list_coco(sources, root)
    listing = coco.listing
    boxes = [written_boxes(picture, listed.file.name) for listed in coco.files for picture in listed.pictures.values()]
    listing.classes = tuple(dict.fromkeys(name for listed in coco.files for name in listed.file.categories.values()))
    pictures = [(path, picture) for listed in coco.files for path, picture in listed.pictures.items()]
    crowded = [path for path, picture in pictures if any(item.crowd for item in picture.objects)]
    if crowded:
        crowds = sum(int(written.ignored.sum()) for written in boxes)
        listing.problems.append(
            Problem(
                "ignored",
                text(
                    "Regions of crowds (iscrowd): {k} in {n} {n:|picture|pictures} (first: {f}); no objects: what is found there is neither right nor wrong.",
                    "成群区域（iscrowd）：{k} 个，位于 {n} 张图片中（第一张：{f}）；它们不是单个目标，其中的检测既不算对也不算错。",
                    k=crowds,
                    n=len(crowded),
                    f=crowded[0],
                ),
                tuple(crowded),
                severity="note",
                numbers={"n": len(crowded), "crowds": crowds},
            )
        )
    convention = Convention("COCO", ("xywh",), relative=False)
    return BoxListing(
        listing,
        boxes,
        convention,
        NAMELESS,
        {str(listed.file.path): listed.file.categories for listed in coco.files},
    )


def written_boxes(picture: CocoPicture, file: str) -> WrittenBoxes:
    """The boxes of one picture as `file` states them."""
    written = BoxesBuilder()
    width, height = as_side(picture.width), as_side(picture.height)
    written.size = (width, height) if width and height else None
    for item in picture.objects:
        mark = f"{file} {item.where} ({picture.file})"
        box, outline = item.content.get("bbox"), item.content.get("segmentation")
        numbers = box if isinstance(box, list) and box else _extent(outline)
        written.add(mark, item.category, numbers, ignored=item.crowd, area=item.content.get("area"))
    return written.build()


def _extent(outline: object) -> Sequence[float]:
    """Left, top, width and height of an outline; nothing where there is none that can be read."""
    try:
        left, top, right, bottom = outline_extent(outline)
    except (ValueError, TypeError, KeyError, IndexError, OverflowError, ZeroDivisionError):
        return ()
    return np.array([left, top, right - left, bottom - top]).tolist()
