"""A medium that weigh does not know, registered from this file alone, runs end to end: study, resume, report in both languages, predict.

Vectors: each example is a row of numbers in a table, and a toy model reads four of them. CONTRIBUTING.md points here.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from tests.registered import registered
from weigh.data.classes import check_classes, few_classes
from weigh.data.contents import identified
from weigh.data.copies import find_identical
from weigh.data.examples import Examples, NewExamples
from weigh.data.readers import READERS, Reader
from weigh.data.rows.assembly import assemble
from weigh.data.rows.listing import Listing
from weigh.data.tables.table_files import read_table, whole_table
from weigh.data.written import Written
from weigh.errors import ModelError, SpecError
from weigh.inputs.base import FEEDS, Batch, Feed, Label, consecutive, unlabelled
from weigh.language import text
from weigh.media import MEDIA, Medium
from weigh.models.pretrained import MODEL_SOURCES, ModelSource, Pretrained, Provenance
from weigh.nouns import Noun
from weigh.study import Study
from weigh.tasks import TASKS, Task

NAME, TASK, NUMBERS, SOURCE = "vectors", "vector-classification", "vector-regression", "toy"
WIDTH = 4

# ---- what reports need: no torch -----------------------------------------------------------------------------------


class Vectors(Medium):
    name = reads = NAME
    title = text("vectors", "向量")
    noun = Noun.plain("vectors", "vector", "向量", "个")

    def quoted(self, row: Any) -> tuple[str, ...]:
        return (", ".join(f"{value:g}" for value in row),)


def read_vectors(spec, kinds, *, offline=False, progress=None):
    """A table: every column but the label holds numbers."""

    def list_rows(given: str) -> Listing:
        table = whole_table(read_table(Path(given)))
        names = tuple(name for name in table.columns if name != spec.columns.label)
        listing = Listing(root=table.path.parent.absolute(), order_source="table", rows=[])
        listing.written = Written(layout=table.layout, names=tuple(table.columns), text=names)
        cells = zip(*(table.columns[name] for name in names), strict=True)
        for line, label, row in zip(table.lines, table.columns[spec.columns.label], cells, strict=True):
            listing.add(f"{table.path.name}:{line}", label, row=numbers(row), order=line)
        return listing

    return identified(*assemble(spec, list_rows, MEDIA.get(NAME), kinds))


def numbers(row: Any) -> tuple[float, ...]:
    return tuple(float(cell) for cell in row)


def check_vectors(examples: Examples, *, progress=None):
    problems = [*few_classes(examples), *find_identical(examples, examples.content.tolist()), *check_classes(examples)]
    return examples, problems


def new_vectors(given, written, *, encoding=None, pair=False) -> NewExamples:
    """Rows of numbers, or a table with the columns of the training data."""
    rows: list[tuple[float, ...]] = []
    for one in [Path(given)] if isinstance(given, (str, Path)) else given:
        if isinstance(one, Path):
            table = whole_table(read_table(one))
            rows += [numbers(cells) for cells in zip(*(table.columns[name] for name in written.text), strict=True)]
        else:
            rows.append(tuple(one))
    failed = {i: "not finite" for i, row in enumerate(rows) if not np.isfinite(row).all()}
    return NewExamples.of_rows(rows, failed)


# ---- what training needs: torch ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scaled:
    """How the toy model wants its vectors: divided by `scale`."""

    reads: ClassVar[str] = NAME
    size: int = WIDTH
    scale: float = 2.0

    def configured(self, options: dict[str, Any]) -> Scaled:
        return self

    def blank(self, n: int, device: Any = "cpu") -> torch.Tensor:
        return torch.zeros(n, self.size, device=device)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def files(self) -> dict[str, Any]:
        return {}

    def prepared(self, examples: Examples) -> np.ndarray:
        return np.array(examples.rows.tolist(), np.float32) / self.scale


@dataclass(frozen=True)
class Stacked:
    """All vectors of a study, as `inputs.base.Inputs`."""

    matrix: torch.Tensor
    label: Label

    def draw(self, n: int, generator: torch.Generator) -> torch.Tensor | None:
        return None

    def batch(self, indices: np.ndarray, drawn: torch.Tensor | None = None) -> Batch:
        return Batch(self.matrix[indices], self.label(indices, self.matrix[indices], None))

    def cut(self, indices: np.ndarray, size: int, *, training: bool = False) -> list[np.ndarray]:
        return consecutive(len(indices), size)


def inputs(examples, preparation, setting, options, progress, label) -> Stacked:
    return Stacked(torch.from_numpy(preparation.prepared(examples)).to(setting.device), label)


def stream(examples, preparation, setting, *, frozen=True, failed=None) -> Iterator[tuple[np.ndarray, Batch]]:
    stacked = inputs(examples, preparation, setting, {}, None, unlabelled)
    for positions in stacked.cut(np.arange(len(examples)), setting.batch):
        yield positions, stacked.batch(positions)


def load(asked, *, pretrained, offline) -> Pretrained:
    if asked.name != "small":
        raise ModelError(text("There is no toy {n}.", "没有玩具模型 {n}。", n=asked.name))
    module = nn.Sequential(nn.Linear(WIDTH, 16), nn.Tanh(), nn.Linear(16, 2))
    if pretrained:
        for k, weights in enumerate(module.parameters()):
            weights.data = torch.randn(weights.shape, generator=torch.Generator().manual_seed(k))
    return Pretrained(asked, module, Scaled(), Provenance("package" if pretrained else "random", "toy"), classes=2)


# ---- registered ----------------------------------------------------------------------------------------------------


EVIDENCE = [
    (MEDIA, NAME, Vectors()),
    (READERS, NAME, Reader(NAME, read_vectors, check_vectors, new_vectors)),
    (TASKS, TASK, Task(TASK, ("label", "labels"), NAME)),
    (TASKS, NUMBERS, Task(NUMBERS, ("number",), NAME)),
]
COMPUTE = [
    (FEEDS, NAME, Feed(inputs, stream, restored=lambda fields: Scaled(**fields))),
    (MODEL_SOURCES, SOURCE, ModelSource(load, lambda pattern: ["small"])),
]


@pytest.fixture(scope="module", autouse=True)
def _registered():
    with registered([*EVIDENCE, *COMPUTE], SOURCE):
        yield


def write_table(path: Path, *, number: bool = False, n: int = 80) -> Path:
    """Two clouds, or a sum; one row stands there twice."""
    rng = np.random.default_rng(0)
    rows = [["a", "b", "c", "d", "label"]]
    for i in range(n):
        vector = rng.normal(size=WIDTH) + (i % 2) * np.array([1.5, -1.5, 1.0, 0.0])
        rows.append([*(f"{v:.4f}" for v in vector), f"{vector.sum():.3f}" if number else ("left", "right")[i % 2]])
    rows.append(rows[3])
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


SETTINGS = ["design.folds=3", "design.repeats=2", "design.test=0.2", "run.offline=true", "run.threads=1"]


@pytest.fixture(scope="module", params=[TASK, NUMBERS])
def study(request, tmp_path_factory) -> Study:
    folder = tmp_path_factory.mktemp("vectors")
    number = request.param == NUMBERS
    networks = [{"name": name, "epochs": 3, "learning_rate": 0.02, "repeats": 1} for name in ("finetune", "scratch")]
    recipes = ["probe", *networks[: 1 if number else 2]]
    made = Study.from_data(
        write_table(folder / "table.csv", number=number), [f"{SOURCE}:small"], recipes, task=request.param,
        settings=SETTINGS, folder=folder / "study",
    )  # fmt: skip
    return made.run()


def test_a_study_of_a_new_medium(study):
    results = study.results()
    assert results.examples.medium is MEDIA.get(NAME)
    assert len(results.examples.rows[0]) == WIDTH
    assert not [f.sentence.en for f in study.read() if f.kind == "internal"]
    assert {record.status for record in results.records} == {"done"}
    (copies,) = [f for f in study.read() if f.kind in ("duplicate", "leak")]
    assert "vectors" in copies.sentence.en
    assert "向量" in copies.sentence.zh
    again = Study.open(study.folder)
    runs = len(again.results().records)
    again.run()
    assert len(again.results().records) == runs  # nothing is trained twice


def test_it_learns(study):
    results = study.results()
    found = results.out_of_fold(results.winner)
    labels = found.prediction(0).labels
    if results.spec.task == TASK:
        assert (labels == found.target).mean() > 0.75
    else:
        assert np.corrcoef(labels, found.target)[0, 1] > 0.5


@pytest.mark.parametrize("language", ["en", "zh"])
def test_its_report(study, language):
    page, told = study.report("html", language), study.report("md", language)
    assert "<svg" in page
    for other in ("pictures", "texts", "图片", "文本"):
        assert other not in told, [line for line in told.splitlines() if other in line][:3]
    first = study.results().examples.texts(0)[0]
    assert first.count(", ") == WIDTH - 1
    assert 'class="quote' in page or study.results().spec.task == NUMBERS


def test_it_predicts(study, tmp_path):
    table = write_table(tmp_path / "new.csv", n=5)
    rows = study.predict(table)
    assert [row["row"] for row in rows] == list(range(1, 7))
    vectors = [numbers(line.split(",")[:WIDTH]) for line in table.read_text("utf-8").splitlines()[1:]]
    assert study.predict(vectors) == rows
    odd = study.predict([vectors[0], (float("nan"),) * WIDTH])
    assert odd[0] == pytest.approx(rows[0], abs=1e-5)  # the batch is another one
    assert odd[1]["error"] == "not finite"
    card = (study.folder / "model" / "README.md").read_text("utf-8")
    assert "weigh predict STUDY new.csv" in card
    assert "AutoModel" not in card


@pytest.mark.parametrize("model", ["timm:test_resnet", "hf:x/y"])
def test_a_model_of_something_else_is_refused(study, model, tiny, tiny_encoder, tmp_path):
    other = tiny if model.startswith("timm") else tiny_encoder
    with pytest.raises(ModelError, match="vectors"):
        Study.from_data(
            study.spec.data.train, [other], ["finetune"], task=study.spec.task, settings=SETTINGS, folder=tmp_path / "s"
        ).run()


@pytest.mark.parametrize("recipe", ["last-stage", "lora", "adapted", "joint", "textbook"])
def test_recipes_that_need_another_medium_are_refused(study, recipe):
    with pytest.raises(SpecError, match=recipe):
        Study.from_data(study.spec.data.train, [f"{SOURCE}:small"], [recipe], task=TASK)


@pytest.mark.parametrize("setting", ["recipes.finetune.image_size=32", "recipes.finetune.max_length=32"])
def test_options_of_other_media_are_refused(study, setting):
    with pytest.raises(SpecError, match="finetune"):
        Study.from_data(study.spec.data.train, [f"{SOURCE}:small"], ["finetune"], task=TASK, settings=[setting])


def test_data_without_labels_are_refused(study, tmp_path):
    with pytest.raises(SpecError, match="vectors"):
        Study.from_data(
            study.spec.data.train, [f"{SOURCE}:small"], ["finetune"], task=TASK, folder=tmp_path / "s",
            settings=["pretrain.texts=more.csv"],
        ).run()  # fmt: skip


def test_an_installed_plugin(tmp_path):
    """From the command line, with nothing but the package's entry points."""
    info = tmp_path / "toy-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n", encoding="utf-8")
    names = {"medium.vectors": "toy", "reader.vectors": "toy", f"task.{TASK}": "toy", "feed.vectors": "toy_torch",
             f"model-source.{SOURCE}": "toy_torch"}  # fmt: skip
    lines = "\n".join(f"{name} = {module}" for name, module in names.items())
    (info / "entry_points.txt").write_text(f"[weigh.plugins]\n{lines}\n", encoding="utf-8")
    for module, entries in (("toy", "EVIDENCE"), ("toy_torch", "COMPUTE")):
        lines = f"from tests.media.test_new_medium import {entries}\nfor r, name, entry in {entries}: r.register(name, entry)\n"
        (tmp_path / f"{module}.py").write_text(lines, encoding="utf-8")
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(tmp_path), str(root), str(root / "src")])
    write_table(tmp_path / "table.csv")
    script = f"""
from weigh.cli.main import main
print(main(["data", "table.csv", "--task", "{TASK}"]))
print(main(["run", "table.csv", "--task", "{TASK}", "--models", "{SOURCE}:small", "--recipes", "probe", "--yes", "-q", "-o", "s",
            *(word for setting in {SETTINGS} for word in ("--set", setting))]))
print(main(["predict", "s", "table.csv", "-q", "-o", "answers.csv"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path, "WEIGH_CACHE": str(tmp_path / "cache")},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0", done.stderr
    assert "81 vectors" in done.stdout
    rows = list(csv.DictReader((tmp_path / "answers.csv").read_text("utf-8").splitlines()))
    assert len(rows) == 81
    assert {row["label"] for row in rows} <= {"left", "right"}
    config = json.loads((tmp_path / "s" / "model" / "config.json").read_text("utf-8"))["weigh"]
    assert config["task"] == TASK
