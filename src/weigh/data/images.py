"""From what a person typed to the index of a data set of pictures: which files, which labels, which part.

Before it: `spec.DataSpec`. After it: `data/checks.py` opens the pictures; `plan/` assigns folds. Nothing is decoded here;
files are read once to know their contents (`contents.py` remembers that).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from weigh.data.contents import content_hashes, fingerprint
from weigh.data.examples import Examples, Problem
from weigh.data.folders import list_folder
from weigh.data.listing import Listing, natural_key, set_aside
from weigh.data.recognise import recognise_task
from weigh.data.tables import TABLE_SUFFIXES, list_table, nearest_columns
from weigh.errors import DataError
from weigh.language import text
from weigh.spec import DataSpec

__all__ = ["Progress", "read_images", "recognise_task"]

Progress = Callable[[str, int, int], None]


def read_images(
    spec: DataSpec, *, offline: bool = False, progress: Progress | None = None
) -> tuple[Examples, list[Problem]]:
    """The examples of a data set of pictures, training and test together, and everything that was set aside.

    Args:
        spec: A folder per class, a table, a folder of the `datasets` library, or a hub name.
        offline: Hub names are refused.
        progress: Called with (what, done, of).

    Raises:
        DataError: Nothing usable; says what is wrong and what to do.
        MissingExtra: The `datasets` library is needed and not installed.
    """
    train = _list(spec.train, spec, offline=offline, progress=progress)
    test = _list_test(spec.test, spec, key="data.test", offline=offline, progress=progress) if spec.test else None
    shifted = {
        name: _list_test(path, spec, key=f"data.shifted.{name}", offline=offline, progress=progress)
        for name, path in spec.shifted.items()
    }
    further = ([test] if test else []) + list(shifted.values())
    problems = [problem for source in (train, *further) for problem in source.problems]
    part, split_problems = _settle_parts(train, test)
    part += [f"shift:{name}" for name, source in shifted.items() for _ in range(len(source))]
    problems += split_problems

    names = ["data.train", *(["data.test"] if test else []), *(f"data.shifted.{name}" for name in shifted)]
    root, paths = _one_root([train, *further], names)
    label_sets = [labels for source in (train, *further) for labels in _labels(source, spec)]
    order = _order(train, further)
    parts = np.array(part, dtype=str)
    known = sorted(
        {c for labels, p in zip(label_sets, part, strict=True) if p == "train" for c in labels}, key=natural_key
    )
    keep, unknown = _known_only(label_sets, set(known), paths)
    problems += unknown
    if len(known) < 2:
        raise _too_few_classes(known, spec)
    group, columns = _together(train, further, spec)
    examples = Examples(
        root=root,
        path=np.array(paths, dtype=str),
        target=_target(label_sets, known, multilabel=train.separator is not None),
        classes=tuple(known),
        part=parts,
        order=order,
        content=np.array([""] * len(paths), dtype=str),
        group=group,
        order_source=train.order_source,
        slices=columns,
    ).subset(np.array(keep, dtype=np.int64))
    examples = replace(examples, content=content_hashes(examples, progress=progress))
    return replace(examples, fingerprint=fingerprint(examples)), problems


def _list(given: str, spec: DataSpec, *, offline: bool, progress: Progress | None) -> Listing:
    """Rows of one source: a folder, a table, a `datasets` folder or a hub name."""
    path = Path(given).expanduser()
    if given.startswith("hub:") or (not path.exists() and re.fullmatch(r"[\w.-]+/[\w.-]+", given)):
        from weigh.data.hub import list_hub

        return list_hub(given.removeprefix("hub:"), spec, offline=offline, progress=progress)
    if not path.exists():
        raise _no_such_path(path)
    path = Path(os.path.abspath(path))
    if path.is_dir():
        if (path / "dataset_info.json").is_file() or (path / "dataset_dict.json").is_file():
            from weigh.data.hub import list_saved

            return list_saved(path, spec, progress=progress)
        inside = Path(os.path.abspath(Path(spec.test).expanduser())) if spec.test and given == spec.train else None
        inside = inside if inside and inside.is_dir() and inside != path and inside.is_relative_to(path) else None
        listing = list_folder(path, without=inside)
        listing.separator = spec.label_separator
        return listing
    if path.suffix.casefold() not in TABLE_SUFFIXES:
        raise DataError(
            text("{p} is neither a folder nor a table.", "{p} 既不是文件夹也不是表格。", p=path),
            do=text(
                "Give a folder with one folder per class, or a .csv, .tsv, .parquet or .jsonl table.",
                "请提供按类别分文件夹的目录，或 .csv、.tsv、.parquet、.jsonl 表格。",
            ),
        )
    return list_table(path, columns=spec.columns, root=_root(spec, path), separator=spec.label_separator)


def _list_test(given: str, spec: DataSpec, *, key: str, offline: bool, progress: Progress | None) -> Listing:
    """Independent test data, every row of it "test"; `key` is the setting that named them."""
    listing = _list(given, spec, offline=offline, progress=progress)
    if set(listing.part) == {"train"}:
        listing.part = ["test"] * len(listing)
    elif "train" in listing.part:
        raise DataError(
            text(
                "{k} ({t}) has a training part of its own.",
                "{k}（{t}）自身含有训练部分。",
                k=key,
                t=given,
            ),
            do=text(
                "Give the test folder itself ({k}: {t}/test), or leave {k} out.",
                "请直接给出测试文件夹（{k}: {t}/test），或去掉 {k}。",
                k=key,
                t=given,
            ),
        )
    else:
        listing.part = ["test"] * len(listing)
    return listing


def _root(spec: DataSpec, table: Path) -> Path | None:
    if spec.root is None:
        return None
    root = Path(spec.root).expanduser()
    if not root.is_dir() and (table.parent / root).is_dir():
        root = table.parent / root
    if not root.is_dir():
        raise DataError(
            text("data.root: there is no folder {r}.", "data.root：文件夹 {r} 不存在。", r=spec.root),
            do=text("Give the folder that paths in the table start from.", "请给出表格中路径的起始文件夹。"),
        )
    return Path(os.path.abspath(root))


def _settle_parts(train: Listing, test: Listing | None) -> tuple[list[str], list[Problem]]:
    """ "train" or "test" for every row. A validation part trains where there is a test part; else it is the test part."""
    if test is not None and "test" in train.part:
        raise DataError(
            text(
                "There are two test parts: one inside the training data and data.test.",
                "有两个测试部分：一个在训练数据内，另一个是 data.test。",
            ),
            text(
                "The test part is read once, at the end; it must be clear which it is.",
                "测试部分只在最后读取一次，必须明确是哪一个。",
            ),
            text(
                "Give the training folder itself as data.train, or leave data.test out.",
                "请把训练文件夹本身作为 data.train，或去掉 data.test。",
            ),
        )
    if "train" not in train.part and "val" not in train.part:
        raise DataError(
            text("There is a test part but no training part.", "只有测试部分，没有训练部分。"),
            do=text("Name the training folder train/.", "请把训练文件夹命名为 train/。"),
        )
    has_test = test is not None or "test" in train.part
    val_is = "train" if has_test or "train" not in train.part else "test"
    part = [val_is if p == "val" else p for p in train.part] + (test.part if test else [])
    n_val = train.part.count("val")
    if not n_val:
        return part, []
    if val_is == "test":
        sentence = text(
            "The validation part ({n} pictures) serves as the test part, since there is no other; it is scored once.",
            "没有单独的测试部分，因此验证部分（{n} 张图片）用作测试部分，只评分一次。",
            n=n_val,
        )
        why = text(
            "If it was used to choose models before, its score is too good.",
            "如果此前曾用它挑选模型，其得分会偏高。",
        )
    else:
        sentence = text(
            "The validation part ({n} pictures) joins the training part; cross-validation makes its own validation parts.",
            "验证部分（{n} 张图片）并入训练部分；交叉验证会自行划分验证数据。",
            n=n_val,
        )
        why = None
    return part, [Problem("split", sentence, severity="note", why=why, numbers={"n": n_val})]


def _one_root(sources: list[Listing], names: list[str]) -> tuple[Path, list[str]]:
    """A folder that holds all sources, and all paths relative to it; `names` are the settings that named the sources."""
    if all(source.root == sources[0].root for source in sources):
        root, paths = sources[0].root, [p for source in sources for p in source.path]
    else:
        root = Path(os.path.commonpath([source.root for source in sources]))
        paths = [(source.root / p).relative_to(root).as_posix() for source in sources for p in source.path]
    if len(set(paths)) < len(paths):
        stands: dict[str, list[str]] = {}
        for path, name in zip(paths, [n for s, n in zip(sources, names, strict=True) for _ in s.path], strict=True):
            stands.setdefault(path, []).append(name)
        twice = {path: where for path, where in stands.items() if len(where) > 1}
        first = min(twice, key=lambda path: (names.index(twice[path][0]), path))  # training comes first: it spoils most
        one, two = twice[first][:2]
        raise DataError(
            text(
                "{n} files stand both in {one} and in {two} (first: {f}).",
                "有 {n} 个文件同时出现在 {one} 和 {two} 中（第一个：{f}）。",
                n=sum(where[:2] == [one, two] for where in twice.values()),
                one=one,
                two=two,
                f=first,
            ),
            text("A test score on training pictures says nothing.", "用训练图片得到的测试得分没有意义。")
            if one == "data.train"
            else text("Test sets are compared as independent samples.", "各测试集是按相互独立的样本来比较的。"),
            text("Remove them from one of the two.", "请从其中一处删除。"),
        )
    return root, paths


def _labels(listing: Listing, spec: DataSpec) -> list[tuple[str, ...]]:
    """Class names of every row: numbers readable ("1.0" is "1") and shifted by data.label_offset."""
    if listing.separator is None:
        names = [(label,) for label in listing.label]
    else:
        names = [
            tuple(dict.fromkeys(x.strip() for x in label.split(listing.separator) if x.strip()))
            for label in listing.label
        ]
    every = {name for row in names for name in row}
    if every and all(re.fullmatch(r"[-+]?\d+(\.0*)?", name) for name in every):
        digits = {name: name.split(".")[0] for name in every}
        if spec.label_offset:
            digits = {name: str(int(d) + spec.label_offset) for name, d in digits.items()}
        return [tuple(digits[name] for name in row) for row in names]
    if spec.label_offset:
        words = sorted(name for name in every if not re.fullmatch(r"[-+]?\d+(\.0*)?", name))
        raise DataError(
            text(
                "data.label_offset is {o}, but labels are not all whole numbers (first: '{w}').",
                "data.label_offset 为 {o}，但标签并非全是整数（第一个：“{w}”）。",
                o=spec.label_offset,
                w=words[0] if words else "",
            ),
            do=text(
                "Leave data.label_offset out, or name the column of numbers.",
                "请去掉 data.label_offset，或指定数字列。",
            ),
        )
    return names


def _order(train: Listing, further: list[Listing]) -> np.ndarray:
    """`(n,)` ranks in one order for all classes; rows of a test table come after those of the training table."""
    keys = [(0, key) for key in train.order]
    for later, test in enumerate(further, 1):
        keys += [(0 if test.order_source == train.order_source == "names" else later, key) for key in test.order]
    rank = np.empty(len(keys), dtype=np.int64)
    rank[sorted(range(len(keys)), key=lambda i: keys[i])] = np.arange(len(keys))
    return rank


def _known_only(
    label_sets: list[tuple[str, ...]], known: set[str], paths: list[str]
) -> tuple[list[int], list[Problem]]:
    """Rows whose classes occur in training; the others are named."""
    keep = [i for i, labels in enumerate(label_sets) if known.issuperset(labels)]
    if len(keep) == len(label_sets):
        return keep, []
    left = sorted(set(range(len(label_sets))) - set(keep))
    strange = sorted({c for i in left for c in label_sets[i]} - known, key=natural_key)
    return keep, [
        set_aside(
            "unknown-class",
            text(
                "Test pictures of classes that do not occur in training: {n}; set aside. Classes: {k} ({c}).",
                "有 {n} 张测试图片属于训练中没有的类别，已搁置。这样的类别有 {k} 个（{c}）。",
                n=len(left),
                k=len(strange),
                c=", ".join(strange),
            ),
            [paths[i] for i in left],
            text("Check the spelling of the class names.", "请检查类别名称的拼写。"),
            more={"classes": len(strange)},
            why=text("A model cannot answer with a class that it never saw.", "模型无法预测从未见过的类别。"),
        )
    ]


def _together(
    train: Listing, further: list[Listing], spec: DataSpec
) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
    """Groups and metadata columns of all sources; a column that one of them lacks is empty there."""
    sources = [train, *further]
    names = list(dict.fromkeys(name for s in sources for name in s.columns))
    if spec.slices is not None and (absent := [name for name in spec.slices if name not in names]):
        raise DataError(
            text("data.slices: there is no usable column '{n}'.", "data.slices：没有可用的“{n}”列。", n=absent[0])
            + nearest_columns(absent[0], names)
        )
    columns = {
        name: np.array([v for s in sources for v in s.columns.get(name, [""] * len(s))], dtype=str) for name in names
    }
    if train.group is None:
        return None, columns
    groups = [g for s in sources for g in (s.group or [""] * len(s))]
    # an empty cell is a group of its own: nothing is known about it
    return np.array([g or f"(row {i + 1})" for i, g in enumerate(groups)], dtype=str), columns


def _target(label_sets: list[tuple[str, ...]], classes: list[str], *, multilabel: bool) -> np.ndarray:
    index = {name: i for i, name in enumerate(classes)}
    if not multilabel:
        return np.array([index.get(labels[0], -1) for labels in label_sets], dtype=np.int64)
    target = np.zeros((len(label_sets), len(classes)), dtype=np.uint8)
    for row, labels in enumerate(label_sets):
        target[row, [index[name] for name in labels if name in index]] = 1
    return target


def _no_such_path(path: Path) -> DataError:
    import difflib

    parent = path.parent if path.parent.is_dir() else None
    near = difflib.get_close_matches(path.name, [p.name for p in parent.iterdir()], n=1) if parent else []
    do = (
        text("Did you mean {n}?", "您是想用 {n} 吗？", n=parent / near[0])
        if parent and near
        else text("Check the path; a name on the hub is written hub:NAME.", "请检查路径；hub 上的名称写作 hub:名称。")
    )
    return DataError(text("There is no {p}.", "{p} 不存在。", p=path), do=do)


def _too_few_classes(known: list[str], spec: DataSpec) -> DataError:
    do = text("Give labels of two or more classes.", "请提供两个或更多类别的标签。")
    folder = Path(spec.train).expanduser()
    if len(known) == 1 and (folder / known[0]).is_dir():
        from weigh.data.folders import subfolders

        inner = subfolders(folder / known[0])
        if len(inner) > 1:
            do = text(
                "Did you mean {f}? It holds {n} folders.",
                "您是想用 {f} 吗？其中有 {n} 个文件夹。",
                f=folder / known[0],
                n=len(inner),
            )
        tables = sorted(p.name for p in folder.iterdir() if p.suffix.casefold() in TABLE_SUFFIXES)
        if len(inner) < 2 and tables:
            do = text(
                "There is a table: {t}. Does it hold the labels?",
                "此处有一个表格：{t}。标签是否在其中？",
                t=folder / tables[0],
            )
    return DataError(
        text("There is only one class: {c}.", "只有一个类别：{c}。", c=known[0])
        if known
        else text("No example has a label.", "没有任何样本带有标签。"),
        text("A classifier needs at least two.", "分类器至少需要两个类别。"),
        do,
    )
