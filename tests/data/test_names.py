"""Names that are probably meant to be one, and those that programs write for a missing value."""

from __future__ import annotations

import pytest

from weigh.data.names import folded, means_nothing
from weigh.data.readers import read_and_check
from weigh.spec import DataSpec

ALIKE = [("Cat", "cat"), ("hot_dog", "hot-dog"), ("hot dog", "hot  Dog"), ("01", "1"), ("ＡＢ", "AB"), ("neg\u200b", "neg"), ("_x", "x")]  # fmt: skip
APART = [("-1", "1"), ("A-", "A"), ("10", "1"), ("v1.0", "v1"), ("C++", "C"), ("", "0")]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_names_that_differ_only_in_writing(one, other):
    assert folded(one) == folded(other)


@pytest.mark.parametrize(("one", "other"), APART)
def test_names_of_their_own(one, other):
    assert folded(one) != folded(other)


def test_classes_are_told_to_be_alike_or_like_a_missing_value(tmp_path):
    labels = ["-1", "1", "01", "NaN", "#N/A"]
    rows = "".join(f"what is said of number {i} {'abcdefg'[i % 7] * 5},{labels[i % 5]}\n" for i in range(50))
    (tmp_path / "a.csv").write_text("text,label\n" + rows)
    examples, problems = read_and_check(DataSpec(train=str(tmp_path / "a.csv")), "text-classification", offline=True)
    assert set(examples.classes) == set(labels)
    said = {p.kind: p for p in problems}
    assert "01 = 1" in said["class-names"].sentence.en
    assert "-1 =" not in said["class-names"].sentence.en
    assert "NaN (10)" in said["missing-name"].sentence.en
    assert "#N/A (10)" in said["missing-name"].sentence.en
    assert not means_nothing("nano")
