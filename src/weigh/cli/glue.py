"""`weigh glue`: studies of GLUE's tasks side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from weigh.cli.options import Lang, at_home, check_format
from weigh.cli.output import print_data
from weigh.language import detect_language, text
from weigh.report.visible import visible_json

__all__ = ["register"]

FORMATS = {"text": "txt", "md": "md", "json": "json"}


def glue(
    studies: Annotated[list[Path], typer.Argument(metavar="STUDY...", help="Study folders, one for each task.")],
    format: Annotated[str, typer.Option("--format", "-f", help="What is printed: text, md or json.")] = "text",
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder that glue.txt, glue.md and glue.json are written into.", callback=at_home
        ),
    ] = Path("readings/glue"),
    lang: Lang = "",
) -> None:
    """The GLUE table of studies: a row per candidate, a score with an interval per task, the mean."""
    from weigh.disk import write_file
    from weigh.glue.table import glue_table
    from weigh.glue.writing import render_glue
    from weigh.study import Study

    language = detect_language(lang)
    check_format(format, FORMATS)
    table = glue_table([Study.open(folder).results() for folder in studies])
    written = {name: render_glue(table, name, language) for name in FORMATS}
    for name, suffix in FORMATS.items():
        write_file(output / f"glue.{suffix}", written[name])
    print_data(visible_json(written[format]) if format == "json" else written[format])
    print(text("Written: {p}", "已写入：{p}", p=output).render(language), file=sys.stderr)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(glue)
