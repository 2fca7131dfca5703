"""From what a person typed to the index of a data set of pictures: which files, which labels, which part.

Before it: `spec.DataSpec`. After it: `data/pictures/checks.py` opens the pictures; `plan/` assigns folds. Nothing is decoded here;
files are read once to know their contents (`contents.py` remembers that).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from weigh.data.contents import content_hashes, fingerprint
from weigh.data.examples import Examples
from weigh.data.pictures.files import PICTURE_FILES
from weigh.data.pictures.imagenet_lists import list_validation
from weigh.data.pictures.tables import list_table
from weigh.data.rows.assembly import assemble
from weigh.data.rows.folders import list_folder
from weigh.data.rows.hub import hub_name, is_saved
from weigh.data.rows.listing import Listing
from weigh.data.rows.number_labels import keep_numbers
from weigh.data.rows.paths import inner_test_folder, no_such_path
from weigh.data.tables.table_files import TABLE_SUFFIXES, is_written_as
from weigh.errors import DataError
from weigh.files import open_regular
from weigh.kinds.base import Kind
from weigh.kinds.label import LABEL
from weigh.kinds.labels import LABELS
from weigh.language import text
from weigh.media import medium_named
from weigh.notices import Progress
from weigh.problem import Problem
from weigh.registry import Registry
from weigh.settings import user_path
from weigh.spec import DataSpec

__all__ = ["LISTERS", "data_root", "read_images", "source_path"]

Lister = Callable[[DataSpec, Progress | None], Callable[[str], Listing]]
# By the kind of the targets, where these have a place in the picture and are written in files of their own: what makes rows of an address.
LISTERS: Registry[Lister] = Registry(
    text("layout", "布局"), modules=("weigh.data.masks.index", "weigh.data.boxes.index")
)


def read_images(
    spec: DataSpec, kinds: Sequence[Kind] = (LABEL, LABELS), *, offline: bool = False, progress: Progress | None = None
) -> tuple[Examples, list[Problem]]:
    """The examples of a data set of pictures, training and test together, and everything that was set aside.

    Args:
        spec: A folder per class, a table, a folder of the `datasets` library, or a hub name.
        kinds: What a target may be; the last one where a source separates several labels.
        offline: Hub names are refused.
        progress: Called with (what, done, of).

    Raises:
        DataError: Nothing usable; says what is wrong and what to do.
        MissingExtra: The `datasets` library is needed and not installed.
    """

    labelled = partial(_list, spec=spec, offline=offline, progress=progress)
    list_source = LISTERS.get(kinds[0].name)(spec, progress) if kinds[0].placed else labelled

    def list_kind(address: str) -> Listing:
        listing = list_source(address)
        return listing if kinds[0].typed else keep_numbers(listing, spec.columns.label, Path(address))

    examples, problems = assemble(spec, list_kind, medium_named("pictures"), kinds)
    examples = replace(examples, content=content_hashes(examples, progress=progress))
    return replace(examples, fingerprint=fingerprint(examples)), problems


def _list(address: str, spec: DataSpec, *, offline: bool, progress: Progress | None) -> Listing:
    """Rows of one source: a folder, a table, a `datasets` folder or a hub name."""
    if (name := hub_name(address)) is not None:
        from weigh.data.pictures.saved import list_hub

        return list_hub(name, spec, offline=offline, progress=progress)
    path, inside = source_path(address, spec)
    if (validation := list_validation(path, data_root(spec, path))) is not None:
        return validation
    if path.is_dir():
        if is_saved(path):
            from weigh.data.pictures.saved import list_saved

            return list_saved(path, spec, progress=progress)
        listing = list_folder(path, PICTURE_FILES, without=inside, level=spec.class_folder)
        listing.separator = spec.label_separator
        return listing
    if not is_written_as(path, (*TABLE_SUFFIXES, ".json", ".txt", ".tab")):
        raise DataError(
            text("{p} is neither a folder nor a table.", "{p} 既不是文件夹也不是表格。", p=path),
            do=text(
                "Give a folder with one folder per class, or a .csv, .tsv, .parquet or .jsonl table.",
                "请提供按类别分文件夹的目录，或 .csv、.tsv、.parquet、.jsonl 表格。",
            ),
        )
    return list_table(
        path, columns=spec.columns, root=data_root(spec, path), separator=spec.label_separator, encoding=spec.encoding
    )


def source_path(address: str, spec: DataSpec) -> tuple[Path, Path | None]:
    """Where a source lies; and the folder of the test part, if that lies inside the training source and must be left out there.

    Raises:
        DataError: There is nothing.
    """
    path = user_path(address)
    if not path.exists():
        raise no_such_path(path)
    if not (path.is_dir() or path.is_file()):
        open_regular(path).close()  # refuses a pipe or a device, by its name
    path = Path(os.path.abspath(path))
    return path, inner_test_folder(path, address, spec)


def data_root(spec: DataSpec, table: Path) -> Path | None:
    """The folder that paths in a table start from, where `data.root` names one.

    Raises:
        DataError: There is no such folder.
    """
    if spec.root is None:
        return None
    root = user_path(spec.root)
    if not root.is_dir() and (table.parent / root).is_dir():
        root = table.parent / root
    if not root.is_dir():
        raise DataError(
            text("data.root: there is no folder {r}.", "data.root：文件夹 {r} 不存在。", r=spec.root),
            do=text("Give the folder that paths in the table start from.", "请给出表格中路径的起始文件夹。"),
        )
    return Path(os.path.abspath(root))
