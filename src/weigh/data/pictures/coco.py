"""COCO files as pictures with objects, whatever is drawn of them: which files of a folder, which part, which picture on disk, which class by name.

Before it: a .json file, or a folder that holds some. After it: outlines (`masks/coco.py`), boxes (`boxes/coco.py`). Ids are compared as text, since
programs write 7, "7" and 7.0; what an id leads to twice, or to nothing, is named.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from weigh.data.names import compose
from weigh.data.pictures.class_table import shifted_numbers
from weigh.data.pictures.pairing import folder_role
from weigh.data.rows.listing import PARTS, Listing, natural_key, set_aside, set_aside_if_any
from weigh.data.rows.paths import Resolver, found_otherwise
from weigh.data.rows.trees import files_in, subfolders
from weigh.errors import DataError
from weigh.files import open_regular, read_json
from weigh.language import text
from weigh.problem import Problem

__all__ = ["CocoFile", "CocoPicture", "CocoSource", "coco_files", "coco_source", "coco_sources", "id_of", "is_coco", "list_coco", "read_coco", "unused_coco_files"]  # fmt: skip

SMALL, LOOKED_INTO = 4_000_000, 1_000_000  # bytes
MOST_FILES = 50  # .json files in one folder: more are one for each picture
SAMPLE = 50  # pictures that show where those of a part lie
LOOKED_AT = 1000  # objects that show what a file holds
LONGEST_SIDE = 10  # digits
USUAL = "instances"  # the file of objects, among those of captions, keypoints and stuff


class CocoSource(NamedTuple):
    """What is in a .json file, and the part that its name or its folder says."""

    file: Path
    part: str
    content: Any


class CocoObject(NamedTuple):
    """One annotation.

    Attributes:
        where: "annotation 17".
        category: The name of its class; None: it has none.
        content: As it is written.
    """

    where: str
    category: str | None
    content: dict[str, Any]

    @property
    def crowd(self) -> bool:
        """Whether it is a region of many objects (iscrowd), which programs write as 1, true or "1"."""
        return self.content.get("iscrowd") in (1, True, "1")


class CocoPicture(NamedTuple):
    """A picture that a file names; width and height are None where they are no numbers; ids are text (`id_of`)."""

    id: str

    file: str
    width: int | None
    height: int | None
    objects: tuple[CocoObject, ...]

    def place(self, item: CocoObject) -> str:
        """Where an object stands, for people."""
        return f"{self.file} ({item.where})"


class CocoFile(NamedTuple):
    """One file.

    Attributes:
        name: Of the file, as people are shown it.
        categories: Id -> name, in the order of the ids.
    """

    path: Path
    name: str
    pictures: list[CocoPicture]
    categories: dict[str, str]
    problems: list[Problem]


class ListedFile(NamedTuple):
    """One file, and those of its pictures that are on disk, by their paths."""

    file: CocoFile
    pictures: dict[str, CocoPicture]


class CocoListing(NamedTuple):
    """Pictures that are on disk: a row of `listing` for each, file by file."""

    listing: Listing
    files: list[ListedFile]


def coco_source(file: Path, part: str = "train") -> CocoSource:
    """A file that a person named.

    Raises:
        DataError: It is not JSON.
    """
    return CocoSource(file, part, read_json(file))


def coco_sources(folder: Path, key: str) -> list[CocoSource]:
    """Files of a folder, of its annotations/ or of those of its parts, whose objects have `key` ("bbox")."""
    sources = (one._replace(content=read_json(one.file)) for one in coco_files(folder))
    return [source for source in sources if _holds(source.content, key)]


def coco_files(folder: Path) -> list[CocoSource]:
    """COCO files of a folder, of its annotations/ or of those of its parts, whatever their objects hold; not read yet."""
    sources = _every_coco_file(folder)
    return [source for source in sources if USUAL in source.file.stem.casefold()] or sources


def _every_coco_file(folder: Path) -> list[CocoSource]:
    places = [(folder, "")]
    for inner in subfolders(folder):
        part, role = folder_role(inner.name)
        if part or role == "labels":
            places.append((inner, part))
    sources = []
    for place, part in places:
        files = files_in(place, lambda name: name.casefold().endswith(".json"))
        for file in sorted(files, key=lambda f: natural_key(f.name)) if len(files) <= MOST_FILES else ():
            if is_coco(file):
                sources.append(CocoSource(file, _part_of(file.stem) or part or "train", None))
    return sources


def unused_coco_files(folder: Path, used: Iterable[CocoSource]) -> list[Problem]:
    """A note on the COCO files of a folder that are not among those that are used."""
    taken = {source.file for source in used}
    left = [one.file.relative_to(folder).as_posix() for one in _every_coco_file(folder) if one.file not in taken]
    sentence = text(
        "COCO files of the folder that are not read with it: {n} (first: {f}).",
        "该文件夹中未一并读取的 COCO 文件：{n} 个（第一个：{f}）。",
    )
    do = text(
        "Where some are called instances, those are read, of them those with such objects. To read another one, give its path.",
        "若有名为 instances 的文件，则只读取其中含有此类对象的文件。要读取其他文件，请直接给出其路径。",
    )
    return set_aside_if_any("other-files", sentence, left, do, severity="note")


def is_coco(path: Path) -> bool:
    """Whether a JSON file has the keys of COCO; large files are judged by their first and last megabyte."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size <= SMALL:
                content = json.loads(file.read())
                return isinstance(content, dict) and "images" in content and _has_objects(content)
            head = file.read(LOOKED_INTO)
            file.seek(max(size - LOOKED_INTO, 0))
            ends = head + file.read()
        return b'"image_id"' in ends and (b'"bbox"' in ends or b'"segmentation"' in ends)
    except (OSError, ValueError, RecursionError, DataError):
        return False


