"""The ledger: what is committed stays, what is half done is not there, nothing is decided twice."""

from __future__ import annotations

import multiprocessing
import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from tests.arrays import kind_of, labelled
from weigh.errors import RecordError, StudyLocked
from weigh.kinds.base import rows_of
from weigh.kinds.label import TOP
from weigh.kinds.tags import pack_tags
from weigh.language import text
from weigh.problem import Problem
from weigh.record import arrays
from weigh.record.ledger import Ledger
from weigh.record.lock import lock_study
from weigh.record.problems import problems_from_json, problems_to_json
from weigh.record.reading import read_spec
from weigh.run import Outcome, Run


def make_run(key: str = "a", **changes) -> Run:
    fields = {
        "key": key,
        "candidate": "m × probe",
        "model": "m",
        "recipe": "probe",
        "options": {},
        "purpose": "main",
        "variant": "",
        "repeat": 0,
        "fold": 0,
        "train": np.arange(5),
        "test": np.arange(5, 8),
        "seeds": {"init": 1},
    }
    return Run(**{**fields, **changes})


def outcome(key: str = "a", **changes) -> Outcome:
    return Outcome(
        **{
            "key": key,
            "status": "done",
            "answers": np.eye(3, 2, dtype=np.float32),
            "facts": {"strength": 0.1},
            **changes,
        }
    )


def test_records_come_back_in_the_order_of_the_plan(tmp_path):
    ledger = Ledger(tmp_path, create=True)
    ledger.set_planned([make_run("b"), make_run("a")])
    ledger.commit(
        [make_run("a"), make_run("b", fold=1)],
        [outcome("a"), outcome("b", status="failed", cause="no", answers=None)],
        labelled(np.zeros(9, int)),
    )
    first, second = ledger.records()
    assert (first.key, first.status, first.cause, first.fold) == ("b", "failed", "no", 1)
    assert (second.facts, second.n_train, second.seeds) == ({"strength": 0.1}, 5, {"init": 1})
    indices, logits = ledger.predictions("a")
    assert indices.tolist() == [5, 6, 7]
    assert logits.tolist() == np.eye(3, 2).tolist()


def test_records_of_another_design_are_kept_but_not_read(tmp_path):
    ledger = Ledger(tmp_path, create=True)
    ledger.commit([make_run("a")], [outcome("a")], labelled(np.zeros(9, int)))
    ledger.set_planned([])
    assert ledger.records() == ()
    ledger.set_planned([make_run("a")])
    assert len(ledger.records()) == 1


def test_a_job_is_committed_as_a_whole(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path, create=True)
    ledger.set_planned([make_run("a"), make_run("b")])
    written = []

    def fail_at_second(path, *rest):
        written.append(path)
        if len(written) == 2:
            raise OSError("disk full")

    monkeypatch.setattr("weigh.record.ledger.write_predictions", fail_at_second)
    with pytest.raises(OSError, match="disk full"):
        ledger.commit([make_run("a"), make_run("b")], [outcome("a"), outcome("b")], labelled(np.zeros(9, int)))
    assert ledger.records() == ()


def test_what_is_not_recorded_yet_is_counted_per_candidate(tmp_path):
    ledger = Ledger(tmp_path, create=True)
    ledger.set_planned([make_run("a"), make_run("b", candidate="other"), make_run("c", candidate="other")])
    assert ledger.unfinished() == {"m × probe": 1, "other": 2}
    ledger.commit([make_run("a")], [outcome("a")], labelled(np.zeros(9, int)))
    assert ledger.unfinished() == {"other": 2}


def test_choices_are_made_once(tmp_path):
    assert Ledger(tmp_path, create=True).choose("threads", 2) == 2
    assert Ledger(tmp_path).choose("threads", 64) == 2


def test_a_run_that_fails_when_it_is_repeated_for_its_weights_keeps_its_answers(tmp_path):
    """Where the folder model/ was deleted and memory ran out at the refit, its score on the test part was lost too."""
    ledger, examples = Ledger(tmp_path, create=True), labelled(np.zeros(9, int))
    run = make_run("a", purpose="refit", repeat=-1, fold=-1)
    ledger.set_planned([run])
    ledger.commit([run], [outcome("a")], examples)
    ledger.commit([run], [outcome("a", status="failed", cause="out of memory", answers=None)], examples)
    assert [record.status for record in ledger.records()] == ["done"]
    assert ledger.predictions("a")[0].tolist() == [5, 6, 7]


