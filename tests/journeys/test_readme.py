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
def test_every_command_of_the_readme_runs(tmp_path):
    make_photos(tmp_path / "photos", per_class=12, size=64)
    (tmp_path / "new").mkdir()
    for picture in sorted((tmp_path / "photos" / "circle").iterdir())[:2]:
        shutil.copy(picture, tmp_path / "new" / f"{picture.stem}.jpg")
    (tmp_path / "study.yaml").write_text(example_yaml(), encoding="utf-8")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "WEIGH_OFFLINE": "1",
        "WEIGH_CACHE": str(tmp_path / "cache"),
    }
    for command in commands("README.md"):
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}"


def example_yaml() -> str:
    """The study.yaml that the README shows."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    return next(block for block in blocks if "models:" in block)
