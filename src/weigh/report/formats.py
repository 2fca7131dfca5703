"""The findings in one of the three formats of a report, and the files that a report is written to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from weigh.disk import write_file
from weigh.errors import SpecError
from weigh.findings.model import FindingsFile
from weigh.language import text
from weigh.record.results import Results

__all__ = ["LANGUAGE_FILES", "render_report", "write_report"]

LANGUAGE_FILES = {"en": "report.html", "zh": "report.zh.html"}


def render_report(
    file: FindingsFile,
    results: Results,
    format: str,
    language: str,
    picture: Callable[[str], bytes | None] | None = None,
) -> str:
    """The findings as "html", "json" or "md".

    Raises:
        SpecError: Another format.
    """
    if format == "json":
        from weigh.report.json_file import to_json

        return to_json(file)
    if format == "md":
        from weigh.report.markdown import render_markdown

        return render_markdown(file, results, language=language)
    if format == "html":
        from weigh.report.html import render_html

        return render_html(file, results, language=language, picture=picture)
    raise SpecError(
        text("There is no report format '{f}'.", "没有报告格式“{f}”。", f=format),
        do=text("Choose html, json or md.", "可选 html、json 或 md。"),
    )


def write_report(folder: Path, render: Callable[[str, str], str]) -> dict[str, Path]:
    """Write the page in every language and findings.json; returns name -> where it is.

    Args:
        render: `(format, language)` -> the report as text.

    Raises:
        StorageError: The folder cannot be made or written.
    """
    pages = {name: render("html", language) for language, name in LANGUAGE_FILES.items()}
    pages["findings.json"] = render("json", "en")
    for name, page in pages.items():
        write_file(folder / name, page.encode("utf-8", "backslashreplace"))
    return {name: folder / name for name in pages}
