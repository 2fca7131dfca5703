"""Others' entity files: aligned with the gold file sentence by sentence, refused with line numbers where they do not fit."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from seqeval.metrics import f1_score, precision_score, recall_score

import weigh
from tests.findings.kinds import TYPES, simulate_entities
from tests.findings.reading import by_id, check
from weigh.cli.main import main
from weigh.data.tables.text_encoding import read_text
from weigh.errors import DataError, SpecError
from weigh.kinds.tags import code_spans
from weigh.metrics.base import METRICS

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")


def tags_of(spans, length):
    return ["O" if c == 0 else f"{'BI'[(c - 1) % 2]}-{TYPES[(c - 1) // 2]}" for c in code_spans(spans, length)]


def write(path, tokens, tags, *, separator="\t", end="\n"):
    blocks = (
        end.join(f"{word}{separator}{tag}" for word, tag in zip(*rows, strict=True))
        for rows in zip(tokens, tags, strict=True)
    )
    path.write_bytes((end + end).join(blocks).encode() + end.encode())
    return path


@pytest.fixture
def sentences():
    rng = np.random.default_rng(0)
    tokens, target = simulate_entities(rng, 120)
    tags = [tags_of(spans, len(words)) for words, spans in zip(tokens, target, strict=True)]
    worse = [row if rng.random() < 0.7 else ["O"] * len(row) for row in tags]
    worst = [row if rng.random() < 0.3 else [t.replace("B-person", "I-location") for t in row] for row in worse]
    return tokens, tags, {"fine": worse, "poor": worst}


@pytest.fixture
def folder(tmp_path, sentences):
    tokens, tags, answers = sentences
    write(tmp_path / "gold.conll", tokens, tags)
    (tmp_path / "out").mkdir()
    write(tmp_path / "out" / "fine.txt", tokens, answers["fine"], separator=" ", end="\r\n")
    write(tmp_path / "out" / "poor", tokens, answers["poor"])
    return tmp_path


def test_scores_are_those_of_seqeval(folder, sentences):
    _, tags, answers = sentences
    reading = weigh.read_predictions(folder / "out", gold=folder / "gold.conll")
    results = reading.results
    assert [c.id for c in results.candidates] == ["fine", "poor"]
    oracles = {"entity_f1": f1_score, "entity_precision": precision_score, "entity_recall": recall_score}
    for name, said in answers.items():
        found = results.out_of_fold(name)
        for metric, oracle in oracles.items():
            ours = METRICS.get(metric).score(found.prediction(0), found.target)
            assert ours == pytest.approx(oracle(tags, said), abs=1e-12)
    findings = reading.findings().file.findings
    assert not [f for f in findings if f.kind == "internal"]
    found = by_id(findings)
    assert found["comparison:fine:poor"].relation == "better"
    assert found["comparison:fine:poor"].claim == "these_models"
    for kind in ("verdict", "reading", "errors:entities", "comparison:fine:poor", "advice"):
        check(found[kind], results)
    assert "column" not in " ".join(n.en for f in findings for n in f.next)


def test_the_command_writes_both_reports(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["read", "--gold", "gold.conll", "out/fine.txt", "out/poor"]) == 0
    assert "fine comes out best" in capsys.readouterr().out
    written = folder / "readings" / "gold"
    english, chinese = ((written / name).read_text(encoding="utf-8") for name in ("report.html", "report.zh.html"))
    assert "weigh read fine.txt poor --gold gold.conll" in english
    assert "排名第一" in chinese
    study = json.loads((written / "findings.json").read_text(encoding="utf-8"))["study"]
    assert (study["primary"], study["task"]) == ("entity_f1", "token-classification")


def refused(folder, name="poor"):
    with pytest.raises(DataError) as caught:
        weigh.read_predictions(folder / "out" / name, gold=folder / "gold.conll")
    return caught.value.render("en")


def lines_of(path):
    return read_text(path).content.split("\n")


def test_a_token_too_few_is_found_with_its_lines(folder):
    path = folder / "out" / "poor"
    lines = lines_of(path)
    del lines[2]
    path.write_text("\n".join(lines))
    said = refused(folder)
    assert "the sentence on line 1 has" in said
    assert "gold file gold.conll it begins on line 1" in said
    assert "They part at line" in said


def test_a_sentence_too_few_is_found(folder, sentences):
    tokens, _, answers = sentences
    write(folder / "out" / "poor", tokens[:-1], answers["poor"][:-1])
    assert "has 119 sentences, the gold file gold.conll has 120" in refused(folder)


def test_a_broken_line_is_named(folder):
    path = folder / "out" / "poor"
    lines = lines_of(path)
    lines[4] = "word X-what"
    path.write_text("\n".join(lines))
    assert "line 5: word X-what" in refused(folder)


def test_another_text_is_refused_and_some_respelling_is_a_note(folder, sentences):
    tokens, _, answers = sentences
    other = [tuple(f"{w}x" for w in row) for row in tokens]
    write(folder / "out" / "poor", other, answers["poor"])
    assert "holds another text" in refused(folder)
    some = [row if i % 4 else other[i] for i, row in enumerate(tokens)]
    write(folder / "out" / "poor", some, answers["poor"])
    reading = weigh.read_predictions(folder / "out" / "poor", gold=folder / "gold.conll")
    (problem,) = [p for p in reading.results.problems if p.kind == "other-tokens"]
    assert problem.numbers["tokens"] == sum(map(len, tokens[::4])) == len(problem.details)


def test_a_system_that_finds_nothing_and_one_with_a_strange_type(folder, sentences):
    tokens, tags, _ = sentences
    write(folder / "out" / "poor", tokens, [["O"] * len(row) for row in tags])
    write(folder / "out" / "fine.txt", tokens, [[t.replace("person", "planet") for t in row] for row in tags])
    reading = weigh.read_predictions(folder / "out", gold=folder / "gold.conll")
    (strange,) = [p for p in reading.results.problems if "planet" in p.sentence.en]
    assert (
        "invented" not in strange.sentence.en
    )  # where the borders are right, the list of mistakes says: of another type
    found = by_id(reading.findings().file.findings)
    assert found["errors:entities"].estimates["wrong_type"].value > found["errors:entities"].estimates["invented"].value
    assert found["verdict"].candidates[0] == "fine"


def test_copies_and_systems_without_an_entity_are_named(folder, sentences):
    tokens, tags, answers = sentences
    write(folder / "out" / "again.txt", tokens, answers["fine"])
    write(folder / "out" / "second.txt", tokens, answers["poor"])
    write(folder / "out" / "mute.txt", tokens, [["O"] * len(row) for row in tags])
    found = {p.kind: p for p in weigh.read_predictions(folder / "out", gold=folder / "gold.conll").results.problems}
    assert found["copied-model"].pairs == (("again", "fine"), ("poor", "second"))
    assert "again = fine; poor = second" in found["copied-model"].sentence.en
    assert found["constant-answer"].sentence.en.startswith("No entity at all: mute.")


def test_tags_that_break_their_scheme_are_named(tmp_path):
    """They are read as the data of a study are; of others' files nothing said so."""
    lines = "".join(f"Anna{i}\tB-PER\nleft\tO\nOslo\tB-LOC\n\n" for i in range(12))
    (tmp_path / "gold.conll").write_text(lines)
    (tmp_path / "one.conll").write_text(lines.replace("B-LOC", "I-LOC", 1))
    (tmp_path / "two.conll").write_text(lines.replace("B-PER", "S-PER"))  # BIOES, where B-LOC is to be closed
    results = weigh.read_predictions(
        tmp_path / "one.conll", tmp_path / "two.conll", gold=tmp_path / "gold.conll"
    ).results
    found = {p.kind: p for p in results.problems}
    assert found["orphan-tag"].numbers == {"tags": 1, "line": 3}
    assert found["orphan-tag"].sentence.en.startswith("one has 1 tag that continues an entity where none began")
    assert found["unclosed-tag"].numbers == {"tags": 12, "line": 3}
    assert found["unclosed-tag"].sentence.en.startswith("two has 12 entities whose ends are not marked")


