"""Frames of a film and slices of a stack: told from names with a running number and from neighbours that are alike; torn apart, they leak.

Before it: facts on every picture, small grey copies. After it: the checks warn, and propose groups that keep neighbours together. Silent where
names look like frames but neighbours in number are no more alike than others.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from weigh.data.examples import Examples
from weigh.data.pages import split_page
from weigh.data.pictures.masks import PICTURE_WORDS
from weigh.data.rows.groups import groups_by_pattern
from weigh.data.rows.listing import PARTS, natural_key
from weigh.language import Text, first_names, text
from weigh.problem import Problem

__all__ = ["find_sequences"]

SIDE = 16  # of the copies that are compared
LEAST_FRAMES, LEAST_TOTAL = 6, 12  # of one sequence, and of all together
MOST_FRAMES = 3000  # that are compared
GAP, STEPS = (
    0.1,
    4.0,
)  # neighbours are more alike than frames far apart by so much correlation, and by so many standard errors
NUMBERED = re.compile(r"(.*?)(\d+)\D*")
NAMED = 5  # sequences that a sentence lists
FOLDS = 5  # as a study has by default
# What may tell the sequence from a path, the plainest first.
PATTERNS = (r"([^/]+)_[^/]*$", r"([^/]+)-[^/]*$", r"([^/]*?)\d+\D*$", r"([^/]*?)\d+[^/\d]*\.\w+$", r"([^/]+)/[^/]*$")


class _Sequence(NamedTuple):
    """Frames in the order of their numbers, as indices of examples, and what their names begin with."""

    name: str
    frames: list[int]


class _Alike(NamedTuple):
    """Correlation of neighbours and of frames far apart, means over all sequences."""

    near: float
    far: float


def find_sequences(examples: Examples, grey: np.ndarray) -> list[Problem]:
    """A leak where a sequence stands in several parts, and a warning where folds would tear neighbours apart.

    The latter only where the order check of a study cannot measure what that does to a score.

    Args:
        grey: `(n, 64, 64)` uint8 copies.
    """
    sequences = _sequences(examples)
    if sum(len(s.frames) for s in sequences) < LEAST_TOTAL:
        return []
    alike = _are_alike(sequences, grey)
    if alike is None:
        return []
    torn = [] if examples.kind.unordered is None else _torn(examples, sequences, alike)  # else a study measures it
    # where groups keep sequences together, a validation folder that is part of training does no harm
    stands = _stands_in(examples) if torn or examples.group is None else examples.part.tolist()
    return [*_leaks(examples, sequences, stands, alike), *torn]


def _sequences(examples: Examples) -> list[_Sequence]:
    """Examples whose names differ in their last number alone; of exclusive classes, within one class."""
    numbered: dict[tuple, list[tuple[int, int]]] = defaultdict(list)
    for i, path in enumerate(examples.path.tolist()):
        place = PurePosixPath(path)
        match = NUMBERED.fullmatch(place.stem if split_page(path) is None else place.name)
        if match is None:
            continue
        folders = tuple(f for f in place.parts[:-1] if not _is_part_or_pictures(f))
        label = int(examples.target[i]) if examples.kind.exclusive else -1
        numbered[(*folders, match[1], label)].append((int(match[2]), i))
    sequences = []
    for key, frames in numbered.items():
        if len({number for number, _ in frames}) >= LEAST_FRAMES:
            *folders, prefix, _ = key
            name = "/".join([*folders, prefix]).strip("/_-. ")
            sequences.append(_Sequence(name, [i for _, i in sorted(frames)]))
    return sorted(sequences, key=lambda s: natural_key(s.name))


def _is_part_or_pictures(folder: str) -> bool:
    words = set(re.findall(r"[a-z]+", folder.casefold()))
    return bool(words) and words <= PARTS.keys() | PICTURE_WORDS


def _are_alike(sequences: Sequence[_Sequence], grey: np.ndarray) -> _Alike | None:
    """None where neighbours in number are no more alike than frames far apart."""
    compared: list[_Sequence] = []
    for sequence in sequences:
        if sum(len(s.frames) for s in compared) < MOST_FRAMES:
            compared.append(sequence._replace(frames=sequence.frames[:MOST_FRAMES]))
    rows = np.array([i for s in compared for i in s.frames])
    block = grey.shape[1] // SIDE
    copies = np.stack([grey[i].reshape(SIDE, block, SIDE, block).mean(axis=(1, 3)) for i in rows]).reshape(
        len(rows), -1
    )
    copies -= copies.mean(axis=0)
    copies -= copies.mean(axis=1, keepdims=True)
    copies /= np.maximum(np.linalg.norm(copies, axis=1, keepdims=True), 1e-9)
    gaps, variances, weights, means = [], [], [], []
    start = 0
    for sequence in compared:
        own = copies[start : start + len(sequence.frames)]
        start += len(own)
        near = (own[1:] * own[:-1]).sum(axis=1)
        step = max(3, len(own) // 4)
        far = np.concatenate([(own[k:] * own[:-k]).sum(axis=1) for k in range(step, len(own), max(1, len(own) // 40))])
        gaps.append(near.mean() - far.mean())
        variances.append(near.var(ddof=1) / len(near) + far.var() / len(own))
        weights.append(len(own))
        means.append((near.mean(), far.mean()))
    share = np.array(weights) / sum(weights)
    gap, error = float(share @ gaps), float(np.sqrt(share**2 @ variances))
    if gap < GAP or gap < STEPS * error:
        return None
    near, far = share @ np.array(means)
    return _Alike(float(near), float(far))


def _stands_in(examples: Examples) -> list[str]:
    """The part of each example, as its folders call it where they do: validation is part of training by now."""
    return [
        next(
            (
                PARTS[w]
                for f in PurePosixPath(path).parts[:-1]
                for w in re.findall(r"[a-z]+", f.casefold())
                if w in PARTS
            ),
            part,
        )
        for path, part in zip(examples.path.tolist(), examples.part.tolist(), strict=True)
    ]


def _why(alike: _Alike) -> Text:
    return text(
        "Neighbours are alike (correlation {a}; far apart {b}), so what is tested was nearly seen in training, and the score is too good for "
        "other sequences.",
        "相邻帧很相似（相关系数 {a}；相距较远时为 {b}），测试内容在训练中几乎已经见过，得分对其他序列而言偏高。",
        a=f"{alike.near:.2f}",
        b=f"{alike.far:.2f}",
    )


def _leaks(examples: Examples, sequences: Sequence[_Sequence], stands: Sequence[str], alike: _Alike) -> list[Problem]:
    parts = {s.name: Counter(stands[i] for i in s.frames) for s in sequences}
    torn = [s for s in sequences if len(parts[s.name]) > 1]
    if not torn:
        return []
    listed = [
        f"{s.name or '…'}: {', '.join(f'{part} {n}' for part, n in sorted(parts[s.name].items(), key=lambda p: _rank(p[0])))}"
        for s in torn
    ]
    shown = "; ".join(listed[:NAMED]) + ("; …" if len(listed) > NAMED else "")
    frames = [i for s in torn for i in s.frames]
    return [
        Problem(
            "sequence-leak",
            text(
                "Pictures that are frames of one sequence stand in several parts: {k} of {t} sequences ({l}).",
                "同一序列的图片出现在多个部分中：{t} 个序列中有 {k} 个（{l}）。",
                k=len(torn),
                t=len(sequences),
                l=shown,
            ),
            tuple(str(examples.path[i]) for i in frames),
            tuple(tuple(str(examples.path[i]) for i in s.frames) for s in torn),
            why=_why(alike),
            do=text(
                "Give every sequence to one part only. A score by folds of whole sequences needs no other part.",
                "请让每个序列只属于一个部分。按完整序列分折得到的得分不需要其他部分。",
            ),
            numbers={"sequences": len(torn), "of": len(sequences), "n": len(frames)},
            details=tuple(
                {"sequence": s.name, "part": part, "frames": n}
                for s in torn
                for part, n in sorted(parts[s.name].items())
            ),
        )
    ]


def _rank(part: str) -> int:
    return ("train", "val", "test").index(part) if part in ("train", "val", "test") else 3


def _torn(examples: Examples, sequences: Sequence[_Sequence], alike: _Alike) -> list[Problem]:
    """Neighbours of the training part that folds may tear apart."""
    own = [_Sequence(s.name, [i for i in s.frames if examples.part[i] == "train"]) for s in sequences]
    own = [s for s in own if len(s.frames) > 1]
    pairs = [(a, b) for s in own for a, b in zip(s.frames, s.frames[1:], strict=False)]
    if not pairs:
        return []
    group = examples.group
    apart = [(a, b) for a, b in pairs if group is None or group[a] != group[b]]
    frames = sum(len(s.frames) for s in own)
    values = {"n": frames, "k": len(own), "l": _names(own)}
    if group is not None and len(apart) * 2 <= len(pairs):
        if not apart:
            return []
        sentence = text(
            "Groups cut sequences: {a} of {p} pairs of neighbours {a:|stands|stand} in different groups (first: {f}, {g}).",
            "分组切断了序列：{p} 对相邻帧中有 {a} 对属于不同的组（第一对：{f}、{g}）。",
            a=len(apart),
            p=len(pairs),
            f=examples.path[apart[0][0]],
            g=examples.path[apart[0][1]],
        )
        numbers = {"apart": len(apart), "pairs": len(pairs)}
        return [Problem("sequence", sentence, severity="note", why=_why(alike), numbers=numbers)]
    what = (
        text(
            "{n} training pictures are frames or slices of {k} sequences ({l}).",
            "{n} 张训练图片是 {k} 个序列的帧或切片（{l}）。",
            **values,
        )
        if len(own) > 1
        else text(
            "{n} training pictures are frames or slices of one sequence.",
            "{n} 张训练图片是同一序列的帧或切片。",
            **values,
        )
    )
    return [
        Problem(
            "sequence",
            what + text("Shuffled folds tear neighbours apart.", "随机分折会把相邻的帧分开。"),
            tuple(str(examples.path[i]) for s in own for i in s.frames),
            tuple(tuple(str(examples.path[i]) for i in s.frames) for s in own),
            why=_why(alike),
            do=_proposal(examples, own),
            numbers={"n": frames, "sequences": len(own)},
            details=tuple({"sequence": s.name, "frames": len(s.frames)} for s in own),
        )
    ]


def _names(sequences: Sequence[_Sequence]) -> str:
    return first_names((f"{s.name or '…'}: {len(s.frames)}" for s in sequences), NAMED)


def _proposal(examples: Examples, sequences: Sequence[_Sequence]) -> Text:
    """Settings that keep neighbours together: a fold per sequence, or contiguous blocks where there are too few of them."""
    pattern = _pattern(examples, sequences)
    if pattern is not None and len(sequences) > 2:
        folds = f" --set design.folds={len(sequences)}" if len(sequences) < FOLDS else ""
        return text(
            "Keep sequences together: --set {p}{f}. The number of sequences is then the number of independent examples.",
            "按序列分组：--set {p}{f}。此时独立样本数即序列数。",
            p=shlex.quote(f"data.group_pattern={pattern}"),
            f=folds,
        )
    blocks = max(FOLDS, min(10, len(examples.where("train")) // 5))
    return text(
        "Test on contiguous blocks: --set data.group_blocks={b}. At the border of a block one neighbour is still in training, and a block of the same "
        "sequence says little about other sequences. If a column or folder names what neighbours share, use design.group_by instead.",
        "按连续的块测试：--set data.group_blocks={b}。块的边界处仍有一个相邻帧在训练中，而且同一序列的块难以说明其他序列的情况。"
        "若有列或文件夹标明相邻帧的共同来源，请改用 design.group_by。",
        b=blocks,
    )


def _pattern(examples: Examples, sequences: Sequence[_Sequence]) -> str | None:
    """The first pattern whose groups are these sequences."""
    paths = examples.path.tolist()
    for pattern in PATTERNS:
        names = [{name for i in s.frames for name in groups_by_pattern(pattern, [paths[i]])} for s in sequences]
        if all(len(n) == 1 and None not in n for n in names) and len(set().union(*names)) == len(sequences):
            return pattern
    return None
