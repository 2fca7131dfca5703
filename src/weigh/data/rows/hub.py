"""The `datasets` library: a folder that `save_to_disk` wrote, or a name on the hub, and its columns as text.

Before it: what the user typed. After it: the readers of the media (`pictures/saved.py`, `texts/sources.py`, `sentences/saved.py`).
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from weigh.data.tables.cells import LIST_SEPARATOR, Columns, as_cell
from weigh.errors import DataError, MissingExtra, reason_of
from weigh.files import read_json
from weigh.language import Text, text
from weigh.problem import Problem
from weigh.settings import offline_by_environment, user_path, way_online

__all__ = [
    "empty_split_problems",
    "hub_name",
    "is_saved",
    "label_names",
    "label_of",
    "library",
    "load_hub",
    "load_raw",
    "load_saved",
    "read_saved",
    "refuse_split",
]

NAME = re.compile(r"[\w.-]+/[\w.-]+")  # OWNER/NAME
SUFFIX = re.compile(r"\.[A-Za-z]\w*$")
NOT_HERE = text("No local folder or table has that name.", "本地没有同名的文件夹或表格。")


def hub_name(address: str) -> str | None:
    """The name on the hub that an address means; None: it is a path.

    Without "hub:" it means one only where it looks like OWNER/NAME and nothing here speaks for a path that is mistyped: neither a folder of the
    owner's name ("data/phtos" beside a folder "data") nor the end of a file's name ("flowers/train.csv").
    """
    if address.startswith("hub:"):
        return address.removeprefix("hub:")
    path = user_path(address)
    is_name = NAME.fullmatch(address) is not None and SUFFIX.search(address) is None
    return address if is_name and not path.exists() and not path.parent.exists() else None


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote the folder."""
    return any((folder / name).is_file() for name in ("dataset_info.json", "dataset_dict.json"))


def load_saved(folder: Path) -> dict[str, Columns]:
    """Every column of a saved folder as text, by split: class numbers as names, pictures and nested values left out."""
    return _columns_by_split(read_saved(folder))


def load_hub(name: str, *, offline: bool) -> dict[str, Columns]:
    """Like `load_saved`, for a name on the hub."""
    return _columns_by_split(load_raw(name, offline=offline))


def _columns_by_split(loaded: Any) -> dict[str, Columns]:
    splits = dict(loaded) if isinstance(loaded, dict) else {"train": loaded}
    by_split: dict[str, Columns] = {}
    for split, rows in splits.items():
        by_split[split] = {}
        for name, feature in rows.features.items():
            names = label_names(feature)
            if names is not None:
                by_split[split][name] = [label_of(v, names) for v in rows[name]]
            elif getattr(feature, "_type", "") == "Value":
                by_split[split][name] = [as_cell(v) for v in rows[name]]
    return by_split


def read_saved(folder: Path) -> Any:
    """A folder that `save_to_disk` wrote, as the library loads it.

    Raises:
        MissingExtra: `datasets` is not installed.
        DataError: The folder cannot be read.
    """
    load, splits, empty = library().load_from_disk, _splits(folder), empty_splits(folder)
    try:
        if empty and len(empty) < len(splits):
            return {split: load(str(folder / split)) for split in splits if split not in empty}
        return load(str(folder))
    except MissingExtra:
        raise
    except Exception as error:  # the library raises many kinds for damaged folders
        raise DataError(
            text(
                "The saved dataset {f} cannot be read: {e}",
                "无法读取已保存的数据集 {f}：{e}",
                f=folder,
                e=reason_of(error, 300),
            ),
            do=text("Save it again with save_to_disk.", "请用 save_to_disk 重新保存。"),
        ) from None


def _splits(folder: Path) -> list[str]:
    """Names of the splits of a saved folder that has several."""
    if not (folder / "dataset_dict.json").is_file():
        return []
    written = read_json(folder / "dataset_dict.json")
    splits = written.get("splits") if isinstance(written, dict) else None
    return [s for s in splits if isinstance(s, str) and Path(s).name == s] if isinstance(splits, list) else []


def empty_splits(folder: Path) -> list[str]:
    """Splits of a saved folder without any row, which the library cannot load."""
    empty = []
    for split in _splits(folder):
        state = folder / split / "state.json"
        written = read_json(state) if state.is_file() else None
        if isinstance(written, dict) and written.get("_data_files") == []:
            empty.append(split)
    return empty


