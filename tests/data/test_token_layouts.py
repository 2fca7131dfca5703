"""One set of sentences in the layouts that people really have: the same tokens and entities in all of them, or a sentence that helps."""

from __future__ import annotations

import json

import polars as pl
import pytest

from weigh.data.readers import task_of
from weigh.data.recognition.tasks import recognise_task
from weigh.data.sentences.index import read_tokens
from weigh.data.texts.new_texts import read_new_texts
from weigh.errors import DataError
from weigh.spec import DataSpec

PEOPLE = ["Anna", "Boris Novak", "Clara", "Dora Ek", "Li Wei", "Omar Haddad"]
PLACES = ["Oslo", "Cape Town", "Graz", "Lima"]


def _sentences(n=24):
    """(tokens, tags in IOB2) of `n` sentences of three kinds."""
    for i in range(n):
        person, place = PEOPLE[i % len(PEOPLE)].split(), PLACES[i % len(PLACES)].split()
        named = [(w, f"{'I' if k else 'B'}-PER") for k, w in enumerate(person)]
        there = [(w, f"{'I' if k else 'B'}-LOC") for k, w in enumerate(place)]
        kinds = [
            [*named, ("lives", "O"), ("in", "O"), *there, (f"n{i}", "O"), (".", "O")],
            [("In", "O"), *there, (",", "O"), ("we", "O"), ("met", "O"), *named, (f"n{i}", "O"), ("!", "O")],
            [("Nobody", "O"), ("saw", "O"), (f"n{i}", "O"), ("it's", "O"), ('"', "O"), ("here", "O"), (".", "O")],
        ]
        pairs = kinds[i % 3]
        yield [t for t, _ in pairs], [t for _, t in pairs]


SENTENCES = list(_sentences())
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def _entities(tags):
    """((first, after, type), …) of tags in IOB2."""
    found, start = [], None
    for i, tag in enumerate([*tags, "O"]):
        if start is not None and not tag.startswith("I-"):
            found.append((start, i, tags[start][2:]))
            start = None
        if tag.startswith("B-"):
            start = i
    return found


def write_columns(path, row, gap="\n", header=""):
    path.write_text(
        header + gap.join("".join(row(t, g) + "\n" for t, g in zip(*s, strict=True)) for s in SENTENCES), "utf-8"
    )


def _csv(path, rows, names):
    import csv

    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows(([names] if names else []) + rows)


def _token_rows(path, name=lambda i, k: str(i), names=("sentence_id", "words", "labels"), more=()):
    rows = [[name(i, k), *more, t, g] for i, s in enumerate(SENTENCES) for k, (t, g) in enumerate(zip(*s, strict=True))]
    _csv(path, rows, list(names))


def _spans(sentence, inclusive=0):
    """A text and (start, end, type, mention) of its entities."""
    tokens, tags = sentence
    starts = [sum(len(t) + 1 for t in tokens[:i]) for i in range(len(tokens))]
    written = " ".join(tokens)
    spans = [(starts[a], starts[b - 1] + len(tokens[b - 1]), kind) for a, b, kind in _entities(tags)]
    return written, [(a, b - inclusive, kind, written[a:b]) for a, b, kind in spans]


def _json(path, make, listed=False):
    rows = [make(s) for s in SENTENCES]
    path.write_text(json.dumps(rows) if listed else "\n".join(map(json.dumps, rows)) + "\n", "utf-8")


def _numbers(tags):
    return [NAMES.index(t) for t in tags]


def _numbered(path):
    """CoNLL-U: comments, numbers of words, and a line that stands for two of them."""
    blocks = []
    for tokens, tags in SENTENCES:
        rows = [f"{i}\t{t}\t_\t{g}" for i, (t, g) in enumerate(zip(tokens, tags, strict=True), 1)]
        blocks.append("\n".join(["# sent_id = 1", f"# text = {' '.join(tokens)}", "1-2\tboth\t_\t_", *rows]) + "\n")
    path.write_text("\n".join(blocks))


AHEAD = "Ü😀 "  # 3 characters, 4 units of UTF-16, 7 bytes


def _shifted(sentence, by):
    """A text and its entities, whose numbers are moved by what stands before it."""
    written, spans = _spans(sentence)
    return AHEAD + written, [{"start": a + by, "end": b + by, "label": k, "text": m} for a, b, k, m in spans]


