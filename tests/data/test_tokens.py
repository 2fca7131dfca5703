"""Entities survive every scheme; broken tags are repaired or refused, with their line; versions and leaks are named."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weigh.data.readers import read_and_check, task_of
from weigh.data.recognition.tasks import recognise_task
from weigh.data.sentences.index import read_tokens
from weigh.data.sentences.tags import decode_tags, parse_tag, scheme_of
from weigh.data.texts.new_texts import read_new_texts
from weigh.errors import DataError
from weigh.record.index import read_index, write_index
from weigh.spec import DataSpec

SCHEMES = ("IOB1", "IOB2", "BIOES", "BMES", "BILOU")


def encode(length, spans, scheme):
    """Tags of `length` tokens that mark `spans` (the oracle: written from the schemes' definitions, token by token)."""
    tags = ["O"] * length
    for start, end, kind in spans:
        for i in range(start, end):
            first, last = i == start, i == end - 1
            if scheme == "IOB1":
                touches = any(e == start and k == kind for _, e, k in spans)
                letter = "B" if first and touches else "I"
            elif scheme == "IOB2":
                letter = "B" if first else "I"
            else:
                single, end_letter, inside = {"BIOES": "SEI", "BMES": "SEM", "BILOU": "ULI"}[scheme]
                letter = single if first and last else "B" if first else end_letter if last else inside
            tags[i] = f"{letter}-{kind}"
    return tags


@st.composite
def sentence(draw):
    length = draw(st.integers(1, 12))
    spans, at = [], 0
    while at < length and draw(st.booleans()):
        start = draw(st.integers(at, length - 1))
        end = draw(st.integers(start + 1, length))
        spans.append((start, end, draw(st.sampled_from(["PER", "LOC", "creative-work"]))))
        at = end
    return length, spans


@settings(max_examples=300, deadline=None)
@given(sentence(), st.sampled_from(SCHEMES))
def test_every_scheme_gives_back_its_entities(drawn, scheme):
    length, spans = drawn
    found = decode_tags([parse_tag(t) for t in encode(length, spans, scheme)], scheme)
    assert list(found.spans) == spans
    assert found.repairs == ()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("OBIESMLU"), st.sampled_from(["PER", "LOC"])), max_size=12),
    st.sampled_from(SCHEMES),
)
def test_any_tags_become_entities_that_do_not_overlap(tags, scheme):
    tags = [("O", "") if letter == "O" else (letter, kind) for letter, kind in tags]
    spans = decode_tags(tags, scheme).spans
    covered = [i for a, b, _ in spans for i in range(a, b)]
    assert covered == [i for i, (letter, _) in enumerate(tags) if letter != "O"]
    assert all(tags[i][1] == kind for a, b, kind in spans for i in range(a, b))


def test_decoding_agrees_with_seqeval():
    """conlleval's rule, as seqeval implements it, on IOB2 with orphans."""
    entities = pytest.importorskip("seqeval.metrics.sequence_labeling").get_entities
    for tags in (
        ["I-PER", "O", "I-PER", "I-LOC"],
        ["B-PER", "I-LOC", "B-LOC", "B-LOC", "I-LOC"],
        ["O", "I-LOC", "I-LOC"],
    ):
        found = decode_tags([parse_tag(t) for t in tags], "IOB2").spans
        assert [(k, a, b - 1) for a, b, k in found] == entities(tags)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_are_told_apart(scheme):
    spans = [(5, [(0, 2, "PER"), (2, 3, "PER")]), (6, [(1, 4, "LOC")]), (3, [(2, 3, "LOC")])]
    assert scheme_of([[parse_tag(t) for t in encode(n, s, scheme)] for n, s in spans]) == scheme


@pytest.mark.parametrize(("tag", "parsed"), [("O", ("O", "")), ("B-PER", ("B", "PER")), ("I-creative-work", ("I", "creative-work")), ("B-PER.NAM", ("B", "PER.NAM")), ("S_LOC", ("S", "LOC")), ("B", ("B", "entity")), ("NN", None), ("B-a,B-b", None), ("", None)])  # fmt: skip
def test_tags(tag, parsed):
    assert parse_tag(tag) == parsed


def conll(path, blocks, separator="\t"):
    path.write_text("\n\n".join("\n".join(separator.join(row) for row in block) for block in blocks) + "\n", "utf-8")
    return path


def block(i, scheme="IOB2"):
    tokens = [f"word{i}", "Anna", f"Smith{i}", "of", "Rome"]
    return list(zip(tokens, encode(5, [(1, 3, "PER"), (4, 5, "LOC")], scheme), strict=True))


