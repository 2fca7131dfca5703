"""The same text gives the same probability through `predict`, however the file is written (#14, A1)."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.data.spellings import LINES, SPELLINGS, write_spelling
from tests.journeys.test_journey import weigh
from tests.text_models import BAD, GOOD, sentences, write_entities
from weigh.study import Study

SETTINGS = [
    "design.folds=2",
    "design.repeats=1",
    "design.order_check=false",
    "design.curve=false",
    "design.cleaned=false",
]
NEW = [
    "great lovely film", "awful nasty day", 'we saw "some" music', "a film\u2028and then\u2029people\u0085with\x0cmusic", 'a 5" play',
    "the story, the day; it was | fine", "warm and bright " * 9_000, "cold grim sour", "it was", "people with some music", "sweet", "dull",
]  # fmt: skip


@pytest.fixture(scope="module")
def study(tiny_encoder, tmp_path_factory):
    """Trained on a table with semicolons, further columns and names that nobody guesses."""
    folder = tmp_path_factory.mktemp("spellings")
    rows = [f'{i};"{t}";{("bad", "good")[k]}' for i, (t, k) in enumerate(sentences(60, [BAD, GOOD]))]
    (folder / "train.csv").write_text("\n".join(["id;body;label", *rows]) + "\n", "utf-8")
    settings = [*SETTINGS, "run.offline=true", "run.threads=1"]
    return Study.from_data(
        folder / "train.csv", [tiny_encoder], ["probe"], settings=settings, folder=folder / "study"
    ).run()


def answers(capsys, folder, path) -> list[dict]:
    code, out, err = weigh(capsys, "predict", folder, path)
    assert code == 0, err
    return list(csv.DictReader(io.StringIO(out)))


def test_the_same_text_gives_the_same_probability_in_every_spelling(study, capsys, tmp_path):
    (tmp_path / "data").mkdir()
    control = study.predict(NEW)
    assert len({row["p:good"] for row in control}) > 8
    for spelling in [*SPELLINGS, *LINES]:
        rows = answers(capsys, study.folder, write_spelling(tmp_path / "data", spelling, NEW))
        assert [int(row["row"]) for row in rows] == list(range(1, len(NEW) + 1)), spelling
        for row, same in zip(rows, control, strict=True):
            assert row["label"] == same["label"], spelling
            assert float(row["p:good"]) == pytest.approx(same["p:good"], abs=1e-5), spelling


def test_how_the_training_data_are_written_is_kept_with_study_and_model(study):
    from weigh.record.index import read_index

    config = json.loads((study.folder / "model" / "config.json").read_text("utf-8"))["weigh"]
    written = read_index(study.folder).written
    assert written is not None
    assert (written.separator, written.text, written.labels) == (";", ("body",), ("label",))
    assert json.loads(json.dumps(written.as_json())) == config["written"]


def test_a_line_that_cannot_be_read_is_an_error_with_its_number(study, capsys, tmp_path):
    (tmp_path / "new.csv").write_text("id;body\n1;great film\n2;awful; nasty film\n")
    code, out, err = weigh(capsys, "predict", study.folder, tmp_path / "new.csv")
    assert (code, out) == (2, "")
    assert "Line 3 of" in err
    assert "has 3 cells; the header has 2" in err


def test_the_screen_of_run_says_what_was_read(study, tiny_encoder, capsys, tmp_path):
    data = study.folder.parent / "train.csv"
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    code, _, err = weigh(
        capsys,
        "run",
        data,
        "--models",
        tiny_encoder,
        "--recipes",
        "probe",
        "--offline",
        "--yes",
        "--output",
        tmp_path / "s",
        *settings,
    )
    assert code == 0
    assert "Read as CSV (texts: body; labels: label). Not used: id." in err
    first, second = sentences(2, [BAD, GOOD])
    assert f"“{first[0]}” → bad; “{second[0]}” → good" in err


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_sentences_out_are_sentences_in(tiny_encoder, tmp_path_factory, end):
    folder = tmp_path_factory.mktemp("entities")
    data = write_entities(folder / "train.conll", 40)
    data.write_bytes(data.read_bytes().replace(b"\n", end.encode()))
    settings = [*SETTINGS, "run.offline=true", "run.threads=1", "recipes.finetune.epochs=1"]
    study = Study.from_data(data, [tiny_encoder], ["finetune"], settings=settings, folder=folder / "study").run()
    said = [("anna", "saw", "paris"), ("we", "saw", "it"), ("boris",)]
    control = study.predict(said)
    for name, content in {
        "a.conll": (end * 2).join(end.join(f"{t} O" for t in s) for s in said) + end, "b.conll": (end * 2).join(end.join(s) for s in said),
        "c.txt": end.join(" ".join(s) for s in said) + end, "d.jsonl": end.join(json.dumps({"tokens": s}) for s in said),
    }.items():  # fmt: skip
        (folder / name).write_bytes(content.encode())
        assert study.predict(folder / name) == control, name
