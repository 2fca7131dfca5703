"""`weigh models`, `recipes`, `doctor`: what there is to choose from, and what this machine can do."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated

import typer

from weigh.cli.options import Lang, Offline
from weigh.cli.output import print_data
from weigh.errors import SpecError, reason_of
from weigh.language import Text, detect_language, text
from weigh.media import MEDIA
from weigh.report.visible import visible_json

if TYPE_CHECKING:
    from weigh.models.listing import Listed

__all__ = ["register"]

PAGE = 12  # models on the first page


def models(
    pattern: Annotated[str, typer.Argument(help="Address with * and ?, e.g. 'timm:*lite*'.")] = "*",
    task: Annotated[str, typer.Option("--task", help="Models that can read what a task is about, e.g. text-classification.")] = "",
    reachable: Annotated[bool, typer.Option("--reachable", help="Weights on this machine, or on the hub if that answers.")] = False,
    max_size: Annotated[float | None, typer.Option("--max-size", help="Most millions of parameters.")] = None,
    max_operations: Annotated[float | None, typer.Option("--max-operations", help="Most billions of multiply-adds for one picture.")] = None,
    language: Annotated[str, typer.Option("--language", help="Of texts: en, zh …; models of many languages fit as well.")] = "",
    licence: Annotated[str, typer.Option("--licence", help="Beginning of its name (apache, mit), or free: any that allows commercial use.")] = "",
    sort: Annotated[str, typer.Option("--sort", help="usefulness, score, size, operations or name.")] = "usefulness",
    everything: Annotated[bool, typer.Option("--all", help="All rows; otherwise the first 12.")] = False,
    format: Annotated[str, typer.Option("--format", "-f", help="text or json.")] = "text",
    offline: Offline = False, lang: Lang = "",
) -> None:  # fmt: skip
    """Models, the most useful first: size, operations, published score, pretraining, licence, and where their weights can be had from."""
    from weigh.media import medium_named
    from weigh.models.listing import SORTS, Wanted, list_models, sort_models
    from weigh.models.published import near_addresses
    from weigh.tasks import TASKS

    spoken = detect_language(lang)
    if sort not in SORTS:
        raise SpecError(text("--sort: {s} is none of {k}.", "--sort：{s} 不是 {k} 之一。", s=sort, k=", ".join(SORTS)))
    reads = medium_named(TASKS.get(task).medium).reads if task else ""
    wanted = Wanted(reads, reachable, max_size, max_operations, language, licence)
    rows = sort_models(list_models(pattern, offline=offline, language=lang, wanted=wanted), sort)
    if not rows:
        near = near_addresses(pattern) if "*" not in pattern else []
        do = text("Near: {n}.", "相近的有：{n}。", n=", ".join(near)) if near else Text("", "")
        print(
            (text("No model matches '{p}'.", "没有与“{p}”匹配的模型。", p=pattern) + do).render(spoken), file=sys.stderr
        )
        raise typer.Exit(2)
    if format == "json":
        kept = [{**(row.published._asdict() if row.published else {}), **_stated(row)} for row in rows]
        print_data(visible_json(json.dumps(kept, indent=1, ensure_ascii=False)) + "\n")
        return
    shown = rows if everything else rows[:PAGE]
    for row in shown:
        print(row.address)
        print("  " + ("，" if spoken == "zh" else ", ").join(_facts(row)))
    if len(shown) < len(rows):
        more = text(
            "{m} more: --all shows them; or narrow down: weigh models 'timm:*vit*' --max-size 30 --licence free",
            "另有 {m} 个：--all 会全部列出；也可缩小范围：weigh models 'timm:*vit*' --max-size 30 --licence free",
            m=len(rows) - len(shown),
        )
        print(more.render(spoken))


def _stated(row: Listed) -> dict[str, object]:
    return {"address": row.address, "here": row.here, "weights": row.weights}


def _facts(row: Listed) -> list[str]:
    """What is known of a model, each as a few words."""
    known, facts = row.published, []
    if known is not None:
        if known.parameters is not None:
            facts.append(f"{known.parameters:.1f} M")
        if known.gmacs is not None:
            facts.append(f"{known.gmacs:.2g} GMACs" if known.gmacs < 10 else f"{known.gmacs:.0f} GMACs")
        if known.score is not None:
            facts.append(f"{known.metric} {known.score:.1f} %")
        facts += [part for part in (known.pretraining, known.language, known.licence) if part]
    return [*facts, row.weights]


def recipes(lang: Lang = "") -> None:
    """How pretrained weights can be used, with the defaults of each recipe."""
    from weigh.kinds.base import KINDS
    from weigh.run import RECIPES

    for name, recipe in RECIPES.items():
        print(f"{name:10} {recipe.title.render(detect_language(lang))}")
        if recipe.placed:
            meant = text("where answers have a place in the picture: {r}", "回答在图片中有位置时：{r}", r=recipe.placed)
            print(" " * 11 + meant.render(detect_language(lang)))
        titles = {medium.reads: medium.title for _, medium in reversed(MEDIA.items())} | {
            kind_name: kind.title for kind_name, kind in KINDS.items()
        }
        for of, options in recipe.options.items():
            if of in titles:
                shown = ", ".join(f"{key}={value}" for key, value in options().model_dump().items())
                print(" " * 11 + text("{m}: ", "{m}：", m=titles[of]).render(detect_language(lang)) + shown)


def doctor(offline: Offline = False, lang: Lang = "") -> None:
    """What this machine can do: processor, accelerators, versions, weights within reach."""
    language = detect_language(lang)

    def line(name: Text, value: str) -> None:
        print(f"{name.render(language)}: {value}")

    line(Text("Python", "Python"), f"{platform.python_version()} ({platform.system()} {platform.machine()})")
    for package in (
        "weigh",
        "torch",
        "torchvision",
        "timm",
        "numpy",
        "transformers",
        "peft",
        "onnxruntime",
        "datasets",
        "cleanlab",
    ):
        try:
            line(Text(package, package), version(package))
        except PackageNotFoundError:
            line(Text(package, package), text("not installed", "未安装").render(language))
    import torch

    line(Text("Cores", "处理器核数"), str(os.cpu_count()))
    line(
        Text("Instructions", "指令集"),
        f"{torch.backends.cpu.get_cpu_capability()}; {', '.join(_instructions()) or '–'}",
    )
    devices = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    if torch.backends.mps.is_available():
        devices.append("Apple MPS")
    line(
        Text("Accelerators", "加速器"),
        ", ".join(devices) or text("none: the processor is used", "无：使用处理器").render(language),
    )
    from weigh.settings import cache_folder, offline_by_environment

    line(Text("Cache", "缓存"), str(cache_folder()))
    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    forbidden = text("not used (offline)", "不使用（离线）").render(language)
    line(
        Text("Hub", "模型库"), forbidden if offline or offline_by_environment() else f"{hub} – {_reach(hub, language)}"
    )
    from weigh.models.catalogue import installed_weights

    for weights in installed_weights():
        line(Text("Weights", "权重"), weights)


def _instructions() -> list[str]:
    """The instruction sets that decide whether bf16 pays, as the kernel names them (Linux)."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            flags = next((row.split(":", 1)[1].split() for row in file if row.startswith("flags")), [])
    except OSError:
        return []
    return [flag for flag in ("avx2", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8") if flag in flags]


def _reach(hub: str, language: str) -> str:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(urllib.request.Request(hub, method="HEAD"), timeout=3):
            return text("reachable", "可以访问").render(language)
    except urllib.error.HTTPError:
        return text("reachable", "可以访问").render(language)
    except (OSError, ValueError) as error:
        return text("not reachable ({e})", "无法访问（{e}）", e=reason_of(error, 80)).render(language)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (models, recipes, doctor):
        app.command()(command)
