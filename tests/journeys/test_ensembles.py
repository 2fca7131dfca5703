"""An average of candidates from the command line: asked for, saved, predicted with, damaged, repaired, refused."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import make_photos
from tests.journeys.test_journey import weigh
from tests.text_models import write_entities, write_reviews
from weigh.data.pictures.unlabelled import new_pictures
from weigh.errors import ModelError
from weigh.execute.saving import Keeper
from weigh.metrics.base import METRICS
from weigh.notices import notices_to
from weigh.record.ensembles import average_on_part, read_ensemble
from weigh.record.ledger import Ledger
from weigh.run import Outcome
from weigh.saved.average import load_average, read_average
from weigh.saved.folder import write_config
from weigh.saved.meaning import blank_examples
from weigh.saved.model import load_saved
from weigh.stats.calibration import fit_temperature
from weigh.study import Study

CLASSES = ("<b>$(circle)", "stripe")
LABELS = ("small", "../../$(rm) <i>", "large")  # candidates may be called anything
QUICK = ["design.folds=4", "design.repeats=2", "design.cleaned=false", "design.order_check=false", "design.curve=false",
         "run.offline=true", "run.threads=1"]  # fmt: skip


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    return make_photos(tmp_path_factory.mktemp("data") / "photos", classes=CLASSES)


@pytest.fixture(scope="module")
def single(pictures, tiny, tmp_path_factory) -> Study:
    """A finished study with a test part that saved its winner alone. Do not change it."""
    recipes = [
        {"name": "probe", "label": label, "image_size": size} for label, size in zip(LABELS, (32, 48, 64), strict=True)
    ]
    folder = tmp_path_factory.mktemp("studies") / "single"
    return Study.from_data(pictures, [tiny], recipes, settings=[*QUICK, "design.test=0.25"], folder=folder).run()


@pytest.fixture(scope="module")
def saved(single, tmp_path_factory) -> Study:
    """The same with its average saved, as the refusal says how. Do not change it."""
    folder = shutil.copytree(single.folder, tmp_path_factory.mktemp("averages") / "saved")
    from weigh.cli.main import main

    assert main(["run", str(folder), "--set", "output.ensemble=always", "--yes", "--quiet"]) == 0
    return Study.open(folder)


@pytest.fixture
def copy(saved, tmp_path) -> Path:
    return shutil.copytree(saved.folder, tmp_path / "copy")


def answers(out: str) -> np.ndarray:
    """`(n, classes)` probabilities in a table that `weigh predict` wrote."""
    return np.array([[float(row[f"p:{name}"]) for name in CLASSES] for row in csv.DictReader(io.StringIO(out))])


def test_where_none_is_saved_the_refusal_says_how_and_what_it_costs(single, pictures, capsys):
    code, _, err = weigh(capsys, "predict", single.folder, pictures, "--ensemble")
    assert code == 2
    assert f"weigh run {single.folder} --set output.ensemble=always" in err
    assert "refitted" in err
    assert not (single.folder / "ensemble").exists()


def test_it_is_saved_on_request_and_nothing_else_runs_again(single, saved):
    before, after = single.results(), saved.results()
    assert {record.key for record in after.records} == {record.key for record in before.records}
    assert after.winner == before.winner
    members = read_average(saved.folder / "ensemble").members
    assert len(members) > 1
    assert {member.candidate: member.share for member in members} == read_ensemble(after).members == after.averaged
    assert {path.name for path in (saved.folder / "ensemble").iterdir()} == {
        "config.json",
        "README.md",
        *names_of(members),
    }


def test_its_card_names_the_members_and_the_command(saved):
    card = (saved.folder / "ensemble" / "README.md").read_text("utf-8")
    assert "weigh predict STUDY" in card
    assert "| 50 % |" in card
    assert "<i>" not in card


def names_of(members) -> list[str]:
    return [f"member-{member.run[:12]}" for member in members]


def test_it_answers_the_average_of_its_members(saved, pictures, capsys):
    code, out, _ = weigh(capsys, "predict", saved.folder, pictures, "--ensemble")
    assert code == 0
    folder, new = saved.folder / "ensemble", new_pictures([str(pictures)])
    mean = np.zeros((len(new.path), 2))
    for member in read_average(folder).members:
        model = load_saved(folder / f"member-{member.run[:12]}")
        meaning = model.meaning
        logits = model.outputs(blank_examples(meaning.kind, meaning.classes, meaning.medium, new.path, None))
        powers = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
        mean += member.share * powers / powers.sum(axis=1, keepdims=True)
    out_of_fold = read_ensemble(saved.results()).out_of_fold
    tempered = mean ** (1 / fit_temperature(out_of_fold.answers, out_of_fold.target, present=out_of_fold.present))
    np.testing.assert_allclose(answers(out), tempered / tempered.sum(axis=1, keepdims=True), atol=1e-5)
    _, alone, _ = weigh(capsys, "predict", saved.folder, pictures)
    assert np.abs(answers(alone) - answers(out)).max() > 1e-3


@pytest.mark.thorough
def test_another_process_gives_identical_answers(saved, pictures, capsys):
    _, expected, _ = weigh(capsys, "predict", saved.folder, pictures, "--ensemble")
    command = [sys.executable, "-m", "weigh", "predict", str(saved.folder), str(pictures), "--ensemble", "--quiet"]
    again = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"}, check=True)
    assert again.stdout.splitlines() == expected.splitlines()


def test_the_test_part_is_scored_once_by_the_refitted_members(single, saved, pictures):
    results, shares = saved.results(), read_ensemble(saved.results()).members
    tested = average_on_part(results, shares)
    rows = saved.predict([pictures / results.examples.path[i] for i in tested.indices], ensemble=True)
    assert [row["label"] for row in rows] == [CLASSES[i] for i in tested.prediction(0).labels]
    assert results.test_looks == single.results().test_looks == 1
    looks = Ledger(saved.folder)._rows("SELECT candidate, n FROM looks")
    assert looks.count(("ensemble", len(tested.indices))) == 1
    (finding,) = [finding for finding in saved.read() if finding.kind == "ensemble"]
    score = tested.measured(METRICS.get(results.spec.primary)).score().overall
    assert finding.estimates["test"].value == pytest.approx(score)
    assert "--ensemble" in finding.sentence.en
    assert "已与优胜者一并保存" in finding.sentence.zh


DAMAGES = ["no member", "other weights", "cut config", "exchanged", "other shares", "older format", "older member", "no run"]  # fmt: skip


def damaged(folder: Path, damage: str) -> None:
    first, second = (folder / name for name in names_of(read_average(folder).members))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    if damage == "no member":
        shutil.rmtree(first)
    if damage == "other weights":
        content = bytearray((first / "model.safetensors").read_bytes())
        content[len(content) // 2] ^= 1
        (first / "model.safetensors").unlink()  # it may be linked to that of the winner
        (first / "model.safetensors").write_bytes(content)
    if damage == "cut config":
        (folder / "config.json").write_text((folder / "config.json").read_text("utf-8")[:200], "utf-8")
    if damage == "exchanged":
        shutil.rmtree(first)
        shutil.copytree(second, first)
    if damage == "other shares":
        config["weigh"]["members"][0]["share"] = 0.9
        write_config(folder, config, config["weigh"]["files"])
    if damage == "older format":
        config["weigh"]["format"] = 2
        (folder / "config.json").write_text(json.dumps(config), "utf-8")
    if damage == "older member":
        member = json.loads((first / "config.json").read_text("utf-8"))
        member["weigh"] |= {"format": 2, "version": "0.0.9"}
        (first / "config.json").unlink()
        (first / "config.json").write_text(json.dumps(member), "utf-8")
        write_config(folder, config, config["weigh"]["files"])
    if damage == "no run":
        config["weigh"]["members"][0]["run"] = "../../model"
        write_config(folder, config, config["weigh"]["files"])


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_average_answers_nothing(copy, damage):
    folder = copy / "ensemble"
    damaged(folder, damage)
    with pytest.raises(ModelError) as error:
        load_average(folder)
    assert error.value.do
    assert ("format" in str(error.value)) == ("older" in damage)


def test_running_again_repairs_what_is_damaged_and_nothing_else(saved, copy, pictures, capsys):
    second = copy / "ensemble" / names_of(read_average(copy / "ensemble").members)[1]
    damaged(copy / "ensemble", "no member")
    code, _, err = weigh(capsys, "predict", copy, pictures, "--ensemble")
    assert (code, "Traceback" in err) == (2, False)
    untouched = (second / "model.safetensors").stat().st_mtime_ns
    assert weigh(capsys, "run", copy, "--yes", "--quiet")[0] == 0
    assert (second / "model.safetensors").stat().st_mtime_ns == untouched
    some = sorted((pictures / "stripe").iterdir())[:3]
    assert Study.open(copy).predict(some, ensemble=True) == saved.predict(some, ensemble=True)


def test_where_a_member_cannot_be_refitted_none_is_saved_and_that_is_told(single, tmp_path, caplog):
    folder = shutil.copytree(single.folder, tmp_path / "copy")
    study = Study.open(folder)
    run = SimpleNamespace(key="ab" * 16, candidate="<i>a", test=np.zeros(0, int))
    keeper = Keeper(Ledger(folder), study.results(), None, {"<i>a": (run, 1.0)})
    keeper.keep(run, Outcome(run.key, "failed", cause="memory ran out"))
    assert keeper.lacks(run)
    keeper.close()
    assert "<i>a could not be refitted (memory ran out)" in caplog.text
    assert not (folder / "ensemble").exists()
    assert study.results().averaged == {}


def test_where_the_winner_cannot_be_refitted_that_is_told(single, tmp_path, caplog):
    folder = shutil.copytree(single.folder, tmp_path / "copy")
    study = Study.open(folder)
    run = SimpleNamespace(key="ab" * 16, candidate="<i>a", test=np.zeros(0, int))
    Keeper(Ledger(folder), study.results(), run, {}).keep(run, Outcome(run.key, "failed", cause="memory ran out"))
    assert "The model is not saved: <i>a could not be refitted (memory ran out)" in caplog.text


def keeper_of(folder: Path, members=()) -> Keeper:
    """Of a study in which everything is refitted."""
    refits = [SimpleNamespace(key=one.run, candidate=one.candidate, test=np.zeros(0, int)) for one in members]
    shares = {run.candidate: (run, one.share) for run, one in zip(refits, members, strict=True)}
    return Keeper(Ledger(folder), Study.open(folder).results(), None, shares)


def told_by(act) -> list:
    told: list = []
    with notices_to(told.append):
        act()
    return told


def as_of_fewer_runs(folder: Path) -> None:
    """The average as it was before runs that changed how sure its members are."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["weigh"]["temperature"] *= 1.5
    write_config(folder, config, config["weigh"]["files"])