def _has_objects(content: dict) -> bool:
    """Whether annotations are objects, or none, of some categories."""
    objects = content.get("annotations")
    return (
        bool(content.get("categories"))
        if objects == []
        else any(_holds(content, key) for key in ("bbox", "segmentation", "category_id"))
    )


def _holds(content: Any, key: str) -> bool:
    objects = content.get("annotations") if isinstance(content, dict) and "images" in content else None
    return isinstance(objects, list) and any(isinstance(o, dict) and o.get(key) for o in objects[:LOOKED_AT])


def _part_of(stem: str) -> str:
    words = re.findall(r"[a-z]+", stem.casefold())
    return next((PARTS[word] for word in words if word in PARTS), "")


def list_coco(sources: Sequence[CocoSource], root: Path) -> CocoListing:
    """The pictures of all files that exist below `root`, each once; the others are named.

    Raises:
        DataError: One of them is no such file.
    """
    root = Path(os.path.abspath(root))
    listed = CocoListing(Listing(root=root), [])
    problems, taken = listed.listing.problems, set()
    for source in sources:
        content = read_coco(source, root)
        on_disk: dict[str, CocoPicture] = {}
        listed.files.append(ListedFile(content, on_disk))
        problems += content.problems
        names = [picture.file for picture in content.pictures]
        within = _folder_of_part(root, source, names)
        resolver = Resolver(root, [within + name for name in names], beside=source.file.parent)
        places = [resolver.find(within + name) for name in names]
        missing = [name for name, place in zip(names, places, strict=True) if place.path is None]
        problems += _missing(source.file, missing, len(names), resolver)
        otherwise = [(within + name, p.path) for name, p in zip(names, places, strict=True) if p.otherwise and p.path]
        problems += found_otherwise(otherwise, len(names), content.name)
        again: list[str] = []
        for picture, place in zip(content.pictures, places, strict=True):
            if place.path is None:
                continue
            if place.path in taken:
                again.append(place.path)
                continue
            taken.add(place.path)
            order = (natural_key(PurePosixPath(place.path).name), natural_key(place.path))
            listed.listing.add(place.path, "", part=source.part, order=order)
            on_disk[place.path] = picture
        problems += _again(source.file, again)
    return listed


def _folder_of_part(root: Path, source: CocoSource, names: Sequence[str]) -> str:
    """ "train2017/", where most pictures of a part lie in a folder that is called so; two parts may use the same names."""
    words = [source.file.stem.rpartition("_")[2], *(word for word, part in PARTS.items() if part == source.part)]
    sample = [name for name in names if ".." not in name and not os.path.isabs(name)][:SAMPLE]
    for folder in (f"{above}{word}" for above in ("", "images/") for word in words):
        if sum(os.path.isfile(os.path.join(root, folder, name)) for name in sample) * 2 > len(sample):
            return f"{folder}/"
    return ""


def read_coco(source: CocoSource, root: Path) -> CocoFile:
    """All pictures of a file, whether they are on disk or not; `root` is what its name is told from.

    Raises:
        DataError: It is no such file.
    """
    file, content = source.file, source.content
    file_name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
    lists = [content.get(k) if isinstance(content, dict) else None for k in ("images", "annotations", "categories")]
    if not all(isinstance(rows, list) and all(isinstance(row, dict) for row in rows) for rows in lists):
        raise DataError(
            text(
                "{f} is no COCO file: it lacks lists of images, annotations or categories.",
                "{f} 不是 COCO 文件：缺少 images、annotations 或 categories 列表。",
                f=file,
            ),
            do=text(
                "Give a file with images, annotations and categories.",
                "请提供含 images、annotations 和 categories 的文件。",
            ),
        )
    images, annotations, categories = lists
    names, problems = _categories(file, categories)
    of_id: dict[str, list[dict]] = {}
    for image in images:
        of_id.setdefault(id_of(image.get("id")), []).append(image)
    unclear = {key: rows for key, rows in of_id.items() if len({_file_name(row) for row in rows}) > 1}
    used = Counter(id_of(annotation.get("category_id")) for annotation in annotations)
    do = text("Correct category_id, or the ids of the categories.", "请更正 category_id，或更正 categories 的编号。")
    problems += shifted_numbers(used, names, file.name, do)
    objects: dict[str, list[CocoObject]] = {}
    astray = []
    for number, annotation in enumerate(annotations):
        image, category = id_of(annotation.get("image_id")), id_of(annotation.get("category_id"))
        where = f"annotation {id_of(annotation.get('id')) or number}"
        if not image or image not in of_id:
            astray.append(f"{file.name} ({where})")
        else:
            objects.setdefault(image, []).append(CocoObject(where, names.get(category), annotation))
    pictures = [
        CocoPicture(key, _file_name(rows[0]), *_size(rows[0]), tuple(objects.get(key, ())))
        for key, rows in of_id.items()
        if key not in unclear
    ]
    unclear_files = [_file_name(row) for rows in unclear.values() for row in rows]
    problems += _unclear(file, unclear_files) + _astray(file, astray, len(annotations))
    return CocoFile(file, file_name, pictures, names, problems)


