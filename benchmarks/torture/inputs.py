"""Ten thousand hostile inputs through the public doors: no traceback, no wait of more than ten seconds, no memory beyond two gigabytes.

    python -m benchmarks.torture inputs --count 10000 --seed 0
    python -m benchmarks.torture.inputs KIND NUMBER SEED        one of them again, in this process, its files kept

Study files, tables, lines, sentences, JSON, Parquet, arrays, predictions, new inputs and study folders, written well and then bent
(`fuzz/`); every input follows from kind, number and seed.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.torture.fuzz.children import KINDS, Try, in_child, make, plan_tries, try_all
from benchmarks.torture.rows import Row

COUNT = 10_000
PROMISE = "hostile inputs ({kind}; {read} answered, the others refused in words): no traceback, within 10 s and 2 GB"


def run(*, count: int | None, seed: int) -> list[Row]:
    """One row for each kind of input."""
    from benchmarks.torture.fuzz.studies import make_studies

    finished = Path(tempfile.gettempdir()) / "weigh-fuzz-studies"
    in_child(lambda: make_studies(finished))
    _import_before_forking()
    count, rows = count or COUNT, []
    planned = plan_tries(count, seed)
    for kind in KINDS:
        tries = [t for t in planned if t.kind == kind]
        started = time.monotonic()
        failures, answered = try_all(tries, finished, tell=lambda line: print("   ", line, flush=True))
        print(
            f"{kind}: {len(tries)} tries, {answered} answered, {len(failures)} failures, {time.monotonic() - started:.0f} s",
            flush=True,
        )
        failed = {str(failure.tried) for failure in failures}
        rows.append(
            Row(
                part="inputs",
                promise=PROMISE.format(kind=kind, read=answered),
                tried=len(tries),
                held=len(tries) - len(failed),
                seconds=time.monotonic() - started,
                command=f"python -m benchmarks.torture inputs --count {count} --seed {seed}",
                failures=[str(failure) for failure in failures],
            )
        )
    return rows


def _import_before_forking() -> None:
    """What children would each import again; nothing is called that starts threads."""
    for name in (
        "polars",
        "pyarrow.parquet",
        "timm",
        "torch",
        "weigh.cli.main",
        "weigh.findings.registry",
        "weigh.study",
        "weigh.saved.model",
    ):
        importlib.import_module(name)
    transformers = importlib.import_module("transformers")
    for name in ("AutoConfig", "AutoModel", "AutoTokenizer", "BertModel", "PreTrainedTokenizerFast"):
        getattr(transformers, name)  # loaded when they are first asked for


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=list(KINDS))
    parser.add_argument("number", type=int)
    parser.add_argument("seed", type=int, default=0, nargs="?")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix=f"weigh-{options.kind}-{options.number}-"))
    finished = Path(tempfile.gettempdir()) / "weigh-fuzz-studies"
    if options.kind in ("new", "study"):
        from benchmarks.torture.fuzz.studies import make_studies

        make_studies(finished)
    arguments = make(Try(options.kind, options.number, options.seed), folder, finished)
    print("weigh", *arguments, file=sys.stderr)
    if arguments[0] == "plan-only":
        from weigh.cli.options import Typed, open_study

        print(open_study(Typed(arguments[1], settings=arguments[3:])).spec)
    else:
        from weigh.cli.main import main

        sys.exit(main(arguments))
