"""A table means the same however it is written: R, spreadsheets, Spark, old Macs, files put together; what does not fit is named."""

from __future__ import annotations

import csv
import gzip
import io
import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weigh.data.readers import read_and_check, task_of
from weigh.data.recognition.tasks import recognise_task
from weigh.data.tables.frames import LARGE, read_frame
from weigh.data.tables.roles import first_is_header
from weigh.data.tables.table_files import read_table
from weigh.data.texts.tables import read_text_table
from weigh.errors import DataError, SpecError, WeighError
from weigh.spec import ColumnsSpec, DataSpec

TEXTS = [
    f"the {a} was {b} on day {i}" for i, (a, b) in enumerate([("soup", "good"), ("bus", "late"), ("film", "long")] * 20)
]
KINDS = ["food", "trip", "film"] * 20
ROWS = list(zip(TEXTS, KINDS, strict=True))
WANTED = {"text": TEXTS, "label": KINDS}


def lines(*more: str, end: str = "\n", separator: str = ",", rows=ROWS) -> str:
    return end.join([*more, *(separator.join(row) for row in rows)]) + end


def numbered(mark: str = "", separator: str = "\t") -> list[str]:
    return [separator.join(f"{mark}{c}{mark}" for c in (str(i), *row)) for i, row in enumerate(ROWS, 1)]


