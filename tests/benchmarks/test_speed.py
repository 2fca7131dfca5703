"""The speed benchmarks: turns, ratios, the protocol of a contender, the page. No test looks at how long anything takes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks import growth, statistics
from benchmarks.speed import finetune, publish, study75
from benchmarks.speed.contenders import CONTENDERS, Named, missing, versions
from benchmarks.speed.draw import Line, Panel, panels
from benchmarks.speed.paired import in_turn, ratios, spread
from benchmarks.speed.records import load, machine, save
from benchmarks.speed.work import Epoch, Work
from benchmarks.speed.worker import ContenderFailed

MACHINE = {"processor": "p", "cores": 2, "load_before": 0.1, "python": "3", "versions": {"torch": "2"}, "commit": "abc"}


def test_a_ratio_is_formed_within_its_round():
    rounds = [{"a": 10.0, "b": 5.0}, {"a": 1.0, "b": 0.4}, {"a": 3.0, "b": 1.0}, {"a": 100.0}]
    found = ratios(rounds, "a", "b")
    assert found == (2.5, 2.0, 3.0, 3)  # medians of each would give 6.5 / 1.0
    assert found.written() == "2.50 (2.00 to 3.00)"
    assert ratios(rounds, "a", "c") is None
    assert spread([4.0]).written(1, " s") == "4.0 s"
    assert spread([]) is None


def test_every_second_round_goes_backwards():
    assert [in_turn("abc", i) for i in range(3)] == [list("abc"), list("cba"), list("abc")]


def test_contenders_are_named_with_what_they_need(monkeypatch):
    assert not missing("weigh")
    assert not missing("textbook")
    assert versions("bare")["torch"]
    monkeypatch.setitem(CONTENDERS, "nobody", Named("nobody", "", needs=("no-such-package",)))
    assert missing("nobody") == ["no-such-package"]


class FakeCalled:
    """A contender that needs no process: `slow` takes twice as long, `ill` ends in its first epoch."""

    asked: list[str] = []  # noqa: RUF012

    def __init__(self, name, work, warm, log):
        if name == "timm":
            raise ContenderFailed("timm: did not start")
        self.name, self.work, self.versions = name, work, {"torch": "2"}

    def epoch(self):
        self.asked.append(self.name)
        if self.name == "fastai":
            raise ContenderFailed("fastai: ended")
        also = {"decode": 1.0} if self.name == "weigh" else {}
        return Epoch(self.work.pictures, 2.0 if self.name == "textbook" else 1.0, also), 1_000_000

    def close(self):
        pass


def test_rounds_of_contenders_become_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(finetune, "Called", FakeCalled)
    monkeypatch.setattr(finetune, "link_pictures", lambda data, most, to: most)
    monkeypatch.setattr(FakeCalled, "asked", [])
    monkeypatch.setitem(CONTENDERS, "timm", replace(CONTENDERS["timm"], needs=()))
    monkeypatch.setitem(CONTENDERS, "fastai", replace(CONTENDERS["fastai"], needs=()))
    monkeypatch.setitem(CONTENDERS, "lightning", replace(CONTENDERS["lightning"], needs=("no-such-package",)))
    names = ["bare", "weigh", "textbook", "timm", "fastai", "lightning"]
    found = finetune.measure("cells", "test_resnet", contenders=names, rounds=2, pictures=20, batch=8, folder=tmp_path)
    assert FakeCalled.asked == ["bare", "weigh", "textbook", "fastai", "textbook", "weigh", "bare"]
    assert "did not start" in found["absent"]["timm"]
    assert "ended" in found["absent"]["fastai"]
    assert "requirements/bench.txt" in found["absent"]["lightning"]
    rows = finetune.speeds(found)
    assert rows[0] == {"bare": 20.0, "weigh": 20.0, "textbook": 10.0, "weigh, decoding too": 10.0}
    assert ratios(rows, "weigh", "textbook").median == 2.0
    page = publish.publish(tmp_path, tmp_path / "docs").read_text("utf-8")
    assert "| textbook | 10.0 (10.0 to 10.0) | 2.00 (2.00 to 2.00) | 1 MB |" in page
    assert "| weigh, decoding too | 10.0 (10.0 to 10.0) | 2.00 (2.00 to 2.00) |" in page
    assert "Not in the table: lightning: not installed: no-such-package" in page
    assert page.count("Not measured yet") == 4


def test_pictures_that_are_not_there_skip_the_part(monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("WEIGH_TEST_DATA", raising=False)
    assert finetune.measure("photos", "test_resnet", contenders=["bare"], rounds=1, folder=tmp_path) is None
    assert "WEIGH_TEST_DATA" in capsys.readouterr().out


def test_the_textbook_trains_on_real_files(photos, tmp_path):
    from benchmarks.speed.contenders import bare, ours, textbook

    weights = str(finetune.write_weights("test_resnet", tmp_path / "tiny.safetensors"))
    work = Work(str(photos), "test_resnet", weights, 2, 48, 20, threads=1, size=32)
    assert textbook.prepare(work)().images == 48
    assert bare.prepare(work)().images == 48
    epoch = ours.prepare(work)()
    assert epoch.images == 48
    assert epoch.also["decode"] > 0


def test_the_study_is_compared_with_its_limits(tmp_path):
    def part(run, more):
        stages = {"features": 1.0, "heads": 2.0}
        whole = {"run": run, "report": 1.0, "wall": run + 4, "inside": run + 2, "stages": stages, "runs": {"main": 75}}
        return {**whole, "failed": 0, "more": {"run": more, "wall": more + 4}}

    row = {
        "default": part(60.0, 3.0),
        "plain": part(50.0, 1.0),
        "limit": {"pass": 40.0, "pass_folded": 38.0, "decode": 10.0},
        "textbook": {"seconds": 100.0, "images": 9},
        "sklearn": {"heads": 20.0, "fits": 15, "planned": 75},
    }
    content = {"part": "study75", "threads": 2, "machine": MACHINE, "rounds": [row]}
    assert study75.quantities(content)[0]["sklearn"] == 100.0
    save("study75", content, tmp_path)
    page = publish.publish(tmp_path, tmp_path / "docs").read_text("utf-8")
    assert "default extras: run / limit (feature passes + one decode) | 1.200 | ≤ 1.2" in page
    assert "default extras: start-up, run and report / one textbook epoch (ResNet-18, fp32) | 0.640 | < 1" in page
    assert "extras off: four more repeats / first run | 0.020 |" in page
    assert "scikit-learn's 75 heads / weigh's 75 heads (extras off) | 50.000 | > 1" in page
    assert "(15 of 75 heads fitted, time scaled)" in page


def test_growth_lists_its_points_and_is_drawn(tmp_path):
    axes = [axis for axis, _ in growth.points([], large=True)]
    assert {axis: axes.count(axis) for axis in axes} == {
        "pictures": 5,
        "folds": 4,
        "repeats": 4,
        "candidates": 4,
        "classes": 4,
    }
    done = {
        "runs": 10,
        "run": 1.0,
        "report": 0.5,
        "failed": 0,
        "imported_bytes": 1,
        "peak_bytes": 3e8,
        "own_bytes": 2e8,
    }
    done |= {"cache_bytes": 1e6, "arrays_bytes": 2e6, "study_bytes": 3e6}
    rows = [{"axis": "classes", "classes": k, **done} for k in (2, 10)]
    rows.append({"axis": "classes", "classes": 1000, "stopped": 300.0})
    save("growth", {"part": "growth", "base": growth.BASE, "machine": MACHINE, "threads": 2, "rows": rows}, tmp_path)
    save(
        "statistics",
        {"part": "statistics", "machine": MACHINE, "rows": [{"name": "x", "seconds": [3, 1, 2]}]},
        tmp_path,
    )
    page = publish.publish(tmp_path, tmp_path / "docs").read_text("utf-8")
    assert "| 1,000 |  | more than 300 |" in page
    assert "| x | 2.00 | 1.00 to 3.00 |" in page
    assert (tmp_path / "docs" / "benchmarks" / "growth.svg").read_text().startswith("<svg")
    drawn = panels("t", [Panel("p", [Line("a", [(1, 0.5), (10, 5)])]), Panel("q", [Line("a", [(2, 700.0)])])], "")
    assert drawn.count("<polyline") == 2


def test_records_hold_no_paths(tmp_path, monkeypatch):
    save("finetune-a", {"machine": machine()}, tmp_path)
    assert list(load("finetune-*", tmp_path)) == ["finetune-a"]
    assert not any("/" in str(value) for value in machine().values() if isinstance(value, str))


@pytest.mark.slow
@pytest.mark.thorough
def test_predictions_are_written_and_read_end_to_end(monkeypatch):
    monkeypatch.delenv("WEIGH_TEST_DATA", raising=False)
    timings = list(statistics.measure_readings(models=3, examples=60, repeats=1))
    assert [len(timing.seconds) for timing in timings] == [1, 1]
    json.dumps([timing._asdict() for timing in timings])


@pytest.mark.slow
@pytest.mark.thorough
def test_a_tiny_growth_point(tmp_path):
    growth.write_pictures(tmp_path / "pictures", 40, 2)
    given = {"folds": 2, "repeats": 1, "threads": 1, "data": str(tmp_path / "pictures"), "folder": str(tmp_path / "s")}
    given |= {"models": growth.write_models(tmp_path, 1), "cache": str(tmp_path / "cache")}
    row = study75.call("study", given, module="benchmarks.growth")
    assert row["failed"] == 0
    assert row["cache_bytes"] > 0
    assert row["peak_bytes"] > 0
