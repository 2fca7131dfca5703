"""One letter in two Unicode forms is one letter: in class names, parts, groups, columns, settings."""

from __future__ import annotations

import json
import unicodedata

import pytest

from tests.data.picture_files import folder, read, table
from weigh.data.rows.listing import Listing
from weigh.data.rows.one_form import compose_names
from weigh.data.sentences.index import read_tokens
from weigh.data.texts.index import read_texts
from weigh.data.texts.new_texts import read_new_texts
from weigh.spec import DataSpec, DesignSpec


def nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def nfd(name: str) -> str:
    return unicodedata.normalize("NFD", name)


NAMES = ["Brötchen", "한글", "Tiếng Việt", "Å", "ёлка", "が"]


@pytest.mark.parametrize("name", NAMES)
def test_parts_of_two_systems_have_the_same_classes(tmp_path, name):
    assert nfc(name) != nfd(name)
    folder(tmp_path, [f"train/{nfc(name)}/1.png", "train/Apfel/2.png", f"test/{nfd(name)}/3.png", "test/Apfel/4.png"])
    examples, problems = read(tmp_path)
    assert set(examples.classes) == {nfc(name), "Apfel"}
    assert examples.part.tolist().count("test") == 2
    assert "unknown-class" not in problems


@pytest.mark.parametrize("name", NAMES)
def test_two_folders_of_one_name_are_one_class_and_it_is_said(tmp_path, name):
    folder(tmp_path, [f"{nfc(name)}/1.png", f"{nfd(name)}/2.png", "Apfel/3.png"])
    examples, problems = read(tmp_path)
    assert len(examples.classes) == 2
    assert len(examples) == 3
    assert name in nfd(problems["class-names"].sentence.en) or nfc(name) in problems["class-names"].sentence.en


def test_further_test_sets_and_groups(tmp_path):
    name = "Köln"
    folder(tmp_path, [f"a/{nfc(name)}/1.png", "a/x/2.png", f"b/{nfd(name)}/3.png", "b/x/4.png"])
    examples, problems = read(tmp_path / "a", shifted={"b": str(tmp_path / "b")})
    assert len(examples) == 4
    assert "unknown-class" not in problems
    folder(tmp_path, ["p/1.png", "p/2.png", "p/3.png", "p/4.png"])
    text = f"path,label,ort\np/1.png,x,{nfc(name)}\np/2.png,y,{nfd(name)}\np/3.png,x,Ulm\np/4.png,y,Ulm\n"
    examples, _ = read(table(tmp_path, text), columns={"group": "ort"})
    assert set(examples.group) == {nfc(name), "Ulm"}


def test_several_labels_in_one_cell(tmp_path):
    folder(tmp_path, [f"p/{i}.png" for i in range(4)])
    text = "path,label\n" + "".join(
        f"p/{i}.png,{(nfc, nfd)[i % 2]('süß')}|{'rot' if i < 2 else 'blau'}\n" for i in range(4)
    )
    examples, _ = read(table(tmp_path, text), label_separator="|")
    assert set(examples.classes) == {nfc("süß"), "rot", "blau"}
    assert examples.target.sum() == 8


def test_types_of_entities(tmp_path):
    lines = [f"Wort B-{form('GRÖSSE')}\nund O\n" for form in (nfc, nfd, nfc)]
    (tmp_path / "train.conll").write_text("\n".join(lines), "utf-8")
    examples, _ = read_tokens(DataSpec(train=str(tmp_path / "train.conll")))
    assert examples.classes == (nfc("GRÖSSE"),)


def test_what_a_user_types_is_compared_in_the_same_form():
    spec = DataSpec(
        train="x", positive=nfd("schön"), columns={"label": nfd("Größe"), "path": nfd("Bïld")}, slices=[nfd("Ort ö")]
    )
    assert (spec.positive, spec.columns.label, spec.columns.path) == (nfc("schön"), nfc("Größe"), nfc("Bïld"))
    assert spec.slices == [nfc("Ort ö")]
    assert DesignSpec(group_by=nfd("Größe")).group_by == nfc("Größe")
    assert DataSpec(train=nfd("Größe")).train == nfd("Größe")  # a path is what it is on disk