SPELLINGS = {
    "comma": ("t.csv", lines("text,label")),
    "semicolon": ("t.csv", lines("text;label", separator=";")),
    "tab": ("t.tsv", lines("text\tlabel", separator="\t")),
    "bar": ("t.csv", lines("text|label", separator="|")),
    "tab in a .csv": ("t.csv", lines("text\tlabel", separator="\t")),
    "CRLF": ("t.csv", lines("text,label", end="\r\n")),
    "lone CR": ("t.csv", lines("text,label", end="\r")),
    "lone CR, tabs": ("t.tsv", lines("text\tlabel", separator="\t", end="\r")),
    "no end": ("t.csv", lines("text,label").rstrip("\n")),
    "blank lines": ("t.csv", lines("text,label").replace("\n", "\n\n")),
    "blanks around names": ("t.csv", lines(" text , label")),
    "mark": ("t.csv", "\ufeff" + lines("text,label")),
    "R, tabs and quotes": ("t.tsv", "\n".join(['"text"\t"label"', *numbered('"')]) + "\n"),
    "R, tabs": ("t.tsv", "\n".join(["text\tlabel", *numbered()]) + "\n"),
    "R, comma": ("t.csv", "\n".join(['"text","label"', *numbered('"', ",")]) + "\n"),
    "R's write.csv": ("t.csv", "\n".join(['"","text","label"', *numbered('"', ",")]) + "\n"),
    "separator at the end": ("t.csv", "\n".join(["text,label", *(",".join(r) + "," for r in ROWS)]) + "\n"),
    "and in the header": ("t.csv", "\n".join(["text,label,", *(",".join(r) + "," for r in ROWS)]) + "\n"),
    "several at the end": ("t.csv", "\n".join(["text,label", *(",".join(r) + ",,," for r in ROWS)]) + "\n"),
    "header again": ("t.csv", lines("text,label", *(",".join(r) for r in ROWS[:9]), "text,label", rows=ROWS[9:])),
    "header again with a mark": (
        "t.csv",
        "\ufeff" + lines("text,label", *(",".join(r) for r in ROWS[:9]), "\ufefftext,label", rows=ROWS[9:]),
    ),
    "JSON lines": ("t.jsonl", "\n".join(json.dumps({"text": a, "label": b}) for a, b in ROWS)),
    "JSON list": ("t.json", json.dumps([{"text": a, "label": b} for a, b in ROWS])),
    "JSON list inside": (
        "t.json",
        json.dumps({"version": 1, "data": [{"text": a, "label": b} for a, b in ROWS]}, indent=1),
    ),
    "JSON columns": ("t.json", json.dumps({"text": TEXTS, "label": KINDS})),
    "JSON of pandas": ("t.json", json.dumps({"text": dict(enumerate(TEXTS)), "label": dict(enumerate(KINDS))})),
    "JSON of pandas, split": (
        "t.json",
        json.dumps({"columns": ["text", "label"], "index": [*range(60)], "data": ROWS}),
    ),
    "JSON of pandas, by row": (
        "t.json",
        json.dumps({str(i): {"text": a, "label": b} for i, (a, b) in enumerate(ROWS)}),
    ),
    "blanks before quotes": ("t.csv", '"text", "label"\n' + "".join(f'"{a}", "{b}"\n' for a, b in ROWS)),
    "sep=": ("t.csv", "sep=;\r\n" + lines("text;label", separator=";", end="\r\n")),
    "header again in other letters": (
        "t.csv",
        lines("text,label", *(",".join(r) for r in ROWS[:9]), "Text,LABEL", rows=ROWS[9:]),
    ),
    ".ndjson": ("t.ndjson", "\r\n".join(json.dumps({"label": b, "text": a}) for a, b in ROWS)),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("packed", [False, True])
def test_one_table_in_many_spellings(tmp_path, spelling, packed):
    name, content = SPELLINGS[spelling]
    path = tmp_path / (name + ".gz" * packed)
    raw = content.encode()
    path.write_bytes(gzip.compress(raw) if packed else raw)
    table = read_table(path)
    assert {n: table.columns[n] for n in ("text", "label")} == WANTED
    assert not table.broken
    assert bool(table.repeated) == ("again" in spelling)
    examples, _ = read_and_check(DataSpec(train=str(path)), task_of(DataSpec(train=str(path))))
    assert (len(examples), examples.classes) == (60, ("film", "food", "trip"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "cp1252"])
def test_encodings_of_spreadsheets(tmp_path, encoding):
    (tmp_path / "t.txt").write_bytes(lines("text\tlabel", separator="\t").encode(encoding))
    assert read_table(tmp_path / "t.txt").columns == WANTED


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\u0085", "\x0c", "\x0b", "\x1c", "\x1e"])
@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.tsv"])
def test_a_line_ends_at_line_breaks_only(tmp_path, mark, name):
    rows = [(a.replace(" was", mark + "was", 1), b) for a, b in ROWS]
    separator = "\t" if name == "t.tsv" else ","
    written = lines(f"text{separator}label", separator=separator, rows=rows)
    if name == "t.jsonl":
        written = "\n".join(json.dumps({"text": a, "label": b}, ensure_ascii=False) for a, b in rows)
    (tmp_path / name).write_text(written, "utf-8", newline="")
    assert read_table(tmp_path / name).columns["text"] == [a for a, _ in rows]


def test_lone_carriage_returns_with_line_breaks_inside_of_cells(tmp_path):
    """Spreadsheets of old Macs: rows end with CR, and LF stands inside of quoted cells."""
    (tmp_path / "t.csv").write_bytes(b'text,label\r"one\ntwo",a\r"three",b\r')
    assert read_table(tmp_path / "t.csv").columns == {"text": ["one\ntwo", "three"], "label": ["a", "b"]}
    (tmp_path / "u.csv").write_bytes(b'text,label\n"one\rtwo",a\nthree,b\n')
    assert read_table(tmp_path / "u.csv").columns["text"] == ["one\rtwo", "three"]


@pytest.mark.parametrize("everything", [False, True])
def test_quotes_behind_a_backslash(tmp_path, everything):
    said = [
        ('She said "no", and left', "a"),
        ("plain", "b"),
        ('back\\slash and "quote"', "a"),
        ('ends with "it"', "b"),
    ] * 5
    out = io.StringIO()
    quoting = csv.QUOTE_ALL if everything else csv.QUOTE_MINIMAL
    csv.writer(out, doublequote=False, escapechar="\\", quoting=quoting, lineterminator="\n").writerows(
        [("text", "label"), *said]
    )
    (tmp_path / "t.csv").write_text(out.getvalue())
    table = read_table(tmp_path / "t.csv")
    assert table.columns["text"] == [a for a, _ in said]
    assert not table.broken


def test_a_stray_quote_costs_nothing(tmp_path):
    content = lines("id,text,label", rows=[(str(i), *row) for i, row in enumerate(ROWS)])
    content = content.replace("the bus was late on day 4", '"the bus was late on day 4').replace("day 13,", 'day 13",')
    (tmp_path / "t.csv").write_text(content)
    table = read_table(tmp_path / "t.csv")
    assert len(table.lines) == 60
    assert table.columns["text"][4] == '"the bus was late on day 4'
    assert table.columns["text"][5] == TEXTS[5]


def test_a_cell_of_several_lines_stays_one(tmp_path):
    rows = [(f"Dear Sir,\nplease, come {i}\n", "ab"[i % 2]) for i in range(30)]
    out = io.StringIO()
    csv.writer(out).writerows([("text", "label"), *rows])
    (tmp_path / "t.csv").write_text(out.getvalue(), newline="")
    assert [c.replace("\r\n", "\n") for c in read_table(tmp_path / "t.csv").columns["text"]] == [a for a, _ in rows]


def test_lines_above_a_table_are_named(tmp_path):
    (tmp_path / "t.csv").write_text("# made on Monday\n# by me\n" + lines("text,label"))
    table = read_table(tmp_path / "t.csv")
    assert (table.columns, list(table.broken)) == (WANTED, [1, 2])


# Headers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        [(f"message {i} of a person", f"intent_{i}") for i in range(5)] * 1 + [(f"message {i} of a person", f"intent_{i % 77}") for i in range(5, 1000)],
        [(f"short {i}", f"c{i % 300}") for i in range(1000)],
        [(f"class_{i % 90}", f"what did person {i} say about it", str(i)) for i in range(1000)],
        [(f"doc{i}", f"a text of some words {i}", f"topic {i % 150}") for i in range(1000)],
        [(f"question {i}", f"{(i * 7) % 50 / 10}") for i in range(1000)],
        [("title", "a text about the title of a book"), *[(("title", "plot")[i % 2], f"some words about book {i}") for i in range(999)]],
    ],
)  # fmt: skip
@pytest.mark.parametrize("separator", ["\t", ","])
def test_a_table_without_a_header_keeps_its_first_row(tmp_path, rows, separator):
    path = tmp_path / ("t.tsv" if separator == "\t" else "t.csv")
    path.write_text(lines(separator=separator, rows=rows))
    table = read_table(path)
    assert (table.named, len(table.lines)) == (False, len(rows))
    assert [table.columns[str(i + 1)][0] for i in range(len(rows[0]))] == list(rows[0])


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (("Satz", "Klasse"), ROWS), (("utterance said", "act"), ROWS), (("column_a", "column_b"), ROWS),
        (("Aussage", "Wert"), [(t, f"{i / 7:.2f}") for i, t in enumerate(TEXTS)]),
        (("Bild", "Art"), [(f"a/{i}.jpg", "xy"[i % 2]) for i in range(50)]),
        (("评价内容", "情感"), [(f"第{i}份外卖味道不错，送餐也很快", "好差"[i % 2]) for i in range(50)]),
    ],
)  # fmt: skip
def test_headers_of_unknown_names_are_headers(names, rows):
    assert first_is_header([list(names), *map(list, rows)])
    assert not first_is_header([list(row) for row in rows])


