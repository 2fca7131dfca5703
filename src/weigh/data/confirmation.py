"""What was read, in a few lines for the person who starts a study: how many, labelled by what, which columns are left aside, two examples.

Before it: examples and problems. After it: the screen of `weigh run` and of `weigh plan`. A wrong guess is seen here, before anything is trained.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weigh.data.classes import size_in_words
from weigh.data.examples import Examples
from weigh.language import Text, join_texts, text
from weigh.problem import Problem

__all__ = ["what_was_read"]

SHOWN = 60  # characters of a text


def what_was_read(examples: Examples, problems: Sequence[Problem]) -> list[Text]:
    """The size, how files were read, and two examples with different labels."""
    lines = [size_in_words(examples).sentence]
    lines += [problem.sentence for problem in problems if problem.kind == "columns"]
    shown = [f"“{_content(examples, i)}” → {examples.quote(i)}" for i in _two(examples)]
    if shown:
        lines.append(text("For example: {e}", "例如：{e}", e=join_texts(shown, "; ", "；")))
    warned = sum(problem.severity == "warning" for problem in problems)
    if warned:
        lines.append(
            text(
                "{n} {n:|thing|things} about the data {n:|deserves|deserve} a look: see the report, or run `weigh data` now.",
                "数据中有 {n} 处值得查看；报告中会列出，weigh data 现在就可以显示。",
                n=warned,
            )
        )
    return lines


def _two(examples: Examples) -> list[int]:
    """The first training example in the user's order, and the first that is labelled otherwise."""
    train = examples.where("train")
    train = train[np.argsort(examples.order[train], kind="stable")]
    if not len(train):
        return []
    first = int(train[0])
    other = next((int(i) for i in train[1:2000] if examples.quote(int(i)) != examples.quote(first)), None)
    return [first] if other is None else [first, other]


def _content(examples: Examples, i: int) -> str:
    joined = " | ".join(" ".join(part.split()) for part in examples.texts(i)) or str(examples.path[i])
    return joined if len(joined) <= SHOWN else joined[: SHOWN - 1] + "…"