def test_names_that_are_no_letters_stay(tmp_path):
    listing = Listing(tmp_path, ["a"], ["①  ﬁ"], ["train"], [0])
    assert compose_names(listing) == []
    assert listing.label == ["①  ﬁ"]  # compatibility forms are other names


@pytest.mark.parametrize("case", ["a_parts", "b_both"])
def test_cases_of_unicode_forms(shared, case):
    examples, problems = read(shared / "cases" / "c10_unicode_forms" / case)
    assert examples.classes == ("Apfel", nfc("Brötchen"))
    assert len(examples) == len(list((shared / "cases" / "c10_unicode_forms" / case).rglob("*.jpg")))
    assert "unknown-class" not in problems


def test_case_of_a_table_in_the_other_form(shared):
    examples, problems = read(shared / "cases" / "c10_unicode_forms" / "c_table" / "labels.csv")
    assert examples.classes == ("Apfel", nfc("Brötchen"))
    assert len(examples) == 24
    assert "missing" not in problems


def test_predictions_in_the_other_form_are_right_answers(tmp_path):
    import weigh

    rows = ["example,label,model,prediction"]
    rows += [f"{nfc('é')}{i},{nfc(c)},m,{nfd(c)}" for i, c in enumerate(["Brötchen", "Äpfel"] * 12)]
    (tmp_path / "t.csv").write_text("\n".join(rows), "utf-8")
    results = weigh.read_predictions(tmp_path / "t.csv").results
    assert set(results.examples.classes) == {nfc("Brötchen"), nfc("Äpfel")}
    probable = [f"example,label,model,p:{nfd('Brötchen')},p:Apfel"]
    probable += [f"{i},{nfc('Brötchen') if i % 2 else 'Apfel'},m,{i % 2},{1 - i % 2}" for i in range(24)]
    (tmp_path / "p.csv").write_text("\n".join(probable), "utf-8")
    assert set(weigh.read_predictions(tmp_path / "p.csv").results.examples.classes) == {nfc("Brötchen"), "Apfel"}


def test_case_of_predictions_in_two_forms(shared):
    import weigh

    results = weigh.read_predictions(shared / "cases" / "c10_unicode_forms" / "d_read.csv").results
    assert results.examples.classes == ("Apfel", "Birne", nfc("Brötchen"))


def test_columns_of_texts(tmp_path):
    """The first line of a table, and names in JSON that are written in one form here and in another there."""
    rows = [("ab"[i % 2], f"the words of text {i}") for i in range(20)]
    cells = [f"{nfd('Größe')},{nfd('süß')}", *(",".join(row) for row in rows)]
    (tmp_path / "t.csv").write_text("\n".join(cells) + "\n", "utf-8")
    forms = [(form("Größe"), form("süß")) for form in (nfc, nfd)]
    objects = [json.dumps(dict(zip(forms[i // 7 % 2], row, strict=True))) for i, row in enumerate(rows)]
    (tmp_path / "t.jsonl").write_text("\n".join(objects) + "\n", "utf-8")
    for name in ("t.csv", "t.jsonl"):
        examples, _ = read_texts(DataSpec(train=str(tmp_path / name), text=nfd("süß"), label=nfc("Größe")))
        assert [examples.classes[t] for t in examples.target] == [label for label, _ in rows]
        assert examples.rows.tolist() == [(words,) for _, words in rows]
        assert read_new_texts(tmp_path / name, examples.written) == [(words,) for _, words in rows]


def test_blanks_around_a_group_make_no_other_group(tmp_path):
    """One patient on both sides of a fold; cells without a name stay groups of their own."""
    written = ["P1", "P1 ", "\u00a0P1", "P2", " "]
    listing = Listing(tmp_path, list("abcde"), ["x"] * 5, ["train"] * 5, list(range(5)), group=written)
    assert compose_names(listing) == []
    assert listing.group == ["P1", "P1", "P1", "P2", ""]