def _by_type(sentence):
    written, spans = _spans(sentence, inclusive=1)
    label = {}
    for a, b, kind, mention in spans:
        label.setdefault(kind, {}).setdefault(mention, []).append([a, b])
    return {"text": written, "label": label}


def _label_studio(sentence):
    written, spans = _spans(sentence)
    result = [{"type": "labels", "value": {"start": a, "end": b, "text": m, "labels": [k]}} for a, b, k, m in spans]
    return {"id": 1, "data": {"text": written}, "annotations": [{"id": 2, "result": result}]}


LAYOUTS = {  # name -> (suffix, write)
    "columns": ("conll", lambda p: write_columns(p, lambda t, g: f"{t} {g}")),
    "tabs": ("txt", lambda p: write_columns(p, lambda t, g: f"{t}\t{g}")),
    "four columns": ("conll", lambda p: write_columns(p, lambda t, g: f"{t} _ _ {g}")),
    "tag before a number": ("conll", lambda p: write_columns(p, lambda t, g: f"{t} {g} 0.97")),
    "tag before two columns": ("tsv", lambda p: write_columns(p, lambda t, g: f"{t}\t{g}\tNN\tx")),
    "tag first of three": ("tsv", lambda p: write_columns(p, lambda t, g: f"{t}\t{g}\tO" if g == "O" else f"{t}\t{g}\tx")),
    "numbers of sentences": ("conll", lambda p: p.write_text("\n".join("".join(f"{i} {t} {g}\n" for t, g in zip(*s, strict=True)) for i, s in enumerate(SENTENCES)))),
    "with a header": ("tsv", lambda p: write_columns(p, lambda t, g: f"{t}\t{g}", header="token\ttag\n")),
    "document starts": ("conll", lambda p: write_columns(p, lambda t, g: f"{t} {g}", header="-DOCSTART- O\n\n")),
    "numbers of words": ("conll", _numbered),
    "tag before the token": ("conll", lambda p: write_columns(p, lambda t, g: f"{g} {t}")),
    "lower case b": ("conll", lambda p: write_columns(p, lambda t, g: f"{t} {g[:1].lower() + g[1:]}")),
    "letter behind the type": ("conll", lambda p: write_columns(p, lambda t, g: f"{t} {g if g == 'O' else g[2:] + '-' + g[0]}")),
    "letter behind the type in lists": ("jsonl", lambda p: _json(p, lambda s: {"tokens": s[0], "ner_tags": [g if g == "O" else f"{g[2:]}_{g[0]}" for g in s[1]]})),
    "lower case o": ("conll", lambda p: write_columns(p, lambda t, g: f"{t} {'o' if g == 'O' else g}")),
    "token rows": ("csv", _token_rows),
    "token rows with parts of speech": ("csv", lambda p: _token_rows(p, names=("sent_id", "pos", "token", "ner"), more=("NN",))),
    "Kaggle": ("csv", lambda p: _token_rows(p, lambda i, k: "" if k else f"Sentence: {i + 1}", ("Sentence #", "Word", "Tag"))),
    "Kaggle, every row": ("csv", lambda p: _token_rows(p, lambda i, k: f"Sentence: {i + 1}", ("Sentence #", "Word", "Tag"))),
    "token rows and blank lines": ("csv", lambda p: p.write_text("word,tag\n" + "\n".join("".join(f'"{t.replace(chr(34), chr(34) * 2)}",{g}\n' for t, g in zip(*s, strict=True)) for s in SENTENCES))),
    "token rows and empty rows": ("csv", lambda p: _csv(p, [row for s in SENTENCES for row in [*map(list, zip(*s, strict=True)), ["", ""]]], ["word", "tag"])),
    "no header, blank lines": ("csv", lambda p: p.write_text("\n".join("".join(f'"{t.replace(chr(34), chr(34) * 2)}",{g}\n' for t, g in zip(*s, strict=True)) for s in SENTENCES))),
    "semicolons": ("csv", lambda p: p.write_text("sentence;word;tag\n" + "".join(f'{i};"{t.replace(chr(34), chr(34) * 2)}";{g}\n' for i, s in enumerate(SENTENCES) for t, g in zip(*s, strict=True)))),
    "lists of Python": ("csv", lambda p: _csv(p, [[str(t), str(g)] for t, g in SENTENCES], ["tokens", "tags"])),
    "lists of JSON": ("csv", lambda p: _csv(p, [[json.dumps(t), json.dumps(g)] for t, g in SENTENCES], ["id", "tokens", "ner_tags"][1:])),
    "lists of numpy": ("csv", lambda p: _csv(p, [["[" + " ".join(map(repr, t)) + "]", "[" + " ".join(map(repr, g)) + "]"] for t, g in SENTENCES], ["tokens", "tags"])),
    "sentence and tags": ("csv", lambda p: _csv(p, [[" ".join(t), " ".join(g)] for t, g in SENTENCES], ["sentence", "tags"])),
    "sentence and tags, other names": ("tsv", lambda p: p.write_text("source\ttarget_tags\n" + "".join(f"{' '.join(t)}\t{' '.join(g)}\n" for t, g in SENTENCES))),
    "Parquet lists": ("parquet", lambda p: pl.DataFrame({"tokens": [t for t, _ in SENTENCES], "ner_tags": [g for _, g in SENTENCES]}).write_parquet(p)),
    "Parquet rows": ("parquet", lambda p: pl.DataFrame({"sentence_id": [i for i, s in enumerate(SENTENCES) for _ in s[0]], "word": [t for s in SENTENCES for t in s[0]], "tag": [g for s in SENTENCES for g in s[1]]}).write_parquet(p)),
    "JSON lines": ("jsonl", lambda p: _json(p, lambda s: {"tokens": s[0], "ner_tags": s[1]})),
    "JSON list": ("json", lambda p: _json(p, lambda s: {"words": s[0], "ner": s[1]}, listed=True)),
    "JSON, names of one's own": ("jsonl", lambda p: _json(p, lambda s: {"id": 1, "woerter": s[0], "marken": s[1]})),
    "JSON, data inside": ("json", lambda p: p.write_text(json.dumps({"version": 1, "data": [{"tokens": t, "tags": g} for t, g in SENTENCES]}))),
    "spans as lists": ("jsonl", lambda p: _json(p, lambda s: {"text": _spans(s)[0], "label": [x[:3] for x in _spans(s)[1]]})),
    "spans as objects": ("jsonl", lambda p: _json(p, lambda s: {"text": _spans(s)[0], "entities": [dict(zip(("start", "end", "label"), x[:3], strict=True)) for x in _spans(s)[1]]})),
    "spans, numbers as text": ("jsonl", lambda p: _json(p, lambda s: {"text": _spans(s)[0], "entities": [[str(a), str(b), k] for a, b, k, _ in _spans(s)[1]]})),
    "spans, the type first": ("jsonl", lambda p: _json(p, lambda s: {"text": _spans(s)[0], "entities": [[k, a, b] for a, b, k, _ in _spans(s)[1]]})),
    "spans with lengths": ("jsonl", lambda p: _json(p, lambda s: {"text": _spans(s)[0], "entities": [{"offset": a, "length": b - a, "category": k} for a, b, k, _ in _spans(s)[1]]})),
    "spans in other words": ("jsonl", lambda p: _json(p, lambda s: {"text": _spans(s)[0], "entities": [{"BeginOffset": a, "EndOffset": b, "Type": k} for a, b, k, _ in _spans(s)[1]]})),
    "spans in bytes": ("jsonl", lambda p: _json(p, lambda s: dict(zip(("text", "entities"), _shifted(s, 7), strict=True)))),
    "spans in units of UTF-16": ("jsonl", lambda p: _json(p, lambda s: dict(zip(("text", "entities"), _shifted(s, 4), strict=True)))),
    "spans whose end is the last character": ("json", lambda p: _json(p, lambda s: {"text": _spans(s)[0], "entities": [{"begin": a, "end": b, "type": k, "mention": m} for a, b, k, m in _spans(s, 1)[1]]}, listed=True)),
    "spaCy": ("json", lambda p: _json(p, lambda s: [_spans(s)[0], {"entities": [x[:3] for x in _spans(s)[1]]}], listed=True)),
    "CLUENER": ("json", lambda p: _json(p, _by_type)),
    "Label Studio": ("json", lambda p: _json(p, _label_studio, listed=True)),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_hold_the_same_entities(tmp_path, layout):
    suffix, write = LAYOUTS[layout]
    path = tmp_path / f"data.{suffix}"
    write(path)
    task = recognise_task(path)
    assert task.task == "token-classification", task.reason.en
    examples, problems = read_tokens(DataSpec(train=str(path)))
    assert set(examples.classes) == {"PER", "LOC"}
    assert not [p for p in problems if p.severity != "note"]
    spanned = "span" in layout or layout in ("spaCy", "CLUENER", "Label Studio")
    for i, (tokens, tags) in enumerate(SENTENCES):
        ours = [(" ".join(examples.rows[i][a:b]), examples.classes[k]) for a, b, k in examples.target[i]]
        assert ours == [(" ".join(tokens[a:b]), kind) for a, b, kind in _entities(tags)]
        if not spanned:
            assert examples.rows[i] == tuple(tokens)
    assert len(examples) == len(SENTENCES)


UNTAGGED = ["columns", "numbers of words", "numbers of sentences", "tag before the token", "tabs", "token rows", "Kaggle", "token rows and empty rows", "lists of Python", "lists of numpy", "Parquet lists", "Parquet rows", "JSON lines", "JSON list", "sentence and tags"]  # fmt: skip


@pytest.mark.parametrize("layout", UNTAGGED)
def test_new_sentences_are_read_as_those_of_training(tmp_path, layout):
    suffix, write = LAYOUTS[layout]
    path = tmp_path / f"data.{suffix}"
    write(path)
    assert read_new_texts(path, tokens=True) == [tuple(tokens) for tokens, _ in SENTENCES]


# Tags ---------------------------------------------------------------------------------------------------------------

TAGS = {
    "IO": lambda g: "O" if g == "O" else g[2:],
    "IO of finer types": lambda g: {"PER": "person-other", "LOC": "location-city", "": "O"}[g[2:]],
    "IO in other words": lambda g: {"PER": "NAME", "LOC": "PLACE", "": "O"}[g[2:]],
    "I only": lambda g: g if g == "O" else f"I-{g[2:]}",
    "IO, lower case": lambda g: g[2:].lower() or "O",
}


@pytest.mark.parametrize("tags", TAGS)
@pytest.mark.parametrize("separator", [" ", "\t"])
def test_tags_that_mark_no_beginning(tmp_path, tags, separator):
    write_columns(tmp_path / "data.txt", lambda t, g: f"{t}{separator}{TAGS[tags](g)}")
    assert recognise_task(tmp_path / "data.txt").task == "token-classification"
    examples, problems = read_tokens(DataSpec(train=str(tmp_path / "data.txt")))
    assert len(examples.classes) == 2
    assert [[(a, b) for a, b, _ in spans] for spans in examples.target] == [
        [(a, b) for a, b, _ in _entities(g)] for _, g in SENTENCES
    ]
    (note,) = [p for p in problems if p.kind == "columns"]
    assert "Read as IO" in note.sentence.en
    assert "side by side" in note.sentence.en
    assert not [p for p in problems if p.severity != "note"]


NUMBERED = {
    "JSON": ("jsonl", lambda p: _json(p, lambda s: {"tokens": s[0], "ner_tags": _numbers(s[1])})),
    "lists in cells": ("csv", lambda p: _csv(p, [[str(t), str(_numbers(g))] for t, g in SENTENCES], ["tokens", "ner_tags"])),
    "Parquet": ("parquet", lambda p: pl.DataFrame({"tokens": [t for t, _ in SENTENCES], "ner_tags": [_numbers(g) for _, g in SENTENCES]}).write_parquet(p)),
}  # fmt: skip


@pytest.mark.parametrize("layout", NUMBERED)
def test_numbers_need_names_and_the_advice_works(tmp_path, layout):
    suffix, write = NUMBERED[layout]
    path = tmp_path / f"data.{suffix}"
    write(path)
    assert recognise_task(path).task == "token-classification"
    with pytest.raises(DataError, match="numbers from 0 to 4") as caught:
        read_tokens(DataSpec(train=str(path)))
    assert "data.tag_names=[O, B-PER, I-PER]" in str(caught.value)
    with pytest.raises(DataError, match="4 names are given"):
        read_tokens(DataSpec(train=str(path), tag_names=NAMES[:4]))
    examples, _ = read_tokens(DataSpec(train=str(path), tag_names=NAMES))
    assert [[(a, b, examples.classes[k]) for a, b, k in spans] for spans in examples.target] == [
        _entities(g) for _, g in SENTENCES
    ]


def test_the_setting_can_be_typed():
    from weigh.spec_yaml import apply_settings, load_spec

    content = apply_settings({"data": {"train": "x"}, "models": ["hf:x"]}, ["data.tag_names=[O, B-PER, I-PER]"])
    assert load_spec(content).data.columns.tag_names == ["O", "B-PER", "I-PER"]


# Tokens -------------------------------------------------------------------------------------------------------------


def test_nothing_parts_the_sentences(tmp_path):
    write_columns(tmp_path / "data.conll", lambda t, g: f"{t} {g}", gap="")
    with pytest.raises(DataError, match="a single sentence of") as caught:
        read_tokens(DataSpec(train=str(tmp_path / "data.conll")))
    assert "blank line" in str(caught.value)


def test_one_bad_row_costs_its_sentence_only(tmp_path):
    _token_rows(tmp_path / "data.csv")
    lines = (tmp_path / "data.csv").read_text().splitlines()
    lines[3] = "0,in,whatever"
    lines[12] += ",one,too,many"
    (tmp_path / "data.csv").write_text("\n".join(lines))
    examples, problems = read_tokens(DataSpec(train=str(tmp_path / "data.csv")))
    broken = {p.kind: p for p in problems}["broken-row"]
    assert [p.split(":")[1] for p in broken.paths] == ["4", "13"]
    assert len(examples) == len(SENTENCES) - 2


NOT_TOKENS = {
    "texts": ("csv", "text,label\n" + "".join(f"the {w} was good and long,{'a' if i % 2 else 'b'}\n" for i, w in enumerate("xyzuvw" * 4))),
    "short texts": ("csv", "text,label\n" + "".join(f"{w} {i},{'good' if i % 2 else 'bad'}\n" for i, w in enumerate("xyzuvw" * 4))),
    "sizes": ("csv", "product,label\n" + "".join(f"shirt {i},{'SML'[i % 3]}\n" for i in range(24))),
    "yes and no": ("tsv", "".join(f"some words here {i}\t{'yes' if i % 2 else 'no'}\n" for i in range(24))),
    "parts of speech": ("txt", "\n".join(f"a\tDT\ndog{i}\tNN\nruns\tVB\n" for i in range(24))),
    "lists of labels": ("jsonl", "".join(json.dumps({"text": f"words of text {i}", "labels": ["a", "b"][: i % 2 + 1]}) + "\n" for i in range(24))),
    "pairs": ("jsonl", "".join(json.dumps({"sentence1": f"one {i}", "sentence2": f"two {i}", "label": i % 2}) + "\n" for i in range(24))),
    "options": ("csv", "id,question,options,answer\n" + "".join(f"{i},what is it about {i},\"['yes', 'no']\",{'yes' if i % 3 else 'no'}\n" for i in range(24))),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_TOKENS)
def test_other_tables_are_no_tokens(tmp_path, name):
    suffix, content = NOT_TOKENS[name]
    (tmp_path / f"data.{suffix}").write_text(content)
    assert recognise_task(tmp_path / f"data.{suffix}").task != "token-classification"


# Saved datasets and cases -------------------------------------------------------------------------------------------


def test_saved_datasets_know_the_names_of_their_tags(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"id": datasets.Value("string"), "tokens": datasets.Sequence(datasets.Value("string")), "pos": datasets.Sequence(datasets.Value("string")), "ner_tags": datasets.Sequence(datasets.ClassLabel(names=NAMES))})  # fmt: skip
    rows = [
        {"id": str(i), "tokens": t, "pos": ["x"] * len(t), "ner_tags": _numbers(g)}
        for i, (t, g) in enumerate(SENTENCES)
    ]
    made = datasets.Dataset.from_list(rows, features=features)
    datasets.DatasetDict({"train": made, "test": made.select(range(6))}).save_to_disk(tmp_path / "saved")
    assert task_of(DataSpec(train=str(tmp_path / "saved"))) == "token-classification"
    examples, _ = read_tokens(DataSpec(train=str(tmp_path / "saved")))
    assert examples.part.tolist().count("test") == 6
    assert [
        [(a, b, examples.classes[k]) for a, b, k in spans] for spans in examples.target[examples.part == "train"]
    ] == [_entities(g) for _, g in SENTENCES]


