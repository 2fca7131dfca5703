"""Files that would hang, fill the memory or end in a traceback: refused with file, value, limit and what to do."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from weigh.data.tables.parquet import read_parquet
from weigh.data.tables.table_files import read_table
from weigh.data.tables.text_encoding import read_text
from weigh.errors import DataError, WeighError
from weigh.files import LONGEST_TEXT, open_regular, read_array, read_file, read_json, refuse_long_texts
from weigh.reading import read_predictions


@pytest.fixture
def odd_files(tmp_path):
    """Things in a folder that are no files, by kind."""
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "link.csv").symlink_to(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    server = socket.socket(socket.AF_UNIX)
    here = Path.cwd()
    os.chdir(tmp_path)  # names of sockets are short
    server.bind("socket.csv")
    os.chdir(here)
    yield tmp_path
    server.close()


@pytest.mark.parametrize(
    "name", ["pipe.csv", "link.csv", "folder.csv", "zero.csv", "socket.csv", "/dev/null", "/dev/zero"]
)
@pytest.mark.parametrize("read", [read_file, read_text, read_array, read_json, read_parquet, read_table, open_regular])
def test_only_regular_files_are_opened(odd_files, name, read):
    waiting = threading.Timer(8, os._exit, [99])  # an open pipe waits for ever, where no signal of pytest's helps
    waiting.start()
    try:
        with pytest.raises(DataError) as raised:
            read(odd_files / name)
    finally:
        waiting.cancel()
    assert Path(name).name in raised.value.what.en
    assert raised.value.do


@pytest.mark.parametrize(
    "command",
    [
        ["data"],
        ["data", "--task", "image-classification"],
        ["read"],
        ["run", "--models", "timm:resnet18"],
        ["plan", "--models", "timm:resnet18"],
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".yaml", ".parquet", ".jsonl", ""])
def test_commands_refuse_a_pipe_at_once(tmp_path, command, suffix, capsys, monkeypatch):
    from weigh.cli.main import main

    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"pipe{suffix}"
    os.mkfifo(path)
    waiting = threading.Timer(8, os._exit, [99])
    waiting.start()
    code = main([command[0], str(path), *command[1:]])
    waiting.cancel()
    assert code == 2
    said = capsys.readouterr().err
    assert "is a pipe, not a file" in said
    assert "Write its contents to a file" in said


@pytest.mark.parametrize("task", ["image-classification", "text-classification", "object-detection"])
def test_a_pipe_that_may_be_a_list_is_refused_at_once(tmp_path, task, capsys):
    from weigh.cli.main import main

    os.mkfifo(tmp_path / "list.txt")
    waiting = threading.Timer(8, os._exit, [99])
    waiting.start()
    code = main(["data", str(tmp_path / "list.txt"), "--task", task])
    waiting.cancel()
    assert code == 2
    assert "is a pipe, not a file" in capsys.readouterr().err


def _peak(code: str, *arguments: str) -> tuple[int, str]:
    """Most memory in bytes of a fresh process that runs `code`, and what it printed."""
    script = f"import sys\nfrom weigh.errors import WeighError\ntry:\n    {code}\n    print('read')\nexcept WeighError as e:\n    print(e)\nprint(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    *said, peak = done.stdout.strip().splitlines()
    return int(peak) * 1024, "\n".join(said)


TABLE = "from weigh.data.tables.table_files import read_table; read_table(__import__('pathlib').Path(sys.argv[1]))"


def _bomb(path: Path, gigabytes: float, *, members: int = 1) -> Path:
    """A gzip file of nothing but "a": a thousandth of what it unpacks to."""
    block = b"a" * 10_000_000
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(block * 1)
    member = path.read_bytes()
    path.write_bytes(member * max(members, int(gigabytes * 100)))
    return path


def test_a_small_file_that_unpacks_to_much_is_refused_in_little_memory(tmp_path):
    path = _bomb(tmp_path / "bomb.csv.gz", 3.0)
    peak, said = _peak(TABLE, str(path))
    assert "bomb.csv.gz" in said
    assert "the limit is 26" in said
    assert peak < 900e6


def test_a_packed_table_of_honest_size_is_read(tmp_path):
    rows = "text,label\n" + "".join(f"row {i} of many,{'ab'[i % 2]}\n" for i in range(5000))
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(rows.encode()))
    assert len(read_table(path).lines) == 5000
    path.write_bytes(gzip.compress(rows.encode()) + gzip.compress(b"one,a\ntwo,b\n") + b"\0" * 100)  # members, padding
    assert len(read_table(path).lines) == 5002


@pytest.mark.parametrize("wound", ["cut", "flipped", "garbage", "header"])
def test_a_damaged_packed_file_is_named(tmp_path, wound):
    raw = bytearray(gzip.compress(b"text,label\n" + os.urandom(3000)))
    if wound == "cut":
        raw = raw[:-100]
    elif wound == "flipped":
        raw[200:900] = bytes(700)
    elif wound == "garbage":
        raw += b"not zeros"
    else:
        raw[3] = 0xFF
    path = tmp_path / "damaged.csv.gz"
    path.write_bytes(raw)
    with pytest.raises(DataError, match="damaged"):
        read_text(path)


def test_the_limit_is_raised_by_the_variable_that_the_error_names(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\n" + b"x,y\n" * 1000)
    monkeypatch.setenv("WEIGH_READ_LIMIT", "1KB")
    with pytest.raises(DataError, match=r"4,011 bytes; the limit is 1,000") as raised:
        read_table(path)
    assert "WEIGH_READ_LIMIT" in str(raised.value.do)
    monkeypatch.setenv("WEIGH_READ_LIMIT", "1MB")
    assert len(read_table(path).lines) >= 1


@pytest.mark.parametrize("kind", ["rows", "dictionary", "nulls", "lists"])
def test_a_small_parquet_that_unpacks_to_much_is_refused(tmp_path, kind):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "bomb.parquet"
    n = 30_000_000
    if kind == "rows":
        table = pa.table({"label": pa.array(np.zeros(n, dtype=np.int64))})
    elif kind == "nulls":
        table = pa.table({"label": pa.nulls(n, pa.int8())})
    elif kind == "lists":
        table = pa.table({"label": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(n, dtype=np.int8)), 1000)})
    else:
        table = pa.table({"text": pa.DictionaryArray.from_arrays(np.zeros(2000, dtype=np.int32), ["x" * 1_000_000])})
    pq.write_table(table, path, compression="zstd")
    assert path.stat().st_size < 3_000_000
    with pytest.raises(DataError, match=r"bomb\.parquet unpacks to [\d,]+ bytes; the limit is 256,000,000"):
        read_parquet(path)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_parquet_is_an_error_never_a_panic(tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / "t.parquet"
    frame = pl.DataFrame(
        {
            "text": [f"words {i}" for i in range(200)],
            "label": [i % 3 for i in range(200)],
            "l": [[i] for i in range(200)],
        }
    )
    frame.write_parquet(path)
    raw = bytearray(path.read_bytes())
    for at in rng.integers(4, len(raw) - 8, 1 + seed * 3):
        raw[at] ^= 1 << int(rng.integers(8))
    path.write_bytes(raw)
    refused = ""
    try:
        rows = len(read_table(path).lines)
    except WeighError as error:
        rows, refused = 0, str(error)
    assert "t.parquet" in refused or rows == 200


def test_parquet_columns_of_any_type_are_read_as_text(tmp_path):
    import datetime

    n = 6
    frame = pl.DataFrame({
        "example": list(range(n)), "label": ["a", "b"] * 3, "prediction": ["a"] * n, "tags": [["x", "y"]] * n, "raw": [b"\xff\x00"] * n,
        "when": [datetime.datetime(2024, 1, 2)] * n, "inner": [{"k": 1}] * n, "none": [None] * n, "long": [datetime.timedelta(1)] * n,
    })  # fmt: skip
    path = tmp_path / "answers.parquet"
    frame.write_parquet(path)
    assert len(read_predictions(path).results.examples) == n


@pytest.mark.parametrize("value", [3_000_000_000, 2**62, 30_000, -1, 2.5, float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["labels", "answers"])
@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_a_class_number_out_of_reach_is_named(tmp_path, value, where, suffix):
    arrays = {"labels": [0, 1, 1], "answers": [0, 1, 0]}
    arrays[where] = [0, 1, value]
    (tmp_path / "models").mkdir()
    places = {"labels": tmp_path / f"labels{suffix}", "answers": tmp_path / "models" / f"m{suffix}"}
    for name, path in places.items():
        if suffix == ".npy":
            np.save(path, np.array(arrays[name]))
        else:
            path.write_text(json.dumps(arrays[name]), "utf-8")
    with pytest.raises(DataError) as raised:
        read_predictions(tmp_path / "models", labels=[places["labels"]])
    assert places[where].name in str(raised.value)


@pytest.mark.parametrize("header", [
    "{'descr': '<i8', 'fortran_order': False, 'shape': (3000000000,), }", "{'descr': '<i8', 'fortran_order': False, 'shape': (-3,), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "{'descr': '<i8'", "[" * 600, "(", "",
    "{'descr': '<U99999999', 'fortran_order': False, 'shape': (9,), }", "{'descr': '<i8', 'fortran_order': False, 'shape': (True, 'a'), }",
    "{'descr': '<i8', 'fortran_order': False, 'shape': (1" + "0" * 400 + ",), }", "__import__('os').abort()",
])  # fmt: skip
def test_headers_of_arrays_are_checked_before_memory_is_taken(tmp_path, header):
    written = header.encode() + b"\n"
    path = tmp_path / "m.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(written).to_bytes(2, "little") + written + bytes(24))
    with pytest.raises(DataError, match=r"m\.npy"):
        read_array(path)


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"\x93NUMPY\x03\x00", b"PK\x03\x04", b"\x93NUMPY\x01\x00\xff\xff{", b"\x80\x04."]
)
def test_what_is_no_array_is_named(tmp_path, content):
    path = tmp_path / "m.npy"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"m\.npy"):
        read_array(path)


@pytest.mark.parametrize("content", ["{", "", "[" * 100_000, "9" * 5000, '"\\ud800', "\ufeff", "nul"])
def test_damaged_json_is_named(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError, match=r"config\.json"):
        read_json(path)


def test_a_text_that_no_model_reads_is_named():
    rows = [("short",), ("x" * LONGEST_TEXT,)]
    refuse_long_texts(rows, lambda i: f"t.csv:{i}")
    with pytest.raises(DataError, match=r"t\.csv:2: the text has 10,000,001 characters; the limit is 10,000,000"):
        refuse_long_texts([*rows, ("x" * LONGEST_TEXT, "y")], lambda i: f"t.csv:{i}")
