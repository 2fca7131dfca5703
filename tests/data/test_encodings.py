"""Files of offices all over the world: the letters tell the encoding, and a guess is a warning with the setting that overrules it."""

from __future__ import annotations

import pytest

from tests.data.test_table_files import lines
from weigh.data.readers import read_and_check
from weigh.data.tables.text_encoding import decode, read_text
from weigh.errors import DataError
from weigh.spec import DataSpec

LETTERS = {
    "cp949": "이 식당 음식이 정말 맛있고 직원도 친절했어요",
    "cp1251": "Очень вкусный суп и вежливые официанты, пришли снова",
    "koi8-r": "Очень вкусный суп и вежливые официанты, пришли снова",
    "cp932": "スープがとてもおいしくて店員も親切でした",
    "euc_jp": "スープがとてもおいしくて店員も親切でした",
    "big5": "這家餐廳的菜非常好吃，服務也很周到，下次還會再來",
    "gb18030": "这家餐厅的菜非常好吃，服务也很周到，下次还会再来",
    "cp1252": "La soupe était délicieuse, le café à refaire",
    "cp1250": "Ten film był świetny, bardzo mi się podobał, żółć",
    "cp1253": "Η ταινία ήταν πολύ καλή και οι ηθοποιοί υπέροχοι",
    "cp1254": "Bu film çok güzeldi, oyuncular harikaydı, şahane ışık",
    "cp1255": "הסרט היה טוב מאוד והשחקנים היו נפלאים",
    "cp1256": "الفيلم كان جيدا جدا والممثلون كانوا رائعين",
    "cp874": "หนังเรื่องนี้ดีมากและนักแสดงก็เก่งมาก",
}


@pytest.mark.parametrize("encoding", LETTERS)
def test_letters_tell_the_encoding_and_it_is_a_warning(tmp_path, encoding):
    rows = [(f"{LETTERS[encoding]} {i}", "ab"[i % 2]) for i in range(40)]
    (tmp_path / "t.csv").write_bytes(lines("text;label", separator=";", rows=rows).encode(encoding))
    spec = DataSpec(train=str(tmp_path / "t.csv"))
    examples, problems = read_and_check(spec, "text-classification")
    assert [t for (t,) in examples.rows] == [a for a, _ in rows]
    (warned,) = [p for p in problems if p.kind == "encoding"]
    assert warned.severity == "warning"
    assert "data.encoding=" in warned.do.en
    named = spec.model_copy(update={"encoding": encoding})
    examples, problems = read_and_check(named, "text-classification")
    assert [t for (t,) in examples.rows] == [a for a, _ in rows]
    assert "encoding" not in {p.kind for p in problems}


def test_an_encoding_that_does_not_fit_is_told(tmp_path):
    (tmp_path / "t.csv").write_bytes(lines("text,label").encode() + "é,a\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"(?s)data.encoding: .* is not written in ascii; line 62"):
        read_text(tmp_path / "t.csv", encoding="ascii")
    with pytest.raises(ValueError, match="no encoding called 'klingon'"):
        DataSpec(train="x", encoding="klingon")
    assert decode("für".encode("cp1252")).encoding == "Windows-1252"


@pytest.mark.parametrize("encoding", ["utf-32", "utf-16", "utf-32-le", "utf-32-be"])
def test_two_and_four_bytes_a_letter(tmp_path, encoding):
    """A mark of UTF-32 begins like one of UTF-16: every second letter was a NUL."""
    content = lines("text;label", separator=";", rows=[(f"naïve café {i}", "ab"[i % 2]) for i in range(400)])
    mark = "" if encoding in ("utf-32", "utf-16") else "\ufeff"
    (tmp_path / "t.csv").write_bytes((mark + content).encode(encoding))
    assert read_text(tmp_path / "t.csv").content.lstrip("\ufeff") == content
    assert (
        read_text(tmp_path / "t.csv", limit=1_001).content.lstrip("\ufeff")
        == content[: 1_001 // (4 if "32" in encoding else 2) - 1]
    )
    assert read_text(tmp_path / "t.csv", encoding="cp949").encoding == encoding[:6].upper()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_look_at_the_beginning_cuts_no_character(tmp_path, encoding):
    content = lines("text;label", separator=";", rows=[(f"fine {i} 🙂", "ab"[i % 2]) for i in range(400)])
    (tmp_path / "t.csv").write_bytes(content.encode(encoding))
    for limit in range(1_000, 1_040):
        beginning = read_text(tmp_path / "t.csv", limit=limit).content
        assert content.startswith(beginning)
        assert beginning.count("\n") > 20


def test_a_look_at_the_beginning_of_what_was_named(tmp_path):
    """The lower byte of 上 is that of a line break."""
    content = "上好;a\n" * 400
    (tmp_path / "t.csv").write_bytes(content.encode("utf-16-le"))
    for limit in range(1_000, 1_010):
        beginning = read_text(tmp_path / "t.csv", limit=limit, encoding="utf-16-le").content
        assert content.startswith(beginning)
        assert len(beginning) >= 490


def test_a_pointer_of_git_lfs_is_called_by_name(tmp_path):
    (tmp_path / "t.csv").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12345\n")
    with pytest.raises(DataError, match="pointer of Git LFS"):
        read_and_check(DataSpec(train=str(tmp_path / "t.csv")), "text-classification")
