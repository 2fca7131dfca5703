"""Pictures that are odd: probable placeholders, and everything that had to be converted.

Before it: facts on every picture. After it: `checks.py` collects the problems.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import numpy as np

from weigh.data.examples import Examples
from weigh.data.pictures.facts import Facts
from weigh.language import Text, text
from weigh.problem import Problem

__all__ = ["find_odd_pictures", "find_placeholders"]

SIGNS = {
    "one colour": text("one colour", "单色"),
    "few colours": text("few colours", "颜色极少"),
    "other format": text("a file format of its own", "文件格式与众不同"),
    "much smaller": text("far smaller than the others", "远小于其他图片"),
    "name": text("its name", "文件名"),
}
NAMES = ("notfound", "not_found", "not-found", "noimage", "no_image", "no-image", "placeholder", "unavailable")


def find_placeholders(examples: Examples, facts: Sequence[Facts]) -> list[Problem]:
    """Pictures that look like a web page's "image not found": unlike the rest of the data set in two ways or more.

    Signs: one colour; few colours where the others have many; a format that at most one file in a hundred has; far
    smaller; a telling name. A picture of one colour is named on that sign alone where others are not so.
    """
    n = len(facts)
    colours = np.array([f.colours for f in facts])
    areas = np.array([f.width * f.height for f in facts], dtype=float)
    formats = Counter(f.format for f in facts)
    many_colours, usual_area = np.median(colours) >= 64, np.median(areas)
    usually_flat = np.mean([f.colours <= 1 for f in facts]) > 0.2
    blank: list[tuple[int, list[str]]] = []
    for i, fact in enumerate(facts):
        signs = []
        if fact.colours <= 1 and not usually_flat:
            signs.append("one colour")
        elif many_colours and fact.colours <= 24:
            signs.append("few colours")
        if n >= 50 and formats[fact.format] <= max(1, 0.01 * n):
            signs.append("other format")
        if n >= 10 and areas[i] * 25 < usual_area:
            signs.append("much smaller")
        name = PurePosixPath(str(examples.path[i])).stem.casefold()
        if any(word in name for word in NAMES):
            signs.append("name")
        if len(signs) >= 2 or "one colour" in signs:
            blank.append((i, signs))
    if not blank:
        return []
    return [
        Problem(
            "placeholder",
            text(
                "Possible placeholders rather than photos: {n} of {t} files: {f}.",
                "{t} 个文件中有 {n} 个疑似占位图而非照片：{f}。",
                n=len(blank),
                t=n,
                f=text(
                    "{e}",
                    "{z}",
                    e="; ".join(
                        f"{examples.path[i]} ({', '.join(SIGNS[s].en for s in signs)})" for i, signs in blank[:3]
                    )
                    + ("; …" if len(blank) > 3 else ""),
                    z="；".join(
                        f"{examples.path[i]}（{'、'.join(SIGNS[s].zh for s in signs)}）" for i, signs in blank[:3]
                    )
                    + ("；……" if len(blank) > 3 else ""),
                ),
            ),
            tuple(str(examples.path[i]) for i, _ in blank),
            why=text("A label on a placeholder teaches the wrong thing.", "占位图上的标签会误导学习。"),
            do=text("Look at them; delete what is no photo of its class.", "请查看并删除不属于该类别的图片。"),
            numbers={"n": len(blank), "files": n},
            details=tuple(
                {"path": str(examples.path[i]), "class": examples.quote(i), "signs": ", ".join(signs)}
                for i, signs in blank
            ),
        )
    ]


def find_odd_pictures(examples: Examples, facts: Sequence[Facts]) -> list[Problem]:
    """Notes on what was converted. A property that all pictures share is no oddity, but is still said once."""
    oddities: list[tuple[str, Text, Callable[[Facts], bool]]] = [
        (
            "grey",
            text("grey, repeated in three channels", "灰度图，复制为三个通道"),
            lambda f: f.mode in ("L", "1", "LA", "I;16"),
        ),
        (
            "palette",
            text("palette colours, converted to RGB", "调色板颜色，已转换为 RGB"),
            lambda f: f.mode in ("P", "PA"),
        ),
        ("alpha", text("with an alpha channel, put on white", "含透明通道，已置于白底"), lambda f: f.transparent),
        ("CMYK", text("CMYK, converted to RGB", "CMYK，已转换为 RGB"), lambda f: f.mode in ("CMYK", "YCCK")),
        ("16 bit", text("16 bits, scaled to 8", "16 位，已缩放为 8 位"), lambda f: f.deep),
        ("rotated", text("turned as their EXIF data ask", "已按 EXIF 信息旋转"), lambda f: f.rotated),
        (
            "animated",
            text("animations, of which the first frame is used", "动画，只使用第一帧"),
            lambda f: f.frames > 1,
        ),
    ]
    problems = []
    for name, words, holds in oddities:
        rows = [i for i, f in enumerate(facts) if holds(f)]
        if not rows:
            continue
        problems.append(
            Problem(
                "odd-picture",
                text("{n} of {t} pictures: {w}.", "{t} 张图片中有 {n} 张：{w}。", n=len(rows), t=len(facts), w=words),
                tuple(str(examples.path[i]) for i in rows),
                severity="note",
                numbers={"n": len(rows), "pictures": len(facts)},
                details=tuple(
                    {"oddity": name, "class": c, "pictures": k} for c, k in sorted(_per_class(examples, rows).items())
                ),
            )
        )
    return problems


def _per_class(examples: Examples, rows: Sequence[int]) -> Counter[str]:
    """How often per class: an oddity of one class only is something a model may learn instead of the class."""
    return Counter(examples.quote(i) for i in rows)