def test_a_broken_gold_sentence_is_set_aside_for_all(folder):
    path = folder / "gold.conll"
    lines = lines_of(path)
    lines[0] = lines[0].split("\t")[0] + "\tB-person,B-location"
    path.write_text("\n".join(lines))
    reading = weigh.read_predictions(folder / "out", gold=path)
    assert len(reading.results.examples) == 119
    assert any(p.kind == "broken-row" for p in reading.results.problems)


def test_spans_that_do_not_fit_are_named(tmp_path):
    """Texts of the gold file whose entities overlap are set aside for all systems, and said; in a submission they are an error."""
    rows = [
        {
            "text": f"🙂 {a} met {b} in town {i}",
            "entities": [[2, 2 + len(a), "PER"], [7 + len(a), 7 + len(a + b), "PER"]],
        }
        for i, (a, b) in enumerate([("Anna", "Boris"), ("Eve", "Sam"), ("Karl", "Anna")] * 10)
    ]

    def file(name, rows):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path / name

    overlapping = {**rows[3], "entities": [[2, 6, "PER"], [4, 9, "LOC"]]}
    gold = file("gold.jsonl", [*rows[:3], overlapping, *rows[4:]])
    utf16 = [{**r, "entities": [[a + 1, b + 1, kind] for a, b, kind in r["entities"]]} for r in rows]
    one = file("one.jsonl", utf16)
    results = weigh.read_predictions(one, gold=gold).results
    assert len(results.examples) == 29
    said = {p.kind: p.sentence.en for p in results.problems}
    assert "overlap" in said["broken-row"]
    assert "gold.jsonl:4" in said["broken-row"]
    assert "UTF-16" in said["offsets"]
    assert "one.jsonl" in said["offsets"]
    with pytest.raises(DataError, match=r"two.jsonl: 1 text cannot be used \(first: row 4\): entities that overlap"):
        weigh.read_predictions(file("two.jsonl", [*rows[:3], overlapping, *rows[4:]]), gold=one)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_submission_may_call_its_columns_otherwise(tmp_path, suffix):
    rows = [(f"Anna went to Graz {i}", [[0, 4, "PER"], [13, 17, "LOC"]][: 1 + i % 2]) for i in range(12)]

    def file(name, texts, label):
        path = tmp_path / f"{name}.{suffix}"
        written = [{texts: text, label: json.dumps(spans) if suffix == "csv" else spans} for text, spans in rows]
        if suffix == "csv":
            pl.DataFrame(written).write_csv(path)
        elif suffix == "parquet":
            listed = [
                {texts: r[texts], label: [{"start": a, "end": b, "label": k} for a, b, k in r[label]]} for r in written
            ]
            pl.DataFrame(listed).write_parquet(path)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in written))
        return path

    gold = file("gold", "body", "entities")
    one = file("one", "text", "spans")
    settings = ["data.text=body", "data.label=entities"]
    assert len(weigh.read_predictions(one, gold=gold, settings=settings).results.examples) == 12
    with pytest.raises(DataError, match=r"data\.text: .*one.* has no column 'body'"):
        weigh.read_predictions(gold, gold=one, settings=settings)


