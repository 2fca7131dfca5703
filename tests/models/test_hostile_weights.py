"""Hostile files of weights: each is refused in words, nothing is run, and reading them all takes little memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models import hostile_files

MOST = 200  # megabytes by which a process may grow while it reads them all; the issue allows 1,000
GOOD = ("good.pth", "good-folder", "outside.safetensors")
NAMED = {  # file -> what the error must name
    "payload.pth": "system", "payload-old.pth": "system", "payload-in-names.pth": "system", "protocol-4.pth": "system", "protocol-0.pt": "system",
    "protocol-0.bin": "system", "one.ckpt": "system", "old.tar.pth": ".tar format", "bomb-pickle.pth": "unpack to 2,517 MB", "sparse.pth": "weight is sparse",
    "bomb-values.pt": "unpack to 2,517 MB", "expanded.pth": "larger than what is stored", "without-values.pth": "without values",
    "names.pth": "cannot be printed", "shared.pth": "holds no weights", "four-hundred-thousand.safetensors": "the limit is 10,000,000",
    "overlapping.safetensors": "invalid offset", "own-code": "evil.Model", "own-code-elsewhere": "evil.Model", "pickle-alone": "pytorch_model.bin may run code",
    "no-weights": "holds no model.safetensors", "folder-header": "the limit is 10,000,000", "folder-device": "no file", "folder-loop": "no file",
    "folder-dangling": "no file", "folder-outside": "lie beside it", "outside.safetensors.index.json": "lie beside it", "device.pth": "no file",
    "pipe.pth": "no file", "loop.safetensors": "no file", "names.safetensors": "cannot be printed",
}  # fmt: skip


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    hostile_files.write_pickles(folder)
    hostile_files.write_safetensors(folder)
    hostile_files.write_links(folder)
    hostile_files.write_folders(folder)
    command = [sys.executable, hostile_files.__file__, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=140, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line[0] for line in lines} == {path.name for path in folder.iterdir()} - {"OWNED"}, done.stderr[-2000:]
    return folder, {name: (outcome, grown) for name, outcome, grown in lines}


def test_all_are_refused_in_words(outcomes):
    _, told = outcomes
    assert len(told) > 50
    for name, (outcome, _) in told.items():
        if name in GOOD:
            assert outcome == "read", name
            continue
        assert outcome.startswith("refused: "), (name, outcome)
        assert "\x1b" not in outcome
        assert "Traceback" not in outcome
        assert name.partition(".")[0] in outcome
        assert outcome.count("\n") >= 1 or "no file" in outcome, (name, outcome)  # why, or what to do


@pytest.mark.parametrize("name", NAMED)
def test_what_is_wrong_is_named(outcomes, name):
    outcome, _ = outcomes[1][name]
    assert NAMED[name] in outcome.replace("There is no file", "no file")


def test_nothing_was_run(outcomes):
    folder, _ = outcomes
    assert not list(folder.rglob("OWNED"))
    assert not Path("OWNED").exists()


def test_memory_stays_small(outcomes):
    assert max(grown for _, grown in outcomes[1].values()) < MOST


@pytest.mark.parametrize(
    ("files", "named", "advised"),
    [
        (["optimizer.bin", "pytorch_model.bin"], "pytorch_model.bin may run code", "torch.load"),
        (["tf_model.h5"], "tf_model.h5 is written by TensorFlow or Flax", "from_tf=True"),
        (["flax_model.msgpack", "training_args.bin"], "flax_model.msgpack is written by", "from_flax=True"),
        (["training_args.bin"], "holds no model.safetensors", "save_pretrained"),
    ],
)
def test_what_lies_in_place_of_safetensors_is_converted_by_what_can_read_it(tmp_path, files, named, advised):
    from weigh.errors import ModelError
    from weigh.models.limits import check_size

    for name in files:
        (tmp_path / name).write_bytes(b"of somebody")
    with pytest.raises(ModelError) as refused:
        check_size(tmp_path, 10, pretrained=True)
    assert named in refused.value.render("en")
    assert advised in refused.value.render("zh")
    assert ("torch.load" in refused.value.render("en")) is (advised == "torch.load")
