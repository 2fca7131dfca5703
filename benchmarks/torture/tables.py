"""New texts: what is read is what was written, row by row, or an error; never fewer rows, more rows, or other words.

Tables of texts (by the csv module in several dialects, polars, pandas, json, R's way), JSON lines, plain lines and CoNLL columns, with
texts of every alphabet, quotes, separators and line breaks inside, and with faults that people make: quotes that do not close, commas
without quotes, headers in the middle, lines cut off. The training data are written in another way than the new file.
"""

from __future__ import annotations

import csv
import io
import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.torture.rows import Row
from weigh.data.texts.new_texts import read_new_texts
from weigh.data.written import Written
from weigh.errors import WeighError

TRIES = 2_000
WORDS = ["soup", "bus", "film", "good", "late", "long", "very", "the", "a", "of", "and", "not", "“quoted”", "it's", '5"', "don't,", "semi;colon", "bar|red", "tab\tbed", "größer", "café", "naïve", "日本", "电影", "很好", "음식", "вкусный", "суп", "\u2028", "\u2029", "\x85", "\x0c", "\u200b", "\ufeffmark", "#hash", "-dash", "=sum", "@at", "3,14", "1.000", "100%", "NA", "null", "nan", "True", "[list]", "{brace}", "back\\slash", '\\"both\\"', '"word"', "'single'", "emoji😀", "text", "body", "label", "id"]  # fmt: skip
TRAINED = (
    Written("CSV", ";", True, True, ("id", "body", "label"), ("body",), ("label",)),
    Written("CSV", ",", True, True, ("body", "label"), ("body",), ("label",)),
    Written("TSV", "\t", False, True, ("label", "body"), ("body",), ("label",)),
    Written("JSON", "", True, True, ("body", "label", "id"), ("body",), ("label",)),
    Written("Parquet", "", True, True, ("id", "body", "label"), ("body",), ("label",)),
)
BARE = (
    Written("TSV", "\t", False, False, ("1", "2"), ("1",), ("2",)),
    Written("TSV", "\t", False, False, ("1", "2"), ("2",), ("1",)),
)


def a_text(rng: random.Random, *, breaks: bool, tabs: bool) -> str:
    words = [rng.choice(WORDS) for _ in range(rng.choice((1, 2, 5, 9, 14)))]
    if breaks and rng.random() < 0.1:
        words.insert(rng.randrange(len(words) + 1), "\n")
    if rng.random() < 0.002:
        words += ["long"] * 40_000
    written = " ".join(words).strip()
    written = written if tabs else written.replace("\t", " ")
    return written or "word"


def by_csv(separator: str, quoting: int, end: str, **options) -> Callable[[random.Random, Sequence[str]], str]:
    def write(rng: random.Random, texts: Sequence[str]) -> str:
        names = rng.choice((("id", "body"), ("body", "id"), ("id", "body", "label"), ("who", "body", "when", "id")))
        rows = [
            [t if n == "body" else str(i) if n == "id" else rng.choice("abc") for n in names]
            for i, t in enumerate(texts)
        ]
        out = io.StringIO()
        csv.writer(out, delimiter=separator, quoting=quoting, lineterminator=end, **options).writerows([names, *rows])
        return out.getvalue()

    return write


def by_polars(rng: random.Random, texts: Sequence[str]) -> str:
    import polars as pl

    style = rng.choice(("necessary", "always", "non_numeric"))
    return pl.DataFrame({"id": range(len(texts)), "body": list(texts)}).write_csv(
        separator=rng.choice(",;\t|"), quote_style=style
    )


def by_pandas(rng: random.Random, texts: Sequence[str]) -> str:
    """As pandas writes an index: a first column without a name."""
    rows = [(str(i), t, rng.choice("ab")) for i, t in enumerate(texts)]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([("", "body", "label"), *rows])
    return out.getvalue()


def by_r(rng: random.Random, texts: Sequence[str]) -> str:
    """write.table: a name less than columns, quotes doubled."""
    separator = rng.choice(",;\t")
    quoted = [
        separator.join('"' + c.replace('"', '""') + '"' for c in row)
        for row in [("body", "label"), *((str(i + 1), t, "a") for i, t in enumerate(texts))]
    ]
    return "\n".join(quoted) + "\n"


