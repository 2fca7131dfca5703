"""Predictions that others made: scores equal scikit-learn's, claims are those that a table allows, bad input is told."""

from __future__ import annotations

import gzip
import json

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

import weigh
from tests.findings.reading import by_id
from tests.record.tables import findings, kinds, rows_of, write
from weigh.errors import DataError, SpecError

# ---- what a table says


def test_scores_are_those_of_sklearn(tmp_path):
    rows = rows_of(classes=("a", "b", "c"))
    found = findings(write(tmp_path / "t.csv", rows))
    mine = pl.DataFrame([row for row in rows if row["model"] == "good"])
    p = mine.select("p:a", "p:b", "p:c").to_numpy()
    said = np.array(["a", "b", "c"])[p.argmax(axis=1)]
    assert found["verdict"].estimates["score"].value == pytest.approx(balanced_accuracy_score(mine["label"], said))
    table = {row["candidate"]: row for row in found["performance:metrics"].table}["good"]
    p = p / p.sum(axis=1, keepdims=True)
    assert table["log_loss"] == pytest.approx(log_loss(mine["label"], p), abs=1e-4)
    assert table["auroc"] == pytest.approx(roc_auc_score(mine["label"], p, multi_class="ovr"), abs=1e-3)


def test_one_run_speaks_of_these_models_and_says_what_else_is_needed(tmp_path):
    found = findings(write(tmp_path / "t.csv", rows_of()))
    assert {f.claim for f in found.values()} <= {None, "these_models"}
    assert found["comparison:good:poor"].relation == "better"
    needed = " ".join(item.en for item in found["reading"].next)
    assert "column run" in needed
    assert "column fold" in needed
    said = " ".join(f.sentence.en + " ".join(n.en for n in f.next) for f in found.values())
    for wrong in ("cross-valid", "out-of-fold", "design.", "refit", "scratch", "seed would", "saved model"):
        assert wrong not in said.replace("give cross-validated predictions", ""), wrong


def test_several_runs_are_averaged_and_their_spread_is_described(tmp_path):
    rows = rows_of(runs=4, noise=1.5)
    found = findings(write(tmp_path / "t.csv", rows))
    frame = pl.DataFrame([row for row in rows if row["model"] == "good"])
    scores = []
    for run in frame["run"].unique(maintain_order=True):
        mine = frame.filter(pl.col("run") == run)
        scores.append(balanced_accuracy_score(mine["label"], np.where(mine["p:bee"] > mine["p:ant"], "bee", "ant")))
    assert found["verdict"].claim == "these_models"
    assert found["verdict"].estimates["score"].value == pytest.approx(np.mean(scores))
    assert found["reading"].estimates["sd_runs"].value == pytest.approx(100 * np.std(scores, ddof=1))


@pytest.mark.parametrize(("purpose", "claim"), [("ship", "this_data"), ("publish", "new_data")])
def test_folds_make_a_cross_validation(tmp_path, purpose, claim):
    table = write(tmp_path / "t.csv", rows_of(folds=5, runs=3))
    found = findings(table, settings=[f"design.purpose={purpose}"])
    assert found["verdict"].claim == found["comparison:good:poor"].claim == claim
    assert found["verdict"].estimates["folds"].value == 5
    assert found["verdict"].estimates["repeats"].value == 3
    assert not kinds(found) & {"cost", "order", "curve", "variation", "cleaned"}
    said = " ".join(f.sentence.en + " ".join(n.en for n in f.next) for f in found.values())
    assert "design." not in said


def test_decisions_without_probabilities(tmp_path):
    found = findings(write(tmp_path / "t.csv", rows_of(probable=False)))
    assert not kinds(found) & {"calibration", "label-errors"}
    assert "log_loss" not in found["performance:metrics"].table[0]
    assert "Only decisions were given" in found["reading"].sentence.en
    with pytest.raises(SpecError, match="needs probabilities"):
        weigh.read_predictions(tmp_path / "t.csv", settings=["metrics.primary=log_loss"])


def test_a_decision_may_differ_from_the_most_probable_class(tmp_path):
    rows = rows_of()
    for row in rows:
        row["prediction"] = row["label"]
    found = findings(write(tmp_path / "t.csv", rows), settings=["metrics.primary=accuracy"])
    assert found["verdict"].estimates["score"].value == 1.0


def test_a_copy_is_equal_and_named(tmp_path):
    rows = rows_of(n=1500, models={"good": 2.5, "middle": 1.8, "poor": 1.0})
    copy = [{**row, "model": "twin"} for row in rows if row["model"] == "good"]
    found = findings(write(tmp_path / "t.csv", rows + copy))
    assert found["comparison:good:twin"].relation == "equal"
    assert found["comparison:good:poor"].relation == "better"
    assert "good = twin" in found["data:copied-model"].sentence.en


