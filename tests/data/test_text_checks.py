"""What is wrong with texts is named, with the line; near copies are found; nothing is found where nothing is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.text_files import WORDS, both, sentences, table
from weigh.data.texts.near_copies import near_texts, normalised, resemblance
from weigh.data.texts.scripts import main_script
from weigh.findings.data_problems import findings_from_problems


def test_planted_problems_are_all_found(tmp_path):
    said = sentences(60, words=20)
    rows = [(s, "ab"[i % 2]) for i, s in enumerate(said)]
    rows[10] = (said[8], "a")  # a copy, same label
    rows[12] = (said[13], "a")  # a copy, other label
    rows[20] = (said[22].upper() + " !", "a")  # a near copy
    rows[30] = ("   ", "a")
    rows[31] = (said[31], "")
    rows[33] = (said[33], "c")
    table(tmp_path / "train.tsv", rows, ("text", "label"))
    table(
        tmp_path / "test.tsv",
        [(s, "ab"[i % 2]) for i, s in enumerate([*sentences(20, 4, 20), said[40], said[41] + " end"])],
        ("text", "label"),
    )
    examples, found = both(tmp_path)
    assert [set(s) for p in found["duplicate"] for s in p.pairs] == [
        {"train.tsv:10", "train.tsv:12"},
        {"train.tsv:14", "train.tsv:15"},
    ]
    assert [set(s) for s in found["label-conflict"][0].pairs] == [{"train.tsv:14", "train.tsv:15"}]
    assert [set(s) for s in found["near-duplicate"][0].pairs] == [{"train.tsv:22", "train.tsv:24"}]
    assert [set(s) for s in found["leak"][0].pairs] == [{"train.tsv:42", "test.tsv:22"}]
    assert [set(s) for s in found["near-leak"][0].pairs] == [{"train.tsv:43", "test.tsv:23"}]
    assert found["empty-text"][0].paths == ("train.tsv:32",)
    assert found["missing-label"][0].paths == ("train.tsv:33",)
    assert "c (1)" in found["tiny-class"][0].sentence.en
    assert "imbalance" in found
    assert len(examples) == 80
    for p in (p for ps in found.values() for p in ps):
        assert "picture" not in p.sentence.en + (p.why.en if p.why else "") + (p.do.en if p.do else "")
        assert "图片" not in p.sentence.zh + (p.why.zh if p.why else "") + (p.do.zh if p.do else "")


def test_nothing_is_found_where_nothing_is(tmp_path):
    path = table(tmp_path / "d.tsv", [(s, "ab"[i % 2]) for i, s in enumerate(sentences(60))], ("text", "label"))
    examples, found = both(path)
    assert set(found) == {"columns", "script"}
    clean = [f for f in findings_from_problems([p for ps in found.values() for p in ps], examples) if f.kind == "data"]
    assert "empty texts" in clean[0].sentence.en


def test_near_copies_planted_in_random_texts():
    """Every kind of copy is found; texts that share only their words are not called copies."""
    rng = np.random.default_rng(0)
    vocabulary = ["".join(rng.choice(list("abcdefghijklmnoprstuvwy"), rng.integers(3, 9))) for _ in range(400)]
    originals = [" ".join(rng.choice(vocabulary, 30)) for _ in range(300)]

    def changed_word(t):
        words = t.split()
        words[15] = "exchanged"
        return " ".join(words)

    kinds = {
        "case": str.upper, "marks": lambda t: t.replace(" ", ", ", 9) + "!!", "spaces": lambda t: "  " + t.replace(" ", "   "),
        "word": changed_word, "cut": lambda t: t[: int(len(t) * 0.88)], "longer": lambda t: t + " via somebody",
    }  # fmt: skip
    copies = [
        (i, kind, change(originals[i]))
        for k, (kind, change) in enumerate(kinds.items())
        for i in range(k * 40, k * 40 + 40)
    ]
    rows = [(t,) for t in [*originals, *(c for _, _, c in copies)]]
    found = {tuple(p) for p in near_texts(rows, [t for (t,) in rows]).pairs.tolist()}
    planted = {(i, 300 + j): kind for j, (i, kind, _) in enumerate(copies)}
    for kind in kinds:
        mine = [pair for pair, k in planted.items() if k == kind]
        assert sum(pair in found for pair in mine) >= 0.975 * len(mine), kind
    assert found <= set(planted)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(alphabet="abc 好的", min_size=1, max_size=30), min_size=2, max_size=12))
def test_near_texts_agree_with_comparing_all(texts):
    """Whatever is found is right, and equal normalised texts are always found."""
    rows = [(t,) for t in dict.fromkeys(texts)]
    found = near_texts(rows, [t for (t,) in rows])
    for (i, j), score in zip(found.pairs.tolist(), found.score.tolist(), strict=True):
        a, b = normalised(rows[i][0]), normalised(rows[j][0])
        assert i < j
        assert score == pytest.approx(1.0 if a == b else resemblance(a, b))
        assert score >= 0.8
    groups = {}
    for i, (t,) in enumerate(rows):
        groups.setdefault(normalised(t), []).append(i)
    assert {(g[0], x) for g in groups.values() for x in g[1:]} <= {tuple(p) for p in found.pairs.tolist()}


def test_pairs_that_share_one_text_are_no_copies(tmp_path):
    premise = " ".join(WORDS)
    rows = [(premise, s, "ab"[i % 2]) for i, s in enumerate(sentences(30))]
    _, found = both(table(tmp_path / "d.tsv", rows, ("premise", "hypothesis", "label")))
    assert not {"duplicate", "near-duplicate"} & set(found)


@pytest.mark.parametrize(
    ("written", "script"),
    [("plain words", "Latin"), ("这家店很好", "Han"), ("とても良い映画", "Kana"), ("좋은 영화", "Hangul"), ("хорошо", "Cyrillic"), ("12 !?", "none"), ("ⴰⵣⵓⵍ", "other"), ("好 iPhone", "Latin")],
)  # fmt: skip
def test_scripts(written, script):
    assert main_script(written) == script
