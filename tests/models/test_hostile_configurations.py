"""Configurations of strangers that ask for too much, name code, or are damaged: refused in words, quickly, and nothing is fetched."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from pathlib import Path

import pytest

from weigh.errors import ModelError, WeighError
from weigh.models.pretrained import load_model


@pytest.fixture
def folder(tiny_encoder, tmp_path) -> Path:
    """A copy of the tiny encoder's folder."""
    return Path(shutil.copytree(tiny_encoder.removeprefix("hf:"), tmp_path / "m"))


def change(folder: Path, **settings) -> str:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **settings}), "utf-8")
    return f"hf:{folder}"


@pytest.mark.parametrize("settings", [
    {"num_hidden_layers": 10_000_000}, {"num_hidden_layers": 10**30}, {"vocab_size": 10**9}, {"hidden_size": 10**9}, {"num_labels": 10**9},
    {"max_position_embeddings": 2**40}, {"intermediate_size": 10**12}, {"type_vocab_size": 10**10}, {"vocab_size": 99_000_000},
    {"inner": {"num_layers": 5_000_000}}, {"hidden_size": 90_000_000}, {"num_hidden_layers": 1e9},
])  # fmt: skip
@pytest.mark.parametrize("pretrained", [True, False])
def test_numbers_that_no_model_has_are_refused(folder, settings, pretrained):
    address, started = change(folder, **settings), time.process_time()
    with pytest.raises(ModelError) as raised:
        load_model(address, pretrained=pretrained, offline=True)
    assert time.process_time() - started < 60
    assert raised.value.do or "cannot be used" in str(raised.value)


@pytest.mark.parametrize(
    "name",
    ["kernels-community/flash-attn", "_attn_x", "flash_attention_2", "someone/kernel@main:run", 7, None, "eager"],
)
@pytest.mark.parametrize("key", ["_attn_implementation", "attn_implementation", "_attn_implementation_internal"])
def test_attention_is_never_a_kernel_of_the_hub(folder, monkeypatch, name, key):
    def refuse(*_args, **_options):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    model = load_model(change(folder, **{key: name}), pretrained=True, offline=True)
    assert model.module.model.config._attn_implementation in ("sdpa", "eager")


@pytest.mark.parametrize("settings", [
    {"model_type": "no-such"}, {"auto_map": {"AutoModel": "code.Model"}, "model_type": "x"}, {"quantization_config": {"quant_method": "gptq", "bits": 4}},
    {"hidden_act": "no-such"}, {"hidden_size": "x"}, {"num_attention_heads": 0}, {"num_attention_heads": 5}, {"dtype": "no-such"}, {"hidden_size": None},
    {"id2label": 3}, {"architectures": 5, "model_type": ["bert"]}, {"pad_token_id": 10**6},
])  # fmt: skip
def test_absurd_settings_are_an_error_in_words(folder, settings):
    try:
        load_model(change(folder, **settings), pretrained=True, offline=True)
    except WeighError as error:
        said = error.render()
        assert str(folder) in said
    else:
        said = ""
    assert "Traceback" not in said


@pytest.mark.parametrize("content", ["", "[", "[]", "3", '"x"', "{" * 5000, "\x00"])
@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "tokenizer.json"])
def test_damaged_files_of_a_model_are_named(folder, content, name):
    (folder / name).write_text(content, "utf-8")
    with pytest.raises(WeighError) as raised:
        load_model(f"hf:{folder}", pretrained=True, offline=True)
    assert str(folder) in raised.value.render()


@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors", "added_tokens.json"])
def test_a_pipe_in_a_model_folder_is_not_waited_for(folder, name):
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(ModelError, match="no file"):
        load_model(f"hf:{folder}", pretrained=True, offline=True)
