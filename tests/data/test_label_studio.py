"""Exports of Label Studio: choices for texts and pictures, entities; an annotation that does not count is named, never taken."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tests.data.text_files import sentences
from weigh.data.pictures.index import read_images
from weigh.data.readers import task_of
from weigh.data.recognition.tasks import recognise_task
from weigh.data.sentences.index import read_tokens
from weigh.data.texts.index import read_texts
from weigh.data.texts.new_texts import read_new_texts
from weigh.errors import DataError
from weigh.kinds.labels import LABELS
from weigh.spec import DataSpec

TEXTS = sentences(24)


def annotation(*results, cancelled=False):
    return {"id": 7, "completed_by": 1, "result": list(results), "was_cancelled": cancelled, "lead_time": 3.1}


def chosen(*names, question="tone"):
    return {"from_name": question, "to_name": "it", "type": "choices", "value": {"choices": list(names)}}


def task(data, *annotations):
    about = {"total_annotations": len(annotations), "project": 1, "created_at": "2026-01-05T10:00:00Z", "meta": {}}
    return {"id": 1, "data": data, "annotations": list(annotations), "predictions": [], "drafts": [], **about}


def tone_of(i):
    return "good" if i % 2 else "bad"


def tasks_of_texts():
    return [task({"text": words}, annotation(chosen(tone_of(i)))) for i, words in enumerate(TEXTS)]


def export(path, tasks):
    lined = path.suffix == ".jsonl"
    path.write_text("\n".join(map(json.dumps, tasks)) if lined else json.dumps(tasks, indent=1), encoding="utf-8")
    return path


def read(path, **settings):
    examples, problems = read_texts(DataSpec(train=str(path), **settings))
    return examples, {problem.kind: problem for problem in problems if problem.severity != "note"}


@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_choices_of_texts_are_their_labels(tmp_path, name):
    path = export(tmp_path / name, tasks_of_texts())
    assert task_of(DataSpec(train=str(path))) == "text-classification"
    examples, problems = read(path)
    assert not problems
    assert [words for (words,) in examples.rows] == TEXTS
    assert [examples.classes[t] for t in examples.target] == [tone_of(i) for i in range(24)]
    assert read_new_texts(path, examples.written) == [(words,) for words in TEXTS]
    unanswered = export(tmp_path / f"new_{name}", [{"data": {"text": words}} for words in TEXTS])
    assert read_new_texts(unanswered, examples.written) == [(words,) for words in TEXTS]


def test_annotations_that_do_not_count_are_named(tmp_path):
    tasks = tasks_of_texts()
    tasks[0]["annotations"][0]["was_cancelled"] = True
    tasks[1]["annotations"] = []
    tasks[2]["annotations"].append(annotation(chosen("good")))  # the first says bad
    tasks[3]["annotations"].append(annotation(chosen("good")))
    tasks[4]["annotations"].insert(0, annotation(chosen("good"), cancelled=True))
    path = export(tmp_path / "t.json", tasks)
    examples, problems = read(path)
    assert {kind: problem.paths for kind, problem in problems.items()} == {
        "missing-label": ("t.json:1", "t.json:2"),
        "label-conflict": ("t.json:3",),
    }
    assert [examples.classes[t] for t in examples.target] == [tone_of(i) for i in range(3, 24)]
    assert read_new_texts(path, examples.written) == [(words,) for words in TEXTS]


def test_nothing_settled_is_an_error_with_its_reason(tmp_path):
    tasks = [task({"text": words}, annotation(chosen("good")), annotation(chosen("bad"))) for words in TEXTS]
    with pytest.raises(DataError, match="annotators disagree: 24") as caught:
        read(export(tmp_path / "t.json", tasks))
    assert "delete the annotations that do not count" in caught.value.render("en")


def test_several_choices_are_several_labels(tmp_path):
    names = (["food", "polite"], ["food"], ["polite"])
    tasks = [task({"text": words}, annotation(chosen(*names[i % 3]))) for i, words in enumerate(TEXTS)]
    tasks[5]["annotations"] = []  # not an example without any label
    examples, problems = read(export(tmp_path / "t.json", tasks))
    assert examples.kind is LABELS
    assert examples.classes == ("food", "polite")
    assert examples.class_counts(np.arange(len(examples))).tolist() == [16, 15]
    assert problems["missing-label"].paths == ("t.json:6",)


def test_what_annotators_chose_counts_and_not_what_came_with_the_texts(tmp_path):
    tasks = tasks_of_texts()
    for i, one in enumerate(tasks):
        one["data"]["label"] = f"imported {i % 3}"
        one["annotations"][0]["result"].append(chosen(f"topic {i % 4}", question="topic"))
    path = export(tmp_path / "t.json", tasks)
    assert read(path, label="tone")[0].classes == ("bad", "good")
    assert read(path, label="topic")[0].classes == tuple(f"topic {k}" for k in range(4))
    assert not any("imported" in name for name in read(path)[0].classes)


@pytest.mark.parametrize("kind", ["choices", "taxonomy"])
def test_choices_within_choices_are_called_by_their_path(tmp_path, kind):
    tasks = tasks_of_texts()
    for i, one in enumerate(tasks):
        one["annotations"][0]["result"][0]["value"] = {kind: [["Animal", "Cat" if i % 2 else "Dog"]]}
    assert read(export(tmp_path / "t.json", tasks))[0].classes == ("Animal / Cat", "Animal / Dog")


def test_choices_in_the_flat_export(tmp_path):
    """A bare name for one choice, an object for several; who annotated is no label."""
    kinds = ("a", "b", {"choices": ["a", "b"]})
    rows = [
        {"id": i, "text": words, "kind": kinds[i % 3], "annotator": i % 2, "annotation_id": i, "lead_time": i + 0.5}
        for i, words in enumerate(TEXTS)
    ]
    examples, _ = read(export(tmp_path / "t.json", rows))
    assert examples.kind is LABELS
    assert examples.classes == ("a", "b")
    assert examples.class_counts(np.arange(24)).tolist() == [16, 16]


def test_choices_of_pictures(tmp_path):
    tasks = []
    for i in range(8):
        Image.new("RGB", (8, 8), (30 * i, 9, 9)).save(tmp_path / f"{i}.png")
        tasks.append(task({"image": f"{i}.png"}, annotation(chosen(tone_of(i)))))
    tasks[7]["annotations"] = []
    path = export(tmp_path / "t.json", tasks)
    assert task_of(DataSpec(train=str(path))) == "image-classification"
    examples, problems = read_images(DataSpec(train=str(path)))
    assert dict(zip(examples.path, examples.target, strict=True)) == {f"{i}.png": i % 2 for i in range(7)}
    assert [p.paths for p in problems if p.kind == "missing-label"] == [("t.json:8",)]
    assert "not read here" not in recognise_task(tmp_path).reason.en


def test_entities_of_skipped_and_of_contradicting_annotations_are_not_taken(tmp_path):
    """A task that was skipped, or not annotated yet, is no text without entities."""

    def entity(start, end, name):
        return {"type": "labels", "value": {"start": start, "end": end, "labels": [name]}}

    right = annotation(entity(0, 4, "PER"))
    tasks = [task({"text": f"Anna saw Oslo {i}"}, right) for i in range(8)]
    tasks[0]["annotations"] = [annotation(cancelled=True)]
    tasks[1]["annotations"] = []
    tasks[2]["annotations"] = [right, annotation(entity(9, 13, "LOC"))]
    tasks[3]["annotations"] = [annotation(cancelled=True), right]
    tasks[4]["annotations"] = [right, right]
    path = export(tmp_path / "t.json", tasks)
    assert task_of(DataSpec(train=str(path))) == "token-classification"
    examples, problems = read_tokens(DataSpec(train=str(path)))
    assert {p.kind: p.paths for p in problems if p.severity != "note"} == {
        "missing-label": ("t.json:1", "t.json:2"),
        "label-conflict": ("t.json:3",),
    }
    assert [len(entities) for entities in examples.target] == [1] * 5
