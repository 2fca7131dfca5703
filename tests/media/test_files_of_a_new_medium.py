"""A medium whose examples are files that weigh cannot open: short waves as .npy, a folder per class; drawn as a picture in the report.

What audio and volumes will need; `test_new_medium.py` is the one whose examples are rows of a table.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from tests.media import test_new_medium as toy
from tests.registered import registered
from weigh.data.classes import check_classes, few_classes
from weigh.data.contents import content_hashes, fingerprint
from weigh.data.copies import find_identical
from weigh.data.examples import Examples, NewExamples
from weigh.data.readers import READERS, Reader
from weigh.data.rows.assembly import assemble
from weigh.data.rows.folders import FileKind, list_folder
from weigh.data.rows.listing import set_aside
from weigh.inputs.base import FEEDS, Batch, Feed
from weigh.language import text
from weigh.media import MEDIA, Medium
from weigh.models.pretrained import MODEL_SOURCES, ModelSource
from weigh.nouns import Noun
from weigh.study import Study
from weigh.tasks import TASKS, Task

NAME, TASK, SOURCE = "waves", "wave-classification", "toy-waves"


class Waves(Medium):
    name = reads = NAME
    title = text("waves", "波形")
    noun = Noun.plain("waves", "wave", "波形", "段")
    new_files, one_table = "new/*.npy", False


WAVE_FILES = FileKind(Waves.noun, "path", lambda name: name.endswith(".npy"), lambda _: False)


def open_wave(path: Path) -> np.ndarray:
    wave = np.load(path, allow_pickle=False)
    if wave.shape != (toy.WIDTH,):
        raise ValueError(f"{wave.shape} is not the shape of a wave")
    return wave.astype(np.float32)


def read_waves(spec, kinds, *, offline=False, progress=None):
    examples, problems = assemble(spec, lambda given: list_folder(Path(given), WAVE_FILES), MEDIA.get(NAME), kinds)
    examples = replace(examples, content=content_hashes(examples, progress=progress))
    return replace(examples, fingerprint=fingerprint(examples)), problems


def check_waves(examples: Examples, *, progress=None):
    bad = []
    for i, path in enumerate(examples.path):
        try:
            open_wave(examples.root / path)
        except (OSError, ValueError):
            bad.append(i)
    paths = [str(examples.path[i]) for i in bad]
    problems = (
        [set_aside("unreadable", text("No waves: {n}.", "{n} 个文件不是波形。", n=len(bad)), paths)] if bad else []
    )
    examples = examples.subset(np.setdiff1d(np.arange(len(examples)), bad))
    examples = replace(examples, fingerprint=fingerprint(examples))
    problems += [*few_classes(examples), *find_identical(examples, examples.content.tolist()), *check_classes(examples)]
    return examples, problems


def new_waves(given, written=None, *, pair=False, encoding=None) -> NewExamples:
    return NewExamples.of_files([str(given)] if isinstance(given, (str, Path)) else list(map(str, given)))


def drawn(path: Path, side: int) -> bytes:
    heights = np.clip(open_wave(path) * 8 + side / 2, 0, side - 1).astype(int)
    picture = np.zeros((side, toy.WIDTH), np.uint8)
    picture[heights, np.arange(toy.WIDTH)] = 255
    out = io.BytesIO()
    Image.fromarray(picture).resize((side, side)).save(out, "PNG")
    return out.getvalue()


class Scaled(toy.Scaled):
    reads: ClassVar[str] = NAME


def stream(examples, preparation, setting, *, frozen=True, failed=None):
    for i, path in enumerate(examples.path):
        try:
            wave = open_wave(examples.root / path)
        except (OSError, ValueError) as error:
            if failed is None:
                raise
            failed[i] = error
            continue
        yield np.array([i]), Batch(torch.from_numpy(wave[None] / preparation.scale).to(setting.device))


def inputs(examples, preparation, setting, options, progress, label) -> toy.Stacked:
    return toy.Stacked(torch.cat([batch.inputs for _, batch in stream(examples, preparation, setting)]), label)


def load(asked, *, pretrained, offline):
    return replace(toy.load(asked, pretrained=pretrained, offline=offline), preprocessing=Scaled())


@pytest.fixture(scope="module", autouse=True)
def _registered():
    entries = [
        (MEDIA, NAME, Waves()),
        (READERS, NAME, Reader(NAME, read_waves, check_waves, new_waves, thumbnail=drawn)),
        (TASKS, TASK, Task(TASK, ("label",), NAME)),
        (FEEDS, NAME, Feed(inputs, stream, restored=lambda fields: Scaled(**fields))),
        (MODEL_SOURCES, SOURCE, ModelSource(load, lambda pattern: ["small"])),
    ]
    with registered(entries, SOURCE):
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    folder = tmp_path_factory.mktemp("waves")
    rng = np.random.default_rng(1)
    for i in range(60):
        kind = ("high", "low")[i % 2]
        (folder / "data" / kind).mkdir(parents=True, exist_ok=True)
        np.save(folder / "data" / kind / f"{i:02d}.npy", rng.normal(size=toy.WIDTH) + (1 if kind == "high" else -1))
    (folder / "data" / "low" / "broken.npy").write_bytes(b"no wave")
    recipes = ["probe", {"name": "finetune", "epochs": 2, "learning_rate": 0.02, "repeats": 1}]
    return Study.from_data(
        folder / "data", [f"{SOURCE}:small"], recipes, task=TASK, settings=toy.SETTINGS, folder=folder / "study"
    ).run()


def test_a_study_of_files(study):
    assert not [f.sentence.en for f in study.read() if f.kind == "internal"]
    assert {record.status for record in study.results().records} == {"done"}
    (broken,) = study.read().of("unreadable")
    assert broken.examples == ["low/broken.npy"]
    assert len(study.results().examples) == 60


@pytest.mark.parametrize("language", ["en", "zh"])
def test_its_report_shows_what_the_reader_draws(study, language):
    page = study.report("html", language)
    assert "data:image/png;base64," in page
    for other in ("pictures", "texts", "文本"):
        assert other not in study.report("md", language)


def test_it_predicts_files_and_names_those_that_are_none(study):
    data = Path(study.spec.data.train)
    files = [data / "low" / "broken.npy", data / "high" / "00.npy", data / "absent.npy"]
    rows = study.predict(files)
    assert [row["path"] for row in rows] == list(map(str, files))
    assert [bool(row.get("error")) for row in rows] == [True, False, True]
    assert rows[1]["label"] in ("high", "low")
