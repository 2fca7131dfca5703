"""Nobody outside their rooms asks which kind, medium or task it is: no name of one is written there, and none is compared with.

Exceptions stand here with their reason; a new one is a seam in the wrong place.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from weigh.kinds.base import KINDS
from weigh.media import MEDIA
from weigh.tasks import PLANNED, TASKS

SOURCE = Path(__file__).parents[1] / "src" / "weigh"
# file -> (how many comparisons, why)
COMPARED: dict[str, tuple[int, str]] = {
    "run.py": (
        1,
        "a recipe has one set of options for pictures and one for texts, until options are a type of their own",
    ),
    "study.py": (1, "new examples for predict are read by two readers, until media own that too"),
    "train/features.py": (1, "only the preparation of pictures is rebuilt from JSON, until models have ports"),
    "train/timing.py": (3, "decoding is timed for pictures, lengths for texts, until models have ports"),
}
# file -> why it names a medium: where it registers what it does for it
NAMED = {
    "data/readers.py": "registers the readers of media",
    "data/pictures/index.py": "reads pictures",
    "data/texts/index.py": "reads texts",
    "data/sentences/index.py": "reads sentences",
    "data/examples.py": "the default of examples made by hand",
}


def _trees():
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def _constants(node: ast.AST) -> set[str]:
    return {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def _compared(names: set[str], words: tuple[str, ...]) -> Counter[str]:
    """File -> comparisons of one of the names with something that is called by one of the words."""
    found: Counter[str] = Counter()
    for file, tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                called = {ast.unparse(side).rpartition(".")[2] for side in sides}
                if names & set().union(*map(_constants, sides)) and called & set(words):
                    found[file] += 1
    return found


def test_no_task_is_named_outside_its_table():
    names = {*TASKS, *PLANNED}
    named = {file for file, tree in _trees() if names & _constants(tree)} - {"tasks.py"}
    assert not named


def test_no_kind_is_asked_for():
    found = _compared(set(KINDS), ("kind", "target_kind"))
    assert {file: n for file, n in found.items() if not file.startswith("kinds/")} == {}


def test_no_medium_is_asked_for():
    found = _compared({*MEDIA, *(m.reads for _, m in MEDIA.items())}, ("medium", "reads"))
    assert dict(found) == {file: n for file, (n, _) in COMPARED.items()}


@pytest.mark.parametrize("call", ["medium_named", "kind_named"])
def test_names_are_looked_up_where_something_is_registered(call):
    """A constant handed to a registry is a name too."""
    named = {
        file
        for file, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == call
        and any(isinstance(a, ast.Constant) for a in node.args)
    }
    assert named <= (set(NAMED) if call == "medium_named" else set())
