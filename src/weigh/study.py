"""`Study`: the one door for Python; the command line is a thin layer over it.

    study = Study.from_yaml("study.yaml")
    study.plan()        # what would run, for how long, and what it could detect
    study.run()
    study.read()        # findings
    study.report()      # the report as text: "html", "json" or "md"; run() has written report.html, report.zh.html, findings.json, model/README.md
    study.predict(["new.jpg"])

torch is imported only inside `plan`, `run` and `predict`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weigh.disk import is_read_only, storage_errors, write_file
from weigh.errors import RecordError, SpecError, StorageError
from weigh.language import detect_language, text
from weigh.models.address import is_trusted
from weigh.notices import Progress, logging_to, notice
from weigh.settings import user_path
from weigh.spec import StudySpec
from weigh.spec_yaml import apply_settings, load_spec, read_yaml

if TYPE_CHECKING:
    from weigh.data.benchmarks import Submission
    from weigh.execute.forecast import Forecast
    from weigh.execute.listener import Listener
    from weigh.findings.model import Finding, FindingsFile
    from weigh.record.ledger import Ledger
    from weigh.record.results import Results
    from weigh.report.thumbnails import Thumbnails
    from weigh.saved.predicting import Predictor

__all__ = ["Findings", "Study", "safe_name"]

log = logging.getLogger("weigh")


class Findings(list["Finding"]):
    """The findings of a study; a list that shows itself well, in the language of messages (`language.detect_language`)."""

    def __init__(self, file: FindingsFile) -> None:
        super().__init__(file.findings)
        self.file = file

    def of(self, kind: str) -> list[Finding]:
        """Findings of one kind ("comparison", "leak", …)."""
        return [finding for finding in self if finding.kind == kind]

    def __str__(self) -> str:
        from weigh.report.terminal import render_terminal

        return render_terminal(self.file, language=detect_language(), width=100, colour=False)

    def _repr_html_(self) -> str:
        from weigh.report.notebook import study_html

        return study_html(self.file, detect_language())


class Study:
    """A study: a specification and a folder.

    Args:
        spec: What to run.
        folder: Where it is kept; default `output.folder`, else `studies/<data name>`.
        trust_code: Models may run code of their own (`python:MODULE:FACTORY`). No file can say so, only who opens the study.
    """

    def __init__(self, spec: StudySpec, folder: str | Path | None = None, *, trust_code: bool = False) -> None:
        self.spec, self.trust_code = spec, trust_code
        self.folder = user_path(folder or spec.output.folder or Path("studies") / safe_name(spec.title))
        self.submissions: list[Submission] = []  # for a benchmark, written by `run`
        self.written: FindingsFile | None = None  # what `write` wrote last
        self._refusal: SpecError | None = None  # why it can be read, but not go on

    # ---- ways in

    @classmethod
    def from_yaml(
        cls, path: str | Path, *, settings: Sequence[str] = (), folder: str | Path | None = None, trust_code: bool = False
    ) -> Study:  # fmt: skip
        """The study that a YAML file describes; `settings` like "design.folds=10" override it.

        Raises:
            SpecError: All problems of the file at once.
        """
        path = user_path(path)
        content = apply_settings(read_yaml(path), _listed(settings))
        return cls(load_spec(content, base=path.resolve().parent), folder, trust_code=trust_code)

    @classmethod
    def from_data(
        cls,
        data: str | Path,
        models: Sequence[str] = (),
        recipes: Sequence[str | dict[str, Any]] = (),
        *,
        settings: Sequence[str] = (),
        folder: str | Path | None = None,
        task: str | None = None,
        trust_code: bool | None = None,
    ) -> Study:
        """A study of a folder or table of labelled examples.

        Args:
            models: Addresses, or a single one; none: weigh chooses among those that fit the data and whose weights are within reach.
            recipes: Default: probe; where weigh chooses, multilayer, and finetune for the models that come first.
            trust_code: See `Study`; default: where all own models among `models` were made by `weigh.model`.

        Raises:
            SpecError: All problems at once.
        """
        models = _listed(models)
        content: dict[str, Any] = {"data": str(data), "models": models}
        if recipes:
            content["recipes"] = _listed(recipes)
        if task:
            content["task"] = task
        trusted = is_trusted(models) if trust_code is None else trust_code
        return cls(load_spec(apply_settings(content, _listed(settings)), base=Path.cwd()), folder, trust_code=trusted)

    @classmethod
    def open(cls, folder: str | Path, *, trust_code: bool = False) -> Study:
        """A study that was run before.

        Raises:
            RecordError: No study there, or one that this version cannot read.
        """
        from weigh.record.ledger import Ledger
        from weigh.record.reading import read_spec

        folder = user_path(folder)
        as_run = read_spec(Ledger(folder))
        study = cls(as_run.spec, folder, trust_code=trust_code)
        study._refusal = as_run.refusal
        written = folder / "study.yaml"
        if not (written.is_file() and written.read_text(encoding="utf-8", errors="replace") in as_run.written):
            notice(
                text(
                    "{p} is not what was run last: this speaks of the study as it was run.",
                    "{p} 与上次运行时不同：以下内容针对实际运行的研究。",
                    p=written,
                )
            )
        return study

    # ---- compute

    def plan(self, listener: Listener | None = None) -> Forecast:
        """What would run, how long it would take, the smallest difference that it could detect. Runs nothing."""
        from weigh.execute.listener import Silent
        from weigh.execute.planner import plan_study
        from weigh.record.ledger import Ledger
        from weigh.record.study_folders import holds_study

        self._refuse_former_settings()
        ledger = Ledger(self.folder) if holds_study(self.folder) else None
        return plan_study(self.spec, ledger, listener or Silent(), trust_code=self.trust_code)

    def run(
        self, listener: Listener | None = None, *, retry_failed: bool = False, progress: bool | None = None
    ) -> Study:
        """Run what is not recorded yet, then write findings and reports. May be interrupted and called again.

        Args:
            progress: Without a listener, who is told what happens: show what happens, with bars and the time that is left. Default: in a terminal and in a notebook.
        """
        from weigh.record.study_folders import refuse_folder_of_data

        self._refuse_former_settings()
        refuse_folder_of_data(self.folder, self.spec)
        from weigh.execute.driver import run_study
        from weigh.execute.listener import Silent

        if listener is None:
            from weigh.screen import Screen, is_watched

            if progress or (progress is None and is_watched()):
                with Screen(detect_language(), quiet=False, confirmed=True) as screen:
                    return self.run(screen, retry_failed=retry_failed)
        with storage_errors(self.folder), logging_to(self.folder / "log.txt"):
            try:
                listener, options = listener or Silent(), {"retry_failed": retry_failed, "trust_code": self.trust_code}
                if run_study(self.spec, self.folder, listener, **options):
                    self.spec = Study.open(self.folder).spec
                    self.write()
                    self.submissions = self._submit(listener)
            except KeyboardInterrupt:
                log.info("interrupted")
                raise
        return self

    def _refuse_former_settings(self) -> None:
        """Nothing, or the error that this version does not run the settings that the study was opened with."""
        if self._refusal is not None:
            raise self._refusal

    def _submit(self, listener: Listener) -> list[Submission]:
        from weigh.data.benchmarks import submit

        def predict(texts: Sequence[tuple[str, ...]]) -> list[dict[str, Any]]:
            listener.stage(text("Answering test files without labels", "回答没有标签的测试文件"))
            return self.predict(texts, progress=listener.progress)

        return submit(self.folder, self.spec, predict)

    def predict(
        self,
        examples: str | Path | Iterable[str | Path | tuple[str, ...]],
        progress: Progress | None = None,
        *,
        masks: str | Path | None = None,
        boxes: str | Path | Sequence[str | Path] = (),
        overlays: str | Path | None = None,
        ensemble: bool = False,
    ) -> list[dict[str, Any]]:
        """Calibrated probabilities of the winner for new examples.

        Args:
            examples: Pictures: paths, of folders too (every picture below them). Texts: a list of texts (pairs: tuples of two; sentences for entities: tuples of tokens, or texts that are cut into such), or
                the path of a table, or paths of several.
            masks: Folder for an index PNG of each picture, where the study predicts masks.
            boxes: Where it predicts boxes: a file called .json for results as COCO has them, one called .csv for a row for each box, a folder
                for text as YOLO has it; several of them.
            overlays: Folder for each picture with the answer drawn over it.
            ensemble: Of the saved average of several candidates (`output.ensemble`) in place of the winner.

        Returns:
            One dictionary per example, in order: path or row (from 1), label, probability, "p:<class>" per class; for numbers
            "value", for entities "entities", for masks "area:<class>" (share of the picture), for boxes "count:<class>" (of "area_low:" and "area_high:", "count_low:" and "count_high:", about 95 % of new pictures hold the true value between them, where there were enough to know). An example that cannot be read has an empty label and an "error".

        Raises:
            RecordError: The study has no refitted model yet.
            DataError: A table without the columns of the training data.
            SpecError: Files that answers of this kind are not written to, or that would replace the pictures.
        """
        from weigh.growing import GrowingFiles

        predictor = self.predictor(examples, masks=masks, boxes=boxes, overlays=overlays, ensemble=ensemble)
        with GrowingFiles(predictor.targets, {}, resumes=False) as growing:
            rows = [row for block in predictor.blocks(growing, progress=progress) for row in block]
            growing.finish()
        return rows

    def predictor(self, examples: Any, **options: Any) -> Predictor:
        """The saved model with what it is to predict: rows block by block, where all of them would not fit into memory. Arguments as of `predict`."""
        from weigh.record.study_folders import refuse_inside_data
        from weigh.saved.predicting import open_predictor

        refuse_inside_data({name: options.get(name) for name in ("masks", "boxes", "overlays")}, self.spec)
        own = {"trust_code": self.trust_code, "encoding": self.spec.data.encoding}
        return open_predictor(self.folder, examples, **own, **options)

    # ---- evidence (no torch)

    def ledger(self) -> Ledger:
        """The ledger of the study."""
        from weigh.record.ledger import Ledger

        return Ledger(self.folder)

    def results(self) -> Results:
        """Every recorded run with its predictions."""
        from weigh.plan.candidates import cross_candidates
        from weigh.record.index import read_index
        from weigh.record.reading import read_results

        ledger, examples = self.ledger(), read_index(self.folder)
        if examples.fingerprint != (ledger.fact("identity") or {}).get("data"):
            raise RecordError(
                text(
                    "The ledger and the examples in {f} belong to different studies.",
                    "{f} 中的记录库和样本属于不同的研究。",
                    f=self.folder,
                ),
                do=text("Put the files of one study together again.", "请把同一研究的文件放回一起。"),
            )
        return read_results(ledger, self.spec, examples, cross_candidates(self.spec))

    def read(self) -> Findings:
        """What may be concluded from what is recorded so far."""
        from weigh.findings.file import findings_file

        return Findings(findings_file(self.results()))

    def report(self, format: str = "html", language: str = "en") -> str:
        """The report as text: "html", "json" or "md".

        Raises:
            SpecError: Another format.
        """
        from weigh.findings.file import findings_file

        results = self.results()
        return self._render(findings_file(results), results, format, language)

    def write(self) -> dict[str, Path]:
        """Write report.html, report.zh.html, findings.json and the model card; returns where they are.

        Where the study cannot be written to (a read-only disk, somebody else's folder), they go to readings/NAME, and that is said.

        Raises:
            StorageError: Neither folder takes them.
        """
        from weigh.findings.file import findings_file

        results = self.results()
        self.written = file = findings_file(results)
        try:
            return self._write_into(self.folder, file, results)
        except StorageError as error:
            if not is_read_only(error):
                raise
            elsewhere = Path("readings") / safe_name(self.folder.resolve().name)
            written = self._write_into(elsewhere, file, results)
            notice(error.what + text("The report stands in {f} instead.", "报告改写到 {f}。", f=elsewhere))
            return written

    def _write_into(self, folder: Path, file: FindingsFile, results: Results) -> dict[str, Path]:
        from weigh.report.formats import write_report
        from weigh.saved.folder import CONFIG, ENSEMBLE, MODEL

        written = write_report(folder, lambda format, language: self._render(file, results, format, language))
        if (self.folder / MODEL / CONFIG).exists():
            from weigh.report.card import model_card

            written["model"] = folder / MODEL / "README.md"
            card = model_card(file, results, facts=self._facts_of_saved() or results.models)
            write_file(written["model"], card)
        if (self.folder / ENSEMBLE / CONFIG).exists():
            from weigh.report.card import average_card

            written["ensemble"] = folder / ENSEMBLE / "README.md"
            write_file(written["ensemble"], average_card(file, results))
        return written

    def _facts_of_saved(self) -> dict[str, Any]:
        """What the saved model's own file says of it, for its card; nothing where that cannot be read."""
        import json

        from weigh.saved.folder import CONFIG, MODEL

        try:
            own = json.loads((self.folder / MODEL / CONFIG).read_text(encoding="utf-8"))["weigh"]
            return {
                **own["facts"],
                **{name: own[name] for name in ("temperature", "decision", "bias", "preprocessing")},
            }
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def table(self, name: str) -> Any:
        """What is recorded, as a polars table: "predictions" (out of fold and on test sets), "runs" or "suspects".

        Raises:
            SpecError: Another name.
        """
        from weigh.report.tables import make_table

        return make_table(self.results(), name)

    def _render(self, file: FindingsFile, results: Results, format: str, language: str) -> str:
        from weigh.report.formats import render_report

        return render_report(file, results, format, language, self._thumbnails.of)

    @cached_property
    def _thumbnails(self) -> Thumbnails:
        from weigh.report.thumbnails import Thumbnails

        return Thumbnails(self.folder)

    def __repr__(self) -> str:
        return f"Study({str(self.folder)!r}, {len(self.spec.models) or 'chosen'} models × {len(self.spec.recipes)} recipes)"

    def _repr_html_(self) -> str:
        if not (self.folder / "ledger.sqlite").exists():
            from html import escape

            return f"<pre>{escape(repr(self))}</pre>"
        return self.read()._repr_html_()


def _listed(one_or_several: Any) -> list[Any]:
    """A single name as a list of it: its letters are no names."""
    return [one_or_several] if isinstance(one_or_several, (str, dict)) else list(one_or_several)


def safe_name(title: str) -> str:
    """A folder name from the name of the data: nothing that leaves the folder or troubles a shell."""
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in title).strip("-.")
    return name[:80] or "study"
