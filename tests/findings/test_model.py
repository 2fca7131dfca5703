"""A sentence in both languages is one class in Python and {en, zh} in findings.json."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from weigh.findings.model import Figure, Finding, FindingsFile
from weigh.findings.questions import asked
from weigh.findings.registry import ALSO, MODULES
from weigh.language import Text, join_texts, text
from weigh.report.json_file import to_json

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/findings-schema.md").read_text(encoding="utf-8")


def finding(**fields) -> Finding:
    return Finding(id="a", kind="cost", sentence=text("{n} runs", "{n} 次运行", n=3), **asked("cost", "yes"), **fields)


def test_sentences_are_written_in_both_languages_and_read_again():
    one = finding(next=[text("Go on.", "继续。")], table=[{"name": text("x", "甲")._asdict()}])
    written = json.loads(to_json(FindingsFile(study={}, findings=[one])))["findings"][0]
    assert written["sentence"] == {"en": "3 runs", "zh": "3 次运行"}
    assert written["next"] == [{"en": "Go on.", "zh": "继续。"}]
    assert written["table"] == [{"name": {"en": "x", "zh": "甲"}}]
    again = Finding.model_validate(one.model_dump())
    assert again == one
    assert isinstance(again.sentence, Text)


@pytest.mark.parametrize(
    "sentence", ["3 runs", {"en": "3 runs"}, {"en": "a", "zh": "b", "fr": "c"}, {"en": "a", "zh": 1}]
)
def test_what_is_no_sentence_is_refused(sentence):
    with pytest.raises(ValidationError, match="a sentence is a Text"):
        Finding.model_validate({**finding().model_dump(), "sentence": sentence})


def test_a_text_is_no_cell_of_a_row():
    with pytest.raises(ValidationError, match="'name' holds a Text"):
        finding(table=[{"name": text("x", "甲")}])
    with pytest.raises(ValidationError, match="'name' holds a Text"):
        Figure(kind="slices", title=text("x", "甲"), rows=[{"name": text("x", "甲")}])


def test_parts_are_joined_in_their_own_languages():
    assert join_texts([text("a", "甲"), "b"], ", ", "、") == Text("a, b", "甲、b")
    assert join_texts([], ", ", "、") == Text("", "")


@pytest.mark.parametrize("kind", [*MODULES, *ALSO])
def test_every_kind_of_finding_stands_on_the_page_of_the_schema(kind):
    assert f"\n| `{kind}` | `" in PAGE


@pytest.mark.parametrize("name", Finding.model_fields)
def test_every_field_of_a_finding_stands_on_the_page_of_the_schema(name):
    _, _, fields = PAGE.partition("## A finding")
    assert f"\n| `{name}` | " in fields.partition("\n## ")[0]


def test_every_id_that_is_written_out_stands_on_the_page_of_the_schema():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src/weigh/findings").rglob("*.py")]
    written = {name for source in sources for name in re.findall(r'\bid="([a-z:-]+)"', source)}
    assert {"verdict", "errors:costs", "generalisation:choice"} <= written
    assert [name for name in sorted(written) if f"`{name}`" not in PAGE] == []
