"""What nobody reads is called what it is, and the advice names what helps: no `--task` for a path that does not exist."""

import numpy as np
import pytest

from weigh.cli.main import main
from weigh.data.tables.text_encoding import decode


@pytest.fixture
def unread(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "strange").mkdir()
    packed = np.random.default_rng(0).bytes(5000)
    for name in ("strange/a.xyz", "photos.zip", "photos.tar.gz", "film.mp4", "paper.pdf", "one.jpg"):
        (tmp_path / name).write_bytes(packed)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "what", "do"),
    [
        ("nowhere", "it does not exist", "Check the path"),
        ("empty", "the folder is empty", "into a folder of its own"),
        ("strange", "is not a file of text", "give their folder"),
        ("photos.zip", "it is an archive", "Unpack it"),
        ("photos.tar.gz", "it is an archive", "Unpack it"),
        ("one.jpg", "it is a single picture", "into a folder of its own"),
        ("film.mp4", "is not a file of text", "give their folder"),
        ("paper.pdf", "is not a file of text", "give their folder"),
    ],
)
def test_what_it_is_and_what_helps(unread, capsys, name, what, do):
    for command in ("run", "rank"):
        assert main([command, name, "--offline"]) == 2
        told = capsys.readouterr().err
        assert what in told
        assert do in told
        assert "--task" not in told, "another task does not make it readable"


def test_one_or_two_control_characters_are_separators():
    hive = "\n".join(f"text {i}\x01label\x02{i}" for i in range(100)).encode()
    assert decode(hive) is not None
    assert decode("こんにちは 世界 です\n".encode("iso2022_jp") * 50) is not None
    assert decode(np.random.default_rng(1).bytes(3000)) is None
