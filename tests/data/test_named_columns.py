"""Columns and settings that the user names: they are what is read, or it is said that they are not there; none is ignored in silence."""

from __future__ import annotations

import json

import polars as pl
import pytest

from tests.data.boxes.box_files import write_coco, write_csv
from tests.data.masks.mask_files import draw, paint, save
from weigh.data.pictures.index import read_images
from weigh.data.recognition.tasks import recognise_task
from weigh.data.sentences.index import read_tokens
from weigh.data.texts.index import read_texts
from weigh.data.texts.new_texts import read_new_texts
from weigh.errors import DataError, SpecError
from weigh.kinds.boxes import BOXES
from weigh.kinds.label import LABEL
from weigh.kinds.masks import MASKS
from weigh.plan.prepare import prepare
from weigh.spec import DataSpec, StudySpec

# Sentences ----------------------------------------------------------------------------------------------------------

SENTENCE = (["Anna", "Ek", "saw", "Oslo"], ["B-PER", "I-PER", "O", "B-LOC"], ["B-NP", "I-NP", "B-VP", "B-NP"])
OTHER = (["we", "met", "Omar"], ["O", "O", "B-PER"], ["B-NP", "B-VP", "B-NP"])
ROWS = [SENTENCE, OTHER] * 4
SPANS = {"text": "Anna saw Oslo", "places": [[9, 13, "LOC"]], "entities": [[0, 4, "PER"], [9, 13, "LOC"]]}


def _lists(path):
    path.write_text("".join(json.dumps(dict(zip(("tokens", "ner_tags", "chunk_tags"), row, strict=True))) + "\n" for row in ROWS))  # fmt: skip


def _columns(path, header="form\tner_tags\tchunk_tags\n"):
    path.write_text(header + "\n".join("".join("\t".join(cells) + "\n" for cells in zip(*row, strict=True)) for row in ROWS))  # fmt: skip


def _table(path):
    rows = [[str(i), *cells] for i, row in enumerate(ROWS) for cells in zip(*row, strict=True)]
    path.write_text("\n".join(map(",".join, [["sentence_id", "tokens", "ner_tags", "chunk_tags"], *rows])) + "\n")


def _spans(path):
    path.write_text("".join(json.dumps({**SPANS, "text": f"{SPANS['text']} {i}"}) + "\n" for i in range(8)))


def _span_table(path):
    rows = [f'Anna saw Oslo {i},"{SPANS["places"]}","{SPANS["entities"]}"'.replace("'", '""') for i in range(8)]
    path.write_text("\n".join(["text,places,entities", *rows]) + "\n")


