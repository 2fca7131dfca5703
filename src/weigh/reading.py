"""Predictions that others made, read as a study is read: no model, no training, no torch.

    reading = weigh.read_predictions("predictions.csv")
    reading.findings().of("comparison")
    reading.write("report/")

Before it: a table, or folders of arrays. After it: the same findings and reports as of a study.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from weigh.data.pictures.decoding import thumbnail_bytes
from weigh.errors import DataError, SpecError
from weigh.language import text
from weigh.report.formats import render_report, write_report
from weigh.settings import user_path
from weigh.spec import StudySpec
from weigh.spec_yaml import apply_settings, load_spec
from weigh.study import Findings, safe_name

if TYPE_CHECKING:
    from weigh.findings.model import FindingsFile
    from weigh.record.results import Results

__all__ = ["Reading", "read_predictions"]

# Settings that count, whatever is read, and those of each kind; readers of tags and boxes advise some of theirs.
ALWAYS = ("name", "design.purpose", "design.level", "design.seed", "metrics.primary", "metrics.also", "metrics.rope")
OF_ARRAYS = ("data.label_offset", "data.positive")
OF_TABLES = (*OF_ARRAYS, "data.slices", "data.encoding")
OF_TAGS = (
    "data.text", "data.label", "data.tag_names", "data.columns.text", "data.columns.label", "data.columns.tag_names", "data.encoding",
)  # fmt: skip
OF_BOXES = (
    "data.root", "data.class_folder", "data.classes", "data.box_format", "data.origin", "data.columns.path", "data.columns.label", "data.columns.box", "data.encoding",
)  # fmt: skip


def read_predictions(
    *paths: str | Path,
    labels: str | Path | Sequence[str | Path] = (),
    gold: str | Path | None = None,
    settings: str | Sequence[str] = (),
) -> Reading:
    """Read predictions that others made.

    Args:
        paths: Tables (CSV, TSV, JSON lines, Parquet; also .gz) with columns example, label, model, run and prediction or one
            p:CLASS for each class, optional set, fold, group; or one .npy, .npz or .json file for each model, or folders of them.
        labels: For arrays: a file of labels for each folder, or one for all files.
        gold: What is right. For entities a file of tags; `paths` are then files of tagged tokens (CoNLL columns), or folders of them. For boxes a
            COCO file (its pictures need not be there), or a folder or table as `weigh data` reads it; `paths` are then results as COCO has them.
        settings: Settings of a study like "metrics.primary=accuracy"; those that do not count for what is read are refused.

    Raises:
        SpecError: A setting that is wrong or does not count here.
        DataError: What is there cannot be read as predictions.
    """
    from weigh.data.boxes.gold import holds_boxes, holds_detections
    from weigh.record.predictions.boxes import read_boxes
    from weigh.record.predictions.entities import read_entities
    from weigh.record.predictions.results import read_predictions as read

    labels = [labels] if isinstance(labels, (str, Path)) else labels
    settings = [settings] if isinstance(settings, str) else settings
    truth = None if gold is None else user_path(gold)
    boxes = truth is not None and holds_boxes(truth)
    own = (OF_BOXES if boxes else OF_TAGS) if truth is not None else OF_ARRAYS if labels else OF_TABLES
    _check_settings(settings, (*ALWAYS, *own))
    if not paths:
        raise SpecError(text("No file was given.", "没有给出文件。"))
    files = [user_path(path) for path in paths]
    content = apply_settings({"data": {"train": str(files[0])}, "models": ["timm:none"]}, list(settings))
    named = [user_path(path) for path in labels]
    if truth is None and (detections := next(filter(holds_detections, files), None)):
        raise SpecError(
            text("{p} holds detections: the right boxes are missing.", "{p} 是检测结果：缺少标准答案。", p=detections),
            do=text(
                "Name them: weigh read --gold instances.json {p}", "请给出：weigh read --gold instances.json {p}", p=shlex.quote(str(detections))
            ),
        )  # fmt: skip
    if truth is None:
        return Reading(read(files, load_spec(content), named), _command(files, {"--labels": named}, settings))
    if named:
        raise SpecError(
            text("--gold and --labels cannot be used together.", "--gold 与 --labels 不能同时使用。"),
            do=text(
                "Tags of tokens and boxes have --gold, arrays --labels.",
                "词的标记和检测框用 --gold，数组用 --labels。",
            ),
        )
    read_with = read_boxes if boxes else read_entities
    return Reading(read_with(truth, files, load_spec(content)), _command(files, {"--gold": [truth]}, settings))


def _check_settings(settings: Sequence[str], counted: Sequence[str]) -> None:
    """None is ignored without a word."""
    for setting in settings:
        if (name := setting.partition("=")[0].strip()) not in counted:
            raise SpecError(
                text(
                    "--set {n} does not count where predictions are read.",
                    "读取预测结果时，--set {n} 不起作用。",
                    n=name,
                ),
                do=text("These do: {k}.", "可用的设置：{k}。", k=", ".join(counted)),
            )


def _command(paths: Sequence[Path], truth: dict[str, list[Path]], settings: Sequence[str]) -> tuple[str, ...]:
    """The command that gives the same report again; files without their folders, which a report should not disclose."""

    def name(path: Path) -> str:
        plain = path.name or path.resolve().name
        return f"./{plain}" if plain.startswith("-") else plain

    options = [(option, name(path)) for option, files in truth.items() for path in files]
    options += [("--set", setting) for setting in settings]
    return ("weigh", "read", *map(name, paths), *(word for option in options for word in option))


class Reading:
    """What others' predictions allow to conclude.

    Args:
        results: The predictions as records.
        command: The command that read them, word by word; the report shows it.
    """

    def __init__(self, results: Results, command: Sequence[str] = ()) -> None:
        self.results, self.command = results, tuple(command)

    @property
    def spec(self) -> StudySpec:
        return self.results.spec

    @cached_property
    def _file(self) -> FindingsFile:
        from weigh.findings.file import findings_file

        file = findings_file(self.results)
        command = {"command": list(self.command)} if self.command else {}
        return file.model_copy(update={"study": {**file.study, **command}})

    def findings(self) -> Findings:
        """What may be concluded."""
        return Findings(self._file)

    def report(self, format: str = "html", language: str = "en") -> str:
        """The report as text: "html", "json" or "md".

        Raises:
            SpecError: Another format.
        """
        return render_report(self._file, self.results, format, language, self._picture)

    def _picture(self, path: str) -> bytes | None:
        """A small picture of an example, where answers have a place in it and its file is below the root."""
        examples = self.results.examples
        with suppress(OSError, ValueError, DataError):
            file, root = (examples.root / path).resolve(), examples.root.resolve()
            if examples.kind.placed and file.is_relative_to(root) and file.is_file():
                return thumbnail_bytes(file, examples.kind.shown_side)
        return None

    def write(self, folder: str | Path | None = None) -> dict[str, Path]:
        """Write report.html, report.zh.html and findings.json; default folder: readings/<name of the table>.

        Raises:
            StorageError: The folder cannot be made or written.
        """
        folder = Path(folder or Path("readings") / safe_name(self.results.name))
        return write_report(folder, self.report)

    def __repr__(self) -> str:
        return f"Reading({self.results.name!r}, {len(self.results.candidates)} models, {len(self.results.examples)} examples)"

    def _repr_html_(self) -> str:
        return self.findings()._repr_html_()
