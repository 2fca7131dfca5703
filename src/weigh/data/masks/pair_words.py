"""What is said of pictures without masks, masks without pictures, and masks that say nothing; every file is named.

Before it: `pairs.py`, `index.py`. After it: findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from weigh.data.masks.pairs import LISTS, Pairs
from weigh.data.masks.raster import Raster
from weigh.data.pictures.pairing import problems_of_lists
from weigh.data.rows.listing import set_aside, set_aside_if_any
from weigh.errors import DataError
from weigh.kinds.masks import MaskRow
from weigh.language import Text, text
from weigh.problem import Problem

__all__ = ["lonely_files", "lossy_masks", "no_masks", "shared_masks", "unreadable_masks", "unusual_masks"]


def lonely_files(pairs: Pairs) -> list[Problem]:
    """Files of a folder that belong to no pair."""
    several = [path for files in pairs.several for path in files]
    return [
        *set_aside_if_any(
            "no-mask",
            text(
                "Pictures without a mask: {n} (first: {f}); set aside.",
                "有 {n} 张图片没有掩码（第一张：{f}），已搁置。",
            ),
            pairs.pictures,
            text("Draw the masks, or check that both are called alike.", "请补上掩码，或检查两者的名称是否一致。"),
        ),
        *set_aside_if_any(
            "no-picture",
            text(
                "Masks without a picture: {n} (first: {f}); not used.",
                "有 {n} 个掩码没有对应的图片（第一个：{f}），未使用。",
            ),
            pairs.masks,
            text("Add the pictures, or check that both are called alike.", "请补上图片，或检查两者的名称是否一致。"),
        ),
        *set_aside_if_any(
            "several-masks",
            text(
                "Pictures and masks of one name, of which it cannot be told which belong together: {n} {n:|file|files} (first: {f}); set aside.",
                "有 {n} 个同名文件，无法判断哪张图片对应哪个掩码（第一个：{f}），已搁置。",
            ),
            several,
            text("Keep one picture and one mask of each name.", "每个名称请只保留一张图片和一个掩码。"),
        ),
        *problems_of_lists(LISTS, pairs.unlisted, pairs.absent, pairs.twice),
        *set_aside_if_any(
            "object-masks",
            text(
                "Further masks of the same pictures (of objects, in colour, or in no list): {n} (first: {f}); not used.",
                "同一批图片的其他掩码（目标掩码、彩色版本或未列出的）：{n} 个（第一个：{f}），未使用。",
            ),
            pairs.objects,
            severity="note",
        ),
        *set_aside_if_any(
            "left-out",
            text(
                "Pictures outside of the folders that are called as those of pictures and masks: {n} (first: {f}); not used.",
                "有 {n} 张图片不在图片文件夹和掩码文件夹中（第一张：{f}），未使用。",
            ),
            pairs.elsewhere,
            text("If they have masks, move them into these folders.", "若它们有掩码，请移入这些文件夹。"),
            severity="note",
        ),
        *set_aside_if_any(
            "other-files",
            text(
                "Files among pictures and masks that cannot be read here: {n} (first: {f}); not used.",
                "图片和掩码文件夹中有 {n} 个此处无法读取的文件（第一个：{f}），未使用。",
            ),
            pairs.others,
            severity="note",
        ),
    ]


def no_masks(folder: Path, pairs: Pairs) -> DataError:
    """The error of a folder in which no picture has a mask."""
    pictures, masks = pairs.pictures, pairs.masks
    if pictures and masks:
        what = text(
            "{d} holds {n} {n:|picture|pictures} and {m} {m:|mask|masks}, but none are called alike (first: {p}, {q}).",
            "{d} 中有 {n} 张图片和 {m} 个掩码，但没有名称一致的（第一个：{p}、{q}）。",
            d=folder,
            n=len(pictures),
            m=len(masks),
            p=pictures[0],
            q=masks[0],
        )
    elif pictures:
        what = text(
            "{d} holds {n} {n:|picture|pictures} but no masks.",
            "{d} 中有 {n} 张图片，但没有掩码。",
            d=folder,
            n=len(pictures),
        )
    elif masks:
        what = text(
            "{d} holds {n} {n:|mask|masks} but no pictures.",
            "{d} 中有 {n} 个掩码，但没有图片。",
            d=folder,
            n=len(masks),
        )
    else:
        what = text("{d} holds no pictures.", "{d} 中没有图片。", d=folder)
    do = text(
        "Put them into images/ and masks/ under the same names, or name the mask of x.jpg x_mask.png, or give a table: image,mask",
        "请以相同名称放入 images/ 与 masks/，或把 x.jpg 的掩码命名为 x_mask.png，或提供含 image、mask 两列的表格。",
    )
    beside = folder.parent / f"{folder.name}annot"
    if beside.is_dir():
        do = text("Masks seem to lie in {b}: give {p}", "掩码似乎位于 {b}：请给出 {p}", b=beside, p=folder.parent)
    return DataError(what, text("Without masks nothing can be learned.", "没有掩码就无法学习。"), do)


def unreadable_masks(failed: Mapping[str, Text], of: int) -> list[Problem]:
    """Masks that do not open."""
    if not failed:
        return []
    name, detail = next(iter(failed.items()))
    return [
        set_aside(
            "unreadable",
            text(
                "{n} of {t} masks cannot be read (first: {f}: {d}); {n:|its picture is|their pictures are} set aside.",
                "{t} 个掩码中有 {n} 个无法读取（第一个：{f}：{d}），对应的图片已搁置。",
                n=len(failed),
                t=of,
                f=name,
                d=Text(detail.en.rstrip("."), detail.zh.rstrip("。")),
            ),
            list(failed),
            text("Replace or delete them.", "请替换或删除这些掩码。"),
            more={"masks": of},
            details=tuple({"path": path, "reason": reason.en} for path, reason in failed.items()),
        )
    ]


def lossy_masks(rasters: Mapping[str, Raster]) -> list[Problem]:
    """Masks that are JPEG files: an error where they are not just black and white."""
    if not rasters:
        return []
    codes = {path: raster.codes for path, raster in rasters.items()}
    peak = max(raster.peak for raster in rasters.values())
    if peak and all(values == (0,) for values in codes.values()):
        return [_dark_masks(list(rasters), peak)]
    smeared = [path for path, values in codes.items() if len(values) > 2]
    paths = smeared or list(codes)
    sentence = text(
        "Masks written as JPEG, which changes values: {n} (first: {f}, {k} different values).",
        "以 JPEG 保存的掩码（取值会被改变）：{n} 个（第一个：{f}，{k} 种取值）。",
        n=len(paths),
        f=paths[0],
        k=len(codes[paths[0]]),
    )
    if not smeared:
        sentence = sentence + text(
            "They are black and white, and each pixel is read as the nearer of the two.",
            "它们只有黑白两色，每个像素按较接近的一种读取。",
        )
    return [
        Problem(
            "lossy-mask",
            sentence,
            tuple(paths),
            severity="error" if smeared else "warning",
            why=text("Borders hold values that nobody drew.", "边缘处含有并非人工标注的取值。"),
            do=text("Save the masks as PNG where they are made.", "请在生成掩码时保存为 PNG。"),
            numbers={"n": len(paths)},
        )
    ]


def _dark_masks(paths: list[str], peak: int) -> Problem:
    """JPEG files that hold small numbers: those of classes, no black and white."""
    return Problem(
        "lossy-mask",
        text(
            "Masks written as JPEG, which changes values, that hold values from 0 to {k}: {n} (first: {f}). These look like numbers of classes.",
            "以 JPEG 保存（取值会被改变）且取值仅为 0 到 {k} 的掩码：{n} 个（第一个：{f}）。这些取值看起来是类别编号。",
            k=peak,
            n=len(paths),
            f=paths[0],
        ),
        tuple(paths),
        severity="error",
        why=text("Classes whose numbers lie side by side cannot be told apart any more.", "编号相邻的类别已无法区分。"),
        do=text("Save the masks as PNG where they are made.", "请在生成掩码时保存为 PNG。"),
        numbers={"n": len(paths), "largest": peak},
    )


def shared_masks(paths: Sequence[str], masks: Sequence[str]) -> list[Problem]:
    """One mask for several pictures."""
    owners: dict[str, list[str]] = {}
    for path, mask in zip(paths, masks, strict=True):
        owners.setdefault(mask, []).append(path)
    shared = {mask: own for mask, own in owners.items() if len(own) > 1}
    if not shared:
        return []
    mask, own = next(iter(shared.items()))
    return [
        Problem(
            "shared-mask",
            text(
                "Masks that stand for several pictures: {n} (first: {m}, of {p}).",
                "有 {n} 个掩码对应多张图片（第一个：{m}，对应 {p}）。",
                n=len(shared),
                m=mask,
                p=", ".join(own[:3]),
            ),
            tuple(path for own in shared.values() for path in own),
            why=text(
                "At most one of these pictures is labelled rightly, unless they are copies.",
                "除非是副本，否则其中最多一张图片的标注正确。",
            ),
            do=text("Correct the table.", "请更正表格。"),
            numbers={"n": len(shared)},
        )
    ]


def unusual_masks(paths: Sequence[str], rows: Sequence[MaskRow]) -> tuple[list[Problem], list[int]]:
    """Masks without a known pixel, which are set aside, and those of a single class; and the rows that stay."""
    empty, constant = [], []
    for i, row in enumerate(rows):
        names = {name for name, count in zip(row.names, row.mask.counts, strict=True) if count and name is not None}
        if not names:
            empty.append(i)
        elif len(names) == 1:
            constant.append((i, next(iter(names))))
    problems = []
    if empty:
        problems.append(
            set_aside(
                "empty-mask",
                text(
                    "Pictures whose mask has no pixel of a class: {n} of {t} (first: {f}); set aside.",
                    "{t} 张图片中有 {n} 张的掩码没有任何属于类别的像素（第一张：{f}），已搁置。",
                    n=len(empty),
                    t=len(rows),
                    f=paths[empty[0]],
                ),
                [paths[i] for i in empty],
                text("Draw them, or delete them.", "请补上标注，或删除它们。"),
                more={"pictures": len(rows)},
                why=text("They can be neither learned from nor scored.", "它们既不能用于学习，也无法计分。"),
            )
        )
    if constant:
        one = f"{paths[constant[0][0]]} ({constant[0][1]})"
        problems.append(
            Problem(
                "constant-mask",
                text(
                    "Pictures of which the whole mask is one class: {n} of {t} (first: {f}).",
                    "{t} 张图片中有 {n} 张的掩码整张只有一个类别（第一张：{f}）。",
                    n=len(constant),
                    t=len(rows),
                    f=one,
                ),
                tuple(paths[i] for i, _ in constant),
                severity="note",
                do=text(
                    "That is right where nothing else is to be seen; else the mask is missing.",
                    "若图中确实没有其他内容，则无误；否则说明缺少标注。",
                ),
                numbers={"n": len(constant), "pictures": len(rows)},
                details=tuple({"path": paths[i], "class": name} for i, name in constant),
            )
        )
    left = set(empty)
    return problems, [i for i in range(len(rows)) if i not in left]