LAYOUTS = {  # name -> (suffix, write, two columns of labels with the types that they hold)
    "JSON": ("jsonl", _lists, {"ner_tags": {"PER", "LOC"}, "chunk_tags": {"NP", "VP"}}),
    "columns with names": ("tsv", _columns, {"ner_tags": {"PER", "LOC"}, "chunk_tags": {"NP", "VP"}}),
    "columns with names, CoNLL": ("conll", _columns, {"ner_tags": {"PER", "LOC"}, "chunk_tags": {"NP", "VP"}}),
    "columns with numbers": ("conll", lambda p: _columns(p, ""), {"2": {"PER", "LOC"}, "3": {"NP", "VP"}}),
    "table": ("csv", _table, {"ner_tags": {"PER", "LOC"}, "chunk_tags": {"NP", "VP"}}),
    "spans": ("jsonl", _spans, {"entities": {"PER", "LOC"}, "places": {"LOC"}}),
    "table of spans": ("csv", _span_table, {"entities": {"PER", "LOC"}, "places": {"LOC"}}),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_labels_of_sentences_are_those_that_are_named(tmp_path, layout):
    suffix, write, labels = LAYOUTS[layout]
    path = tmp_path / f"data.{suffix}"
    write(path)
    for name, types in labels.items():
        examples, _ = read_tokens(DataSpec(train=str(path), columns={"label": name}))
        assert set(examples.classes) == types
        assert len(examples) == 8
    for role in ("label", "text") if layout != "columns with numbers" else ():
        with pytest.raises(DataError, match=f"data.{role}: .*'nothing'"):
            read_tokens(DataSpec(train=str(path), columns={role: "nothing"}))


PARTS = ["train"] * 5 + ["test"] * 2 + ["dev"]


def _rows_with_parts(path, separator):
    rows = [[str(i), *cells, part] for i, (row, part) in enumerate(zip(ROWS, PARTS, strict=True)) for cells in zip(*row[:2], strict=True)]  # fmt: skip
    path.write_text("\n".join(map(separator.join, [["sentence_id", "token", "tag", "split"], *rows])) + "\n")


def _objects_with_parts(path, make, name="split"):
    path.write_text("".join(json.dumps({**make(i, row), name: part}) + "\n" for i, (row, part) in enumerate(zip(ROWS, PARTS, strict=True))))  # fmt: skip


PARTED = {
    "table": ("csv", lambda p: _rows_with_parts(p, ",")),
    "table with tabs": ("tsv", lambda p: _rows_with_parts(p, "\t")),
    "JSON": ("jsonl", lambda p: _objects_with_parts(p, lambda i, row: {"tokens": row[0], "tags": row[1]})),
    "spans": ("jsonl", lambda p: _objects_with_parts(p, lambda i, row: {**SPANS, "text": f"Anna saw Oslo {i}"}, "Subset")),
    "Parquet": ("parquet", lambda p: pl.DataFrame({"tokens": [r[0] for r in ROWS], "tags": [r[1] for r in ROWS], "split": PARTS}).write_parquet(p)),
}  # fmt: skip


@pytest.mark.parametrize("layout", PARTED)
def test_a_column_says_the_part_of_each_sentence(tmp_path, layout):
    suffix, write = PARTED[layout]
    path = tmp_path / f"data.{suffix}"
    write(path)
    examples, problems = read_tokens(DataSpec(train=str(path)))
    assert examples.part.tolist() == ["train" if p == "dev" else p for p in PARTS]
    notes = [p for p in problems if "says the part of each row" in p.sentence.en]
    assert len(notes) == (layout == "spans")
    with pytest.raises(DataError, match=r"data\.columns\.split: .* no column 'part_of'"):
        read_tokens(DataSpec(train=str(path), columns={"split": "part_of"}))


def test_sentences_of_an_unknown_part_are_named(tmp_path):
    _objects_with_parts(tmp_path / "data.jsonl", lambda i, row: {"tokens": row[0], "tags": row[1]}, "split")
    content = (tmp_path / "data.jsonl").read_text().replace('"dev"', '"later"')
    (tmp_path / "data.jsonl").write_text(content)
    examples, problems = read_tokens(DataSpec(train=str(tmp_path / "data.jsonl")))
    (problem,) = [p for p in problems if p.kind == "split"]
    assert problem.paths == ("data.jsonl:8",)
    assert len(examples) == 7


def test_columns_without_names_have_none_of_parts(tmp_path):
    _columns(tmp_path / "data.conll", "")
    with pytest.raises(DataError, match=r"data\.columns\.split: .* no columns with names"):
        read_tokens(DataSpec(train=str(tmp_path / "data.conll"), columns={"split": "part"}))


@pytest.mark.parametrize(("suffix", "separator"), [("txt", ","), ("tab", "\t")])
def test_a_table_of_another_ending_lacks_the_column_of_parts(tmp_path, suffix, separator):
    path = tmp_path / f"ner.{suffix}"
    _rows_with_parts(path, separator)
    assert (read_tokens(DataSpec(train=str(path)))[0].part == "test").sum() == 2
    with pytest.raises(DataError, match=r"data\.columns\.split: .* no column 'splt'"):
        read_tokens(DataSpec(train=str(path), columns={"split": "splt"}))


def test_a_table_of_spans_of_another_ending_lacks_the_column_of_parts(tmp_path):
    _span_table(tmp_path / "ner.txt")
    assert len(read_tokens(DataSpec(train=str(tmp_path / "ner.txt")))[0]) == 8
    with pytest.raises(DataError, match=r"data\.columns\.split: .* no column 'splt'"):
        read_tokens(DataSpec(train=str(tmp_path / "ner.txt"), columns={"split": "splt"}))


def test_columns_between_blanks_are_named_whatever_the_ending(tmp_path):
    lines = ["word ner", *("\n".join(map(" ".join, zip(*row[:2], strict=True))) + "\n" for row in ROWS)]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    examples, _ = read_tokens(DataSpec(train=str(tmp_path / "data.csv"), columns={"label": "ner"}))
    assert len(examples) == 8
    with pytest.raises(DataError, match=r"data\.label: .* no column 'nothing'"):
        read_tokens(DataSpec(train=str(tmp_path / "data.csv"), columns={"label": "nothing"}))


def test_a_file_of_a_folder_that_lacks_a_named_column_is_not_left_out(tmp_path):
    _columns(tmp_path / "train.conll")
    (tmp_path / "test.conll").write_text("Omar\tB-PER\tB-NP\nleft\tO\tB-VP\n\n" * 4)
    (tmp_path / "about.txt").write_text("Sentences of newspapers, with names of people and places.\n")
    with pytest.raises(DataError, match=r"data\.label: .*test\.conll names no column 'ner_tags'"):
        read_tokens(DataSpec(train=str(tmp_path), columns={"label": "ner_tags"}))
    _columns(tmp_path / "test.conll")
    _, problems = read_tokens(DataSpec(train=str(tmp_path), columns={"label": "ner_tags"}))
    assert [p.paths for p in problems if p.kind == "unlabelled"] == [("about.txt",)]


@pytest.mark.parametrize("orient", ["split", "columns", "index"])
def test_columns_of_a_frame_of_pandas_are_named(tmp_path, orient):
    cells = [(str(i), *pair, part) for i, (row, part) in enumerate(zip(ROWS, PARTS, strict=True)) for pair in zip(*row[:2], strict=True)]  # fmt: skip
    names = ["sentence_id", "word", "tag", "fold_of"]
    whole = {
        "split": {"columns": names, "index": [*range(len(cells))], "data": cells},
        "columns": {n: {str(i): c for i, c in enumerate(column)} for n, column in zip(names, zip(*cells, strict=True), strict=True)},
        "index": {str(i): dict(zip(names, row, strict=True)) for i, row in enumerate(cells)},
    }  # fmt: skip
    (tmp_path / "data.json").write_text(json.dumps(whole[orient]))
    asked = {"text": "word", "label": "tag", "split": "fold_of"}
    examples, _ = read_tokens(DataSpec(train=str(tmp_path / "data.json"), columns=asked))
    assert set(examples.classes) == {"PER", "LOC"}
    assert (examples.part == "test").sum() == 2
    for role in asked:
        with pytest.raises(DataError, match=f"{role}: .* no column 'nothing'"):
            read_tokens(DataSpec(train=str(tmp_path / "data.json"), columns={**asked, role: "nothing"}))


def test_names_inside_the_data_of_label_studio(tmp_path):
    def task(i, _):
        value = {"start": 0, "end": 4, "labels": ["PER"]}
        data = {"title": f"News {i}", "body": f"Anna saw Oslo {i}", "part_of": PARTS[i]}
        return {"id": i, "data": data, "annotations": [{"result": [{"type": "labels", "value": value}]}]}

    _objects_with_parts(tmp_path / "data.jsonl", task, "note")
    asked = {"text": "body", "split": "part_of"}
    examples, _ = read_tokens(DataSpec(train=str(tmp_path / "data.jsonl"), columns=asked))
    assert {row[:3] for row in examples.rows} == {("Anna", "saw", "Oslo")}
    assert (examples.part == "test").sum() == 2


def test_labels_inside_the_data_of_label_studio(tmp_path):
    """Spans and lists that were imported with the texts; what was annotated does not count then."""

    def spans(i, _):
        annotated = [{"result": [{"value": {"start": 0, "end": 4, "labels": ["PER"]}}]}]
        return {"data": {"body": f"Anna saw Oslo {i}", "gold": [[9, 13, "LOC"]], "part_of": PARTS[i]}, "annotations": annotated}  # fmt: skip

    def lists(i, _):
        return {"data": {"pieces": ["Anna", "saw", f"Oslo{i}"], "gold": ["O", "O", "B-LOC"], "part_of": PARTS[i]}}

    for text, make in (("body", spans), ("pieces", lists)):
        _objects_with_parts(tmp_path / "data.jsonl", make, "note")
        asked = {"text": text, "label": "gold", "split": "part_of"}
        examples, _ = read_tokens(DataSpec(train=str(tmp_path / "data.jsonl"), columns=asked))
        assert examples.classes == ("LOC",)
        assert read_new_texts(tmp_path / "data.jsonl", examples.written, tokens=True) == [
            tuple(r) for r in examples.rows
        ]


# Texts and pictures -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["split", "group"])
def test_a_column_that_a_table_of_texts_lacks(tmp_path, role):
    rows = "".join(f"the words of text {i},{'ab'[i % 2]},train\n" for i in range(12))
    (tmp_path / "t.csv").write_text(f"text,label,part_of\n{rows}")
    with pytest.raises(DataError, match=f"data.columns.{role}: t.csv has no column 'partof'") as caught:
        read_texts(DataSpec(train=str(tmp_path / "t.csv"), columns={role: "partof"}))
    assert "part_of" in caught.value.render("en")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Pictures in folders of classes, a table of masks, boxes in a table and in a COCO file."""
    root = tmp_path_factory.mktemp("places")
    rows = ["image,mask"]
    for i in range(4):
        for name in ("cat", "dog"):
            paint(root / "classes" / name / f"{i}.png", 2 * i + (name == "dog"))
        paint(root / f"x{i}.png", 20 + i)
        save(root / f"y{i}.png", draw(i))
        rows.append(f"x{i}.png,y{i}.png")
    (root / "masks.csv").write_text("\n".join(rows) + "\n")
    write_csv(root / "table")
    write_coco(root / "coco")
    return root


IDLE = [
    (
        "classes",
        LABEL,
        {"columns": {"group": "patient"}},
        r"data\.columns\.group: no column 'patient' of groups is read",
    ),
    ("classes", LABEL, {"columns": {"split": "fold"}}, r"data\.columns\.split: .* no table"),
    ("classes", LABEL, {"classes": ["cat", "dog"]}, r"data\.classes does not count"),
    ("classes", LABEL, {"ignore": ["255"]}, r"data\.ignore does not count"),
    ("classes", LABEL, {"box_format": "xywh"}, r"data\.box_format does not count"),
    ("coco", BOXES, {"label_offset": -1}, r"data\.label_offset does not count"),
    ("coco", BOXES, {"columns": {"group": "patient"}}, r"data\.columns\.group: no column 'patient' of groups is read"),
    ("table/boxes.csv", BOXES, {"columns": {"path": "pictures"}}, r"data\.columns\.path: .* no column 'pictures'"),
    ("masks.csv", MASKS, {"columns": {"path": "pictures"}}, r"data\.columns\.path: .* no column 'pictures'"),
    ("masks.csv", MASKS, {"columns": {"label": "masks"}}, r"data\.columns\.label: .* no column 'masks'"),
    ("masks.csv", MASKS, {"label_offset": -1}, r"data\.label_offset does not count"),
    ("coco", BOXES, {"classes": ["ship", "buoy"]}, r"data\.classes does not count here: .*coco names the classes"),
    ("table/boxes.csv", BOXES, {"classes": ["ship"]}, r"data\.classes does not count here"),
    ("coco", BOXES, {"ignore": ["255"]}, r"data\.ignore does not count"),
    ("masks.csv", MASKS, {"origin": 1}, r"data\.origin does not count"),
]


@pytest.mark.parametrize(("name", "kind", "settings", "told"), IDLE)
def test_a_setting_that_does_not_count_is_refused(places, name, kind, settings, told):
    with pytest.raises(DataError, match=told):
        read_images(DataSpec(train=str(places / name), **settings), [kind], offline=True)


def test_the_advice_for_groups_in_folders_shows_a_path_for_the_pattern(places):
    with pytest.raises(DataError, match=r"columns\.group") as caught:
        read_images(DataSpec(train=str(places / "classes"), columns={"group": "patient"}), [LABEL], offline=True)
    advice = caught.value.render("en")
    assert "data.group_pattern" in advice
    examples, _ = read_images(DataSpec(train=str(places / "classes")), [LABEL], offline=True)
    assert examples.path[0] in advice


# Metrics and the class of interest ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"metrics": {"also": ["mse"]}}, r"metrics\.also: mse is not defined"),
        ({"data": {"positive": "a"}}, "data.positive names one of two classes; there are 3"),
    ],
)
def test_what_cannot_be_scored_is_told_before_anything_runs(tmp_path, settings, told):
    rows = "".join(f"the words of text {i} {i % 7},{'abc'[i % 3]}\n" for i in range(30))
    (tmp_path / "t.csv").write_text(f"text,label\n{rows}")
    data = {"train": str(tmp_path / "t.csv"), **settings.get("data", {})}
    with pytest.raises(SpecError, match=told):
        prepare(StudySpec.model_validate({"models": ["hf:x"], **settings, "data": data}))


# What data are taken for ---------------------------------------------------------------------------------------------


def test_masks_that_several_pictures_share_are_masks(tmp_path):
    rows = [f"pictures/{k}.png,masks/{'blank' if k < 8 else k}.png" for k in range(12)]
    (tmp_path / "table.csv").write_text("\n".join(["image,mask", *rows]) + "\n")
    assert recognise_task(tmp_path / "table.csv").task == "semantic-segmentation"


def test_bytes_that_are_no_pictures_do_not_hide_the_texts(tmp_path):
    words = ["good food", "bad food", "good service", "bad service"] * 10
    table = {"text": [word.encode() for word in words], "label": ["good", "bad"] * 20, "hash": [b"\xff\x00\x01"] * 40}
    pl.DataFrame(table).write_parquet(tmp_path / "table.parquet")
    assert recognise_task(tmp_path / "table.parquet").task == "text-classification"
    pl.DataFrame({**table, "image": [b"\x89PNG\r\n\x1a\n0000"] * 40}).write_parquet(tmp_path / "table.parquet")
    assert recognise_task(tmp_path / "table.parquet").task is None


def test_tokens_have_no_settings_of_masks_and_boxes(tmp_path):
    _lists(tmp_path / "data.jsonl")
    with pytest.raises(DataError, match=r"data\.classes does not count"):
        read_tokens(DataSpec(train=str(tmp_path / "data.jsonl"), classes=["PER"]))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_folder_of_pictures_with_metadata(places, tmp_path, ending):
    rows = [{"file_name": f"{name}/{i}.png", "label": name, "site": i % 2} for i in range(4) for name in ("cat", "dog")]
    table = places / "classes" / f"metadata.{ending}"
    if ending == "csv":
        pl.DataFrame(rows).write_csv(table)
    else:
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    try:
        assert recognise_task(table).task == "image-classification"
        examples, problems = read_images(DataSpec(train=str(table)), offline=True)
        assert len(examples) == 8
        assert examples.classes == ("cat", "dog")
        assert any("paths: file_name" in problem.sentence.en for problem in problems)
    finally:
        table.unlink()
