"""New sentences in the layouts that people have: the tokens as in training, a sentence out per sentence in, or an error."""

from __future__ import annotations

import gzip
import json

import polars as pl
import pytest

from tests.data.test_token_layouts import LAYOUTS, _csv
from weigh.data.sentences.index import read_tokens
from weigh.data.sentences.new_sentences import cut_text
from weigh.data.texts.new_texts import read_new_texts
from weigh.data.written import Written
from weigh.errors import DataError
from weigh.media import joined_tokens
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


def _frame(names, rows):
    return json.dumps({"columns": names, "index": list(range(len(rows))), "data": rows})


SPANS = [[0, 4, "PER"]]
TOLD = [["Anna", "saw", "Oslo"], ["we", "met"], ["Boris"]]
TAGGED = [["B-PER", "O", "B-LOC"], ["O", "O"], ["B-PER"]]
BODIES = ["Anna saw Oslo", "we met", "Boris"]
# what was trained on, the column that is named, and a new file: its ending and what it holds, in which other columns are called like texts or tokens
NAMED = {
    "texts in JSON": ("jsonl", "".join(json.dumps({"text": "A title", "body": b, "entities": SPANS if b[0] == "A" else []}) + "\n" for b in BODIES), "body",
                      "".join(json.dumps({"text": "A title", "body": b}) + "\n" for b in BODIES)),
    "texts in a table": ("csv", "text,body,entities\n" + "".join(f'A title,{b},"{json.dumps(SPANS if b[0] == "A" else []).replace(chr(34), chr(34) * 2)}"\n' for b in BODIES), "body",
                         "text,body\n" + "".join(f"A title,{b}\n" for b in BODIES)),
    "texts alone": ("csv", "text,body,entities\n" + "".join(f'A title,{b},"{json.dumps(SPANS if b[0] == "A" else []).replace(chr(34), chr(34) * 2)}"\n' for b in BODIES), "body",
                    "body\n" + "".join(f"{b}\n" for b in BODIES)),
    "in the data of Label Studio": ("jsonl", "".join(json.dumps({"data": {"title": "A title", "body": b}, "annotations": [{"result": [{"value": {"start": 0, "end": len(b.split()[0]), "labels": ["PER"]}}]}]}) + "\n" for b in BODIES), "body",
                                    "".join(json.dumps({"data": {"title": "A title", "body": b}}) + "\n" for b in BODIES)),
    "lists in JSON": ("jsonl", "".join(json.dumps({"tokens": ["no"] * len(t), "pieces": t, "ner_tags": g}) + "\n" for t, g in zip(TOLD, TAGGED, strict=True)), "pieces",
                      "".join(json.dumps({"tokens": ["no"], "pieces": t}) + "\n" for t in TOLD)),
    "a word in each row": ("csv", "sentence_id,word,form,tag\n" + "".join(f"{i},no,{t},{g}\n" for i, row in enumerate(zip(TOLD, TAGGED, strict=True)) for t, g in zip(*row, strict=True)), "form",
                           "sentence_id,word,form\n" + "".join(f"{i},no,{t}\n" for i, row in enumerate(TOLD) for t in row)),
    "a frame of pandas": ("json", _frame(["sentence_id", "word", "form", "tag"], [[str(i), "no", *pair] for i, row in enumerate(zip(TOLD, TAGGED, strict=True)) for pair in zip(*row, strict=True)]), "form",
                          _frame(["sentence_id", "word", "form"], [[str(i), "no", t] for i, row in enumerate(TOLD) for t in row])),
    "a numbered column": ("conll", "\n".join("".join(f"no\t{t}\t{g}\n" for t, g in zip(*row, strict=True)) for row in zip(TOLD, TAGGED, strict=True)), "2",
                          "\n".join("".join(f"no\t{t}\n" for t in row) for row in TOLD)),
    "a column with a name": ("conll", "word\tform\ttag\n" + "\n".join("".join(f"no\t{t}\t{g}\n" for t, g in zip(*row, strict=True)) for row in zip(TOLD, TAGGED, strict=True)), "form",
                             "word\tform\n" + "\n".join("".join(f"no\t{t}\n" for t in row) for row in TOLD)),
}  # fmt: skip


