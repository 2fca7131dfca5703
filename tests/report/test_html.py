"""The page as text: its policy, its completeness, the same numbers in both languages, no failure on odd findings."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.report.example import HOSTILE, example_file, example_picture, example_results
from tests.report.reading import PageText, numbers
from weigh.findings.model import Figure, Finding, FindingsFile
from weigh.language import Text
from weigh.report.figures import DRAWINGS, draw_figure, figure_numbers
from weigh.report.html import render_html
from weigh.report.pictures import Album

LIMIT = 5_000_000


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    results = example_results()
    return {lang: render_html(example_file(), results, language=lang, picture=example_picture) for lang in ("en", "zh")}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_policy_names_the_one_style_and_the_one_script(pages, language):
    read = PageText(pages[language])
    policy = next(v for tag, name, v in read.attributes if tag == "meta" and name == "content" and "default-src" in v)
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        assert len(read.blocks[kind]) == 1
        digest = base64.b64encode(hashlib.sha256(read.blocks[kind][0].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_is_inline_and_nothing_is_fetched(pages, language):
    for tag, name, value in PageText(pages[language]).attributes:
        assert name != "style", f"<{tag} style>"
        assert not name.startswith("on"), f"<{tag} {name}>"
        if name in ("src", "href", "data", "action", "srcset"):
            assert value.startswith(("#", "data:image/", "report.")), value
    assert len(pages[language].encode()) < LIMIT


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_finding_sentence_and_file_stands_on_the_page(pages, language):
    read = PageText(pages[language])
    words = "".join(read.text)
    file = example_file()
    for finding in file.findings:
        assert finding.id in read.findings, finding.id
        for part in (finding.question, finding.sentence, *finding.next, *(a.name for a in finding.assumptions)):
            if finding.kind != "advice" or part is finding.sentence:
                assert part.render(language).replace(HOSTILE["rlo"], "invoice‹U+202E›gpj.exe") in words
        for path in finding.examples:
            if path not in HOSTILE.values():
                assert path in words
        for reference in finding.references:
            assert reference in words


def test_numbers_are_the_same_in_both_languages(pages):
    english, chinese = PageText(pages["en"]), PageText(pages["zh"])
    assert set(english.findings) == set(chinese.findings)
    for finding in english.findings:
        assert numbers(" ".join(english.findings[finding])) == numbers(" ".join(chinese.findings[finding])), finding
    assert numbers(" ".join(english.text)) == numbers(" ".join(chinese.text))
    assert sum(numbers(" ".join(english.text)).values()) > 500


def test_the_chinese_page_has_no_english_words_of_ours(pages):
    """Words of the report itself are Chinese; names, methods and references stay as they are."""
    read = PageText(pages["zh"])
    allowed = "lite0 lite1 lite2 probe scratch finetune weigh timm AUROC MB ms English type"
    for title in re.findall(r"<h2[^>]*>(.*?)</h2>|<summary>(.*?)<|<th scope=\"col\"[^>]*>([^<]*)<", pages["zh"]):
        words = re.findall(r"[A-Za-z]{3,}", "".join(title))
        assert all(word in allowed or "alert" in "".join(title) for word in words), title
    assert "".join(read.text).count("尚无定论") >= 3


@pytest.mark.parametrize("language", ["en", "zh"])
def test_templates_do_not_run_names(language):
    file = example_file(name="{{ 7*7 }}{% raw %}<script>alert(1)</script>")
    page = render_html(file, None, language=language, picture=None)
    assert "{{ 7*7 }}{% raw %}&lt;script&gt;" in page
    assert "49" not in PageText(page).text[0]


def test_equal_findings_give_equal_pages():
    once, twice = (render_html(example_file(), example_results(), language="en", picture=example_picture) for _ in "ab")
    assert once == twice


def test_it_renders_nothing_at_all():
    for language in ("en", "zh"):
        page = render_html(FindingsFile(study={}, findings=[]), None, language=language, picture=None)
        assert "verdict" in page


ROW = st.dictionaries(
    st.sampled_from(
        [
            "candidate",
            "label",
            "value",
            "low",
            "high",
            "n",
            "repeat",
            "fold",
            "x",
            "y",
            "stage",
            "block",
            "predicted",
            "given",
            "other",
            "relation",
            "slice",
            "level",
            "score",
            "confidence",
            "accuracy",
            "macs",
            "class",
            "front",
            "on_other_folds",
            "by_common_folds",
            "<b>",
        ]
    ),
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**6), 10**6),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["better", "before", "shuffled", HOSTILE["img"]]),
        st.lists(st.integers(), max_size=3),
    ),
    max_size=8,
)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*DRAWINGS, "unknown", ""]), st.lists(ROW, max_size=6), st.sampled_from(["en", "zh"]))
@example("scores", [{"candidate": None, "repeat": []}], "en")
def test_no_figure_fails_and_none_breaks_out(kind, rows, language):
    figure = Figure(kind=kind, title=Text(en="t", zh="t"), rows=rows, options={"rope": 0.01, "reference": 0.5})
    drawn = str(draw_figure(figure, language)) + str(figure_numbers(figure, language))
    assert "<img" not in drawn
    assert "<b><" not in drawn.replace("<b></b>", "")
    for name in re.findall(r'c?[xy][12]?="([^"]*)%"', drawn):
        assert 0 <= float(name) <= 100


def test_an_end_of_an_interval_keeps_its_side_of_zero_in_figures():
    row = {"candidate": "a", "other": "b", "relation": "better", "value": 0.004, "low": 0.0003, "high": 0.008}
    loss = row | {"other": "c", "relation": "undecided", "value": 2.0, "low": -0.04, "high": 4.0}
    title = Text(en="t", zh="t")
    small = str(draw_figure(Figure(kind="differences", title=title, rows=[row], options={"rope": 0.0004}), "en"))
    assert "<b>0.0040</b>" in small
    assert "[0.0003, 0.0080]" in small
    assert "[-0.0004, 0.0004]" in small
    assert "[-0.04, 4.00]" in str(draw_figure(Figure(kind="differences", title=title, rows=[loss]), "en"))
    least = row | {"value": 0.0004}
    assert "0.0004" in str(draw_figure(Figure(kind="matrix", title=title, rows=[least]), "en"))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_text(words):
    both = Text(en=words, zh=words)
    finding = Finding(
        id=words,
        kind=words,
        question=both,
        verdict="undecided",
        sentence=both,
        examples=[words],
        next=[both],
        claim="this_data",
    )
    read = PageText(
        render_html(FindingsFile(study={"name": words}, findings=[finding]), None, language="en", picture=None)
    )
    tags = {tag for tag, _, _ in read.attributes}
    assert tags <= {"html", "meta", "body", "a", "header", "p", "h1", "button", "div", "nav", "main", "section", "h2", "span", "ul", "article", "h3", "i",
                    "details", "ol", "bdi", "footer", "pre", "dl", "dt", "li"}  # fmt: skip
    hidden = [c for c in words if ord(c) in (0x202E, 0x2066, 0x1B, 0x200B)]
    assert not any(c in "".join(read.text) for c in hidden)


def test_only_pictures_are_embedded():
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
    assert Album(lambda _: svg).uri("a.svg") is None
    assert Album(lambda _: b"<html>").uri("a.jpg") is None
    assert Album(lambda _: None).uri("a.jpg") is None
    assert Album(example_picture).uri("b.jpg").startswith("data:image/jpeg;base64,")
    assert Album(example_picture, budget=100).uri("b.jpg") is None


def test_a_large_study_stays_small():
    """2,624 photos, three candidates and 25 runs each, every example named, pictures of 15 kB."""
    base = example_file()
    many = [f"cells/cell{i:04}.png" for i in range(2624)]
    large = base.model_copy(update={"findings": [f.model_copy(update={"examples": many}) for f in base.findings]})
    page = render_html(large, example_results(), language="en", picture=lambda _: b"\xff\xd8\xff" + bytes(15_000))
    assert len(page.encode()) < LIMIT


def test_the_report_needs_no_torch_and_no_drawing_library():
    code = (
        "import sys, weigh.report.html, weigh.report.terminal, weigh.report.markdown, weigh.report.card, weigh.report.notebook;"
        "print([m for m in ('torch', 'altair', 'pandas', 'sklearn', 'scipy', 'polars', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
