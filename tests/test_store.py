import hashlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from studies import play, study

from rnnbench.errors import StoreError
from rnnbench.member import Finished, Point, Score
from rnnbench.store import Store, read_members

MADE_BY = {"rnnbench": "1", "torch": "2", "cell": "c", "task": "t"}
FINISHED = Finished(
    "ok",
    updates=10,
    best_update=5,
    valid_score=0.1,
    valid_loss=0.1,
    scores=(Score("test", "accuracy", 0.75, "max"), Score("test", "solved", 1.0, "max", True)),
    curve=(Point(5, "valid", "loss", 0.1),),
    seconds={"train": 1.5},
    finished_at="2026-01-01T00:00:00+00:00",
    worker_host="here",
)


def member():
    return play(study())[0][0].member


def test_a_committed_member_is_read_back_as_it_was(tmp_path: Path) -> None:
    with Store(tmp_path / "suite") as store:
        store.commit(member(), FINISHED, MADE_BY, None)
    kept = read_members(tmp_path / "suite")
    assert kept[member().key].finished == FINISHED
    assert kept[member().key].made_by == MADE_BY


def test_weights_are_kept_by_the_hash_of_their_content(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        stored = store.commit(member(), FINISHED, MADE_BY, b"weights")
        name = hashlib.sha256(b"weights").hexdigest()[:20]
        assert stored.finished.weights == f"{name}.safetensors"
        assert (tmp_path / "artifacts" / str(stored.finished.weights)).read_bytes() == b"weights"
        again = store.commit(member(), FINISHED, MADE_BY, b"weights")
    assert again == stored
    assert len(list((tmp_path / "artifacts").iterdir())) == 1


def test_forgotten_members_are_gone(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.commit(member(), FINISHED, MADE_BY, None)
        store.forget([member().key])
        assert store.read() == {}


def test_a_second_driver_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with Store(tmp_path), pytest.raises(StoreError, match=f"in use by process {os.getpid()} on"):
        Store(tmp_path).__enter__()
    with Store(tmp_path):  # and afterwards it is free
        pass


def test_a_process_killed_while_it_holds_the_folder_leaves_it_free(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from rnnbench.store import Store\n"
        "Store(Path(sys.argv[1])).__enter__(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    with Store(tmp_path) as store:
        assert store.read() == {}


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "store.sqlite"
    broken.write_bytes(b"not a database, but long enough to be looked at " * 40)
    with pytest.raises(StoreError, match=r"store\.sqlite cannot be read as a store"):
        Store(tmp_path).__enter__()
    broken.unlink()
    with Store(tmp_path):  # the lock was given back
        pass


def test_a_store_of_another_version_is_refused(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "store.sqlite")
    database.execute("PRAGMA user_version = 99")
    database.commit()
    database.close()
    with pytest.raises(StoreError, match="another version of rnnbench"):
        Store(tmp_path).__enter__()


def test_reading_a_folder_without_a_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"has no store\.sqlite"):
        read_members(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/suite cannot be written: Not a directory; choose"):
        Store(tmp_path / "file" / "suite").__enter__()
