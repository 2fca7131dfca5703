"""`weigh rank`: which pretrained model? The study of `weigh run` with nothing but linear heads, and a table instead of the whole report."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weigh.cli.options import (
    Budget,
    Device,
    Jobs,
    Lang,
    Models,
    Offline,
    Output,
    Quiet,
    RetryFailed,
    Settings,
    TaskName,
    TrustCode,
    Typed,
    check_format,
    open_study,
)
from weigh.cli.output import print_data, unfiltered
from weigh.cli.rank_study import (
    SETTINGS,
    TRAINED,
    extending_command,
    failed_candidates,
    looks_words,
    not_tried,
    not_tried_words,
    ranked_by,
    refuse_more,
    refuse_one_model,
)
from weigh.cli.study import Source, Yes, run_and_tell
from weigh.language import LANGUAGES, Text, detect_language, text
from weigh.report.visible import visible_json, visible_line

if TYPE_CHECKING:
    from weigh.findings.model import Finding, FindingsFile
    from weigh.study import Study

__all__ = ["register"]

FORMATS = ("text", "json", "html")
COLUMNS: dict[str, Text] = {
    "rank": text("#", "#"),
    "candidate": text("model", "模型"),
    "score": text("score", "得分"),
    "p_best": text("P(best)", "为最佳的概率"),
    "possibly_best": text("may be best", "可能最好"),
    "logme": text("LogME", "LogME"),
    "h_score": text("H-score", "H-score"),
    "knn": text("kNN", "kNN"),
    "gmacs": text("GMACs", "GMACs"),
    "seconds": text("seconds", "秒"),
}


SOME_FOLDS = text(
    "* The score of some folds only, which may be easier or harder than the others; the place in the ranking is by the folds in common.",
    "* 得分只来自部分折，这些折可能比其余的更容易或更难；名次按共有的折排定。",
)
LEAST_RANKED = 2  # candidates


def rank(
    source: Source, task: TaskName = "", models: Models = [], settings: Settings = [], output: Output = None, device: Device = "",
    jobs: Jobs = "", budget: Budget = "", offline: Offline = False,
    format: Annotated[str, typer.Option("--format", "-f", help="text, json (both printed) or html (the report of the study).")] = "text",
    scores: Annotated[bool, typer.Option("--scores", help="In the table also LogME, H-score and the nearest neighbours, which train no head and decide nothing.")] = False,
    quiet: Quiet = False, yes: Yes = False, trust_code: TrustCode = False, lang: Lang = "", retry_failed: RetryFailed = False,
) -> None:  # fmt: skip
    """Which pretrained model to use: all of them with a linear head (masks, boxes: a light decoder; entities: fine-tuned), compared. Without
    --models, weigh chooses which to try.
    """
    check_format(format, FORMATS)
    typed = Typed(
        source, task=task, models=models, settings=settings, output=output,
        device=device, jobs=jobs, budget=budget, offline=offline, trust_code=trust_code,
    )  # fmt: skip
    others = [
        setting for setting in settings if not setting.strip().startswith("recipes.")
    ]  # of a recipe not known yet
    recipe = ranked_by(open_study(replace(typed, settings=[*SETTINGS, *others]), choosing=True))
    study = open_study(replace(typed, recipes=[recipe], settings=[*SETTINGS, *settings]), choosing=True)
    refuse_one_model(study)
    refuse_more(study, recipe)
    from weigh.report.formats import LANGUAGE_FILES

    language = detect_language(lang)
    further = extending_command(study, typed, recipe)
    report = study.folder / LANGUAGE_FILES[language]
    from weigh.findings.comparison.choice import SCORES

    hidden = () if scores else SCORES  # shown when asked for: they take the width of the names

    def tell(file: FindingsFile) -> None:
        if format == "json":
            print_data(_document(study, file, further))
        elif format == "html":
            print(report)
        else:
            results = study.results()
            lacking = not_tried_words(not_tried(study, results), failed_candidates(results))
            below = [words for words in (lacking, looks_words(results)) if words is not None]
            _print_ranking(file, language, below, without=hidden)
            print(text("Report: {p}", "报告：{p}", p=report).render(language))
            print(_extending(further, recipe, again=results.less is not None).render(language))

    run_and_tell(
        study,
        tell,
        quiet=quiet or format == "json",
        yes=yes,
        fail_on=[],
        language=language,
        retry_failed=retry_failed,
    )


def _choice(file: FindingsFile) -> Finding | None:
    return next((finding for finding in file.findings if finding.kind == "choice"), None)


def _why_no_table(file: FindingsFile) -> Text:
    """Why there is a winner and no ranking."""
    if sum(bool(one.get("folds_run")) and not one["control"] for one in file.study["candidates"]) < LEAST_RANKED:
        return text(
            "There is no ranking: a single model has results.",
            "没有排名：只有一个模型有结果。",
        )
    matrix = next((one.figure for one in file.findings if one.id == "comparison:matrix"), None)
    if file.study["runs"]["failed"] and matrix is not None and any(row["value"] is None for row in matrix.rows):
        return text(
            "There is no ranking: runs failed, and what is left of two of these models cannot be compared. When the causes are gone, the same "
            "command with --retry-failed goes on.",
            "没有排名：有运行失败，其中两个模型余下的结果无法相互比较。排除原因后，用同一命令加上 --retry-failed 继续。",
        )
    from weigh.stats.comparison import SMALLEST_SAMPLE

    if any(
        one.estimates["score"].n_unit == "groups"
        for one in file.findings
        if one.id == "verdict" and "score" in one.estimates
    ):
        return text(
            "There is no ranking: models are ranked by how sure their differences are, and two of these have too few groups in common to tell. "
            "Give examples of more groups, at least {n}; better some dozens.",
            "没有排名：排名取决于差异有多可靠，而其中有两个模型共有的组太少，无从判断。请提供更多组的样本，至少 {n} 组，最好数十组。",
            n=SMALLEST_SAMPLE,
        )
    return text(
        "There is no ranking: models are ranked by how sure their differences are, and two of these have too few examples in common to tell. "
        "Give more examples, at least {n}; better some hundreds.",
        "没有排名：排名取决于差异有多可靠，而其中有两个模型共有的样本太少，无从判断。请提供更多样本，至少 {n} 个，最好数百个。",
        n=SMALLEST_SAMPLE,
    )


def _rows(finding: Finding) -> list[dict[str, Any]]:
    """The ranking with the addresses of the models and what was measured on this machine."""
    seconds = {row["candidate"]: row["seconds"] for row in finding.measured.get("rows", [])}
    return [
        {**row, "model": name.rpartition(" × ")[0], "seconds": seconds.get(row["candidate"])}
        for row, name in zip(finding.table, finding.candidates, strict=True)
    ]


def _document(study: Study, file: FindingsFile, further: str) -> str:
    from weigh.report.terminal import summary_line

    finding, results = _choice(file), study.results()
    document = {
        "study": str(study.folder),
        "verdict": {language: summary_line(file, language) for language in LANGUAGES},
        "ranking": [] if finding is None else _rows(finding),
        "why_no_ranking": _why_no_table(file)._asdict() if finding is None else None,
        "not_tried": [
            {"model": address, "reason": why._asdict()} for address, why in not_tried(study, results).items()
        ],
        "failed": [one._asdict() for one in failed_candidates(results)],
        "test_looks": results.test_looks,
        "finding": None if finding is None else finding.model_dump(mode="json"),
        "extend": further,
    }
    return visible_json(json.dumps(document, indent=1, ensure_ascii=False)) + "\n"


def _extending(command: str, ranked_by: str, *, again: bool) -> Text:
    """What the command does that goes on.

    Args:
        again: Networks were trained for less, for want of time, and are trained anew.
    """
    if again:
        return text(
            "The same study with all of its report and a saved model; networks that were trained for less are trained anew: {c}",
            "同一研究的完整报告和保存的模型（训练量被缩减的网络会重新训练）：{c}",
            c=command,
        )
    if ranked_by == TRAINED:
        return text(
            "The same study with all of its report and a saved model, which trains nothing again but the winner: {c}",
            "同一研究的完整报告和保存的模型（除优胜者外不再重新训练）：{c}",
            c=command,
        )
    return text(
        "The same study goes on with fine-tuning, and trains nothing again: {c}",
        "可在同一研究中继续微调，已训练的不再重复：{c}",
        c=command,
    )


def _print_ranking(file: FindingsFile, language: str, below: Sequence[Text], *, without: tuple[str, ...]) -> None:
    """The verdict, the table, what is to be known about it, then the sentences on the choice.

    Args:
        below: What was not tried, what failed, and whether a test part was scored.
        without: Columns that are not shown.
    """
    from weigh.report.terminal import summary_line
    from weigh.report.wrapping import wrap

    width = min(shutil.get_terminal_size((100, 24)).columns, 120)

    def write(sentences: Iterable[str]) -> None:
        for sentence in sentences:
            print("\n".join(wrap(visible_line(sentence), width)))

    finding = _choice(file)
    write([summary_line(file, language)])
    if finding is not None:
        rows = _rows(finding)
        print()
        _print_table(rows, language, width, without)
        if any(row.get("on_other_folds") for row in rows):
            write([SOME_FOLDS.render(language)])
    elif file.study.get("winner"):
        write([_why_no_table(file).render(language)])
    write(words.render(language) for words in below)
    if finding is not None:
        matrix = next((one for one in file.findings if one.id == "comparison:matrix"), None)
        write(one.sentence.render(language) for one in (finding, matrix) if one is not None)
        if here := finding.measured.get("sentence"):
            write([here[language]])


def _print_table(rows: list[dict[str, Any]], language: str, width: int, without: tuple[str, ...]) -> None:
    """A table as wide as the terminal; columns of which nothing is known are left out."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text as Painted

    cells = [_cells(row, language) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    shown = [key for key in COLUMNS if key not in without and any(row[key] for row in cells)]
    for key in shown:
        left = key in ("candidate", "possibly_best")
        table.add_column(
            COLUMNS[key].render(language),
            justify="left" if left else "right",
            no_wrap=key not in ("candidate", "possibly_best", "p_best"),
            overflow="fold",
        )
    for row in cells:
        table.add_row(*(Painted(visible_line(row[key])) for key in shown), style="bold" if row["rank"] == "1" else None)
    out = unfiltered(sys.stdout)
    Console(file=out, width=width, no_color=not out.isatty(), highlight=False).print(table)


def _cells(row: dict[str, Any], language: str) -> dict[str, str]:
    from weigh.report.quantities import probability
    from weigh.stats.estimate import digits_that_show, with_digits

    def number(key: str, form: str, scale: float = 1.0) -> str:
        value = row.get(key)
        return "" if value is None else f"{value / scale:{form}}"

    mark = "*" if row.get("on_other_folds") else ""
    digits = digits_that_show((row["low"], row["high"]), 3)
    score = "" if row.get("score") is None else with_digits(row["score"], digits)
    interval = "" if row["low"] is None else f" [{with_digits(row['low'], digits)}, {with_digits(row['high'], digits)}]"
    yes, no = text("yes", "是"), text("no", "否")
    return {
        "rank": str(row["rank"]),
        "candidate": row["candidate"],
        "score": score + mark + interval,
        "p_best": "" if row.get("p_best") is None else probability(row["p_best"]),
        "possibly_best": (yes if row["possibly_best"] else no).render(language),
        "logme": number("logme", ".3f"),
        "h_score": number("h_score", ".3f"),
        "knn": number("knn", ".3f"),
        "gmacs": number("macs", ".2f", 1e9),
        "seconds": number("seconds", ".1f"),
    }


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(rank)
