"""Finished studies with damaged files, and new inputs for `predict`: for a study of texts, of entities and of pictures."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np

from benchmarks.torture.fuzz.bend import bend_bytes, chance, encode, nasty, pick
from benchmarks.torture.fuzz.documents import WORDS, write_entities, write_json, write_lines
from benchmarks.torture.fuzz.tables import write_parquet, write_pictures, write_table

__all__ = ["make_studies", "write_new", "write_study"]

SETTINGS = [
    "design.folds=2",
    "design.repeats=1",
    "design.curve=false",
    "run.offline=true",
    "run.threads=1",
    "run.jobs=1",
]


def make_studies(folder: Path) -> None:
    """Three small finished studies with a saved winner, in `folder`."""
    import timm
    import torch
    from safetensors.torch import save_file

    from tests.conftest import make_photos
    from tests.text_models import save_tiny_encoder, write_entities, write_reviews
    from weigh.study import Study

    if (folder / "done").exists():
        return
    encoder = save_tiny_encoder(folder / "encoder")
    torch.manual_seed(0)
    save_file(timm.create_model("test_resnet", pretrained=False).state_dict(), folder / "tiny.safetensors")
    Study.from_data(
        write_reviews(folder / "reviews.csv", 60), [encoder], settings=SETTINGS, folder=folder / "texts"
    ).run()
    quick = [{"name": "finetune", "epochs": 1, "batch_size": 16}]
    Study.from_data(
        write_entities(folder / "train.conll", 40), [encoder], quick, settings=SETTINGS, folder=folder / "entities"
    ).run()
    photos = make_photos(folder / "photos", per_class=8)
    model = f"file:{folder / 'tiny.safetensors'}@timm:test_resnet"
    Study.from_data(photos, [model], settings=SETTINGS, folder=folder / "pictures").run()
    (folder / "done").touch()


def write_new(rng: np.random.Generator, folder: Path, studies: Path) -> list[str]:
    """New inputs of any shape for a study that may expect another one."""
    study = pick(rng, ["texts", "texts", "entities", "pictures"])
    write = {
        "texts": [write_table, write_json, write_lines, write_parquet],
        "entities": [write_entities, write_json, write_lines],
        "pictures": [write_pictures],
    }[study]
    if chance(rng, 0.1):
        write = [write_table, write_json, write_lines, write_parquet, write_entities, write_pictures]
    path = Path(pick(rng, write)(rng, folder)[1])
    files = [str(path)]
    if study == "pictures":
        files = (
            [str(f) for f in sorted((folder / "p").rglob("*")) if f.is_file()] or files
            if (folder / "p").exists()
            else files
        )
    if chance(rng, 0.05):
        files.append(
            str(folder / nasty(rng).replace("\0", "").replace("/", "")[:50].encode("utf-8", "replace").decode())
        )
    return ["predict", str(studies / study), *files, "--quiet", "--format", pick(rng, ["csv", "jsonl"])]


def write_study(rng: np.random.Generator, folder: Path, studies: Path) -> list[str]:
    """A copy of a finished study, one or two of its files damaged; its report is asked for, or a prediction."""
    name = pick(rng, ["texts", "pictures"])
    study = folder / "study"
    shutil.copytree(studies / name, study)
    files = sorted(f for f in study.rglob("*") if f.is_file() and f.suffix not in (".html", ".md", ".ipynb", ".txt"))
    for _ in range(int(rng.integers(1, 3))):
        _damage(rng, study, pick(rng, files), files)
    if chance(rng, 0.25):
        table = folder / "new.csv"
        table.write_bytes(encode(rng, "text\n" + "\n".join(pick(rng, WORDS) for _ in range(4))))
        new = table if name == "texts" else next((studies / "photos").rglob("*.png"))
        return ["predict", str(study), str(new), "--quiet"]
    return ["report", str(study), "--format", pick(rng, ["json", "text", "md", "html"])]


def _damage(rng: np.random.Generator, study: Path, file: Path, files: list[Path]) -> None:
    if not file.is_file():
        return
    kind = int(rng.integers(7))
    if file.name == "ledger.sqlite" and chance(rng, 0.7):
        _damage_ledger(rng, file)
    elif kind == 0:
        file.unlink()
    elif kind == 1:
        file.unlink()
        file.mkdir()
    elif kind == 2:
        shutil.copyfile(pick(rng, [f for f in files if f.is_file()]), study / "swap")
        shutil.move(study / "swap", file)
    elif kind == 3 and file.suffix == ".json":
        content = json.loads(file.read_text("utf-8"))
        if isinstance(content, dict) and content:
            content[pick(rng, list(content))] = pick(rng, [None, -1, 10**30, "x", [], {}, nasty(rng), [[1]]])
        file.write_text(json.dumps(content, ensure_ascii=True), "utf-8")
    else:
        file.write_bytes(bend_bytes(rng, file.read_bytes(), share=1.0))


def _damage_ledger(rng: np.random.Generator, file: Path) -> None:
    """A cell, a column, a table or a row that no weigh wrote."""
    connection = sqlite3.connect(file)
    tables = [row[0] for row in connection.execute("select name from sqlite_master where type='table'")]
    table = pick(rng, tables)
    columns = [row[1] for row in connection.execute(f"pragma table_info('{table}')")]
    kind = int(rng.integers(5))
    try:
        if kind == 0:
            connection.execute(f'alter table "{table}" add column "{pick(rng, ["more", "x y", "key2"])}"')
        elif kind == 1:
            connection.execute(f'drop table "{table}"')
        elif kind == 2:
            connection.execute(f'delete from "{table}" where rowid % 2 = 0')
        else:
            value = pick(
                rng, [None, "", "{", "[]", "null", "NaN", b"\x00\xff", -1, 2**62, "{}", "x", '{"a": 1e999}', nasty(rng)]
            )
            value = value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
            connection.execute(f'update "{table}" set "{pick(rng, columns)}" = ? where rowid % 3 = 0', (value,))
        connection.commit()
    except sqlite3.Error:
        pass
    connection.close()
