"""The result for the minute: what is late does not count, verdicts are those of `weigh read`, the page says what was not run. Nothing is timed."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from benchmarks.result import judge, kept, publish, run, sets, work
from benchmarks.result.contenders import CONTENDERS, absent
from benchmarks.result.judge import answers_of, judge_pair, ranks, score
from benchmarks.result.work import Work, batches

TRUTH = {f"{i}": "ab"[i % 2] for i in range(200)}


def answering(share: float, seed: int) -> dict[str, str]:
    """Right with this probability."""
    rng = np.random.default_rng(seed)
    return {k: label if rng.random() < share else "ba"["ab".index(label)] for k, label in TRUTH.items()}


def test_verdicts_are_seen_from_ours_whoever_leads():
    good, bad = answering(0.95, 1), answering(0.6, 2)
    ahead, behind = judge_pair(good, bad, TRUTH), judge_pair(bad, good, TRUTH)
    right = {name: sum(one[k] == TRUTH[k] for k in TRUTH) for name, one in (("good", good), ("bad", bad))}
    assert ahead.relation == "better"
    assert behind.relation == "worse"
    assert ahead.points == pytest.approx(100 * (right["good"] - right["bad"]) / 200)
    assert behind[1:] == pytest.approx((-ahead.points, -ahead.high, -ahead.low))
    assert ahead.low > 0
    close = judge_pair(
        *({**TRUTH, **{f"{i}": "ba"[i % 2] for i in wrong}} for wrong in (range(20), range(20, 42))), TRUTH
    )
    assert (close.relation, close.points) == ("undecided", pytest.approx(1.0))
    assert close.low < 0 < close.high
    assert judge_pair(good, good, TRUTH).relation == "equal"
    constant = dict.fromkeys(TRUTH, "a")
    nothing = judge_pair(constant, {**constant, "0": "b"}, TRUTH)
    assert (nothing.relation, nothing.written()) == ("unlearnt", "unlearnt +0.5")


def test_a_score_is_the_share_that_is_right():
    answers = answering(0.8, 5)
    found = score(answers, TRUTH)
    assert found.value == sum(answers[k] == TRUTH[k] for k in TRUTH) / 200
    assert 0.7 < found.low < found.value < found.high < 0.9


def test_who_is_late_answers_the_most_frequent_class():
    predicted = dict(TRUTH)
    record = {"budget": 60.0, "seconds": 74.9, "predictions": predicted}
    assert answers_of(record, TRUTH, "b") == TRUTH
    assert set(answers_of({**record, "seconds": 75.1}, TRUTH, "b").values()) == {"b"}
    assert answers_of({**record, "seconds": 75.1}, TRUTH, "b", forgiving=True) == TRUTH
    assert set(answers_of({**record, "seconds": None, "predictions": None}, TRUTH, "b").values()) == {"b"}
    del predicted["0"], predicted["1"]
    assert [answers_of(record, TRUTH, "b")[k] for k in "012"] == ["b", "b", "a"]


def test_equals_share_their_places():
    assert ranks({"x": 0.9, "y": 0.8, "z": 0.9, "w": 0.1}) == {"x": 1.5, "y": 3.0, "z": 1.5, "w": 4.0}


def test_texts_are_drawn_once_each_and_never_under_two_labels():
    rows = [(f"text {i % 40}", "ab"[i % 2]) for i in range(80)] + [("text 3", "a")]  # text 3 has both labels
    training, test = sets._split(rows, 30, 9)
    texts = [text for text, _ in training + test]
    assert len(set(texts)) == len(texts) == 39
    assert "text 3" not in texts
    assert sets._split(rows, 30, 9) == (training, test)


def test_new_examples_were_in_no_part_before():
    rows = [(f"text {i}", "ab"[i % 2]) for i in range(200)]
    former = sets._split(rows, 30, 20)
    training, test = sets._with_new_texts(rows, former)
    assert training == former[0]
    assert len(test) == 150
    assert not set(test) & set(former[0] + former[1])
    without_experiment = sets._with_new_texts(rows, former, 40)[1]
    assert len(without_experiment) == 110
    assert set(without_experiment) < set(test)


def write_place(folder, monkeypatch):
    """A data set of texts as `sets.py` writes it."""
    rows = [(f"number {k}", label) for k, label in TRUTH.items()]
    parts = sets.Parts("texts", sets.ENGLISH, lambda: (rows[:50], rows[50:]), "made here")
    monkeypatch.setattr(sets, "ALL_SETS", {"made": parts})
    return sets.write_set("made", folder)


def test_contenders_are_not_shown_the_labels_of_the_test_part(tmp_path, monkeypatch):
    place = write_place(tmp_path, monkeypatch)
    assert (place / "shown" / "test.csv").read_text().splitlines()[:2] == ["text", "number 50"]
    one = Work(str(place / "shown"), "texts", sets.ENGLISH, "", ("a", "b"), 1.0, time.time() + 1.0, str(tmp_path))
    items, labels = work.read_training(Work.from_json(one.to_json()))
    assert (items[1], labels[:3], len(items)) == ("number 1", [0, 1, 0], 50)
    texts, names = work.read_test(one)
    assert (texts[0], names[0], len(texts)) == ("number 50", "1", 150)
    assert not work.over(one)
    assert [len(some) for some in batches(35, 16)] == [16, 16, 3]
    assert judge.most_frequent(place) == "a"
    assert judge.read_truth(place)["2"] == TRUTH["51"]


def test_a_process_that_does_not_end_is_ended(monkeypatch, tmp_path):
    ended = run._watched([sys.executable, "-c", "print('begun', flush=True); import time; time.sleep(60)"], {}, 1.5)
    assert ended.code is None
    assert [line for _, line in ended.lines] == ["begun"]
    assert "ended by the benchmark" in run._cause(ended)
    ended = run._watched([sys.executable, "-c", "raise SystemExit('no weights')"], {}, 30)
    assert (ended.code, run._cause(ended)) == (1, "no weights")


def test_predictions_of_weigh_are_known_by_their_files(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("path,label\n/somewhere/test/00001.png,a\n")
    assert run._read_predictions(path, "label") == {"00001.png": "a"}
    path.write_text("row,label\n1,b\n")
    assert run._read_predictions(path, "label") == {"1": "b"}
    assert run._read_predictions(tmp_path / "none.csv", "label") is None


def test_records_become_tables(tmp_path, monkeypatch):
    place = write_place(tmp_path, monkeypatch)
    truth = judge.read_truth(place)
    wrong = {k: "ba"["ab".index(label)] for k, label in truth.items()}
    half = {k: (label if int(k) % 2 else wrong[k]) for k, label in truth.items()}
    machine = {"processor": "P", "instructions": [], "cores": 2, "load_before": 1.0, "python": "3", "commit": "abc"}

    def record(contender, seconds, predictions, **facts):
        return {
            "set": "made", "contender": contender, "budget": 60.0, "seconds": seconds, "predictions": predictions, "predict_seconds": 2.0,
            "wall_seconds": 70.0, "processor_seconds": 35.0, "machine": machine, "lines": [[1.0, "Reading the data"]], "facts": facts,
        }  # fmt: skip

    measured = [
        record(
            "weigh",
            58.0,
            truth,
            winner="m × probe",
            runs={"m × probe main done": {"runs": 5, "feature": 12.0, "words": 3.2}},
        ),
        record("textbook", 40.0, half, epochs=10, of_epochs=10),
        record("Trainer", 90.0, truth, epochs=3, of_epochs=3),
        record("SetFit", None, None),
    ]
    stored = tmp_path / "kept"
    kept.keep(measured[:2], tmp_path, stored)
    everything = kept.keep(measured[1:], tmp_path, stored)  # the textbook's in place of the earlier one
    for records in (everything, kept.read_kept(tmp_path, stored)):
        assert {one["contender"]: one for one in records} == {one["contender"]: one for one in measured}
    assert publish.sections(everything, tmp_path, ["another"], ", new examples") == {}
    made = publish.sections(everything, tmp_path, ["made"])
    assert list(made) == [
        "1 minute, one core, texts, P (without bf16)",
        "Time to the textbook's score, texts, P (without bf16)",
    ]
    page = "\n".join(made.values())
    lines = page.splitlines()
    scores = next(line for line in lines if line.startswith("| made | 50 / 150 |"))
    assert "| 1.000 [" in scores
    assert "| late (1.000 after 90 s) | no model |" in scores
    assert "fastai" not in page
    verdicts = next(line for line in lines if line.startswith("| made | better"))
    assert verdicts.count("better +50.0") == 3  # a late one answers one class, which half of the examples have
    assert next(line for line in lines if line.startswith("| weigh | 1 | 1.00 |"))
    assert "won: m × probe. 1 s Reading the data. Runs: m × probe main: 5 (words 3 s)" in page
    assert next(line for line in lines if line.startswith("| made | 0.500 |")).endswith(
        "| 40 s | 58 s (1.000): 1.45 of its time | – |"
    )

    # A second kind of processor: its records stay beside the first one's, in tables of their own.
    on_another = [{**one, "machine": {**machine, "instructions": ["amx_bf16"]}} for one in measured]
    on_both = kept.keep(on_another, tmp_path, stored)
    assert len(on_both) == 2 * len(measured)
    both = publish.sections(on_both, tmp_path, ["made"])
    assert [title.rpartition(", ")[2] for title in both] == ["P (amx_bf16)"] * 2 + ["P (without bf16)"] * 2
    assert {title: both[title] for title in made} == made


def test_the_page_keeps_tables_whose_records_are_gone():
    page = publish.merged(
        "## 10 minutes, one core\n\nold ten\n\n## 1 minute\n\nold one\n\n## Time\n\nold",
        {"Time": "new", "3 minutes": "three"},
    )
    assert (
        page
        == "## 1 minute\n\nold one\n\n## 3 minutes\n\nthree\n\n## 10 minutes, one core\n\nold ten\n\n## Time\n\nnew"
    )
    assert publish.merged(page, {}) == page


def test_contenders_that_are_not_there_are_left_out(monkeypatch):
    monkeypatch.delenv("AUTOGLUON_PYTHON", raising=False)
    assert "AUTOGLUON_PYTHON" in absent("AutoGluon")
    assert absent("weigh") == ""
    assert {"weigh", "textbook", "scikit-learn", "Trainer", "fastai", "SetFit"} <= set(CONTENDERS)