READ = {  # case -> settings; all hold 48 or 49 sentences of persons and places
    "c13_ner_as_csv/a_token_rows.csv": {}, "c13_ner_as_csv/b_first_row_named.csv": {}, "c13_ner_as_csv/c_lists_in_cells.csv": {},
    "c13_ner_as_csv/d_sentence_and_tags.csv": {}, "c13_ner_as_csv/e_good.conll": {}, "c14_io_tags/a_io.txt": {},
    "c14_io_tags/b_name_only.conll": {}, "c14_io_tags/c_io_prefix.conll": {}, "c14_io_tags/f_space_in_token.tsv": {},
    "c14_io_tags/g_space_in_token_4col.conll": {}, "c14_io_tags/h_two_tag_columns.conll": {}, "c15_empty_pieces/c_nbsp.conll": {},
    "c15_empty_pieces/d_nbsp_space.conll": {}, "c16_numbered_tags/a_ints.jsonl": {"tag_names": [*NAMES]},
    "c16_numbered_tags/b_names.jsonl": {}, "c16_numbered_tags/c_names.json": {}, "c16_numbered_tags/d_saved": {},
    "v/ner_lf.conll": {}, "v/ner_docstart.conll": {}, "v/nbsp_few_tab.conll": {}, "v/nbsp_few_space.conll": {},
}  # fmt: skip