@pytest.mark.parametrize("separator", ["\t", " "])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_files_of_all_schemes_hold_the_same_entities(tmp_path, scheme, separator):
    path = conll(tmp_path / "train.conll", [block(i, scheme) for i in range(10)], separator)
    assert recognise_task(path).task == "token-classification"
    examples, _ = read_tokens(DataSpec(train=str(path)))
    assert examples.classes == ("LOC", "PER")
    assert examples.target.tolist() == [((1, 3, 1), (4, 5, 0))] * 10
    assert examples.rows[3] == ("word3", "Anna", "Smith3", "of", "Rome")
    assert examples.texts(3) == ("word3 Anna Smith3 of Rome",)
    assert examples.path[1] == "train.conll:7"


def test_orphans_are_named_and_repaired_broken_lines_refused(tmp_path):
    blocks = [block(i) for i in range(12)]
    blocks[1][4] = ("Rome", "I-LOC")
    blocks[2][1] = ("Anna",)
    blocks[3][1] = ("Anna", "B-PER,B-LOC")
    path = conll(tmp_path / "d.conll", blocks)
    path.write_text("-DOCSTART- -X- O\n\n" + path.read_text() + "\n\n\n")
    examples, problems = read_tokens(DataSpec(train=str(path)))
    found = {p.kind: p for p in problems}
    assert found["orphan-tag"].paths == ("d.conll:13",)
    assert found["orphan-tag"].details[0]["tag"] == "I-LOC"
    assert found["broken-row"].paths == ("d.conll:16", "d.conll:22")
    assert found["broken-row"].numbers["sentences"] == 2
    assert len(examples) == 10
    assert examples.target[1] == ((1, 3, 1), (4, 5, 0))


def test_unclosed_entities_of_schemes_with_ends(tmp_path):
    blocks = [block(i, "BIOES") for i in range(6)]
    blocks[0][2] = ("Smith0", "I-PER")
    _, problems = read_tokens(DataSpec(train=str(conll(tmp_path / "d.txt", blocks))))
    assert [p.paths for p in problems if p.kind == "unclosed-tag"] == [("d.txt:3",)]


def test_versions_and_leaks_between_parts(tmp_path):
    conll(tmp_path / "x.train", [block(i) for i in range(20)])
    conll(tmp_path / "x.dev", [block(i) for i in (3, 5, *range(30, 36))])
    conll(tmp_path / "x.test", [block(i) for i in (7, *range(40, 45))])
    (tmp_path / "x.test.blind").write_text("\n".join(f"word{i}" for i in range(20)))
    other = [block(i) for i in (7, *range(40, 45))]
    other[0][1] = ("Anna", "B-PER,B-LOC")
    conll(tmp_path / "x_1.test", other)
    examples, problems = read_and_check(DataSpec(train=str(tmp_path)), "token-classification")
    found = {p.kind: p for p in problems}
    assert (len(examples.where("train")), len(examples.where("test"))) == (28, 6)
    assert found["left-out"].paths == ("x_1.test",)
    assert found["unlabelled"].paths == ("x.test.blind",)
    assert found["split"].numbers == {"n": 8, "repeated": 2, "different": 2}
    assert [set(s) for s in found["leak"].pairs] == [{"x.train:43", "x.test:1"}]
    assert "sentences" in found["leak"].sentence.en


def test_one_sentence_with_two_taggings(tmp_path):
    blocks = [block(i) for i in range(10)]
    blocks[4] = [(token, "O") for token, _ in blocks[3]]
    _, problems = read_and_check(DataSpec(train=str(conll(tmp_path / "d.conll", blocks))), "token-classification")
    conflict = next(p for p in problems if p.kind == "label-conflict")
    assert [d["class"] for d in conflict.details] == ["PER: Anna Smith3 [1:3]; LOC: Rome [4:5]", "–"]


def test_characters_with_their_place_in_the_word(tmp_path):
    rows = [("科0", "O"), ("技1", "O"), ("李0", "B-PER"), ("明1", "I-PER")]
    examples, problems = read_tokens(DataSpec(train=str(conll(tmp_path / "d.conll", [rows] * 5))))
    assert examples.rows[0] == ("科", "技", "李", "明")
    assert examples.texts(0) == ("科技李明",)
    assert "taken off" in next(p for p in problems if p.kind == "columns").sentence.en


