"""Tables of texts, of pictures and of predictions as CSV and Parquet, and folders of arrays: written well, then bent."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.torture.fuzz.bend import bend_bytes, chance, encode, harmed, nasty, pick
from benchmarks.torture.fuzz.documents import WORDS

__all__ = ["write_arrays", "write_parquet", "write_pictures", "write_predictions", "write_table"]

Columns = dict[str, list[str]]


def write_table(rng: np.random.Generator, folder: Path) -> list[str]:
    """Texts with labels, pairs or numbers."""
    path = folder / f"table{pick(rng, ['.csv', '.csv', '.csv', '.tsv', '.txt', '.csv.gz'])}"
    path.write_bytes(bend_bytes(rng, encode(rng, _separated(rng, _bend(rng, _texts(rng)))), share=0.6))
    task = ["--task", pick(rng, ["text-classification", "text-regression"])] if chance(rng, 0.2) else []
    extra = (
        ["--set", f"data.{pick(rng, ['text', 'label', 'label_separator', 'columns.group'])}={nasty(rng)}"]
        if harmed(rng, 0.1)
        else []
    )
    return ["data", str(path), "--quiet", *task, *extra]


def write_pictures(rng: np.random.Generator, folder: Path) -> list[str]:
    """A table of picture paths, or folders of classes; a few files are no pictures."""
    from PIL import Image

    names = []
    for i in range(int(rng.integers(2, 8))):
        out = io.BytesIO()
        size = (int(rng.integers(1, 40)), int(rng.integers(1, 40)))
        picture = (
            Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
            .quantize(8, Image.Quantize.FASTOCTREE)
            .convert(pick(rng, ["RGB", "L"]))
        )
        picture.save(out, pick(rng, ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]))
        name = f"{'ab'[i % 2]}/{i}{pick(rng, ['.png', '.jpg', '.gif', '.tif'])}"
        (folder / "p" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "p" / name).write_bytes(bend_bytes(rng, out.getvalue(), share=0.4))
        names.append(name)
    if chance(rng, 0.5):
        return ["data", str(folder / "p"), "--quiet"]
    columns = {"path": [nasty(rng) if harmed(rng, 0.1) else n for n in names], "label": [n[0] for n in names]}
    (folder / "p" / "list.csv").write_bytes(
        bend_bytes(rng, _separated(rng, _bend(rng, columns)).encode("utf-8", "surrogatepass"), share=0.3)
    )
    return ["data", str(folder / "p" / "list.csv"), "--quiet"]


def write_predictions(rng: np.random.Generator, folder: Path) -> list[str]:
    """Predictions of others: decisions or probabilities, one or two models, folds, sets."""
    n, classes = int(rng.integers(1, 60)), ["cat", "dog", "10²"][: int(rng.integers(2, 4))]
    models, columns = ["m", "k"][: int(rng.integers(1, 3))], {}
    rows = [(i, model) for model in models for i in range(n)]
    columns["example"] = [str(i) for i, _ in rows]
    columns["label"] = [classes[i % len(classes)] for i, _ in rows]
    columns["model"] = [model for _, model in rows]
    if chance(rng, 0.5):
        columns["fold"] = [str(i % 3) for i, _ in rows]
    if chance(rng, 0.6):
        shares = rng.dirichlet(np.ones(len(classes)), len(rows)) * (
            pick(rng, [100, -1, 1e-30, 1e300]) if harmed(rng, 0.5) else 1
        )
        for k, name in enumerate(classes):
            columns[f"p:{name}"] = [repr(float(v)) for v in shares[:, k]]
    else:
        columns["prediction"] = [pick(rng, classes) for _ in rows]
    if harmed(rng, 0.3):
        columns[nasty(rng)] = [pick(rng, ["x", "y"]) for _ in rows]
    if chance(rng, 0.25):
        path = folder / "answers.parquet"
        _write_parquet(rng, path, _typed(rng, _bend(rng, columns)))
    elif chance(rng, 0.2):
        path = folder / "answers.jsonl"
        bent = _bend(rng, columns)
        lines = [
            json.dumps(dict(zip(bent, row, strict=False)), ensure_ascii=False)
            for row in zip(*bent.values(), strict=False)
        ]
        path.write_bytes(bend_bytes(rng, "\n".join(lines).encode("utf-8", "surrogatepass")))
    else:
        path = folder / "answers.csv"
        path.write_bytes(bend_bytes(rng, encode(rng, _separated(rng, _bend(rng, columns)))))
    return ["read", str(path), "--format", pick(rng, ["json", "text", "md"])]


def write_parquet(rng: np.random.Generator, folder: Path) -> list[str]:
    """Texts and labels as Parquet, with columns of odd types."""
    path = folder / f"table{pick(rng, ['.parquet', '.parquet', '.pq'])}"
    _write_parquet(rng, path, _typed(rng, _bend(rng, _texts(rng))))
    return ["data", str(path), "--quiet"]


def write_arrays(rng: np.random.Generator, folder: Path) -> list[str]:
    """A folder with one array per model, and a file of labels."""
    n, classes = int(rng.integers(1, 30)), int(rng.integers(2, 4))
    answers, decided = folder / "answers", chance(rng, 0.5)
    answers.mkdir()
    for i in range(int(rng.integers(1, 3))):
        values = rng.integers(0, classes, n) if decided else rng.dirichlet(np.ones(classes), n)
        if harmed(rng, 0.2):
            values = pick(rng, [rng.normal(size=(n, classes)), rng.integers(0, classes, n)])
        _write_array(rng, answers / f"m{i}{pick(rng, ['.npy', '.npz', '.json'])}", values)
    labels = folder / f"labels{pick(rng, ['.npy', '.json', '.npz'])}"
    _write_array(rng, labels, rng.integers(0, classes, n))
    return ["read", str(answers), "--labels", str(labels), "--format", "json"]


def _write_array(rng: np.random.Generator, path: Path, values: np.ndarray) -> None:
    if harmed(rng, 0.3):
        values = _odd_array(rng, values)
    if path.suffix == ".json":
        raw = json.dumps(values.tolist(), default=str).encode()
    else:
        out = io.BytesIO()
        if path.suffix == ".npz":
            np.savez(out, labels=values)
        else:
            np.save(out, values, allow_pickle=True)
        raw = out.getvalue()
        if harmed(rng, 0.3):
            raw = _odd_header(rng, raw)
    path.write_bytes(bend_bytes(rng, raw, share=0.3))


def _odd_array(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    kind = int(rng.integers(9))
    if kind == 0:
        return values.astype(
            pick(rng, ["float16", "int8", "complex64", "U10", "S5", "bool", ">i8", "object", "datetime64[s]"])
        )
    if kind == 1:
        values = values.astype(np.float64)
        values.flat[0] = pick(rng, [np.nan, np.inf, -np.inf, 3e9, 1e300, -1, 0.5])
        return values
    if kind == 2:
        values = values.astype(np.int64)
        values.flat[0] = pick(rng, [3_000_000_000, -1, 2**62, 10**6, 31_000])
        return values
    if kind == 3:
        return values[:0]
    if kind == 4:
        return values.reshape(*values.shape, 1)
    if kind == 5:
        return np.array(7)
    if kind == 6:
        return values[: max(1, len(values) // 2)]
    if kind == 7:
        return np.zeros(3, dtype=[("a", "i4"), ("b", "f8")])
    return np.tile(values, (2,) + (1,) * (values.ndim - 1))


def _odd_header(rng: np.random.Generator, raw: bytes) -> bytes:
    header = pick(rng, [
        "{'descr': '<i8', 'fortran_order': False, 'shape': (3000000000,), }", "{'descr': '<i8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "{'descr': '<i8'", "[" * 500, "{'descr': '<U99999999', 'fortran_order': False, 'shape': (9,), }",
        "{'descr': '<V0', 'fortran_order': False, 'shape': (10**20,), }", "{'descr': '<i8', 'fortran_order': 1, 'shape': (3, 'a'), }",
        "__import__('os')", "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,), }", "\x00", "{'descr': '<i8', 'fortran_order': False, 'shape': (1" + "0" * 400 + ",), }",
    ])  # fmt: skip
    written = header.encode("latin-1", "replace") + b"\n"
    version = pick(rng, [b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00"])
    length = len(written).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    return b"\x93NUMPY" + version + length + written + raw[-40:]


# ---- columns


def _texts(rng: np.random.Generator) -> Columns:
    n = int(rng.integers(0, 45)) if chance(rng, 0.2) else int(rng.integers(12, 60))
    columns = {"text": [" ".join(pick(rng, WORDS) for _ in range(7)) + f" {i}" for i in range(n)]}
    if chance(rng, 0.2):
        columns["text2"] = [" ".join(pick(rng, WORDS) for _ in range(7)) for _ in range(n)]
    kind = int(rng.integers(4))
    if kind == 0:
        columns["label"] = [f"{float(v):.3f}" for v in rng.normal(3, 1, n)]
    elif kind == 1:
        columns["label"] = [pick(rng, ["a|b", "a", "b|c", ""]) for _ in range(n)]
    else:
        columns[pick(rng, ["label", "label", "class", "Category"])] = [
            pick(rng, ["a", "b", "nan", "①"]) for _ in range(n)
        ]
    if chance(rng, 0.2):
        columns["split"] = [pick(rng, ["train", "test", "val", "x"]) for _ in range(n)]
    return columns


def _bend(rng: np.random.Generator, columns: Columns) -> Columns:
    """Odd cells, odd names, columns and rows doubled or lost."""
    bent = {name: list(column) for name, column in columns.items()}
    for _ in range(int(rng.integers(1, 3)) if harmed(rng, 0.67) else 0):
        name = pick(rng, list(bent))
        kind = int(rng.integers(7))
        if kind <= 1 and bent[name]:
            bent[name][int(rng.integers(len(bent[name])))] = nasty(rng)
        elif kind == 2:
            value = nasty(rng)
            bent[name] = [value for _ in bent[name]]
        elif kind == 3:
            bent[nasty(rng)] = bent[name]
        elif kind == 4 and len(bent) > 1:
            del bent[name]
        elif kind == 5:
            bent = {k: v + v[: len(v) // 2] for k, v in bent.items()}
        elif kind == 6 and bent[name]:
            bent[name][-1] = "\n".join([pick(rng, WORDS)] * 3) + pick(rng, ['"', "", "\\"])
    return bent


def _separated(rng: np.random.Generator, columns: Columns) -> str:
    out = io.StringIO()
    writer = csv.writer(
        out, delimiter=pick(rng, [",", ",", ",", ";", "\t", "|"]), lineterminator=pick(rng, ["\n", "\n", "\r\n"])
    )
    rows: list[Any] = list(zip(*columns.values(), strict=False))
    if chance(rng, 0.9):
        rows.insert(0, tuple(columns))
    if harmed(rng, 0.1):
        rows.insert(int(rng.integers(len(rows) + 1)), tuple(columns))
    for row in rows:
        cut = harmed(rng, 0.005)
        writer.writerow(row[:-1] if cut else (*row, "more") if harmed(rng, 0.005) else row)
    return out.getvalue()


def _typed(rng: np.random.Generator, columns: Columns) -> list[tuple[str, Any]]:
    """Columns as Arrow arrays of other types; a name may stand twice."""
    import datetime
    import decimal

    import pyarrow as pa

    made = []
    for name, column in columns.items():
        n, kind = len(column), int(rng.integers(60))
        text = [v.encode("utf-8", "replace").decode() for v in column]
        odd = {
            0: lambda n=n: pa.array([["a", None]] * n, pa.list_(pa.string())),
            1: lambda n=n: pa.array([b"\xff\x00"] * n, pa.binary()),
            2: lambda n=n: pa.array([{"a": 1}] * n, pa.struct([("a", pa.int64())])),
            3: lambda n=n: pa.array([datetime.datetime(2024, 1, 2)] * n, pa.timestamp("ns", tz="Asia/Tokyo")),
            4: lambda n=n: pa.array([decimal.Decimal("1.50")] * n, pa.decimal128(10, 2)),
            5: lambda n=n: pa.nulls(n),
            6: lambda n=n: pa.array([float("nan")] * n, pa.float32()),
            7: lambda n=n: pa.array([True] * n),
            8: lambda n=n: pa.array([2**63] * n, pa.uint64()),
            9: lambda n=n: pa.array([[b"x"]] * n, pa.list_(pa.binary())),
            10: lambda n=n: pa.array([datetime.timedelta(1)] * n, pa.duration("us")),
            11: lambda text=text: pa.array(text).dictionary_encode(),
            12: lambda text=text: pa.array(text, pa.large_string()),
            13: lambda n=n: pa.array([datetime.time(1)] * n, pa.time64("us")),
            14: lambda n=n: pa.array([[[1]]] * n, pa.list_(pa.list_(pa.int8()))),
            15: lambda n=n: pa.array([1.5] * n, pa.float16()) if n == 0 else pa.array(np.full(n, 1.5, np.float16)),
        }.get(kind)
        made.append((name.encode("utf-8", "replace").decode(), odd() if odd else pa.array(text, pa.string())))
    if made and chance(rng, 0.1):
        made.append(pick(rng, made))
    return made


def _write_parquet(rng: np.random.Generator, path: Path, columns: list[tuple[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    length = min((len(array) for _, array in columns), default=0)
    table = pa.Table.from_arrays([array.slice(0, length) for _, array in columns], names=[name for name, _ in columns])
    pa.parquet.write_table(table, path, compression=pick(rng, ["snappy", "zstd", "none", "gzip"]))
    path.write_bytes(bend_bytes(rng, path.read_bytes(), share=0.35))