@pytest.mark.parametrize("case", READ)
def test_cases_are_read(shared, case):
    path = shared / "cases" / case
    if path.is_dir():
        pytest.importorskip("datasets")
    assert recognise_task(path).task == "token-classification"
    examples, problems = read_tokens(DataSpec(train=str(path), **READ[case]))
    assert len(examples.classes) == 2
    assert sum(map(len, examples.target)) > (60 if case.startswith("c") else 11)
    assert not [p for p in problems if p.severity != "note"]


def test_cases_that_are_told(shared):
    with pytest.raises(DataError, match=r"data\.tag_names"):
        read_tokens(DataSpec(train=str(shared / "cases/c16_numbered_tags/a_ints.jsonl")))
    with pytest.raises(DataError, match="a single sentence"):
        read_tokens(DataSpec(train=str(shared / "cases/c14_io_tags/e_one_sentence.conll")))
    assert len(read_new_texts(shared / "cases/c15_empty_pieces/b_new.txt", tokens=True)) == 9


@pytest.mark.parametrize("task", ["", "token-classification"])
def test_the_command_shows_tokens_whether_or_not_the_task_is_said(tmp_path, capsys, task):
    """What a message advises must work: `--task` on a good file failed with "Recipe probe is not for …"."""
    from weigh.cli.main import main

    _token_rows(tmp_path / "data.csv")
    assert main(["data", str(tmp_path / "data.csv"), "-q", *(["--task", task] if task else [])]) == 0
    out = capsys.readouterr().out
    assert "24 sentences" in out
    assert "Tokens: column words; tags: column labels." in out


