"""`weigh evaluate`: pretrained heads on pictures with labels of ImageNet."""

from __future__ import annotations

import csv
import io
import json
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
    TrustCode,
    Typed,
    at_home,
    check_format,
    open_study,
)
from weigh.cli.output import print_data
from weigh.disk import make_folder, write_file
from weigh.language import Text, detect_language, text
from weigh.report.visible import visible_json
from weigh.tasks import IMAGE_CLASSIFICATION

if TYPE_CHECKING:
    from weigh.execute.evaluation import Evaluation, Head

__all__ = ["register"]

FORMATS = ("text", "json", "csv")
NO_REPORT = text(
    "Only predictions.csv is written: a report compares models by the one label that a picture has, and here several may be right.",
    "只写出了 predictions.csv：报告按每张图片唯一的标签比较模型，而这里可能有多个标签都算对。",
)
MOST_PAIRS = 10
RELATIONS = {
    "better": text("better", "更好"),
    "worse": text("worse", "更差"),
    "equal": text("equal", "相当"),
    "undecided": text("undecided", "尚无定论"),
}


def evaluate(
    source: Annotated[str, typer.Argument(metavar="DATA", help="Pictures with labels of ImageNet: a folder per class, a table, or the ILSVRC2012 validation folder or list.")],
    models: Models = [],
    labels: Annotated[str, typer.Option("--labels", help="auto, index (0 to 999), synset, name; real: several labels per validation picture (ReaL), or a .json file of them.")] = "auto",
    settings: Settings = [], device: Device = "", offline: Offline = False, quiet: Quiet = False, trust_code: TrustCode = False, lang: Lang = "",
    format: Annotated[str, typer.Option("--format", "-f", help="text, json, or csv (a row per class).")] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for predictions.csv and a report of all that can be concluded.", callback=at_home)] = None,
) -> None:  # fmt: skip
    """Pretrained heads on labelled pictures, without training: top-1 and top-5 with intervals, every pair compared, several models in one pass."""
    from weigh.cli.output import open_screen
    from weigh.execute.evaluation import evaluate_models

    check_format(format, FORMATS)
    typed = Typed(source, task=IMAGE_CLASSIFICATION, models=models, settings=settings, device=device, offline=offline)
    study = open_study(typed)
    language = detect_language(lang)
    if output is not None:
        make_folder(output)
    with open_screen(language, quiet=quiet, confirmed=True) as screen:
        evaluation = evaluate_models(study.spec, screen, labels, trust_code=trust_code)
        if output is not None and not _write(evaluation, study.spec, output, source):
            screen.tell(NO_REPORT.render(language))
    if format == "json":
        print_data(visible_json(json.dumps(_document(evaluation), indent=2, ensure_ascii=False)) + "\n")
    elif format == "csv":
        print_data(_table(evaluation))
    else:
        print("\n".join(line.render(language) for line in _lines(evaluation)))


def _lines(evaluation: Evaluation) -> list[Text]:
    labelled, heads = evaluation.labelled, evaluation.heads
    units = labelled.units
    values = {"n": len(labelled.examples), "k": len(labelled.classes), "w": labelled.written}
    lines = [
        text(
            "{n} {n:|picture|pictures}, {k} of the 1,000 classes (labels: {w}). 95 % intervals are for new pictures like these.",
            "{n} 张图片，涉及 1,000 个类别中的 {k} 个（标签：{w}）。95 % 区间针对同类新图片。",
            **values,
        )
        if units is None
        else text(
            "{n} {n:|picture|pictures} in {g} {g:|group|groups}, {k} of the 1,000 classes (labels: {w}). 95 % intervals count groups, and are for new ones like these.",
            "{n} 张图片，分为 {g} 组，涉及 1,000 个类别中的 {k} 个（标签：{w}）。95 % 区间按组计算，针对同类的新的组。",
            g=units.count, **values,
        ),
        *labelled.notes,
    ]  # fmt: skip
    for head in sorted(heads, key=lambda head: -head.top1.value):
        lines.append(Text("", ""))
        lines.append(
            text(
                "{m}: top-1 {a}, top-5 {b} (weights: {w})",
                "{m}：top-1 {a}，top-5 {b}（权重：{w}）",
                m=head.model, a=head.top1, b=head.top5, w=head.weights,
            )
        )  # fmt: skip
        lines += [text("  {s}", "  {s}", s=sentence) for sentence in _remarks(evaluation, head)]
    if evaluation.comparisons:
        lines.append(Text("", ""))
        lines += [Text(finding.sentence.en, finding.sentence.zh) for finding in evaluation.comparisons]
        lines += _other_pairs(evaluation)
    return lines


def _other_pairs(evaluation: Evaluation) -> list[Text]:
    """The pairs without the leader, of which no sentence of its own tells; nothing where they are many."""
    figure = evaluation.comparisons[-1].figure
    rows = [] if figure is None or figure.kind != "matrix" else figure.rows
    leader = max(evaluation.heads, key=lambda head: head.top1.value).model
    others = [row for row in rows if leader not in (row["candidate"], row["other"]) and row["low"] is not None]
    if not 0 < len(others) <= MOST_PAIRS:
        return []
    lines = [
        text("The other pairs (points of top-1, the first minus the second):", "其余各对（top-1 百分点，前者减后者）：")
    ]
    for row in others:
        lines.append(
            text(
                "  {r}: {a} – {b}: {v:+.1f} [{l:.1f}, {h:.1f}]", "  {r}：{a} – {b}：{v:+.1f} [{l:.1f}, {h:.1f}]",
                r=RELATIONS[row["relation"]], a=row["candidate"], b=row["other"],
                v=100 * row["value"], l=100 * row["low"], h=100 * row["high"],
            )
        )  # fmt: skip
    return lines


