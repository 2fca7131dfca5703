"""From rows that a reader listed to the index of a data set: parts, classes, order, groups, metadata; for every task.

Before it: a reader (`pictures/index.py`, `texts/index.py`, `sentences/index.py`) that lists one source. After it: the reader adds what identifies
the contents. What a validation part becomes, which classes count and how sources are joined is decided here, once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from weigh.data.examples import Examples
from weigh.data.names import folded
from weigh.data.rows.columns import nearest_columns, refuse_idle
from weigh.data.rows.groups import named_groups
from weigh.data.rows.listing import Listing, natural_key, set_aside
from weigh.data.rows.one_form import compose_names, one_label_each
from weigh.data.rows.trees import subfolders
from weigh.data.tables.table_files import TABLE_SUFFIXES
from weigh.errors import DataError
from weigh.kinds.base import Kind, rows_of
from weigh.language import join_texts, text
from weigh.media import Medium
from weigh.nouns import Noun
from weigh.problem import Problem, refuse_errors
from weigh.settings import user_path
from weigh.spec import DataSpec

__all__ = ["assemble"]

ASIDE = ("left-out", "empty-part", "loose-files", "empty-class")  # why a part has no rows
DEEPEST = 5  # folders in one another that are looked through for those of the classes
OTHER_COLUMN = text(
    "If a column of the table says the parts (split, set, subset, …) and they do not count here, give it another name.",
    "如果是表格中的某一列（split、set、subset 等）说明了划分，而此处不应按它划分，请为该列改名。",
)


def assemble(
    spec: DataSpec, list_source: Callable[[str], Listing], medium: Medium, kinds: Sequence[Kind]
) -> tuple[Examples, list[Problem]]:
    """The examples of all sources together, without content hashes and fingerprint, and everything that was set aside.

    Args:
        list_source: From what stands under data.train, data.test or data.shifted to its rows.
        medium: What the examples are made of.
        kinds: What a target may be; the last one where a source separates several labels.

    Raises:
        DataError: Parts that contradict one another, or too few classes.
    """
    noun = medium.noun
    train = list_source(spec.train)
    test = _list_test(spec.test, list_source, key="data.test") if spec.test else None
    shifted = {name: _list_test(path, list_source, key=f"data.shifted.{name}") for name, path in spec.shifted.items()}
    by_setting = {"data.train": train, **({"data.test": test} if test else {})}
    by_setting |= {f"data.shifted.{name}": source for name, source in shifted.items()}
    sources = one_label_each(list(by_setting.values()))
    refuse_idle(spec, sources, kinds[0])
    left_out = any(problem.kind == "left-out" for source in sources for problem in source.problems)
    named = {source.root / path for source in sources[1:] for path in source.path} if left_out else set()
    problems = [
        problem
        for source in sources
        for problem in (*source.problems, *compose_names(source))
        # what the training folder leaves out may be what data.test names
        if problem.kind != "left-out" or not named or not named.issuperset(source.root / path for path in problem.paths)
    ]
    kind = kinds[0] if train.separator is None else kinds[-1]
    part, split_problems = _settle_parts(train, test, noun)
    part += [f"shift:{name}" for name, source in shifted.items() for _ in range(len(source))]
    problems += split_problems

    root, paths = _one_root(by_setting, noun)
    keep = list(range(len(paths)))
    rows = [
        row
        for s in sources
        for row in (s.targets if s.targets is not None else _labels(s, spec) if kind.typed else s.label)
    ]
    classes: list[str] = []
    if kind.typed:
        label_sets = [kind.named(row) for row in rows]
        trained = {c for labels, p in zip(label_sets, part, strict=True) if p == "train" for c in labels}
        classes = [c for c in train.classes if c in trained] or sorted(trained, key=natural_key)
        keep, unknown = _known_only(label_sets, set(classes), paths, noun, kind)
        problems += unknown
        if kind.probable and len(classes) < 2:
            raise _too_few_classes(classes, spec, problems)
        if not classes:
            refuse_errors(_with_reasons(kind.check(kind.encode(rows, classes), np.array(part, dtype=str)), problems))
            raise DataError(text("Nothing in the training data has a class.", "训练数据中没有任何类别。"))
    group, columns = _together(sources, spec)
    order = _order(sources)
    group, apart = named_groups(spec, paths, order, group)
    examples = Examples(
        root=root,
        path=np.array(paths, dtype=str),
        kind=kind,
        target=kind.encode(rows, classes),
        classes=tuple(classes),
        part=np.array(part, dtype=str),
        order=order,
        content=np.array([""] * len(paths), dtype=str),
        group=group,
        order_source=train.order_source,
        slices=columns,
        rows=_joined([s.rows for s in sources]),
        written=train.written,
        medium=medium,
    )
    return examples.subset(np.array(keep, dtype=np.int64)), [*problems, *apart]


def _with_reasons(errors: Sequence[Problem], problems: Sequence[Problem]) -> list[Problem]:
    """Errors of a training part without anything in it, and what was set aside before as their reason."""
    lost = [p for p in problems if p.severity != "note"]
    if not lost:
        return list(errors)
    why = join_texts([p.sentence for p in lost], "\n", "\n")
    return [replace(error, why=why, do=next((p.do for p in lost if p.do is not None), error.do)) for error in errors]


def _joined(columns: list[list[tuple] | None]) -> np.ndarray | None:
    """`(n,)` object array of tuples, or None where no source has such a column."""
    if all(column is None for column in columns):
        return None
    return rows_of([row for column in columns for row in column or ()])


def _list_test(address: str, list_source: Callable[[str], Listing], *, key: str) -> Listing:
    """Independent test data, every row of it "test"; `key` is the setting that named them."""
    listing = list_source(address)
    if len(set(listing.part)) > 1 and "train" in listing.part:
        what = text("{k} ({t}) has a training part of its own.", "{k}（{t}）自身含有训练部分。", k=key, t=address)
        do = text(
            "Give the test folder itself ({k}: {t}/test), or leave {k} out.",
            "请直接给出测试文件夹（{k}: {t}/test），或去掉 {k}。",
            k=key,
            t=address,
        )
        if user_path(address).is_file():
            do = (
                text(
                    "Give a table that holds the test rows alone, or leave {k} out.",
                    "请提供只含测试行的表格，或去掉 {k}。",
                    k=key,
                )
                + OTHER_COLUMN
            )
        raise DataError(what, do=do)
    listing.part = ["test"] * len(listing)
    return listing


def _settle_parts(train: Listing, test: Listing | None, noun: Noun) -> tuple[list[str], list[Problem]]:
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
            )
            + OTHER_COLUMN,
        )
    if "train" not in train.part and "val" not in train.part:
        aside = [problem for problem in train.problems if problem.kind in ASIDE]
        raise DataError(
            text("There is a test part but no training part.", "只有测试部分，没有训练部分。"),
            join_texts([problem.sentence for problem in aside], "\n", "\n") if aside else None,
            next((problem.do for problem in aside if problem.do is not None), None)
            or text("Name the training folder train/.", "请把训练文件夹命名为 train/。"),
        )
    has_test = test is not None or "test" in train.part
    val_is = "train" if has_test or "train" not in train.part else "test"
    part = [val_is if p == "val" else p for p in train.part] + (test.part if test else [])
    n_val = train.part.count("val")
    if not n_val:
        return part, []
    if val_is == "test":
        sentence = text(
            "The validation part ({n} {w}) serves as the test part, since there is no other; it is scored once.",
            "没有单独的测试部分，因此验证部分（{n} {w}）用作测试部分，只评分一次。",
            n=n_val,
            w=noun.of(n_val),
        )
        why = text(
            "If it was used to choose models before, its score is too good.", "如果此前曾用它挑选模型，其得分会偏高。"
        )
    else:
        sentence = text(
            "The validation part ({n} {w}) joins the training part; cross-validation makes its own validation parts.",
            "验证部分（{n} {w}）并入训练部分；交叉验证会自行划分验证数据。",
            n=n_val,
            w=noun.of(n_val),
        )
        why = None
    again = _repeated(train)
    numbers: dict[str, float] = {"n": n_val}
    if again and val_is == "train":  # as the test part it would be a leak, which the checks name
        sentence = sentence + text(
            "Of these, {k} ({d} different {d:|one|ones}) also {k:|stands|stand} in the training part as it came.",
            "其中 {k} {w}（{d} {w}互不相同）原本就在训练部分中。",
            k=len(again),
            d=len({row for _, row in again}),
            w=noun.counted,
        )
        numbers |= {"repeated": len(again), "different": len({row for _, row in again})}
        why = text("A score on that validation part was too good.", "以往在该验证部分上的得分偏高。")
    paths = tuple(path for path, _ in again) if val_is == "train" else ()
    return part, [Problem("split", sentence, paths, severity="note", why=why, numbers=numbers)]


def _repeated(train: Listing) -> list[tuple[str, tuple[str, ...]]]:
    """Validation rows whose text stands in training too: where, and the text."""
    rows = train.rows or []
    trained = {row for row, part in zip(rows, train.part, strict=False) if part == "train"}
    return [
        (path, row)
        for path, row, part in zip(train.path, rows, train.part, strict=False)
        if part == "val" and row in trained
    ]


def _one_root(by_setting: dict[str, Listing], noun: Noun) -> tuple[Path, list[str]]:
    """A folder that holds all sources, each by the setting that named it, and all paths relative to it."""
    names, sources = list(by_setting), list(by_setting.values())
    if all(source.root == sources[0].root for source in sources):
        root, paths = sources[0].root, [p for source in sources for p in source.path]
    else:
        root = Path(os.path.commonpath([source.root for source in sources]))
        paths = [(source.root / p).relative_to(root).as_posix() for source in sources for p in source.path]
    if len(set(paths)) < len(paths):
        stands: dict[str, list[str]] = {}
        for path, name in zip(paths, [name for name, s in by_setting.items() for _ in s.path], strict=True):
            stands.setdefault(path, []).append(name)
        twice = {path: where for path, where in stands.items() if len(where) > 1}
        first = min(twice, key=lambda path: (names.index(twice[path][0]), path))  # training comes first: it spoils most
        one, two = twice[first][:2]
        raise DataError(
            text(
                "{n} {u} stand both in {one} and in {two} (first: {f}).",
                "有 {n} {u}同时出现在 {one} 和 {two} 中（第一个：{f}）。",
                n=sum(where[:2] == [one, two] for where in twice.values()),
                u=noun.unit,
                one=one,
                two=two,
                f=first,
            ),
            text("A test score on training {w} says nothing.", "用训练{w}得到的测试得分没有意义。", w=noun.many)
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
    if every and {name.casefold() for name in every} <= {"true", "false"}:  # True of Python, TRUE of R, true of JSON
        return [tuple(name.capitalize() for name in row) for row in names]
    if every and all(re.fullmatch(r"[-+]?\d+([.,]0*)?(?<!,000)", name) for name in every):
        digits = {name: re.split("[.,]", name)[0] for name in every}
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


def _order(sources: list[Listing]) -> np.ndarray:
    """`(n,)` ranks in one order for all classes; rows of a test table come after those of the training table."""
    train, *further = sources
    keys = [(0, key) for key in train.order]
    for later, test in enumerate(further, 1):
        keys += [(0 if test.order_source == train.order_source == "names" else later, key) for key in test.order]
    rank = np.empty(len(keys), dtype=np.int64)
    rank[sorted(range(len(keys)), key=lambda i: keys[i])] = np.arange(len(keys))
    return rank


def _known_only(
    label_sets: list[tuple[str, ...]], classes: set[str], paths: list[str], noun: Noun, kind: Kind
) -> tuple[list[int], list[Problem]]:
    """Rows whose classes occur in training; the others are named. Of an answer that has a place, the rest of the example counts."""
    keep = [i for i, labels in enumerate(label_sets) if classes.issuperset(labels)]
    if len(keep) == len(label_sets):
        return keep, []
    left = sorted(set(range(len(label_sets))) - set(keep))
    strange = sorted({c for i in left for c in label_sets[i]} - classes, key=natural_key)
    why = text("A model cannot answer with a class that it never saw.", "模型无法预测从未见过的类别。")
    by_form = {folded(name): name for name in sorted(classes)}
    alike = ", ".join(f"{name} = {by_form[folded(name)]}" for name in strange if folded(name) in by_form)
    otherwise = text("In the training data written otherwise: {l}.", "在训练数据中写法不同：{l}。", l=alike)
    values = {"m": noun.many, "w": noun.counted, "n": len(left), "k": len(strange), "c": ", ".join(strange)}
    if kind.placed:
        sentence = text(
            "Test {m} that hold classes which do not occur in training: {n}. Classes: {k} ({c}); what is of these classes is not scored.",
            "测试{m}中有 {n} {w}含有训练中没有的类别。这样的类别有 {k} 个（{c}），其内容不计分。",
            **values,
        )
        numbers = {"n": len(left), "classes": len(strange)}
        return list(range(len(paths))), [
            Problem("unknown-class", sentence, tuple(paths[i] for i in left), why=why, numbers=numbers)
        ]
    return keep, [
        set_aside(
            "unknown-class",
            text(
                "Test {m} of classes that do not occur in training: {n}; set aside. Classes: {k} ({c}).",
                "测试{m}中有 {n} {w}属于训练中没有的类别，已搁置。这样的类别有 {k} 个（{c}）。",
                **values,
            )
            + (otherwise if alike else text("", "")),
            [paths[i] for i in left],
            text("Check the spelling of the class names.", "请检查类别名称的拼写。"),
            more={"classes": len(strange)},
            why=why,
        )
    ]


def _together(sources: list[Listing], spec: DataSpec) -> tuple[np.ndarray | None, dict[str, np.ndarray]]:
    """Groups and metadata columns of all sources, the training data first; a column that one of them lacks is empty there."""
    names = list(dict.fromkeys(name for s in sources for name in s.columns))
    if spec.slices is not None and (absent := [name for name in spec.slices if name not in names]):
        raise DataError(
            text("data.slices: there is no usable column '{n}'.", "data.slices：没有可用的“{n}”列。", n=absent[0])
            + nearest_columns(absent[0], names)
        )
    columns = {
        name: np.array([v for s in sources for v in s.columns.get(name, [""] * len(s))], dtype=str) for name in names
    }
    if sources[0].group is None:
        return None, columns
    groups = [g for s in sources for g in (s.group or [""] * len(s))]
    # an empty cell is a group of its own: nothing is known about it
    return np.array([g or f"(row {i + 1})" for i, g in enumerate(groups)], dtype=str), columns


def _too_few_classes(classes: list[str], spec: DataSpec, problems: list[Problem]) -> DataError:
    lost = [p.sentence for p in problems if p.paths and p.severity != "note"]
    do = text("Give labels of two or more classes.", "请提供两个或更多类别的标签。")
    folder = user_path(spec.train)
    if len(classes) == 1 and (folder / classes[0]).is_dir():
        meant, inner = folder / classes[0], subfolders(folder / classes[0])
        for _ in range(DEEPEST):  # an unpacked archive often holds one folder in another
            meant, inner = (inner[0], subfolders(inner[0])) if len(inner) == 1 else (meant, inner)
        if len(inner) > 1:
            do = text(
                "Did you mean {f}? It holds {n} folders.", "您是想用 {f} 吗？其中有 {n} 个文件夹。", f=meant, n=len(inner)
            )  # fmt: skip
        tables = sorted(p.name for p in folder.iterdir() if p.suffix.casefold() in TABLE_SUFFIXES)
        if len(inner) < 2 and tables:
            do = text(
                "There is a table: {t}. Does it hold the labels?",
                "此处有一个表格：{t}。标签是否在其中？",
                t=folder / tables[0],
            )
    return DataError(
        text("There is only one class: {c}.", "只有一个类别：{c}。", c=classes[0])
        if classes
        else text("No example has a label.", "没有任何样本带有标签。"),
        sum(lost, text("A classifier needs at least two.", "分类器至少需要两个类别。")),
        do,
    )
