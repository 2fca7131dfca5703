"""A study through the front door: the runs that findings need are planned, recorded, resumed, extended and read."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.conftest import make_photos
from weigh.cli.main import main
from weigh.errors import SpecError
from weigh.study import Study

FAST = ["design.folds=3", "design.repeats=2", "run.offline=true"]
HEADS = ["probe", {"name": "probe", "label": "weak", "strengths": [1e4]}]


@pytest.fixture(scope="module")
def flawed(tmp_path_factory):
    """120 photos, a few of them under the wrong class, and three copies."""
    folder = make_photos(tmp_path_factory.mktemp("flawed") / "photos", per_class=60, size=32)
    circles, stripes = sorted((folder / "circle").iterdir()), sorted((folder / "stripe").iterdir())
    for path in circles[:4]:
        path.rename(folder / "stripe" / f"wrong_{path.name}")
    for path in stripes[:3]:
        shutil.copy(path, folder / "stripe" / f"copy_{path.name}")
    return folder


@pytest.fixture(scope="module")
def study(flawed, tiny, tmp_path_factory):
    return Study.from_data(flawed, [tiny], HEADS, settings=FAST, folder=tmp_path_factory.mktemp("studies") / "s").run()


def purposes(study):
    found = {}
    for record in study.results().records:
        assert record.status == "done", record.cause
        found.setdefault(record.purpose, []).append(record)
    return found


def test_curve_and_cleaned_runs_are_recorded_and_read(study):
    found = purposes(study)
    assert len(found["main"]) == 2 * 3 * 2
    assert len(found["curve"]) == 2 * 3 * 2 * 2
    assert len(found["cleaned"]) == 2 * 3 * 2
    findings = {finding.id: finding for finding in study.read()}
    assert {"curve", "cleaned", "variation"} <= set(findings)
    assert not [finding for finding in findings.values() if finding.kind == "internal"]
    copies = [path for path in findings["cleaned"].examples if "copy_" in path or "stripe" in path]
    assert findings["cleaned"].estimates["copies"].value == 3
    assert len(copies) >= 3
    assert not study.results().unfinished
    for name in ("report.html", "report.zh.html"):
        assert "<figure" in (study.folder / name).read_text(encoding="utf-8")


def test_running_again_runs_nothing_and_extending_keeps_what_is_there(study, tmp_path):
    folder = tmp_path / "again"
    shutil.copytree(study.folder, folder)
    before = {r.key: r.measured for r in study.results().records}
    again = Study(study.spec, folder).run()
    assert {r.key: r.measured for r in again.results().records} == before
    assert (folder / "findings.json").read_bytes() == (study.folder / "findings.json").read_bytes()
    design = study.spec.design.model_copy(update={"repeats": 3})
    longer = Study(study.spec.model_copy(update={"design": design}), folder).run()
    after = {r.key: r.measured for r in longer.results().records}
    kept = {r.key for r in study.results().records if r.purpose in ("main", "curve")}
    assert kept <= set(after)
    assert all(after[key] == before[key] for key in kept)
    assert not [finding for finding in longer.read() if finding.kind == "internal"]


def test_switched_off_they_are_not_run(flawed, tiny, tmp_path):
    bare = Study.from_data(
        flawed, [tiny], HEADS, settings=[*FAST, "design.curve=false", "design.cleaned=false"], folder=tmp_path / "bare"
    ).run()
    assert set(purposes(bare)) <= {"main", "order-check", "refit"}
    stored = json.loads((bare.folder / "findings.json").read_text(encoding="utf-8"))
    assert {"curve", "cleaned"} <= set(stored["study"]["skipped"])


def test_crossed_seeds_of_a_network(photos, tiny, tmp_path):
    settings = [
        "design.folds=2", "design.repeats=1", "design.crossed=2", "design.order_check=false", "recipes.finetune.epochs=1",
        "recipes.finetune.image_size=32", "output.refit=false", "run.offline=true",
    ]  # fmt: skip
    done = Study.from_data(photos, [tiny], ["finetune"], settings=settings, folder=tmp_path / "crossed").run()
    found = purposes(done)
    assert {r.variant for r in found["components"]} == {"init:1", "order:1", "augmentation:1"}
    assert len(found["components"]) == 2 * 3
    main_runs = {(r.repeat, r.fold): r for r in found["main"]}
    for record in found["components"]:
        source = record.variant.partition(":")[0]
        base = main_runs[record.repeat, record.fold].seeds
        assert {s for s in base if base[s] != record.seeds[s]} == {source}
    assert not [finding for finding in done.read() if finding.kind == "internal"]


def test_the_plan_says_what_runs_besides(flawed, tiny, tmp_path, capsys):
    arguments = [
        "plan",
        str(flawed),
        "--models",
        tiny,
        "--set",
        "design.folds=3",
        "--output",
        str(tmp_path),
        "--offline",
    ]
    assert main([*arguments, "--lang", "en"]) == 0
    assert "for the learning curve" in capsys.readouterr().out
    assert main([*arguments, "--lang", "zh"]) == 0
    assert "次用于学习曲线" in capsys.readouterr().out
    assert main([*arguments, "--set", "design.crossed=1"]) == 2
    assert "crossed" in capsys.readouterr().err


def test_two_recipes_that_would_train_alike_are_refused(photos, tiny, tmp_path):
    """On pictures `lp-ft` is `finetune` until an option says otherwise."""

    def plan(*recipes):
        return Study.from_data(photos, [tiny], recipes, settings=FAST, folder=tmp_path / "s").plan()

    with pytest.raises(SpecError, match="finetune and lp-ft are the same training") as refused:
        plan("finetune", "lp-ft")
    assert "Leave lp-ft out" in refused.value.render("en")
    assert "请去掉 lp-ft" in refused.value.render("zh")
    others = plan("finetune", {"name": "lp-ft", "steps": 50}, "last-stage").plan
    assert {candidate.recipe for candidate in others.candidates} == {"finetune", "lp-ft", "last-stage"}
