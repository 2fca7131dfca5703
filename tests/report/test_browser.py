"""The page in a real browser: nothing runs, nothing is fetched, everything fits and can be reached."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

CONTRAST = """() => {
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number); const f = c.startsWith('color(srgb') ? 255 : 1;
    return [m[0] * f, m[1] * f, m[2] * f, m.length > 3 ? m[3] : 1]; };
  const over = (a, b) => [0, 1, 2].map((i) => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = (c) => { const v = c.slice(0, 3).map((x) => { x /= 255; return x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4; });
    return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  const ground = (e) => { const stack = []; for (let n = e; n; n = n.parentElement) stack.push(parse(getComputedStyle(n).backgroundColor));
    return stack.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]); };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    const words = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).join('');
    if (!words || !e.getClientRects().length || ['SCRIPT', 'STYLE'].includes(e.tagName)) continue;
    const style = getComputedStyle(e), back = ground(e instanceof SVGElement ? e.closest('td, div, figure') : e);
    const front = over(parse(e instanceof SVGElement ? style.fill : style.color), back);
    const [a, b] = [light(front), light(back)], ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) bad.push([ratio.toFixed(2), e.tagName, e.className.baseVal ?? e.className, words.slice(0, 30)].join(' '));
  }
  return bad;
}"""
# Language, width, scheme: two that have nothing in common, and the other combinations in `make test-all`.
VIEWS = [
    ("en", 375, "light"), ("zh", 1280, "dark"),
    *(pytest.param(*view, marks=pytest.mark.thorough) for view in (
        ("zh", 375, "dark"), ("en", 1280, "dark"), ("zh", 1280, "light"), ("en", 375, "dark"), ("zh", 375, "light"), ("en", 1280, "light")
    )),
]  # fmt: skip
OPEN_ALL = "document.querySelectorAll('details').forEach((d) => { d.open = true; })"


class Watch:
    """What a page did that it must not do."""

    def __init__(self, page: Any) -> None:
        self.dialogs, self.console, self.requests, self.fetched = [], [], [], []
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("requestfinished", lambda request: self.fetched.append(request.url))


@contextlib.contextmanager
def opened(
    browser: Any, path: Path, width: int = 1280, scheme: str = "light", **options: Any
) -> Iterator[tuple[Any, Watch]]:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
    page = context.new_page()
    watch = Watch(page)
    page.goto(path.as_uri())
    try:
        yield page, watch
    finally:
        context.close()


@pytest.mark.parametrize(("language", "width", "scheme"), VIEWS)
def test_it_fits_and_nothing_acts(browser, reports, language, width, scheme):
    with opened(browser, reports[language], width, scheme) as (page, watch):
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.evaluate(OPEN_ALL)
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("document.documentElement.lang") == {"en": "en", "zh": "zh-CN"}[language]
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, paper[4:-1].split(","))) > 380) == (scheme == "light")
        assert page.evaluate(CONTRAST) == []
    assert not watch.dialogs
    assert not watch.console
    assert [url for url in watch.requests if not url.startswith("data:")] == [reports[language].as_uri()]


def test_the_policy_stops_what_would_slip_through(browser, reports, tmp_path):
    """The same page with a hole in its escaping: the policy alone keeps the script from running and the style out."""
    torn = tmp_path / "torn.html"
    hole = "<img src=x onerror='document.title=1'><script>document.title=2</script><p id=hole style='color:red'>x</p>"
    torn.write_text(reports["en"].read_text("utf-8").replace("<main>", "<main>" + hole), encoding="utf-8")
    with opened(browser, torn) as (page, watch):
        page.wait_for_timeout(200)
        assert "solar cells" in page.title()
        assert page.evaluate("getComputedStyle(document.getElementById('hole')).color") != "rgb(255, 0, 0)"
        assert any("Content Security Policy" in line for line in watch.console)
        assert [url for url in watch.fetched if not url.startswith("data:")] == [torn.as_uri()]


def test_without_a_script_the_report_is_complete(browser, reports):
    with opened(browser, reports["en"], java_script_enabled=False) as (page, _):
        assert page.locator("main .sentence").count() > 10
        assert page.locator(".forest svg .mark").first.is_visible()
        assert not page.locator(".theme").is_visible()
        page.locator("#runs summary").click()
        assert page.locator("#runs tbody tr").first.is_visible()


def test_a_mark_says_its_numbers_on_hover(browser, reports):
    with opened(browser, reports["en"]) as (page, _):
        mark = page.locator("#verdict [data-tip]").first
        mark.hover(force=True)
        tip = page.locator("#tip")
        assert tip.is_visible()
        assert tip.inner_text() == "lite2 probe: 0.846 [0.829, 0.862] (n 2099)"
        page.keyboard.press("Escape")
        assert not tip.is_visible()


def test_a_mark_says_its_numbers_by_keyboard(browser, reports):
    with opened(browser, reports["en"]) as (page, _):
        page.locator("#verdict .plot").first.focus()
        page.keyboard.press("ArrowRight")
        first = page.locator("#tip").inner_text()
        page.keyboard.press("ArrowRight")
        second = page.locator("#tip").inner_text()
        assert first.startswith("lite2 probe")
        assert first != second
        assert "fold" in second
        page.keyboard.press("Tab")
        assert not page.locator("#tip").is_visible()


def test_the_skip_link_comes_first_and_everything_is_reached_by_tab(browser, reports):
    with opened(browser, reports["en"]) as (page, _):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#verdict"
        wanted = page.evaluate(
            "[...document.querySelectorAll('a[href], button, summary, [tabindex=\"0\"]')]"
            ".filter((e) => e.checkVisibility({contentVisibilityAuto: true}) && !e.closest('details:not([open]) > :not(summary)')).length"
        )
        page.evaluate("document.activeElement.blur(); window.getSelection().removeAllRanges()")
        seen = set()
        page.evaluate("document.querySelector('.skip').focus()")
        for _ in range(wanted + 5):
            seen.add(
                page.evaluate(
                    "(() => { const all = [...document.querySelectorAll('*')]; return all.indexOf(document.activeElement); })()"
                )
            )
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none" or page.evaluate("document.activeElement === document.body")
            page.keyboard.press("Tab")
        assert len(seen) >= wanted


def test_tables_sort_by_number_and_back(browser, reports):
    with opened(browser, reports["en"]) as (page, _):
        page.locator("#runs summary").click()
        header = page.locator("#runs th", has_text="score")
        column = header.evaluate("(th) => th.cellIndex + 1")
        read = f"[...document.querySelectorAll('#runs tbody tr td:nth-child({column})')].map((td) => td.textContent)"
        for direction, reverse in (("ascending", False), ("descending", True)):
            header.locator("button").click()
            assert header.get_attribute("aria-sort") == direction
            cells = page.evaluate(read)
            numbers = [float(cell) for cell in cells if cell != "–"]
            assert numbers == sorted(numbers, reverse=reverse)
            assert cells[-1] == "–"  # the failed run stays below
            assert len(set(numbers)) > 5


def test_the_theme_can_be_chosen(browser, reports):
    with opened(browser, reports["zh"], scheme="dark") as (page, _):
        button = page.locator(".theme")
        paper = "getComputedStyle(document.body).backgroundColor"
        automatic = page.evaluate(paper)
        button.click()
        assert page.evaluate("document.documentElement.dataset.theme") == "light"
        assert page.evaluate(paper) != automatic
        assert page.evaluate(CONTRAST) == []
        button.click()
        assert page.evaluate(paper) == automatic
        assert "深色" in button.inner_text()


def test_landmarks_headings_and_names(browser, reports):
    with opened(browser, reports["en"]) as (page, _):
        page.evaluate(OPEN_ALL)
        assert page.locator("main").count() == page.locator("h1").count() == 1
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => +h.tagName[1])")
        assert levels[0] == 1
        assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
        page.wait_for_function("[...document.images].every((i) => i.complete)")
        assert page.evaluate("[...document.images].every((i) => i.alt.length > 5 && i.complete && i.naturalWidth > 0)")
        assert page.locator("img").count() > 20
        assert page.evaluate(
            "[...document.querySelectorAll('table')].every((t) => t.caption && t.caption.textContent.trim())"
        )
        twice = "(() => { const ids = [...document.querySelectorAll('[id]')].map((e) => e.id); return ids.length - new Set(ids).size; })()"
        assert page.evaluate(twice) == 0
        dead = "[...document.querySelectorAll('a[href^=\"#\"]')].filter((a) => !document.getElementById(a.hash.slice(1))).length"
        assert page.evaluate(dead) == 0


def test_a_link_unfolds_what_it_points_at(browser, reports):
    with opened(browser, reports["en"]) as (page, _):
        folded = page.evaluate("document.querySelector('details.more article').id")
        page.evaluate(f"location.hash = '{folded}'")
        page.wait_for_timeout(100)
        assert page.locator(f"#{folded}").is_visible()


def test_it_prints(browser, reports):
    with opened(browser, reports["en"], scheme="dark") as (page, _):
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not page.locator("nav").is_visible()
        printed = page.pdf()
        assert printed.startswith(b"%PDF")


@pytest.mark.parametrize("language", [pytest.param("en", marks=pytest.mark.thorough), "zh"])
def test_hostile_names_are_text(browser, reports, language):
    with opened(browser, reports[language]) as (page, _):
        page.evaluate(OPEN_ALL)
        words = page.locator("main").inner_text()
        for shown in (
            "<img src=x onerror=alert(1)>",
            "<script>alert(1)</script>",
            "{{ 7*7 }}{% raw %}",
            "</script><svg onload=alert(1)>",
        ):
            assert shown in words
        assert "invoice‹U+202E›gpj.exe" in words
        assert "\u202e" not in page.content()
        assert page.locator("main script, main svg[onload], img[onerror]").count() == 0
