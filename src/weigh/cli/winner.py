"""`weigh predict`, `export`, `evaluate`, `features`: use what was trained, or what others trained."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from weigh.cli.options import Device, Lang, Models, Offline, Output, Quiet, Settings, open_study
from weigh.errors import SpecError
from weigh.language import detect_language, text

__all__ = ["register"]

StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="Study folder.")]


def predict(
    study: StudyFolder,
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Pictures; or one table of texts; - for lines on standard input.")],
    format: Annotated[str, typer.Option("--format", "-f", help="csv or jsonl.")] = "csv",
    quiet: Quiet = False, lang: Lang = "",
) -> None:  # fmt: skip
    """Calibrated probabilities of the winner for new files, on standard output."""
    from weigh.cli.rows import write_rows
    from weigh.cli.screen import Screen
    from weigh.study import Study

    if format not in ("csv", "jsonl"):
        raise SpecError(text("--format: {f} is neither csv nor jsonl.", "--format：{f} 不是 csv 或 jsonl。", f=format))
    language = detect_language(lang)
    with Screen(language, quiet=quiet, confirmed=True) as screen:
        opened = Study.open(study)
        pictures = (opened.spec.task or "").startswith("image-")
        if not pictures and len(files) > 1:
            raise SpecError(
                text("Give one table of texts, not {n} files.", "请给出一个文本表格，而不是 {n} 个文件。", n=len(files))
            )
        rows = opened.predict(files if pictures else files[0], progress=screen.progress)
    for row in rows:
        if row.get("error"):
            print(f"{row.get('path', row.get('row'))}: {row['error']}", file=sys.stderr)
    write_rows(sys.stdout, rows, format)


def export(
    study: StudyFolder,
    onnx: Annotated[bool, typer.Option("--onnx", help="ONNX, checked against torch.")] = False,
    output: Output = None, lang: Lang = "",
) -> None:  # fmt: skip
    """The refitted winner as ONNX, checked against torch with onnxruntime."""
    from weigh.errors import RecordError
    from weigh.study import Study
    from weigh.tasks.saved import export_onnx

    if not onnx:
        raise SpecError(text("Say what to export: --onnx", "请指明导出格式：--onnx"))
    folder = Study.open(study).folder / "model"
    if not (folder / "model.safetensors").exists():
        raise RecordError(text("{f} has no refitted model yet.", "{f} 中还没有重新拟合的模型。", f=study))
    target = output or folder / "model.onnx"
    difference = export_onnx(folder, target)
    print(
        text(
            "{p}: largest difference to torch {d}", "{p}：与 torch 的最大差异为 {d}", p=target, d=f"{difference:.1e}"
        ).render(detect_language(lang))
    )


def evaluate(
    source: Annotated[str, typer.Argument(metavar="DATA", help="Labelled pictures.")],
    models: Models = "", labels: Annotated[str, typer.Option("--labels", help="imagenet: labels are indices or names of ImageNet-1k.")] = "imagenet",
    settings: Settings = [], device: Device = "", offline: Offline = False, quiet: Quiet = False, lang: Lang = "",
    format: Annotated[str, typer.Option("--format", "-f", help="text or json.")] = "text",
) -> None:  # fmt: skip
    """Pretrained heads on labelled pictures, without training: top-1 and top-5 with intervals."""
    from weigh.cli.screen import Screen
    from weigh.execute.evaluation import evaluate_models

    if labels != "imagenet":
        raise SpecError(
            text("--labels: only imagenet is known, not {l}.", "--labels：只支持 imagenet，不支持 {l}。", l=labels)
        )
    study = open_study(
        source,
        task="image-classification",
        models=models,
        recipes="",
        settings=settings,
        output=None,
        device=device,
        offline=offline,
    )
    language = detect_language(lang)
    with Screen(language, quiet=quiet, confirmed=True) as screen:
        rows = evaluate_models(study.spec, screen)
    if format == "json":
        import json

        print(json.dumps(rows, default=lambda e: e.model_dump(), indent=2, ensure_ascii=False))
        return
    for row in rows:
        print(
            text(
                "{m}: top-1 {a}, top-5 {b} ({n} pictures, Wilson 95 % intervals; weights: {w})",
                "{m}：top-1 {a}，top-5 {b}（{n} 张图片，Wilson 95% 区间；权重：{w}）",
                m=row["model"],
                a=row["top1"],
                b=row["top5"],
                n=row["n"],
                w=row["weights"],
            ).render(language)
        )


def features(
    source: Annotated[str, typer.Argument(metavar="DATA", help="Folder of pictures or table.")],
    models: Models = "", output: Output = None, settings: Settings = [],
    device: Device = "", offline: Offline = False, quiet: Quiet = False, lang: Lang = "",
) -> None:  # fmt: skip
    """Frozen features of every picture, as .npz files (path, label, part, features) for other tools."""
    from weigh.cli.screen import Screen
    from weigh.execute.evaluation import export_features

    study = open_study(
        source, task="", models=models, recipes="", settings=settings, output=None, device=device, offline=offline
    )
    language = detect_language(lang)
    with Screen(language, quiet=quiet, confirmed=True) as screen:
        for path, shape in export_features(study.spec, output or Path("features"), screen):
            print(
                text(
                    "{p}: {n} pictures × {d} features", "{p}：{n} 张图片 × {d} 维特征", p=path, n=shape[0], d=shape[1]
                ).render(language)
            )


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (predict, export, evaluate, features):
        app.command()(command)
