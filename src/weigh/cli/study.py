"""`weigh run`, `plan`, `report`, `demo`, `schema`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weigh.cli.options import (
    Budget,
    Device,
    FailOn,
    Jobs,
    Lang,
    Models,
    Offline,
    Output,
    Quiet,
    Recipes,
    RetryFailed,
    Settings,
    TaskName,
    TrustCode,
    Typed,
    check_format,
    known_kinds,
    open_study,
    tell_failures,
)
from weigh.cli.output import print_data, unfiltered
from weigh.errors import SpecError, WeighError
from weigh.language import Text, detect_language, text
from weigh.notices import notice
from weigh.report.visible import visible_json

if TYPE_CHECKING:
    from weigh.findings.model import FindingsFile
    from weigh.study import Study

__all__ = ["Source", "Yes", "register", "run_and_tell"]

Source = Annotated[
    str,
    typer.Argument(metavar="DATA_OR_YAML", help="Folder or table of labelled examples, study.yaml, or study folder."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Start also if it is predicted to take over ten minutes.")]


def run(
    source: Source, task: TaskName = "", models: Models = [], recipes: Recipes = [], settings: Settings = [],
    output: Output = None, device: Device = "", jobs: Jobs = "", budget: Budget = "", offline: Offline = False, quiet: Quiet = False,
    yes: Yes = False, fail_on: FailOn = [], trust_code: TrustCode = False, lang: Lang = "", retry_failed: RetryFailed = False,
) -> None:  # fmt: skip
    """Weigh models on labelled data; the same command again resumes or extends the study. Without --models, weigh chooses them."""
    typed = Typed(
        source, task=task, models=models, recipes=recipes, settings=settings, output=output,
        device=device, jobs=jobs, budget=budget, offline=offline, trust_code=trust_code,
    )  # fmt: skip
    study = open_study(typed, choosing=True)
    language = detect_language(lang)
    run_and_tell(
        study,
        partial(_tell, study, language, quiet=quiet),
        quiet=quiet,
        yes=yes,
        fail_on=known_kinds(fail_on),
        language=language,
        retry_failed=retry_failed,
    )


def demo(
    output: Output = None,
    quiet: Quiet = False,
    lang: Lang = "",
    settings: Settings = [],
    texts: Annotated[bool, typer.Option("--text", help="Two language models on 480 messages written for it.")] = False,
    masks: Annotated[
        bool, typer.Option("--masks", help="Two decoders on 60 pictures drawn for it, with exact masks.")
    ] = False,
    boxes: Annotated[
        bool, typer.Option("--boxes", help="Two detectors on 60 pictures drawn for it, with exact boxes.")
    ] = False,
    retry_failed: RetryFailed = False,
) -> None:
    """Three ImageNet models on 2,624 photos of solar cells, from installed packages, without the network."""
    from weigh.data.boxes import demo as of_boxes
    from weigh.data.masks import demo as of_masks
    from weigh.data.pictures.demo import demo_spec
    from weigh.data.texts.demo import WRITTEN, text_demo_spec
    from weigh.spec_yaml import apply_settings, load_spec
    from weigh.study import Study

    others = {
        "--text": (texts, "studies/messages", text_demo_spec, WRITTEN),
        "--masks": (masks, "studies/drawn-cells", of_masks.mask_demo_spec, of_masks.DRAWN),
        "--boxes": (boxes, "studies/drawn-boxes", of_boxes.box_demo_spec, of_boxes.DRAWN),
    }
    demos = [option for option, (wanted, *_) in others.items() if wanted]
    if len(demos) > 1:
        raise SpecError(
            text("{o} are different demos.", "{o} 是不同的演示。", o=" ".join(demos)),
            do=text("Choose one of them.", "请选择其一。"),
        )
    default, make_spec, lead = others[demos[0]][1:] if demos else ("studies/solar-cells", demo_spec, None)
    folder = output or Path(default)
    study = Study(load_spec(apply_settings(make_spec(folder), settings), base=folder), folder)
    language = detect_language(lang)
    tell = partial(_tell, study, language, quiet=quiet, brief=True, lead=lead)
    run_and_tell(study, tell, quiet=quiet, yes=True, fail_on=[], language=language, retry_failed=retry_failed)


def run_and_tell(
    study: Study,
    tell: Callable[[FindingsFile], None],
    *,
    quiet: bool,
    yes: bool,
    fail_on: list[str],
    language: str,
    retry_failed: bool = False,
) -> None:
    """Run, and let `tell` print what was found; the exit code says whether anything ran, and whether problems of `fail_on` were found."""
    from weigh.cli.output import open_screen

    with open_screen(language, quiet=quiet, confirmed=yes) as screen:
        try:
            study.run(screen, retry_failed=retry_failed)
        except KeyboardInterrupt:
            screen.__exit__()
            if (study.folder / "study.yaml").exists():
                try:
                    type(study).open(study.folder).write()  # a report of what is recorded so far
                except WeighError as error:  # nothing is recorded yet, or the disk is full
                    notice(error.what)
            raise
    if study.written is None:  # declined at the question
        if (study.folder / "findings.json").exists():
            line = text(
                "Not started. What was recorded before: weigh report {f} --format text",
                "未开始。此前的记录：weigh report {f} --format text",
                f=shlex.quote(str(study.folder)),
            )
            print(line.render(language), file=sys.stderr)
        raise typer.Exit(0)
    file = study.written
    tell(file)
    failing = tell_failures(file, fail_on, language)
    runs = file.study["runs"]
    if runs["failed"] and not runs["done"]:
        print(
            text(
                "Every run failed; the causes are in {f}. When they are gone, the same command with --retry-failed goes on.",
                "所有运行都失败了；原因见 {f}。排除原因后，用同一命令加上 --retry-failed 继续。",
                f=study.folder / "log.txt",
            ).render(language),
            file=sys.stderr,
        )
        raise typer.Exit(1)
    raise typer.Exit(1 if failing else 0)


def _tell(
    study: Study, language: str, file: FindingsFile, *, quiet: bool, brief: bool = False, lead: Text | None = None
) -> None:
    """Print the verdict; `lead` is a sentence about the data that follows it."""
    import shutil

    from weigh.report.formats import LANGUAGE_FILES
    from weigh.report.terminal import render_terminal, summary_line
    from weigh.report.wrapping import wrap

    width = min(shutil.get_terminal_size((100, 24)).columns, 110)
    if not (quiet or brief):
        sheet = render_terminal(file, language=language, width=width, colour=sys.stdout.isatty())
        print(sheet, file=unfiltered(sys.stdout))
    line = summary_line(file, language)
    print("\n".join(wrap(line, width)) if sys.stdout.isatty() else line)  # a pipe gets one line
    print(text("Report: {p}", "报告：{p}", p=study.folder / LANGUAGE_FILES[language]).render(language))
    for submission in study.submissions:
        print(submission.line().render(language))
    if lead:
        print(lead.render(language))


def plan(
    source: Source, task: TaskName = "", models: Models = [], recipes: Recipes = [], settings: Settings = [],
    output: Output = None, device: Device = "", jobs: Jobs = "", budget: Budget = "", offline: Offline = False, quiet: Quiet = False,
    trust_code: TrustCode = False, lang: Lang = "",
) -> None:  # fmt: skip
    """What would run, how long it would take, and the smallest difference it could detect. Trains nothing."""
    from weigh.cli.output import open_screen

    language = detect_language(lang)
    typed = Typed(
        source, task=task, models=models, recipes=recipes, settings=settings, output=output,
        device=device, jobs=jobs, budget=budget, offline=offline, trust_code=trust_code,
    )  # fmt: skip
    study = open_study(typed, choosing=True)
    with open_screen(language, quiet=quiet, confirmed=True) as screen:
        forecast = study.plan(screen)
    print("\n".join(line.render(language) for line in forecast.lines()))
    print(text("Study folder: {f}", "研究文件夹：{f}", f=study.folder).render(language))


def report(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="Study folder.")],
    format: Annotated[
        str, typer.Option("--format", "-f", help="html (written into the study), json or md (printed), text.")
    ] = "html",
    lang: Lang = "",
) -> None:
    """Rebuild the report from what is recorded, finished or not; needs neither torch nor the data."""
    from weigh.report.formats import LANGUAGE_FILES
    from weigh.study import Study

    check_format(format, ("html", "json", "md", "text"))
    opened, language = Study.open(study), detect_language(lang)
    if format == "html":
        written = opened.write()
        print(written[LANGUAGE_FILES[language]])
    elif format == "text":
        _tell(opened, language, opened.read().file, quiet=False)
    else:
        document = opened.report(format, language)
        print_data(visible_json(document) if format == "json" else document)


def schema() -> None:
    """The JSON schema of study.yaml."""
    import json

    from weigh.spec_yaml import study_schema

    print_data(json.dumps(study_schema(), indent=2, ensure_ascii=False) + "\n")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (run, plan, report, demo, schema):
        app.command()(command)
