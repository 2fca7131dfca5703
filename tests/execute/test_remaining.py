"""The time that is left: moves with the clock, learns from what was seen, never goes below nothing; and who is shown it."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weigh.execute.listener import Silent
from weigh.execute.remaining import Remaining
from weigh.plan.jobs import WORDS, _words_seconds, group_jobs, shared_seconds
from weigh.run import ASKED_WORDS
from weigh.study import Study

seconds = st.floats(0.01, 1e5)


def test_two_long_jobs_move_with_the_clock_from_the_first_second():
    remaining = Remaining(3600.0, began=100.0)
    shares = [remaining.share(100.0 + s) for s in (0, 36, 360, 1800)]
    assert shares[0] == 0
    assert shares[1] == pytest.approx(0.01)
    assert shares[2] == pytest.approx(0.1)
    assert remaining.left(100.0 + 1800) == pytest.approx(1800)
    remaining.job_done(1800.0, 100.0 + 1800)
    assert remaining.left(100.0 + 1800) == pytest.approx(1800)


@pytest.mark.parametrize("times", [0.25, 1.0, 4.0])
def test_what_is_left_follows_the_pace_that_was_seen(times):
    remaining = Remaining(1000.0, began=0.0)
    for k in range(1, 9):
        remaining.job_done(100.0, 100.0 * times * k)
    assert remaining.left(800.0 * times) == pytest.approx(200 * times, rel=0.5)
    assert abs(remaining.left(800.0 * times) - 200 * times) <= abs(200 - 200 * times)  # nearer than the prediction


def test_another_plan_counts_from_now_on():
    remaining = Remaining(1000.0, began=0.0)
    remaining.job_done(100.0, 100.0)
    remaining.ahead(50.0)  # what took the rest is not run
    assert remaining.left(100.0) == pytest.approx(50)
    before = remaining.share(100.0)
    remaining.ahead(5000.0)  # and is run after all
    assert remaining.left(100.0) == pytest.approx(5000, rel=0.2)
    assert remaining.share(100.0) == before, "a bar does not go back"


def test_inside_a_job_its_own_share_counts():
    remaining = Remaining(100.0, began=0.0)
    remaining.inside = 0.25
    assert remaining.left(50.0) == pytest.approx(150)  # a quarter took 50 s, whatever was predicted
    remaining.inside = None
    assert 0 < remaining.left(1000.0) < 1000  # over the prediction by far: something is said all the same


@given(seconds, st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4), st.none() | st.floats(0, 1)), max_size=12))
def test_a_bar_never_goes_back_and_nothing_is_below_nothing(predicted, steps):
    remaining, now, before = Remaining(predicted, began=5.0), 5.0, 0.0
    for passed, job, inside in steps:
        now += passed
        remaining.inside = inside
        assert remaining.left(now) >= 0
        share = remaining.share(now)
        assert before <= share <= 1
        before = share
        remaining.job_done(job, now)


def told(finished, tmp_path, monkeypatch, *, watched: bool, progress: bool | None) -> str:
    import rich.console

    import weigh.screen

    shown = io.StringIO()

    def console(*_, **options):
        return rich.console.Console(file=shown, force_terminal=watched, width=100, highlight=False)

    monkeypatch.setattr(weigh.screen, "Console", console)
    settings = ["design.folds=4", "design.repeats=1", "run.offline=true", "output.refit=false", "run.threads=1"]
    settings += ["design.curve=false", "design.order_check=false", "design.cleaned=false"]
    spec = finished.spec
    Study.from_data(spec.data.train, spec.models, settings=settings, folder=tmp_path / "s").run(progress=progress)
    return shown.getvalue()


@pytest.mark.parametrize(
    ("watched", "progress", "shows"),
    [(True, None, True), (False, None, False), (True, False, False), (False, True, True)],
)
def test_a_study_run_from_python_shows_itself_where_somebody_looks(
    finished, tmp_path, monkeypatch, watched, progress, shows
):
    shown = told(finished, tmp_path, monkeypatch, watched=watched, progress=progress)
    assert ("Reading the data" in shown) == shows
    assert ("left" in shown and " %" in shown) == (shows and watched)


def test_the_words_of_explanations_have_a_name_of_their_own_and_a_switch(tiny_encoder, tmp_path):
    from tests.text_models import write_reviews

    class Listening(Silent):
        def __init__(self):
            self.told = []

        def progress(self, what, done, total):
            self.told.append((what, done, total))

    table = write_reviews(tmp_path / "reviews.csv", 60)
    seen, settings = (
        {},
        ["design.folds=3", "design.repeats=1", "run.offline=true", "output.refit=false", "design.curve=false"],
    )
    for words in (True, False):
        listener = seen[words] = Listening()
        study = Study.from_data(
            table, [tiny_encoder], settings=[*settings, f"output.words={words}"], folder=tmp_path / str(words)
        )
        study.run(listener)
        assert any(run.words for run in study.results().runs("main")) == words
    heads = [done for what, done, _ in seen[True].told if what == "heads"]
    asked = [done for what, done, total in seen[True].told if what == "words" and total == 3]
    assert heads == sorted(heads)
    assert asked == [0, 1, 2, 3]
    assert not [what for what, *_ in seen[False].told if what == "words"]


@pytest.mark.parametrize(
    ("task", "words", "counted"),
    [("text-classification", True, 2), ("text-classification", False, 0), ("image-classification", True, 0)],
)
def test_the_forecast_counts_the_words_of_the_first_repeat(task, words, counted):
    """On stated timings: those of a busy machine differ more than the words take."""
    runs = tuple(
        SimpleNamespace(purpose=purpose, repeat=repeat)
        for purpose, repeat in [("main", 0), ("main", 0), ("main", 1), ("curve", 0)]
    )
    setting = SimpleNamespace(task=task, words=words)
    assert _words_seconds(runs, setting, {"seconds_per_example": 0.5}) == counted * ASKED_WORDS.texts * WORDS * 0.5


def test_more_workers_than_jobs_make_nothing_faster():
    job = SimpleNamespace(predicted_seconds=60.0)
    assert shared_seconds([job], 4) == 60.0
    assert shared_seconds([job] * 8, 4) == 120.0
    assert shared_seconds([], 4) == 0.0


@pytest.mark.parametrize("texts", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_a_study_that_goes_on_predicts_only_what_is_left(photos, tiny, tiny_encoder, tmp_path, texts):
    """Stopped while heads are fitted: the features are kept, so the same job takes less."""
    from tests.text_models import write_reviews

    class Stopped(Silent):
        def progress(self, what, done, total):
            if what == "heads":
                raise KeyboardInterrupt

    data = write_reviews(tmp_path / "reviews.csv", 60) if texts else photos
    settings = ["design.folds=3", "design.repeats=2", "run.offline=true", "run.threads=1", "design.seed=77"]
    study = Study.from_data(data, [tiny_encoder if texts else tiny], settings=settings, folder=tmp_path / "s")
    with pytest.raises(KeyboardInterrupt):
        study.run(Stopped())
    again = study.plan()
    timing = next(iter(again.timings.values()))
    passing = timing["load_seconds"] + len(again.prepared.examples) * timing["seconds_per_example"]
    n = len(again.prepared.examples)
    (job,), (whole,) = again.jobs, group_jobs(again.plan.runs, again.setting, again.timings, n)
    assert passing > 0
    assert job.predicted_seconds == pytest.approx(whole.predicted_seconds - passing)
    other = Study(study.spec, tmp_path / "other").plan()  # not begun: nothing is looked for in the cache
    assert other.jobs[0].predicted_seconds > n * next(iter(other.timings.values()))["seconds_per_example"]
    assert study.run().plan().seconds == 0


def test_a_phase_that_is_slower_than_predicted_is_told_by_its_own_pace():
    remaining = Remaining(predicted=14.0, began=0.0)
    remaining.job_at("features", 300, 300, now=5.0)
    for done in range(11):
        remaining.job_at("heads", done, 50, now=10.0 + 1.2 * done)
    assert remaining.left(22.0) == pytest.approx(48.0)
    assert remaining.left(32.0) == pytest.approx(38.0), "it goes down with the clock"
    remaining.job_done(14.0, now=70.0)
    assert remaining.left(70.0) == 0.0
