"""One writer for all files: all of a file or nothing, and every fault of a disk in words that say what to do."""

from __future__ import annotations

import ast
import errno
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from tests.conftest import real_fsync
from tests.sources import SOURCES, check_each, last_name, nodes_of
from weigh import disk
from weigh.errors import StorageError, StudyLocked
from weigh.record import lock, tables

# Who writes otherwise, and why that is no half-written file: the writer itself; a folder that is renamed as a
# whole when it is complete; files that get their names when they are whole; the description of an unexpected error, which
# nobody reads back; a download that goes on where it was cut and gets its name when its hash is right; what a .keras file
# holds, unpacked into a temporary folder.
WRITERS = {"disk.py", "growing.py", "packaged_texts.py", "output.py", "download.py", "weights.py"}
FAULTS = [
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.ESTALE, errno.ENOTDIR,
    errno.ENAMETOOLONG, errno.EMFILE,
]  # fmt: skip


@pytest.fixture(autouse=True)
def _as_users_have_it(monkeypatch):
    """`tests/conftest.py` spares all other tests the waiting for the disk."""
    monkeypatch.setattr(os, "fsync", real_fsync)
    monkeypatch.setattr(tables, "SYNCHRONOUS", "FULL")


def raising(number: int):
    def fail(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    return fail


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(disk.WRITING)]


@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "pathlib.Path.write_bytes"])
@pytest.mark.parametrize("number", FAULTS, ids=errno.errorcode.get)
def test_a_fault_leaves_the_old_file_and_says_what_to_do(tmp_path, monkeypatch, call, number):
    path = tmp_path / "file.txt"
    disk.write_file(path, "old")
    monkeypatch.setattr(call, raising(number))
    with pytest.raises(StorageError) as caught:
        disk.write_file(path, "new")
    monkeypatch.undo()
    for language in ("en", "zh"):
        words = caught.value.render(language)
        assert str(path) in words
        assert os.strerror(number) in words
    assert caught.value.do is not None
    assert "same command" in caught.value.do.en
    assert path.read_text() == "old"
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("number", FAULTS, ids=errno.errorcode.get)
def test_the_machine_is_at_fault_or_not(number):
    of_the_disk = number not in (errno.ENOTDIR, errno.ENAMETOOLONG, errno.EMFILE)
    assert disk.is_storage_fault(OSError(number, "x")) is of_the_disk
    assert disk.is_storage_fault(disk.storage_error(OSError(number, "x"), "p"))
    assert not disk.is_storage_fault(ValueError("x"))


def test_a_kill_between_writing_and_renaming_leaves_what_the_next_writer_sweeps(tmp_path, monkeypatch):
    path = tmp_path / "arrays" / "file"
    disk.write_file(path, b"old")
    monkeypatch.setattr(os, "replace", raising(errno.EIO))
    monkeypatch.setattr(os, "unlink", raising(errno.EIO))  # as if killed: nobody tidies up
    with pytest.raises(StorageError):
        disk.write_file(path, b"new")
    monkeypatch.undo()
    assert len(leftovers(tmp_path)) == 1
    with lock.lock_study(tmp_path):
        assert leftovers(tmp_path) == []
        fresh = tmp_path / f"{disk.WRITING}of-a-report-being-written"
        fresh.write_bytes(b"")
        later = os.stat(fresh).st_mtime + 100
        os.utime(fresh, (later, later))
    with lock.lock_study(tmp_path):
        assert leftovers(tmp_path) == [fresh]
    assert path.read_bytes() == b"old"


def test_the_mask_of_the_user_is_kept(tmp_path):
    before = os.umask(0o027)
    try:
        disk.write_file(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(tmp_path / "file").st_mode) == 0o640


def test_others_may_write_to_the_temporary_path(tmp_path):
    with pytest.raises(RuntimeError), disk.replacing(tmp_path / "file") as temporary:  # noqa: PT012
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageError), disk.replacing(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "full")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "word"),
    [(13, "no room left"), (10, "reports an error"), (8, "read-only"), (14, "no permission"), (15, "lock files"), (3850, "lock files")],
)  # fmt: skip
def test_sqlites_faults_are_said_in_the_same_words(code, word):
    error = sqlite3.OperationalError("what SQLite says")
    error.sqlite_errorcode = code
    assert disk.is_storage_fault(error)
    assert word in disk.storage_error(error, "ledger").render("en")


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EIO, errno.EROFS])
def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", raising(number))
    with pytest.raises(StorageError, match=r"\.lock") as caught, lock.lock_study(tmp_path):
        pass
    assert ("lock files" in caught.value.what.en) == (number in disk.NO_LOCKS)
    monkeypatch.undo()
    with lock.lock_study(tmp_path):
        pass


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_a_lock_that_is_taken_is_said(tmp_path, monkeypatch, number):
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", raising(number))
    with pytest.raises(StudyLocked, match="Another process"), lock.lock_study(tmp_path):
        pass


def test_a_file_in_the_place_of_a_folder_and_a_folder_in_that_of_a_file_are_told(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder" / "full").mkdir(parents=True)
    for path in ("file/report.html", "file/below/report.html"):
        with pytest.raises(StorageError, match="a file stands where a folder is needed") as caught:
            disk.write_file(tmp_path / path, "")
        assert "需要文件夹" in caught.value.render("zh")
    with pytest.raises(StorageError, match="folder cannot be read or written"):
        disk.write_file(tmp_path / "folder", "")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_computed(tmp_path, monkeypatch):
    disk.make_folder(tmp_path / "new" / "inside")
    assert (tmp_path / "new" / "inside").is_dir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        disk.make_folder(tmp_path / "file")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(StorageError, match="no permission"):
        disk.make_folder(tmp_path / "new")


def test_a_seal_is_of_the_content_and_of_the_name():
    sealed = disk.seal(b"content", "a")
    assert disk.unseal(sealed, "a") == b"content"
    for i in range(len(sealed)):
        for damaged in (sealed[:i], sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :]):
            with pytest.raises(ValueError):
                disk.unseal(damaged, "a")
    with pytest.raises(ValueError):
        disk.unseal(sealed, "b")


def test_nobody_else_writes_files():
    check_each([path for path in SOURCES if path.name not in WRITERS], _check_writes)


def _check_writes(path: Path) -> None:
    """Only through `disk`: a call that writes stands in a block of `replacing`, or not at all."""
    inside = set()
    for node in nodes_of(path):
        if isinstance(node, ast.With) and any("replacing(" in ast.unparse(item.context_expr) for item in node.items):
            inside |= {id(child) for child in ast.walk(node)}
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and id(node) not in inside:
            assert not _writes(node), f"{path.name}:{node.lineno} {ast.unparse(node)}"


def _writes(call: ast.Call) -> bool:
    name = last_name(call.func)
    if name in ("open", "fdopen"):
        words = [a.value for a in [*call.args, *(k.value for k in call.keywords)] if isinstance(a, ast.Constant)]
        return any(isinstance(word, str) and len(word) <= 3 and set(word) & set("wax") for word in words)
    return name in (
        "write_text",
        "write_bytes",
        "mkstemp",
        "savez",
        "savez_compressed",
    ) and "buffer" not in ast.unparse(call)
