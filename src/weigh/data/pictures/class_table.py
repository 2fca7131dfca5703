"""The table of classes of masks or of boxes: what a person gave (`data.classes`), or a file beside them; names with their values or colours.

Before it: `spec.DataSpec`, a folder. After it: `masks/meaning.py` looks values and colours up in it, `boxes/yolo.py` numbers of classes.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from weigh.data.tables.text_encoding import read_text
from weigh.errors import DataError
from weigh.language import Text, text
from weigh.problem import Problem
from weigh.settings import user_path
from weigh.yaml_loader import load_yaml

__all__ = ["FILES", "ClassEntry", "ClassTable", "as_colour", "class_table", "pack_colour", "shifted_numbers"]

FILES = (
    "classes.txt",
    "codes.txt",
    "class_names.txt",
    "labels.txt",
    "names.txt",
    "label_colors.txt",
    "label_colours.txt",
    "labelmap.txt",
    "labelmap.csv",
    "class_dict.csv",
    "classes.csv",
    "labels_class_dict.csv",
    "classes.json",
    "labels.json",
    "labelmap.json",
    "codes.json",
)  # the usual names, the plainest first
LONGEST_NUMBER = 10  # digits
MANY_NAMELESS = 0.02  # share of objects without a class, from which on their numbers may be shifted
LONGEST = 100_000  # characters of such a file
COLOUR = re.compile(r"#?([0-9a-fA-F]{6})|\(?\s*(\d{1,3})[,;\s]+(\d{1,3})[,;\s]+(\d{1,3})\s*\)?")


class ClassEntry(NamedTuple):
    """A class: its name, and its value or its colour where they are written."""

    name: str
    value: int | None = None
    colour: int | None = None


class ClassTable(NamedTuple):
    """Classes in their order, and where they are written ("classes.txt", "data.classes")."""

    entries: tuple[ClassEntry, ...]
    source: str


def pack_colour(red: int, green: int, blue: int, alpha: int = 255) -> int:
    """A colour as one number; what is not opaque is another one."""
    return (255 - alpha) << 24 | red << 16 | green << 8 | blue


def as_colour(written: str) -> int | None:
    """ "128,64,0", "128 64 0" or "#804000" as one number; None where it is no colour."""
    match = COLOUR.fullmatch(written.strip())
    if match is None or (match[1] and not written.strip().startswith("#")):
        return None
    if match[1]:
        return int(match[1], 16)
    parts = [int(match[i]) for i in (2, 3, 4)]
    return pack_colour(*parts) if max(parts) < 256 else None


def class_table(
    asked: str | Sequence[str] | dict[str, str] | None, folders: Sequence[Path], files: Sequence[str] = FILES
) -> ClassTable | None:
    """What values mean: as a person said, else as the first of the usual files in one of `folders` says; None: nothing says it.

    Args:
        files: The usual names, the best first.

    Raises:
        DataError: The file that was named is not there, or a file holds no table of classes.
    """
    if isinstance(asked, str):
        places = [user_path(asked), *(folder / asked for folder in folders)]
        file = next((p for p in places if p.is_file()), None)
        if file is None:
            raise DataError(
                text("data.classes: there is no file {f}.", "data.classes：没有文件 {f}。", f=asked),
                do=text(
                    "Give a file that exists, or the names themselves: --set 'data.classes=[sky,road]'",
                    "请给出存在的文件，或直接列出名称：--set 'data.classes=[天空,道路]'",
                ),
            )
        return ClassTable(_checked(_read(file), file), file.name)
    if isinstance(asked, dict):
        entries = [_entry(name, key) for key, name in asked.items()]
        return ClassTable(_checked(entries, "data.classes"), "data.classes")
    if asked is not None:
        return ClassTable(_checked([ClassEntry(name) for name in asked], "data.classes"), "data.classes")
    for folder in folders:
        for name in files:
            if (folder / name).is_file():
                entries = _read(folder / name)
                if entries:  # a file called labels.txt may be something else
                    return ClassTable(_checked(entries, folder / name), name)
    return None


def shifted_numbers(used: Mapping[str, int], names: Mapping[str, str], source: str | Text, do: Text) -> list[Problem]:
    """An error where many numbers of classes have no name, and all would have one if they were moved by one: they count from another number.

    Args:
        used: Number of a class, as text -> objects.
        names: Number -> class.
        source: Where the numbers stand, for people.
        do: What to do about it.
    """
    if len(used) < 2 or not all(key.isdecimal() and len(key) < LONGEST_NUMBER for key in (*used, *names)):
        return []
    known = set(map(int, names))
    nameless = sum(n for key, n in used.items() if int(key) not in known)
    if nameless < MANY_NAMELESS * sum(used.values()):
        return []
    by = next((by for by in (1, -1) if all(int(key) + by in known for key in used)), 0)
    if not by:
        return []
    lowest, highest = min(map(int, used)), max(map(int, used))
    sentence = text(
        "Numbers of classes in {s} run from {a} to {b}, and those that have names from {c} to {d}: they seem to be shifted by one.",
        "{s} 中的类别编号为 {a} 至 {b}，而有名称的编号为 {c} 至 {d}：看起来相差一位。",
        s=source,
        a=lowest,
        b=highest,
        c=min(known),
        d=max(known),
    )
    why = text("Every object would be of its neighbour's class.", "否则每个目标都会被当作相邻编号的类别。")
    return [Problem("class-ids", sentence, severity="error", why=why, do=do, numbers={"n": nameless})]


def _checked(entries: list[ClassEntry], source: Path | str) -> tuple[ClassEntry, ...]:
    if not entries:
        raise DataError(
            text("No classes are written in {s}.", "{s} 中没有写明任何类别。", s=source),
            do=text(
                "One class a line: its name, or its name and its colour (road,128,64,128).",
                "每行一个类别：名称，或名称与颜色（road,128,64,128）。",
            ),
        )
    for what in ("value", "colour"):
        written = [getattr(entry, what) for entry in entries if getattr(entry, what) is not None]
        twice = next((w for w in written if written.count(w) > 1), None)
        names = {entry.name for entry in entries if getattr(entry, what) == twice and twice is not None}
        if len(names) > 1:
            raise DataError(
                text(
                    "{s} gives one {w} to several classes: {n}.",
                    "{s} 把同一{w}分给了多个类别：{n}。",
                    s=source,
                    w=text("value", "数值") if what == "value" else text("colour", "颜色"),
                    n=", ".join(sorted(names)),
                ),
                do=text("Give each class its own.", "请为每个类别指定各自的取值。"),
            )
    return tuple(entries)


def _entry(name: str, key: str) -> ClassEntry:
    colour = as_colour(key)
    if colour is not None:
        return ClassEntry(name, colour=colour)
    if re.fullmatch(r"\d+", key.strip()):
        return ClassEntry(name, int(key))
    raise DataError(
        text(
            "data.classes: '{k}' is neither a value (0, 1 …) nor a colour (128,64,0).",
            "data.classes：“{k}”既不是数值（0、1……），也不是颜色（128,64,0）。",
            k=key,
        ),
        do=text("Write value: name, or colour: name.", "请写成“数值: 名称”或“颜色: 名称”。"),
    )


def _read(file: Path) -> list[ClassEntry]:
    content, _ = read_text(file, limit=LONGEST)
    suffix = file.suffix.casefold()
    if suffix in (".json", ".yaml", ".yml"):
        try:
            return _from_json(json.loads(content) if suffix == ".json" else load_yaml(content))
        except (ValueError, RecursionError, yaml.YAMLError):
            return []
    lines = [
        line.strip() for line in content.splitlines() if line.strip() and not line.lstrip().startswith(("#", "//"))
    ]
    if file.suffix.casefold() == ".csv" or all(line.count(",") >= 3 for line in lines):
        return _from_rows(list(csv.reader(lines)))
    entries = [_from_line(line) for line in lines]
    numbered = sum(entry.value is not None or entry.colour is not None for entry in entries)
    return entries if numbered * 2 > len(entries) else [ClassEntry(line.rstrip(":")) for line in lines]


def _from_line(line: str) -> ClassEntry:
    """ "road", "0 road", "0: road", "128 64 128 road", "road:128,64,128::" (CVAT), "road 128 64 128"."""
    number = r"(\d{1,3})[,\s]+(\d{1,3})[,\s]+(\d{1,3})"
    if match := re.fullmatch(rf"{number}[,:;\s]+(.+)", line):
        return ClassEntry(match[4].strip(), colour=pack_colour(*(min(int(match[k]), 255) for k in (1, 2, 3))))
    if match := re.fullmatch(rf"(.+?)[,:;\s]+{number}(?::.*)?", line):
        return ClassEntry(match[1].strip(), colour=pack_colour(*(min(int(match[k]), 255) for k in (2, 3, 4))))
    if match := re.fullmatch(r"(\d+)\s*[:,;=\s]\s*(.+)", line):
        return ClassEntry(match[2].strip(), int(match[1]))
    if match := re.fullmatch(r"(.+?)\s*[:,;=\t]\s*(\d+)", line):
        return ClassEntry(match[1].strip(), int(match[2]))
    return ClassEntry(line.rstrip(":").strip())


def _from_rows(rows: list[list[str]]) -> list[ClassEntry]:
    """Columns name, r, g, b (or value, or an index), with a header or in the order name, r, g, b."""
    if not rows:
        return []
    header = [cell.strip().casefold() for cell in rows[0]]
    titled = any(cell in ("name", "class", "label", "class_name", "r", "red") for cell in header)
    at = {cell: i for i, cell in enumerate(header)} if titled else {"name": 0, "r": 1, "g": 2, "b": 3}
    name = next((at[c] for c in ("name", "class_name", "class", "label") if c in at), 0)
    colour = [next((at[c] for c in names if c in at), None) for names in (("r", "red"), ("g", "green"), ("b", "blue"))]
    value = next((at[c] for c in ("value", "index", "id", "class_id", "pixel") if c in at), None)
    entries = []
    for row in rows[1:] if titled else rows:
        cells = [cell.strip() for cell in row]
        if len(cells) <= name or not cells[name]:
            continue
        rgb = [cells[i] for i in colour if i is not None and i < len(cells)]
        entries.append(
            ClassEntry(
                cells[name],
                int(cells[value]) if value is not None and value < len(cells) and cells[value].isdecimal() else None,
                as_colour(",".join(rgb)) if len(rgb) == 3 else None,
            )
        )
    return entries


def _from_json(content: Any, *, names: bool = False) -> list[ClassEntry]:
    """A list of names or of objects, {value: name}, {name: value or colour}, or an object that holds one of these.

    Args:
        names: What is listed are names, also where all are numbers.
    """
    if isinstance(content, dict):
        list_keys = ("classes", "labels", "categories", "names", "id2label")
        key = next((key for key in list_keys if isinstance(content.get(key), (list, dict))), None)
        if key is not None:
            return _from_json(content[key], names=key == "names")
        pairs = ((str(key), value) for key, value in content.items())
        entries = (_from_pair(key, _as_name(value) if names and key.isdecimal() else value) for key, value in pairs)
        return [entry for entry in entries if entry is not None]
    if not isinstance(content, list):
        return []
    if names or any(isinstance(value, str) for value in content):  # were one left out, those behind it would move up
        content = [_as_name(value) for value in content]
    return [entry for value in content if (entry := _from_object(value)) is not None]


def _as_name(value: Any) -> Any:
    """A name that JSON and YAML take for something else ([cat, 3, true]) as text; lists and objects as they are."""
    if isinstance(value, bool):
        return str(value)
    return json.dumps(value) if value is None or isinstance(value, (int, float)) else value


def _from_pair(key: str, value: Any) -> ClassEntry | None:
    if isinstance(value, str):
        colour = as_colour(key)
        if colour is not None or key.isdecimal():
            return ClassEntry(value, None if colour is not None else int(key), colour)
        return ClassEntry(key, colour=as_colour(value))
    if isinstance(value, bool):
        return ClassEntry(str(value), int(key)) if key.isdecimal() else None
    return ClassEntry(key, value) if isinstance(value, int) else ClassEntry(key, colour=_listed_colour(value))


def _from_object(value: Any) -> ClassEntry | None:
    if isinstance(value, str):
        return ClassEntry(value)
    if not isinstance(value, dict):
        return None
    name = next(
        (value[k] for k in ("name", "title", "label", "class", "readable") if isinstance(value.get(k), str)), None
    )
    number = next((value[k] for k in ("id", "value", "index") if type(value.get(k)) is int), None)
    colour = next((value[k] for k in ("color", "colour", "rgb") if k in value), None)
    if name is None:
        return None
    return ClassEntry(name, number, as_colour(colour) if isinstance(colour, str) else _listed_colour(colour))


def _listed_colour(value: Any) -> int | None:
    whole = isinstance(value, list) and len(value) in (3, 4) and all(type(v) is int and 0 <= v < 256 for v in value)
    return pack_colour(*value[:3]) if whole else None
