"""Reports of numbers, entities and texts: quoted where pictures would stand, escaped, wrapped, in both languages, without the data."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.findings.kinds import entity_study, number_study, text_study
from tests.findings.synthetic import make_results
from tests.report.reading import PageText, numbers
from tests.report.test_browser import CONTRAST, OPEN_ALL, opened
from weigh.findings.file import findings_file
from weigh.kinds.base import rows_of
from weigh.record.index import read_index, write_index
from weigh.report.card import model_card
from weigh.report.html import render_html
from weigh.report.markdown import render_markdown
from weigh.report.terminal import render_terminal

STUDIES = {"numbers": number_study, "entities": entity_study, "texts": text_study}
STUDIES["labels"] = lambda: text_study(several=True)
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>\u202egpj.exe'
CHINESE = "这是一个没有空格的很长的句子，" * 30


@cache
def study_of(kind):
    """Do not change it."""
    return STUDIES[kind]()


def page(results, language="en"):
    return render_html(results.once(findings_file), results, language=language, picture=None)


@pytest.mark.parametrize("kind", STUDIES)
def test_the_page_says_the_same_in_both_languages(kind):
    results = study_of(kind)
    file = results.once(findings_file)
    english, chinese = (PageText(page(results, language)) for language in ("en", "zh"))
    assert english.findings.keys() == chinese.findings.keys() == {f.id for f in file.findings}
    for finding in file.findings:
        assert finding.sentence.en in "".join(english.findings[finding.id])
        assert numbers(finding.sentence.en) == numbers(finding.sentence.zh)
    assert "\nClasses (0)" not in model_card(file, results)
    for language in ("en", "zh"):
        assert render_markdown(file, language=language)
        assert render_terminal(file, language=language, width=100, colour=False)


@pytest.mark.parametrize("kind", ["numbers", "entities"])
def test_what_was_left_out_stands_on_the_page_with_its_reason(kind):
    results = study_of(kind)
    reason = results.once(findings_file).study["skipped"]["calibration"]
    assert reason["en"] in "".join(PageText(page(results)).text)
    assert reason["zh"] in "".join(PageText(page(results, "zh")).text)


def hostile_study():
    rng = np.random.default_rng(0)
    target = rng.normal(size=60)
    answers = (target + rng.normal(0, 0.1, 60))[None, :, None].astype(np.float32)
    answers[0, 0] += 9
    answers[0, 1] -= 8
    texts = [(HOSTILE, "a pair"), (CHINESE, "short")] + [(f"text {i}", "other") for i in range(58)]
    return make_results({"one": answers}, target, classes=(), texts=texts, task="text-regression")


def test_texts_are_quoted_escaped_and_told_their_language():
    written = page(hostile_study())
    read = PageText(written)
    assert "<script>alert" not in written
    assert "<img src=x" not in written
    assert "\u202e" not in written
    shown = "".join(read.findings["errors:hardest"])
    assert "<script>alert(1)</script>" in shown
    assert "a pair" in shown
    assert CHINESE in shown
    languages = [value for tag, name, value in read.attributes if tag == "blockquote" and name == "lang"]
    assert languages == ["zh"]
    assert "overflow-wrap: anywhere" in read.blocks["style"][0]


def test_a_long_text_is_cut():
    results = hostile_study()
    long = rows_of([("x" * 50_000, "y"), *results.examples.rows[1:]])
    written = page(replace(results, examples=replace(results.examples, rows=long)))
    assert "x" * 1_000 in written
    assert "x" * 1_001 not in written


@pytest.mark.parametrize("kind", ["numbers", "entities", "texts"])
def test_a_report_is_rebuilt_from_the_index_alone(kind, tmp_path):
    results = study_of(kind)
    write_index(tmp_path, results.examples)
    kept = replace(results, examples=read_index(tmp_path))
    assert kept.examples.kind == results.examples.kind
    assert page(kept) == page(results)


def test_the_index_keeps_entities_without_tokens(tmp_path):
    """Others' predictions may come without them."""
    examples = replace(entity_study(n=80).examples, rows=None)
    write_index(tmp_path, examples)
    assert read_index(tmp_path).target.tolist() == examples.target.tolist()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_long_texts_are_wrapped_in_a_narrow_window(browser, tmp_path, language):
    results = hostile_study()
    long = rows_of([("x" * 900, CHINESE), (CHINESE, "y"), *results.examples.rows[2:]])
    path = tmp_path / "report.html"
    path.write_text(page(replace(results, examples=replace(results.examples, rows=long)), language), encoding="utf-8")
    with opened(browser, path, 375) as (shown, watch):
        shown.evaluate(OPEN_ALL)
        assert shown.evaluate("document.documentElement.scrollWidth") == 375
        wide = "[...document.querySelectorAll('.quotes, .quotes *')].filter((e) => e.scrollWidth > e.clientWidth + 1).length"
        assert shown.evaluate(wide) == 0
        assert shown.evaluate(CONTRAST) == []
        assert not watch.dialogs
        assert not watch.console