@pytest.mark.parametrize("layout", NAMED)
def test_the_column_that_was_named_for_training_is_read(tmp_path, layout):
    suffix, trained, name, new = NAMED[layout]
    (tmp_path / f"data.{suffix}").write_text(trained)
    (tmp_path / f"new.{suffix}").write_text(new)
    examples, _ = read_tokens(DataSpec(train=str(tmp_path / f"data.{suffix}"), text=name))
    for file in ("data", "new"):  # also where tags stand beside them
        rows = read_new_texts(tmp_path / f"{file}.{suffix}", examples.written, tokens=True)
        assert rows == [tuple(row) for row in TOLD] == [tuple(row) for row in examples.rows]


def test_a_file_without_the_named_column_is_read_by_usual_names(tmp_path):
    (tmp_path / "new.jsonl").write_text('{"text": "Anna left"}\n')
    assert read_new_texts(tmp_path / "new.jsonl", Written("spans", text=("body",)), tokens=True) == [("Anna", "left")]


def test_names_of_columns_are_no_tokens(tmp_path):
    (tmp_path / "new.conll").write_text("token\ttag\nAnna\tB-PER\nleft\tO\n\nwe\tO\nmet\tO\n")
    assert read_new_texts(tmp_path / "new.conll", tokens=True) == [("Anna", "left"), ("we", "met")]


def test_lines_of_chinese_that_nobody_cut_are_sentences_of_characters(tmp_path):
    """A line without blanks is neither one word nor a token of a sentence."""
    (tmp_path / "new.txt").write_text("张三在北京工作。\n\n李四 去了IBM上海分公司\n", encoding="utf-8")
    cut = [tuple("张三在北京工作。"), (), ("李", "四", "去", "了", "IBM", *"上海分公司")]
    assert read_new_texts(tmp_path / "new.txt", tokens=True) == cut


def test_lines_of_chinese_words_stay_as_they_are_cut(tmp_path):
    lines = [("张三", "在", "北京", "工作", "。"), ("李四", "去", "了", "上海分公司")]
    (tmp_path / "new.txt").write_text("".join(" ".join(line) + "\n" for line in lines), encoding="utf-8")
    assert read_new_texts(tmp_path / "new.txt", tokens=True) == lines


def test_lines_are_cut_as_the_texts_of_training_are(tmp_path):
    """Where training saw "left" and ".", a line gave "left."."""
    rows = [{"text": f"Anna saw Oslo, {i}.", "entities": SPANS} for i in range(3)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "new.txt").write_text("Anna left.\n\nwe met, at last\n")
    written = read_tokens(DataSpec(train=str(tmp_path / "train.jsonl")))[0].written
    cut = [("Anna", "left", "."), (), ("we", "met", ",", "at", "last")]
    assert read_new_texts(tmp_path / "new.txt", written, tokens=True) == cut
    split = [("Anna", "left."), (), ("we", "met,", "at", "last")]  # where training had tokens, blanks part them
    assert read_new_texts(tmp_path / "new.txt", tokens=True) == split


def test_words_keep_the_signs_that_are_written_into_them():
    """For `re` they are no letters: a word of Hindi became six tokens."""
    assert cut_text("हिन्दी किताब।") == ("हिन्दी", "किताब", "।")
    assert cut_text("مُحَمَّد here") == ("مُحَمَّد", "here")
    assert cut_text("Ame\u0301lie left") == ("Ame\u0301lie", "left")
    assert cut_text("我用iPhone 12。") == ("我", "用", "iPhone", "12", "。")
    syllables = ("\u0e17\u0e35\u0e48", "\u0e19\u0e35\u0e48")  # Thai, written without blanks
    assert cut_text("".join(syllables)) == syllables
    assert joined_tokens(syllables) == "".join(syllables)
    assert joined_tokens(("हिन्दी", "किताब")) == "हिन्दी किताब"
