"""What a disk damages in a study: never read without a word, repaired where the run can be repeated or a copy is at hand."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.arrays import kind_of, labelled
from tests.record.test_ledger import make_run, outcome
from weigh.data.examples import Examples
from weigh.errors import RecordError, StudyLocked, WeighError
from weigh.notices import notices_to
from weigh.record import tables
from weigh.record.index import read_index, write_index
from weigh.record.ledger import Ledger

KEYS = [f"run{i}" for i in range(12)]
TARGET = np.zeros(9, int)


def runs() -> list:
    return [make_run(key, fold=i, candidate="a" if i < 6 else "b") for i, key in enumerate(KEYS)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A ledger of twelve runs and its copy. Do not change it."""
    folder = tmp_path_factory.mktemp("whole") / "study"
    ledger = Ledger(folder, create=True)
    ledger.set_planned(runs())
    ledger.set_facts(name="whole", identity={"data": "x"}, problems=[])
    ledger.choose("threads", 2)
    rng = np.random.default_rng(0)
    logits = [rng.normal(size=(3, 2)).astype(np.float32) for _ in KEYS]
    outcomes = [outcome(key, answers=one, model={"macs": 1}) for key, one in zip(KEYS, logits, strict=True)]
    ledger.commit(runs(), outcomes, labelled(TARGET))
    ledger.keep_copy()
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "study")
    return tmp_path / "study"


def everything(folder, *, create: bool = False):
    """All that a reader can ask of a ledger, and what is said meanwhile."""
    said: list[str] = []
    with notices_to(lambda sentence: said.append(sentence.en)):
        ledger = Ledger(folder, create=create)
        answers = [
            ledger.records(),
            ledger.unfinished(),
            [ledger.fact(name) for name in ("name", "identity", "problems", "choice:threads", "nothing")],
            ledger.models(),
            ledger.test_looks(),
            [ledger.predictions(record.key)[1].tolist() for record in ledger.records()],
        ]
    return repr(answers), said


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE runs SET fold = 3 WHERE key = 'run1'",
        "UPDATE runs SET status = 'failed' WHERE key = 'run1'",
        "UPDATE runs SET facts = replace(facts, '0.1', '0.3') WHERE key = 'run1'",
        "UPDATE runs SET facts = 'no JSON' WHERE key = 'run1'",
        "UPDATE runs SET facts = x'80ff' WHERE key = 'run1'",
        "UPDATE runs SET repeat = 'zero' WHERE key = 'run1'",
        "UPDATE runs SET digest = (SELECT digest FROM runs WHERE key = 'run2') WHERE key = 'run1'",
        "UPDATE runs SET digest = NULL WHERE key = 'run1'",
        "UPDATE runs SET seal = NULL WHERE key = 'run1'",
        "UPDATE runs SET key = 'run99' WHERE key = 'run1'",
        "UPDATE facts SET value = '3' WHERE key = 'choice:threads'",
        "UPDATE facts SET key = 'choice:thread' WHERE key = 'choice:threads'",
        "UPDATE facts SET value = '3' WHERE key = 'format'",
        "UPDATE planned SET candidate = 'b' WHERE key = 'run1'",
        "UPDATE planned SET position = 100 WHERE key = 'run1'",
        "UPDATE models SET facts = '{\"macs\": 2}'",
        "DROP TABLE looks",
        "ALTER TABLE runs DROP COLUMN cause",
    ],
)
def test_a_damaged_cell_is_never_read(folder, whole, change):
    expected, _ = everything(whole)
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as db, db:
        db.execute(change)
    answers, said = everything(folder)
    assert answers == expected
    assert ["is damaged" in line for line in said] == [True]
    assert everything(folder, create=True) == (expected, said)  # the copy takes its place …
    assert everything(folder) == (expected, [])  # … so that nothing is said again
    (folder / "ledger.copy.sqlite").unlink()
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as db, db:
        db.execute(change)
    for create in (False, True):
        with pytest.raises(RecordError, match="cannot be read"):
            Ledger(folder, create=create)


@pytest.mark.parametrize("word", [b"CREATE", b"TABLE", b"key TEXT", b"planned", b"candidate"])
@pytest.mark.parametrize("byte", [b"\xa0", b"\xe5", b"\xff", b"\x00"])
def test_a_damaged_schema_is_told_even_where_its_words_cannot_be_decoded(folder, whole, word, byte):
    expected, _ = everything(whole)
    path = folder / "ledger.sqlite"
    content = path.read_bytes()
    path.write_bytes(content.replace(word, word[:1] + byte + word[2:]))
    answers, said = everything(folder)
    assert answers == expected
    assert ["is damaged" in line for line in said] == [True]
    shutil.copy(path, folder / "ledger.copy.sqlite")
    with pytest.raises(RecordError, match="cannot be read"):
        Ledger(folder)


def test_a_column_and_a_table_that_somebody_added_do_no_harm(folder, whole):
    with closing(sqlite3.connect(folder / "ledger.sqlite")) as db, db:
        db.execute("ALTER TABLE runs ADD COLUMN note TEXT DEFAULT 'mine'")
        db.execute("ALTER TABLE facts ADD COLUMN extra")
        db.execute("CREATE TABLE mine (x)")
    assert everything(folder) == everything(whole)
    ledger = Ledger(folder, create=True)
    ledger.commit([make_run("new")], [outcome("new")], labelled(TARGET))
    assert ledger.recorded()["new"] == "done"


def _flip(content: bytearray, rng: random.Random) -> None:
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def _zero(content: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(content))
    content[start : start + 4096] = bytes(len(content[start : start + 4096]))


def _cut(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) :]


