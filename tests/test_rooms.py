"""Nobody outside their rooms asks which kind, medium or task it is: no name of one is written there, and none is compared with.

Exceptions stand here with their reason; a new one is a seam in the wrong place.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.sources import SOURCE, SOURCES, forget, last_name, nodes_of
from weigh import media, tasks
from weigh.kinds.base import KINDS
from weigh.media import MEDIA
from weigh.nouns import Noun
from weigh.tasks import TASKS

# file -> (how often it asks for the class of what belongs to one medium, why)
ASKED_OF_MODELS = {
    "models/processor/layers.py": (1, "a layer that a faster one replaces, as a dropout is"),
    "models/transforms.py": (1, "what a user hands over is already such a preparation"),
}
OF_ONE_MEDIUM = {"Encoder", "Preprocessing", "Tokenisation", "Pictures", "Texts", "Sentences"}
ROOMS = ("data/pictures/", "data/masks/", "data/boxes/", "data/texts/", "data/sentences/", "inputs/", "media.py")
# files outside the rooms of media that name one, and why
NAMED = {
    "data/cache.py": "a folder of the cache",
    "data/examples.py": "the default of examples made by hand",
    "data/readers.py": "registers the readers of media",
    "data/rows/paths.py": "usual names of folders",
    "findings/tokens.py": "a key of what is known of a model",
    "models/preprocessing.py": "what a preparation is made for",
    "models/suggested.py": "the table of models that are tried where none are named says what each reads",
    "models/tokenisation.py": "what a preparation is made for",
    "models/words.py": "counts words, and so is for texts alone",
    "plan/jobs.py": "what a step of further pretraining costs, until models have ports",
    "record/index.py": "folders of former versions",
    "record/predictions/entities.py": "reads gold files, which hold sentences",
    "report/columns.py": "names of columns",
    "report/words.py": "a unit",
    "saved/predicting.py": "a key of what is known of a model",
    "spec.py": "keys of the section pretrain",
    "spec_yaml.py": "keys of the section pretrain",
    "tasks.py": "the table of tasks",
    "train/recipes.py": "options by what models read",
}


@pytest.fixture(scope="module", autouse=True)
def _read_once():
    yield
    forget()


def _files():
    """Names of files with all their nodes."""
    for path in SOURCES:
        yield path.relative_to(SOURCE).as_posix(), nodes_of(path)


def _constants(node: ast.AST) -> set[str]:
    return {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def _strings(nodes: Sequence[ast.AST]) -> set[str]:
    return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}


def _literals(nodes: Sequence[ast.AST]) -> list[ast.Constant]:
    """Constants that are no docstrings."""
    docstrings = {id(n.value) for n in nodes if isinstance(n, ast.Expr)}
    return [n for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docstrings]


def _is_constant(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant)


def _compared(names: set[str], words: tuple[str, ...]) -> Counter[str]:
    """File -> comparisons of one of the names with something that is called by one of the words."""
    found: Counter[str] = Counter()
    for file, nodes in _files():
        for node in nodes:
            if isinstance(node, ast.Compare):
                sides = [node.left, *node.comparators]
                if names & set().union(*map(_constants, sides)) and set(words) & set(map(last_name, sides)):
                    found[file] += 1
    return found


def test_no_task_is_named_outside_its_table():
    names = set(TASKS)
    named = {file for file, nodes in _files() if names & _strings(nodes)} - {"tasks.py"}
    assert not named


def test_no_kind_is_asked_for():
    found = _compared(set(KINDS), ("kind", "target_kind"))
    assert {file: n for file, n in found.items() if not file.startswith("kinds/")} == {}


def test_no_medium_is_asked_for():
    found = _compared({*MEDIA, *(m.reads for _, m in MEDIA.items())}, ("medium", "reads"))
    assert dict(found) == {}


def test_no_class_of_one_medium_is_asked_for():
    """`isinstance` of an encoder is the question for texts in other words."""
    found = Counter(
        file
        for file, nodes in _files()
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "isinstance"
        and OF_ONE_MEDIUM & {n.id for n in ast.walk(node.args[1]) if isinstance(n, ast.Name)}
    )
    assert {file: n for file, n in found.items() if n > ASKED_OF_MODELS.get(file, (0, ""))[0]} == {}


def test_nouns_of_media_stay_in_their_rooms():
    """Whoever writes a sentence takes the noun of the examples that it speaks of."""
    nouns = {name for name, value in vars(media).items() if isinstance(value, Noun)}
    assert nouns >= {"PICTURES", "TEXTS", "SENTENCES"}
    named = {
        file
        for file, nodes in _files()
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        and node.module == "weigh.media"
        and nouns & {alias.name for alias in node.names}
    }
    assert {file for file in named if not file.startswith(ROOMS)} == set()


def test_no_task_is_compared_with():
    """Neither by the name of its constant, nor by how it begins."""
    constants = {name for name, value in vars(tasks).items() if isinstance(value, str) and value in TASKS}
    found = [
        f"{file}:{node.lineno}"
        for file, nodes in _files()
        for node in nodes
        if (isinstance(node, ast.Compare) and constants & {n.id for n in ast.walk(node) if isinstance(n, ast.Name)})
        or (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "startswith"
            and any(task.startswith(c) for c in _constants(node) for task in TASKS if c.endswith("-") and len(c) > 1)
        )
    ]
    assert found == []


def test_media_are_named_in_their_rooms():
    """No constant outside of docstrings is the name of one."""
    names = {*MEDIA, *(m.reads for _, m in MEDIA.items())}
    named = {file for file, nodes in _files() if names & {c.value for c in _literals(nodes)}}
    assert {file for file in named if not file.startswith(ROOMS)} == set(NAMED)


def test_kinds_are_looked_up_where_something_is_registered():
    """A constant handed to a registry is a name too."""
    calls = [n for _, nodes in _files() for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    named = [n.lineno for n in calls if n.func.id == "kind_named" and any(map(_is_constant, n.args))]
    assert named == []
