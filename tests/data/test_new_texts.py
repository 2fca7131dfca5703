"""New texts are read as the training data are, whatever the spelling: one row out per row in, in order, or an error that names the line."""

from __future__ import annotations

import io
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.spellings import LINES, SPELLINGS, write_spelling
from weigh.data.texts.index import read_texts
from weigh.data.texts.new_texts import new_texts, read_new_texts
from weigh.data.written import Written
from weigh.errors import DataError
from weigh.spec import DataSpec

TRAIN = [
    (str(i), f"the {a} was {b} on day {i}", a) for i, (a, b) in enumerate([("soup", "good"), ("bus", "late")] * 20)
]
NEW = [
    "the soup was cold, very cold", "plain words of a text", 'she said "no" and left', "marks \u2028 and \u2029 and \u0085 and \x0c inside",
    'stray 5" quote', "日本の映画はとても良い", "semicolons; and | bars", "x" * 140_000, "tabs are elsewhere", "- a dash first", "the end",
    "'single' quotes, too",
]  # fmt: skip
BREAKS = ["two\nlines, one text", '"all in quotes"', 'ends with a quote"', "ends with a backslash\\"]


def written_of(tmp_path, header="id;body;label", separator=";", name="train.csv", rows=TRAIN) -> Written:
    path = tmp_path / name
    path.write_text("\n".join([*([header] if header else []), *(separator.join(r) for r in rows)]) + "\n", "utf-8")
    examples, _ = read_texts(DataSpec(train=str(path)))
    assert examples.written is not None
    assert Written.from_json(json.loads(json.dumps(examples.written.as_json()))) == examples.written
    return examples.written


@pytest.mark.parametrize("spelling", [*SPELLINGS, *LINES])
def test_every_spelling_gives_the_same_texts(tmp_path, spelling):
    texts = NEW if spelling in LINES else [*NEW, *(BREAKS if spelling != "spark.csv" else BREAKS[:3])]
    path = write_spelling(tmp_path, spelling, texts)
    assert [t for (t,) in read_new_texts(path, written_of(tmp_path))] == texts


@pytest.mark.parametrize(
    ("name", "header", "separator"),
    [("train.jsonl", None, None), ("train.tsv", "id\tbody\tlabel", "\t"), ("train.csv", "label|id|body", "|")],
)
def test_however_the_training_data_are_written(tmp_path, name, header, separator):
    if header is None:
        path = tmp_path / name
        path.write_text("\n".join(json.dumps(dict(zip(("id", "body", "label"), r, strict=True))) for r in TRAIN))
        written = read_texts(DataSpec(train=str(path)))[0].written
    else:
        names = header.split(separator)
        rows = [tuple(dict(zip(("id", "body", "label"), r, strict=True))[n] for n in names) for r in TRAIN]
        written = written_of(tmp_path, header, separator, name, rows)
    for spelling in SPELLINGS:
        assert [t for (t,) in read_new_texts(write_spelling(tmp_path, spelling, NEW), written)] == NEW


# Without names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["test.txt", "test.tsv", "test.csv"])
def test_a_table_without_a_header_is_read_as_the_training_table(tmp_path, name):
    """The very layout of the training file: the label is no part of the text (#14, D23)."""
    rows = [(t, label) for _, t, label in TRAIN]
    separator = "," if name == "test.csv" else "\t"
    written = written_of(tmp_path, None, separator, "train" + name[4:], rows)
    assert not written.named
    path = tmp_path / name
    path.write_text("".join(f"{a}{separator}{b}\n" for a, b in rows[:7]))
    assert read_new_texts(path, written) == [(a,) for a, _ in rows[:7]]
    path.write_text("".join(f"{a}\n" for a, _ in rows[:7]))
    assert read_new_texts(path, written) == [(a,) for a, _ in rows[:7]]


def test_label_first_and_further_columns(tmp_path):
    rows = [(label, str(i), t) for i, (_, t, label) in enumerate(TRAIN)]
    written = written_of(tmp_path, None, "\t", "train.tsv", rows)
    (tmp_path / "n.tsv").write_text("".join(f"{i}\t{t}\n" for _, i, t in rows[:5]))
    assert read_new_texts(tmp_path / "n.tsv", written) == [(t,) for _, _, t in rows[:5]]
    (tmp_path / "n.tsv").write_text("".join(f"{t}\t{i}\n" for _, i, t in rows[:5]))
    with pytest.raises(DataError, match="cannot be told which holds the texts"):
        read_new_texts(tmp_path / "n.tsv", written)
    (tmp_path / "n.tsv").write_text("1\ta text\n2\tanother\n3 no tab\n")
    with pytest.raises(DataError, match=r"Line 3 of .*n.tsv has 1 cell;"):
        read_new_texts(tmp_path / "n.tsv", written)


