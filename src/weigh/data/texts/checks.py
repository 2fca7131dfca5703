"""What is wrong, or merely odd, with the texts of a data set; every row is named, empty ones are set aside.

Before it: an index (`index.py`, `sentences/index.py`). After it: folds, and `findings/data_problems.py`, which makes a finding of each problem.
What depends on a model's tokenizer (texts that it cuts, words that it does not know) is not asked here: whoever has one adds
its own `Problem`s to these.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from weigh.data.classes import check_classes, few_classes
from weigh.data.contents import fingerprint
from weigh.data.copies import find_identical, find_near
from weigh.data.examples import Examples
from weigh.data.rows.listing import set_aside
from weigh.data.texts.near_copies import MOST_TEXTS, near_texts
from weigh.data.texts.scripts import find_scripts
from weigh.language import text
from weigh.notices import Progress
from weigh.problem import Problem

__all__ = ["check_texts"]

# control characters but tab and line breaks, marks that turn the writing direction, and the sign for a lost character
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffd]")
SHOWN = 120  # characters of a text in a table


def check_texts(examples: Examples, *, progress: Progress | None = None) -> tuple[Examples, list[Problem]]:
    """Compare all texts.

    Returns:
        The examples that can be used (without empty ones, with a new fingerprint then), and the problems, worst first.
    """
    problems, full = _empty(examples)
    if len(full) < len(examples):
        examples = examples.subset(full)
        examples = replace(examples, fingerprint=fingerprint(examples))
    problems += few_classes(examples)
    if len(examples):
        rows = _texts(examples)
        keys = examples.content.tolist()
        problems += find_identical(examples, keys, details=lambda same: {"text": _short(rows[same[0]])})
        problems += find_near(examples, near_texts(rows, keys, progress=progress), keys, limit=MOST_TEXTS)
        problems += check_classes(examples)
        problems += _controls(examples, rows)
        problems += find_scripts(examples, rows)
    rank = {"error": 0, "warning": 1, "note": 2}
    return examples, sorted(problems, key=lambda p: rank[p.severity])


def _texts(examples: Examples) -> list[tuple[str, ...]]:
    return [examples.texts(i) for i in range(len(examples))]


def _empty(examples: Examples) -> tuple[list[Problem], np.ndarray]:
    """Rows one of whose texts is blank, and the indices of the others."""
    rows = _texts(examples)
    blank = [i for i, row in enumerate(rows) if not all(t.strip() for t in row)]
    full = np.setdiff1d(np.arange(len(examples)), blank)
    if not blank:
        return [], full
    noun = examples.medium.noun
    return [
        set_aside(
            "empty-text",
            text(
                "Empty {m}: {n} of {t}; set aside.",
                "{t} {c}中有 {n} {c}为空，已搁置。",
                m=noun.many,
                c=noun.counted,
                n=len(blank),
                t=len(examples),
            ),
            [str(examples.path[i]) for i in blank],
            text("Complete or delete these rows.", "请补全或删除这些行。"),
            more={"examples": len(examples)},
            why=text("There is nothing to learn from.", "从中学不到任何东西。"),
            details=tuple(
                {"path": str(examples.path[i]), "part": str(examples.part[i]), "class": examples.quote(i)}
                for i in blank
            ),
        )
    ], full


def _controls(examples: Examples, rows: list[tuple[str, ...]]) -> list[Problem]:
    """A note: they are kept as they are, but a person should know."""
    odd = [i for i, row in enumerate(rows) if any(CONTROLS.search(t) for t in row)]
    if not odd:
        return []
    noun = examples.medium.noun
    return [
        Problem(
            "control-characters",
            text(
                "{w} with control characters, marks that turn the direction of writing, or signs for lost characters: {n}; kept as they are.",
                "有 {n} {c}含控制字符、改变书写方向的标记或表示字符丢失的符号，原样保留。",
                n=len(odd),
                w=noun.many.en.capitalize(),
                c=noun.counted,
            ),
            tuple(str(examples.path[i]) for i in odd),
            severity="note",
            numbers={"n": len(odd)},
            details=tuple(
                {
                    "path": str(examples.path[i]),
                    "characters": " ".join(sorted({f"U+{ord(c):04X}" for t in rows[i] for c in CONTROLS.findall(t)})),
                }
                for i in odd
            ),
        )
    ]


def _short(row: tuple[str, ...]) -> str:
    """The texts of a row in one line, cut, for a table; what controls a terminal or a page becomes U+FFFD."""
    joined = CONTROLS.sub("\ufffd", " | ".join(" ".join(t.split()) for t in row))
    joined = joined.encode("utf-8", "replace").decode("utf-8")
    return joined if len(joined) <= SHOWN else joined[: SHOWN - 1] + "…"