def test_a_broken_row_of_a_table_of_texts_is_set_aside_for_all(tmp_path):
    """It was no sentence of the gold file: all later ones stood beside the wrong sentence of the other file."""
    rows = [f'{i},Anna went to Graz {i},"[[0, 4, ""PER""], [13, 17, ""LOC""]]"\n' for i in range(12)]
    (tmp_path / "one.csv").write_text("id,text,entities\n" + "".join(rows))
    (tmp_path / "gold.csv").write_text("id,text,entities\n" + "".join([*rows[:5], "5,broken,a,b,c,d\n", *rows[6:]]))
    results = weigh.read_predictions(tmp_path / "one.csv", gold=tmp_path / "gold.csv").results
    assert len(results.examples) == 11
    assert "the 1 sentence they stand in is set aside" in results.problems[0].sentence.en


def test_entities_that_cover_parts_of_words(tmp_path):
    """A file whose entities lay elsewhere in a word was refused: its sentences had other words."""
    texts = [f"Annanin book of {name}s {i} days" for i, name in enumerate(["Eve", "Sam", "Karl"] * 8)]
    spans = [[[0, 4, "PER"], [16, t.index("s ", 16), "PER"]] for t in texts]

    def file(name, spans):
        rows = [{"text": t, "entities": row} for t, row in zip(texts, spans, strict=True)]
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path / name

    half = file("half.jsonl", [row[:1] for row in spans])
    other = file("other.jsonl", [[[0, 7, "PER"], *row[1:]] for row in spans])
    results = weigh.read_predictions(half, other, file("same.jsonl", spans), gold=file("gold.jsonl", spans)).results
    assert [list(results.examples.rows[0])[:2], len(results.examples)] == [["Anna", "nin"], 24]
    metric = METRICS.get("entity_f1")
    held = [results.out_of_fold(name) for name in ("half", "other", "same")]
    assert [metric.score(one.prediction(0), one.target) for one in held] == pytest.approx([2 / 3, 1 / 2, 1])


