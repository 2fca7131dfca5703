"""Rows of pictures with the names of their masks, and how a mask of that name is read: what every layout becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from weigh.data.masks.raster import Raster
from weigh.data.pictures.class_table import ClassTable
from weigh.data.rows.listing import Listing

__all__ = ["MaskListing"]


@dataclass
class MaskListing:
    """One source.

    Attributes:
        listing: A row for each picture; targets are not filled in yet.
        masks: The name of the mask of each row.
        read: From such a name to the mask as it is written.
        folders: Where a file may lie that names the classes.
        table: Classes that the source itself names.
    """

    listing: Listing
    masks: list[str]
    read: Callable[[str], Raster]
    folders: list[Path] = field(default_factory=list)
    table: ClassTable | None = None
