"""Whether the class can be told from the file alone: its size, its format, colour or grey.

Before it: facts on every picture (`facts.py`). After it: the checks warn; a network may learn the difference too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from weigh.data.examples import Examples
from weigh.data.pictures.facts import Facts
from weigh.language import Text, text
from weigh.problem import Problem

__all__ = ["find_shortcuts"]

TOLD = 0.9  # mean share of each class that is told right, from which on it is a warning
LEAST = 10  # pictures of a class


def find_shortcuts(examples: Examples, facts: Sequence[Facts]) -> list[Problem]:
    """One warning for the fact that tells the classes best, where it tells them almost always."""
    train = examples.where("train")
    if not examples.kind.exclusive or len(examples.classes) < 2 or examples.class_counts(train).min() < LEAST:
        return []
    shares = [(_share_told(examples.target[train], [of(facts[i]) for i in train.tolist()]), name) for name, of in FACTS]
    if not shares or max(shares, key=lambda t: t[0])[0] < TOLD:
        return []
    share, name = max(shares, key=lambda t: t[0])
    percent = round(100 * share)
    return [
        Problem(
            "shortcut",
            text(
                "The class can be told from {w} alone: {p} % of the training pictures of a class, on average.",
                "仅凭{w}就能判断类别：平均而言，每个类别的训练图片有 {p} % 可判断正确。",
                w=name,
                p=percent,
            ),
            why=text(
                "A network may learn whatever tells the classes apart; if it does, its score says nothing about pictures made in another way.",
                "网络可能学到任何能区分类别的线索；若是如此，得分就不能说明它在以其他方式获得的图片上的表现。",
            ),
            do=text(
                "Test on pictures of another source: --set data.shifted.other=FOLDER. To bring all pictures to one size, format and colour is not enough to "
                "be sure: traces of what they were may stay in their pixels.",
                "请用其他来源的图片测试：--set data.shifted.other=文件夹。仅统一尺寸、格式和颜色并不能保证解决问题：原来的差别可能在像素中留下痕迹。",
            ),
            numbers={"percent": percent},
        )
    ]


def _share_told(target: np.ndarray, values: Sequence[object]) -> float:
    """Mean share of each class that the most frequent class among the *other* pictures of the same value tells right."""
    counts: dict[object, Counter[int]] = {}
    for value, label in zip(values, target.tolist(), strict=True):
        counts.setdefault(value, Counter())[label] += 1
    right: Counter[int] = Counter()
    for value, label in zip(values, target.tolist(), strict=True):
        own, most = counts[value][label] - 1, max((n for c, n in counts[value].items() if c != label), default=0)
        right[label] += own > most
    return float(np.mean([right[c] / n for c, n in Counter(target.tolist()).items()]))


FACTS: tuple[tuple[Text, Callable[[Facts], object]], ...] = (
    (text("their size in pixels", "像素尺寸"), lambda fact: (fact.width, fact.height)),
    (text("their shape", "长宽比"), lambda fact: round(fact.width / max(fact.height, 1), 2)),
    (text("the format of the file", "文件格式"), lambda fact: fact.format),
    (text("whether they are in colour", "是否为彩色"), lambda fact: (fact.mode, fact.deep, fact.transparent)),
)
