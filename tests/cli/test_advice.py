"""Commands in messages survive a shell: what stands behind `--set` is one word, brackets and commas included."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

import weigh

SOURCES = sorted(Path(weigh.__file__).parent.rglob("*.py"))
ADVISED = re.compile(r"--set ('[^'\"]+'|[a-z_]+(?:\.[\w{}-]+)+=(?:\[[^\]\"]*\]|[^\s\"',，。;；）)]*))")


def advised(source: str) -> list[str]:
    return [match.group(1) for match in ADVISED.finditer(source)]


@pytest.mark.parametrize("word", ["data.classes=[sky, road]", "data.columns.box=[a, b]"])
def test_a_list_with_spaces_would_be_seen(word):
    assert advised(f'"Give them: --set {word}"') == [word]
    assert len(shlex.split(word)) > 1


def test_what_messages_advise_is_one_word_of_a_shell():
    settings = {(file.name, word) for file in SOURCES for word in advised(file.read_text(encoding="utf-8"))}
    assert len(settings) > 50
    assert not [(name, word) for name, word in settings if len(shlex.split(word)) != 1]


# A value that stands where a command of weigh takes a path (or an address): behind its name and plain words, or behind an option.
PLACED = re.compile(
    r"(?:weigh (?:run|report|read|data|rank|predict|plan|export|glue)(?: [\w./=-]*[\w/=])*|--(?:output|gold)) \{(\w+)\}"
)


def templates(file: Path, *, where: re.Pattern[str]) -> list[tuple[str, dict[str, str]]]:
    """The sentences of a file that are filled by `text`, each with the code of its values; nothing where `where` is nowhere in the file."""
    source = file.read_text(encoding="utf-8")
    if not where.search(source):
        return []
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [
        (argument.value, {word.arg or "**": ast.unparse(word.value) for word in call.keywords})
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "text"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]


def test_a_path_in_a_command_survives_a_shell():
    placed = [
        (file.name, sentence, values.get(name, ""))
        for file in SOURCES
        for sentence, values in templates(file, where=PLACED)
        for name in PLACED.findall(sentence)
    ]
    assert len(placed) > 20
    assert not [(name, sentence) for name, sentence, value in placed if "shlex.quote" not in value]


def test_braces_are_doubled_only_where_something_is_filled_in():
    """`text` leaves a template without values as it stands: whoever copied "{{0: sky}}" from a message gave no table of classes."""
    doubled = [
        (file.name, sentence)
        for file in SOURCES
        for sentence, values in templates(file, where=re.compile(r"\{\{"))
        if "{{" in sentence and not values
    ]
    assert not doubled


CHOOSES_NONE = re.compile(r"weigh (?:evaluate|features) (?:DATA|数据|\{)")  # commands that need --models


def test_a_command_that_chooses_no_models_is_advised_with_some():
    advised = [
        (file.name, sentence)
        for file in SOURCES
        for sentence, _ in templates(file, where=CHOOSES_NONE)
        if CHOOSES_NONE.search(sentence)
    ]
    assert advised
    assert not [one for one in advised if "--models" not in one[1]]


def test_values_to_choose_from_are_no_pipe():
    """Who copied `--task a | b` started a program b."""
    piped = re.compile(r"--[a-z-]+ [a-z-]+ \| ")
    assert not [file.name for file in SOURCES if piped.search(file.read_text(encoding="utf-8"))]
