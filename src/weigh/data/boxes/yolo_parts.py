"""Which picture of a YOLO data set is of which part: data.yaml, lists of pictures (train.txt), and what these name that is not there.

Before it: a folder. After it: `yolo.py`. Paths of others are taken by what of them lies in the folder; what leads out of it is not opened.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml as yaml_library

from weigh.data.pictures.files import is_picture_name
from weigh.data.rows.listing import PARTS, set_aside_if_any
from weigh.data.rows.trees import files_in
from weigh.data.tables.text_encoding import read_text, split_lines
from weigh.errors import DataError
from weigh.language import text
from weigh.problem import Problem
from weigh.yaml_loader import load_yaml

__all__ = ["Parts", "YamlFile", "listed_parts", "other_yaml_files", "read_yaml_file", "yaml_in"]

LONGEST = 1_000_000
USUAL = ("data.yaml", "dataset.yaml", "data.yml", "dataset.yml")


class YamlFile(NamedTuple):
    """A data.yaml.

    Attributes:
        named: It names the classes.
        keypoints: Lines hold points behind the box, no outlines.
        places: "train", "val", "test" -> paths as they are written.
    """

    path: Path
    named: bool
    keypoints: bool
    places: dict[str, list[str]]


class Parts(NamedTuple):
    """What data.yaml or lists say.

    Attributes:
        folders: Folder relative to the root -> part.
        files: Picture relative to the root -> part.
    """

    folders: dict[str, str]
    files: dict[str, str]
    problems: list[Problem]

    @property
    def known(self) -> bool:
        """Whether they say anything."""
        return bool(self.folders or self.files)

    def of(self, picture: str) -> str:
        """The part of a picture; "" where it is not said."""
        if picture in self.files:
            return self.files[picture]
        above = (str(folder) for folder in PurePosixPath(picture).parents)
        return next((self.folders[folder] for folder in above if folder in self.folders), "")


def read_yaml_file(path: Path) -> YamlFile:
    """A data.yaml.

    Raises:
        DataError: It cannot be read, or describes no data set of YOLO.
    """
    content: Any = None
    try:
        content = load_yaml(read_text(path, limit=LONGEST).content)
    except (yaml_library.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise DataError(
            text("{p}:{n} is not valid YAML.", "{p}:{n} 不是有效的 YAML。", p=path, n=mark.line + 1 if mark else 1),
            do=text("Correct the file.", "请更正该文件。"),
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("names"), (list, dict)):
        raise DataError(
            text("{p} lists no names of classes.", "{p} 中没有类别名称列表。", p=path),
            do=text("Write names: [first, second].", "请写上 names: [第一类, 第二类]。"),
        )
    places: dict[str, list[str]] = {}
    for key, value in content.items():
        if isinstance(key, str) and key.casefold() in PARTS:
            listed = value if isinstance(value, list) else [value]
            places[PARTS[key.casefold()]] = [one for one in listed if isinstance(one, str)]
    base = content.get("path")
    if isinstance(base, str):
        places = {part: [os.path.join(base, one) for one in paths] for part, paths in places.items()}
    return YamlFile(path, bool(content["names"]), "kpt_shape" in content, places)


def yaml_in(folder: Path) -> YamlFile | None:
    """The data.yaml of a folder: of the usual name, or the only one that names classes and parts."""
    read = []
    files = files_in(folder, lambda name: name.casefold().endswith((".yaml", ".yml")))
    for file in sorted(files, key=lambda f: (*(name != f.name.casefold() for name in USUAL), f.name)):
        try:
            described = read_yaml_file(file)
        except DataError:
            continue
        if file.name.casefold() in USUAL:
            return described
        read.append(described)
    with_parts = [described for described in read if described.places.get("train")]
    return with_parts[0] if len(with_parts) == 1 else None


def other_yaml_files(folder: Path, used: YamlFile | None) -> list[Problem]:
    """Files of a folder that should describe the data set and are not used: they cannot be read, or another one is.

    Args:
        used: The one that is used, of this folder or of the one above.
    """
    beside = used is not None and used.path.parent == folder
    problems = []
    for file in files_in(folder, lambda name: name.casefold() in USUAL):
        if used is not None and file == used.path:
            continue
        try:
            described = read_yaml_file(file)
        except DataError as error:
            sentence = text("{f} is not used.", "未使用 {f}。", f=file.name) + error.what
            why = text("Its names of classes and its parts are not known.", "其中的类别名称与数据划分因此未知。")
            if used is not None:
                sentence = sentence + text("{u} is used.", "使用的是 {u}。", u=used.path.name if beside else used.path)
                why = None
            severity = "note" if beside else "warning"
            problems.append(Problem("data-yaml", sentence, (file.name,), severity=severity, why=why, do=error.do))
            continue
        if used is not None and (described.named or described.places):
            sentence = text(
                "{u} is used, {f} is not.",
                "使用的是 {u}，未使用 {f}。",
                u=used.path.name if beside else used.path,
                f=file.name,
            )
            do = text(
                "To use it, name it: weigh data {p}", "若要使用它，请直接给出：weigh data {p}", p=shlex.quote(str(file))
            )
            problems.append(Problem("data-yaml", sentence, (file.name,), severity="note", do=do))
    return problems


def listed_parts(folder: Path, yaml: YamlFile | None) -> Parts:
    """What data.yaml says of the pictures below `folder`, or lists of pictures in it (train.txt, val.txt, test.txt)."""
    folders: dict[str, str] = {}
    files: dict[str, str] = {}
    shared: list[str] = []
    absent: list[tuple[str, str]] = []
    lost: list[str] = []
    places = yaml.places if yaml else {}
    if not places:
        lists = files_in(folder, lambda name: name.casefold().endswith(".txt") and name.casefold()[:-4] in PARTS)
        places = {PARTS[file.stem.casefold()]: [file.name] for file in lists}
    for part in ("train", "val", "test"):
        for written in places.get(part, ()):
            inside = _inside(folder, written)
            if inside is None:
                absent += [(part, written)] if written.strip() else []
                continue
            if (folder / inside).is_dir():
                if folders.setdefault(inside, part) != part:
                    shared.append(inside)
            elif inside.casefold().endswith(".txt"):
                for line in map(str.strip, split_lines(read_text(folder / inside).content)):
                    picture = _inside(folder, line)
                    if picture is None:
                        lost += [line] if is_picture_name(line) else []
                    elif is_picture_name(picture) and files.setdefault(picture, part) != part:
                        shared.append(picture)
    return Parts(folders, files, _shared(shared) + _absent(yaml, folder, absent) + _lost(folder, lost))


def _inside(folder: Path, written: str) -> str | None:
    """The file or folder below `folder` that a written path ends with; None: there is none."""
    if not written or "\0" in written:
        return None
    pieces = [piece for piece in written.replace("\\", "/").split("/") if piece not in ("", ".", "..")]
    for start in range(len(pieces) + 1):
        place = PurePosixPath(*pieces[start:])
        if (start < len(pieces) or not pieces) and os.path.exists(folder / place):
            return str(place)
    return None


def _absent(yaml: YamlFile | None, folder: Path, absent: list[tuple[str, str]]) -> list[Problem]:
    if yaml is None or not absent:
        return []
    sentence = text(
        "Folders or lists that {y} names and that are not below {d}: {l}; not used.",
        "{y} 列出但不在 {d} 之下的文件夹或列表：{l}；未使用。",
        y=yaml.path.name,
        d=folder,
        l=", ".join(f"{part}: {written}" for part, written in absent),
    )
    do = text("Correct the paths, or delete these lines.", "请更正路径，或删除这些行。")
    return [Problem("missing", sentence, tuple(written for _, written in absent), do=do, numbers={"n": len(absent)})]


def _lost(folder: Path, lost: list[str]) -> list[Problem]:
    return set_aside_if_any(
        "missing",
        text(
            "Pictures that the lists of parts name and that are not below {d}: {n} (first: {f}); not used.",
            "各部分的列表中列出但不在 {d} 之下的图片：{n} 张（第一张：{f}），未使用。",
        ),
        lost,
        text("Correct the lists, or add the pictures.", "请更正列表，或补上图片。"),
        d=folder,
    )


def _shared(paths: list[str]) -> list[Problem]:
    if not paths:
        return []
    sentence = text(
        "Pictures or folders that are listed for several parts: {n} (first: {f}); the first of train, val and test counts.",
        "被列入多个部分的图片或文件夹：{n} 个（第一个：{f}）；以 train、val、test 中的第一个为准。",
        n=len(paths),
        f=paths[0],
    )
    why = text("A score on training pictures says nothing.", "在训练图片上的得分没有意义。")
    return [Problem("listed-twice", sentence, tuple(paths), severity="note", why=why, numbers={"n": len(paths)})]
