"""A job is settled where it runs: the cache of that machine, a device that is there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weigh.errors import SpecError
from weigh.execute.listener import Silent
from weigh.execute.planner import plan_study
from weigh.execute.worker import run_job, settle
from weigh.spec_yaml import load_spec


@pytest.fixture(scope="module")
def planned(photos, tiny, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEIGH_CACHE", str(tmp_path_factory.mktemp("driver")))
        design = {"folds": 2, "repeats": 1, "curve": False}
        content = {"data": str(photos), "models": [tiny], "recipes": ["probe", "finetune"], "design": design}
        return plan_study(load_spec({**content, "run": {"offline": True, "threads": 1}}), None, Silent())


def test_the_plan_names_what_it_leaves_out(planned):
    """A reason alone ("the folds respect groups already") does not say of what."""
    assert any(line.en.startswith("Not planned: the learning curve. design.curve is off") for line in planned.lines())


def test_arrays_are_kept_where_the_job_runs(planned, tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path / "node"))
    job = replace(planned.jobs[0], runs=planned.jobs[0].runs[:1])
    before = set(job.setting.cache.rglob("*.npy"))
    (outcome,) = run_job(job, planned.prepared.examples)
    assert outcome.status == "done"
    assert list((tmp_path / "node").rglob("*.npy"))
    assert set(job.setting.cache.rglob("*.npy")) == before
    without = replace(job, setting=replace(job.setting, cache=None))
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path / "other"))
    (again,) = run_job(without, planned.prepared.examples)
    assert (again.answers == outcome.answers).all()
    assert not list((tmp_path / "other").rglob("*.npy"))


def test_a_device_that_is_not_here_is_no_failed_run(planned):
    job = replace(planned.jobs[0], setting=replace(planned.setting, device="cuda:7"))
    with pytest.raises(SpecError, match="cuda:7: not on this machine"):
        settle(job)
    with pytest.raises(SpecError):
        run_job(job, planned.prepared.examples)
