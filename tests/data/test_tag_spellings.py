"""Tags and tokens of columns that look odd: slips, types that look like tags, characters that are not seen, blanks inside."""

from __future__ import annotations

import pytest

from tests.data.test_token_layouts import SENTENCES, write_columns
from weigh.data.recognition.tasks import recognise_task
from weigh.data.sentences.index import read_tokens
from weigh.spec import DataSpec


def test_a_slip_in_some_tags_makes_no_types_of_the_others(tmp_path):
    """Digits for the letter O in every third sentence: these are named, and B-PER stays the beginning of a person."""
    write_columns(tmp_path / "data.conll", lambda t, g: f"{t} {'0' if t in ('Nobody', 'saw', 'here') else g}")
    examples, problems = read_tokens(DataSpec(train=str(tmp_path / "data.conll")))
    assert set(examples.classes) == {"PER", "LOC"}
    assert len(examples) == 2 * len(SENTENCES) // 3
    (broken,) = [p for p in problems if p.kind == "broken-row"]
    assert broken.numbers["n"] == len(SENTENCES)


def test_types_that_look_like_tags_stay_types(tmp_path):
    """Without a letter that begins and one that continues, "e-mail" and "vitamin_b" are names."""
    names = {"PER": "e-mail", "LOC": "vitamin_b", "": "O"}
    write_columns(tmp_path / "data.conll", lambda t, g: f"{t} {names[g[2:]]}")
    assert set(read_tokens(DataSpec(train=str(tmp_path / "data.conll")))[0].classes) == {"e-mail", "vitamin_b"}


ODD = {"no-break space": "\u00a0", "zero-width space": "\u200b", "left-to-right mark": "\u200e", "soft hyphen": "\u00ad", "ideographic space": "\u3000", "next line": "\u0085", "line separator": "\u2028"}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("separator", ["\t", " "])
def test_tokens_that_look_like_nothing(tmp_path, odd, separator):
    write_columns(tmp_path / "data.conll", lambda t, g: f"{ODD[odd] if t == '.' else t}{separator}{g}")
    assert recognise_task(tmp_path / "data.conll").task == "token-classification"
    examples, problems = read_tokens(DataSpec(train=str(tmp_path / "data.conll")))
    assert [list(t) for t in examples.rows] == [[ODD[odd] if w == "." else w for w in t] for t, _ in SENTENCES]
    assert not [p for p in problems if p.severity != "note"]


@pytest.mark.parametrize("separator", ["\t", " "])
@pytest.mark.parametrize("inside", [" ", "\u00a0", "\u3000"])
def test_blanks_inside_of_tokens(tmp_path, separator, inside):
    """Between tabs anything; between blanks where all lines but these have as many cells."""
    more = "" if separator == "\t" else f"{separator}_"
    write_columns(
        tmp_path / "data.tsv", lambda t, g: f"{'it' + inside + 'is' if t == chr(34) else t}{more}{separator}{g}"
    )
    examples, problems = read_tokens(DataSpec(train=str(tmp_path / "data.tsv")))
    assert [list(t) for t in examples.rows] == [[f"it{inside}is" if w == '"' else w for w in t] for t, _ in SENTENCES]
    assert not [p for p in problems if p.severity != "note"]
