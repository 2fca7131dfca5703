"""Parquet files whose footers lie about what their pages unpack to: refused before anything is unpacked."""

from __future__ import annotations

import numpy as np
import pytest

from weigh.data.tables.parquet import read_parquet
from weigh.errors import DataError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def varint(number: int, length: int = 0) -> bytes:
    """A number of Thrift's compact protocol; `length` bytes where a shorter one takes more room than it needs."""
    left, written = number << 1, b""
    while left > 127 or len(written) + 1 < length:
        written, left = written + bytes([left & 127 | 128]), left >> 7
    return written + bytes([left])


def lie(path, numbers):
    """Say 1 for each of these numbers of the footer, in as many bytes."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[-8:-4], "little")
    footer = raw[-8 - length : -8]
    for number in numbers:
        assert varint(number) in footer
        footer = footer.replace(varint(number), varint(1, len(varint(number))))
    path.write_bytes(raw[: -8 - length] + footer + raw[-8:])


@pytest.fixture
def unpacked(monkeypatch):
    """Whether anything was handed to polars."""
    import polars as pl

    calls = []
    monkeypatch.setattr(pl, "read_parquet", lambda *a, **k: calls.append(a))
    return calls


@pytest.mark.parametrize(
    ("version", "codec"),
    [
        ("1.0", "zstd"), ("1.0", "snappy"), ("2.0", "gzip"),
        *(pytest.param(*one, marks=pytest.mark.thorough) for one in (("2.0", "zstd"), ("2.0", "snappy"), ("1.0", "gzip"))),
    ],
)  # fmt: skip
def test_pages_that_unpack_to_more_than_the_footer_says(tmp_path, unpacked, codec, version):
    path = tmp_path / "t.parquet"
    table = pa.table({"text": ["a" * 40_000_000] * 7, "label": ["x"] * 7})
    pq.write_table(
        table,
        path,
        compression=codec,
        use_dictionary=False,
        write_statistics=False,
        data_page_version=version,
        row_group_size=7,
    )
    group = pq.read_metadata(path).row_group(0)
    lie(path, [group.column(0).total_uncompressed_size, group.total_byte_size])
    assert pq.read_metadata(path).row_group(0).column(0).total_uncompressed_size == 1
    with pytest.raises(DataError, match=r"t\.parquet unpacks to 2[\d,]{10} bytes; the limit is 2[\d,]{10}\."):
        read_parquet(path)
    assert not unpacked


@pytest.mark.parametrize("liar", ["cells", "rows and cells", "everything"])
def test_pages_that_hold_more_cells_than_the_footer_says(tmp_path, unpacked, liar):
    path = tmp_path / "t.parquet"
    n = 20_000_000
    pq.write_table(pa.table({"text": pa.nulls(n, pa.int8())}), path, row_group_size=n, write_statistics=False)
    group = pq.read_metadata(path).row_group(0)
    sizes = [group.column(0).total_uncompressed_size] if liar == "everything" else []
    lie(path, [n, *sizes])
    with pytest.raises(DataError, match=r"t\.parquet unpacks to 320,000,000 bytes"):
        read_parquet(path)
    assert not unpacked


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize(
    "options",
    [{}, {"use_dictionary": False}, {"data_page_size": 2000}, {"row_group_size": 100}, {"compression": "none"}],
)
def test_honest_files_are_read(tmp_path, version, options):
    path = tmp_path / "t.parquet"
    rng = np.random.default_rng(0)
    texts = ["word " * int(k) for k in rng.integers(1, 400, 3000)]
    pq.write_table(
        pa.table({"text": texts, "n": rng.normal(size=3000), "none": pa.nulls(3000)}),
        path,
        data_page_version=version,
        **options,
    )
    assert read_parquet(path)["text"].to_list() == texts


@pytest.mark.parametrize("seed", range(20))
def test_damaged_heads_of_pages_are_left_to_the_reader(tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"text": ["a film"] * 50}), path)
    raw = bytearray(path.read_bytes())
    raw[int(rng.integers(4, 60))] ^= 1 << int(rng.integers(8))
    path.write_bytes(raw)
    refused = ""
    try:
        rows = len(read_parquet(path))
    except DataError as error:
        rows, refused = 0, str(error)
    assert rows == 50 or "t.parquet" in refused
