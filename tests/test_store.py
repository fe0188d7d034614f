import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from studies import play, study

from rnnbench.errors import StoreError
from rnnbench.member import Finished, Point, Score
from rnnbench.store import Store, Stored, read_members

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


def change(folder: Path, *statements: str) -> None:
    """Change a store behind its back."""
    with closing(sqlite3.connect(folder / "store.sqlite", isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path):
        pass
    change(tmp_path, "PRAGMA user_version = 3")
    with pytest.raises(StoreError, match="another version of rnnbench"):
        Store(tmp_path).__enter__()


def test_another_program_s_database_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE photos (name TEXT)")
    before = path.read_bytes()
    for door in (Store(tmp_path).__enter__, partial(read_members, tmp_path, print)):
        with pytest.raises(StoreError, match=r"another program's database \(photos\)"):
            door()
    assert path.read_bytes() == before
    path.unlink()
    with Store(tmp_path):  # the lock was given back
        pass


def test_a_reader_sees_what_is_committed_while_a_run_writes(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.commit(member(), FINISHED, MADE_BY, None)
        assert list(read_members(tmp_path)) == [member().key]
        # nothing else is needed: the file alone may be copied
        (tmp_path / "copy").mkdir()
        shutil.copy(tmp_path / "store.sqlite", tmp_path / "copy")
        assert list(read_members(tmp_path / "copy")) == [member().key]


KILLED = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA cache_size = 1")
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE members SET made_by = ?", ["x" * 100_000])
database.execute("DELETE FROM members")
os.kill(os.getpid(), 9)
"""


def kill_in_a_transaction(folder: Path) -> None:
    with Store(folder) as store:
        for ask in play(study())[0]:
            store.commit(ask.member, FINISHED, MADE_BY, None)
    words = [sys.executable, "-c", KILLED, str(folder / "store.sqlite")]
    assert subprocess.run(words, check=False).returncode == -9
    assert (folder / "store.sqlite-journal").stat().st_size > 0


def test_a_transaction_that_was_killed_half_way_is_undone(tmp_path: Path) -> None:
    kill_in_a_transaction(tmp_path)
    assert len(read_members(tmp_path)) == len({ask.member.key for ask in play(study())[0]})
    assert not (tmp_path / "store.sqlite-journal").exists()


def test_a_journal_without_its_store_is_not_played_into_a_new_one(tmp_path: Path) -> None:
    kill_in_a_transaction(tmp_path)
    (tmp_path / "store.sqlite").unlink()
    with Store(tmp_path) as store:
        assert store.mended == ()
        assert store.read() == {}
    assert [path.name for path in tmp_path.glob("store.sqlite*")] == ["store.sqlite"]


@pytest.fixture
def readonly() -> Iterator[Path]:
    """A folder that this process cannot write to once it calls `close`; root could."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield folder
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o755)


def close(folder: Path) -> None:
    folder.chmod(0o555)
    if os.getuid() == 0:
        os.seteuid(65534)


def test_a_killed_transaction_is_read_around_where_nothing_may_be_written(readonly: Path) -> None:
    kill_in_a_transaction(readonly)
    for path in readonly.glob("store.sqlite*"):
        path.chmod(0o644)
    close(readonly)
    assert len(read_members(readonly)) == len({ask.member.key for ask in play(study())[0]})
    assert (readonly / "store.sqlite-journal").exists()
    with pytest.raises(StoreError, match="cannot be written: Permission denied; choose another"):
        Store(readonly).__enter__()


def test_a_store_without_digests_is_taken_over(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.commit(member(), FINISHED, MADE_BY, None)
    change(
        tmp_path,
        "ALTER TABLE members RENAME TO later",
        "CREATE TABLE IF NOT EXISTS members (\n    key TEXT PRIMARY KEY, member TEXT NOT NULL, "
        "finished TEXT NOT NULL, made_by TEXT NOT NULL\n) STRICT",
        "INSERT INTO members SELECT key, member, finished, made_by FROM later",
        "DROP TABLE later",
        "PRAGMA application_id = 0",
        "PRAGMA user_version = 1",
        "PRAGMA journal_mode = WAL",
    )
    before = read_members(tmp_path)
    with Store(tmp_path) as store:
        assert store.mended == ()
        assert store.read() == before == {member().key: Stored(FINISHED, MADE_BY)}
    with Store(tmp_path) as store:
        assert store.read() == before
    assert sorted(path.name for path in tmp_path.glob("store.sqlite*")) == ["store.sqlite"]


def test_members_accepted_as_made_by_other_code_stay_sound(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.commit(member(), FINISHED, MADE_BY, None)
        store.accept({member().key: {"cell": "other"}, "nobody": {}})
    assert read_members(tmp_path) == {member().key: Stored(FINISHED, {"cell": "other"})}


def test_damage_under_a_running_driver_is_named(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.commit(member(), FINISHED, MADE_BY, None)
        change(tmp_path, "UPDATE members SET made_by = '{}'")
        with pytest.raises(StoreError, match="was damaged since it was opened; run again"):
            store.read()


@pytest.mark.parametrize(
    "name", ["store.sqlite", "artifacts", "checkpoints", "figures", "set-aside", "tracebacks"]
)
def test_what_stands_in_the_place_of_ours_is_named(tmp_path: Path, name: str) -> None:
    if name == "store.sqlite":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text("mine")
    with pytest.raises(StoreError, match=rf"{name} is a (file|folder), not a .*; move it away"):
        Store(tmp_path).__enter__()


@pytest.mark.parametrize("name", ["artifacts", "set-aside"])
def test_a_run_writes_nothing_behind_a_link(tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=f"{name} is a link; a results folder holds files of its"):
        Store(tmp_path / "s").__enter__()


FULL = """
import resource, signal, sys
from pathlib import Path
from rnnbench.errors import WriteError
from rnnbench.store import Store
sys.path.insert(0, sys.argv[2])
from studies import play, study
asks, finished = play(study())
with Store(Path(sys.argv[1])) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
    for ask in asks:
        weights = b"x" * 50_000 if sys.argv[3] == "weights" else None
        try:
            store.commit(ask.member, finished[ask.member.key], {"cell": "c" * 4000}, weights)
        except WriteError as error:
            print(len(store.read()), error)
            break
"""


@pytest.mark.parametrize("what", ["weights", "rows"])
def test_a_full_disk_is_named_and_what_was_kept_stays(tmp_path: Path, what: str) -> None:
    words = [sys.executable, "-c", FULL, str(tmp_path), str(Path(__file__).parent), what]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    kept, _, said = done.stdout.partition(" ")
    assert "cannot be written" in said, done.stderr
    assert len(read_members(tmp_path)) == int(kept)
    assert (int(kept) == 0) == (what == "weights")
    assert not list(tmp_path.rglob(".*"))


def test_reading_a_folder_without_a_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"has no store\.sqlite"):
        read_members(tmp_path)
