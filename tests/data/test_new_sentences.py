"""New sentences in the layouts that people have: the tokens as in training, a sentence out per sentence in, or an error."""

from __future__ import annotations

import gzip
import json

import polars as pl
import pytest

from tests.data.test_token_layouts import LAYOUTS, _csv
from weigh.data.sentences.index import read_tokens
from weigh.data.texts.new_texts import read_new_texts
from weigh.errors import DataError
from weigh.spec import DataSpec

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


IDS = [  # called like texts
    "sentence,word\nSentence: 1,Anna\nSentence: 1,left\n",
    "sentence,word\nSentence: 1,Anna\nSentence: 2,we\nSentence: 1,left\nSentence: 2,met\n",
    "document,form\ndoc_1,Anna\ndoc_1,left\n",
]


@pytest.mark.parametrize("content", ["id,note\n1,Anna saw Oslo\n2,we met\n", "a,b\nAnna,saw\nOslo,\n", *IDS])
def test_a_table_without_tokens_is_no_list_of_words(tmp_path, content):
    (tmp_path / "new.csv").write_text(content)
    with pytest.raises(DataError, match="no column holds tokens"):
        read_new_texts(tmp_path / "new.csv", tokens=True)


TEXTS = ["Anna saw Oslo.", "we met, at last", "Boris"]
CUT = [("Anna", "saw", "Oslo", "."), ("we", "met", ",", "at", "last"), ("Boris",)]
OF_TEXTS = {  # sentences that are not cut into tokens
    "CSV": ("csv", lambda p: _csv(p, [[str(i), t] for i, t in enumerate(TEXTS)], ["id", "text"])),
    "TSV": ("tsv", lambda p: p.write_text("id\tsentence\n" + "".join(f"{i}\t{t}\n" for i, t in enumerate(TEXTS)))),
    "a column with commas": ("csv", lambda p: p.write_text("text\n" + "".join(t + "\n" for t in TEXTS))),
    "Parquet": ("parquet", lambda p: pl.DataFrame({"text": TEXTS, "n": [1, 2, 3]}).write_parquet(p)),
    "JSON lines": ("jsonl", lambda p: p.write_text("".join(json.dumps({"text": t}) + "\n" for t in TEXTS))),
    "compressed": ("jsonl.gz", lambda p: p.write_bytes(gzip.compress("".join(json.dumps({"text": t}) + "\n" for t in TEXTS).encode()))),
    "a list": ("json", lambda p: p.write_text(json.dumps(TEXTS))),
    "in another encoding": ("csv", lambda p: p.write_bytes("text,n\n".encode("utf-16") + "".join(f'"{t}",{i}\n' for i, t in enumerate(TEXTS)).encode("utf-16-le"))),
}  # fmt: skip


@pytest.mark.parametrize("spelling", OF_TEXTS)
def test_texts_are_cut_into_tokens(tmp_path, spelling):
    suffix, write = OF_TEXTS[spelling]
    write(tmp_path / f"new.{suffix}")
    assert read_new_texts(tmp_path / f"new.{suffix}", tokens=True) == CUT


@pytest.mark.parametrize("layout", [n for n in LAYOUTS if n.startswith("spans") or n in ("spaCy", "CLUENER", "Label Studio", "JSON, names of one's own", "JSON, data inside")])  # fmt: skip
def test_the_file_of_training_is_read_as_new_sentences(tmp_path, layout):
    suffix, write = LAYOUTS[layout]
    path = tmp_path / f"data.{suffix}"
    write(path)
    assert read_new_texts(path, tokens=True) == [tuple(row) for row in read_tokens(DataSpec(train=str(path)))[0].rows]


def test_an_object_without_tokens_is_told_what_it_holds(tmp_path):
    (tmp_path / "new.jsonl").write_text('{"id": 1, "note": 2}\n')
    with pytest.raises(DataError, match=r"Line 1 of .* holds neither tokens nor a text \(id, note\)"):
        read_new_texts(tmp_path / "new.jsonl", tokens=True)
