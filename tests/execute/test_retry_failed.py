"""`--retry-failed`: what failed is dropped when the study starts, and not before somebody agrees to that."""

from __future__ import annotations

from tests.plan.planted_workers import planted, planted_study, records_only
from weigh.execute.driver import run_study
from weigh.execute.listener import Silent


class Asked(Silent):
    """A listener that agrees or not, and remembers how many runs were to be made."""

    def __init__(self, *, agrees: bool) -> None:
        self.agrees, self.runs = agrees, 0

    def planned(self, forecast) -> bool:
        self.runs = sum(len(job.runs) for job in forecast.jobs)
        return self.agrees


def test_what_failed_stays_recorded_until_it_runs_again(photos, tmp_path, monkeypatch):
    """Who declined at the question had lost the records of what had failed, and was told that they could be read."""
    models, settings = ["timm:good", "timm:poor"], ["design.repeats=1", "design.order_check=false"]
    study = planted_study(
        photos, tmp_path / "s", monkeypatch, models, ["probe"], {"timm:good × probe": 0.9}, settings=settings,
        fail="timm:poor × probe",
    )  # fmt: skip
    study = records_only(study)

    def failed() -> list[str]:
        return [record.key for record in study.results().records if record.status == "failed"]

    before = failed()
    assert before
    declined = Asked(agrees=False)
    assert not run_study(study.spec, study.folder, declined, retry_failed=True)
    assert declined.runs >= len(before)
    assert failed() == before
    monkeypatch.setattr("weigh.execute.local.run_job", planted({"timm:good × probe": 0.9}))
    assert run_study(study.spec, study.folder, Asked(agrees=True), retry_failed=True)
    assert failed() == []
