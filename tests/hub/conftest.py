"""A hub on this machine for the tests of this folder, asked by the real client; and a tiny model that it serves."""

from __future__ import annotations

import pytest

from tests.hub_server import Hub, Repository, serving

NAME = "someone/tiny-vit"


@pytest.fixture(scope="session")
def vit_files(tmp_path_factory) -> dict[str, bytes]:
    """Files of a tiny ViT of random weights with its processor, name -> content."""
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("hub") / "vit"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.ViTConfig(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            image_size=32,
            patch_size=8,
        )
        transformers.ViTForImageClassification(config).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return {**files, "README.md": b"---\nlicense: apache-2.0\n---\n# Tiny\n"}


@pytest.fixture
def hub(vit_files, tmp_path, monkeypatch):
    """A running hub with one model, an empty cache, no token and no real waits."""
    with serving(Hub(repositories={NAME: Repository(dict(vit_files), licence="apache-2.0")})) as running:
        ask_there(running, tmp_path / "hf", monkeypatch)
        yield running


def ask_there(running: Hub, home, monkeypatch) -> None:
    """The client of this process asks that hub and keeps files in `home`. It reads its settings when it is imported: they are set where they stand now."""
    from huggingface_hub import constants, file_download
    from huggingface_hub.utils import _http

    from weigh.models import download
    from weigh.models import hub as ours

    for name, value in {
        "ENDPOINT": running.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": running.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_TOKEN_PATH": str(home / "token"),
        "HF_STORED_TOKENS_PATH": str(home / "stored_tokens"),
        "HF_HUB_DOWNLOAD_TIMEOUT": 1,
        "HF_HUB_OFFLINE": False,
        "DOWNLOAD_CHUNK_SIZE": 1024,
    }.items():
        monkeypatch.setattr(constants, name, value)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "WEIGH_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HF_ENDPOINT": running.url, "HF_HOME": str(home)}.items():  # for processes of their own
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WEIGH_TORCH_ENDPOINT", running.url)
    monkeypatch.setenv("TORCH_HOME", str(home / "torch"))
    monkeypatch.setattr(ours, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(ours, "TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(download, "PAUSE", 0.0)
    for module in (file_download, _http):  # the client's own pauses
        monkeypatch.setattr(module, "time", _Awake(module.time))
    ours.reachable.cache_clear()


class _Awake:
    """The module `time` in which nobody sleeps."""

    def __init__(self, real) -> None:
        self.real = real

    def __getattr__(self, name: str):
        return (lambda _seconds: None) if name == "sleep" else getattr(self.real, name)
