"""The cache: what is stored comes back, nothing half-written, least recently used goes first, other files stay."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from contextlib import closing

import numpy as np
import pytest

from weigh.data import cache
from weigh.data.memo import Memo
from weigh.settings import cache_folder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("WEIGH_CACHE_LIMIT", raising=False)
    return tmp_path / "cache"


def test_round_trip_is_memory_mapped_and_read_only():
    array = np.arange(12, dtype=np.float16).reshape(3, 4)
    assert cache.load("a", cache_folder()) is None
    assert (cache.store("a", array, cache_folder()) == array).all()
    found = cache.load("a", cache_folder())
    assert isinstance(found, np.memmap)
    assert found.dtype == np.float16
    with pytest.raises(ValueError):
        found[0] = 1


def test_damaged_entries_and_pickles_are_dropped(folder):
    cache.store("a", np.arange(1000), cache_folder())
    path = next(folder.rglob("a.npy"))
    path.write_bytes(path.read_bytes()[:200])
    assert cache.load("a", cache_folder()) is None
    np.save(path, np.array([{"x": 1}], dtype=object), allow_pickle=True)
    assert cache.load("a", cache_folder()) is None


def test_least_recently_used_makes_room(monkeypatch):
    monkeypatch.setenv("WEIGH_CACHE_LIMIT", "30KB")
    for i, name in enumerate("abc"):
        cache.store(name, np.zeros(8000, np.uint8), cache_folder())
        os.utime(next((cache.cache_folder() / "arrays").glob(f"{name}.npy")), (1000 + i, 1000 + i))
    cache.load("a", cache_folder())  # used: b is now the oldest
    cache.store("d", np.zeros(8000, np.uint8), cache_folder())
    assert [cache.load(x, cache_folder()) is not None for x in "abcd"] == [True, False, True, True]


def test_a_cache_that_cannot_be_written_says_so_once(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WEIGH_CACHE", str(tmp_path / "file"))
    array = np.arange(3)
    assert cache.store("a", array, cache_folder()) is array
    assert cache.store("b", array, cache_folder()) is array
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


def test_entries_that_cannot_be_marked_as_used_are_read_and_stay(folder, monkeypatch, caplog):
    """On a read-only disk, or where another user made them, entries were computed anew, and deleted where that was allowed."""
    cache.store("a", np.arange(3), cache_folder())

    def refused(path, **_):
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(os, "utime", refused)
    found = cache.load("a", cache_folder())
    assert found is not None
    assert found.tolist() == [0, 1, 2]
    assert next(folder.rglob("a.npy")).is_file()
    assert "Computed anew" not in caplog.text


def test_clear_leaves_what_is_not_ours(folder):
    cache.store("a", np.arange(3), cache_folder())
    (folder / "letters").mkdir()
    (folder / "letters" / "mine.txt").write_text("keep")
    assert cache.cache_report().entries == 1
    cache.clear()
    assert cache.cache_report() == (0, 0)
    assert (folder / "letters" / "mine.txt").read_text() == "keep"


def test_keys_cannot_be_paths():
    for key in ("../x", "a/b", "", ".hidden"):
        with pytest.raises(ValueError):
            cache.load(key, cache_folder())


def _write(value):
    for _ in range(30):
        cache.store("shared", np.full(5000, value), cache_folder())
        found = cache.load("shared", cache_folder())
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


def _flip(path, where: float, *, bit: int = 1) -> None:
    content = bytearray(path.read_bytes())
    content[min(int(where * len(content)), len(content) - 1)] ^= bit
    path.write_bytes(content)


@pytest.mark.parametrize("where", [0.0, 0.0001, 0.01, 0.3, 0.7, 0.99, 0.9999, 1.0])
def test_one_bit_is_noticed_wherever_it_lies(folder, caplog, where):
    array = np.random.default_rng(0).normal(size=(2000, 300)).astype(np.float32)  # several blocks
    cache.store("a", array, cache_folder())
    _flip(next(folder.rglob("a.npy")), where)
    assert cache.load("a", cache_folder()) is None
    assert caplog.text.count("Computed anew: a.npy") == 1
    assert cache.load("a", cache_folder()) is None  # it is gone: nothing is said twice
    assert caplog.text.count("Computed anew") == 1
    np.testing.assert_array_equal(cache.store("a", array, cache_folder()), array)


def _zero_half(path, other):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + b"\0" * (len(content) - len(content) // 2))


def _shuffle_rows(path, other):
    whole = np.lib.format.open_memmap(path, mode="r+")
    whole[:] = np.random.default_rng(0).permutation(whole)
    whole.flush()


def _swap(path, other):
    path.write_bytes(other.read_bytes())


def _swap_blocks(path, other):
    content = path.read_bytes()
    path.write_bytes(
        content[:128] + content[2**20 + 128 : 2 * 2**20 + 128] + content[128 : 2**20 + 128] + content[2 * 2**20 + 128 :]
    )


def _cut(path, other):
    path.write_bytes(path.read_bytes()[:-500_000])


def _lengthen(path, other):
    path.write_bytes(path.read_bytes() + b"\0" * 100)


def _empty(path, other):
    path.write_bytes(b"")


def _unsealed(path, other):
    np.save(path, np.load(other, mmap_mode="r"))


@pytest.mark.parametrize("damage", [_zero_half, _shuffle_rows, _swap, _swap_blocks, _cut, _lengthen, _empty, _unsealed])
def test_damage_is_noticed(folder, caplog, damage):
    rng = np.random.default_rng(1)
    for key in ("a", "b"):
        cache.store(key, rng.normal(size=(2500, 300)).astype(np.float32), cache_folder())
    damage(*(next(folder.rglob(f"{key}.npy")) for key in ("a", "b")))
    assert cache.load("a", cache_folder()) is None
    assert "Computed anew: a.npy" in caplog.text
    assert cache.load("b", cache_folder()) is not None


@pytest.mark.parametrize(
    "array",
    [np.float32(3.0) * np.ones(()), np.zeros((0, 4)), np.asfortranarray(np.arange(12.0).reshape(3, 4)), np.arange(10)[::3], np.arange(3.0, dtype=">f4")],
    ids=["scalar", "empty", "fortran", "strided", "big-endian"],
)  # fmt: skip
def test_every_kind_of_array_comes_back(array):
    assert cache.store("a", array, cache_folder()).tolist() == array.tolist()
    found = cache.load("a", cache_folder())
    assert found is not None
    assert (found.shape, found.dtype) == (array.shape, array.dtype)
    assert found.tolist() == array.tolist()


def test_an_entry_is_read_through_once(monkeypatch):
    checks = []
    check = cache._check
    monkeypatch.setattr(cache, "_check", lambda file, key: (checks.append(key), check(file, key)))
    cache.store("a", np.arange(1000), cache_folder())
    for _ in range(3):
        assert cache.load("a", cache_folder()) is not None
    assert checks == []  # this process wrote it
    cache._checked.clear()  # as in another process
    for _ in range(3):
        assert cache.load("a", cache_folder()) is not None
    assert checks == ["a"]


def test_what_a_killed_writer_left_is_swept(folder):
    cache.store("a", np.arange(3), cache_folder())
    left = folder / "arrays" / ".writing-0123"
    left.write_bytes(b"half")
    cache.store("b", np.arange(3), cache_folder())
    assert left.exists()  # somebody may be writing it
    os.utime(left, (1, 1))
    cache.store("c", np.arange(3), cache_folder())
    assert not left.exists()


def test_a_memo_in_a_folder_that_cannot_be_looked_into_is_empty(monkeypatch):
    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    memo = Memo("m-1")
    memo.put_many({"k": b"v"})
    with monkeypatch.context() as patched:
        patched.setattr(type(memo.path), "is_file", refused)
        assert memo.get_many(["k"]) == {}
    assert memo.get_many(["k"]) == {"k": b"v"}


def test_a_memo_with_a_damaged_schema_is_replaced(caplog):
    memo = Memo("m-1")
    memo.put_many({"k": b"v"})
    memo.path.write_bytes(memo.path.read_bytes().replace(b"CREATE", b"C\xa0EATE"))
    assert memo.get_many(["k"]) == {}
    assert "was damaged" in caplog.text
    memo.put_many({"k": b"w"})
    assert memo.get_many(["k"]) == {"k": b"w"}


def test_a_damaged_fact_is_forgotten(caplog):
    memo = Memo("m-1")
    memo.put_many({"k": b"value", "l": b"value"})
    with closing(sqlite3.connect(memo.path)) as db, db:
        db.execute("UPDATE memo SET value = replace(value, 'value', 'valve') WHERE key = 'k'")
        db.execute("UPDATE memo SET key = 'm' WHERE key = 'l'")  # one fact in another's place
    assert memo.get_many(["k", "m"]) == {}
    assert "2 damaged facts" in caplog.text
