"""`weigh predict` is stopped and goes on: rows are written as they come, the table is the same, and nothing of the user's is replaced."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import shutil
import signal

import pytest

from tests.journeys.test_journey import weigh
from weigh import growing
from weigh.cli import predicting
from weigh.saved import meaning
from weigh.saved.folder import read_config, rewrite_config
from weigh.saved.model import SavedModel

BLOCK = 32  # of 97 inputs


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """As large as a batch, so that there are several of them and numbers stay those of large ones."""
    monkeypatch.setattr(meaning, "ALIKE", BLOCK)
    monkeypatch.setattr(growing, "KEEP_EVERY", 0.0)


@pytest.fixture
def inputs(photos, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    return [tmp_path / "bad.png", photos, photos]


@pytest.fixture
def blocks(monkeypatch):
    """Blocks that were computed: the number of inputs of each. Before block `stop_at` `stop` is called."""

    class Blocks(list):
        stop_at, stop = -1, None

    computed, outputs = Blocks(), SavedModel.outputs

    def counted(self, examples, **options):
        if len(computed) == computed.stop_at:
            computed.stop()
        computed.append(len(examples))
        return outputs(self, examples, **options)

    monkeypatch.setattr(SavedModel, "outputs", counted)
    return computed


def interrupt():
    raise KeyboardInterrupt


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def swallowed():
    """A library makes something else of the interrupt."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("name", "stop"), [("a.csv", interrupt), ("a.jsonl", interrupt), ("a.csv", terminate), ("a.csv", swallowed)]
)
def test_the_same_command_goes_on_and_the_table_is_the_same(finished, inputs, tmp_path, capsys, blocks, name, stop):
    code, whole, err = weigh(capsys, "predict", finished.folder, *inputs, "--format", name.partition(".")[2])
    assert code == 0
    assert "1 of 97 inputs has no answer: its row is empty." in err
    target, command = tmp_path / name, ["predict", finished.folder, *inputs, "--output", tmp_path / name]
    blocks.stop_at, blocks.stop = len(blocks) + 2, stop
    code, _, err = weigh(capsys, *command)
    assert code == 130
    assert f"The rows of 64 of 97 inputs are kept in {target}.part" in err
    assert "goes on from" in err
    assert "What was finished is kept" not in err
    assert not target.exists()
    kept = (tmp_path / f"{name}.part").read_text("utf-8")
    assert kept == whole[: len(kept)]
    assert len(kept.splitlines()) in (64, 65)
    blocks.stop_at, before = -1, len(blocks)
    code, out, err = weigh(capsys, *command)
    assert (code, out) == (0, "")
    assert blocks[before:] == [BLOCK, 1]
    assert "holds the rows of 64 of 97 inputs" in err
    assert f"{target}: 96 predictions; 1 of 97 inputs has no answer" in err
    assert target.read_text("utf-8") == whole
    assert not list(tmp_path.glob("*.part*"))


def test_what_a_kill_left_half_written_is_cut_off(finished, inputs, tmp_path, capsys, blocks, monkeypatch):
    target = tmp_path / "a.csv"
    leave = growing.GrowingFiles.__exit__
    monkeypatch.setattr(growing.GrowingFiles, "__exit__", lambda self, *_: self._close())
    blocks.stop_at, blocks.stop = 3, interrupt
    assert weigh(capsys, "predict", finished.folder, *inputs, "-o", target)[0] == 130
    with (tmp_path / "a.csv.part").open("a") as part:
        part.write("half a ro")
    monkeypatch.setattr(growing.GrowingFiles, "__exit__", leave)
    blocks.stop_at = -1
    assert weigh(capsys, "predict", finished.folder, *inputs, "-o", target)[0] == 0
    assert blocks == [BLOCK, BLOCK, BLOCK, 1]
    rows = list(csv.DictReader(io.StringIO(target.read_text("utf-8"))))
    assert len(rows) == 97
    assert [row["path"] for row in rows[1:49]] == [row["path"] for row in rows[49:]]


def other_inputs(folder, inputs):
    return [folder, *inputs[:-1]]


def changed_input(folder, inputs):
    inputs[0].write_bytes(b"no picture either")
    return [folder, *inputs]


def other_model(folder, inputs):
    config = read_config(folder / "model")
    rewrite_config(folder / "model", config, temperature=3.0)
    return [folder, *inputs]


def other_options(folder, inputs):
    return [folder, *inputs, "--format", "jsonl"]


@pytest.mark.parametrize(
    ("change", "why"),
    [(other_inputs, "other inputs"), (changed_input, "other inputs"), (other_model, "another model"), (other_options, "other options")],
)  # fmt: skip
def test_what_is_not_the_same_begins_anew_and_says_so(finished, inputs, tmp_path, capsys, blocks, change, why):
    folder, target = shutil.copytree(finished.folder, tmp_path / "study"), tmp_path / "a.csv"
    blocks.stop_at, blocks.stop = 1, interrupt
    assert weigh(capsys, "predict", folder, *inputs, "-o", target)[0] == 130
    blocks.stop_at = -1
    command = change(folder, inputs)
    code, _, err = weigh(capsys, "predict", *command, "-o", target, "--lang", "en")
    assert code == 0
    assert f"a.csv.part cannot be gone on with ({why}): all is predicted anew." in err
    code, whole, _ = weigh(capsys, "predict", *command)
    assert target.read_text("utf-8") == whole


