import errno
import pickle
from pathlib import Path

import pytest

from rnnbench.errors import WriteError
from rnnbench.files import is_temporary, size_of, write_atomically, writing


def test_folders_are_made_and_text_is_utf_8(tmp_path):
    path = write_atomically(tmp_path / "a" / "b.txt", "×\n")
    assert path.read_bytes() == b"\xc3\x97\n"
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_is_replaced_as_a_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "x"
    write_atomically(path, b"a longer first version")
    write_atomically(path, b"short")
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    assert path.read_bytes() == b"short"


def test_a_write_that_fails_leaves_the_old_file_and_no_debris(tmp_path, monkeypatch):
    path = write_atomically(tmp_path / "x", b"old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(WriteError, match=r"the disk or a quota is full \(No space left"):
        write_atomically(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    assert path.read_bytes() == b"old"


def test_an_open_reader_keeps_the_version_it_opened(tmp_path):
    path = write_atomically(tmp_path / "x", b"old")
    with path.open("rb") as reader:
        write_atomically(path, b"new")
        assert reader.read() == b"old"


def test_an_error_survives_the_way_between_processes(tmp_path):
    for full in (True, False):
        error = WriteError(tmp_path / "x", "why", full=full)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_what_a_killed_writer_leaves_is_told_from_other_files(tmp_path):
    with writing(tmp_path / "runs.csv") as temporary:
        assert is_temporary(temporary.name)
    for name in ("runs.csv", ".runs.csv", ".notes.txt.abcdefgh", ".report.md.swp", ".hidden"):
        assert not is_temporary(name)


def test_what_vanishes_while_it_is_measured_holds_nothing(tmp_path, monkeypatch):
    (tmp_path / "stays").write_text("four")
    gone = [tmp_path / "file", tmp_path / "stays"]
    monkeypatch.setattr(Path, "iterdir", lambda _: iter(gone))
    assert size_of(tmp_path) == 4


def test_links_are_not_followed_when_a_folder_is_measured(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"12345")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert size_of(tmp_path) == 5 + (tmp_path / "loop").lstat().st_size