def test_many_models_are_told_in_one_table(tmp_path):
    models = {f"m{i:02d}": 1.0 + i / 10 for i in range(14)}
    found = findings(write(tmp_path / "t.csv", rows_of(models=models, probable=False)))
    pairs = [name for name in found if name.startswith("comparison:m1")]
    assert len(pairs) == 3
    assert len(found["comparison:rest"].table) == 13
    number = found["comparison:rest"].estimates
    assert sum(number[r].value for r in ("better", "worse_than", "equal", "undecided")) == 13
    assert len(found["comparison:matrix"].figure.rows) == 14 * 13 // 2


def test_further_sets_are_compared_with_the_first(tmp_path):
    rows = [{**row, "set": "home"} for row in rows_of(n=600, probable=False)]
    away = rows_of(n=500, probable=False, models={"good": 0.6, "poor": 0.2}, seed=1)
    found = findings(write(tmp_path / "t.csv", [*rows, *({**row, "set": "away"} for row in away)]))
    assert found["verdict"].estimates["examples"].value == 600
    assert found["shift:away"].verdict == "no"
    assert "“home”" in found["shift:away"].sentence.zh
    assert "cross" not in found["shift:away"].sentence.en


def test_the_class_of_interest_is_the_rarer_one_or_the_one_asked_for(tmp_path):
    rows = rows_of()
    rare = [row for row in rows if row["label"] == "bee" or int(row["example"][1:]) % 3 == 0]
    table = write(tmp_path / "t.csv", rare)
    assert weigh.read_predictions(table).results.examples.classes == ("bee", "ant")
    asked = weigh.read_predictions(table, settings=["data.positive=bee"])
    assert asked.results.examples.classes == ("ant", "bee")
    usual = weigh.read_predictions(table).findings().of("performance")[0].estimates["score"].value
    assert asked.findings().of("performance")[0].estimates["score"].value == pytest.approx(usual)
    with pytest.raises(DataError, match="no class 'wasp'"):
        weigh.read_predictions(table, settings=["data.positive=wasp"])


def test_other_columns_become_slices_and_groups_widen_intervals(tmp_path):
    rows = rows_of(n=400)
    for row in rows:
        row["site"] = "north" if int(row["example"][1:]) % 2 else "south"
    plain = weigh.read_predictions(write(tmp_path / "a.csv", rows))
    assert list(plain.results.examples.slices) == ["site"]
    wrong = {r["example"] for r in rows if r["model"] == "good" and r["p:bee"] < 0.5 and r["label"] == "bee"}
    for row in rows:  # errors come in groups
        row["group"] = f"g{int(row['example'][1:]) % 40}" if row["example"] not in wrong else f"h{len(row['example'])}"
    grouped = weigh.read_predictions(write(tmp_path / "b.csv", rows))
    score = grouped.findings()[0].estimates["score"]
    assert score.n_unit == "groups"
    other = plain.findings()[0].estimates["score"]
    assert score.high - score.low > other.high - other.low


# ---- how a table is written


def test_every_way_of_writing_reads_the_same(tmp_path):
    rows = rows_of(n=60)
    reference = weigh.read_predictions(write(tmp_path / "t.csv", rows)).report("json")
    (tmp_path / "o").mkdir()
    tab = write(tmp_path / "o" / "t.tsv", rows, delimiter="\t")
    mark = write(tmp_path / "o" / "t.csv", rows, encoding="utf-8-sig")
    packed = tmp_path / "o" / "t.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    semicolons = tmp_path / "t" / "t.csv"
    semicolons.parent.mkdir()
    write(semicolons, rows, delimiter=";")
    parquet = tmp_path / "t.parquet"
    pl.DataFrame(rows).write_parquet(parquet)
    for path in (tab, mark, packed, semicolons, parquet):
        assert weigh.read_predictions(path).report("json").replace(path.name, "t.csv") == reference, path


