"""Every command of the README, in both languages, is executed as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import make_photos
from weigh.cli.main import main

ROOT = Path(__file__).parents[2]


def commands(name: str) -> list[str]:
    """Lines that begin with `$ ` in the ```console blocks; a trailing backslash joins lines."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL):
        joined = block.replace("\\\n", " ")
        found += [line[2:].split("  #")[0].strip() for line in joined.splitlines() if line.startswith("$ ")]
    return found


def test_both_languages_show_the_same_commands():
    assert len(commands("README.md")) >= 8
    assert commands("README.md") == commands("README.zh-CN.md")


@pytest.mark.slow
@pytest.mark.weights
def test_every_command_of_the_readme_runs(tmp_path, monkeypatch):
    """A shell reads them, quotes and patterns included. The first is run by the installed program, the others here: loading torch takes longer than most."""
    make_photos(tmp_path / "photos", per_class=12, size=64)
    (tmp_path / "new").mkdir()
    for picture in sorted((tmp_path / "photos" / "circle").iterdir())[:2]:
        shutil.copy(picture, tmp_path / "new" / f"{picture.stem}.jpg")
    (tmp_path / "study.yaml").write_text(example_yaml(), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEIGH_OFFLINE", "1")
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path / "cache"))

    def run(command: str, first_on_the_path: Path) -> str:
        done = subprocess.run(
            command, shell=True, capture_output=True, text=True, check=False,
            env={**os.environ, "PATH": f"{first_on_the_path}:{os.environ['PATH']}"}, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    words = tmp_path / "bin" / "weigh"
    words.parent.mkdir()
    words.write_text("#!/bin/sh\nprintf '%s\\n' weigh \"$@\"\n", encoding="utf-8")
    words.chmod(0o755)
    first, *others = commands("README.md")
    run(first, Path(sys.executable).parent)
    for command in others:
        program, *arguments = run(command, words.parent).splitlines()
        assert program == "weigh"
        assert main(arguments) == 0, command


def example_yaml() -> str:
    """The study.yaml that the README shows."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    return next(block for block in blocks if "models:" in block)
