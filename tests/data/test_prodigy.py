"""Exports of Prodigy: what was rejected or ignored is named, and never taken for a label or for entities."""

from __future__ import annotations

import json

import pytest

from tests.data.text_files import sentences
from weigh.data.readers import task_of
from weigh.data.sentences.index import read_tokens
from weigh.data.texts.index import read_texts
from weigh.spec import DataSpec

TEXTS = sentences(24)


def row(words, answer="accept", **cells):
    hashes = {
        "_input_hash": 11,
        "_task_hash": 12,
        "_view_id": "classification",
        "_annotator_id": "s-1",
        "_timestamp": 1780000000,
    }
    return {"text": words, **cells, **hashes, "answer": answer}


def export(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def read(path, **columns):
    examples, problems = read_texts(DataSpec(train=str(path), columns=columns))
    return examples, problems


def tone_of(i):
    return "good" if i % 2 else "bad"


def test_labels_that_were_rejected_are_set_aside_by_name(tmp_path):
    rows = [row(words, label=tone_of(i)) for i, words in enumerate(TEXTS)]
    rows[3]["answer"], rows[4]["answer"] = "reject", "ignore"
    path = export(tmp_path / "p.jsonl", rows)
    assert task_of(DataSpec(train=str(path))) == "text-classification"
    examples, problems = read(path)
    (rejected,) = (problem for problem in problems if problem.kind == "missing-label")
    assert rejected.paths == ("p.jsonl:4", "p.jsonl:5")
    assert "rejected or ignored in Prodigy" in rejected.sentence.en
    assert [examples.classes[t] for t in examples.target] == [tone_of(i) for i in range(24) if i not in (3, 4)]
    assert not any(name.startswith("_") for name in examples.slices)


def test_one_question_is_answered_by_accept_and_reject(tmp_path):
    answers = ["accept" if i % 2 else "reject" for i in range(24)]
    rows = [row(words, answer, label="SPAM") for words, answer in zip(TEXTS, answers, strict=True)]
    examples, problems = read(export(tmp_path / "p.jsonl", rows), label="answer")
    assert examples.classes == ("accept", "reject")
    assert len(examples.target) == 24
    assert not [problem for problem in problems if problem.kind == "missing-label"]


@pytest.mark.parametrize("several", [False, True])
def test_options_that_were_chosen_are_the_label(tmp_path, several):
    options = [{"id": name, "text": name.title()} for name in ("good", "bad", "long")]
    rows = [row(words, options=options, accept=[tone_of(i)]) for i, words in enumerate(TEXTS)]
    rows[2]["accept"] = []
    for one in rows[5::3] if several else []:
        one["accept"].append("long")
    path = export(tmp_path / "p.jsonl", rows)
    examples, problems = read(path)
    (unanswered,) = (problem for problem in problems if problem.kind == "missing-label")
    assert unanswered.paths == ("p.jsonl:3",)
    assert examples.target.ndim == (2 if several else 1)
    assert examples.classes == (("bad", "good", "long") if several else ("bad", "good"))


def test_entities_that_were_rejected_are_set_aside_by_name(tmp_path):
    spans = [{"start": 0, "end": 4, "label": "PER"}]
    rows = [row(f"Anna left {place} today", spans=spans) for place in ("Oslo", "Rome", "Bonn", "Linz", "Graz", "Nice")]
    rows[1]["answer"], rows[4]["answer"] = "reject", "ignore"
    path = export(tmp_path / "p.jsonl", rows)
    assert task_of(DataSpec(train=str(path))) == "token-classification"
    examples, problems = read_tokens(DataSpec(train=str(path)))
    (rejected,) = (problem for problem in problems if problem.kind == "missing-label")
    assert rejected.paths == ("p.jsonl:2", "p.jsonl:5")
    assert "Prodigy" in rejected.sentence.en
    assert len(examples.target) == 4


def test_a_column_called_answer_is_no_matter_elsewhere(tmp_path):
    """Without the hashes that Prodigy writes it is a column like any other."""
    rows = [{"text": words, "label": tone_of(i), "answer": "reject"} for i, words in enumerate(TEXTS)]
    examples, problems = read(export(tmp_path / "p.jsonl", rows))
    assert len(examples.target) == 24
    assert not [problem for problem in problems if problem.kind == "missing-label"]