@pytest.mark.parametrize(("mark", "name"), [("__label__{} ", "fastText"), ("{}:x ", "TREC"), ("{} ", "lines")])
def test_lines_that_begin_with_a_label(tmp_path, mark, name):
    said = [(mark.format("ABCD"[i % 2] * 3), t) for i, (_, t, _) in enumerate(TRAIN)]
    path = tmp_path / "train.all"
    path.write_text("".join(a + t + "\n" for a, t in said))
    examples, _ = read_texts(DataSpec(train=str(path)))
    assert examples.written.layout == name
    assert [t for (t,) in examples.rows] == [t for _, t in said]
    new = tmp_path / "new.all"
    new.write_text("".join(a + t + "\n" for a, t in said[:4]))
    assert read_new_texts(new, examples.written) == [(t,) for _, t in said[:4]]
    new.write_text("".join(t + "\n" for _, t in said[:4]))
    assert read_new_texts(new, examples.written) == [(t,) for _, t in said[:4]]
    if name != "lines":
        new.write_text(said[0][0] + "one\nanother\n")
        with pytest.raises(DataError, match=r"Line 2 of .* does not begin with a label"):
            read_new_texts(new, examples.written)


# Rows that hold no text, lines that cannot be read ------------------------------------------------------------------


def test_empty_rows_are_rows(tmp_path):
    written = written_of(tmp_path)
    for name, content, expected in (
        ("a.csv", "id,body\n1,one\n2,\n3,three\n", ["one", "", "three"]),
        ("b.txt", "one\n\nthree\n", ["one", "", "three"]),
        ("c.csv", "body\none\n\nthree\n", ["one", "", "three"]),
        ("d.csv", "id,body\n1,one\n\n3,three\n", ["one", "three"]),  # no row: a row has two cells
        ("e.jsonl", '{"body": "one"}\n{"id": 2}\n{"body": null}\n', ["one", "", ""]),
        ("f.csv", "id,body\n1,one\nid,body\n3,three\n", ["one", "", "three"]),
        ("g.csv", "id,body\n", []), ("h.txt", "", []), ("i.csv", "body,id\none,1,,,\n", ["one"]),
    ):  # fmt: skip
        (tmp_path / name).write_text(content)
        assert [t for (t,) in read_new_texts(tmp_path / name, written)] == expected, name


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "id,body\n1,one, two\n2,three\n", r"Line 2 of .*a.csv has 3 cells; the header has 2"),
        ("a.csv", "id,body\n1,one, two\n2,three, four\n", r"Line 2 of .*a.csv has 3 cells; the header has 2"),
        ("b.csv", "id,body\n1,one\n2\n", r"Line 3 of .*b.csv has 1 cell;"),
        ("c.jsonl", '{"body": "one"}\n{"body": "two"\n', r"Line 2 of .*c.jsonl is not a JSON object"),
        ("d.json", '[{"body": "one"}, 3]', r"Line 2 of .*d.json is not a JSON object"),
        ("e.json", '{"body": ', "not a JSON object|not valid JSON"),
        ("f.csv", "number,rate\n1,2.5\n2,3.5\n", "no column is called like the texts of the training data"),
        ("g.parquet", "PAR1 no", "cannot be read"),
    ],
)
def test_lines_that_cannot_be_read_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_new_texts(tmp_path / name, written_of(tmp_path))


def test_pairs(tmp_path):
    rows = [(f"{t} {i}", f"{t} again", str(i % 2)) for i, t in enumerate(NEW[:6] * 5)]
    path = tmp_path / "train.csv"
    path.write_text(
        "sentence1|sentence2|label\n" + "".join("|".join(c.replace("|", "/") for c in r) + "\n" for r in rows),
        newline="",
    )
    written = read_texts(DataSpec(train=str(path)))[0].written
    assert written.text == ("sentence1", "sentence2")
    for name, content in {
        "a.csv": "sentence2,n,sentence1\nb,1,a\nd,2,c\n", "b.tsv": "a\tb\nc\td\n", "c.txt": "a\tb\nc\td\n", "d.json": '[["a", "b"], ["c", "d"]]',
        "e.jsonl": '{"sentence1": "a", "sentence2": "b"}\n{"sentence2": "d", "sentence1": "c"}\n',
    }.items():  # fmt: skip
        (tmp_path / name).write_text(content)
        assert read_new_texts(tmp_path / name, written, pair=True) == [("a", "b"), ("c", "d")], name
    (tmp_path / "c.txt").write_text("a\tb\nc\n")
    with pytest.raises(DataError, match="Line 2 of"):
        read_new_texts(tmp_path / "c.txt", written, pair=True)


def test_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("größer\u2028 x\r\nzwei\n".encode())))
    assert read_new_texts("-", None) == [("größer\u2028 x",), ("zwei",)]


