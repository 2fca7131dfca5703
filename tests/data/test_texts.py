"""Texts are read as they stand, whatever the layout; what is wrong with them is named, with the line; nothing is invented."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weigh.data.readers import READERS, read_and_check, task_of
from weigh.data.recognition.tasks import recognise_task
from weigh.data.rows.part_files import family, part_of
from weigh.data.tables.encoding import decode
from weigh.data.tables.records import parse_separated, quotes_matter
from weigh.data.texts.checks import check_texts
from weigh.data.texts.index import read_texts
from weigh.data.texts.near_copies import near_texts, normalised, resemblance
from weigh.data.texts.scripts import main_script
from weigh.errors import DataError, SpecError
from weigh.findings.data_problems import findings_from_problems
from weigh.kinds.base import KINDS, rows_of
from weigh.kinds.number import NUMBER
from weigh.record.index import read_index, write_index
from weigh.spec import DataSpec
from weigh.tasks import TASKS

WORDS = [
    "the",
    "a",
    "film",
    "story",
    "actor",
    "ending",
    "music",
    "light",
    "quiet",
    "long",
    "short",
    "warm",
    "cold",
    "sharp",
    "dull",
    "plot",
    "scene",
    "voice",
    "song",
    "night",
    "day",
]


def sentences(n, seed=0, words=12):
    """`n` different sentences."""
    rng = np.random.default_rng(seed)
    return [f"{i} " + " ".join(rng.choice(WORDS, words)) for i in range(n)]


def read(path, **options):
    examples, problems = read_texts(DataSpec(train=str(path), **options), offline=True)
    return examples, {p.kind: p for p in problems}


def both(path, **options):
    """Everything that reading and checking find, by kind (lists: a kind may come twice)."""
    examples, problems = read_and_check(DataSpec(train=str(path), **options), "text-classification", offline=True)
    found = {}
    for p in problems:
        found.setdefault(p.kind, []).append(p)
        for value in p.numbers.values():  # every number of a problem stands in its sentence, in both languages
            assert f"{value:g}" in p.sentence.en
            assert f"{value:g}" in p.sentence.zh
    return examples, found


# Layouts ------------------------------------------------------------------------------------------------------------


def table(path, rows, header=None, separator="\t"):
    lines = [separator.join(header)] if header else []
    path.write_text("\n".join([*lines, *(separator.join(r) for r in rows)]) + "\n", "utf-8")
    return path


@pytest.mark.parametrize(
    "header", [None, ("label", "text"), ("sentiment", "review"), ("标签", "评论"), ("kind", "words said")]
)
def test_label_and_text_in_either_order(tmp_path, header):
    rows = [("pos" if i % 2 else "neg", s) for i, s in enumerate(sentences(40))]
    for flip in (False, True):
        turned = [r[::-1] for r in rows] if flip else rows
        names = header[::-1] if header and flip else header
        examples, _ = read(table(tmp_path / "data.tsv", turned, names))
        assert [t for (t,) in examples.rows] == [s for _, s in rows]
        assert examples.classes == ("neg", "pos")
        assert [examples.classes[t] for t in examples.target] == [label for label, _ in rows]
        assert examples.path[0] == f"data.tsv:{2 if header else 1}"


def test_named_columns_overrule_the_guess(tmp_path):
    path = tmp_path / "data.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["text", "review", "label", "stars"])
        out.writerows([[f"title of {s}", s, i % 2, i % 5] for i, s in enumerate(sentences(30))])
    examples, _ = read(path, text="review", label="stars")
    assert examples.rows[3] == (sentences(30)[3],)
    assert len(examples.classes) == 5
    examples, _ = read(path, columns={"text": "text", "text_pair": "review"})
    assert len(examples.rows[0]) == 2
    with pytest.raises(DataError, match="Did you mean 'review'"):
        read(path, text="reviews")
    with pytest.raises(DataError, match="stairs"):
        read(path, label="stairs")
    with pytest.raises(ValueError, match="different columns"):
        DataSpec(train="x", text="a", columns={"text": "b"})


def test_columns_without_a_header_are_named_by_number(tmp_path):
    rows = [(str(i), sentences(30)[i], sentences(30, 5)[i], "ab"[i % 2]) for i in range(30)]
    examples, found = read(table(tmp_path / "x.tsv", rows), text="3", label="4")
    assert examples.rows[0] == (rows[0][2],)
    assert "column 3" in found["columns"].sentence.en


def test_parts_are_files(tmp_path):
    for name, seed, n in (("train", 1, 40), ("dev", 2, 10), ("test", 3, 12)):
        table(tmp_path / f"{name}.tsv", [(s + name, str(i % 2)) for i, s in enumerate(sentences(n, seed))])
    examples, found = read(tmp_path)
    assert (len(examples.where("train")), len(examples.where("test"))) == (50, 12)
    assert found["split"].numbers["n"] == 10
    (tmp_path / "test.tsv").unlink()
    examples, found = read(tmp_path)
    assert (len(examples.where("train")), len(examples.where("test"))) == (40, 10)
    assert "serves as the test part" in found["split"].sentence.en


def test_a_test_file_without_labels_is_left_out(tmp_path):
    rows = [(str(i), s, "yes" if i % 3 else "no") for i, s in enumerate(sentences(30))]
    table(tmp_path / "train.tsv", rows, ("index", "sentence", "label"))
    table(tmp_path / "test.tsv", [r[:2] for r in rows], ("index", "sentence"))
    examples, found = read(tmp_path)
    assert len(examples) == 30
    assert found["unlabelled"].paths == ("test.tsv",)


def test_pairs_and_numbers(tmp_path):
    rows = [(a, b, f"{(i % 11) / 2}") for i, (a, b) in enumerate(zip(sentences(30), sentences(30, 9), strict=True))]
    path = table(tmp_path / "pairs.tsv", rows, ("sentence1", "sentence2", "similarity"))
    assert recognise_task(path).task == "text-regression"
    examples, _ = read_texts(DataSpec(train=str(path)), (NUMBER,))
    assert examples.rows[4] == rows[4][:2]
    assert examples.target.tolist() == [float(r[2]) for r in rows]
    assert examples.target.dtype == np.float64
    assert examples.classes == ()
    path.write_text(path.read_text() + "a text\tanother\tunknown\n")
    examples, problems = read_texts(DataSpec(train=str(path)), (NUMBER,))
    assert len(examples) == 30
    assert [p.paths for p in problems if p.kind == "missing-label"] == [("pairs.tsv:32",)]


def test_a_folder_of_text_files_per_class(tmp_path):
    for part in ("train", "test"):
        for i, s in enumerate(sentences(20, 1 if part == "train" else 2)):
            path = tmp_path / part / ("pos" if i % 2 else "neg") / f"{i}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(s + "\nsecond line", "utf-8")
        (tmp_path / part / "urls_pos.txt").write_text("http://x")
    assert recognise_task(tmp_path).task == "text-classification"
    examples, found = read(tmp_path)
    assert (len(examples.where("train")), len(examples.where("test"))) == (20, 20)
    assert examples.rows[0][0].endswith("\nsecond line")
    assert found["loose-files"].paths == ("test/urls_pos.txt", "train/urls_pos.txt")


def test_trec_fasttext_and_first_words(tmp_path):
    said = sentences(20)
    (tmp_path / "a.txt").write_text("".join(f"{'NUM:dist' if i % 2 else 'HUM:ind'} {s}\n" for i, s in enumerate(said)))
    examples, _ = read(tmp_path / "a.txt")
    assert examples.classes == ("HUM", "NUM")
    assert set(examples.slices["fine"]) == {"dist", "ind"}
    (tmp_path / "b.txt").write_text("".join(f"__label__{i % 3} {s}\n" for i, s in enumerate(said)))
    assert read(tmp_path / "b.txt")[0].classes == ("0", "1", "2")
    (tmp_path / "c.txt").write_text("".join(f"{i % 2} {s}\n" for i, s in enumerate(said)))
    assert [t for (t,) in read(tmp_path / "c.txt")[0].rows] == said


def test_json_lines_and_parquet(tmp_path):
    import polars as pl

    rows = [{"sentence": s, "label": "ab"[i % 2], "id": i} for i, s in enumerate(sentences(20))]
    (tmp_path / "d.jsonl").write_text(
        "\n".join(json.dumps(r) for r in rows[:10]) + "\n{broken\n" + json.dumps(rows[10]), "utf-8"
    )
    examples, found = read(tmp_path / "d.jsonl")
    assert len(examples) == 11
    assert found["broken-row"].paths == ("d.jsonl:11",)
    pl.DataFrame(rows).write_parquet(tmp_path / "d.parquet")
    assert [t for (t,) in read(tmp_path / "d.parquet")[0].rows] == [r["sentence"] for r in rows]


def test_versions_of_one_file_are_told_from_shards(tmp_path):
    rows = [(s, str(i % 2)) for i, s in enumerate(sentences(40))]
    table(tmp_path / "train.tsv", rows)
    table(tmp_path / "train_v2.tsv", [*rows[:-1], ("corrected text of five words", "1")])
    examples, found = read(tmp_path)
    assert len(examples) == 40
    assert found["left-out"].paths == ("train.tsv",)
    table(tmp_path / "train_v2.tsv", [(s, str(i % 2)) for i, s in enumerate(sentences(30, 8))])
    examples, _ = read(tmp_path)
    assert len(examples) == 70
    assert set(examples.slices["file"]) == {"train.tsv", "v2.tsv"} or len(set(examples.slices["file"])) == 2


def test_files_of_unknown_part_are_asked_about(tmp_path):
    table(tmp_path / "a.tsv", [(s, str(i % 2)) for i, s in enumerate(sentences(10))])
    table(tmp_path / "b.tsv", [(s, str(i % 2)) for i, s in enumerate(sentences(10, 3))])
    with pytest.raises(DataError, match="which is for training"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("name", "part"),
    [("train.tsv", "train"), ("in_domain_dev.tsv", "val"), ("emerging.test.conll", "test"), ("wnut17train.conll", "train"),
     ("dev_matched.tsv", "val"), ("train_test_split.csv", None), ("data.csv", None), ("latest.csv", None)],
)  # fmt: skip
def test_part_of_a_name(name, part):
    assert part_of(name) == part


def test_family():
    assert family("books.task.train") == family("books.task.test") == "books.task"


# Parsers ------------------------------------------------------------------------------------------------------------

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


# Checks -------------------------------------------------------------------------------------------------------------


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


# What is kept -------------------------------------------------------------------------------------------------------


def test_fingerprint_and_index(tmp_path):
    rows = [(s, "ab"[i % 2]) for i, s in enumerate(sentences(20))]
    examples, _ = read(table(tmp_path / "d.tsv", rows))
    again, _ = read(table(tmp_path / "e.tsv", rows))
    assert again.fingerprint == examples.fingerprint
    changed, _ = read(table(tmp_path / "e.tsv", [*rows[:-1], (rows[-1][0] + ".", rows[-1][1])]))
    assert changed.fingerprint != examples.fingerprint
    odd = examples.subset(np.arange(20))
    odd.rows[3] = ("lone \ud800 surrogate, \x00 and 汉字",)
    write_index(tmp_path, odd)
    kept = read_index(tmp_path)
    assert kept.rows.tolist() == odd.rows.tolist()
    assert kept.target.tolist() == odd.target.tolist()
    assert kept.fingerprint == examples.fingerprint


def test_rows_of_equal_length_stay_rows():
    assert rows_of([("a", "b"), ("c", "d")]).shape == (2,)


def test_saved_datasets(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    said = sentences(30)

    def make(some):
        return datasets.Dataset.from_dict({"text": some, "label": [i % 2 for i in range(len(some))]}, features=features)

    datasets.DatasetDict({"train": make(said[:20]), "test": make(said[20:])}).save_to_disk(tmp_path / "saved")
    assert recognise_task(tmp_path / "saved").task == "text-classification"
    examples, _ = read(tmp_path / "saved")
    assert examples.classes == ("neg", "pos")
    assert (len(examples.where("train")), len(examples.where("test"))) == (20, 10)
    assert examples.rows[2] == (said[2],)


# The door -----------------------------------------------------------------------------------------------------------


def test_every_reader_is_called_alike():
    import inspect

    for name, reader in READERS.items():
        assert reader.medium == name
        assert {"offline", "progress"} <= inspect.signature(reader.read).parameters.keys()
        assert "progress" in inspect.signature(reader.check).parameters
    with pytest.raises(SpecError, match="object-detection"):
        read_and_check(DataSpec(train="x"), "object-detection")
    with pytest.raises(SpecError, match="cannot be told"):
        task_of(DataSpec(train="/nowhere/at/all"))


def test_weigh_data_prints_texts_and_json(tmp_path, capsys):
    from weigh.cli.main import main

    def shown(*options):
        assert (
            main(["data", str(path), "--quiet", "--set", "data.text=review", "--set", "data.label=mark", *options]) == 0
        )
        return capsys.readouterr().out

    path = table(tmp_path / "d.tsv", [(s, "ab"[i % 2]) for i, s in enumerate(sentences(20))], ("review", "mark"))
    assert shown("--lang", "en").startswith("20 texts (20 train, 0 test) in 2 classes. a: 10, b: 10")
    assert shown("--lang", "zh").startswith("20 条文本（训练 20，测试 0），2 个类别")
    listed = json.loads(shown("--format", "json"))
    assert listed[0]["kind"] == "size"
    assert listed[0]["estimates"]["n"]["value"] == 20


# Real data ----------------------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("path", "task", "train", "test", "classes"),
    [
        ("text/sst2", "text-classification", 6920 + 872, 1821, 2),
        ("text/sms-spam", "text-classification", 5574, 0, 2),
        ("text/trec", "text-classification", 5452, 500, 6),
        ("text/waimai-zh", "text-classification", 11987, 0, 2),
        ("glue/CoLA", "text-classification", 8551, 527, 2),
        ("glue/RTE", "text-classification", 2490, 277, 2),
        ("glue/WNLI", "text-classification", 635, 71, 2),
        ("glue/STS-B", "text-regression", 4749 + 1250, 1129, 0),
        ("shift/fdu-mtl-4", "text-classification", 6400, 1600, 2),
    ],
)
def test_real_data_are_read_whole(shared, path, task, train, test, classes):
    spec = DataSpec(train=str(shared / path))
    assert task_of(spec) == task
    examples, problems = READERS.get(TASKS.get(task).medium).read(spec, [KINDS.get(k) for k in TASKS.get(task).kinds])
    assert (len(examples.where("train")), len(examples.where("test")), len(examples.classes)) == (train, test, classes)
    assert not {"broken-row", "missing-label"} & {p.kind for p in problems}


@pytest.mark.shared
def test_real_traps_are_named(shared):
    examples, _ = read(shared / "text/sms-spam")
    assert len(set(examples.content)) == 5171
    _, problems = check_texts(read(shared / "text/waimai-zh")[0])
    assert {p.kind: p.numbers.get("sets") for p in problems}["label-conflict"] == 7
    _, problems = check_texts(read(shared / "glue/CoLA")[0])
    assert {p.kind: p.numbers.get("test") for p in problems}["leak"] == 6
    examples, found = read(shared / "text/trec")
    assert "TREC.train" in found["encoding"].sentence.en
    assert not any("\ufffd" in t for (t,) in examples.rows)
