"""The page with what is unusual: invisible characters, many classes, series and candidates, settings and times of any size."""

from __future__ import annotations

import json
import math
import re

import pytest
from markdown_it import MarkdownIt

from tests.report.reading import PageText
from tests.report.test_browser import opened
from weigh.findings.amounts import amount
from weigh.findings.model import Figure, Finding, FindingsFile
from weigh.language import Text
from weigh.report.figures import draw_figure
from weigh.report.html import render_html
from weigh.report.markdown import render_markdown
from weigh.report.quantities import quantity, show_estimate
from weigh.report.rows import written_value
from weigh.report.scale import make_scale
from weigh.report.story import tell
from weigh.report.visible import visible_json, visible_line
from weigh.stats.estimate import Estimate

TITLE = Text(en="t", zh="t")


def drawn(kind: str, rows: list[dict], language: str = "en") -> str:
    return str(draw_figure(Figure(kind=kind, title=TITLE, rows=rows), language))


# ---- characters that show nothing


@pytest.mark.parametrize(
    ("character", "mark"),
    [
        ("\u00ad", "‹U+00AD›"),
        ("\u034f", "‹U+034F›"),
        ("\u115f", "‹U+115F›"),
        ("\u3164", "‹U+3164›"),
        ("\uffa0", "‹U+FFA0›"),
        ("\U000e0041", "‹U+E0041›"),
        ("\u200b", "‹U+200B›"),
        ("\u200d", "\u200d"),
    ],
)
def test_a_name_with_a_character_that_shows_nothing_does_not_look_like_another(character, mark):
    assert visible_line(f"ca{character}t") == f"ca{mark}t"
    document = json.dumps({"name": f"ca{character}t"}, ensure_ascii=False)
    written = visible_json(document)
    assert json.loads(written) == json.loads(document)
    assert (character in written) == (mark == character)


# ---- figures


def test_a_class_without_a_number_is_not_sorted_as_zero():
    rows = [{"class": "a", "recall": None, "n": 0}, {"class": "b", "recall": 0.0, "n": 5}]
    table = drawn("classes", rows)
    assert '<td class="num" data-sort="">–</td>' in table
    assert '<td class="num" data-sort="0.0">0.000<svg' in table


def test_a_table_of_very_many_classes_is_cut_and_says_so():
    rows = [{"class": f"c{i}", "recall": 0.5, "n": 3} for i in range(1000)]
    table = drawn("classes", rows)
    assert table.count('<th scope="row"') == 400
    assert "600 more rows stand in findings.json" in table
    assert "more rows" not in drawn("classes", rows[:400])


@pytest.mark.parametrize("kind", ["curve", "training"])
def test_sixteen_lines_have_sixteen_marks(kind):
    rows = [
        {"candidate": f"m{i}", "examples": n, "epoch": n, "value": 0.5 + 0.01 * i}
        for i in range(16)
        for n in (100, 200)
    ]
    keys = re.findall(r'class="series (s\d)"><svg class="mark (\w+)"', drawn(kind, rows))
    assert len(keys) == len(set(keys)) == 16
    marks = re.findall(r'<g class="series (s\d)">.*?<svg class="mark (\w+)"', drawn(kind, rows))
    assert marks == keys


def test_candidates_and_pairs_that_are_not_drawn_are_counted():
    rows = [{"candidate": f"m{i}", "stage": "before", "confidence": 0.6, "accuracy": 0.5} for i in range(9)]
    shown = drawn("reliability", rows)
    assert shown.count('class="plot plane square"') == 6
    assert "3 more candidates are not drawn" in shown
    assert "另有 3 个候选方案未画出" in drawn("reliability", rows, "zh")
    assert "not drawn" not in drawn("reliability", rows[:6])
    pairs = [{"candidate": "a", "other": f"m{i}", "relation": "better", "value": 0.1} for i in range(205)]
    assert "5 more rows stand in findings.json" in drawn("differences", pairs)


def test_the_count_of_pictures_is_true_where_one_is_missing():
    finding = Finding(
        id="e",
        kind="errors",
        question=TITLE,
        verdict="yes",
        sentence=TITLE,
        examples=["a.jpg", "b.jpg", "c.jpg"],
    )
    file = FindingsFile(study={}, findings=[finding])
    page = render_html(
        file, None, language="en", picture=lambda path: None if path == "b.jpg" else b"\xff\xd8\xff" + bytes(50)
    )
    words = "".join(PageText(page).text)
    assert page.count("<img ") == 2
    assert "Pictures of 2 of these 3." in words


