"""The cache: what is stored comes back, nothing half-written, least recently used goes first, other files stay."""

from __future__ import annotations

import multiprocessing
import os

import numpy as np
import pytest

from weigh.data import cache
from weigh.data.memo import Memo


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WEIGH_CACHE_LIMIT", raising=False)
    return tmp_path / "cache"


def test_round_trip_is_memory_mapped_and_read_only():
    array = np.arange(12, dtype=np.float16).reshape(3, 4)
    assert cache.load("a") is None
    assert (cache.store("a", array) == array).all()
    found = cache.load("a")
    assert isinstance(found, np.memmap)
    assert found.dtype == np.float16
    with pytest.raises(ValueError):
        found[0] = 1


def test_damaged_entries_and_pickles_are_dropped(folder):
    cache.store("a", np.arange(1000))
    path = next(folder.rglob("a.npy"))
    path.write_bytes(path.read_bytes()[:200])
    assert cache.load("a") is None
    np.save(path, np.array([{"x": 1}], dtype=object), allow_pickle=True)
    assert cache.load("a") is None


def test_least_recently_used_makes_room(monkeypatch):
    monkeypatch.setenv("WEIGH_CACHE_LIMIT", "30KB")
    for i, name in enumerate("abc"):
        cache.store(name, np.zeros(8000, np.uint8))
        os.utime(next((cache.cache_folder() / "arrays").glob(f"{name}.npy")), (1000 + i, 1000 + i))
    cache.load("a")  # used: b is now the oldest
    cache.store("d", np.zeros(8000, np.uint8))
    assert [cache.load(x) is not None for x in "abcd"] == [True, False, True, True]


def test_a_cache_that_cannot_be_written_says_so_once(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path / "file"))
    array = np.arange(3)
    assert cache.store("a", array) is array
    assert cache.store("b", array) is array
    assert sum("cannot be written" in r.message for r in caplog.records) == 1
    memo = Memo("m-1")
    memo.put_many({"k": b"v"})
    assert memo.get_many(["k"]) == {}


def test_room_beyond_memory_is_a_file_and_a_full_disk_is_said(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(cache, "IN_MEMORY", 100)
    large = cache.room((10, 20), np.float32, tmp_path / "new")
    assert not large.any()
    large[:] = 1
    assert isinstance(large, np.memmap)
    assert list((tmp_path / "new").iterdir()) == []  # without a name: it ends with its last user
    assert not isinstance(cache.room((5, 5), np.uint8, tmp_path), np.memmap)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    kept = cache.room((10, 20), np.float32, tmp_path / "full")
    assert (kept.shape, kept.dtype, isinstance(kept, np.memmap)) == ((10, 20), np.float32, False)
    assert "No space left" in caplog.text


def test_clear_leaves_what_is_not_ours(folder):
    cache.store("a", np.arange(3))
    (folder / "letters").mkdir()
    (folder / "letters" / "mine.txt").write_text("keep")
    assert cache.cache_report().entries == 1
    cache.clear()
    assert cache.cache_report() == (0, 0)
    assert (folder / "letters" / "mine.txt").read_text() == "keep"


def test_keys_cannot_be_paths():
    for key in ("../x", "a/b", "", ".hidden"):
        with pytest.raises(ValueError):
            cache.load(key)


def _write(value):
    for _ in range(30):
        cache.store("shared", np.full(5000, value))
        found = cache.load("shared")
        assert found is not None
        assert len(set(found.tolist())) == 1
    Memo("both-1").put_many({str(value): b"x"})


def test_two_processes_at_once():
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(v,)) for v in (1, 2)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert [w.exitcode for w in workers] == [0, 0]
    assert len(Memo("both-1").get_many(["1", "2"])) == 2


def test_a_memo_that_is_no_database_is_replaced(folder):
    memo = Memo("m-1")
    memo.put_many({"k": b"v"})
    assert memo.get_many(["k", "other"]) == {"k": b"v"}
    memo.path.write_bytes(b"garbage" * 1000)
    assert memo.get_many(["k"]) == {}
    memo.put_many({"k": b"w"})
    assert memo.get_many(["k"]) == {"k": b"w"}