def _categories(file: Path, categories: Iterable[dict]) -> tuple[dict[str, str], list[Problem]]:
    """Id -> name; an id of several names is left out and named."""
    named: dict[str, set[str]] = {}
    for category in categories:
        key = id_of(category.get("id"))
        name = category.get("name")
        written = " ".join(compose(name).split()) if isinstance(name, str) else id_of(name)
        if key:
            named.setdefault(key, set()).add(written or key)
    twice = {key: sorted(names) for key, names in named.items() if len(names) > 1}
    names = {key: named[key].copy().pop() for key in sorted(named, key=natural_key) if key not in twice}
    if not twice:
        return names, []
    key, several = next(iter(twice.items()))
    sentence = text(
        "Ids of {f} that stand for several classes: {n} (first: {k} is {c}); objects of these ids are of no class.",
        "{f} 中有 {n} 个编号对应多个类别（第一个：{k} 为 {c}），这些编号的目标不属于任何类别。",
        f=file.name,
        n=len(twice),
        k=key,
        c=", ".join(several),
    )
    do = text("Give each category an id of its own.", "请为每个类别使用各自的编号。")
    return names, [Problem("class-ids", sentence, (file.name,), do=do, numbers={"n": len(twice)})]


def id_of(value: Any) -> str:
    """An id as text: 7, "7" and 7.0 are the same; "" for what is no id."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else ""
    return str(value).strip() if isinstance(value, (int, str)) else ""


def _file_name(image: dict) -> str:
    name = image.get("file_name")
    return name if isinstance(name, str) and name else id_of(image.get("id")) or "?"


def _size(image: dict) -> tuple[int | None, int | None]:
    width, height = (_side(image.get(side)) for side in ("width", "height"))
    return (width, height) if width and height else (None, None)


def _side(value: Any) -> int:
    """Pixels; 640, 640.0 and "640" are the same, as for ids; 0 for what is no whole number above 0."""
    written = id_of(value)
    return int(written) if len(written) < LONGEST_SIDE and written.isdecimal() else 0


# Problems -----------------------------------------------------------------------------------------------------------


def _missing(file: Path, missing: list[str], of: int, resolver: Resolver) -> list[Problem]:
    if not missing:
        return []
    sentence = text(
        "Pictures that {j} names and that do not exist: {n} of {t} (first: {f}); set aside.",
        "{j} 中有 {n} 张图片不存在（共 {t} 张，第一张：{f}），已搁置。",
        j=file.name,
        n=len(missing),
        t=of,
        f=missing[0],
    )
    return [set_aside("missing", sentence, missing, resolver.remedy(missing[0]), more={"pictures": of})]


def _again(file: Path, again: list[str]) -> list[Problem]:
    if not again:
        return []
    sentence = text(
        "Pictures that {j} names again: {n} (first: {f}); only the first entry of each is used.",
        "{j} 重复列出的图片：{n} 张（第一张：{f}），每张只使用第一条。",
        j=file.name,
        n=len(again),
        f=again[0],
    )
    do = text("Let each picture stand in one file, once.", "请让每张图片只出现在一个文件中，且只出现一次。")
    return [set_aside("repeated-row", sentence, again, do)]


def _unclear(file: Path, pictures: list[str]) -> list[Problem]:
    if not pictures:
        return []
    sentence = text(
        "Pictures of {j} that share an id with another one: {n} (first: {f}); set aside.",
        "{j} 中有 {n} 张图片与其他图片共用编号（第一张：{f}），已搁置。",
        j=file.name,
        n=len(pictures),
        f=pictures[0],
    )
    why = text("It cannot be told whose the objects are.", "无法判断目标属于哪张图片。")
    return [set_aside("repeated-id", sentence, pictures, text("Give each picture an id of its own.", "请为每张图片使用各自的编号。"), why=why)]  # fmt: skip


def _astray(file: Path, astray: list[str], of: int) -> list[Problem]:
    if not astray:
        return []
    sentence = text(
        "Annotations of {f} whose picture it does not list: {n} of {t} (first: {o}); not used.",
        "{f} 的 {t} 条标注中有 {n} 条所指的图片未列出（第一条：{o}），未使用。",
        f=file.name,
        n=len(astray),
        t=of,
        o=astray[0],
    )
    return [set_aside("annotation", sentence, astray, text("Correct image_id.", "请更正 image_id。"))]
