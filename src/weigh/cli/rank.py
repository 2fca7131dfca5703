"""`weigh rank`: which pretrained model? The study of `weigh run` with nothing but linear heads, and a table instead of the whole report."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weigh.cli.options import (
    Budget,
    Lang,
    Models,
    Offline,
    Output,
    Quiet,
    TaskName,
    TrustCode,
    check_format,
    listed,
    open_study,
)
from weigh.cli.output import print_data, unfiltered
from weigh.cli.study import Source, Yes, run_and_tell
from weigh.errors import SpecError, WeighError
from weigh.language import LANGUAGES, Text, detect_language, text
from weigh.report.visible import visible_json, visible_line

if TYPE_CHECKING:
    from weigh.findings.model import Finding, FindingsFile
    from weigh.study import Study

__all__ = ["register"]

RECIPE, TRAINED = "probe", "finetune"  # the latter where a task has no linear head
SETTINGS = ["design.curve=false", "design.cleaned=false", "output.refit=false"]  # what says nothing about the choice
FORMATS = ("text", "json", "html")
COLUMNS: dict[str, Text] = {
    "rank": text("#", "#"),
    "candidate": text("model", "模型"),
    "score": text("score", "得分"),
    "p_best": text("P(best)", "最好的概率"),
    "possibly_best": text("may be best", "可能最好"),
    "logme": text("LogME", "LogME"),
    "h_score": text("H-score", "H-score"),
    "knn": text("kNN", "kNN"),
    "gmacs": text("GMACs", "GMACs"),
    "seconds": text("seconds", "秒"),
}


def rank(
    source: Source, task: TaskName = "", models: Models = [], output: Output = None, budget: Budget = "", offline: Offline = False,
    format: Annotated[str, typer.Option("--format", "-f", help="text, json (both printed) or html (the report of the study).")] = "text",
    scores: Annotated[bool, typer.Option("--scores", help="In the table also LogME, H-score and the nearest neighbours, which train no head and decide nothing.")] = False,
    quiet: Quiet = False, yes: Yes = False, trust_code: TrustCode = False, lang: Lang = "",
) -> None:  # fmt: skip
    """Which pretrained model to use: all of them with a linear head (entities: fine-tuned), compared. Without --models, weigh chooses which to try."""
    check_format(format, FORMATS)
    if len(named := listed(models)) == 1:
        raise SpecError(
            text("Only {m} is named.", "只指定了 {m}。", m=named[0]),
            text("Among one model nothing can be chosen.", "只有一个模型，无从选择。"),
            text(
                "Name at least two, separated by commas, or none: then weigh chooses which to try.",
                "请至少指定两个（用逗号分隔），或一个也不指定，由 weigh 挑选。",
            ),
        )
    opened = partial(
        open_study,
        source,
        task=task,
        models=models,
        settings=SETTINGS,
        output=output,
        offline=offline,
        trust_code=trust_code,
        budget=budget,
        choosing=True,
    )
    recipe = _ranked_by(opened(recipes=[]))
    study = opened(recipes=[recipe])
    _refuse_more(study, recipe)
    from weigh.study import LANGUAGE_FILES

    language = detect_language(lang)
    further = _further(
        study, source, recipe, task=task, models=named, output=output, offline=offline, trust_code=trust_code
    )
    report = study.folder / LANGUAGE_FILES[language]
    from weigh.findings.comparison.choice import SCORES

    hidden = () if scores else SCORES  # shown when asked for: they take the width of the names

    def tell(file: FindingsFile) -> None:
        if format == "json":
            print_data(_document(study, file, further))
        elif format == "html":
            print(report)
        else:
            _print_ranking(file, language, without=hidden)
            print(text("Report: {p}", "报告：{p}", p=report).render(language))
            print(_extending(further, recipe, again=study.results().less is not None).render(language))

    run_and_tell(study, tell, quiet=quiet or format == "json", yes=yes, fail_on=[], language=language)


def _ranked_by(study: Study) -> str:
    """Name of the recipe that models are compared by: a linear head, and fine-tuning where the task has none."""
    from weigh.data.readers import task_of
    from weigh.run import RECIPES, meant_recipe
    from weigh.spec import RecipeSpec

    try:
        task = task_of(study.spec.data, study.spec.task)
    except WeighError:
        return RECIPE  # why it cannot be told is said when the study begins
    head = meant_recipe(RecipeSpec(name=RECIPE), task).name
    return RECIPE if RECIPES.get(head).options_for(task) is not None else TRAINED


def _refuse_more(study: Study, ranked_by: str) -> None:
    """A study with other recipes keeps them: ranking in its folder would drop them from its report.

    Raises:
        SpecError: The folder holds such a study.
    """
    from weigh.record.ledger import Ledger
    from weigh.run import RECIPES

    if not (study.folder / "ledger.sqlite").exists():
        return
    recorded = (Ledger(study.folder).fact("spec") or {}).get("recipes", [])
    meant = ({"name": ranked_by}, {"name": RECIPES.get(ranked_by).placed})
    if all({k: v for k, v in recipe.items() if v is not None} in meant for recipe in recorded):
        return
    raise SpecError(
        text("{f} holds a study with further recipes.", "{f} 中的研究还包含其他方案。", f=study.folder),
        text("To rank in it would take them out of its report.", "在其中排名会把它们从报告中去掉。"),
        text(
            "Look at it: weigh report {f} --format text. Or rank elsewhere: --output studies/NAME",
            "查看该研究：weigh report {f} --format text；或另选文件夹：--output studies/名称",
            f=shlex.quote(str(study.folder)),
        ),
    )


def _further(
    study: Study,
    source: str,
    ranked_by: str,
    *,
    task: str,
    models: list[str],
    output: Path | None,
    offline: bool,
    trust_code: bool,
) -> str:
    """The command that extends this study (by fine-tuning, where it is ranked by heads), and trains nothing again."""
    words = ["weigh", "run", source]
    if models:
        words += ["--models", ",".join(models)]
    if ranked_by == TRAINED:
        words += ["--recipes", TRAINED]
    else:
        words += ["--recipes", f"{RECIPE},{TRAINED}"]
        words += ["--set", "design.finalists=2"] if models or study.spec.models else []
    words += ["--task", task] if task else []
    words += ["--offline"] if offline else []
    words += ["--trust-code"] if trust_code else []
    words += ["--output", str(output)] if output else []
    return shlex.join(words)


def _choice(file: FindingsFile) -> Finding | None:
    return next((finding for finding in file.findings if finding.kind == "choice"), None)


def _rows(finding: Finding) -> list[dict[str, Any]]:
    """The ranking with the addresses of the models and what was measured on this machine."""
    seconds = {row["candidate"]: row["seconds"] for row in finding.measured.get("rows", [])}
    return [
        {**row, "model": name.rpartition(" × ")[0], "seconds": seconds.get(row["candidate"])}
        for row, name in zip(finding.table, finding.candidates, strict=True)
    ]


def _document(study: Study, file: FindingsFile, further: str) -> str:
    finding = _choice(file)
    from weigh.report.terminal import summary_line

    document = {
        "study": str(study.folder),
        "verdict": {language: summary_line(file, language) for language in LANGUAGES},
        "ranking": [] if finding is None else _rows(finding),
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


def _print_ranking(file: FindingsFile, language: str, *, without: tuple[str, ...]) -> None:
    """The table, then the sentences on the choice; where there is none, the verdict says why.

    Args:
        without: Columns that are not shown.
    """
    from weigh.report.terminal import summary_line
    from weigh.report.wrapping import wrap

    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    finding, sentences = _choice(file), []
    if finding is None:
        sentences.append(summary_line(file, language))
    else:
        _print_table(_rows(finding), language, width, without)
        matrix = next((one for one in file.findings if one.id == "comparison:matrix"), None)
        sentences += [one.sentence.render(language) for one in (finding, matrix) if one is not None]
        if here := finding.measured.get("sentence"):
            sentences.append(here[language])
    for sentence in sentences:
        print("\n".join(wrap(visible_line(sentence), width)))


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
    def number(key: str, form: str, scale: float = 1.0) -> str:
        value = row.get(key)
        return "" if value is None else f"{value / scale:{form}}"

    interval = "" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]"
    yes, no = text("yes", "是"), text("no", "否")
    return {
        "rank": str(row["rank"]),
        "candidate": row["candidate"],
        "score": number("score", ".3f") + interval,
        "p_best": number("p_best", ".2f"),
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
