"""`weigh predict`, `export`, `features`: use what was trained, or what others trained."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from weigh.cli.options import (
    Device,
    Lang,
    Models,
    Offline,
    Quiet,
    Settings,
    TrustCode,
    Typed,
    at_home,
    check_format,
    open_study,
)
from weigh.cli.output import print_data
from weigh.errors import DataError, SpecError
from weigh.language import detect_language, text
from weigh.media import medium_named
from weigh.report.visible import visible_line
from weigh.tasks import TASKS

__all__ = ["register"]

Ensemble = Annotated[
    bool,
    typer.Option(
        "--ensemble", help="The saved average of several candidates (output.ensemble) in place of the winner."
    ),
]
StudyFolder = Annotated[Path, typer.Argument(metavar="STUDY", help="Study folder.")]


def predict(
    study: StudyFolder,
    files: Annotated[list[str], typer.Argument(metavar="FILE…", help="Pictures, or folders of them; or one table of texts; - for lines on standard input.")],
    format: Annotated[str, typer.Option("--format", "-f", help="csv or jsonl; default: as the file of --output is called, else csv.")] = "",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File for the predictions; default: standard output.", callback=at_home)] = None,
    masks: Annotated[Path | None, typer.Option("--masks", help="Folder for the predicted masks: index PNGs with a palette.", callback=at_home)] = None,
    boxes: Annotated[list[Path], typer.Option("--boxes", help="File or folder for the predicted boxes; may be given several times. NAME.json: results as COCO has them, all detections; NAME.csv: a row for each box that is sure enough (the threshold is chosen in the study); a folder: text as YOLO has it for each picture.", callback=at_home)] = [],
    overlays: Annotated[Path | None, typer.Option("--overlays", help="Folder for the pictures with the answer drawn over them.", callback=at_home)] = None,
    ensemble: Ensemble = False,
    quiet: Quiet = False, trust_code: TrustCode = False, lang: Lang = "",
) -> None:  # fmt: skip
    """What the winner says of new files, on standard output or in a file: calibrated probabilities, numbers, areas of masks, counts of boxes.

    The label is not always the most probable class: where classes are unbalanced, a study on balanced accuracy or F1 decides by a
    threshold, and the column most_probable follows. Without thresholds: weigh run … --set metrics.decision=argmax
    """
    from weigh.cli.output import open_screen
    from weigh.cli.rows import check_suffix, write_rows
    from weigh.disk import make_folder, write_file
    from weigh.study import Study

    if not format:
        format = "csv" if output is None else check_suffix(output, (".csv", ".jsonl")).removeprefix(".")
    check_format(format, ("csv", "jsonl"))
    language = detect_language(lang)
    if output is not None:
        make_folder(output.parent)
    with open_screen(language, quiet=quiet, confirmed=True) as screen:
        opened = Study.open(study, trust_code=trust_code)
        medium = medium_named(TASKS.get(opened.spec.task or "").medium)
        if medium.one_table and len(files) > 1:
            values = {"m": medium.title, "n": len(files)}
            raise SpecError(
                text("Give one table of {m}, not {n} files.", "请给出一个{m}表格，而不是 {n} 个文件。", **values)
            )
        rows = opened.predict(
            files[0] if len(files) == 1 else files,
            progress=screen.progress,
            masks=masks,
            boxes=boxes,
            overlays=overlays,
            ensemble=ensemble,
        )
    for row in rows:
        if row.get("error"):
            named = visible_line(row.get("path", row.get("row")))
            print(row["error"] if row["error"].startswith(named) else f"{named}: {row['error']}", file=sys.stderr)
    out = io.StringIO()
    write_rows(out, rows, format)
    if output is None:
        print_data(out.getvalue())
    else:
        write_file(output, out.getvalue().encode("utf-8", "backslashreplace"))
        summary = text("{p}: {n} predictions", "{p}：{n} 条预测", p=output, n=len(rows))
        print(summary.render(language), file=sys.stderr)
    if rows and all(row.get("error") for row in rows):
        raise DataError(
            text("None of the {n} inputs could be read.", "{n} 个输入全都无法读取。", n=len(rows)),
            text("The rows above hold no prediction.", "以上各行都没有预测结果。"),
            text("Check the paths: {p}", "请检查路径：{p}", p=", ".join(map(visible_line, files[:3]))),
        )


def export(
    study: StudyFolder,
    onnx: Annotated[bool, typer.Option("--onnx", help="The refitted winner as ONNX, checked against torch with onnxruntime.")] = False,
    predictions: Annotated[Path | None, typer.Option("--predictions", help="Every prediction, out of fold and on test sets; weigh read reads it.", callback=at_home)] = None,
    runs: Annotated[Path | None, typer.Option("--runs", help="Every run: scores, facts, seeds, times.", callback=at_home)] = None,
    suspects: Annotated[Path | None, typer.Option("--suspects", help="Labels that are suspected to be wrong.", callback=at_home)] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File of --onnx; default: model/model.onnx in the study (ensemble/model.onnx).", callback=at_home)] = None,
    ensemble: Ensemble = False,
    trust_code: TrustCode = False, lang: Lang = "",
) -> None:  # fmt: skip
    """The winner as ONNX, and what was recorded as tables (.csv, .tsv, .parquet) for other tools."""
    from weigh.cli.rows import check_suffix, write_table
    from weigh.study import Study

    tables = {"predictions": predictions, "runs": runs, "suspects": suspects}
    wanted = {name: path for name, path in tables.items() if path is not None}
    if not onnx and not wanted:
        raise SpecError(
            text("Say what to export.", "请指明要导出什么。"),
            do=text(
                "--onnx, --predictions FILE.csv, --runs FILE.csv, --suspects FILE.csv",
                "--onnx、--predictions 文件.csv、--runs 文件.csv、--suspects 文件.csv",
            ),
        )
    for path in wanted.values():
        check_suffix(path)
    opened, language = Study.open(study), detect_language(lang)
    for name, path in wanted.items():
        table = opened.table(name)
        write_table(table, path)
        print(text("{p}: {n} rows", "{p}：{n} 行", p=path, n=len(table)).render(language))
    if not onnx:
        return
    from weigh.saved.folder import saved_folder
    from weigh.saved.onnx_average import export_average
    from weigh.saved.onnx_file import export_onnx

    folder = saved_folder(opened.folder, ensemble=ensemble)
    target = output or folder / "model.onnx"
    difference = (export_average if ensemble else export_onnx)(folder, target, trust_code=trust_code)
    print(
        text(
            "{p}: largest difference to torch {d}", "{p}：与 torch 的最大差异为 {d}", p=target, d=f"{difference:.1e}"
        ).render(language)
    )


def features(
    source: Annotated[str, typer.Argument(metavar="DATA", help="Folder of examples or table.")],
    models: Models = [], settings: Settings = [],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the .npz files, one for each model; default: features.", callback=at_home)] = None,
    device: Device = "", offline: Offline = False, quiet: Quiet = False, trust_code: TrustCode = False, lang: Lang = "",
) -> None:  # fmt: skip
    """Frozen features of every example, as .npz files (path, label, part, features) for other tools."""
    from weigh.cli.output import open_screen
    from weigh.execute.exported_features import export_features

    study = open_study(Typed(source, models=models, settings=settings, device=device, offline=offline))
    language = detect_language(lang)
    with open_screen(language, quiet=quiet, confirmed=True) as screen:
        for path, shape in export_features(study.spec, output or Path("features"), screen, trust_code=trust_code):
            print(
                text(
                    "{p}: {n} examples × {d} features", "{p}：{n} 个样本 × {d} 维特征", p=path, n=shape[0], d=shape[1]
                ).render(language)
            )


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (predict, export, features):
        app.command()(command)
