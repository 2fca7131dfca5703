"""Pictures of the `datasets` library as rows: a folder that `save_to_disk` wrote, or a name on the hub.

Before it: what the user typed. After it: `index.py`. Each picture is written once into the cache folder, under its
row and the hash of its contents, and indexed there: from then on such a data set is like any other table of files.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from weigh.data.rows.columns import metadata_columns, require_column
from weigh.data.rows.hub import empty_split_problems, label_names, label_of, library, load_raw, read_saved, refuse_split
from weigh.data.rows.listing import PARTS, Listing, nothing_usable, set_aside
from weigh.data.tables.cells import LIST_SEPARATOR
from weigh.disk import write_file
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.notices import Progress
from weigh.settings import cache_folder
from weigh.spec import DataSpec
from weigh.tasks import TASKS

__all__ = ["list_hub", "list_saved"]

SUFFIXES = {
    b"\xff\xd8": ".jpg",
    b"\x89P": ".png",
    b"GI": ".gif",
    b"BM": ".bmp",
    b"RI": ".webp",
    b"II": ".tif",
    b"MM": ".tif",
}


def list_saved(folder: Path, spec: DataSpec, *, progress: Progress | None = None) -> Listing:
    """Rows of a folder written by `Dataset.save_to_disk` or `DatasetDict.save_to_disk`.

    Raises:
        MissingExtra: `datasets` is not installed.
        DataError: The folder cannot be read, or has no column of pictures and labels.
    """
    listing = _rows(read_saved(folder), library(), spec, str(folder), progress)
    listing.problems += empty_split_problems(folder)
    return listing


def list_hub(name: str, spec: DataSpec, *, offline: bool, progress: Progress | None = None) -> Listing:
    """Rows of a dataset on the hub (mirrors are honoured through HF_ENDPOINT).

    Raises:
        MissingExtra: `datasets` is not installed.
        DataError: Offline, or the dataset cannot be loaded.
    """
    return _rows(load_raw(name, offline=offline), library(), spec, name, progress)


def _rows(loaded: Any, datasets: Any, spec: DataSpec, name: str, progress: Progress | None) -> Listing:
    refuse_split(spec.columns.split)
    splits = dict(loaded) if isinstance(loaded, dict) else {"train": loaded}
    features = next(iter(splits.values())).features
    picture, label = _columns(features, datasets, spec, name)
    fingerprints = "\n".join(f"{split}:{getattr(rows, '_fingerprint', name)}" for split, rows in splits.items())
    store = cache_folder() / "pictures" / hashlib.blake2b(fingerprints.encode(), digest_size=8).hexdigest()
    listing = Listing(root=store, order_source="table", separator=spec.label_separator)
    cells: dict[str, list[str | None]] = {
        c: [] for c in features if c not in (picture, label) and not isinstance(features[c], datasets.Image)
    }
    names = label_names(features[label])
    unknown, unlabelled, empty = [], [], []
    total, done = sum(len(s) for s in splits.values()), 0
    for split, rows in splits.items():
        part = PARTS.get(split.casefold())
        if part is None:
            unknown += [f"{split}[{i}]" for i in range(len(rows))]
            continue
        for i, row in enumerate(rows.cast_column(picture, datasets.Image(decode=False))):
            done += 1
            if progress and done % 64 == 0:
                progress("writing pictures", done, total)
            raw = _bytes(row[picture])
            written = _write(raw, store, f"{split}/{i:07d}") if raw else None
            if written is None:
                empty.append(f"{split}[{i}]")
                continue
            value = label_of(row[label], names)
            if value is None:
                unlabelled.append(f"{split}[{i}]")
                continue
            if value.startswith(LIST_SEPARATOR):
                listing.separator = LIST_SEPARATOR
            listing.path.append(written)
            listing.label.append(value)
            listing.part.append(part)
            listing.order.append(done)
            for column, values in cells.items():
                values.append(_text(row[column], features[column]))
    columns = metadata_columns(cells, {spec.columns.group}, spec.columns.kept)
    listing.columns = {n: [v or "" for v in c] for n, c in columns.items()}
    if spec.columns.group:
        require_column("group", spec.columns.group, list(cells), name)
        listing.group = [v or "" for v in cells[spec.columns.group]]
    listing.problems = _problems(unknown, unlabelled, empty, list(features))
    if not listing.path:
        raise nothing_usable(name, listing.problems)
    return listing


def _columns(features: Any, datasets: Any, spec: DataSpec, name: str) -> tuple[str, str]:
    """The columns of pictures and labels: those named, else the only one of the fitting type."""
    pictures = [c for c, f in features.items() if isinstance(f, datasets.Image)]
    named_columns = (("path", spec.columns.path), ("label", spec.columns.label))
    for role, column in named_columns:
        require_column(role, None if column == role else column, list(features), name)
    labels = [c for c, f in features.items() if isinstance(f, datasets.ClassLabel)]
    picture = spec.columns.path if spec.columns.path in pictures else (pictures[0] if len(pictures) == 1 else None)
    nested = [c for c, f in features.items() if isinstance(f, dict) or isinstance(getattr(f, "feature", None), dict)]
    usable = [c for c in features if c not in pictures and c not in nested]
    named = [c for c in (spec.columns.label, "label", "labels") if c in usable]
    label = named[0] if named else (labels[0] if len(labels) == 1 else None)
    if picture is None or label is None:
        raise DataError(
            text(
                "{n} has no clear column of pictures and labels (columns: {c}).",
                "{n} 中无法确定图片列和标签列（列：{c}）。",
                n=name,
                c=", ".join(features),
            ),
            do=_advice([*nested, *(c for c in pictures if c != picture)], usable)
            if pictures
            else text(
                "It holds no pictures. Say what it is for: --task {t}",
                "其中没有图片。请指明任务：--task {t}",
                t=" | ".join(TASKS),
            ),
        )
    return picture, label


def _advice(further: list[str], usable: list[str]) -> Text:
    """What to do where the columns are not clear; `further` hold objects, or pictures that may be masks, `usable` what may be labels."""
    naming = text(
        "Name them: --set data.columns.path=NAME --set data.columns.label=NAME",
        "请指明：--set data.columns.path=列名 --set data.columns.label=列名",
    )
    where = text(
        "Boxes and masks ({f}) are not read from saved data sets: write boxes as COCO (images/ and instances.json), masks as images/ and masks/.",
        "不从已保存的数据集读取框和掩码（{f}）：请把框写成 COCO（images/ 与 instances.json），把掩码写成 images/ 与 masks/。",
        f=", ".join(further),
    )
    if not further:
        return naming
    return naming + where if usable else where


def _text(value: Any, feature: Any) -> str | None:
    if value is None:
        return None
    if hasattr(feature, "names") and isinstance(value, int) and value >= 0:
        return feature.names[value]
    return str(value)


def _bytes(cell: Any) -> bytes | None:
    if not isinstance(cell, dict):
        return None
    if cell.get("bytes"):
        return cell["bytes"]
    try:
        return Path(cell["path"]).read_bytes() if cell.get("path") else None
    except OSError:
        return None


def _write(raw: bytes, store: Path, row: str) -> str:
    """Write a picture under its row and the hash of its bytes, unless it is there undamaged; its path relative to `store`."""
    digest = hashlib.blake2b(raw, digest_size=8).hexdigest()
    relative = f"{row}-{digest}{SUFFIXES.get(raw[:2], '')}"
    target = store / relative
    if not (target.is_file() and target.read_bytes() == raw):
        write_file(target, raw)
    return relative


def _problems(unknown: list[str], unlabelled: list[str], empty: list[str], columns: list[str]) -> list:
    cases = (
        (
            "split",
            "{n} {n:|row stands|rows stand} in splits that are neither train, validation nor test; {n:|it is|they are} not used.",
            "{n} 行所属的划分不是训练、验证或测试，未使用。",
            unknown,
            text(
                "Save the data set anew with a split called train: DatasetDict(train=…).save_to_disk(FOLDER)",
                "请把数据集重新保存，并将划分命名为 train：DatasetDict(train=…).save_to_disk(文件夹)",
            ),
        ),
        (
            "missing-label",
            "{n} {n:|row has|rows have} no label; {n:|it is|they are} set aside.",
            "{n} 行没有标签，已搁置。",
            unlabelled,
            text(
                "Name the column of the labels: --set data.columns.label=NAME (columns: {c})",
                "请指明标签列：--set data.columns.label=列名（现有列：{c}）",
                c=", ".join(columns),
            ),
        ),
        (
            "missing",
            "{n} {n:|row holds|rows hold} no picture; {n:|it is|they are} set aside.",
            "{n} 行没有图片，已搁置。",
            empty,
            text(
                "Name the column of the pictures: --set data.columns.path=NAME (columns: {c}); or save the data set anew with its pictures.",
                "请指明图片列：--set data.columns.path=列名（现有列：{c}）；或连同图片一起重新保存数据集。",
                c=", ".join(columns),
            ),
        ),
    )
    return [set_aside(kind, text(en, zh, n=len(rows)), rows, do) for kind, en, zh, rows, do in cases if rows]
