"""Fifty hostile inputs through the command line (ten thousand: `python -m benchmarks.torture inputs`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.torture.fuzz.children import KINDS, Try, make

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_STUDIES = [kind for kind in KINDS if kind not in ("new", "study")]
SCRIPT = """
import sys
import weigh.cli.main, weigh.findings.registry
from benchmarks.torture.fuzz.children import plan_tries, try_all
kinds, count, seed = sys.argv[1].split(","), int(sys.argv[2]), int(sys.argv[3])
failures, answered = try_all(plan_tries(count, seed, kinds))
print(*failures, "enough were read" if answered > 0.15 * count else answered, sep="\\n")
"""  # in a fresh process: children are forked, which threads of others would not survive


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
@pytest.mark.parametrize("count", [50, pytest.param(300, marks=pytest.mark.thorough)])
def test_hostile_inputs_get_an_answer_or_a_clear_error(tmp_path, count):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, ",".join(WITHOUT_STUDIES), str(count), "20261127"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280, check=True,
    )  # fmt: skip
    assert done.stdout.strip().splitlines() == ["enough were read"], done.stdout


@pytest.mark.parametrize("kind", WITHOUT_STUDIES)
def test_an_input_follows_from_its_kind_number_and_seed(tmp_path, kind):
    written = []
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        arguments = make(Try(kind, 5, 1), folder, None)
        files = {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}
        written.append((files, [a.replace(str(folder), "") for a in arguments]))
    if kind != "parquet":  # its writer may number its blocks
        assert written[0] == written[1]
    assert written[0][1] == written[1][1]