def test_two_processes_that_choose_at_once_go_on_with_the_same(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path, create=True)
    asked = ledger.fact

    def and_another_chooses(key, default=None):
        stored = asked(key, default)
        Ledger(tmp_path).choose("threads", 2)
        return stored

    monkeypatch.setattr(ledger, "fact", and_another_chooses)
    assert ledger.choose("threads", 64) == 2
    assert Ledger(tmp_path).choose("threads", 8) == 2


def test_looks_at_the_test_part_are_counted_per_candidate(tmp_path):
    ledger = Ledger(tmp_path, create=True)
    refits = [
        make_run(key, candidate=candidate, purpose="refit", repeat=-1, fold=-1)
        for key, candidate in (("a", "A"), ("b", "A"), ("c", "B"))
    ]
    ledger.commit(refits, [outcome(run.key) for run in refits], labelled(np.zeros(9, int)))
    ledger.commit(refits[:1], [outcome("a")], labelled(np.zeros(9, int)))  # the same look again, after a kill
    assert ledger.test_looks() == 2


def test_no_study_another_format_and_a_damaged_file_are_said(tmp_path):
    with pytest.raises(RecordError, match="holds no study"):
        Ledger(tmp_path)
    ledger = Ledger(tmp_path, create=True)
    ledger.set_facts(format=99, version="9.9")
    with pytest.raises(RecordError, match=r"format 99[\s\S]*9\.9"):
        Ledger(tmp_path)
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database at all, but long enough to be one" * 40)
    with pytest.raises(RecordError, match="cannot be read"):
        Ledger(tmp_path)


def test_missing_arrays_are_said(tmp_path):
    with pytest.raises(RecordError, match="predictions of run nothing"):
        Ledger(tmp_path, create=True).predictions("nothing")


def _hold(folder, held, release):
    with lock_study(folder):
        held.set()
        release.wait(20)


def test_a_second_writer_is_told_so_and_readers_are_not_disturbed(tmp_path):
    Ledger(tmp_path, create=True)
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(tmp_path, held, release))
    process.start()
    try:
        assert held.wait(30)
        with pytest.raises(StudyLocked, match="Another process"), lock_study(tmp_path):
            pass
        assert Ledger(tmp_path).records() == ()
    finally:
        release.set()
        process.join()
    with lock_study(tmp_path):
        pass


def test_a_transaction_that_was_cut_leaves_nothing(tmp_path):
    ledger = Ledger(tmp_path, create=True)
    db = sqlite3.connect(ledger.path)
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO planned (position, key, candidate) VALUES (0, 'half', 'm')")
    db.close()  # as a kill does: no commit
    assert sqlite3.connect(ledger.path).execute("SELECT count(*) FROM planned").fetchone() == (0,)


def test_problems_survive_the_ledger():
    problem = Problem(
        "leak",
        text("{n} copies", "{n} 个副本", n=2),
        ("a", "b"),
        (("a", "b"),),
        "warning",
        text("why", "为何"),
        None,
        {"n": 2.0},
        ({"x": 1},),
    )
    assert problems_from_json(problems_to_json([problem])) == (problem,)


