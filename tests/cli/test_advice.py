"""Commands in messages survive a shell: what stands behind `--set` is one word, brackets and commas included."""

from __future__ import annotations

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
