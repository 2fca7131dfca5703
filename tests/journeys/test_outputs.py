"""What leaves a study: predictions, tables, the decision; each recomputed by somebody else's library."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from tests.text_models import BAD, GOOD, NAMES, sentences
from weigh.cli.main import main
from weigh.study import Study

SETTINGS = [
    "design.folds=3",
    "design.repeats=2",
    "design.test=0.2",
    "design.curve=false",
    "run.offline=true",
    "run.threads=1",
]


@pytest.fixture(scope="session")
def lopsided(tmp_path_factory, tiny_encoder):
    """A finished study of texts with a common class and two rare ones, so that a threshold decides."""
    folder = tmp_path_factory.mktemp("lopsided")
    rows = sentences(90, [GOOD], seed=1)
    rows += [(text, 1) for text, _ in sentences(30, [BAD + GOOD[:3]], seed=2)]
    rows += [(text, 2) for text, _ in sentences(14, [NAMES + GOOD[:4]], seed=3)]
    names = ("-1", "=bad", "neutral, or so")
    with (folder / "texts.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for text, kind in dict(rows).items():
            writer.writerow([text, names[kind]])
    recipes = ["probe", {"name": "probe", "label": "weak", "strengths": [30.0]}]
    return Study.from_data(
        folder / "texts.csv", [tiny_encoder], recipes, settings=SETTINGS, folder=folder / "study"
    ).run()


def estimates(study: Study, finding: str) -> dict[str, float]:
    found = next(f for f in study.read() if f.id == finding)
    return {name: estimate.value for name, estimate in found.estimates.items()}


@pytest.mark.parametrize("suffix", [".csv", pytest.param(".tsv", marks=pytest.mark.thorough), ".parquet"])
def test_scikit_learn_finds_the_scores_of_the_report_in_the_exported_predictions(lopsided, tmp_path, capsys, suffix):
    target = tmp_path / f"predictions{suffix}"
    assert main(["export", str(lopsided.folder), "--predictions", str(target)]) == 0
    table = read(target)
    assert str(len(table)) in capsys.readouterr().out
    results = lopsided.results()
    assert len(table) == 2 * (2 * len(results.examples.where("train")) + len(results.examples.where("test")))
    own = table.filter((pl.col("model") == results.winner) & (pl.col("set") == "cross-validation"))
    repeats = [part for _, part in own.group_by("run", maintain_order=True)]
    told = estimates(lopsided, "decision")
    for name, score in (("score", balanced_accuracy_score), ("accuracy", accuracy_score)):
        assert told[f"{name}_decided"] == pytest.approx(
            np.mean([score(part["label"], part["prediction"]) for part in repeats]), abs=1e-9
        )
        probable = [most_probable(part) for part in repeats]
        assert told[f"{name}_most_probable"] == pytest.approx(
            np.mean([score(part["label"], said) for part, said in zip(repeats, probable, strict=True)]), abs=1e-9
        )
    luck = estimates(lopsided, "generalisation:optimism")
    assert luck["reported"] == pytest.approx(told["score_decided"])
    assert estimates(lopsided, "verdict")["score"] == pytest.approx(luck["corrected"])  # without the luck of the choice
    test = table.filter((pl.col("model") == results.winner) & (pl.col("set") == "test"))
    assert estimates(lopsided, "generalisation:test")["test"] == pytest.approx(
        balanced_accuracy_score(test["label"], test["prediction"]), abs=1e-9
    )


def read(path: Path) -> pl.DataFrame:
    """A table as polars guesses it; apostrophes stand before names that a spreadsheet would execute."""
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    table = pl.read_csv(path, separator="\t" if path.suffix == ".tsv" else ",")
    assert "'=bad" in table["label"].to_list()
    assert "-1" in table["label"].to_list()
    plain = table.with_columns(pl.col(pl.String).str.strip_prefix("'"))
    return plain.rename({name: name.replace("'", "") for name in plain.columns})


def most_probable(part: pl.DataFrame) -> list[str]:
    names = [name for name in part.columns if name.startswith("p:")]
    return [names[i].removeprefix("p:") for i in part.select(names).to_numpy().argmax(axis=1)]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_weigh_read_reads_the_exported_predictions_back(lopsided, tmp_path, suffix):
    from weigh.reading import read_predictions

    target = tmp_path / f"predictions{suffix}"
    assert main(["export", str(lopsided.folder), "--predictions", str(target)]) == 0
    again = {f.id: f for f in read_predictions(str(target)).findings()}
    assert again["verdict"].estimates["score"].value == pytest.approx(estimates(lopsided, "verdict")["score"], abs=1e-6)


def test_runs_and_suspects_are_tables(lopsided, tmp_path):
    runs, suspects = tmp_path / "runs.csv", tmp_path / "suspects.parquet"
    assert main(["export", str(lopsided.folder), "--runs", str(runs), "--suspects", str(suspects)]) == 0
    table, records = pl.read_csv(runs), lopsided.results().records
    assert table["key"].to_list() == [run.key for run in records]
    assert {"balanced_accuracy", "train_seconds", "strength", "seed_split", "train_accuracy"} <= set(table.columns)
    biases = [json.loads(cell) for cell in table["bias"].drop_nulls()]
    assert biases == [run.facts["bias"] for run in records if "bias" in run.facts]
    found = next(f for f in lopsided.read() if f.id == "errors:labels")
    assert pl.read_parquet(suspects)["path"].to_list() == found.examples


@pytest.mark.parametrize(("name", "said"), [("p.xlsx", "p.csv"), ("p", "p.csv"), ("runs.json", "runs.csv")])
def test_another_kind_of_table_is_refused_with_a_name_that_works(lopsided, tmp_path, capsys, name, said):
    assert main(["export", str(lopsided.folder), "--predictions", str(tmp_path / name)]) == 2
    assert said in capsys.readouterr().err
    assert main(["export", str(lopsided.folder)]) == 2
    assert "--predictions" in capsys.readouterr().err


def test_no_output_replaces_the_data_of_the_study(lopsided, tmp_path, capsys):
    data = Path(lopsided.spec.data.train)
    before = data.read_bytes()
    (tmp_path / "new.txt").write_text("a film\n")
    for command in (
        ["export", str(lopsided.folder), "--predictions", str(data)],
        ["predict", str(lopsided.folder), str(tmp_path / "new.txt"), "--output", str(data)],
    ):
        assert main(command) == 2
        assert "would replace the data of the study" in capsys.readouterr().err
    assert data.read_bytes() == before


def test_predict_tells_both_labels_and_config_how_it_decides(lopsided, capsys):
    texts = [text for text, _ in sentences(60, [GOOD + BAD], seed=9)]
    rows = lopsided.predict(texts)
    classes = lopsided.results().examples.classes
    for row in rows:
        assert row["most_probable"] == max(classes, key=lambda name: row[f"p:{name}"])
    assert any(row["label"] != row["most_probable"] for row in rows)
    own = json.loads((lopsided.folder / "model" / "config.json").read_text(encoding="utf-8"))["weigh"]
    assert own["decision"] == "threshold"
    assert len(own["bias"]) == 3
    card = (lopsided.folder / "model" / "README.md").read_text(encoding="utf-8")
    assert "most probable class" in card
    assert "temperature" in card
    assert main(["predict", "--help"]) == 0
    assert "metrics.decision=argmax" in " ".join(capsys.readouterr().out.split())


def test_decision_argmax_is_a_study_without_thresholds(lopsided, tmp_path):
    settings = [*SETTINGS, "metrics.decision=argmax", "design.repeats=1", "design.test=0"]
    spec = lopsided.spec
    study = Study.from_data(spec.data.train, spec.models, ["probe"], settings=settings, folder=tmp_path / "s").run()
    assert not any("bias" in run.facts for run in study.results().records)
    assert not study.read().of("decision")
    assert "most_probable" not in study.predict(["a film"])[0]
    forced = ["metrics.decision=threshold", "metrics.primary=accuracy"]
    recipe = {"name": "probe", "label": "own", "decision": "argmax"}
    plan = Study.from_data(spec.data.train, spec.models, ["probe", recipe], settings=[*SETTINGS, *forced]).plan().plan
    assert {(run.candidate.split()[-1], run.options["decision"]) for run in plan.runs} == {
        ("probe", "threshold"),
        ("own", "argmax"),
    }


@pytest.mark.parametrize("name", ["answers.csv", "answers.jsonl"])
def test_predict_takes_folders_and_a_file_to_write(finished, photos, tmp_path, capsys, name):
    target = tmp_path / name
    assert (
        main(["predict", str(finished.folder), str(photos / "circle"), str(photos / "stripe"), "-o", str(target)]) == 0
    )
    assert capsys.readouterr().out == ""
    content = target.read_text(encoding="utf-8")
    rows = (
        [json.loads(line) for line in content.splitlines()]
        if name.endswith("l")
        else list(csv.DictReader(io.StringIO(content)))
    )
    assert len(rows) == 48
    assert rows[0]["path"].startswith(str(photos / "circle"))
    numbers = [int(Path(row["path"]).name[:3]) for row in rows[:24]]
    assert numbers == sorted(numbers)
    one = str(photos / "circle" / Path(rows[3]["path"]).name)
    assert main(["predict", str(finished.folder), one, "--format", "jsonl"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone["p:circle"] == pytest.approx(float(rows[3]["p:circle"]), abs=2e-6)


def test_a_folder_without_pictures_is_said(finished, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    assert main(["predict", str(finished.folder), str(tmp_path)]) == 2
    assert "holds no pictures" in capsys.readouterr().err