def test_its_temperature_is_that_of_all_runs_though_the_members_stay(copy):
    before = read_average(copy / "ensemble")
    as_of_fewer_runs(copy / "ensemble")
    assert read_average(copy / "ensemble").temperature == pytest.approx(1.5 * before.temperature)
    assert told_by(keeper_of(copy, before.members).close) == []
    assert read_average(copy / "ensemble") == before


def test_so_is_that_of_the_winner(copy):
    study = Study.open(copy)
    before = json.loads((copy / "model" / "config.json").read_text("utf-8"))
    config = json.loads(json.dumps(before))
    config["weigh"]["temperature"] *= 1.5
    write_config(copy / "model", config, config["weigh"]["files"])
    run = SimpleNamespace(key=study.ledger().fact("saved_model"), candidate=study.results().winner)
    Keeper(study.ledger(), study.results(), run, {}).close()
    assert json.loads((copy / "model" / "config.json").read_text("utf-8")) == before


def test_one_of_former_results_is_kept_and_says_so_wherever_it_is_used(copy, pictures, capsys):
    folder, before = copy / "ensemble", read_average(copy / "ensemble")
    some = sorted((pictures / "stripe").iterdir())[:2]
    assert told_by(keeper_of(copy).close) == [], "none is asked for now, but this is that of the results"
    as_of_fewer_runs(folder)
    (notice,) = told_by(keeper_of(copy).close)
    assert "made before the last runs and is kept" in notice.en
    assert "最近这些运行之前" in notice.zh
    assert read_average(folder).outdated
    code, out, err = weigh(capsys, "predict", copy, some[0], "--ensemble", "--quiet")
    assert (code, "was made before the last runs" in err, len(out.splitlines())) == (0, True, 2)
    assert any(
        "was made before the last runs" in one.en
        for one in told_by(lambda: Study.open(copy).predict(some, ensemble=True))
    )
    (finding,) = [one for one in Study.open(copy).read() if one.kind == "ensemble"]
    assert "has the same members, and was made before the last runs" in finding.sentence.en
    Study.open(copy).write()
    assert "model-index" not in (folder / "README.md").read_text("utf-8")

    assert told_by(keeper_of(copy, before.members).close) == []
    assert read_average(folder) == before
    assert told_by(lambda: Study.open(copy).predict(some, ensemble=True)) == []
    (finding,) = [one for one in Study.open(copy).read() if one.kind == "ensemble"]
    assert "It is saved beside the winner" in finding.sentence.en
    shutil.rmtree(folder)
    keeper_of(copy).close()
    assert Study.open(copy).results().averaged == {}, "what somebody deleted is not offered"


