"""Pictures of boxes on the page: what is drawn is where it was found, what is wrong stands out, names stay names, and the page fits."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from tests.findings.planted_boxes import Detector, planted_boxes
from tests.findings.studies import results_of
from tests.report.hostile import HOSTILE
from tests.report.reading import PageText
from tests.report.test_browser import CONTRAST, OPEN_ALL, opened
from weigh.findings.file import findings_file
from weigh.kinds.box_list import Boxes, Detections
from weigh.kinds.box_pictures import GROUND, class_colours, outlined, overlaid, panes_of
from weigh.kinds.boxes import BOXES
from weigh.report.html import render_html

PHOTO = io.BytesIO()
Image.fromarray(np.full((48, 48, 3), 90, np.uint8)).save(PHOTO, "PNG")
NAMES = (HOSTILE["img"], HOSTILE["script"], HOSTILE["rlo"])
RED = np.array([[255, 0, 0]], np.uint8)


def shown(corners, **how):
    """A black picture of 100 pixels with one red box."""
    picture = Image.new("RGB", (100, 100))
    bold, dashed = (np.array([how.get(name, False)]) for name in ("bold", "dashed"))
    return np.asarray(outlined(picture, np.array([corners], float), RED, bold=bold, dashed=dashed))


def red(pixels):
    return (pixels == RED[0]).all(axis=2)


def test_a_box_is_drawn_where_it_is():
    drawn = red(shown((20, 30, 60, 80)))
    expected = np.zeros((100, 100), bool)
    expected[30:80, 20:60] = True
    expected[32:78, 22:58] = False
    assert (drawn == expected).all()


@pytest.mark.parametrize(("how", "more"), [({"bold": True}, 1.7), ({"dashed": True}, 0.4)])
def test_bold_and_dashed_lines_differ_from_plain_ones(how, more):
    plain, other = red(shown((20, 30, 60, 80))).sum(), red(shown((20, 30, 60, 80), **how)).sum()
    assert (other > more * plain) if more > 1 else (more * plain < other < 0.7 * plain)


@pytest.mark.parametrize("corners", [(-20, -20, 140, 140), (40, 40, 40, 40), (99.6, 99.6, 100, 100), (60, 60, 20, 20)])
def test_boxes_without_an_inside_and_beyond_the_picture_break_nothing(corners):
    for how in ({}, {"bold": True}, {"dashed": True}):
        assert shown(corners, **how).shape == (100, 100, 3)


def decoded(pane):
    return np.asarray(Image.open(io.BytesIO(pane.image)).convert("RGB")).astype(int)


TRUTH = Boxes.of(100, 200, [[10, 10, 50, 50], [100, 20, 160, 80]], [0, 1])
ANSWER = Detections.of(100, 200, [[11, 10, 51, 50], [20, 60, 60, 95], [0, 0, 5, 5]], [0, 1, 0], [0.9, 0.8, 0.1], 0.3)


@pytest.mark.parametrize("picture", [None, PHOTO.getvalue(), b"no picture"])
def test_both_panes_have_the_shape_of_the_picture(picture):
    panes = panes_of(TRUTH, ANSWER, 2, 360, picture)
    assert [decoded(pane).shape for pane in panes] == [(180, 360, 3)] * 2
    assert [pane.title.en.split(" ")[0] for pane in panes] == ["drawn", "found"]
    assert len(panes_of(TRUTH, None, 2, 360, picture)) == 1


def test_what_is_missed_and_what_is_wrong_stands_out():
    def marked(pane):
        return (np.abs(decoded(pane) - GROUND).sum(axis=2) > 60)[:, :].astype(bool)

    right = panes_of(TRUTH, Detections.of(100, 200, TRUTH.corners, TRUTH.classes, [0.9, 0.9]), 2, 360, None)
    some = panes_of(TRUTH, ANSWER, 2, 360, None)
    left, other = np.s_[:, :100], np.s_[:, 170:]
    assert marked(some[0])[other].sum() > 1.3 * marked(right[0])[other].sum()  # the missed object is bold
    assert marked(some[0])[left].sum() == pytest.approx(marked(right[0])[left].sum(), rel=0.1)
    assert marked(some[1])[other].sum() < 0.1 * marked(right[1])[other].sum()  # nothing was found there
    below = np.s_[104:, :112]
    assert marked(some[1])[below].sum() > 100  # the wrong box
    assert marked(right[1])[below].sum() == 0


def test_what_is_not_told_is_not_drawn():
    low = ANSWER._replace(threshold=0.95)
    drawn = decoded(panes_of(TRUTH, low, 2, 360, None)[1])
    assert np.abs(drawn - GROUND).max() < 12


def test_new_pictures_are_drawn_at_their_own_size():
    drawn = np.asarray(overlaid(Image.new("RGB", (400, 200)), ANSWER))
    assert drawn.shape == (200, 400, 3)
    assert (drawn[20:24, 30:90] == class_colours(2)[0]).all()
    assert (drawn[30:90, 40:90] == 0).all()


def test_the_legend_names_what_occurs():
    legend = BOXES.legend([TRUTH, ANSWER, TRUTH._replace(classes=np.array([-1, 1]))], ("a", "b", "c"))
    assert [one.title.en for one in legend] == ["b", "a"]
    assert all(re.fullmatch("#[0-9a-f]{6}", one.colour) for one in legend)
    assert BOXES.legend([], ("a",)) == []


def page(results, language="en", picture=lambda path: PHOTO.getvalue()):
    return render_html(results.once(findings_file), results, language=language, picture=picture)


@pytest.fixture(scope="module")
def study():
    return results_of("boxes")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_hard_picture_stands_with_what_was_drawn_and_found(study, language):
    shown = page(study, language).split('data-finding="errors:hardest"')[1].split("</article>")[0]
    assert shown.count('<div class="panes n2">') == 12
    path = re.search(r"images/picture_\d+\.jpg", shown)[0]
    at = study.examples.path.tolist().index(path)
    answer = BOXES.answer_of(study.recorded(study.winner, at), study.examples.target[at])
    expected = BOXES.panes(study.examples.target[at], answer, 360, study.examples.classes, PHOTO.getvalue())
    first = [base64.b64decode(code) for code in re.findall('base64,([^"]+)"', shown)[:2]]
    assert first == [pane.image for pane in expected]
    assert {"en": "objects missed", "zh": "漏检"}[language] in shown


def test_pictures_that_are_gone_are_drawn_on_grey(study):
    shown = page(study, picture=lambda path: None).split('data-finding="errors:hardest"')[1].split("</article>")[0]
    assert shown.count('<div class="panes n2">') == 12


@pytest.fixture(scope="module")
def hostile():
    return planted_boxes(Detector(missed=0.3, wrong_class=0.2), n=24, classes=NAMES)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_hostile_names_of_classes_stay_names(hostile, language):
    written = page(hostile, language)
    read = PageText(written)
    assert not [a for tag, a, _ in read.attributes if a.startswith("on")]
    assert written.count("<script>") == 1
    assert "\u202e" not in "".join(read.text)
    assert HOSTILE["img"] in "".join(read.text)


@pytest.mark.parametrize(("language", "width"), [("zh", 390), ("en", 1280)])
def test_the_page_fits(browser, study, tmp_path, language, width):
    path = tmp_path / "report.html"
    path.write_text(page(study, language), encoding="utf-8")
    with opened(browser, path, width, "dark" if width == 390 else "light") as (shown, watch):
        shown.evaluate(OPEN_ALL)
        shown.wait_for_timeout(100)
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        assert shown.evaluate(CONTRAST) == []
        sizes = shown.locator(".panes img").evaluate_all("all => all.map((e) => e.getBoundingClientRect().width)")
        assert min(sizes) >= 140  # boxes are seen on a phone
    assert not watch.console
    assert [url for url in watch.requests if not url.startswith("data:")] == [path.as_uri()]


@pytest.mark.parametrize("name", ["cell", "细胞", "a\nb", "", "x" * 80])
def test_names_are_written_beside_boxes_inside_the_picture(name):
    """Letters that are not at hand become the number of the class; at the edge the text stays inside."""
    answer = Detections.of(200, 400, [(0, 0, 60, 40), (380, 190, 400, 200)], [0, 0], [0.9, 0.8], 0.5)
    without, drawn = (np.asarray(overlaid(Image.new("RGB", (400, 200)), answer, names)) for names in ((), (name,)))
    assert drawn.shape == without.shape
    changed = (without != drawn).any(axis=2)
    assert changed[:100].any()
    assert changed[100:].any()


FARTHEST = [(10, 10, 1e12, 1e12), (-1e308, 5, 1e308, 30), (np.nan, 1, 2, np.inf), (-1e9, -1e9, -1e8, -1e8)]


@pytest.mark.parametrize("dashed", [True, False])
@pytest.mark.parametrize("corners", FARTHEST)
def test_boxes_that_reach_anywhere_are_drawn_at_once(corners, dashed):
    """A line of dashes a million times as long as the picture took for ever."""
    flags = {"bold": np.ones(1, bool), "dashed": np.array([dashed])}
    with np.errstate(all="raise"):
        picture = outlined(Image.new("RGB", (80, 60)), np.array([corners]), RED, scale=1.5, **flags)
    seen = np.asarray(picture)[10:28, 15].any()
    assert seen == (corners in FARTHEST[:2])  # lines that cross the picture