def _page(content: bytearray, rng: random.Random) -> None:
    one, two = (4096 * rng.randrange(len(content) // 4096) for _ in range(2))
    content[one : one + 4096] = content[two : two + 4096]


@pytest.mark.parametrize("damage", [_flip, _zero, _cut, _page])
@pytest.mark.parametrize("name", ["ledger.sqlite", "both"])
def test_any_damage_of_the_ledger_is_harmless_or_named(folder, whole, damage, name):
    expected, _ = everything(whole)
    rng = random.Random(f"{damage.__name__} {name}")
    content = (whole / "ledger.sqlite").read_bytes()
    for _ in range(12):
        for path in [folder / "ledger.sqlite"] + [folder / "ledger.copy.sqlite"] * (name == "both"):
            damaged = bytearray(content)
            damage(damaged, rng)
            path.write_bytes(damaged)
        try:
            answers, said = everything(folder)
        except WeighError:
            assert name == "both"
            continue
        assert answers == expected or "is damaged" in " ".join(said)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "missing", "another run's", "a folder"])
def test_a_lost_array_is_a_run_that_is_not_recorded(folder, whole, damage):
    expected, _ = everything(whole)
    path, other = folder / "arrays" / "run3.npz", folder / "arrays" / "run4.npz"
    content = path.read_bytes()
    if damage == "flip":
        path.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    if damage == "cut":
        path.write_bytes(content[:-10])
    if damage == "empty":
        path.write_bytes(b"")
    if damage == "another run's":
        shutil.copy(other, path)
    if damage in ("missing", "a folder"):
        path.unlink()
    if damage == "a folder":
        path.mkdir()
    ledger = Ledger(folder)
    assert ledger.lost() == {"run3": "a"}
    assert [record.key for record in ledger.records()] == [key for key in KEYS if key != "run3"]
    assert "run3" not in ledger.recorded()
    assert ledger.unfinished() == {"a": 1}
    sentence = ledger.lost_sentence()
    assert sentence is not None
    assert "missing or damaged: 1 (a)" in sentence.en
    with pytest.raises(RecordError, match="run3 cannot be read") as caught:
        ledger.predictions("run3")
    assert "only this run is repeated" in str(caught.value)
    if damage == "a folder":
        path.rmdir()
    _, logits = Ledger(whole).predictions("run3")
    run = next(run for run in runs() if run.key == "run3")
    ledger.commit([run], [outcome("run3", answers=logits, model={"macs": 1})], labelled(TARGET))
    assert ledger.lost() == {}
    assert everything(folder) == (expected, [])


def test_exchanged_arrays_are_noticed(folder):
    one, two = folder / "arrays" / "run3.npz", folder / "arrays" / "run9.npz"
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert Ledger(folder).lost() == {"run3": "a", "run9": "b"}


def test_runs_with_equal_predictions_have_different_arrays(tmp_path):
    ledger = Ledger(tmp_path, create=True)
    ledger.commit([make_run("a"), make_run("b")], [outcome("a"), outcome("b")], labelled(TARGET))
    assert len({path.read_bytes() for path in (tmp_path / "arrays").iterdir()}) == 2


def test_an_array_is_read_through_once_unless_it_changes(folder, monkeypatch):
    from weigh.record import arrays

    read = []
    hash_file = arrays.hash_file
    monkeypatch.setattr(arrays, "hash_file", lambda path: (read.append(path), hash_file(path))[1])
    for _ in range(3):
        Ledger(folder).records()
    assert len(read) == len(KEYS)


def test_another_program_that_holds_the_ledger_is_said(folder, monkeypatch):
    monkeypatch.setattr(tables, "WAIT", 0.05)
    with closing(sqlite3.connect(folder / "ledger.sqlite", isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StudyLocked, match="locked by another program"):
            Ledger(folder).records()
        db.execute("ROLLBACK")
    assert len(Ledger(folder).records()) == len(KEYS)


def test_an_older_study_is_refused_by_its_format_and_not_as_damage(tmp_path):
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as db, db:
        db.execute("CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        db.execute("INSERT INTO facts VALUES ('format', '1'), ('version', '\"0.3\"')")
    for create in (False, True):
        with pytest.raises(RecordError, match=r"format 1[\s\S]*0\.3"):
            Ledger(tmp_path, create=create)


def test_a_damaged_index_is_named_and_written_anew(tmp_path):
    texts = np.array([f"file{i}" for i in range(20)])
    examples = Examples(
        Path(),
        texts,
        np.arange(20) % 2,
        ("a", "b"),
        np.array(["train"] * 20),
        np.arange(20),
        texts,
        group=texts,
        kind=kind_of(np.arange(20) % 2),
    )
    write_index(tmp_path, examples)
    path = tmp_path / "examples.npz"
    content = path.read_bytes()
    with np.load(path, allow_pickle=False) as stored:  # other programs read it as it is
        assert stored["path"].tolist() == texts.tolist()
    rng = random.Random(0)
    for damage in (_flip, _zero, _cut):
        for _ in range(40):
            damaged = bytearray(content)
            damage(damaged, rng)
            path.write_bytes(damaged)
            if bytes(damaged) != content:
                with pytest.raises(RecordError, match="missing or damaged"):
                    read_index(tmp_path)
    path.unlink()
    with pytest.raises(RecordError, match="missing or damaged"):
        read_index(tmp_path)
    path.write_bytes(content[:100])
    said: list[str] = []
    with notices_to(lambda sentence: said.append(sentence.en)):
        write_index(tmp_path, examples)
        write_index(tmp_path, examples)
    assert len(said) == 1
    assert "written anew" in said[0]
    assert read_index(tmp_path).path.tolist() == texts.tolist()