def test_files_without_a_model_column_are_models(tmp_path):
    rows = rows_of(n=60)
    for model in ("good", "poor"):
        write(
            tmp_path / f"{model}.csv",
            [{k: v for k, v in r.items() if k != "model"} for r in rows if r["model"] == model],
        )
    reading = weigh.read_predictions(tmp_path / "good.csv", tmp_path / "poor.csv")
    assert [c.id for c in reading.results.candidates] == ["good", "poor"]
    whole = weigh.read_predictions(write(tmp_path / "all.csv", rows))
    assert reading.findings()[0].sentence == whole.findings()[0].sentence


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (("seed1/net.csv", "seed2/net.csv"), ["seed1/net", "seed2/net"]),
        (("net.v1.csv", "net.v2.csv"), ["net.v1", "net.v2"]),
    ],
)
def test_files_of_one_name_that_tell_of_the_same_examples_are_models(tmp_path, files, named):
    rows = rows_of(n=60)
    for file, model in zip(files, ("good", "poor"), strict=True):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        mine = [row for row in rows if row["model"] == model]
        write(tmp_path / file, [{k: v for k, v in row.items() if k != "model"} for row in mine])
    reading = weigh.read_predictions(*(tmp_path / file for file in files))
    assert sorted(c.id for c in reading.results.candidates) == named


@pytest.mark.parametrize("column", ["example", "run"])
def test_files_of_one_name_that_tell_of_other_examples_or_runs_are_parts_of_one_model(tmp_path, column):
    rows = [{k: v for k, v in row.items() if k != "model"} for row in rows_of(n=60) if row["model"] == "good"]
    parts = {
        "example": (rows[::2], rows[1::2]),
        "run": tuple([{**row, "run": number} for row in rows] for number in "12"),
    }[column]
    for number, part in enumerate(parts):
        (tmp_path / str(number)).mkdir()
        write(tmp_path / str(number) / "net.csv", part)
    reading = weigh.read_predictions(*(tmp_path / str(number) / "net.csv" for number in range(2)))
    assert [c.id for c in reading.results.candidates] == ["net"]
    assert len(reading.results.examples) == 60


def test_numbers_of_classes_that_were_once_floats(tmp_path):
    rows = rows_of(n=60, classes=("0", "1", "2"), probable=False)
    for row in rows:
        row["prediction"] += ".0"
    assert weigh.read_predictions(write(tmp_path / "t.csv", rows)).results.examples.classes == ("0", "1", "2")


def test_folders_of_arrays(tmp_path):
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 200)
    for part in ("a_predictions", "b_predictions"):
        (tmp_path / part).mkdir()
        for name, wrong in (("one", 0.1), ("two", 0.4)):
            said = np.where(rng.random(200) < wrong, rng.integers(0, 3, 200), target)
            if name == "one":
                (tmp_path / part / f"{name}_predictions.json").write_text(json.dumps(said.tolist()))
            else:
                np.save(tmp_path / part / f"{name}_predictions.npy", said)
    np.save(tmp_path / "labels.npy", target)
    folders = [tmp_path / "a_predictions", tmp_path / "b_predictions"]
    found = by_id(weigh.read_predictions(*folders, labels=[tmp_path / "labels.npy"] * 2).findings())
    assert found["verdict"].candidates[0] == "one"
    assert "shift:b" in found
    one = weigh.read_predictions(folders[0], labels=[tmp_path / "labels.npy"])
    assert one.results.name == "a"
    with pytest.raises(DataError, match="the labels are missing"):
        weigh.read_predictions(folders[0])
    with pytest.raises(DataError, match="2 folders of predictions were given, and 1"):
        weigh.read_predictions(*folders, labels=[tmp_path / "labels.npy"])
    np.save(tmp_path / "few.npy", target[:50])
    with pytest.raises(DataError, match="has 200 predictions"):
        weigh.read_predictions(folders[0], labels=[tmp_path / "few.npy"])
    np.save(tmp_path / "a_predictions" / "three_predictions.npy", rng.standard_normal((200, 3)))
    with pytest.raises(DataError, match="do not add up to one"):
        weigh.read_predictions(folders[0], labels=[tmp_path / "labels.npy"])
    np.save(tmp_path / "a_predictions" / "three_predictions.npy", np.array([{}] * 200), allow_pickle=True)
    with pytest.raises(DataError, match="cannot be read"):
        weigh.read_predictions(folders[0], labels=[tmp_path / "labels.npy"])


def test_two_files_that_would_be_one_model_are_refused(tmp_path):
    (tmp_path / "p").mkdir()
    target = np.arange(60) % 3
    np.save(tmp_path / "labels.npy", target)
    np.save(tmp_path / "p" / "other.npy", np.roll(target, 1))
    np.save(tmp_path / "p" / "resnet.npy", target)
    (tmp_path / "p" / "resnet.json").write_text(json.dumps(np.zeros(60, int).tolist()))
    with pytest.raises(DataError, match="Two files are called p/resnet"):
        weigh.read_predictions(tmp_path / "p", labels=[tmp_path / "labels.npy"])
