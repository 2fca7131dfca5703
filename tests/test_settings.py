"""What the environment and the home folder say: where caches lie, how large they may grow, what `~` stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from weigh.errors import SpecError
from weigh.files import read_limit
from weigh.settings import cache_folder, cache_limit, offline_by_environment, user_path, way_online

HOMELESS = "~nobody-has-this-name/photos"


def test_the_home_folder_stands_for_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert user_path("~/photos") == tmp_path / "photos"
    assert user_path(Path("~/photos")) == tmp_path / "photos"
    assert user_path("photos/~x") == Path("photos/~x")


def test_a_name_that_begins_with_a_tilde_and_is_nobodys_home_stays(monkeypatch):
    assert user_path(HOMELESS) == Path(HOMELESS)
    monkeypatch.setenv("WEIGH_CACHE", HOMELESS)
    assert cache_folder() == Path(HOMELESS)


def test_a_user_without_a_home_is_told_where_the_cache_may_lie(monkeypatch):
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("WEIGH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(SpecError, match="WEIGH_CACHE=") as caught:
        cache_folder()
    assert "WEIGH_CACHE=" in caught.value.render("zh")


@pytest.mark.parametrize(("variable", "read"), [("WEIGH_CACHE_LIMIT", cache_limit), ("WEIGH_READ_LIMIT", read_limit)])
def test_a_size_that_is_none_is_told_with_its_variable(monkeypatch, variable, read):
    monkeypatch.setenv(variable, "20 gigs")
    with pytest.raises(SpecError, match=f"{variable}: '20 gigs' is not a size"):
        read()
    monkeypatch.setenv(variable, "1.5GB")
    assert read() == 1_500_000_000


def test_the_way_online_names_what_forbids_the_network(monkeypatch):
    for name in ("WEIGH_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    assert not offline_by_environment()
    assert "Run once without --offline" in way_online().en
    monkeypatch.setenv("WEIGH_OFFLINE", "1")
    assert offline_by_environment()
    assert way_online().en == "Unset WEIGH_OFFLINE and run once with a network"
    assert "WEIGH_OFFLINE" in way_online().zh
