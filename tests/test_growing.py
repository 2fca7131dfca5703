"""Files that grow block by block: whole at the end, gone on with after a kill, and never mixed with what is not theirs."""

from __future__ import annotations

import errno
import json
import os

import pytest

from weigh import growing
from weigh.errors import StorageError
from weigh.growing import GrowingFiles, part_of

DATA = {"model": "m", "inputs": "i"}


@pytest.fixture(autouse=True)
def _kept_at_once(monkeypatch):
    monkeypatch.setattr(growing, "KEEP_EVERY", 0.0)


@pytest.fixture
def targets(tmp_path):
    return [tmp_path / "rows.csv", tmp_path / "deeper" / "boxes.json"]


def killed(targets, described=DATA) -> None:
    """Two blocks are marked, a third is begun; then the process is gone."""
    files = GrowingFiles(targets, described)
    files.__enter__()
    for number in (1, 2):
        for target in targets:
            files.append(target, f"{target.name} {number}\n".encode())
        files.mark(rows=number)
    files.append(targets[0], b"torn")
    files._close()


def names(folder) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_files_get_their_names_together_when_they_are_whole(tmp_path, targets):
    targets[0].write_text("of an earlier run")
    with GrowingFiles(targets, DATA) as files:
        assert (files.kept, files.changed) == ({}, ())
        for target in targets:
            files.append(target, b"all")
        assert targets[0].read_text() == "of an earlier run"
        files.finish()
    assert [target.read_bytes() for target in targets] == [b"all", b"all"]
    assert names(tmp_path) == {"rows.csv", "boxes.json"}


def test_what_was_marked_is_gone_on_with_and_what_follows_is_cut_off(tmp_path, targets):
    killed(targets)
    assert names(tmp_path) == {"rows.csv.part", "rows.csv.part.json", "boxes.json.part"}
    with GrowingFiles(targets, DATA) as files:
        assert (files.kept, files.changed) == ({"rows": 2}, ())
        assert files.size(targets[0]) == len(b"rows.csv 1\nrows.csv 2\n")
        files.append(targets[0], b"rows.csv 3\n")
        files.finish()
    assert targets[0].read_text() == "rows.csv 1\nrows.csv 2\nrows.csv 3\n"
    assert targets[1].read_text() == "boxes.json 1\nboxes.json 2\n"


def test_an_error_keeps_what_was_marked_and_no_more(tmp_path, targets):
    with pytest.raises(KeyboardInterrupt), GrowingFiles(targets, DATA) as files:  # noqa: PT012
        files.append(targets[0], b"first")
        files.mark(rows=1)
        files.append(targets[0], b"second")
        raise KeyboardInterrupt
    with GrowingFiles(targets, DATA) as files:
        assert files.kept == {"rows": 1}
        files.append(targets[0], b" and on")
        files.finish()
    assert targets[0].read_text() == "first and on"


@pytest.mark.parametrize("resumes", [True, False])
def test_where_nothing_was_marked_nothing_is_left(tmp_path, targets, resumes):
    with pytest.raises(RuntimeError), GrowingFiles(targets, DATA, resumes=resumes) as files:  # noqa: PT012
        files.append(targets[0], b"begun")
        if not resumes:
            files.mark(rows=1)
        raise RuntimeError
    assert names(tmp_path) == set()


def shorten(first, second):
    first.write_bytes(first.read_bytes()[:5])


def alter(first, second):
    second.write_bytes(second.read_bytes().replace(b"2", b"3"))


def lose(first, second):
    second.unlink()


def describe_badly(first, second):
    first.with_name("rows.csv.part.json").write_text("{")


def describe_otherwise(first, second):
    state = first.with_name("rows.csv.part.json")
    state.write_text(json.dumps({**json.loads(state.read_text()), "marked": {"sizes": {"a": 1}}}))


@pytest.mark.parametrize("damage", [shorten, alter, lose, describe_badly, describe_otherwise])
def test_what_is_damaged_is_begun_anew_and_told(targets, damage):
    killed(targets)
    damage(*map(part_of, targets))
    with GrowingFiles(targets, DATA) as files:
        assert (files.kept, files.changed) == ({}, ("files",))
        assert files.size(targets[0]) == 0
        files.append(targets[0], b"anew")
        files.finish()
    assert targets[0].read_text() == "anew"


def test_what_was_made_of_something_else_is_begun_anew_and_told(targets):
    killed(targets)
    with GrowingFiles(targets, {**DATA, "inputs": "others"}) as files:
        assert (files.kept, files.changed) == ({}, ("inputs",))
    with GrowingFiles(targets, {}, resumes=False) as files:
        assert (files.kept, files.changed) == ({}, ())


