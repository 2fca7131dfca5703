"""`weigh evaluate`: labels that are numbered otherwise than the head's outputs are noticed, and the advice works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from weigh.cli.main import main


def evaluate(tmp_path: Path, heads_of_1000, labels, capsys, *more) -> dict:
    files, _, model = heads_of_1000
    table = tmp_path / "labels.csv"
    table.write_text(
        "\n".join(["path,label", *(f"{f.parent.name}/{f.name},{c}" for f, c in zip(files, labels, strict=True))]),
        encoding="utf-8",
    )
    given = [
        "--models",
        model,
        "--offline",
        "--format",
        "json",
        "--set",
        "run.threads=1",
        "--set",
        f"data.root={files[0].parents[1]}",
        *more,
    ]
    assert main(["evaluate", str(table), *given]) == 0
    return json.loads(capsys.readouterr().out)["models"][0]


@pytest.mark.parametrize("shift", [-1, pytest.param(1, marks=pytest.mark.thorough)])
def test_labels_off_by_one_are_named_and_the_remedy_works(heads_of_1000, tmp_path, capsys, shift):
    said = heads_of_1000[1]
    row = evaluate(tmp_path, heads_of_1000, said + shift, capsys)
    assert row["top1"]["value"] < 0.1
    setting = re.search(r"data\.label_offset=-?\d", row["hint"]["en"])[0]
    assert setting in row["hint"]["zh"]
    after = evaluate(tmp_path, heads_of_1000, said + shift, capsys, "--set", setting)
    assert after["top1"]["value"] > 0.9
    assert f"{after['top1']['value']:.3f}" in row["hint"]["en"]
    assert after["hint"] is None


def test_an_offset_in_the_wrong_direction_is_turned_round(heads_of_1000, tmp_path, capsys):
    said = heads_of_1000[1]
    row = evaluate(tmp_path, heads_of_1000, said, capsys, "--set", "data.label_offset=1")
    assert "data.label_offset=0" in row["hint"]["en"]


def test_right_labels_and_hard_pictures_get_no_hint(heads_of_1000, tmp_path, capsys):
    said = heads_of_1000[1]
    assert evaluate(tmp_path, heads_of_1000, said, capsys)["hint"] is None
    half = np.where(np.arange(len(said)) % 3 == 0, said, 999)  # a poor model: a third right
    assert evaluate(tmp_path, heads_of_1000, half, capsys)["hint"] is None


def test_another_order_of_classes_is_said(heads_of_1000, tmp_path, capsys):
    said = heads_of_1000[1]
    row = evaluate(tmp_path, heads_of_1000, (said + 333) % 1000, capsys)
    assert "another order" in row["hint"]["en"]