@given(st.integers(1, 30), st.integers(2, 60), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_predictions_survive_the_disk(tmp_path_factory, n, classes, seed):
    """Dense: to half precision. Cut: the top and the true class exactly so, log loss to half precision, mass preserved."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, (n, classes)).astype(np.float32)
    target, indices = rng.integers(0, classes, n), rng.permutation(1000)[:n]
    path = tmp_path_factory.mktemp("arrays") / "run.npz"
    digest = arrays.write_predictions(path, "run", kind_of(target), indices, logits, target)
    back_indices, back = arrays.read_predictions(path, digest)
    assert (back_indices == indices).all()
    np.testing.assert_allclose(back, logits, rtol=1e-3, atol=1e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weigh.kinds.label.DENSE_BYTES", 0)
        digest = arrays.write_predictions(path, "run", kind_of(target), indices, logits, target)
    _, cut = arrays.read_predictions(path, digest)
    rows = np.arange(n)
    assert (cut.argmax(axis=1) == back.argmax(axis=1)).all() or classes > TOP + 1
    np.testing.assert_allclose(
        log_softmax(cut, axis=1)[rows, target], log_softmax(logits, axis=1)[rows, target], atol=2e-2
    )


def test_huge_and_missing_logits(tmp_path):
    path = tmp_path / "run.npz"
    digest = arrays.write_predictions(
        path,
        "run",
        kind_of(np.zeros(2, int)),
        np.arange(2),
        np.array([[1e9, -1e9], [np.nan, 0]], np.float32),
        np.zeros(2, int),
    )
    _, back = arrays.read_predictions(path, digest)
    assert np.isfinite(back[0]).all()
    assert np.isnan(back[1, 0])


def test_numbers_and_tags_survive_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("weigh.kinds.label.DENSE_BYTES", 10)  # far beyond what is kept whole of classes
    path, which = tmp_path / "one.npz", np.arange(2)
    numbers = np.array([[123_456.78], [1 / 3]], np.float32)
    digest = arrays.write_predictions(path, "run", kind_of(np.array([1.5, 2.5])), which, numbers, np.array([1.5, 2.5]))
    np.testing.assert_array_equal(arrays.read_predictions(path, digest)[1], numbers)
    tags = pack_tags([np.arange(40), np.array([2001])], [np.linspace(-9, 0, 40), np.array([-0.5])], 40)
    digest = arrays.write_predictions(
        path, "run", kind_of(rows_of([(), ((0, 1, 1000),)])), which, tags, rows_of([(), ((0, 1, 1000),)])
    )
    found = arrays.read_predictions(path, digest)[1]
    np.testing.assert_array_equal(found[:, :40], tags[:, :40])
    np.testing.assert_allclose(found[:, 40:], tags[:, 40:], rtol=1e-3)


def test_a_run_belongs_to_the_candidate_that_it_is_planned_for(tmp_path):
    """A recipe got a label after it had run: its runs were there, and those of the new name were counted as recorded and never read."""
    ledger, model = Ledger(tmp_path, create=True), {"parameters": 7}
    ledger.commit([make_run("a")], [outcome("a", model=model)], labelled(np.zeros(9, int)))
    now = [make_run("a", candidate="m × plain"), make_run("a", candidate="m × again")]
    ledger.set_planned(now)
    assert ledger.unfinished() == {}
    for records in (ledger.records(), ledger.records(now)):
        assert [(record.key, record.candidate) for record in records] == [("a", "m × plain"), ("a", "m × again")]
    assert ledger.models() == dict.fromkeys(["m × probe", "m × plain", "m × again"], model)


def test_a_ledger_without_its_first_transaction_is_a_study_that_never_started(tmp_path):
    """Killed as it began: the reader was sent to look for a copy, or to another folder, and the same command would have done."""
    (tmp_path / "ledger.sqlite").touch()
    with pytest.raises(RecordError, match=r"was never started[\s\S]*Run the command that began it again"):
        Ledger(tmp_path)
    assert Ledger(tmp_path, create=True).recorded() == {}


def test_a_folder_that_is_moved_while_it_is_written_is_said(tmp_path):
    """It was said to lack permissions, and a new folder stood in its place."""
    ledger = Ledger(tmp_path / "s", create=True)
    (tmp_path / "s").rename(tmp_path / "moved")
    for act in (
        lambda: ledger.commit([make_run("a")], [outcome("a")], labelled(np.zeros(9, int))),
        lambda: ledger.set_facts(name="s"),
        ledger.records,
    ):
        with pytest.raises(RecordError, match="moved, renamed or deleted"):
            act()
    assert not (tmp_path / "s").exists()
    assert Ledger(tmp_path / "moved").recorded() == {}


def test_a_study_that_another_process_prepares_is_not_said_to_have_stopped(tmp_path):
    with lock_study(tmp_path):
        Ledger(tmp_path, create=True)
        with pytest.raises(RecordError, match=r"another process is preparing it[\s\S]*Wait until it trains"):
            read_spec(Ledger(tmp_path))
    with pytest.raises(RecordError, match="never started"):
        read_spec(Ledger(tmp_path))
