"""Pictures of masks on the page: what is drawn is exact, hostile names stay names, nothing moves or acts, old folders show what they have."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.findings.planted_masks import halves_confused, planted_study
from tests.findings.studies import results_of
from tests.report.hostile import HOSTILE
from tests.report.reading import PageText
from tests.report.test_browser import CONTRAST, OPEN_ALL, VIEWS, opened
from weigh.findings.file import findings_file
from weigh.kinds.label_map import LabelMap
from weigh.kinds.mask_pictures import WRONG, difference_png, small_png
from weigh.kinds.masks import MASKS
from weigh.kinds.palette import palette
from weigh.report.html import render_html

PHOTO = io.BytesIO()
Image.fromarray(np.full((48, 48, 3), 90, np.uint8)).save(PHOTO, "PNG")
NAMES = (HOSTILE["img"], HOSTILE["script"], HOSTILE["rlo"])


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize("classes", [1, 3, 255, 400])
def test_a_mask_is_drawn_in_the_colours_of_its_classes(classes):
    indices = np.random.default_rng(classes).integers(-1, classes, (9, 13))
    drawn = pixels(small_png(LabelMap.of(indices, classes), 100))
    assert (drawn == np.where((indices < 0)[..., None], 255, palette(classes)[indices])).all()


@pytest.mark.parametrize(("shape", "size"), [((400, 200), (100, 50)), ((90, 300), (30, 100)), ((1, 500), (1, 100))])
def test_large_masks_are_drawn_small(shape, size):
    mask = LabelMap.of(np.zeros(shape, int), 2)
    for png in (small_png(mask, 100), difference_png(mask, mask, 100)):
        assert pixels(png).shape[:2] == size


def test_the_difference_is_where_the_answer_is_wrong():
    truth = np.array([[0, 1, 2, -1], [0, 1, 2, -1]])
    answer = np.array([[0, 0, 2, 1], [1, 1, 1, 0]])
    drawn = pixels(difference_png(LabelMap.of(truth, 3), LabelMap.of(answer, 3), 10))
    wrong, right, ignored = list(bytes.fromhex(WRONG[1:])), [225] * 3, [255] * 3
    assert drawn.tolist() == [[right, wrong, right, ignored], [wrong, right, wrong, ignored]]


def test_one_wrong_pixel_is_seen_in_a_small_picture():
    truth = np.zeros((400, 400), int)
    answer = truth.copy()
    answer[201, 77] = 1
    drawn = pixels(difference_png(LabelMap.of(truth, 2), LabelMap.of(answer, 2), 40))
    assert (drawn != 225).any(axis=2).sum() == 1


def test_the_legend_names_what_occurs():
    masks = [LabelMap.of(np.array([[2, 2, 0]]), 4), LabelMap.of(np.array([[2, -1, 0]]), 4)]
    legend = MASKS.legend(masks, ("a", "b", "c", "d"))
    assert [one.title.en for one in legend] == ["wrong", "ignored", "c", "a"]
    assert [one.title.en for one in MASKS.legend(masks[:1], ("a", "b", "c", "d"))] == ["wrong", "c", "a"]
    assert all(re.fullmatch("#[0-9a-f]{6}", one.colour) for one in legend)
    assert MASKS.legend([], ("a",)) == []


def page(results, language="en", picture=lambda path: PHOTO.getvalue()):
    return render_html(results.once(findings_file), results, language=language, picture=picture)


def hardest(results, **options):
    return page(results, **options).split('data-finding="errors:hardest"')[1].split("</article>")[0]


@pytest.fixture(scope="module")
def study():
    return results_of("masks")


@pytest.mark.parametrize(
    ("language", "titles"), [("en", "picture mask predicted wrong"), ("zh", "图片 标注 预测 判错")]
)
def test_every_hard_picture_stands_beside_its_mask_answer_and_difference(study, language, titles):
    shown = hardest(study, language=language)
    assert shown.count('<div class="panes n4">') == 12
    assert re.findall("<small>(.*?)</small>", shown)[:4] == titles.split()
    first = [base64.b64decode(code) for code in re.findall('base64,([^"]+)"', shown)[:4]]
    path = re.search(r"images/picture_\d+\.jpg", shown)[0]
    at = study.examples.path.tolist().index(path)
    answer = study.kept_answers("m0")[at]
    expected = MASKS.panes(study.examples.target[at], answer, 240, study.examples.classes, PHOTO.getvalue())
    assert first == [pane.image for pane in expected]
    assert {"en": "taken for", "zh": "判成"}[language] in shown


def test_pictures_that_are_gone_and_answers_that_were_not_kept(study):
    shown = hardest(study, picture=lambda path: None)
    assert re.findall("<small>(.*?)</small>", shown)[:3] == ["mask", "predicted", "wrong"]
    shown = hardest(replace(study, kept={}.get))
    assert re.findall("<small>(.*?)</small>", shown)[:4] == ["picture", "mask", "picture", "mask"]


@pytest.fixture(scope="module")
def hostile():
    return planted_study(halves_confused(0.3), classes=NAMES)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_hostile_names_of_classes_stay_names(hostile, language):
    written = page(hostile, language=language)
    read = PageText(written)
    assert not [a for tag, a, _ in read.attributes if a.startswith("on")]
    assert written.count("<script>") == 1
    assert "\u202e" not in "".join(read.text)
    assert HOSTILE["img"] in "".join(read.text)


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_the_page_fits(browser, study, tmp_path, language, width, scheme):
    path = tmp_path / "report.html"
    path.write_text(page(study, language), encoding="utf-8")
    with opened(browser, path, width, scheme) as (shown, watch):
        shown.evaluate(OPEN_ALL)
        shown.wait_for_timeout(100)
        assert shown.evaluate("document.documentElement.scrollWidth") == width
        assert shown.evaluate(CONTRAST) == []
        assert shown.locator(".legend rect").first.is_visible()
        assert shown.locator(".panes img").evaluate_all("all => all.every((e) => e.naturalWidth > 0)")
    assert not watch.console
    assert [url for url in watch.requests if not url.startswith("data:")] == [path.as_uri()]
