"""Predictions as text: spreadsheets must not execute them, and they read back."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.findings.synthetic import make_results, simulate_logits, simulate_target
from weigh.cli.rows import RowWriter
from weigh.errors import RecordError
from weigh.report.tables import make_table
from weigh.spreadsheets import defuse


def test_cells_that_a_spreadsheet_would_execute_are_defused():
    rows = [{"path": "=cmd|' /C calc'!A0", "label": "@SUM(1)", "probability": 0.25, "p:-1+1": 0.25}]
    out = io.StringIO(RowWriter("csv").text(rows))
    header, row = list(csv.reader(io.StringIO(out.getvalue())))
    assert header == ["path", "label", "probability", "p:-1+1"]
    assert row == ["'=cmd|' /C calc'!A0", "'@SUM(1)", "0.250000", "0.250000"]


def test_unreadable_files_are_rows_with_an_empty_label():
    rows = [
        {"path": "a", "label": "x", "probability": 1.0, "p:x": 1.0},
        {"path": "b", "label": "", "probability": None, "p:x": None, "error": "cut"},
    ]
    out = io.StringIO(RowWriter("csv").text(rows))
    assert out.getvalue().splitlines() == ["path,label,probability,p:x", "a,x,1.000000,1.000000", "b,,,"]
    out = io.StringIO(RowWriter("jsonl").text(rows))
    assert [json.loads(line)["label"] for line in out.getvalue().splitlines()] == ["x", ""]


@given(st.text())
@example("-0")
@example("-1+cmd")
def test_defused_text_never_starts_a_formula_and_keeps_what_was_said(cell):
    number = re.fullmatch(r"[+-]?[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?", cell)  # stays one: a class may be called -1
    assert number or not defuse(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert defuse(cell).removeprefix("'") == cell or defuse(cell) == cell


def test_a_study_of_which_nothing_has_ended_says_so():
    target = simulate_target(np.random.default_rng(0), 40)
    logits = {"a": simulate_logits(np.random.default_rng(1), target)}
    results = replace(make_results(logits, target, folds=4), records=(), winner=None)
    with pytest.raises(RecordError, match="has no predictions yet"):
        make_table(results, "predictions")
    assert len(make_table(results, "runs")) == 0
