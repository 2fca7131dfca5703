"""`weigh read`: the findings of predictions that others made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from weigh.cli.options import FailOn, Lang, Settings, at_home, check_format, known_kinds, tell_failures
from weigh.cli.output import print_data, unfiltered
from weigh.language import detect_language, text
from weigh.report.visible import visible_json

__all__ = ["register"]

FORMATS = ("html", "json", "md", "text")


def read(
    predictions: Annotated[
        list[Path],
        typer.Argument(
            metavar="PREDICTIONS...",
            help="Tables with columns example, label, model, run and prediction or p:CLASS (optional set, fold, group), "
            "or one .npy, .npz or .json file for each model, or folders of them.",
        ),
    ],
    labels: Annotated[
        list[Path],
        typer.Option("--labels", help="For arrays: .npy, .npz or .json file of their labels; one for each folder."),
    ] = [],
    gold: Annotated[
        Path | None,
        typer.Option(
            "--gold",
            help="What is right. For entities a file of tags (CoNLL columns): PREDICTIONS are then the tags of one system each, or a folder of them. "
            "For boxes a COCO file (or what weigh data reads): PREDICTIONS are then results as COCO has them, one file for each model.",
        ),
    ] = None,
    format: Annotated[
        str, typer.Option("--format", "-f", help="html (written into the output folder), json, md or text (printed).")
    ] = "html",
    settings: Settings = [],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Folder of the report; default readings/<name of the table>.", callback=at_home
        ),
    ] = None,
    fail_on: FailOn = [],
    lang: Lang = "",
) -> None:
    """Read predictions that others made: the same findings, nothing is trained."""
    from weigh.reading import read_predictions
    from weigh.report.formats import LANGUAGE_FILES

    language = detect_language(lang)
    check_format(format, FORMATS)
    kinds = known_kinds(fail_on)
    reading = read_predictions(*predictions, labels=labels, gold=gold, settings=settings)
    file = reading.findings().file
    if format in ("json", "md"):
        document = reading.report(format, language)
        print_data(visible_json(document) if format == "json" else document)
    elif format == "text":
        import shutil

        from weigh.report.terminal import render_terminal

        width = min(shutil.get_terminal_size((100, 24)).columns, 110)
        sheet = render_terminal(file, language=language, width=width, colour=sys.stdout.isatty())
        print(sheet, file=unfiltered(sys.stdout))
    else:
        from weigh.report.terminal import summary_line

        print(summary_line(file, language))
        written = reading.write(output)
        print(text("Report: {p}", "报告：{p}", p=written[LANGUAGE_FILES[language]]).render(language))
    if tell_failures(file, kinds, language):
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(read)
