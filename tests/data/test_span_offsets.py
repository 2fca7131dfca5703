"""Entities as spans of a text: what their numbers count is told from the text, and what does not fit it is named with its reason."""

from __future__ import annotations

import json

import pytest

from weigh.data.recognition.tasks import recognise_task
from weigh.data.sentences.index import read_tokens
from weigh.errors import DataError
from weigh.spec import DataSpec

NAMES = [("Anna", "Paris"), ("Änne", "Łódź"), ("Boris", "Graz"), ("Noël", "Rome")]
COUNTS = {
    "characters": (lambda s: len(s), 0),
    "bytes": (lambda s: len(s.encode()), 0),
    "UTF-16": (lambda s: len(s.encode("utf-16-le")) // 2, 0),
    "last character": (lambda s: len(s), 1),
}


def _rows(count, inclusive=0, n=24):
    """Texts, and the entities of each with the numbers that `count` gives."""
    for i in range(n):
        person, place = NAMES[i % 4]
        written = f"🙂 Yesterday {person} went to {place} {i} times"
        places = [(written.index(w), written.index(w) + len(w), w, k) for w, k in ((person, "PER"), (place, "LOC"))]
        yield written, [(count(written[:a]), count(written[:b]) - inclusive, w, k) for a, b, w, k in places]


def _write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _read(path):
    assert recognise_task(path).task == "token-classification"
    examples, problems = read_tokens(DataSpec(train=str(path)))
    words = [
        {" ".join(row[a:b]) for a, b, _ in spans} for row, spans in zip(examples.rows, examples.target, strict=True)
    ]
    for p in problems:
        assert p.sentence.zh != p.sentence.en
        assert "{" not in p.sentence.en + p.sentence.zh
    return words, problems


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("counted", COUNTS)
def test_what_numbers_count_is_told_from_the_text(tmp_path, counted, told):
    """From the words that stand beside the numbers, else from the borders of words; the first is sure, the second is a guess that is said."""
    rows = [
        {
            "text": t,
            "entities": [{"start": a, "end": b, "label": k} | ({"text": w} if told else {}) for a, b, w, k in e],
        }
        for t, e in _rows(*COUNTS[counted])
    ]
    words, problems = _read(_write(tmp_path / "a.jsonl", rows))
    assert words == [set(NAMES[i % 4]) for i in range(24)]
    said = [p.severity for p in problems if p.kind == "offsets"]
    assert said == ([] if counted == "characters" else ["note"] if told else ["warning"])
    assert not [p for p in problems if p.kind in ("span-text", "cut-word")]


def test_words_that_take_endings_change_nothing(tmp_path):
    """Entities that end inside of words ("Annanin") are read as they stand, and said."""
    rows = [
        {"text": f"{p}nin book of {q}er days {i}", "entities": [[0, len(p), "PER"]]}
        for i, (p, q) in enumerate(NAMES * 5)
    ]
    words, problems = _read(_write(tmp_path / "a.jsonl", rows))
    assert words == [{p} for p, _ in NAMES * 5]
    assert [p.kind for p in problems if p.severity == "warning"] == ["cut-word"]


def test_another_text_than_the_one_given_is_said(tmp_path):
    rows = [
        {"text": t, "entities": [{"start": a, "end": b, "label": k, "text": w} for a, b, w, k in e]}
        for t, e in _rows(len)
    ]
    rows[3]["entities"][0] |= {"start": 1, "end": 5}
    _, problems = _read(_write(tmp_path / "a.jsonl", rows))
    (said,) = [p for p in problems if p.kind == "span-text"]
    assert said.paths == ("a.jsonl:4",)
    assert "Noël ≠ " in said.sentence.en


@pytest.mark.parametrize("given", ["Barack_Obama", "Q76"])
def test_names_of_a_list_of_things_are_no_shifted_numbers(tmp_path, given):
    """Entity linking gives a name that stands nowhere in the text."""
    rows = [
        {"text": t, "entities": [{"start": a, "end": b, "label": k, "entity": given} for a, b, _, k in e]}
        for t, e in _rows(len)
    ]
    words, problems = _read(_write(tmp_path / "a.jsonl", rows))
    assert words == [set(NAMES[i % 4]) for i in range(24)]
    assert [(p.kind, p.severity) for p in problems if p.kind in ("span-text", "offsets")] == [("span-text", "note")]


def test_each_file_is_said_to_count_as_it_does(tmp_path):
    for part, counted in (("train", "bytes"), ("test", "UTF-16")):
        rows = [{"text": t, "entities": [[a, b, k] for a, b, _, k in e]} for t, e in _rows(*COUNTS[counted])]
        _write(tmp_path / f"{part}.jsonl", rows)
    _, problems = read_tokens(DataSpec(train=str(tmp_path)))
    said = [p.sentence.en for p in problems if p.kind == "offsets"]
    assert any("bytes of UTF-8 (train.jsonl)" in s for s in said)
    assert any("UTF-16" in s and "(test.jsonl)" in s for s in said)


UNFIT = {
    "outside": ([[0, 999, "PER"]], "outside its text"),
    "before": ([[-4, -1, "PER"]], "outside its text"),
    "empty": ([[3, 3, "PER"]], "outside its text"),
    "blank": ([[1, 2, "PER"]], "holds no word"),
    "reversed": ([[9, 2, "PER"]], "ends before it begins"),
    "overlapping": ([[0, 9, "PER"], [2, 12, "LOC"]], "overlap"),
}


@pytest.mark.parametrize("flaw", UNFIT)
def test_spans_that_do_not_fit_are_named_with_the_reason(tmp_path, flaw):
    spans, words = UNFIT[flaw]
    good = [{"text": t, "entities": [[a, b, k] for a, b, _, k in e]} for t, e in _rows(len)]
    _, problems = _read(_write(tmp_path / "a.jsonl", [*good, {"text": good[0]["text"], "entities": spans}]))
    (said,) = [p for p in problems if p.kind == "broken-row"]
    assert said.paths == ("a.jsonl:25",)
    assert words in said.sentence.en
    all_bad = _write(tmp_path / "b.jsonl", [row | {"entities": spans} for row in good])
    with pytest.raises(DataError, match=words):
        read_tokens(DataSpec(train=str(all_bad)))


def test_a_column_of_texts_in_one_list_is_no_sentence(tmp_path):
    """As pandas writes a frame by columns."""
    columns = {"text": [t for t, _ in _rows(len)], "label": [i % 2 for i in range(24)]}
    (tmp_path / "a.json").write_text(json.dumps(columns))
    assert recognise_task(tmp_path / "a.json").task == "text-classification"


def test_entities_without_numbers_are_no_classes(tmp_path):
    from weigh.data.texts.index import read_texts

    rows = [{"text": t, "entities": [{"text": w, "type": k} for _, _, w, k in e]} for t, e in _rows(len)]
    path = _write(tmp_path / "a.jsonl", rows)
    assert recognise_task(path).task is None
    with pytest.raises(DataError, match="no labels") as caught:
        read_texts(DataSpec(train=str(path), label="entities"))
    assert '"start": 0' in str(caught.value)


CELLS = {
    "JSON": lambda spans: json.dumps(spans),
    "Python": lambda spans: str([tuple(s) for s in spans]),
    "objects": lambda spans: json.dumps([dict(zip(("start", "end", "label"), s, strict=True)) for s in spans]),
    "spaCy": lambda spans: str({"entities": [tuple(s) for s in spans]}),
}


@pytest.mark.parametrize("cells", CELLS)
def test_entities_in_the_cells_of_a_table(tmp_path, cells):
    """They were several labels of a text."""
    import csv

    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "label"])
        writer.writerows([i, t, CELLS[cells]([(a, b, k) for a, b, _, k in e])] for i, (t, e) in enumerate(_rows(len)))
    words, _ = _read(tmp_path / "a.csv")
    assert words == [set(NAMES[i % 4]) for i in range(24)]