def test_json_lines(tmp_path):
    rows = [{"tokens": [t for t, _ in block(i)], "ner_tags": [t for _, t in block(i)]} for i in range(5)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert recognise_task(tmp_path / "a.jsonl").task == "token-classification"
    assert read_tokens(DataSpec(train=str(tmp_path / "a.jsonl")))[0].target.tolist() == [((1, 3, 1), (4, 5, 0))] * 5
    spans = [{"text": f"{i} Anna Smith-Jones lives", "label": [[2, 12, "PER"]]} for i in range(5)]
    spans += [
        {"text": "我爱北京", "entities": [{"start": 2, "end": 4, "label": "LOC"}]},
        {"text": "short", "label": [[2, 99, "PER"]]},
    ]
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, spans)))
    assert recognise_task(tmp_path / "b.jsonl").task == "token-classification"
    examples, problems = read_tokens(DataSpec(train=str(tmp_path / "b.jsonl")))
    assert examples.rows[0] == ("0", "Anna", "Smith", "-", "Jones", "lives")
    assert examples.target[0] == ((1, 3, 1),)
    assert (examples.rows[5], examples.target[5]) == (("我", "爱", "北", "京"), ((2, 4, 0),))
    assert next(p for p in problems if p.kind == "broken-row").paths == ("b.jsonl:7",)


def test_index_keeps_tokens_and_entities(tmp_path):
    examples, _ = read_tokens(DataSpec(train=str(conll(tmp_path / "d.conll", [block(i) for i in range(5)]))))
    write_index(tmp_path, examples)
    kept = read_index(tmp_path)
    assert kept.rows.tolist() == examples.rows.tolist()
    assert kept.target.tolist() == examples.target.tolist()
    changed, _ = read_tokens(
        DataSpec(
            train=str(conll(tmp_path / "d.conll", [*(block(i) for i in range(4)), [*block(4)[:4], ("Rome", "O")]]))
        )
    )
    assert changed.fingerprint != examples.fingerprint


def test_no_tags_is_an_error(tmp_path):
    (tmp_path / "d.conll").write_text("a\nb\nc\n")
    with pytest.raises(DataError, match="no tokens with tags"):
        read_tokens(DataSpec(train=str(tmp_path / "d.conll")))


@pytest.mark.shared
def test_wnut17(shared):
    spec = DataSpec(train=str(shared / "ner/wnut17"))
    assert task_of(spec) == "token-classification"
    examples, problems = read_tokens(spec)
    files = [path.split(":")[0] for path in examples.path]
    counts = [files.count(f) for f in ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")]
    assert counts == [3394, 1009, 1287]
    assert len(examples.classes) == 6
    assert sum(map(len, examples.target[examples.where("test")])) == 1079
    assert "orphan-tag" not in {p.kind for p in problems}


@pytest.mark.shared
def test_weibo(shared):
    examples, problems = read_and_check(DataSpec(train=str(shared / "ner/weibo-zh")), "token-classification")
    found = {p.kind: p for p in problems}
    assert all("_2nd_" in path for path in examples.path)
    assert (len(examples.where("train")), len(examples.where("test"))) == (1350 + 270, 270)
    assert len(examples.classes) == 8
    assert found["split"].numbers["different"] == 40
    assert found["leak"].numbers["test"] >= 36
    assert found["orphan-tag"].numbers["n"] > 0


def test_rows_of_a_saved_dataset_with_fewer_tags_than_tokens_are_named(tmp_path):
    """They were an error of the program."""
    datasets = pytest.importorskip("datasets")
    words, marks = ["Anna", "saw", "Oslo"], ["B-PER", "O", "B-LOC"]
    rows = [{"tokens": [*words, f"n{i}"], "ner_tags": [*marks, "O"]} for i in range(24)]
    rows += [{"tokens": [*words, "now"], "ner_tags": marks}, {"tokens": words, "ner_tags": None}]
    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "saved")
    examples, problems = read_tokens(DataSpec(train=str(tmp_path / "saved")))
    assert len(examples) == 24
    (broken,) = [p for p in problems if p.kind == "broken-row"]
    assert [path.rpartition(":")[2] for path in broken.paths] == ["25", "26"]


def test_a_token_that_is_missing_is_not_the_word_none(tmp_path):
    """As pandas writes the word "null" that it took for a missing value."""
    rows = [{"tokens": ["Anna", "saw", f"n{i}"], "ner_tags": ["B-PER", "O", "O"]} for i in range(24)]
    rows.append({"tokens": ["Anna", None, "Oslo"], "ner_tags": ["B-PER", "O", "O"]})
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    examples, problems = read_tokens(DataSpec(train=str(tmp_path / "d.jsonl")))
    assert len(examples) == 24
    assert [p.paths for p in problems if p.kind == "broken-row"] == [("d.jsonl:25",)]
    with pytest.raises(DataError, match=r"Line 25 of .* holds a token that is missing"):
        read_new_texts(tmp_path / "d.jsonl", tokens=True)