def test_what_goes_to_standard_output_is_written_at_once_and_not_gone_on_with(finished, inputs, capsys, blocks):
    blocks.stop_at, blocks.stop = 1, interrupt
    code, out, err = weigh(capsys, "predict", finished.folder, *inputs)
    assert code == 130
    assert len(out.splitlines()) in (BLOCK, BLOCK + 1, BLOCK + 2)
    assert "Interrupted after 32 of 97 inputs." in err
    assert "--output answers.csv" in err


def test_an_interrupt_while_rows_are_printed_promises_nothing(finished, inputs, capsys, monkeypatch):
    monkeypatch.setattr(predicting.StandardOutput, "close", lambda self: interrupt())
    code, _, err = weigh(capsys, "predict", finished.folder, inputs[1], "--quiet")
    assert code == 130
    assert "Interrupted." in err
    assert "goes on" not in err


def test_nothing_is_computed_where_rows_have_no_place(finished, photos, tmp_path, capsys, blocks):
    picture = shutil.copy(next(photos.rglob("*.png")), tmp_path / "new.png")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "new.csv.part").write_text("mine")
    for options, words in (
        (["-o", tmp_path / "m.csv", "--masks", tmp_path / "m.csv"], "--output and --masks both name"),
        (
            ["-f", "csv", "-o", tmp_path / "out", "--overlays", tmp_path / "out" / "drawn"],
            "lies in a folder of that name",
        ),
        (["-o", tmp_path / "a.csv", "--boxes", tmp_path / "a.csv.part.json"], "a file of this name is needed until"),
        ([tmp_path / "new.csv.part", "-o", tmp_path / "new.csv"], "is to be predicted, and --output would replace it"),
        ([tmp_path, "-f", "csv", "-o", tmp_path / "1.png"], "1.png, named with --output, is called like a picture"),
        (["-o", tmp_path / "folder.csv"], "it is a folder, and a file is needed"),
        (["-o", picture, "--format", "csv"], "is to be predicted, and --output would replace it"),
        (["-o", tmp_path / "b.csv", "--boxes", tmp_path / "b.csv"], "--output and --boxes both name"),
        ([""], "One of the files has an empty name."),
    ):
        code, out, err = weigh(capsys, "predict", finished.folder, picture, *options)
        assert (code, out) == (2, ""), options
        assert re.search(words, err), err
    assert not blocks
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "new.csv.part", "new.png"]


def test_exports_do_not_replace_each_other_and_no_option_is_left_unused(finished, tmp_path, capsys):
    table = tmp_path / "t.csv"
    for options, words in (
        (["--runs", table, "--predictions", table], "--predictions and --runs both name"),
        (["--predictions", table, "-o", tmp_path / "m.onnx"], "--output is for --onnx"),
        (["--runs", table, "--ensemble"], "--ensemble is for --onnx"),
    ):
        code, out, err = weigh(capsys, "export", finished.folder, *options)
        assert (code, out) == (2, "")
        assert words in err
    assert not table.exists()


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["new: 1 file is no picture and is left out (IMG.heic).", "new/bad.png cannot be opened: it is not", "1 of 2 inputs has no answer"]),
        ("zh", ["new：1 个文件不是图片，未处理（IMG.heic）。", "无法打开 new/bad.png：", "2 个输入中有 1 个没有预测结果"]),
    ],
)  # fmt: skip
def test_what_is_left_out_and_what_cannot_be_read_is_told_in_both_languages(
    finished, photos, tmp_path, monkeypatch, capsys, language, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new").mkdir()
    shutil.copy(next(photos.rglob("*.png")), tmp_path / "new" / "a.png")
    for name in ("IMG.heic", "bad.png"):
        (tmp_path / "new" / name).write_bytes(b"no picture")
    code, out, err = weigh(capsys, "predict", finished.folder, "new", "--lang", language)
    assert (code, len(out.splitlines())) == (0, 3)
    for line in words:
        assert line in err


def test_a_saved_model_that_later_results_have_passed_is_told(finished, photos, tmp_path, capsys):
    """Further runs changed the winner, and were stopped before the refit."""
    pytest.importorskip("onnxruntime")
    folder, picture = shutil.copytree(finished.folder, tmp_path / "a study"), next(photos.rglob("*.png"))
    findings = json.loads((folder / "findings.json").read_text("utf-8"))
    former = findings["study"]["winner"]
    other = next(one["id"] for one in findings["study"]["candidates"] if one["id"] != former)
    findings["study"]["winner"] = other
    (folder / "findings.json").write_text(json.dumps(findings), "utf-8")
    for command in (["predict", folder, picture], ["export", folder, "--onnx", "-o", tmp_path / "m.onnx"]):
        code, _, err = weigh(capsys, *command)
        assert code == 0
        assert f"The saved model is {former}." in err
        assert f"weigh run '{folder}' --set output.refit=true" in err
    assert f"The saved model is {former}." in weigh(capsys, "predict", folder, picture, "--quiet")[2]
    assert "The saved model is" not in weigh(capsys, "predict", finished.folder, picture)[2]
