"""New sentences in the layouts that people have: the tokens as in training, a sentence out per sentence in, or an error."""

from __future__ import annotations

import json

import polars as pl
import pytest

from tests.data.test_token_layouts import _csv
from weigh.data.texts.new_texts import read_new_texts
from weigh.errors import DataError

SAID = [("Anna", "saw", "Oslo", "."), ("we", "met"), ("Boris",), ("in", "Cape", "Town", "\u00a0", "now")]
NEW = {  # new sentences without tags
    "token rows": ("csv", lambda p: _csv(p, [[str(i), t] for i, s in enumerate(SAID) for t in s], ["sentence_id", "words"])),
    "Kaggle": ("csv", lambda p: _csv(p, [["" if k else f"Sentence: {i}", t] for i, s in enumerate(SAID) for k, t in enumerate(s)], ["Sentence #", "Word"])),
    "lists": ("csv", lambda p: _csv(p, [[str(i), str(list(s))] for i, s in enumerate(SAID)], ["id", "tokens"])),
    "lists alone": ("csv", lambda p: _csv(p, [[str(list(s))] for s in SAID], ["tokens"])),
    "Parquet": ("parquet", lambda p: pl.DataFrame({"tokens": [list(s) for s in SAID]}).write_parquet(p)),
    "JSON lines": ("jsonl", lambda p: p.write_text("".join(json.dumps({"tokens": s}) + "\n" for s in SAID))),
    "JSON list": ("json", lambda p: p.write_text(json.dumps([{"words": s} for s in SAID]))),
    "columns": ("conll", lambda p: p.write_text("\n".join("".join(f"{t}\tO\n" for t in s) for s in SAID))),
    "a column": ("txt", lambda p: p.write_text("\n".join("".join(f"{t}\n" for t in s) for s in SAID if "\u00a0" not in s))),
    "lines": ("txt", lambda p: p.write_text("".join(" ".join(s) + "\n" for s in SAID))),
}  # fmt: skip


@pytest.mark.parametrize("spelling", NEW)
def test_new_sentences_in_any_spelling(tmp_path, spelling):
    suffix, write = NEW[spelling]
    write(tmp_path / f"new.{suffix}")
    wanted = [s for s in SAID if spelling != "a column" or "\u00a0" not in s]
    assert read_new_texts(tmp_path / f"new.{suffix}", tokens=True) == wanted


@pytest.mark.parametrize("content", ["id,note\n1,Anna saw Oslo\n2,we met\n", "a,b\nAnna,saw\nOslo,\n"])
def test_a_table_without_tokens_is_no_list_of_words(tmp_path, content):
    (tmp_path / "new.csv").write_text(content)
    with pytest.raises(DataError, match="no column holds tokens"):
        read_new_texts(tmp_path / "new.csv", tokens=True)
