"""A real browser for the tests of the page, and the pages that they open."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.report.example import example_file, example_picture, example_results
from weigh.report.html import render_html

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium; tests that need it are skipped where there is none."""
    executable = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if executable is None:
        pytest.skip(f"no browser is installed here (looked for {', '.join(BROWSERS)})")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The example's page on disk, by language."""
    folder = tmp_path_factory.mktemp("report")
    pages = {}
    for language, name in (("en", "report.html"), ("zh", "report.zh.html")):
        pages[language] = folder / name
        page = render_html(example_file(), example_results(), language=language, picture=example_picture)
        pages[language].write_text(page, encoding="utf-8")
    return pages
