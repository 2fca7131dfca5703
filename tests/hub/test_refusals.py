"""What the hub may answer: each time the error says what is wrong and what to do, nothing half stays behind, and the advice works."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hub.conftest import NAME
from tests.hub_server import Fault, Repository
from weigh.errors import ModelError, WeightsUnreachable
from weigh.models.pretrained import load_model

WEIGHTS, CONFIG = "model.safetensors", "config.json"


def load(address: str = f"hf:{NAME}", *, offline: bool = False):
    return load_model(address, pretrained=True, offline=offline)


def refused(address: str = f"hf:{NAME}", *, offline: bool = False) -> str:
    with pytest.raises(WeightsUnreachable) as error:
        load(address, offline=offline)
    assert all(error.value.render(language).count("\n") == 2 for language in ("en", "zh"))
    return str(error.value)


def kept() -> list[str]:
    """Files of weights that the cache has now, whole or in part."""
    from huggingface_hub import constants

    return [
        path.name
        for path in Path(constants.HF_HUB_CACHE).rglob("*")
        if path.name.endswith((".safetensors", ".incomplete")) or len(path.name) == 64
    ]


ANSWERS = {  # what goes wrong -> file, fault, what the error says
    "cut for ever": (WEIGHTS, Fault(cut=0, method="GET"), ["broke off", "deleted", "same command again"]),
    "wrong bytes": (WEIGHTS, Fault(body=b"x", method="GET"), ["broke off", "deleted"]),
    "another content": (WEIGHTS, "swap", ["another content", "deleted", "proxy changes files"]),
    "429, long": (
        CONFIG,
        Fault(429, (("Retry-After", "300"),)),
        ["too many requests", "Wait 300 seconds", "hf auth login"],
    ),
    "429, limits": (
        CONFIG,
        Fault(429, (("RateLimit", '"api";r=0;t=55'), ("RateLimit-Policy", '"fixed window";"api";q=500;w=300'))),
        ["too many requests", "Wait 55 seconds"],
    ),
    "500": (CONFIG, Fault(500), ["is not well: status 500", "some minutes", "mirror"]),
    "503": (CONFIG, Fault(503), ["is not well: status 503"]),
    "weights, 502": (WEIGHTS, Fault(502), ["is not well: status 502"]),
    "slow": (CONFIG, Fault(seconds=1.6), ["does not answer in time", "HF_HUB_ETAG_TIMEOUT=60"]),
    "403": (
        CONFIG,
        Fault(403, (("X-Error-Message", "no read scope"),)),
        ["does not accept your token", "settings/tokens"],
    ),
    "switched off": (
        CONFIG,
        Fault(403, (("X-Error-Message", "Access to this resource is disabled."),)),
        ["has switched", "another model"],
    ),
    "451": (CONFIG, Fault(451), ["has switched", "another model"]),
    "no hub": (CONFIG, Fault(without=("X-Repo-Commit",)), ["does not answer as a model hub", "Check HF_ENDPOINT"]),
    "no hash": (CONFIG, Fault(without=("ETag",)), ["does not answer as a model hub", "Check HF_ENDPOINT"]),
    "teapot": (CONFIG, Fault(418), ["does not answer as a model hub"]),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_that_gives_no_weights_is_explained(hub, case):
    end, fault, words = ANSWERS[case]
    if fault == "swap":
        whole = hub.repositories[NAME].files[end]
        fault = Fault(body=bytes([whole[0] ^ 1]) + whole[1:], method="GET")
    hub.faults[end] = fault

    message = refused()

    assert hub.url in message
    for word in words:
        assert word in message
    assert kept() == []
    hub.faults.clear()  # the advice: once more, or another mirror
    assert load().provenance.source == "hub"


def test_a_gated_model_says_how_to_get_in_and_a_token_opens_it(hub, monkeypatch):
    hub.repositories[NAME].gated = True
    hub.tokens.add("hf_good")

    message = refused()

    assert "is gated" in message
    assert f"{hub.url}/{NAME}" in message
    assert "hf auth login" in message
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert load().provenance.source == "hub"


def test_a_token_that_is_no_good_is_named_as_the_trouble(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_expired")

    message = refused()

    assert "does not accept your token" in message
    assert "unset HF_TOKEN" in message
    monkeypatch.delenv("HF_TOKEN")
    assert load().provenance.source == "hub"


def test_a_token_without_access_waits_for_the_owners(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    hub.tokens.add("hf_good")
    hub.faults[CONFIG] = Fault(403, (("X-Error-Code", "GatedRepo"), ("X-Error-Message", "awaiting a review")))

    assert "your token has no access to it" in refused()


def test_a_repository_that_is_not_there_and_one_that_is_private(hub, monkeypatch):
    message = refused("hf:someone/tini-vit")

    assert "has no someone/tini-vit, or it is private" in message
    assert f"{hub.url}/models?search=tini-vit" in message
    hub.repositories["someone/tini-vit"] = Repository(dict(hub.repositories[NAME].files), private=True)
    assert "or it is private" in refused("hf:someone/tini-vit")
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    hub.tokens.add("hf_good")
    assert load("hf:someone/tini-vit").provenance.source == "hub"


def test_a_revision_that_is_not_there(hub):
    message = refused(f"hf:{NAME}@v9")

    assert "has no revision 'v9'" in message
    assert f"{hub.url}/{NAME}/commits" in message
    assert "leave @v9 out" in message
    assert load().provenance.source == "hub"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.json": b"{}", "pytorch_model.bin": b"x"}, ["has no model.safetensors", "a pickle", "save_pretrained('mine')"]),
        ({"open_clip_config.json": b"{}"}, ["has no config.json", "open_clip", "weigh models 'timm:*clip*'"]),
        ({"adapter_config.json": b"{}"}, ["has no config.json", "merge_and_unload"]),
        ({"onnx/model.onnx": b"x"}, ["onnx:PATH"]),
        ({"model_index.json": b"{}"}, ["It makes pictures"]),
        ({"vae/config.json": b"{}"}, ["but vae/config.json", "Choose a repository"]),
        ({"notes.txt": b""}, ["has no config.json", "Choose a repository"]),
    ],
)  # fmt: skip
def test_a_repository_without_what_is_read_says_what_it_has(hub, files, words):
    hub.repositories["someone/else"] = Repository(files)

    message = refused("hf:someone/else")

    for word in words:
        assert word in message


def test_the_list_of_files_helps_with_advice_only(hub):
    hub.repositories["someone/else"] = Repository({"pytorch_model.bin": b"x"})
    hub.faults["models/someone/else"] = Fault(body=b'{"siblings": [{"rfile')

    assert "has no config.json" in refused("hf:someone/else")


def test_offline_and_not_here(hub):
    assert "local cache" in refused(offline=True)
    assert hub.requests == []
    assert "Run once without --offline" in refused(offline=True)


def test_the_client_is_set_offline(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    message = refused()

    assert "HF_HUB_OFFLINE is set" in message
    assert hub.requests == []


def test_nobody_answers(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")

    assert "http://127.0.0.1:9 does not answer" in refused()


def test_a_configuration_that_is_no_json(hub):
    hub.repositories[NAME].files["config.json"] = b'{"model_type": "vit", '

    with pytest.raises(ModelError, match=r"config\.json is not valid JSON") as error:
        load()

    assert "another revision" in str(error.value)
