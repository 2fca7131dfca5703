"""Data sets of the hub, by the real `datasets` library from a hub on this machine; in a process of its own, since it reads its settings when imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.hub_server import Repository

SCRIPT = """
import json, sys
from weigh.data.rows.hub import load_hub
from weigh.errors import WeighError
answers = []
for word in sys.argv[1:]:
    name, _, how = word.partition("=")
    try:
        answers.append(load_hub(name, offline=how == "offline"))
    except WeighError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""
ROWS = b"text,label\ngood,yes\nbad,no\n"


def test_data_sets_come_from_the_hub_once_or_say_why_not(hub, tmp_path):
    hub.repositories["datasets/someone/reviews"] = Repository({"train.csv": ROWS, "README.md": b"# Reviews\n"})
    hub.repositories["datasets/someone/gated"] = Repository({"train.csv": ROWS}, gated=True)
    hub.repositories["datasets/someone/empty"] = Repository({"README.md": b"# Nothing\n"})
    names = ["someone/reviews", "someone/gated", "someone/none", "someone/empty", "someone/reviews=offline"]
    settings = {
        "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    }  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, *names],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )

    reviews, gated, missing, empty, offline = json.loads(ran.stdout.splitlines()[-1])
    assert reviews == {"train": {"text": ["good", "bad"], "label": ["yes", "no"]}}
    assert f"Accept its terms at {hub.url}/datasets/someone/gated" in gated
    assert "hf auth login" in gated
    assert "someone/none" in missing
    assert f"{hub.url} was asked" in missing
    assert "'someone/empty' cannot be loaded" in empty
    assert "weigh runs offline" in offline
