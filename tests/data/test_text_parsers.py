"""Quotes, separators, encodings and broken lines of tables: read as the standard library reads them, or named."""

from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.text_files import both, read, sentences, table
from weigh.data.tables.records import parse_separated, quotes_matter
from weigh.data.tables.text_encoding import decode
from weigh.findings.data_problems import findings_from_problems

cells = st.lists(
    st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\0"), max_size=12),
    min_size=2,
    max_size=4,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(cells, min_size=1, max_size=8), st.sampled_from([",", ";", "\t"]))
def test_quoted_tables_read_as_the_standard_library_reads_them(rows, separator):
    out = io.StringIO()
    csv.writer(out, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    assert [r.cells for r in parse_separated(out.getvalue(), separator, quoted=True)] == rows


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs",)), max_size=200), st.booleans())
def test_no_text_breaks_the_parser(content, quoted):
    records = parse_separated(content, ",", quoted=quoted)
    lines = [r.line for r in records]
    assert lines == sorted(set(lines))
    if not quoted:
        assert len(records) == sum(bool(line.strip()) for line in content.split("\n"))


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0\ufeff"), max_size=80))
def test_utf8_and_utf16_are_read_back(content):
    for encoding, name in (("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16")):
        assert decode(content.encode(encoding)) == (content, name)


def test_encodings_are_told_apart_and_said(tmp_path):
    chinese = [("1" if i % 2 else "0", f"第{i}份外卖味道不错，送餐也很快") for i in range(30)]
    western = [("1" if i % 2 else "0", f"le café numéro {i} était très bon, déjà élu") for i in range(30)]
    for rows, encoding, name in (
        (chinese, "gb18030", "GB 18030"),
        (western, "cp1252", "Windows-1252"),
        (chinese, "utf-16", "UTF-16"),
    ):
        path = tmp_path / f"{encoding}.tsv"
        path.write_bytes("\n".join("\t".join(r) for r in rows).encode(encoding))
        examples, found = read(path)
        assert [t for (t,) in examples.rows] == [r[1] for r in rows]
        assert name in found["encoding"].sentence.en
    assert decode(b"\x00\x01\x02\x00" * 100) is None
    damaged = "\n".join(r[1] for r in chinese).encode()
    found = decode(damaged[:301] + b"\xff" + damaged[301:])
    assert found is not None
    assert found.encoding == "UTF-8 (damaged)"


def test_quotes_between_tabs(tmp_path):
    assert not quotes_matter('0\t"Hello," he said\n1\t"a" and "b"\n', "\t")
    assert quotes_matter('0\t"He said ""hi"""\n1\tplain\n', "\t")
    assert not quotes_matter('0\t"unfinished\n1\tplain\n', "\t")
    rows = [("1" if i % 2 else "0", f'"{s}" he said' if i % 3 else f'"{s}') for i, s in enumerate(sentences(30))]
    examples, found = read(table(tmp_path / "glue.tsv", rows))
    assert [t for (t,) in examples.rows] == [r[1] for r in rows]
    assert "broken-row" not in found


def test_broken_lines_are_named_and_cost_only_themselves(tmp_path):
    said = sentences(40)
    lines = [f"{i % 2},{s}" for i, s in enumerate(said)]
    lines[5] = f"1,{said[5]}, with a comma"
    lines[9] = '0,"never closed'
    lines[20] = "1"
    (tmp_path / "d.csv").write_text("label,text\n" + "\n".join(lines) + "\n")
    examples, found = both(tmp_path / "d.csv")
    assert set(found["broken-row"][0].paths) == {"d.csv:7", "d.csv:22"}
    assert found["stray-quote"][0].paths == ("d.csv:11",)
    assert len(examples) == 38


def test_hostile_texts_are_data(tmp_path):
    evil = [
        "<script>alert(1)</script> and more words",
        "\x1b[31mred\x07 text of words",
        "=cmd|' /C calc'!A0 is a text",
        "\u202eturned words of text",
        "{en} {0} %s of text",
    ]
    rows = [(t, str(i % 2)) for i, t in enumerate([*evil, *sentences(20)])]
    examples, found = both(table(tmp_path / "d.tsv", rows))
    assert [t for (t,) in examples.rows] == [r[0] for r in rows]
    assert found["control-characters"][0].paths == ("d.tsv:2", "d.tsv:4")
    for finding in findings_from_problems([p for ps in found.values() for p in ps], examples):
        assert "\x1b" not in finding.model_dump_json()
