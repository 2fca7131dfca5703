"""`weigh models`, `recipes`, `doctor`: what there is to choose from, and what this machine can do."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated

import typer

from weigh.cli.options import Lang, Offline, check_format
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
    licence: Annotated[str, typer.Option("--licence", help="Beginning of its name (apache, mit), or free: Apache, MIT and BSD, which allow commercial use.")] = "",
    measure: Annotated[bool, typer.Option("--measure", help="Time each model whose weights lie here: one picture or text, one thread of the processor; kept for the next time.")] = False,
    max_latency: Annotated[str, typer.Option("--max-latency", help="Most measured time for one picture or text: 20ms. Models that are not measured stay, and say so.")] = "",
    sort: Annotated[str, typer.Option("--sort", help="usefulness, score, size, operations, latency or name.")] = "usefulness",
    everything: Annotated[bool, typer.Option("--all", help="All rows; otherwise the first 12.")] = False,
    format: Annotated[str, typer.Option("--format", "-f", help="text or json.")] = "text",
    offline: Offline = False, lang: Lang = "",
) -> None:  # fmt: skip
    """Models, the most useful first: size, operations, published score, pretraining, licence, and where their weights can be had from."""
    from weigh.execute.latency import parse_milliseconds
    from weigh.media import medium_named
    from weigh.models.listing import SORTS, Wanted, list_models, sort_models
    from weigh.tasks import TASKS

    spoken = detect_language(lang)
    check_format(format, ("text", "json"))
    if sort not in SORTS:
        raise SpecError(text("--sort: {s} is none of {k}.", "--sort：{s} 不是 {k} 之一。", s=sort, k=", ".join(SORTS)))
    reads = medium_named(TASKS.get(task).medium).reads if task else ""
    wanted = Wanted(reads, reachable, max_size, max_operations, language, licence)
    most = parse_milliseconds(max_latency) if max_latency else None
    rows = _timed(list_models(pattern, offline=offline, language=lang, wanted=wanted), spoken, measure=measure)
    listed, rows = len(rows), sort_models(_fast_enough(rows, most), sort)
    if most is not None:  # what is known to fit first
        rows = sorted(rows, key=lambda row: row.milliseconds is None)
    if not listed:
        narrowing = {
            "--task": task, "--reachable": reachable, "--max-size": max_size is not None, "--max-operations": max_operations is not None,
            "--language": language, "--licence": licence,
        }  # fmt: skip
        do = _where_none_is_listed(pattern, [option for option, value in narrowing.items() if value])
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
        print("  " + ("，" if spoken == "zh" else ", ").join(_facts(row, spoken, timed=measure or most is not None)))
    for line in _on_times(rows, listed - len(rows), most):
        print(line.render(spoken))
    if len(shown) < len(rows):
        more = text(
            "{m} more: --all shows them; or narrow down: weigh models 'timm:*vit*' --max-size 30 --licence free",
            "另有 {m} 个：--all 会全部列出；也可缩小范围：weigh models 'timm:*vit*' --max-size 30 --licence free",
            m=len(rows) - len(shown),
        )
        print(more.render(spoken))


def _where_none_is_listed(pattern: str, options: list[str]) -> Text:
    """What to do where nothing fits: take a name that is near, or where the name is right leave out one of the options that narrow the list down."""
    from weigh.models.published import near_addresses

    near = near_addresses(pattern) if "*" not in pattern else []
    called = {name for one in near for name in (one, one.partition(":")[2])}  # a name may be typed without its source
    if options and (not near or pattern in called):
        return text("Leave out one of these: {o}.", "请去掉其中一项：{o}。", o=", ".join(options))
    return text("Near: {n}.", "相近的有：{n}。", n=", ".join(near)) if near else Text("", "")


def _timed(rows: list[Listed], language: str, *, measure: bool) -> list[Listed]:
    """The rows with the milliseconds that were measured here; where asked for, all whose weights lie here are measured now."""
    from weigh.execute.latency import kept_latencies, measure_latency

    here = [row.address for row in rows if row.here]
    milliseconds, reasons = kept_latencies(here), {}
    for address in here if measure else ():
        if address not in milliseconds:
            print(text("Measuring {a}", "正在测量 {a}", a=address).render(language), file=sys.stderr)
            latency = measure_latency(address)
            if latency.milliseconds is not None:
                milliseconds[address] = latency.milliseconds
            reasons[address] = latency.reason
    return [
        row._replace(milliseconds=milliseconds.get(row.address), unmeasured=reasons.get(row.address)) for row in rows
    ]


def _fast_enough(rows: list[Listed], most: float | None) -> list[Listed]:
    return [row for row in rows if most is None or row.milliseconds is None or row.milliseconds <= most]


def _on_times(rows: list[Listed], slower: int, most: float | None) -> list[Text]:
    """What the milliseconds are, how many models are slower than asked for, and how many are not measured."""
    unmeasured = sum(row.milliseconds is None for row in rows)
    lines = []
    if slower and most is not None:
        lines.append(
            text(
                "Left out: {n} measured {n:|model that takes|models that take} longer than {m} ms.",
                "未列出：{n} 个实测耗时超过 {m} 毫秒的模型。",
                n=slower, m=f"{most:g}",
            )
        )  # fmt: skip
    if unmeasured and most is not None:
        lines.append(
            text(
                "Not measured: {n}, so whether they take longer is not known; --measure times those whose weights lie here.",
                "未测量：{n} 个，是否更慢不得而知；--measure 会测量权重已在本机的模型。",
                n=unmeasured,
            )
        )
    if unmeasured < len(rows):
        lines.append(
            text(
                "ms: measured on this machine, of the network alone for one picture (or one text of 32 tokens) on one thread of the processor, without "
                "reading and preparing it.",
                "ms（毫秒）：在本机用处理器的一个线程实测，仅指网络对一张图片（或一段 32 个词元的文本）的计算，不含读取和预处理。",
            )
        )
    return lines


def _stated(row: Listed) -> dict[str, object]:
    reason = None if row.unmeasured is None else row.unmeasured._asdict()
    return {
        "address": row.address, "here": row.here, "weights": row.weights,
        "milliseconds": row.milliseconds, "not_measured_because": reason,
    }  # fmt: skip


def _facts(row: Listed, language: str, *, timed: bool) -> list[str]:
    """What is known of a model, each as a few words."""
    known, facts = row.published, []
    if row.milliseconds is not None:
        facts.append(f"{row.milliseconds:.1f} ms" if row.milliseconds < 100 else f"{row.milliseconds:.0f} ms")
    elif row.unmeasured is not None:
        facts.append(text("not measured ({r})", "未测量（{r}）", r=row.unmeasured).render(language))
    elif timed:
        facts.append(text("not measured", "未测量").render(language))
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
        "optuna",
        "onnxruntime",
        "datasets",
        "cleanlab",
    ):
        try:
            line(Text(package, package), version(package))
        except PackageNotFoundError:
            line(Text(package, package), text("not installed", "未安装").render(language))
    import torch

    from weigh.execute.latency import instructions

    line(Text("Cores", "处理器核数"), str(os.cpu_count()))
    line(
        Text("Instructions", "指令集"),
        f"{torch.backends.cpu.get_cpu_capability()}; {', '.join(instructions()) or '–'}",
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