def test_what_was_finished_in_the_last_moment_is_no_damage(targets):
    """Killed between the new names and the end of the description."""
    killed(targets)
    for target in targets:
        os.replace(part_of(target), target)
    with GrowingFiles(targets, DATA) as files:
        assert (files.kept, files.changed) == ({}, ())
        files.finish()


def test_a_second_process_is_refused_and_harms_nothing(targets):
    with GrowingFiles(targets, DATA) as files:
        files.append(targets[0], b"mine")
        with pytest.raises(StorageError, match="Another process is writing"), GrowingFiles(targets, DATA):
            pass
        files.finish()
    assert targets[0].read_text() == "mine"


def test_who_comes_second_deletes_nothing_of_the_first(targets, monkeypatch):
    """Both found no part; the other process was faster with the lock."""

    def taken(_):
        raise OSError(errno.EAGAIN, "taken")

    monkeypatch.setattr(growing, "take_lock", taken)
    with pytest.raises(StorageError, match="Another process is writing"), GrowingFiles(targets, DATA):
        pass
    assert part_of(targets[0]).exists()


@pytest.mark.skipif(os.name == "nt", reason="names of open files do not change there")
@pytest.mark.parametrize("finishes", [True, False])
def test_parts_are_locked_until_their_names_have_changed(tmp_path, targets, monkeypatch, finishes):
    replace, delete, tried = os.replace, GrowingFiles._delete, []

    def lock_parts():
        for path in tmp_path.rglob("*.part"):
            with path.open("rb") as part, pytest.raises(BlockingIOError):
                growing.take_lock(part.fileno())
            tried.append(path.name)

    monkeypatch.setattr(os, "replace", lambda *names: (lock_parts(), replace(*names)))
    monkeypatch.setattr(GrowingFiles, "_delete", lambda *given: (lock_parts(), delete(*given)))
    with GrowingFiles(targets, DATA) as files:
        tried.clear()
        if finishes:
            files.finish()
    assert set(tried) == {"rows.csv.part", "boxes.json.part"}


def test_a_description_of_one_file_gives_no_right_to_another(tmp_path, targets):
    killed(targets[:1])
    part_of(targets[1]).parent.mkdir()
    part_of(targets[1]).write_text("a download")
    with pytest.raises(StorageError, match=r"boxes\.json\.part is in the way"), GrowingFiles(targets, DATA):
        pass
    assert part_of(targets[1]).read_text() == "a download"
    with GrowingFiles(targets[:1], DATA) as files:
        assert files.kept == {"rows": 2}


def test_a_file_that_is_no_description_is_not_overwritten(targets):
    state = targets[0].with_name("rows.csv.part.json")
    state.write_text('{"mine": 1}')
    with pytest.raises(StorageError, match=r"rows\.csv\.part\.json is in the way"), GrowingFiles(targets, DATA):
        pass
    assert state.read_text() == '{"mine": 1}'
    assert not part_of(targets[0]).exists()


def test_a_folder_may_be_moved(tmp_path):
    folder, moved = tmp_path / "a", tmp_path / "b"
    killed([folder / "rows.csv", folder / "boxes.json"])
    folder.rename(moved)
    with GrowingFiles([moved / "rows.csv", moved / "boxes.json"], DATA) as files:
        assert (files.kept, files.changed) == ({"rows": 2}, ())


def test_where_other_files_are_gone_all_is_begun_anew_and_told(targets):
    killed(targets)
    with GrowingFiles(targets, DATA, lacks=lambda notes: notes["rows"] == 1) as files:
        assert files.kept == {"rows": 2}
    with GrowingFiles(targets, DATA, lacks=lambda notes: notes["rows"] == 2) as files:
        assert (files.kept, files.changed) == ({}, ("answers",))
        assert files.size(targets[0]) == 0


def test_somebody_elses_file_is_not_overwritten(tmp_path, targets):
    part_of(targets[0]).write_text("a download")
    with pytest.raises(StorageError, match=r"rows\.csv\.part is in the way"), GrowingFiles(targets, DATA):
        pass
    assert names(tmp_path) == {"rows.csv.part"}
    assert part_of(targets[0]).read_text() == "a download"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_place_where_no_file_can_stand_is_told_before_anything_is_computed(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    for place, words in (
        (tmp_path / "folder.csv", "it is a folder"),
        (tmp_path / "file" / "rows.csv", "a file stands where a folder is needed"),
        (tmp_path / "pipe", "a device or a pipe"),
    ):
        with pytest.raises(StorageError, match=words), GrowingFiles([place], DATA):
            pass
    assert names(tmp_path) == {"file"}


def test_no_files_at_all(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with GrowingFiles([], DATA, resumes=False) as files:
        files.mark(rows=1)
        files.finish()
    assert names(tmp_path) == set()
