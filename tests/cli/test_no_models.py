"""Whoever names no models is told some that fit the data."""

from __future__ import annotations

import pytest

from weigh.cli.main import main

ROWS = "".join(f"a {w} day out with friends number {i},{w}\n" for i in range(30) for w in ("good", "bad"))


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("name", "content", "told", "not_told"),
    [
        ("reviews.csv", "text,label\n" + ROWS, "hf:", "timm:"),
        ("tokens.conll", "Ann B-PER\nleft O\n\n" * 20, "hf:", "timm:"),
        ("files.csv", "path,label\n" + "".join(f"{i}.jpg,{'ab'[i % 2]}\n" for i in range(20)), "timm:", "hf:"),
    ],
)
def test_models_of_the_medium_are_named(tmp_path, capsys, name, content, told, not_told, language):
    (tmp_path / name).write_text(content, "utf-8")
    assert main(["run", str(tmp_path / name), "--lang", language]) == 2
    printed = capsys.readouterr().err
    assert f"--models {told}" in printed
    assert not_told not in printed
    assert f"weigh models '{told}" in printed


def test_of_what_cannot_be_told_all_media_are_named(tmp_path, capsys):
    assert main(["plan", str(tmp_path / "nowhere")]) == 2
    printed = capsys.readouterr().err
    assert "--models timm:" in printed
    assert "--models hf:" in printed