def test_numbers_of_columns_say_that_there_is_no_header(tmp_path):
    rows = [("name", "opinion of a person"), *[(f"n{i}", f"some words of person {i}") for i in range(30)]]
    (tmp_path / "t.csv").write_text(lines(rows=rows))
    assert len(read_table(tmp_path / "t.csv", ("2", "1")).lines) == 31


# Looks --------------------------------------------------------------------------------------------------------------


def pictures(tmp_path, caption: str) -> str:
    from PIL import Image

    written = ["path,label,caption"]
    for i in range(12):
        name = f"{i}.png"
        Image.new("RGB", (8, 8), (i * 20, 99, 255 - i * 20)).save(tmp_path / name)
        written.append(f"{name},{'cat' if i % 2 else 'dog'},{caption if i == 4 else 'A small animal'}")
    (tmp_path / "t.csv").write_text("\n".join(written) + "\n", "utf-8")
    return str(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("caption", "left"),
    [
        ("big, and grey", 11),
        ('"never closed', 12),
        ('5" tall', 12),
        ("line\u2028mark", 12),
        ("a,b,c,d", 11),
        ('"x" y', 12),
    ],
)
def test_a_table_of_pictures_stays_one(tmp_path, caption, left):
    """One odd caption made it a study of texts."""
    path = pictures(tmp_path, caption)
    assert recognise_task(path).task == "image-classification"
    examples, problems = read_and_check(DataSpec(train=path), "image-classification")
    kinds = {p.kind: p for p in problems}
    assert len(examples) == left
    assert ("broken-row" in kinds) == (left < 12)
    if left < 12:
        assert kinds["broken-row"].paths == ("t.csv:6",)
    assert "Not used: caption." in kinds["columns"].sentence.en or "caption" in examples.slices


