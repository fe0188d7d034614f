"""Where data files are found, fetched from, and told by."""

import hashlib
import pickle
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rnnbench.datafiles import DataFiles, digest
from rnnbench.errors import DataError

WORDS = b"some words"
HASH = hashlib.sha256(WORDS).hexdigest()


def test_the_first_folder_that_has_a_file_is_taken(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    (there / "a.txt").write_bytes(WORDS)
    files = DataFiles((here, there))
    assert files.find("a.txt") == there / "a.txt"
    (here / "a.txt").write_bytes(WORDS)
    assert files.find("a.txt") == here / "a.txt"
    assert files.find(str(there / "a.txt")) == there / "a.txt"


def test_a_file_that_is_nowhere_is_named_with_the_places_and_the_cure(tmp_path):
    with pytest.raises(DataError, match=f"no data file `x/a.txt`: looked in {tmp_path}/x; .*DATA"):
        DataFiles((tmp_path,)).find("x/a.txt")
    with pytest.raises(DataError, match="looked in no folder"):
        DataFiles().find("a.txt")


def test_a_folder_is_told_by_the_names_and_contents_of_its_files(tmp_path):
    for name in ("a/x.wav", "b/y.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(WORDS)
    before = digest(tmp_path)
    assert digest(tmp_path / "a/x.wav") == HASH
    (tmp_path / "a/x.wav").rename(tmp_path / "a/z.wav")
    renamed = digest(tmp_path)
    (tmp_path / "b/y.wav").write_bytes(b"others")
    assert len({before, renamed, digest(tmp_path)}) == 3


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "a.txt").write_bytes(WORDS)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_is_fetched_once_and_only_after_it_was_told(server, tmp_path):
    told = []
    files = DataFiles((), tmp_path / "cache", told.append)
    name = f"{server}/a.txt#sha256={HASH}"
    path = files.find(name)
    assert path.read_bytes() == WORDS
    assert told == [f"{server}/a.txt"]
    # what is in the cache needs no network, and workers may have it
    assert DataFiles((), tmp_path / "cache").find(name) == path
    assert files.find(name) == path
    assert len(told) == 1


def test_a_worker_fetches_nothing(server, tmp_path):
    with pytest.raises(DataError, match=r"is not in .*cache; run the suite on this machine first"):
        DataFiles((), tmp_path / "cache").find(f"{server}/a.txt#sha256={HASH}")


def test_what_is_fetched_must_be_what_was_named(server, tmp_path):
    files = DataFiles((), tmp_path / "cache", lambda address: None)
    with pytest.raises(DataError, match="cannot be fetched: SHA256 hash of downloaded file"):
        files.find(f"{server}/a.txt#sha256={'0' * 64}")
    with pytest.raises(DataError, match="cannot be fetched"):
        files.find(f"{server}/b.txt#sha256={HASH}")
    assert not [path for path in (tmp_path / "cache").glob("*") if path.is_file()]


def test_a_cache_that_takes_no_file_is_named(server, tmp_path):
    (tmp_path / "cache").write_text("in the way")
    files = DataFiles((), tmp_path / "cache", lambda address: None)
    with pytest.raises(DataError, match=r"a\.txt cannot be kept in .*cache: .*; set XDG_CACHE"):
        files.find(f"{server}/a.txt#sha256={HASH}")


def test_a_damaged_file_in_the_cache_is_fetched_again(server, tmp_path):
    files = DataFiles((), tmp_path / "cache", lambda address: None)
    path = files.find(f"{server}/a.txt#sha256={HASH}")
    path.write_bytes(b"other")
    assert files.find(f"{server}/a.txt#sha256={HASH}").read_bytes() == WORDS


@pytest.mark.parametrize("name", ["https://host/a.txt", "https://host/a.txt#sha256=12", "ftp://a"])
def test_an_address_without_a_hash_is_refused(name):
    with pytest.raises(DataError, match="is no address that can be checked: write https://"):
        DataFiles((), fetching=lambda address: None).find(name)


def test_what_workers_get_can_be_sent(tmp_path):
    files = DataFiles((tmp_path,))
    assert pickle.loads(pickle.dumps(files)) == files


def test_what_is_neither_a_file_nor_a_folder_is_refused():
    with pytest.raises(DataError, match="/dev/null: neither a file nor a folder"):
        digest(DataFiles((Path("/dev"),)).find("null"))


def test_a_name_that_no_file_system_takes_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no data file|cannot be looked for"):
        DataFiles((tmp_path,)).find("x" * 300)
