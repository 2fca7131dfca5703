"""`weigh data` (what is wrong with my data) and `weigh cache`."""

from __future__ import annotations

from typing import Annotated

import typer

from weigh.cli.options import Lang, Offline, Quiet, Settings
from weigh.language import detect_language, text

__all__ = ["register"]

SHOWN = 10  # paths per problem on the terminal; --format json names every one


def data(
    source: Annotated[str, typer.Argument(metavar="DATA", help="Folder of pictures or table.")],
    settings: Settings = [], offline: Offline = False, quiet: Quiet = False, lang: Lang = "",
    format: Annotated[str, typer.Option("--format", "-f", help="text or json.")] = "text",
) -> None:  # fmt: skip
    """What is wrong with the data: bad files, copies, leaks, labels that contradict each other."""
    import numpy as np

    from weigh.cli.screen import Screen
    from weigh.data.checks import check_pictures
    from weigh.data.images import read_images
    from weigh.findings.data_problems import findings_from_problems
    from weigh.spec_yaml import apply_settings, load_spec

    language = detect_language(lang)
    content = apply_settings({"data": {"train": source}, "models": ["timm:resnet18"]}, settings)
    spec = load_spec(content).data
    with Screen(language, quiet=quiet, confirmed=True) as screen:
        examples, problems = read_images(spec, offline=offline, progress=screen.progress)
        examples, found = check_pictures(examples, progress=screen.progress)
    findings = findings_from_problems([*problems, *found], examples)
    if format == "json":
        import json

        print(json.dumps([finding.model_dump(mode="json") for finding in findings], indent=2, ensure_ascii=False))
        return
    counts = ", ".join(
        f"{name}: {n}"
        for name, n in zip(
            examples.classes,
            np.asarray(
                examples.target.sum(axis=0)
                if examples.multilabel
                else np.bincount(examples.target, minlength=len(examples.classes))
            ),
            strict=True,
        )
    )
    train, test = len(examples.where("train")), len(examples.where("test"))
    print(
        text(
            "{n} pictures ({a} train, {b} test) in {c} classes. {k}",
            "{n} 张图片（训练 {a}，测试 {b}），{c} 个类别。{k}",
            n=len(examples),
            a=train,
            b=test,
            c=len(examples.classes),
            k=counts,
        ).render(language)
    )
    for finding in findings:
        print(f"\n[{finding.kind}] {finding.sentence.render(language)}")
        for path in finding.examples[:SHOWN]:
            print(f"    {path}")
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