def test_the_error_of_the_reader_that_a_file_looks_like_is_shown(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"text": "a"\n{"text": "b"\n')
    with pytest.raises(SpecError, match=r"Line 1 of .*t.jsonl is not a JSON object"):
        task_of(DataSpec(train=str(tmp_path / "t.jsonl")))
    (tmp_path / "t.json").write_text('[{"text": "a", "label": 1},]')
    with pytest.raises(SpecError, match=r"not valid JSON .*column"):
        task_of(DataSpec(train=str(tmp_path / "t.json")))
    (tmp_path / "t.csv").write_text(lines("id,text", rows=[(str(i), t) for i, t in enumerate(TEXTS)]))
    with pytest.raises(SpecError, match=r"(?s)no column holds labels \(id, text\).*data.label=NAME"):
        task_of(DataSpec(train=str(tmp_path / "t.csv")))
    odd = [(t, f"answer {i}") for i, t in enumerate(TEXTS)]
    (tmp_path / "u.csv").write_text(lines("text,label", rows=odd))
    with pytest.raises(SpecError, match="60 different values in 60 rows"):
        task_of(DataSpec(train=str(tmp_path / "u.csv")))


def test_no_row_can_be_used_says_why(tmp_path):
    (tmp_path / "t.csv").write_text("text,label\n" + "".join(f"{t}\n" for t in TEXTS))
    with pytest.raises(WeighError, match=r"(?s)(too many or too few cells|hold no label)"):
        read_and_check(
            DataSpec(train=str(tmp_path / "t.csv"), columns=ColumnsSpec(text="text", label="label")),
            "text-classification",
        )


def test_absolute_paths_name_the_root_that_helps(tmp_path):
    from PIL import Image

    (tmp_path / "elsewhere" / "more").mkdir(parents=True)
    (tmp_path / "tables").mkdir()
    rows = []
    for i in range(12):
        path = tmp_path / "elsewhere" / ("more" if i % 3 else "") / f"{i}.png"
        Image.new("RGB", (8, 8), (i * 20, 99, 255 - i * 20)).save(path)
        rows.append((str(path), "ab"[i % 2]))
    (tmp_path / "tables" / "t.csv").write_text(lines("path,label", rows=rows))
    spec = DataSpec(train=str(tmp_path / "tables" / "t.csv"))
    with pytest.raises(DataError, match="Paths are absolute") as caught:
        read_and_check(spec, "image-classification")
    root = caught.value.do.en.rpartition("data.root=")[2]
    assert root == str(tmp_path / "elsewhere")
    examples, _ = read_and_check(spec.model_copy(update={"root": root}), "image-classification")
    assert len(examples) == 12


@pytest.mark.parametrize("labels", [("0", "1"), ("pos", "neg"), ("1", "2", "3", "4", "5")])
def test_lines_sorted_by_their_labels(tmp_path, labels):
    """Files called .all, of a label and a sentence, one class after the other: the beginning shows one class only."""
    rows = [(k, f"{t}, as was said by many people there {n}") for k in labels for n in range(150) for t in TEXTS[:30]]
    (tmp_path / "custrev.all").write_text(lines(separator=" ", rows=rows))
    spec = DataSpec(train=str(tmp_path / "custrev.all"))
    assert task_of(spec) == "text-classification"
    table = read_text_table(tmp_path / "custrev.all", ColumnsSpec())
    assert (len(table.lines), set(table.columns["label"])) == (len(rows), set(labels))


@pytest.mark.parametrize("name", ["devel", "development", "dev", "valid"])
def test_names_of_development_parts(tmp_path, name):
    for part, n in (("train", 40), (name, 12), ("test", 12)):
        (tmp_path / f"{part}.tsv").write_text(lines(separator="\t", rows=[(f"{t} {part}", k) for t, k in ROWS[:n]]))
    examples, problems = read_and_check(DataSpec(train=str(tmp_path)), "text-classification")
    assert (len(examples.where("train")), len(examples.where("test"))) == (52, 12)
    assert "left-out" not in {p.kind for p in problems}


# Frames -------------------------------------------------------------------------------------------------------------


def test_large_plain_tables_are_read_alike(tmp_path, monkeypatch):
    content = lines("text,label")
    (tmp_path / "t.csv").write_text(content)
    slow = read_frame(tmp_path / "t.csv").frame
    monkeypatch.setattr("weigh.data.tables.frames.LARGE", 10)
    fast = read_frame(tmp_path / "t.csv").frame
    assert len(content) < LARGE
    assert fast.equals(slow)
    (tmp_path / "t.csv").write_text(content + "one,two,three\n")
    with pytest.raises(DataError, match=r"Line 62 of .* has 3 cells; the header has 2"):
        read_frame(tmp_path / "t.csv")


def test_parquet_put_together_with_its_header(tmp_path):
    pl.DataFrame(
        {"text": [*TEXTS[:30], "text", *TEXTS[30:]], "label": [*KINDS[:30], "label", *KINDS[30:]]}
    ).write_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert table.columns == WANTED
    assert table.repeated == [31]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\ufeff"), min_size=1, max_size=12), min_size=2, max_size=2), min_size=3, max_size=9),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
)  # fmt: skip
def test_what_the_standard_library_writes_is_read_back(tmp_path_factory, rows, separator, end):
    out = io.StringIO()
    csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator=end).writerows(
        [("text", "label"), *rows]
    )
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(out.getvalue().encode())
    table = read_table(path, ("text", "label"), header=True)
    expected = [r for r in rows if not (r[0].strip() == "text" and r[1].strip() == "label")]
    cells = [[(c or "") for c in row] for row in zip(*table.columns.values(), strict=True)]
    if end == "\n":
        assert cells == expected
    else:  # inside of cells the two ends of a line cannot be told apart
        assert [[c.replace("\r\n", "\n") for c in r] for r in cells] == [
            [c.replace("\r\n", "\n") for c in r] for r in expected
        ]


def test_columns_of_one_name_are_said_and_each_can_be_used(tmp_path):
    from weigh.data.readers import read_and_check
    from weigh.spec import DataSpec

    rows = "".join(f"what is said of number {i},{i % 2},{'abc'[i % 3]}\n" for i in range(30))
    (tmp_path / "t.csv").write_text("text,label,label\n" + rows)
    path = str(tmp_path / "t.csv")
    examples, problems = read_and_check(DataSpec(train=path), "text-classification")
    (said,) = [p for p in problems if p.kind == "doubled-column"]
    assert examples.classes == ("0", "1")
    assert "'label (2)'" in said.do.en
    assert read_and_check(DataSpec(train=path, label="label (2)"), "text-classification")[0].classes == ("a", "b", "c")
