"""Sentences in two languages, filled from the same values."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest

import weigh
from weigh.language import Text, join_texts, text


@pytest.mark.parametrize(
    ("n", "english"),
    [(0, "0 rows have"), (1, "1 row has"), ("1", "1 row has"), (2, "2 rows have"), ("1,001", "1,001 rows have")],
)
def test_english_words_follow_their_number(n, english):
    sentence = text("{n} {n:|row has|rows have} no label.", "{n} 行没有标签。", n=n)
    assert sentence.en == f"{english} no label."
    assert sentence.zh == f"{n} 行没有标签。"


def test_numbers_are_formatted_as_ever():
    assert text("{x:.2f} and {n:,}", "{x:.2f}，{n:,}", x=0.126, n=1000) == ("0.13 and 1,000", "0.13，1,000")


def test_no_zero_has_a_sign_and_no_name_loses_one():
    said = text("{a:.3f} [{b:+.2f}], {c}", "{a:.3f} [{b:+.2f}]，{c}", a=-0.0003, b=-0.004, c="-0")
    assert said == ("0.000 [0.00], -0", "0.000 [0.00]，-0")
    assert text("{a:.3f}", "{a:.3f}", a=-0.0006).zh == "-0.001"


@pytest.mark.parametrize("name", ["cat\n[leak] planted", PurePosixPath("cat\n[leak] planted")])
def test_a_name_begins_no_line(name):
    assert text("{a}\n{b}\t1", "{a}\n{b}\t1", a=name, b="x\ty") == ("cat‹U+000A›[leak] planted\nx‹U+0009›y\t1",) * 2
    assert join_texts([str(name), Text("our\nown", "自己\n的")], "; ", "；") == (
        "cat‹U+000A›[leak] planted; our\nown",
        "cat‹U+000A›[leak] planted；自己\n的",
    )
    assert text("{s}", "{s}", s=Text("our\nown", "自己\n的")) == ("our\nown", "自己\n的")


def test_a_blank_stands_before_per_cent_in_chinese():
    lines = [
        f"{file.name}: {line.strip()}"
        for file in Path(weigh.__file__).parent.rglob("*.py")
        for line in file.read_text(encoding="utf-8").splitlines()
        if "%" in line and re.search("[\u4e00-\u9fff]", line) and re.search(r"\}%| \d+%", line)
    ]
    assert lines == []