def test_the_page_says_where_it_has_no_room_for_pictures():
    def words(examples: int) -> str:
        names = [f"{i}.jpg" for i in range(examples)]
        finding = Finding(id="e", kind="errors", question=TITLE, verdict="yes", sentence=TITLE, examples=names)
        file = FindingsFile(study={}, findings=[finding])
        page = render_html(file, None, language="en", picture=lambda _: b"\xff\xd8\xff" + bytes(150_000))
        return "".join(PageText(page).text)

    assert "no room for more of these pictures" not in words(14)
    assert "no room for more of these pictures" in words(24)


def pairs(n: int) -> list[dict]:
    return [
        {"candidate": f"m{i}", "other": f"m{j}", "relation": "better", "value": 0.1}
        for i in range(n)
        for j in range(i + 1, n)
    ]


def test_the_relations_of_many_candidates_can_be_read_without_seeing_signs():
    table = drawn("matrix", pairs(16))
    assert '<span class="unseen">better 0.100</span>' in table
    assert '<span class="unseen">worse -0.100</span>' in table
    assert '<span class="unseen">更好 0.100</span>' in drawn("matrix", pairs(16), "zh")


def test_the_caption_of_relations_ends_its_sentences_as_its_language_does():
    assert "<caption>t. Read a row" in drawn("matrix", pairs(3))
    assert "<caption>t。每行" in drawn("matrix", pairs(3), "zh")


@pytest.mark.parametrize("low", [1e-6, 1e-13, 1e-18, 1e-250, 1e-320, 1e-322, 5e-324])
@pytest.mark.parametrize("factor", [1, 2, 20])
def test_ticks_of_tiny_numbers_stand_on_the_axis(low, factor):
    scale = make_scale([low, factor * low], log=False)
    if low > 1e-300:
        assert all(scale.low <= tick <= scale.high for tick in scale.ticks)
        assert len(set(scale.ticks)) == len(scale.ticks) > 1
        assert len({scale.tick_label(tick) for tick in scale.ticks}) > 1


# ---- numbers


@pytest.mark.parametrize(
    ("key", "value", "written"),
    [
        ("learning_rate", 0.00073, "0.00073"),
        ("learning_rate", 5e-05, "5e-05"),
        ("weight_decay", 0.0005, "0.0005"),
        ("weight_decay", 0.0, "0"),
        ("share", 0.0123, "0.012"),
    ],
)
def test_settings_in_tables_are_written_as_in_sentences(key, value, written):
    assert written_value(key, value, "en") == written


def test_long_times_are_written_without_a_power_of_ten():
    finding = Finding(
        id="x",
        kind="inner-choice",
        question=TITLE,
        verdict="yes",
        sentence=TITLE,
        measured={"seconds": 12345.67, "share": 0.1234, "gain": -0.0, "lost": math.nan},
    )
    page = render_html(FindingsFile(study={}, findings=[finding]), None, language="en", picture=None)
    assert re.findall(r"<dd>([^<]*)</dd>", page)[:4] == ["0", "–", "12346", "0.1234"]


@pytest.mark.parametrize("unit", ["points", "nats", "label units", "squared label units", "objects"])
@pytest.mark.parametrize(
    ("value", "low", "high"), [(12.3456, 11.0, 14.25), (0.5, 0.0003, 1.0), (1234.56, None, None), (3.0, -2.0, 8.0)]
)
def test_a_number_is_written_as_in_the_sentence(unit, value, low, high):
    estimate = Estimate(value=value, low=low, high=high, unit=unit)
    for language in ("en", "zh"):
        assert show_estimate(estimate, language) == amount(estimate).render(language)


def test_errors_on_a_small_scale_are_not_written_as_nothing():
    small = Estimate(value=3e-9, low=2e-9, high=4e-9, unit="squared label units")
    assert show_estimate(small, "en") == "3.0e-09 squared units of the label [2.0e-09, 4.0e-09]"
    assert quantity(3e-9, "label units", "en") == "3.0e-09 units of the label"


