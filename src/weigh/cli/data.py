"""`weigh data` (what is wrong with my data) and `weigh cache`."""

from __future__ import annotations

from typing import Annotated

import typer

from weigh.cli.options import Lang, Offline, Quiet, Settings, TaskName, check_format
from weigh.cli.output import print_data
from weigh.language import detect_language, text
from weigh.report.visible import visible_json, visible_line

__all__ = ["register"]

SHOWN = 10  # paths per problem on the terminal; --format json names every one


def data(
    source: Annotated[str, typer.Argument(metavar="DATA", help="Folder, table or file of labelled pictures, texts, sentences, masks or boxes.")],
    settings: Settings = [], task: TaskName = "", offline: Offline = False, quiet: Quiet = False, lang: Lang = "",
    format: Annotated[str, typer.Option("--format", "-f", help="text or json.")] = "text",
) -> None:  # fmt: skip
    """What is wrong with the data: bad files and lines, copies, leaks, labels that contradict each other."""
    from weigh.cli.output import open_screen
    from weigh.data.benchmarks import complete_spec
    from weigh.data.classes import size_in_words
    from weigh.data.readers import read_and_check, task_of
    from weigh.findings.data_problems import findings_from_problems
    from weigh.run import recipes_for
    from weigh.spec_yaml import apply_settings, load_spec

    check_format(format, ("text", "json"))
    language = detect_language(lang)
    study = {
        "data": {"train": source},
        "models": ["timm:resnet18"],
        "recipes": ["finetune"],
        "run": {"offline": offline},
    }
    content = apply_settings(study, settings)
    if task:
        content = {"recipes": recipes_for(task)[:1], **content, "task": task}  # nothing is trained here
    spec, recognised = complete_spec(load_spec(content))
    with open_screen(language, quiet=quiet, confirmed=True) as screen:
        examples, problems = read_and_check(
            spec.data, task_of(spec.data, spec.task), offline=offline, progress=screen.progress
        )
    size, *findings = findings_from_problems([size_in_words(examples), *recognised, *problems], examples)
    if format == "json":
        import json

        shown = [finding.model_dump(mode="json") for finding in (size, *findings)]
        print_data(visible_json(json.dumps(shown, indent=2, ensure_ascii=False)) + "\n")
        return
    print(size.sentence.render(language))
    for finding in findings:
        print(f"\n[{finding.kind}] {finding.sentence.render(language)}")
        for path in finding.examples[:SHOWN]:
            print(f"    {visible_line(path)}")
        if len(finding.examples) > SHOWN:
            print(
                text(
                    "    … and {n} more (--format json names all)",
                    "    …… 另有 {n} 个（--format json 列出全部）",
                    n=len(finding.examples) - SHOWN,
                ).render(language)
            )
        for step in finding.next:
            print(f"  → {step.render(language)}")


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Delete everything that is cached.")] = False,
    lang: Lang = "",
) -> None:
    """Where features and decoded pictures are cached, and how large the cache is (WEIGH_CACHE, WEIGH_CACHE_LIMIT)."""
    from weigh.data.cache import cache_report
    from weigh.data.cache import clear as clear_cache
    from weigh.settings import cache_folder, cache_limit

    if clear:
        clear_cache()
    report = cache_report()
    print(
        text(
            "{f}: {n} entries, {b} MB of at most {l} MB",
            "{f}：{n} 项，{b} MB，上限 {l} MB",
            f=cache_folder(),
            n=report.entries,
            b=round(report.bytes / 1e6),
            l=round(cache_limit() / 1e6),
        ).render(detect_language(lang))
    )


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (data, cache):
        app.command()(command)
