import pytest

from rnnbench.files import write_atomically


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
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["x"]
    assert path.read_bytes() == b"old"


def test_an_open_reader_keeps_the_version_it_opened(tmp_path):
    path = write_atomically(tmp_path / "x", b"old")
    with path.open("rb") as reader:
        write_atomically(path, b"new")
        assert reader.read() == b"old"