# ---- the keyboard


def test_lists_that_scroll_can_be_reached():
    finding = Finding(id="e", kind="errors", question=TITLE, verdict="yes", sentence=TITLE, examples=["a.jpg"])
    page = render_html(FindingsFile(study={}, findings=[finding]), None, language="en", picture=None)
    assert '<ul class="files" tabindex="0">' in page


# ---- the opening lists


@pytest.mark.parametrize("n", [8, 12])
@pytest.mark.parametrize("verdict", ["yes", "undecided"])
def test_conclusions_and_limits_that_are_not_listed_are_counted(n, verdict):
    findings = [
        Finding(
            id=f"s{i}",
            kind="slices",
            question=TITLE,
            verdict=verdict,
            sentence=Text(en=f"Sentence {i}.", zh=f"第 {i} 句。"),
            severity="evidence",
            claim="this_data",
        )
        for i in range(n)
    ]
    story = tell(FindingsFile(study={}, findings=findings))
    points = story.may if verdict == "yes" else story.may_not
    assert [point.sentence.en for point in points[:8]] == [f"Sentence {i}." for i in range(8)]
    more = [point.sentence for point in points if "more, in the evidence" in point.sentence.en]
    assert [sentence.en for sentence in more] == (["There are 4 more, in the evidence of the report."] if n > 8 else [])
    assert all("另有 4 条" in sentence.zh for sentence in more)


# ---- Markdown


def test_columns_have_the_titles_of_their_figure():
    fields = {"value": Text(en="lead in accuracy", zh="准确率上的领先幅度")}
    figure = Figure(kind="differences", title=TITLE, rows=[{"candidate": "a", "value": 0.1}], fields=fields)
    finding = Finding(
        id="c", kind="comparison", question=TITLE, verdict="yes", sentence=TITLE, figure=figure, claim="this_data"
    )
    file = FindingsFile(study={}, findings=[finding])
    assert "| candidate | lead in accuracy |" in render_markdown(file, language="en")
    assert "| 候选方案 | 准确率上的领先幅度 |" in render_markdown(file, language="zh")


def test_names_of_files_with_backticks_are_written_as_they_are():
    names = ["a`b.jpg", "`` `c`` d.jpg", "`", "plain.jpg"]
    finding = Finding(id="e", kind="errors", question=TITLE, verdict="yes", sentence=TITLE, examples=names)
    written = render_markdown(FindingsFile(study={}, findings=[finding]), language="en")
    page = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(written)
    assert re.findall("<code>(.*?)</code>", page) == names


# ---- in a browser


def test_paper_shows_what_a_screen_scrolls(browser, reports):
    with opened(browser, reports["en"], scheme="dark") as (page, _):
        page.emulate_media(media="print", color_scheme="dark")
        heights = page.evaluate(
            "[...document.querySelectorAll('.long .scroll, .quotes, .files')].map((e) => getComputedStyle(e).maxHeight)"
        )
        assert heights
        assert set(heights) == {"none"}
        mark = "getComputedStyle(document.documentElement).getPropertyValue('--mark-4').trim()"
        assert page.evaluate(mark) == "#a3487f"


def test_a_name_without_blanks_fits_on_a_phone(browser, tmp_path):
    name = "x" * 150
    rows = [{"candidate": name, "examples": n, "value": 0.5} for n in (100, 200)]
    finding = Finding(
        id="curve",
        kind="curve",
        question=Text(en=f"Would more examples help {name}?", zh="?"),
        verdict="yes",
        sentence=TITLE,
        figure=Figure(kind="curve", title=TITLE, rows=[*rows, *(row | {"candidate": "b"} for row in rows)]),
    )
    path = tmp_path / "report.html"
    page = render_html(FindingsFile(study={}, findings=[finding]), None, language="en", picture=None)
    path.write_text(page, encoding="utf-8")
    with opened(browser, path, 375) as (shown, _):
        assert shown.evaluate("document.documentElement.scrollWidth") == 375


def test_a_number_with_a_long_unit_may_wrap_on_a_phone(browser, reports):
    for width, space in ((375, "normal"), (1280, "nowrap")):
        with opened(browser, reports["en"], width) as (page, _):
            assert page.evaluate("getComputedStyle(document.querySelector('.nowrap')).whiteSpace") == space