def by_json(rng: random.Random, texts: Sequence[str]) -> str:
    rows = [
        {"id": i, "body": t} if rng.random() < 0.5 else {"body": t, "extra": [1, {"a": None}]}
        for i, t in enumerate(texts)
    ]
    return rng.choice(("\n", "\r\n")).join(json.dumps(row, ensure_ascii=rng.random() < 0.5) for row in rows)


def by_list(rng: random.Random, texts: Sequence[str]) -> str:
    return json.dumps([{"body": t} for t in texts], indent=rng.choice((None, 2)), ensure_ascii=rng.random() < 0.5)


def by_lines(rng: random.Random, texts: Sequence[str]) -> str:
    end = rng.choice(("\n", "\r\n"))
    return end.join(texts) + end * rng.randrange(2)


TABLES: tuple[tuple[str, Callable, bool], ...] = (
    ("comma.csv", by_csv(",", csv.QUOTE_MINIMAL, "\n"), True),
    ("comma.csv", by_csv(",", csv.QUOTE_ALL, "\n"), True),
    ("comma.csv", by_csv(",", csv.QUOTE_NONNUMERIC, "\r\n"), True),
    ("semicolon.csv", by_csv(";", csv.QUOTE_MINIMAL, "\n"), True),
    ("semicolon.CSV", by_csv(";", csv.QUOTE_ALL, "\r\n"), True),
    ("bar.csv", by_csv("|", csv.QUOTE_MINIMAL, "\n"), True),
    ("tab.tsv", by_csv("\t", csv.QUOTE_ALL, "\n"), True),
    ("backslash.csv", by_csv(",", csv.QUOTE_ALL, "\n", doublequote=False, escapechar="\\"), True),
    ("polars.csv", by_polars, True),
    ("pandas.csv", by_pandas, True),
    ("r.csv", by_r, True),
    ("lines.jsonl", by_json, True),
    ("lines.ndjson", by_json, True),
    ("list.json", by_list, True),
    ("lines.txt", by_lines, False),
)  # fmt: skip


def a_table(rng: random.Random, folder: Path) -> tuple[Path, Written, list[str], str]:
    """A file without faults: path, training data, what it holds, how it was written."""
    name, write, breaks = rng.choice(TABLES)
    texts = [a_text(rng, breaks=breaks, tabs=True) for _ in range(rng.choice((2, 3, 5, 12, 40)))]
    if name == "lines.txt":  # at the beginning of a file it is its mark
        texts[0] = "The " + texts[0]
    if name == "backslash.csv":  # without a quote inside of a cell, two backslashes are two by the rules
        texts[0] += ' said "no"'
    path = folder / name
    end = "\ufeff" if rng.random() < 0.2 and not name.endswith(("txt", "json", "jsonl", "ndjson")) else ""
    path.write_bytes((end + write(rng, texts)).encode("utf-8"))
    return path, rng.choice(TRAINED), texts, f"{name} ({write.__name__})"


def a_bare_table(rng: random.Random, folder: Path) -> tuple[Path, Written, list[str], str]:
    """Text TAB label, or label TAB text, or the text alone, without a header, as the training data."""
    texts = [a_text(rng, breaks=False, tabs=False).replace('"', "”") for _ in range(rng.choice((3, 12, 40)))]
    texts = [t if len(t.split()) > 3 else t + " and some more words here" for t in texts]
    texts[0] = "The " + texts[0]
    written = rng.choice(BARE)
    label = [rng.choice(("good", "bad")) for _ in texts]
    kind = rng.choice(("both", "alone"))
    order = [(t, k) if written.text == ("1",) else (k, t) for t, k in zip(texts, label, strict=True)]
    lines = ["\t".join(row) for row in order] if kind == "both" else texts
    path = folder / rng.choice(("new.tsv", "new.txt"))
    path.write_bytes(("\n".join(lines) + "\n").encode("utf-8"))
    return path, written, texts, f"{path.name} without a header ({kind})"