def test_where_a_new_member_cannot_be_refitted_the_former_average_says_that_it_is_one(copy):
    members = read_average(copy / "ensemble").members
    keeper = keeper_of(copy, [members[0]._replace(run="ab" * 16), *members[1:]])
    keeper.refits = {members[0].candidate: "ab" * 16}
    told = told_by(keeper.close)
    assert [("could not be refitted" in one.en, "is kept as it was" in one.en) for one in told] == [
        (True, False),
        (False, True),
    ]
    assert read_average(copy / "ensemble").outdated


def test_texts_are_averaged_and_auto_saves_only_what_is_better(tmp_path, capsys):
    data = write_reviews(tmp_path / "reviews.csv", 80)
    recipes = [{"name": "naive-bayes", "label": f"s{s}", "smoothings": [s]} for s in (0.01, 3.0)]
    study = Study.from_data(
        data, [], recipes, settings=[*QUICK, "design.repeats=1", "output.ensemble=auto"], folder=tmp_path / "s"
    ).run()
    (finding,) = [finding for finding in study.read() if finding.kind == "ensemble"]
    assert (finding.relation == "better") == (study.folder / "ensemble").exists()
    code, _, err = weigh(capsys, "run", study.folder, "--set", "output.ensemble=always", "--yes")
    assert code == 0, err
    new = ["a great film, and lovely music", "awful, dull"]
    average = Study.open(study.folder).predict(new, ensemble=True)
    assert [row["label"] for row in average] == [row["label"] for row in study.predict(new)]


def test_entities_have_no_average_and_that_is_said_before_anything_runs(tmp_path, capsys):
    data = write_entities(tmp_path / "entities.conll")
    options = ["--models", "hf:nobody/nothing", "--recipes", "finetune", "--offline", "--set", "output.ensemble=always"]
    code, _, err = weigh(capsys, "plan", data, *options)
    assert code == 2
    assert "cannot be averaged" in err
    assert "sequence of tags" in err


def test_that_no_average_is_saved_is_told_also_with_quiet(tmp_path, capsys):
    data = write_reviews(tmp_path / "reviews.csv", 80)
    settings = [part for one in [*QUICK, "output.ensemble=always"] for part in ("--set", one)]
    options = ["--recipes", "naive-bayes", "--output", tmp_path / "s", "--yes", "--quiet", *settings]
    code, out, err = weigh(capsys, "run", data, *options)
    assert code == 0, err
    assert "No average is saved: fewer than two candidates" in err
    assert "No average" not in out
    assert not (tmp_path / "s" / "ensemble").exists()
