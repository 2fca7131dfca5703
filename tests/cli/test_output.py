"""What reaches a terminal: harmless, in any encoding; an unexpected error is a sentence."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from weigh.cli.main import main
from weigh.cli.output import printing, unfiltered
from weigh.cli.rows import RowWriter
from weigh.data.rows.listing import natural_key

ESCAPES = ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "bell\x07", "csi\x9b2J", "back\x08\x08", "rtl\u202egpj.exe"]
HOSTILE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]")


def run(arguments: list[str], monkeypatch, encoding: str = "utf-8") -> tuple[int, bytes, bytes]:
    """Exit code, standard output and standard error of a command whose streams speak `encoding` strictly."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    code = main(arguments)
    for stream in streams:
        stream.flush()
    return code, streams[0].buffer.getvalue(), streams[1].buffer.getvalue()  # type: ignore[attr-defined]


@pytest.fixture
def hostile_table(tmp_path) -> Path:
    """Texts whose classes carry escape sequences; some texts are copies, so that rows are named."""
    rows = ["text,label"]
    for i in range(60):
        rows.append(f"words {i % 50} about {'food' if i % 2 else 'rain'} number {i % 25},{ESCAPES[i % 6]}")
    path = tmp_path / "hostile.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("format", ["text", "json"])
def test_escapes_in_classes_do_not_reach_the_terminal(hostile_table, monkeypatch, format):
    code, out, err = run(["data", str(hostile_table), "--format", format], monkeypatch)
    assert code == 0
    assert b"red" in out
    assert not HOSTILE.search(out.decode()), out
    assert not HOSTILE.search(err.decode()), err


@pytest.mark.parametrize(
    "arguments",
    [
        ["data", "no\x1b[2Jfile"],
        ["run", "x\x1b]0;t\x07.yaml"],
        ["read", "t\x9b2J.csv"],
        ["predict", "s\x1bc", "f"],
        ["--\x1b[31m"],
        ["models", "timm:\x1b[31m"],
        ["evaluate", "d\x1b[2J", "--labels", "\x1b[2J"],
    ],
)
def test_escapes_in_arguments_do_not_reach_the_terminal(arguments, monkeypatch):
    code, out, err = run(arguments, monkeypatch)
    assert code == 2
    assert err
    assert not HOSTILE.search((out + err).decode())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_class_name_begins_no_line_of_its_own(tmp_path, monkeypatch, language):
    names = ["cat\n[leak] planted", "cat \n\n  → planted", "dog"]
    rows = [{"text": f"words {i} about text {i * 7}", "label": names[i % 3]} for i in range(60)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    code, out, _ = run(["data", str(tmp_path / "t.jsonl"), "--lang", language], monkeypatch)
    lines = out.decode().splitlines()
    assert code == 0
    assert any("cat‹U+000A›[leak] planted: 20" in line for line in lines)
    assert not any(line.startswith(("[leak]", "  → planted")) for line in lines)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "gbk", "cp437", "utf-16", "shift_jis"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_encoding_of_the_terminal_is_survived(hostile_table, monkeypatch, encoding, language):
    code, out, err = run(["data", str(hostile_table), "--lang", language], monkeypatch, encoding)
    assert code == 0, err
    assert out.decode(encoding)
    code, _, err = run(["data", "没有这个文件", "--lang", language], monkeypatch, encoding)
    assert code == 2
    assert len(err.decode(encoding).splitlines()) >= 1


def test_data_for_programs_is_utf8_whatever_the_terminal_speaks(hostile_table, monkeypatch):
    code, out, _ = run(["data", str(hostile_table), "--format", "json", "--lang", "zh"], monkeypatch, "ascii")
    assert code == 0
    assert json.loads(out.decode("utf-8"))
    assert "个类别" in out.decode("utf-8")


@pytest.mark.parametrize("cell", [*ESCAPES[:5], "half\udcff"])
def test_rows_carry_no_control_characters_and_json_keeps_their_meaning(cell):
    out = io.StringIO(RowWriter("csv").text([{"path": cell, "label": "a"}]))
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]", out.getvalue())
    out = io.StringIO(RowWriter("jsonl").text([{"path": cell, "label": "a"}]))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", out.getvalue())
    assert json.loads(out.getvalue())["path"] == cell


def test_rows_keep_every_other_character():
    kept = "a\u200bb\u202ec 中 é 😀"
    assert RowWriter("csv").text([{"path": kept}]) == f"path\n{kept}\n"


@pytest.mark.parametrize("error", [RuntimeError("\x1b[31mboom"), RecursionError("deep"), MemoryError()])
def test_an_unexpected_error_is_a_sentence_and_its_traceback_is_kept(monkeypatch, tmp_path, error):
    import tempfile

    def fail(*_args, **_options):
        raise error

    monkeypatch.setattr("weigh.models.listing.list_models", fail)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    code, out, err = run(["models"], monkeypatch)
    said = err.decode()
    assert code == 70
    assert not out
    assert "Traceback" not in said
    assert not HOSTILE.search(said)
    assert type(error).__name__ in said
    (kept,) = tmp_path.glob("weigh-error-*.txt")
    assert str(kept) in said
    assert "Traceback" in kept.read_text()


def test_a_panic_of_a_library_is_a_sentence(monkeypatch, tmp_path):
    class PanicException(BaseException):  # as polars raises: no Exception
        pass

    def fail(*_args, **_options):
        raise PanicException("index out of bounds")

    monkeypatch.setattr("weigh.models.listing.list_models", fail)
    code, _, err = run(["models"], monkeypatch)
    assert code == 70
    assert b"index out of bounds" in err


def test_the_filter_leaves_the_streams_as_they_were(monkeypatch):
    before = sys.stdout, sys.stderr
    with printing():
        assert unfiltered(sys.stdout) is before[0]
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize("name", ["①", "10²", "x③y", "٣", "๓", "m²", "²", "1²3", "Ⅷ", "½", "三", "𝟙", "⑩.png", "９"])
def test_every_name_has_a_place_in_the_order(name):
    assert natural_key(name) == natural_key(name)
    assert sorted(["b", name, "a10", "a9", "10", "9"], key=natural_key)


@pytest.mark.parametrize("command", [["predict", "--nonsense"], ["export", "a", "b", "c"], ["nonsense"], ["run"]])
def test_a_mistake_in_the_command_is_told_as_text(command):
    """Click takes a stream that does not refuse bytes for a binary one."""
    done = subprocess.run([sys.executable, "-m", "weigh", *command], capture_output=True, text=True)
    assert done.returncode == 2
    assert "b'" not in done.stderr
    assert 'b"' not in done.stderr
    assert done.stderr.startswith("Usage:")
    assert "\nError: " in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["data", "x"],
        ["models"],
        ["read", "x"],
        ["report", "x"],
        ["glue", "x"],
        ["evaluate", "x"],
        ["rank", "x"],
        ["predict", "x", "y"],
    ],
)
def test_every_command_refuses_a_format_that_it_does_not_have(command, capsys):
    assert main([*command, "--format", "yaml"]) == 2
    assert "yaml is none of" in capsys.readouterr().err
