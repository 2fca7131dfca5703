"""The same texts in many spellings, as people's programs write them; for tests of what reads new texts and for benchmarks/torture."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path

__all__ = ["SPELLINGS", "write_spelling"]


def _table(
    rows: Sequence[Sequence[str]], separator: str = ",", end: str = "\n", quoting: int = csv.QUOTE_MINIMAL, **options
) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator=end, quoting=quoting, **options).writerows(rows)
    return out.getvalue()


def _numbered(texts: Sequence[str]) -> list[tuple[str, str]]:
    return [("id", "body"), *((str(i), t) for i, t in enumerate(texts))]


SPELLINGS = {
    "comma.csv": lambda t: _table(_numbered(t)),
    "semicolon.csv": lambda t: _table(_numbered(t), ";"),
    "tab.tsv": lambda t: _table(_numbered(t), "\t", quoting=csv.QUOTE_ALL),
    "bar.csv": lambda t: _table(_numbered(t), "|"),
    "ends.csv": lambda t: _table(_numbered(t), end="\r\n"),
    "mark.csv": lambda t: "\ufeff" + _table(_numbered(t)),
    "one column.csv": lambda t: _table([("body",), *((x,) for x in t)], quoting=csv.QUOTE_ALL),
    "no header.csv": lambda t: _table(_numbered(t)[1:]),
    "no header, one column.csv": lambda t: _table([(x,) for x in t], quoting=csv.QUOTE_ALL),
    "more columns.csv": lambda t: _table([("when", "id", "body", "who"), *((f"2024-01-{i % 28 + 1:02d}", str(i), x, "me, myself") for i, x in enumerate(t))]),
    "other order.csv": lambda t: _table([("body", "label", "id"), *((x, "?", str(i)) for i, x in enumerate(t))]),
    "other case.csv": lambda t: _table([(" ID", "Body "), *_numbered(t)[1:]]),
    "spark.csv": lambda t: _table(_numbered(t), quoting=csv.QUOTE_ALL, doublequote=False, escapechar="\\"),
    "lines.jsonl": lambda t: "".join(json.dumps({"id": i, "body": x}, ensure_ascii=False) + "\n" for i, x in enumerate(t)),
    "ascii.ndjson": lambda t: "\r\n".join(json.dumps({"body": x, "id": i}) for i, x in enumerate(t)),
    "list.json": lambda t: json.dumps([{"id": i, "body": x} for i, x in enumerate(t)], indent=2),
    "bare.json": lambda t: json.dumps(list(t)),
    "upper.CSV": lambda t: _table(_numbered(t)),
    "packed.csv.gz": lambda t: gzip.compress(_table(_numbered(t)).encode()),
    "table.parquet": None,
    "utf16.txt": lambda t: _table(_numbered(t), "\t", quoting=csv.QUOTE_ALL).encode("utf-16"),
}  # fmt: skip
LINES = {
    "lines.txt": lambda t: "\n".join(t) + "\n",
    "no end.txt": lambda t: "\n".join(t),
    "ends.txt": lambda t: "\r\n".join(t) + "\r\n",
    "plain": lambda t: "\n".join(t) + "\n",
}  # of texts without line breaks


def write_spelling(folder: Path, name: str, texts: Sequence[str]) -> Path:
    """A file of `texts`, called and written like `name`."""
    path = folder / name
    if name.endswith(".parquet"):
        import polars as pl

        pl.DataFrame({"id": range(len(texts)), "body": list(texts)}).write_parquet(path)
        return path
    content = (SPELLINGS | LINES)[name](texts)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path
