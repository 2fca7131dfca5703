"""No command asks the network when it was told not to, and no library reports home: attempts are counted in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Written as sitecustomize.py: Python imports it in every process, the workers of a study included.
SPY = """
import importlib.abc, os, socket, sys

def note(what):
    with open(os.environ["SPY_FILE"], "a") as file:
        file.write(what + "\\n")

def spied(name, call):
    def inner(*args, **options):
        place = args[1] if len(args) > 1 and isinstance(args[0], socket.socket) else args
        if not (args and isinstance(args[0], socket.socket) and args[0].family == getattr(socket, "AF_UNIX", None)):
            note(f"{name} {place!r}")
        return call(*args, **options)
    return inner

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, spied(name, getattr(socket.socket, name)))
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, spied(name, getattr(socket, name)))

class Watch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime" and not os.environ.get("ORT_DISABLE_TELEMETRY"):
            note("onnxruntime is imported with its telemetry on")

sys.meta_path.insert(0, Watch())
"""
ALL = """
import json, sys
from weigh.cli.main import main
from weigh.execute import choices
choices.TIMED = 0.0  # as in conftest.py
codes = {}
if __name__ == "__main__":
    for arguments in json.loads(sys.argv[1]):
        codes[" ".join(arguments)] = main(arguments)
    print("CODES", json.dumps(codes))
"""


def attempts(commands: list[list[str]], tmp_path: Path, *, control: bool = False) -> tuple[dict[str, int], list[str]]:
    """Exit code of each command, all in one process, and every attempt at the network."""
    (tmp_path / "sitecustomize.py").write_text(SPY, encoding="utf-8")
    script, log = tmp_path / "commands.py", tmp_path / "attempts.txt"
    script.write_text(
        ALL + ("import socket\nsocket.getaddrinfo('localhost', 9)\n" if control else ""), encoding="utf-8"
    )
    environment = {**os.environ, "SPY_FILE": str(log), "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    for name in ("HF_HUB_OFFLINE", "WEIGH_OFFLINE", "ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
        environment.pop(name, None)  # this process has imported weigh, which sets two of them
    done = subprocess.run(
        [sys.executable, str(script), json.dumps(commands)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("CODES ")]
    assert lines, done.stderr[-2000:]
    return json.loads(lines[0][6:]), log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def test_no_command_asks_the_network_when_it_must_not(finished, photos, tiny, tmp_path):
    pytest.importorskip("onnxruntime")
    picture = next(photos.rglob("*.png"))
    table = tmp_path / "answers.csv"
    table.write_text(
        "example,label,model,prediction\n" + "".join(f"{i},{'ab'[i % 2]},m,a\n" for i in range(20)), "utf-8"
    )
    study = str(finished.folder)
    common = [str(photos), "--models", tiny, "--offline", "--quiet"]
    commands = [
        ["schema"], ["recipes"], ["cache"], ["doctor", "--offline"], ["models", "timm:*resnet1*", "--offline"],
        ["data", str(photos), "--offline", "--quiet"], ["plan", *common],
        ["run", *common, "--jobs", "2", "--set", "design.folds=2", "--set", "design.repeats=1", "--output", str(tmp_path / "s")],
        ["report", study, "--format", "json"], ["read", str(table), "--format", "text"],
        ["predict", study, str(picture), "--quiet"], ["features", *common, "--output", str(tmp_path / "f")],
        ["export", study, "--onnx", "--output", str(tmp_path / "m.onnx")],
        ["run", str(photos), "--models", "hf:no-such/model", "--offline", "--quiet"],
    ]  # fmt: skip
    codes, tried = attempts(commands, tmp_path)
    assert list(codes.values())[:-1] == [0] * (len(commands) - 1), codes
    assert tried == []


def test_the_spy_sees_an_attempt(tmp_path):
    _, tried = attempts([["schema"]], tmp_path, control=True)
    assert len(tried) >= 1