@pytest.mark.parametrize(
    "task", ["image-classification", "text-classification", "text-regression", "token-classification"]
)
def test_any_task_can_be_said_of_data(tmp_path, capsys, task):
    from weigh.cli.main import main

    (tmp_path / "data.csv").write_text("nothing\nhere\n")
    assert main(["data", str(tmp_path / "data.csv"), "-q", "--task", task]) == 2
    assert "Recipe" not in capsys.readouterr().err


@pytest.mark.parametrize("case", ["e_saved_texts", "f_saved_multilabel"])
def test_cases_of_saved_texts(shared, case):
    from weigh.data.texts.index import read_texts

    pytest.importorskip("datasets")
    path = shared / "cases/c16_numbered_tags" / case
    assert recognise_task(path).task == "text-classification"
    examples, _ = read_texts(DataSpec(train=str(path)))
    assert examples.classes == ("food", "money", "trip")


def test_saved_texts_with_several_labels(tmp_path):
    from weigh.data.texts.index import read_texts

    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"text": datasets.Value("string"), "topics": datasets.Sequence(datasets.ClassLabel(names=["a", "b", "c"]))})  # fmt: skip
    rows = [
        {"text": f"these are the words of text {i}", "topics": [i % 3, *([2] if i % 3 == 0 else [])]} for i in range(24)
    ]
    datasets.Dataset.from_list(rows, features=features).save_to_disk(tmp_path / "saved")
    assert recognise_task(tmp_path / "saved").task == "text-classification"
    examples, _ = read_texts(DataSpec(train=str(tmp_path / "saved")))
    assert examples.classes == ("a", "b", "c")
    assert examples.target.sum() == 32
