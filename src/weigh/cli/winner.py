"""`weigh predict`, `export`, `features`: use what was trained, or what others trained."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weigh.cli.options import (
    Device,
    Lang,
    Models,
    Offline,
    Quiet,
    Settings,
    TaskName,
    TrustCode,
    Typed,
    at_home,
    check_format,
    open_study,
)
from weigh.errors import DataError, Interrupted, SpecError
from weigh.language import detect_language, text
from weigh.media import Medium, medium_named
from weigh.report.visible import visible_line
from weigh.tasks import TASKS

if TYPE_CHECKING:
    from weigh.study import Study

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

    With --output rows are kept as they are computed: stopped or killed, the same command goes on where it was.

    The label is not always the most probable class: where classes are unbalanced, a study on balanced accuracy or F1 decides by a
    threshold, and the column most_probable follows. Without thresholds: weigh run … --set metrics.decision=argmax
    """
    from weigh.cli.output import open_screen
    from weigh.cli.predicting import StandardOutput, check_no_picture, check_places, summary, write_predictions
    from weigh.cli.rows import check_suffix
    from weigh.record.study_folders import refuse_data
    from weigh.study import Study

    if not format:
        format = "csv" if output is None else check_suffix(output, (".csv", ".jsonl")).removeprefix(".")
    check_format(format, ("csv", "jsonl"))
    language = detect_language(lang)
    places: dict[str, Any] = {"masks": masks, "boxes": boxes, "overlays": overlays}
    check_places(output, files, **places)
    write_to = StandardOutput() if output is None else output
    with open_screen(language, quiet=quiet, confirmed=True) as screen:
        try:
            opened = Study.open(study, trust_code=trust_code)
            _check_one_table(opened, files)
            if output is not None:
                refuse_data("output", output, opened.spec)
            predictor = opened.predictor(files[0] if len(files) == 1 else files, ensemble=ensemble, **places)
        except KeyboardInterrupt:
            raise Interrupted(text("Interrupted before anything was predicted.", "在开始预测之前已中断。")) from None
        if not len(predictor):
            raise _nothing_in(files[0], predictor.model.meaning.medium)
        check_no_picture(output, predictor.new.sources)
        written = write_predictions(predictor, write_to, format, _absolute(places), screen)
    if isinstance(write_to, StandardOutput):
        write_to.close()
    line = summary(written, output)
    if line is not None:
        print(line.render(language), file=sys.stderr)
    if written.failed == written.rows:
        raise DataError(
            text(
                "None of the {n} {n:|input|inputs} could be read.",
                "{n} 个输入全都无法读取。",
                n=written.rows,
            ),
            text("Their rows hold no prediction.", "它们的行中没有预测结果。"),
            text("Check them: {p}", "请检查：{p}", p=", ".join(map(visible_line, files[:3]))),
        )


def _check_one_table(study: Study, files: list[str]) -> None:
    medium = medium_named(TASKS.get(study.spec.task or "").medium)
    if medium.one_table and len(files) > 1:
        raise SpecError(
            text(
                "Give one table of {m}, not {n} files.",
                "请给出一个{m}表格，而不是 {n} 个文件。",
                m=medium.title,
                n=len(files),
            )
        )


def _nothing_in(file: str, medium: Medium) -> DataError:
    return DataError(
        text("{p} holds no {m}.", "{p} 中没有{m}。", p=file, m=medium.noun.many),
        do=text(
            "Write each in a row of its own; a first line may name the columns.", "请每行写一个；第一行可以是列名。"
        ),
    )


def _absolute(places: dict[str, Any]) -> dict[str, list[str]]:
    """Where files of answers go, whatever folder the command is started in."""
    several = {name: place if isinstance(place, list) else [place] for name, place in places.items() if place}
    return {name: [os.path.abspath(one) for one in one_or_more] for name, one_or_more in several.items()}


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
    from weigh.growing import check_place
    from weigh.record.study_folders import refuse_data
    from weigh.saved.pictures import refuse_collisions
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
    alone = next((name for name, value in {"output": output, "ensemble": ensemble}.items() if value and not onnx), None)
    if alone is not None:
        raise SpecError(
            text(
                "--{o} is for --onnx, which is not asked for.", "--{o} 仅用于 --onnx，而这里没有指定 --onnx。", o=alone
            ),
            do=text("Add --onnx, or leave --{o} out.", "请加上 --onnx，或去掉 --{o}。", o=alone),
        )
    refuse_collisions([*wanted.items(), *([] if output is None else [("output", output)])], [])
    opened, language = Study.open(study), detect_language(lang)
    for name, path in {**wanted, **({} if output is None else {"output": output})}.items():
        refuse_data(name, path, opened.spec)
        check_place(path)
    for name, path in wanted.items():
        table = opened.table(name)
        write_table(table, path)
        print(text("{p}: {n} {n:|row|rows}", "{p}：{n} 行", p=path, n=len(table)).render(language))
    if not onnx:
        return
    from weigh.saved.folder import saved_folder, tell_passed
    from weigh.saved.onnx_average import export_average
    from weigh.saved.onnx_file import export_onnx

    folder = saved_folder(opened.folder, ensemble=ensemble)
    if not ensemble:
        tell_passed(opened.folder)
    target = output or folder / "model.onnx"
    check_place(target)
    difference = (export_average if ensemble else export_onnx)(folder, target, trust_code=trust_code)
    print(
        text(
            "{p}: largest difference to torch {d}", "{p}：与 torch 的最大差异为 {d}", p=target, d=f"{difference:.1e}"
        ).render(language)
    )


def features(
    source: Annotated[str, typer.Argument(metavar="DATA", help="Folder of examples or table.")],
    task: TaskName = "", models: Models = [], settings: Settings = [],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the .npz files, one for each model; default: features.", callback=at_home)] = None,
    device: Device = "", offline: Offline = False, quiet: Quiet = False, trust_code: TrustCode = False, lang: Lang = "",
) -> None:  # fmt: skip
    """Frozen features of every example, as .npz files (path, label, part, features; of several labels also classes) for other tools."""
    from weigh.cli.output import open_screen
    from weigh.execute.exported_features import export_features

    study = open_study(Typed(source, task=task, models=models, settings=settings, device=device, offline=offline))
    language = detect_language(lang)
    with open_screen(language, quiet=quiet, confirmed=True) as screen:
        for path, shape in export_features(study.spec, output or Path("features"), screen, trust_code=trust_code):
            print(
                text(
                    "{p}: {n} {n:|example|examples} × {d} {d:|feature|features}",
                    "{p}：{n} 个样本 × {d} 维特征",
                    p=path,
                    n=shape[0],
                    d=shape[1],
                ).render(language)
            )


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (predict, export, features):
        app.command()(command)
