"""What is said of the values of masks: how they were named, which are ignored, which mean nothing.

Before it: `meaning.py` and `index.py` decided. After it: findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from weigh.data.masks.raster import colour_name
from weigh.data.pictures.class_table import ClassTable
from weigh.language import Text, first_names, text
from weigh.problem import Problem

__all__ = [
    "differing_tables",
    "ignored_note",
    "named_by_value",
    "numbered_objects",
    "palettes_differ",
    "smoothed_masks",
    "stray_values",
    "unknown_values",
    "without_pixels",
]

MOSTLY_GREY = 0.5  # share of pixels between black and white, from which on they are no edges
NAMED = 12  # names that a sentence lists


def first_few(names: Sequence[str]) -> str:
    """The first names, and whether there are more."""
    return first_names(names, NAMED)


def named_by_value(table: ClassTable | None, shown: Sequence[str], *, coloured: bool, told: bool) -> Problem:
    """What is said where nothing names the classes, which are then called by their values or colours.

    Args:
        told: The user said which values are ignored.
    """
    what = text("colours", "颜色") if coloured else text("values", "数值")
    sentence = text(
        "Classes are called by the {w} in the masks ({l}): no file names them.",
        "类别以掩码中的{w}命名（{l}）：没有文件给出名称。",
        w=what,
        l=first_few(shown),
    )
    if table is not None:
        sentence = text(
            "{s} names classes but not their colours, so classes are called by the colours in the masks ({l}).",
            "{s} 给出了类别名称但没有颜色，因此类别以掩码中的颜色命名（{l}）。",
            s=table.source,
            l=first_few(shown),
        )
    if shown == ["0", "255"]:
        sentence = sentence + text(
            "Both are classes; 255 is not ignored here.", "两者都是类别；此处 255 不作为忽略值。"
        )
    written = ", ".join(
        f"'{name}': {word}" if coloured else f"{name}: {word}" for name, word in zip(shown, "ab", strict=False)
    )
    do = text(
        'Name them: --set "data.classes={{{w}}}" (every value, with its name), or a classes.txt beside the masks.',
        '命名方式：--set "data.classes={{{w}}}"（写出每个取值及其名称），或在掩码旁放置 classes.txt。',
        w=written + (", …" if len(shown) > 2 else ""),
    )
    if not told and len(shown) > 2:
        do = do + text(
            "If one of them means that nothing is labelled there: --set data.ignore={i}",
            "若其中某个表示未标注：--set data.ignore={i}",
            i=shown[-1],
        )
    return Problem("values", sentence, severity="note", do=do, numbers={"classes": len(shown)})


def ignored_note(shown: Mapping[str, str], share: float, *, guessed: bool) -> Problem:
    """Values whose pixels are left out."""
    values = ", ".join(f"{value} ({name})" if name else value for value, name in shown.items())
    sentence = text(
        "Ignored pixels ({v}): {p} % of all; neither trained on nor scored.",
        "忽略的像素（{v}）：占全部的 {p} %；不参与训练，也不计分。",
        v=values,
        p=f"{100 * share:.1f}",
    )
    if not share:
        sentence = text("data.ignore: no mask holds {v}.", "data.ignore：没有掩码含有 {v}。", v=values)
        return Problem("ignored", sentence, do=text("Check the values.", "请检查取值。"), numbers={"percent": 0})
    if not guessed:
        return Problem("ignored", sentence, severity="note", numbers={"percent": round(100 * share, 1)})
    keep = ", ".join(shown)
    return Problem(
        "ignored",
        sentence + text("That was guessed.", "这是推测的。"),
        why=text(
            "A class that is ignored cannot be learned; an unlabelled border that is not ignored counts as errors.",
            "被忽略的类别无法学习；未忽略的无标注边缘会被算作错误。",
        ),
        do=text(
            'If that is right: --set "data.ignore=[{k}]" says so. If these are classes: --set data.ignore=[]',
            '若正确：用 --set "data.ignore=[{k}]" 确认。若它们是类别：--set data.ignore=[]',
            k=keep if "," not in next(iter(shown)) else f"'{next(iter(shown))}'",
        ),
        numbers={"percent": round(100 * share, 1)},
    )


def without_pixels(names: Sequence[str], of: int, source: str) -> Problem:
    """Classes of the table that occur in no mask."""
    return Problem(
        "absent-class",
        text(
            "Classes of {s} without a pixel: {k} of {n}: {l}; left out.",
            "{s} 中没有任何像素的类别：{n} 个中有 {k} 个：{l}；未使用。",
            s=source,
            k=len(names),
            n=of,
            l=first_few(names),
        ),
        severity="note",
        numbers={"classes": len(names), "of": of},
    )


def palettes_differ(code: int, two: Sequence[tuple[int, str]], codes: int) -> Problem:
    """Index files in which the same index has different colours."""
    (one_colour, one), (other_colour, other) = two
    return Problem(
        "palettes",
        text(
            "Index masks whose palettes differ: index {i} is {a} in {f} and {b} in {g} (indices that differ: {n}).",
            "索引掩码的调色板不一致：索引 {i} 在 {f} 中是 {a}，在 {g} 中是 {b}（不一致的索引共 {n} 个）。",
            i=code,
            a=colour_name(one_colour),
            f=one,
            b=colour_name(other_colour),
            g=other,
            n=codes,
        ),
        (one, other),
        severity="error",
        why=text("One index may be another class in every file.", "同一索引在不同文件中可能是不同的类别。"),
        do=text(
            "If the index counts: --set \"data.classes={{0: sky, 1: road}}\". If the colour counts: --set \"data.classes={{'{a}': sky, '{b}': road}}\"",
            "若以索引为准：--set \"data.classes={{0: 天空, 1: 道路}}\"。若以颜色为准：--set \"data.classes={{'{a}': 天空, '{b}': 道路}}\"",
            a=colour_name(one_colour),
            b=colour_name(other_colour),
        ),
        numbers={"indices": codes},
    )


def unknown_values(
    rows: tuple[dict[str, Any], ...], masks: list[str], pixels: int, source: Text, *, coloured: bool
) -> Problem:
    """Pixels whose value is in no table: ignored, counted, named; an error where they are the larger part."""
    count = sum(row["pixels"] for row in rows)
    largest = sorted(rows, key=lambda row: -row["pixels"])
    first = largest[0]
    return Problem(
        "unknown-value",
        text(
            "{w} that are not in {s}: {k} ({l}), {p} {p:|pixel|pixels} in {m} {m:|mask|masks} ({q} % of all); ignored. Most of them: {v} in {f}.",
            "{s} 中没有的{w}：{k} 种（{l}），涉及 {m} 个掩码的 {p} 个像素（占 {q} %），已忽略。最多的是 {f} 中的 {v}。",
            w=Text("Colours", "颜色") if coloured else Text("Values", "数值"),
            s=source,
            k=len(rows),
            l=first_names((f"{row['value']}" for row in largest), 5),
            p=count,
            m=len(masks),
            q=f"{100 * count / max(pixels, 1):.2g}",
            v=first["value"],
            f=first["first"],
        ),
        tuple(masks),
        severity="error" if count * 2 > pixels else "warning",
        why=text(
            "Blurred or JPEG masks hold such values at every border; a wrong table leaves whole classes out.",
            "经过平滑或 JPEG 压缩的掩码在边缘处会出现这类取值；类别表有误则会漏掉整个类别。",
        ),
        do=text(
            "Correct the masks, or name these values in the table: --set data.classes=FILE",
            "请更正掩码，或在类别表中补上这些取值：--set data.classes=文件",
        ),
        numbers={"values": len(rows), "pixels": count, "masks": len(masks)},
        details=rows,
    )


def smoothed_masks(values: int, share: float, first: str) -> Problem:
    """Masks of black and white with much in between."""
    what = text("these look like pictures in grey.", "看起来是灰度图片。") if share > MOSTLY_GREY else text("edges were smoothed.", "边缘被平滑过。")  # fmt: skip
    return Problem(
        "smoothed-mask",
        text(
            "Masks of 0 and 255 with {k} values in between, {p} % of all pixels (first: {f}): {w}",
            "0 与 255 的掩码中夹杂 {k} 种中间值，占全部像素的 {p} %（第一个：{f}）：{w}",
            k=values,
            p=f"{100 * share:.1f}",
            f=first,
            w=what,
        ),
        (first,),
        severity="error",
        why=text("Every value would become a class.", "每种取值都会被当作一个类别。"),
        do=text(
            'Scale masks without smoothing (nearest neighbour). To ignore these pixels: --set "data.classes={0: a, 255: b}"',
            '缩放掩码时请勿平滑（使用最近邻）。若要忽略这些像素：--set "data.classes={0: a, 255: b}"',
        ),
        numbers={"values": values, "percent": round(100 * share, 1)},
    )


def numbered_objects(largest: int, masks: int) -> Problem:
    """Each mask counts from 0 or 1 without a gap, and each to another number."""
    return Problem(
        "numbered-objects",
        text(
            "The values of each of the {n} masks run from 0 or 1 without a gap, to another number in each (at most {k}): they look like numbers of "
            "objects, not classes.",
            "{n} 个掩码的取值都从 0 或 1 起连续排列，且各自的最大值不同（最大 {k}）：看起来是目标编号，而不是类别。",
            n=masks,
            k=largest,
        ),
        severity="error",
        why=text("The first object of every picture would be one class.", "每张图片的第一个目标会被当作同一个类别。"),
        do=text(
            'Give masks in which every class has one value. If these are classes, name them: --set "data.classes={0: a, 1: b}" (every value, with its '
            "name)",
            '请提供每个类别一个数值的掩码。若它们确实是类别，请命名：--set "data.classes={0: a, 1: b}"（写出每个取值及其名称）',
        ),
        numbers={"largest": largest, "masks": masks},
    )


def stray_values(rows: Sequence[tuple[str, int, str]]) -> Problem:
    """Classes, named by nothing, of a few pixels in a few masks: (value, pixels, first mask)."""
    value, pixels, first = rows[0]
    return Problem(
        "stray-value",
        text(
            "Values of hardly any pixel, each a class now: {k} ({l}; first: {v}, {p} pixels in {f}).",
            "几乎没有像素的取值，目前各算一个类别：{k} 种（{l}；第一个：{v}，{f} 中的 {p} 个像素）。",
            k=len(rows),
            l=first_few([row[0] for row in rows]),
            v=value,
            p=pixels,
            f=first,
        ),
        tuple(dict.fromkeys(row[2] for row in rows)),
        why=text("A slip of the pen would be a class of its own.", "误标的像素会成为单独的类别。"),
        do=text(
            'If they are no classes, correct the masks, or: --set "data.ignore=[{v}]"',
            '若它们不是类别，请更正掩码，或：--set "data.ignore=[{v}]"',
            v=", ".join(f"'{row[0]}'" if "," in row[0] else row[0] for row in rows),
        ),
        numbers={"values": len(rows), "pixels": sum(row[1] for row in rows)},
        details=tuple({"value": v, "pixels": p, "first": f} for v, p, f in rows),
    )


def differing_tables(
    training: ClassTable, own: ClassTable, address: str, differing: Mapping[str, tuple[str, str]]
) -> Problem:
    """A further source whose own table of classes contradicts that of the training masks.

    Args:
        differing: Value or colour -> its class by the two tables.
    """
    value, (trained, here) = next(iter(differing.items()))
    return Problem(
        "class-ids",
        text(
            "{f} of {p} names values of masks otherwise than {g} of the training masks does: {n} (first: {v} is {x} there, and {y} in training).",
            "{p} 的 {f} 与训练掩码的 {g} 对掩码取值的命名不同：{n} 处（第一处：{v} 在前者中是 {x}，在训练中是 {y}）。",
            f=own.source,
            p=address,
            g=training.source,
            n=len(differing),
            v=value,
            x=here,
            y=trained,
        ),
        severity="error",
        why=text(
            "Right answers would count as wrong, and wrong ones as right.", "否则正确的回答会被判错，错误的会被判对。"
        ),
        do=text(
            "Write the masks with the values of the training masks; or, if only the file is wrong, name one for all: --set data.classes=FILE",
            "请按训练掩码的取值写出这些掩码；若只是文件有误，请为全部掩码指定同一个文件：--set data.classes=文件",
        ),
        numbers={"n": len(differing)},
        details=tuple({"value": v, "training": x, "here": y} for v, (x, y) in differing.items()),
    )