def _remarks(evaluation: Evaluation, head: Head) -> list[Text]:
    labelled, remarks = evaluation.labelled, []
    if head.among is not None:
        remarks.append(
            text(
                "Where only the {k} classes of these labels compete: {a}. The figures above are over all 1,000 outputs.",
                "若只在这些标签的 {k} 个类别中选择：{a}。上面的数字针对全部 1,000 个输出。",
                k=len(labelled.classes), a=head.among,
            )
        )  # fmt: skip
    if head.elsewhere:
        remarks.append(
            text(
                "For {n} {n:|picture|pictures} the strongest output is no class of ImageNet-1k (background, or a class of a larger ImageNet); the strongest class "
                "counts in its place.",
                "有 {n} 张图片得分最高的输出不是 ImageNet-1k 的类别（背景，或更大 ImageNet 中的类别），改按得分最高的类别计算。",
                n=head.elsewhere,
            )
        )
    if head.lacking:
        remarks.append(
            text(
                "It has no output for {n} of the classes that occur: their pictures count as wrong.",
                "它没有其中 {n} 个类别的输出：这些类别的图片算作错误。",
                n=head.lacking,
            )
        )
    if (known := _published(evaluation, head)) is not None:
        remarks.append(known)
    if head.hint is not None:
        remarks.append(head.hint)
    return remarks


def _published(evaluation: Evaluation, head: Head) -> Text | None:
    """The published accuracy, and whether it lies inside the interval where the pictures are those that it was published for."""
    row = head.published
    if row is None or row.score is None or row.metric != "top-1":
        return None
    sentence = text(
        "Published: top-1 {s:.3f} on the 50,000 ILSVRC2012 validation pictures ({o}, {p} pixels).",
        "公布的 top-1：{s:.3f}，基于 ILSVRC2012 验证集的 50,000 张图片（{o}，{p} 像素）。",
        s=row.score / 100, o=row.source, p=row.pixels or 0,
    )  # fmt: skip
    labelled = evaluation.labelled
    if not labelled.are_validation or labelled.target is None:
        return sentence + text("These are other pictures or labels.", "这里的图片或标签与之不同。")
    if row.pixels != head.pixels:
        return sentence + text(
            "Here they are {q} pixels wide, so the two need not agree.",
            "这里使用 {q} 像素，因此两者可能不一致。",
            q=head.pixels,
        )
    if head.top1.low is None:
        return sentence + text(
            "A single picture, or a single group of them, does not show whether the two agree.",
            "仅凭一张图片（或一组图片），看不出两者是否一致。",
        )
    if head.top1.covers(row.score / 100):
        return sentence + text("It lies inside the interval.", "它落在区间之内。")
    return sentence + text(
        "It lies outside the interval: pictures, labels or preparation differ from those of the publication.",
        "它落在区间之外：图片、标签或预处理与公布时不同。",
    )


def _document(evaluation: Evaluation) -> dict[str, Any]:
    labelled = evaluation.labelled
    return {
        "n": len(labelled.examples),
        "groups": None if labelled.units is None else labelled.units.count,
        "classes": len(labelled.classes),
        "labels": labelled.written._asdict(),
        "validation_pictures": labelled.are_validation,
        "notes": [note._asdict() for note in labelled.notes],
        "models": [
            {
                "model": head.model, "weights": head.weights, "pixels": head.pixels, "n": len(head.right),
                "top1": head.top1.model_dump(), "top5": head.top5.model_dump(),
                "among_classes_of_labels": None if head.among is None else head.among.model_dump(),
                "answers_that_are_no_class": head.elsewhere, "classes_without_output": head.lacking,
                "published": None if head.published is None else head.published._asdict(),
                "remarks": [remark._asdict() for remark in _remarks(evaluation, head)],
                "hint": None if head.hint is None else head.hint._asdict(),
            }
            for head in evaluation.heads
        ],
        "comparisons": [finding.model_dump(mode="json") for finding in evaluation.comparisons],
        "per_class": evaluation.per_class(),
    }  # fmt: skip


def _table(evaluation: Evaluation) -> str:
    """Classes as CSV: pictures, and right answers of each model."""
    written = io.StringIO()
    models = [head.model for head in evaluation.heads]
    table = csv.writer(written, lineterminator="\n")
    table.writerow(["class", "synset", "name", "n", *(f"right:{model}" for model in models)])
    for row in evaluation.per_class():
        table.writerow([row["class"], row["synset"], row["name"], row["n"], *(row["right"][m] for m in models)])
    return written.getvalue()


def _write(evaluation: Evaluation, spec: Any, folder: Path, source: str) -> bool:
    """Predictions as `weigh read` takes them, and the report where each picture has one label; whether there is one."""
    from weigh.data.pictures.imagenet import synsets
    from weigh.reading import Reading

    written = io.StringIO()
    table, labelled = csv.writer(written, lineterminator="\n"), evaluation.labelled
    table.writerow(["example", "label", "model", "prediction"])
    accepted = [" ".join(synsets()[c] for c in row.nonzero()[0]) for row in labelled.accepted]
    for head in evaluation.heads:
        for path, label, answer in zip(labelled.examples.path, accepted, head.logits.argmax(axis=1), strict=True):
            table.writerow([str(path), label, head.model, synsets()[answer]])
    write_file(folder / "predictions.csv", written.getvalue().encode("utf-8", "backslashreplace"))
    results = evaluation.results(spec)
    if results is not None:
        name = Path(source).name or source
        Reading(results, ("weigh", "evaluate", name, "--models", ",".join(spec.models))).write(folder)
    return results is not None


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(evaluate)