def empty_split_problems(folder: Path) -> list[Problem]:
    """What is said of such splits."""
    empty = empty_splits(folder)
    if not empty:
        return []
    sentence = text(
        "Splits without a row: {l}; there is no such part.", "没有任何行的划分：{l}；因此没有相应的部分。", l=", ".join(empty)
    )  # fmt: skip
    do = text("Save the data set anew without them.", "请去掉它们后重新保存数据集。")
    return [Problem("empty-part", sentence, tuple(empty), do=do, numbers={"n": len(empty)})]


def load_raw(name: str, configuration: str | None = None, *, offline: bool, typed: str = "") -> Any:
    """The data set as the library loads it, splits by name.

    Args:
        typed: What the user called it, for errors; "": the name.

    Raises:
        MissingExtra: `datasets` is not installed.
        DataError: Offline, or the data set cannot be loaded.
    """
    if offline or offline_by_environment():
        raise DataError(
            text(
                "'{n}' is a name on the hub, but weigh runs offline.",
                "“{n}”是 hub 上的名称，但 weigh 正在离线运行。",
                n=typed or name,
            ),
            NOT_HERE,
            text("Check the path.", "请检查路径。") + text("{o}.", "{o}。", o=way_online()),
        )
    datasets = library(_from_hub(typed or name))
    try:
        return datasets.load_dataset(name, configuration)
    except Exception as error:
        raise DataError(
            text(
                "The dataset '{n}' cannot be loaded: {e}",
                "无法加载数据集“{n}”：{e}",
                n=typed or name,
                e=reason_of(error, 300),
            ),
            None if Path(name).exists() else NOT_HERE,
            _advice(name, error),
        ) from None


def _advice(name: str, error: Exception) -> Text:
    """What to do about a data set that does not come."""
    from huggingface_hub import constants

    if "gated" in str(error):
        return text(
            "Accept its terms at {u}/datasets/{n}, run `hf auth login` (or set HF_TOKEN), and run the same command again.",
            "请在 {u}/datasets/{n} 接受条款，运行 `hf auth login`（或设置 HF_TOKEN），再运行同一命令。",
            u=constants.ENDPOINT,
            n=name,
        )
    return text(
        "Check the name and the network ({u} was asked; HF_ENDPOINT names a mirror); for a private one run `hf auth login`.",
        "请检查名称和网络（已访问 {u}；可用 HF_ENDPOINT 指定镜像）；私有数据集请运行 `hf auth login`。",
        u=constants.ENDPOINT,
    )


def _from_hub(name: str) -> Text:
    """What the library is needed for. It names the address, so that a user who mistyped a path sees that it was taken for one of the hub."""
    if Path(name).exists():
        return text("reading '{n}' from the hub", "从 hub 读取“{n}”", n=name)
    return text(
        "reading '{n}' from the hub: no file or folder here is called so",
        "从 hub 读取“{n}”（本地没有同名的文件或文件夹）",
        n=name,
    )


def library(purpose: Text | None = None) -> Any:
    """The `datasets` library.

    Args:
        purpose: What it is needed for; default: a saved folder.

    Raises:
        MissingExtra: It is not installed.
    """
    if find_spec("datasets") is None:
        purpose = purpose or text("reading Hugging Face datasets", "读取 Hugging Face 数据集")
        raise MissingExtra("datasets", purpose, "datasets")
    import datasets

    return datasets


def refuse_split(column: str | None) -> None:
    """Nothing, or the error that a column of parts is named where splits are the parts.

    Raises:
        DataError: One is.
    """
    if column is not None:
        raise DataError(
            text(
                "data.columns.split: the parts of this data set are its splits.",
                "data.columns.split：该数据集以 split 划分各部分。",
            ),
            do=text("Leave it out.", "请去掉该设置。"),
        )


def label_names(feature: Any) -> list[str] | None:
    """Names of the classes of a column (or of the elements of its lists); None: it has none."""
    inner = getattr(feature, "feature", feature)
    return list(inner.names) if hasattr(inner, "names") else None


def label_of(value: Any, names: list[str] | None) -> str | None:
    """A label as text; several are joined; -1 and None are "no label" in this library."""
    if isinstance(value, (list, tuple)):
        return LIST_SEPARATOR + LIST_SEPARATOR.join(filter(None, (label_of(v, names) for v in value)))
    if value is None or value == "" or (names is not None and value == -1):
        return None
    if names is not None and isinstance(value, int):
        return names[value] if 0 <= value < len(names) else None
    return as_cell(value)