def test_what_does_not_go_together_is_said(folder):
    with pytest.raises(SpecError, match="not defined for entities"):
        weigh.read_predictions(folder / "out", gold=folder / "gold.conll", settings=["metrics.primary=accuracy"])
    with pytest.raises(SpecError, match="together"):
        weigh.read_predictions(folder / "out", gold=folder / "gold.conll", labels=["labels.npy"])
    with pytest.raises(DataError, match="no file beside"):
        weigh.read_predictions(folder / "gold.conll", gold=folder / "gold.conll")
    with pytest.raises(DataError):
        weigh.read_predictions(folder / "nothing", gold=folder / "gold.conll")


@pytest.mark.shared
def test_the_submissions_of_wnut17(shared):
    """Published by the task (Derczynski et al. 2017, table 5): entity F1 of 41.86, 40.78, 40.42, 39.98, 38.35, 37.06, 26.30."""
    folder = shared / "ner" / "wnut17"
    gold = folder / "emerging.test.annotated"
    reading = weigh.read_predictions(folder / "submissions", gold=gold)
    results, found = reading.results, by_id(reading.findings().file.findings)

    def columns(path):
        blocks = read_text(path).content.replace("\r\n", "\n").strip("\n").split("\n\n")
        return [[line.split()[-1] for line in block.split("\n")] for block in blocks]

    tags = columns(gold)
    scores = {}
    for candidate in results.candidates:
        own = results.out_of_fold(candidate.id)
        file = next(f for f in (folder / "submissions").iterdir() if f.name.startswith(candidate.id))
        scores[candidate.id] = METRICS.get("entity_f1").score(own.prediction(0), own.target)
        assert scores[candidate.id] == pytest.approx(f1_score(tags, columns(file)), abs=1e-12)
    assert {name: round(100 * score, 2) for name, score in scores.items()} == {
        "arcada": 39.98,
        "drexel_cci": 26.30,
        "flytxt": 38.35,
        "mic-cis": 37.06,
        "sjtu_adapt": 40.42,
        "spinningbytes": 40.78,
        "uh_ritual": 41.86,
    }
    assert not [f for f in found.values() if f.kind == "internal"]
    assert found["comparison:uh_ritual:spinningbytes"].relation == "undecided"
    assert found["comparison:uh_ritual:drexel_cci"].relation == "better"
