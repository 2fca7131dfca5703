"""What the values of masks mean: which are classes, how they are called, which pixels are ignored; for all masks of a source together.

Before it: masks as they are written (`raster.py`) and the table of classes (`pictures/class_table.py`). After it: `index.py` makes targets. What is guessed
is said, with the setting that says otherwise; a value that no table names is counted and named, never taken for a class.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from weigh.data.masks.raster import OTHER, Raster, colour_name
from weigh.data.masks.value_words import (
    ignored_note,
    named_by_value,
    numbered_objects,
    palettes_differ,
    smoothed_masks,
    stray_values,
    unknown_values,
    without_pixels,
)
from weigh.data.pictures.class_table import ClassTable, as_colour, pack_colour
from weigh.errors import DataError
from weigh.language import Text, first_names, text
from weigh.problem import Problem

__all__ = ["Meaning", "codes_in", "contradicting", "decide_meaning", "unnamed"]

VOID_NAMES = frozenset(("void", "ignore", "ignored", "unlabelled", "unlabeled", "dontcare", "don't care", "unknown"))
VOC_BORDER = pack_colour(224, 224, 192)
# Classes of masks without a table: more colours are blurred edges, more numbers are numbers of objects.
MOST_COLOURS, MOST_NUMBERS = 64, 256
# n different values are indices of classes if the largest is below DENSE * n and below n + HOLES; otherwise they are levels of grey.
DENSE, HOLES = 4, 24
MOST_INDICES = 200  # more values side by side are levels of grey, and 255 is the brightest of them
# Values between black and white are the edges of a smoothed mask if there are SMOOTHED of them, or three on less than this share of all pixels.
SMOOTHED, EDGES = 8, 0.1
# A value in few masks that fewer than this share of all pixels have is told to the user: it may be a mistake.
STRAY = 1e-4


class Meaning(NamedTuple):
    """How codes of masks are read.

    Attributes:
        coloured: Codes are colours.
        names: Code -> class; None: ignored. Codes that are not in it are of no known class.
        classes: In their order.
        ignored: Names of the classes that are ignored.
    """

    coloured: bool
    names: Mapping[int, str | None]
    classes: tuple[str, ...]
    ignored: frozenset[str] = frozenset()

    def of_table(self, table: ClassTable) -> Meaning:
        """What the values of a further source mean that numbers its classes itself (COCO): the class of the same name.

        What no object covers is one class, however each source writes "background".
        """
        known = {name.casefold(): name for name in (*self.classes, *self.ignored)}
        names = [entry.name for entry in table.entries]
        names[:1] = [known.get(name.casefold(), name) for name in names[:1]]
        by_value = {i: None if name in self.ignored else name for i, name in enumerate(names)}
        return Meaning(coloured=False, names=by_value, classes=self.classes, ignored=self.ignored)


class _Seen(NamedTuple):
    """Pixels and masks in which each code occurs, and the first of these masks."""

    pixels: Counter[int]
    masks: Counter[int]
    first: dict[int, str]


def codes_in(raster: Raster, *, coloured: bool) -> tuple[int, ...]:
    """The codes of a mask as values or as colours: grey stands for a colour, and an index for the colour of its palette."""
    if coloured == raster.coloured:
        return raster.codes
    if not coloured:
        return tuple(OTHER + code for code in raster.codes)
    if raster.palette:
        return raster.palette
    return tuple(pack_colour(c, c, c) if c < 256 else OTHER + c for c in raster.codes)


def decide_meaning(
    rasters: Mapping[str, Raster], table: ClassTable | None, ignore: Sequence[str] | None
) -> tuple[Meaning, list[Problem]]:
    """What the values in all masks of the training source mean.

    Args:
        rasters: By the name of the mask.
        ignore: What the user says (`data.ignore`); None: it is told from the masks.

    Raises:
        DataError: A table or a setting that does not fit the masks, or too many values.
    """
    coloured, problems = _by_colour(rasters, table)
    seen = _count(rasters, coloured=coloured)
    named = _from_table(table, seen, coloured=coloured)
    ignored, guessed = _ignored(seen, named, ignore, coloured=coloured)
    names: dict[int, str | None] = dict(named)
    if not named:
        left = sorted(code for code in seen.pixels if code not in ignored)
        _refuse_many(left, coloured=coloured)
        shown = [_called(code, coloured=coloured) for code in left]
        names = dict(zip(left, shown, strict=True))
        problems += _doubtful(rasters, seen, left, coloured=coloured)
        problems.append(named_by_value(table, shown, coloured=coloured, told=ignore is not None))
    names |= dict.fromkeys(ignored)
    if ignored:
        called = {_called(code, coloured=coloured): named.get(code) or "" for code in sorted(ignored)}
        share = sum(seen.pixels[code] for code in ignored) / max(seen.pixels.total(), 1)
        problems.append(ignored_note(called, share, guessed=guessed))
    classes = tuple(dict.fromkeys(name for name in names.values() if name is not None))
    present = {names.get(code) for code in seen.pixels}
    if table is not None and named and (absent := [name for name in classes if name not in present]):
        problems.append(without_pixels(absent, len(classes), table.source))
    left_out = frozenset(named[code] for code in ignored if code in named) - set(classes)
    return Meaning(coloured, names, classes, left_out), problems


def unnamed(rasters: Mapping[str, Raster], meaning: Meaning, source: Text) -> list[Problem]:
    """Pixels of values that mean nothing: which, how many, in which masks."""
    seen = _count(rasters, coloured=meaning.coloured)
    strange = sorted(code for code in seen.pixels if code not in meaning.names)
    if not strange:
        return []
    rows = tuple(
        {
            "value": _called(c, coloured=meaning.coloured),
            "pixels": seen.pixels[c],
            "masks": seen.masks[c],
            "first": seen.first[c],
        }
        for c in strange
    )
    holders = [p for p, r in rasters.items() if set(codes_in(r, coloured=meaning.coloured)) & set(strange)]
    return [unknown_values(rows, holders, seen.pixels.total(), source, coloured=meaning.coloured)]


def contradicting(training: ClassTable, own: ClassTable, *, coloured: bool) -> dict[str, tuple[str, str]]:
    """Values, or colours, that two tables name differently (but for capitals) -> their names by the one and by the other."""
    here = _keyed(own, coloured=coloured)
    return {
        key: (name, here[key])
        for key, name in _keyed(training, coloured=coloured).items()
        if key in here and here[key].casefold() != name.casefold()
    }


def _keyed(table: ClassTable, *, coloured: bool) -> dict[str, str]:
    """Value, or place where no value is written, of each class -> its name; or its colour."""
    if coloured:
        return {colour_name(entry.colour): entry.name for entry in table.entries if entry.colour is not None}
    if any(entry.value is not None for entry in table.entries):
        return {str(entry.value): entry.name for entry in table.entries if entry.value is not None}
    return {str(place): entry.name for place, entry in enumerate(table.entries)}


def _count(rasters: Mapping[str, Raster], *, coloured: bool) -> _Seen:
    pixels, masks, first = Counter(), Counter(), {}
    for name, raster in rasters.items():
        for code, count in zip(codes_in(raster, coloured=coloured), raster.mask.counts, strict=True):
            if count:  # a mask that was drawn from outlines has all codes, whether it holds them or not
                pixels[code] += count
                masks[code] += 1
                first.setdefault(code, name)
    return _Seen(pixels, masks, first)


def _by_colour(rasters: Mapping[str, Raster], table: ClassTable | None) -> tuple[bool, list[Problem]]:
    """Whether masks are read by colour: most are coloured, or palettes of index files are what the table names."""
    if sum(r.coloured for r in rasters.values()) * 2 > sum(r.coloured or len(r.codes) > 1 for r in rasters.values()):
        return True, []
    colours: dict[int, dict[int, str]] = defaultdict(dict)
    for name, raster in rasters.items():
        for code, colour in zip(raster.codes, raster.palette, strict=False):
            if colour < OTHER:
                colours[code].setdefault(colour, name)
    entries = () if table is None else table.entries
    in_table = {entry.colour for entry in entries if entry.colour is not None}
    if in_table and colours and {c for used in colours.values() for c in used} <= in_table | {VOC_BORDER}:
        return True, []
    different = {code: used for code, used in colours.items() if len(used) > 1}
    if different and all(entry.value is None for entry in entries):
        code = min(different)
        return False, [palettes_differ(code, list(different[code].items())[:2], len(different))]
    return False, []


def _from_table(table: ClassTable | None, seen: _Seen, *, coloured: bool) -> dict[int, str]:
    """Code -> class as the table says; empty where it cannot say it (names without colours, masks in colour)."""
    if table is None:
        return {}
    if coloured:
        return {entry.colour: entry.name for entry in table.entries if entry.colour is not None}
    if any(entry.value is not None for entry in table.entries):
        return {entry.value: entry.name for entry in table.entries if entry.value is not None}
    codes = sorted(seen.pixels)
    if len(table.entries) == len(codes) == 2 and codes[0] == 0:  # 0 and 255: the first and the second
        return {code: entry.name for code, entry in zip(codes, table.entries, strict=True)}
    return {i: entry.name for i, entry in enumerate(table.entries)}


def _ignored(
    seen: _Seen, named: Mapping[int, str], ignore: Sequence[str] | None, *, coloured: bool
) -> tuple[set[int], bool]:
    """Codes whose pixels are ignored, and whether that was guessed."""
    if ignore is not None:
        return {code for item in ignore for code in _asked(item, seen, named, coloured=coloured)}, False
    void = {code for code, name in named.items() if name.casefold() in VOID_NAMES and code in seen.pixels}
    if coloured:
        border = {VOC_BORDER} & seen.pixels.keys() - named.keys()
        return void | border, True
    top = 255 if max(seen.pixels, default=0) < 256 else 65_535
    others = seen.pixels.keys() - {top}
    dense = len(others) > 1 and max(others) < min(DENSE * len(others), len(others) + HOLES)
    indices = bool(named) or (dense and (top > 255 or len(others) <= MOST_INDICES))
    if top in seen.pixels and top not in named and others and indices:
        return void | {top}, True
    return void, True


def _asked(item: str, seen: _Seen, named: Mapping[int, str], *, coloured: bool) -> set[int]:
    """The codes that one entry of data.ignore stands for: a class by its name, a value, a colour."""
    by_name = {code for code, name in named.items() if name == item}
    colour = as_colour(item)
    if by_name:
        return by_name
    if coloured and colour is not None:
        return {colour}
    if item.strip().isdecimal():
        value = int(item)
        return {pack_colour(value, value, value)} if coloured and value < 256 else {value}
    if colour is not None:  # a colour, but masks hold values
        raise DataError(
            text(
                "data.ignore: {i} is a colour, but the masks hold values ({v}).",
                "data.ignore：{i} 是颜色，但掩码中是数值（{v}）。",
                i=item,
                v=_listed(sorted(seen.pixels), coloured=False),
            ),
            do=text(
                "Give a value: --set data.ignore={v}",
                "请给出数值：--set data.ignore={v}",
                v=max(seen.pixels, default=0),
            ),
        )
    known = ", ".join(dict.fromkeys(named.values())) or _listed(sorted(seen.pixels), coloured=coloured)
    raise DataError(
        text("data.ignore: there is no class '{i}'.", "data.ignore：没有类别“{i}”。", i=item),
        do=text("Classes: {k}.", "类别：{k}。", k=known),
    )


def _refuse_many(codes: Sequence[int], *, coloured: bool) -> None:
    if len(codes) <= (MOST_COLOURS if coloured else MOST_NUMBERS):
        return
    if coloured:
        raise DataError(
            text(
                "The masks hold {n} different colours, and nothing says which are classes.",
                "掩码中有 {n} 种不同的颜色，且没有说明哪些是类别。",
                n=len(codes),
            ),
            text(
                "Colours that smoothing or JPEG made would become classes.", "平滑或 JPEG 压缩产生的颜色会被当作类别。"
            ),
            text(
                "Put a class_dict.csv (name,r,g,b) or label_colors.txt beside the masks, or name it: --set data.classes=FILE",
                "请在掩码旁放置 class_dict.csv（name,r,g,b）或 label_colors.txt，或指明：--set data.classes=文件",
            ),
        )
    raise DataError(
        text(
            "The masks hold {n} different values (from {a} to {b}): these look like numbers of objects, not classes.",
            "掩码中有 {n} 种不同的数值（{a} 至 {b}）：看起来是目标编号，而不是类别。",
            n=len(codes),
            a=codes[0],
            b=codes[-1],
        ),
        do=text(
            'Give masks in which every class has one value, or say which values are classes: --set "data.classes={0: sky, 1: road}"',
            '请提供每个类别一个数值的掩码，或说明哪些数值是类别：--set "data.classes={0: 天空, 1: 道路}"',
        ),
    )


def _doubtful(rasters: Mapping[str, Raster], seen: _Seen, codes: Sequence[int], *, coloured: bool) -> list[Problem]:
    """Values that nothing names and that are probably no classes: smoothed edges, numbers of objects, stray pixels."""
    pixels = max(seen.pixels.total(), 1)
    between = [code for code in codes if code not in (0, 255)]
    share = sum(seen.pixels[code] for code in between) / pixels
    thin = len(between) > 2 and share < EDGES
    if not coloured and {0, 255} <= set(codes) and (len(between) >= SMOOTHED or thin):
        first = next(name for name, raster in rasters.items() if set(raster.codes) - {0, 255})
        return [smoothed_masks(len(between), share, first)]
    own = [codes_in(raster, coloured=coloured) for raster in rasters.values()]
    numbered = all(row[-1] - row[0] == len(row) - 1 and row[0] in (0, 1) for row in own)
    if not coloured and numbered and max(codes) >= 8 and len({row[-1] for row in own}) > 3:
        return [numbered_objects(max(codes), len(own))]
    stray = [c for c in codes if seen.pixels[c] < STRAY * pixels and seen.masks[c] * 10 <= len(rasters)]
    rows = [(_called(c, coloured=coloured), seen.pixels[c], seen.first[c]) for c in stray]
    return [stray_values(rows)] if rows and len(codes) - len(stray) > 1 else []


def _called(code: int, *, coloured: bool) -> str:
    if code >= OTHER:
        code, coloured = code - OTHER, not coloured
    return colour_name(code) if coloured else str(code)


def _listed(codes: Sequence[int], *, coloured: bool) -> str:
    return first_names((_called(c, coloured=coloured) for c in codes), 12)
