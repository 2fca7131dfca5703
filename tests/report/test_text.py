"""The report as plain text: terminal, Markdown, JSON, model card, notebook, and the wrapping of lines."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len

from tests.report.example import HOSTILE, example_file, example_results
from tests.report.hostile import hidden
from tests.report.reading import PageText, numbers
from weigh.findings.model import Finding, FindingsFile
from weigh.language import Text
from weigh.report.columns import COLUMNS
from weigh.report.json_file import strip_measured, to_json
from weigh.report.markdown import escape_markdown, render_markdown
from weigh.report.notebook import study_html
from weigh.report.quantities import number, quantity, short_count, show_estimate
from weigh.report.rows import cell, written_value
from weigh.report.story import tell
from weigh.report.terminal import render_terminal, summary_line
from weigh.report.visible import visible, visible_line
from weigh.report.words import WORDS
from weigh.report.wrapping import wrap
from weigh.stats.estimate import Estimate
from weigh.study import Findings

LANGUAGES = ["en", "zh"]


# ---- JSON


def test_json_is_canonical():
    written = to_json(example_file())
    again = to_json(FindingsFile.model_validate_json(written))
    assert written == again
    assert written.endswith("}\n")
    parsed = json.loads(written)
    assert parsed["schema"] == "weigh.findings/1"
    assert list(parsed) == sorted(parsed)
    written.encode("utf-8")


def test_json_does_not_depend_on_order_types_or_last_bits():
    def file(value, study):
        finding = example_file().findings[0].model_copy(update={"table": [{"b": 1, "a": value}]})
        return FindingsFile(study=study, findings=[finding])

    one = to_json(file(0.1 + 0.2, {"x": 1, "y": [1, 2]}))
    other = to_json(file(np.float64(0.3), {"y": np.array([1, 2]), "x": np.int64(1)}))
    assert one == other
    assert to_json(file(-0.0, {})) == to_json(file(0.0, {}))
    assert json.loads(to_json(file(math.nan, {"i": math.inf})))["findings"][0]["table"][0]["a"] is None


def test_json_survives_names_that_are_not_utf8():
    finding = example_file().findings[0].model_copy(update={"examples": ["a\udcff.jpg"]})
    written = to_json(FindingsFile(study={}, findings=[finding]))
    written.encode("utf-8")
    assert json.loads(written)["findings"][0]["examples"] == ["a\udcff.jpg"]


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=12,
    )
)
def test_any_study_facts_can_be_written(value):
    written = to_json(FindingsFile(study={"value": value}, findings=[]))
    assert to_json(FindingsFile.model_validate_json(written)) == written


def test_measured_is_stripped_everywhere():
    stripped = strip_measured(json.loads(to_json(example_file())))
    assert "measured" not in json.dumps(stripped)
    assert len(stripped["findings"]) == len(example_file().findings)
    one, other = example_file(), example_file().model_copy(update={"measured": {"started": "later"}})
    assert to_json(one) != to_json(other)
    assert strip_measured(json.loads(to_json(one))) == strip_measured(json.loads(to_json(other)))


# ---- terminal


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [40, 63, 100])
def test_the_terminal_report_fits_and_is_complete(language, width):
    file = example_file()
    shown = render_terminal(file, language=language, width=width, colour=False)
    assert max(cell_len(line) for line in shown.splitlines()) <= width
    assert not hidden(shown)
    packed = re.sub(r"\s", "", shown)
    for finding in file.findings:
        assert re.sub(r"\s", "", visible(finding.sentence.render(language))) in packed, finding.id


def test_colours_only_when_asked():
    plain = render_terminal(example_file(), language="en", width=80, colour=False)
    coloured = render_terminal(example_file(), language="en", width=80, colour=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert set(re.findall(r"\x1b.", coloured)) == {"\x1b["}


def test_numbers_are_the_same_in_both_languages():
    for render in (
        lambda language: render_terminal(example_file(), language=language, width=90, colour=False),
        lambda language: render_markdown(example_file(), None, language=language),
        lambda language: summary_line(example_file(), language),
        lambda language: study_html(example_file(), language),
    ):
        english, chinese = (
            numbers(re.sub(r"<style>.*?</style>", "", render(language), flags=re.S)) for language in LANGUAGES
        )
        assert english == chinese
        assert english


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_summary_is_one_line(language):
    line = summary_line(example_file(), language)
    assert "\n" not in line
    assert "0.846 [0.829, 0.862]" in line
    assert summary_line(FindingsFile(study={}, findings=[]), language)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab1.,%[(中文，。）（“”\u202e -\n"), max_size=80), st.integers(8, 40))
def test_wrapping_loses_nothing(words, width):
    lines = wrap(words, width)
    assert all(cell_len(line) <= width for line in lines)
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", words)


def test_chinese_lines_do_not_start_with_closing_punctuation():
    for finding in example_file().findings:
        for width in range(20, 60, 3):
            assert not any(line.startswith(tuple("，。；：、）")) for line in wrap(visible(finding.sentence.zh), width))


# ---- Markdown and the model card


@pytest.mark.parametrize("language", LANGUAGES)
def test_markdown_shows_hostile_names_as_text(language):
    written = render_markdown(example_file(), example_results(), language=language)
    assert not hidden(written)
    page = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(written)
    read = PageText(page)
    tags = {tag for tag, _, _ in read.attributes} | set(re.findall(r"<(\w+)", page))
    assert not tags & {"img", "script", "svg", "a", "style", "iframe"}
    words = "".join(read.text)
    for name in ("img", "script", "close", "template", "markdown"):
        assert HOSTILE[name] in words, name


@pytest.mark.parametrize(("language", "written"), [("en", "*What it speaks about*: **"), ("zh", "*适用范围*：**")])
def test_markdown_has_the_punctuation_of_its_language(language, written):
    lines = render_markdown(example_file(), None, language=language).splitlines()
    assert any(line.startswith(written) for line in lines)
    assert language == "en" or not any("*: **" in line or "**. " in line for line in lines)


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_escaped_markdown_is_one_paragraph_of_plain_text(words):
    page = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(escape_markdown(words))
    assert set(re.findall(r"<(\w+)", page)) <= {"p"}
    assert " ".join("".join(PageText(page).text).split()) == " ".join(visible_line(words).split())


# ---- notebook


@pytest.mark.parametrize("language", LANGUAGES)
def test_findings_show_themselves_in_a_notebook(language):
    shown = study_html(example_file(), language)
    assert "0.846" in shown
    assert "<script" not in shown
    assert not any(name.startswith("on") for _, name, _ in PageText(shown).attributes)
    assert study_html(FindingsFile(study={}, findings=[]), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_python_shows_findings_in_the_language_of_messages(monkeypatch, language):
    monkeypatch.setenv("WEIGH_LANG", language)
    findings = Findings(example_file())
    assert str(findings) == render_terminal(findings.file, language=language, width=100, colour=False)
    assert findings._repr_html_() == study_html(findings.file, language)


# ---- the story


def test_every_finding_has_exactly_one_place():
    file = example_file()
    story = tell(file)
    placed = [
        story.headline,
        story.advice,
        *story.problems,
        *(f for s in story.sections for f in (*s.shown, *s.folded)),
    ]
    assert sorted(f.id for f in placed if f) == sorted(f.id for f in file.findings)


def test_undecided_and_doubtful_stand_under_what_may_not_be_concluded():
    story = tell(example_file())
    allowed, held = ({p.finding.id for p in points if p.finding} for points in (story.may, story.may_not))
    for finding in example_file().findings:
        if "undecided" in (finding.verdict, finding.relation):
            assert finding.id not in allowed
    assert "performance" in held
    assert "order" in allowed  # what the check has shown is shown, though it warns
    assert any("Neighbours in the file are alike" in p.sentence.en for p in story.may_not)


def test_a_violated_assumption_keeps_a_sentence_out_of_what_may_be_concluded():
    file = example_file()
    test = next(f for f in file.findings if f.id == "test")
    broken = test.model_copy(
        update={"assumptions": [a.model_copy(update={"outcome": "violated"}) for a in file.findings[0].assumptions]}
    )
    story = tell(FindingsFile(study=file.study, findings=[broken]))
    assert not story.may
    assert story.may_not


def test_the_runner_up_is_the_headlines_own():
    file = example_file()
    other = next(f for f in file.findings if f.relation == "better")
    headline = file.findings[0].model_copy(update={"candidates": [other.candidates[0], other.candidates[1]]})
    assert tell(FindingsFile(study=file.study, findings=[headline, *file.findings[1:]])).rival.id == other.id


# ---- words and numbers


def test_words_exist_in_both_languages_and_hold_no_numbers():
    for key, word in {**WORDS, **COLUMNS}.items():
        assert word.en or key == "count", key
        assert word.zh or key == "count", key
        blanks = [set(re.findall(r"\{(\w+)\}", side)) for side in word]
        assert blanks[0] == blanks[1], key
        if "f1" not in key and key != "sha256":
            assert not re.search(r"\d", word.en + word.zh), key


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (2099, "2099"),
        (0.9123, "0.912"),
        (-0.0001, "-1.0e-04"),
        (12.34, "12.3"),
        (1234.5, "1234"),
        (math.nan, "–"),
        (None, "–"),
        (True, "True"),
    ],
)
def test_numbers_are_written_plainly(value, written):
    assert number(value) == written


def test_quantities_carry_their_unit():
    assert quantity(18_600_000, "bytes", "zh") == "18.6 MB"
    assert quantity(0.0042, "seconds", "en") == "4.2 ms"
    assert quantity(2.14, "points", "en") == "2.1 points"
    assert quantity(2.14, "points", "zh") == "2.1 个百分点"
    assert quantity(-0.00001, "score", "en") == "0.000"
    assert short_count(4_652_008) == "4.65 M"
    points = Estimate(value=0.4, low=-0.9, high=1.7, unit="points")
    assert show_estimate(points, "en") == "0.4 points [-0.9, 1.7]"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=50))
def test_visible_hides_nothing_and_is_stable(words):
    shown = visible_line(words)
    assert not hidden(shown)
    assert "\n" not in shown
    shown.encode("utf-8")
    assert visible_line(shown) == shown


def test_an_internal_failure_is_shown_not_hidden():
    broken = Finding(
        id="internal:x",
        kind="internal",
        question=Text(en="Could everything be read?", zh="都读出来了吗？"),
        verdict="undecided",
        severity="problem",
        sentence=Text(en="A mistake in weigh.", zh="weigh 的错误。"),
    )
    file = FindingsFile(study={}, findings=[broken])
    assert "A mistake in weigh." in render_terminal(file, language="en", width=80, colour=False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_is_written_as_certainly_the_best(language):
    """A share of draws that is 1 or 0 stood as "1" and "0" in the table."""
    for value, written in ((1.0, "> 0.99"), (0.99, "0.99"), (0.406, "0.41"), (0.004, "< 0.01"), (0.0, "< 0.01")):
        assert written_value("p_best", value, language) == written
    assert cell("p_best", 1.0, language) == '<td class="num" data-sort="1.0">&gt; 0.99</td>'