def test_entities_in_lists_of_parquet(tmp_path):
    import polars as pl

    rows = [{"text": t, "entities": [{"start": a, "end": b, "label": k} for a, b, _, k in e]} for t, e in _rows(len)]
    pl.DataFrame(rows).write_parquet(tmp_path / "a.parquet")
    words, _ = _read(tmp_path / "a.parquet")
    assert words == [set(NAMES[i % 4]) for i in range(24)]


def test_a_header_in_the_middle_of_columns_is_left_out(tmp_path):
    """Types of bare tags are whatever stands there: the header was one of them."""
    part = "word\tner\n" + "".join(f"Anna\tPER\nwent\tO\nto\tO\nGraz\tLOC\n.{i}\tO\n\n" for i in range(12))
    (tmp_path / "a.tsv").write_text(part + part)
    examples, problems = read_tokens(DataSpec(train=str(tmp_path / "a.tsv")))
    assert examples.classes == ("LOC", "PER")
    assert [p.paths for p in problems if p.kind == "repeated-header"] == [("a.tsv:74",)]
    assert len(examples) == 24


def test_annotations_of_brat_are_called_by_name(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.txt").write_text("Anna went to Graz.\n")
        (tmp_path / f"{i}.ann").write_text("T1\tPER 0 4\tAnna\nT2\tLOC 13 17\tGraz\n")
    recognised = recognise_task(tmp_path)
    assert recognised.task is None
    assert "0.ann is an annotation of brat" in recognised.reason.en
    assert '{"text": "Anna left", "entities": [[0, 4, "PER"]]}' in recognised.do.en


def test_what_label_studio_says_besides_entities_costs_no_text(tmp_path):
    """A relation set its whole text aside; a text that was skipped counted as one without entities."""
    skipped = {"was_cancelled": True, "result": []}
    rows = []
    for written, places in _rows(*COUNTS["characters"]):
        result = [
            {"type": "labels", "value": {"start": a, "end": b, "text": w, "labels": [k]}} for a, b, w, k in places
        ]
        result += [{"type": "relation", "from_id": "1"}, {"type": "choices", "value": {"choices": ["news"]}}]
        rows.append({"data": {"text": written}, "annotations": [skipped, {"was_cancelled": False, "result": result}]})
    rows.append({"data": {"text": "Nobody labelled this one"}, "annotations": [skipped]})
    words, problems = _read(_write(tmp_path / "a.jsonl", rows))
    assert [len(found) for found in words] == [2] * 24
    assert [(p.kind, p.paths) for p in problems if "a.jsonl:25" in p.paths] == [("missing-label", ("a.jsonl:25",))]