def a_conll_file(rng: random.Random, folder: Path) -> tuple[Path, Written, list[tuple[str, ...]], str]:
    tokens = ["Anna", "saw", "Paris", ",", "3,14", '"', "größer", "日本", "(", "it's", "e-mail", "#tag", "U.S."]
    sentences = [tuple(rng.choice(tokens) for _ in range(rng.randrange(1, 12))) for _ in range(rng.choice((3, 9, 30)))]
    sentences = [s if not s[0].startswith("#") else ("The", *s) for s in sentences] + [("one", "more", "sentence")]
    separator, end = rng.choice((" ", "\t")), rng.choice(("\n", "\r\n", "\r"))
    tagged = rng.random() < 0.6
    tags = lambda: rng.choice(("O", "O", "B-PER", "B-LOC"))  # noqa: E731
    lines = [[f"{t}{separator}{tags()}" if tagged else t for t in s] for s in sentences]
    head = f"-DOCSTART-{separator}O{end}{end}" if tagged and rng.random() < 0.3 else ""
    path = folder / "new.conll"
    path.write_bytes(
        (head + (end * rng.choice((2, 2, 3))).join(end.join(block) for block in lines) + end).encode("utf-8")
    )
    return path, Written(), sentences, f"CoNLL, {'tagged' if tagged else 'tokens'}, {end!r}"


def with_a_fault(rng: random.Random, folder: Path) -> tuple[Path, Written, list[str], str]:
    """A table of comma or semicolon with one fault: every text must still be there, or an error."""
    separator = rng.choice(",;")
    texts = [
        f"{i} said {a_text(rng, breaks=False, tabs=False).replace(separator, ' ')}".replace('"', "”")
        for i in range(rng.choice((5, 12, 40)))
    ]
    lines = [separator.join((str(i), t, rng.choice("ab"))) for i, t in enumerate(texts)]
    at = rng.randrange(len(texts))
    fault = rng.choice(("opened", "closed", "inside", "separator", "short", "header", "blank", "swallow"))
    if fault in ("opened", "closed", "inside", "swallow"):
        for n in (at, min(at + 3, len(texts) - 1)) if fault == "swallow" else (at,):
            where = {
                "opened": 0,
                "closed": len(texts[n]),
                "inside": len(texts[n]) // 2,
                "swallow": 0 if n == at else len(texts[n]),
            }[fault]
            texts[n] = texts[n][:where] + '"' + texts[n][where:]
            lines[n] = separator.join((str(n), texts[n], "a"))
    elif fault == "separator":
        lines[at] = lines[at].replace(" said", f"{separator} said", 1)
        texts[at] = "?"
    elif fault == "short":
        lines[at] = str(at)
        texts[at] = "?"
    elif fault == "header":
        lines.insert(at, separator.join(("id", "body", "label")))
        texts.insert(at, "")
    else:
        lines.insert(at, "")
    path = folder / "fault.csv"
    path.write_bytes(("\n".join([separator.join(("id", "body", "label")), *lines]) + "\n").encode("utf-8"))
    return path, rng.choice(TRAINED), texts, f"fault: {fault}"


def run(*, count: int | None, seed: int) -> list[Row]:
    """Rows for files as programs write them, and for files with a fault."""
    tries = TRIES if count is None else count
    shares = (
        (a_table, 0.6, "as programs write them"),
        (a_bare_table, 0.1, "without a header"),
        (a_conll_file, 0.1, "sentences in columns"),
        (with_a_fault, 0.2, "with one fault"),
    )
    rows = []
    for make, share, name in shares:
        began, held, errors, failures = time.monotonic(), 0, 0, []
        n = round(tries * share)
        for i in range(n):
            rng = random.Random(f"{seed}:{make.__name__}:{i}")
            with tempfile.TemporaryDirectory() as folder:
                path, written, expected, how = make(rng, Path(folder))
                tokens = make is a_conll_file
                try:
                    read = read_new_texts(path, written, tokens=tokens)
                    got = read if tokens else [t for (t,) in read]
                    right = got == expected
                except WeighError as error:
                    got, right = str(error).splitlines()[0], True
                    errors += 1
                    if make is not with_a_fault and "Line " not in got and "cannot be told" not in got:
                        right = False
                except Exception as error:
                    got, right = f"{type(error).__name__}: {error}", False
            held += right
            if not right:
                first = (
                    next((f"{a!r} for {b!r}" for a, b in zip(got, expected, strict=False) if a != b), "")
                    if isinstance(got, list)
                    else got
                )
                size = f"{len(got)} rows for {len(expected)}" if isinstance(got, list) else ""
                failures.append(f"try {i}, {how}: {size} {first}"[:300])
        promise = f"new texts {name}: rows read are the rows written, in order, or an error ({errors} errors of {n})"
        rows.append(
            Row(
                "tables",
                promise,
                n,
                held,
                time.monotonic() - began,
                f"python -m benchmarks.torture tables --seed {seed}",
                failures,
            )
        )
    return rows