def test_the_encoding_of_the_training_data_breaks_a_tie(tmp_path):
    path = tmp_path / "train.csv"
    path.write_bytes(
        ("Text;Klasse\n" + "".join(f"Ten film był świetny, żółć {i};{'ab'[i % 2]}\n" for i in range(30))).encode(
            "cp1250"
        )
    )
    written = read_texts(DataSpec(train=str(path)))[0].written
    assert "1250" in written.encoding
    (tmp_path / "new.csv").write_bytes("Text\nłódź\n".encode("cp1250"))
    assert read_new_texts(tmp_path / "new.csv", written) == [("łódź",)]
    assert read_new_texts(tmp_path / "new.csv", written, encoding="cp1252") == [("³ódŸ",)]


# Sentences ----------------------------------------------------------------------------------------------------------

SENTENCES = [("Anna", "saw", "Paris"), ("we", "went", "home", "."), ("Boris",)]
TAGS = [("B-PER", "O", "B-LOC"), ("O", "O", "O", "O"), ("B-PER",)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [" ", "\t", None])
@pytest.mark.parametrize("document", [False, True])
def test_sentences_in_columns(tmp_path, end, separator, document):
    blocks = [
        end.join(token if separator is None else f"{token}{separator}{tag}" for token, tag in zip(s, t, strict=True))
        for s, t in zip(SENTENCES, TAGS, strict=True)
    ]
    head = f"-DOCSTART-{separator or ' '}O{end}{end}" if document else ""
    (tmp_path / "new.conll").write_bytes((head + (end + end).join(blocks) + end).encode())
    assert read_new_texts(tmp_path / "new.conll", tokens=True) == SENTENCES


def test_sentences_in_lines_and_objects(tmp_path):
    (tmp_path / "a.txt").write_text("\n".join(" ".join(s) for s in SENTENCES) + "\n")
    assert read_new_texts(tmp_path / "a.txt", tokens=True) == SENTENCES
    (tmp_path / "b.txt").write_text("Anna saw Paris\n\nwe went home .\n")
    assert read_new_texts(tmp_path / "b.txt", tokens=True) == [SENTENCES[0], (), SENTENCES[1]]
    (tmp_path / "c.jsonl").write_text("\n".join(json.dumps({"tokens": s}) for s in SENTENCES))
    assert read_new_texts(tmp_path / "c.jsonl", tokens=True) == SENTENCES
    (tmp_path / "d.ndjson").write_text(json.dumps({"text": "Anna saw Paris"}) + "\n{}\n")
    with pytest.raises(DataError, match="Line 2"):
        read_new_texts(tmp_path / "d.ndjson", tokens=True)


@pytest.mark.parametrize(
    ("listed", "pair"),
    [
        (5, False), (None, False), (float("nan"), False), (b"bytes", False), ({"text": "a"}, False), (("a", 1), True),
        (("two", "texts"), False), ("a single text", True), (("a", "b", "c"), True),
    ],
)  # fmt: skip
def test_what_is_no_example_of_the_model_is_named_by_its_place(listed, pair):
    good = ("one", "two") if pair else "one"
    with pytest.raises(DataError, match="Example 2 of the list is not " + ("two texts" if pair else "one text")):
        new_texts([good, listed], pair=pair)
    assert new_texts([good, good], pair=pair).rows.tolist() == [good if pair else (good,)] * 2


@pytest.mark.parametrize("table", [pl.DataFrame({"text": ["a", "b"]}), {"text": ["a", "b"]}, None])
def test_a_table_in_place_of_a_list_is_refused(table):
    """One by one it gives the names of its columns, which would be answered as texts."""
    with pytest.raises(DataError, match="is no list of texts"):
        new_texts(table)


def test_texts_in_place_of_tokens_are_cut_as_those_of_a_file():
    listed = ["Anna saw Oslo.", ("we", "met"), "张三在IBM"]
    cut = [("Anna", "saw", "Oslo", "."), ("we", "met"), ("张", "三", "在", "IBM")]
    assert new_texts(listed, tokens=True).rows.tolist() == cut
    with pytest.raises(DataError, match="Example 1 of the list is not a text or a tuple of tokens"):
        new_texts([("Anna", 5)], tokens=True)


# Anything -----------------------------------------------------------------------------------------------------------

TEXT = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\r\ufeff"), min_size=1, max_size=25
).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(TEXT, min_size=2, max_size=8),
    st.sampled_from(sorted(set(SPELLINGS) - {"spark.csv", "table.parquet", "no header.csv"})),
)
def test_rows_out_are_rows_in(tmp_path_factory, texts, spelling):
    written = Written("CSV", ";", True, True, ("id", "body", "label"), ("body",), ("label",))
    path = write_spelling(tmp_path_factory.mktemp("t"), spelling, texts)
    assert [t for (t,) in read_new_texts(path, written)] == texts
