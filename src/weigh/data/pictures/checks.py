"""What is wrong, or merely odd, with the pictures of a data set; every file is named, bad ones are set aside.

Before it: an index (`index.py`). After it: folds, and `findings/data_problems.py`, which makes a finding of each problem.
One pass opens every unknown file (`facts.py`); everything here compares facts and says it in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from weigh.data.classes import check_classes, few_classes
from weigh.data.contents import fingerprint
from weigh.data.copies import find_identical, find_near
from weigh.data.examples import Examples
from weigh.data.pictures.facts import Facts, picture_facts
from weigh.data.pictures.near_copies import MOST_PICTURES, near_duplicates
from weigh.data.pictures.oddities import find_odd_pictures, find_placeholders
from weigh.data.pictures.sequences import find_sequences
from weigh.data.pictures.shortcuts import find_shortcuts
from weigh.data.rows.listing import set_aside
from weigh.language import Text, text
from weigh.notices import Progress
from weigh.problem import Problem

__all__ = ["check_pictures"]


def check_pictures(examples: Examples, *, progress: Progress | None = None) -> tuple[Examples, list[Problem]]:
    """Open every picture once and compare.

    Returns:
        The examples that can be used (those that do not open are set aside, with a new fingerprint), and the problems,
        worst first. The second call on the same files opens none of them and returns the same.
    """
    facts, grey = picture_facts(examples, progress=progress)
    problems = _unreadable(examples, facts)
    good = np.array([i for i, f in enumerate(facts) if not f.reason], dtype=np.int64)
    if len(good) < len(examples):
        facts = [facts[i] for i in good]
        for start in range(0, len(good), 2048):  # moved up in their place: a copy of all could be too large for memory
            block = good[start : start + 2048]
            grey[start : start + len(block)] = grey[block]
        grey = grey[: len(good)]
        examples = examples.subset(good)
        examples = replace(examples, fingerprint=fingerprint(examples))
    problems += few_classes(examples)
    if len(examples):
        pixels = [f.pixels for f in facts]
        problems += find_identical(
            examples,
            pixels,
            details=lambda same: {
                "bytes": "same" if len({str(examples.content[i]) for i in same}) == 1 else "different"
            },
        )
        problems += find_near(
            examples, near_duplicates(examples, grey, pixels, progress=progress), pixels, limit=MOST_PICTURES
        )
        problems += find_sequences(examples, grey)
        problems += find_placeholders(examples, facts)
        problems += check_classes(examples)
        problems += find_odd_pictures(examples, facts)
        problems += find_shortcuts(examples, facts)
    rank = {"error": 0, "warning": 1, "note": 2}
    return examples, sorted(problems, key=lambda p: rank[p.severity])


# Files that do not open ---------------------------------------------------------------------------------------------


def _unreadable(examples: Examples, facts: Sequence[Facts]) -> list[Problem]:
    bad = [i for i, f in enumerate(facts) if f.reason]
    if not bad:
        return []
    reasons = Counter(facts[i].reason for i in bad)
    words = {
        "unreadable": text("damaged", "已损坏"),
        "truncated": text("cut off", "不完整"),
        "too large": text("too large", "过大"),
        "not a picture": text("not a picture", "不是图片"),
        "missing": text("missing", "不存在"),
        "no permission": text("no permission to read", "无读取权限"),
    }
    listed = Text(
        ", ".join(f"{words[k].en}: {n}" for k, n in sorted(reasons.items())),
        "，".join(f"{words[k].zh}：{n}" for k, n in sorted(reasons.items())),
    )
    return [
        set_aside(
            "unreadable",
            text(
                "{n} of {t} files cannot be opened ({l}); {n:|it is|they are} set aside.",
                "{t} 个文件中有 {n} 个无法打开（{l}），已搁置。",
                n=len(bad),
                t=len(examples),
                l=listed,
            ),
            [str(examples.path[i]) for i in bad],
            text("Replace or delete them.", "请替换或删除这些文件。"),
            more={"files": len(examples), **reasons},
            details=tuple(
                {
                    "path": str(examples.path[i]),
                    "part": str(examples.part[i]),
                    "class": examples.quote(i),
                    "reason": facts[i].reason,
                    "detail": facts[i].detail[0],
                }
                for i in bad
            ),
        )
    ]
