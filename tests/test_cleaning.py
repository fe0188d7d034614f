import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from studies import play, study

from rnnbench.cleaning import OLD, old_kernels, remove, spares
from rnnbench.errors import StoreError
from rnnbench.files import size_of
from rnnbench.folder import write_manifest, write_studies
from rnnbench.store import Store, read_members

TEMPORARY = ".runs.csv.abcd1234"
SPARE = "0" * 20 + ".safetensors"


def fill(folder: Path, trials: int) -> None:
    one = study(trials=trials, confirm=0, seeds=2)
    asks, finished = play(one)
    with Store(folder) as store:
        for ask in asks:
            weights = f"{ask.member.key}" if ask.phase == "evaluation" else None
            done = finished[ask.member.key]
            store.commit(ask.member, done, {}, weights.encode() if weights else None)
    write_studies(folder, [one])
    write_manifest(folder, {"suite": "s"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished study with one thing of each kind to spare, and files of other people's."""
    folder = tmp_path / "results" / "s"
    fill(folder, 9)
    fill(folder, 3)
    (folder / "artifacts" / SPARE).write_bytes(b"spare")
    (folder / "artifacts" / "mine.safetensors").write_bytes(b"mine")
    (folder / TEMPORARY).write_text("half")
    (folder / "notes.txt").write_text("mine")
    (folder / "checkpoints").mkdir()
    for name in (next(iter(read_members(folder))), "f" * 20, "mine"):
        (folder / "checkpoints" / f"{name}.safetensors").write_text("c")
    (folder / "set-aside" / "then").mkdir(parents=True)
    (folder / "set-aside" / "then" / "store.sqlite").write_text("damaged")
    return folder


def names(folder: Path) -> dict[str, set[str]]:
    result: dict[str, set[str]] = {}
    for spare in spares(folder).found:
        result.setdefault(spare.kind, set()).add(spare.key or spare.path.name)
    return result


def asked(trials: int) -> set[str]:
    return {ask.member.key for ask in play(study(trials=trials, confirm=0, seeds=2))[0]}


def test_everything_that_could_go_is_found_and_nothing_else(folder: Path) -> None:
    found = names(folder)
    theirs = {name for name in found.pop("rows") if not name.endswith(".safetensors")}
    assert theirs == asked(9) - asked(3)
    assert theirs
    assert found == {
        "artifacts": {SPARE},
        "checkpoints": {
            f"{name}.safetensors" for name in (next(iter(read_members(folder))), "f" * 20)
        },
        "set-aside": {"then"},
        "temporary": {TEMPORARY},
    }
    assert spares(folder).notes == ()


def test_what_was_found_is_removed_and_the_rest_stays(folder: Path) -> None:
    before, found = size_of(folder), spares(folder).found
    remove(found)
    assert names(folder) == {}
    assert read_members(folder).keys() == asked(3)
    with Store(folder) as store:
        assert store.mended == ()
    for mine in ("notes.txt", "artifacts/mine.safetensors", "checkpoints/mine.safetensors"):
        assert (folder / mine).exists()
    assert size_of(folder) < before - sum(s.size for s in found if not s.key)


def test_a_store_shrinks_by_its_rows(folder: Path) -> None:
    path = folder / "store.sqlite"
    before = path.stat().st_size
    remove([spare for spare in spares(folder).found if spare.kind == "rows"])
    assert path.stat().st_size < before


def test_an_unfinished_run_keeps_rows_that_it_may_ask_for(folder: Path) -> None:
    write_studies(folder, [study(trials=9, confirm=0, seeds=5)])
    assert "rows" not in names(folder)
    assert f"{'f' * 20}.safetensors" not in names(folder)["checkpoints"]
    assert "once the suite has been run to its end" in spares(folder).notes[0]
    (folder / "studies.json").write_text("[")
    assert "rows" not in names(folder)
    assert "is not known: " in spares(folder).notes[0]


def test_of_a_damaged_folder_only_what_is_of_no_use_anyway_is_found(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "store.sqlite", isolation_level=None)) as database:
        database.execute("UPDATE members SET digest = '' WHERE rowid > 1")
    assert names(folder).keys() == {"temporary", "set-aside"}
    assert spares(folder).notes == (
        "the store is damaged: run the suite first, to know what it still needs",
    )


@pytest.mark.parametrize("name", ["artifacts", "checkpoints", "set-aside", "figures"])
def test_a_link_is_never_followed(folder: Path, name: str) -> None:
    away = folder.parents[1] / "elsewhere"
    if (folder / name).is_dir():
        (folder / name).rename(away)
    else:
        away.mkdir()
    (away / TEMPORARY).write_text("half")
    (folder / name).symlink_to(away)
    before = sorted(away.rglob("*"))
    note = f"{folder / name} is a link: what lies behind it stays"
    assert (note in spares(folder).notes) == (name != "figures")
    remove(spares(folder).found)
    assert sorted(away.rglob("*")) == before
    assert (folder / name).is_symlink()


def test_kernels_that_were_not_used_for_long_are_old(tmp_path: Path) -> None:
    now = time.time()
    for name, age in (("new.so", 10), ("old.so", OLD + 10), ("old.txt", OLD + 10)):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (now - age, now - age))
    assert [spare.path.name for spare in old_kernels(tmp_path)] == ["old.so"]
    assert old_kernels(tmp_path / "nowhere") == ()


def clean(where: Path, *words: str, rc: int = 0) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "rnnbench", "clean", *words],
        cwd=where,
        env={**os.environ, "XDG_CACHE_HOME": str(where / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == rc, done.stderr
    return done.stdout, done.stderr


def test_the_command_removes_only_what_it_is_asked_to_and_names_it(folder: Path) -> None:
    where = folder.parents[1]
    before = size_of(folder)
    out, _ = clean(where)
    for kind in ("temporary", "artifacts", "checkpoints", "set-aside", "rows"):
        assert f"  could go  {kind}: " in out
    assert size_of(folder) == before
    out, _ = clean(where, "results/s", "--remove", "temporary", "--remove", "artifacts")
    assert f"  removing  artifacts: 1, 5 bytes\n    results/s/artifacts/{SPARE}  5 bytes\n" in out
    assert "  could go  rows: " in out
    assert names(folder).keys() == {"checkpoints", "set-aside", "rows"}


def test_no_name_in_a_folder_steers_the_terminal(folder: Path) -> None:
    (folder / ".\x1b[31mRED\n.csv.abcd1234").write_text("half")
    with closing(sqlite3.connect(folder / "store.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_schema SET sql = sql || '\x1b[31m' WHERE sql NOT NULL")
    out, err = clean(folder.parents[1], "--remove", "temporary")
    assert "RED" in out
    done = subprocess.run(
        [sys.executable, "-m", "rnnbench", "report", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "damaged" in done.stderr
    for text in (out, err, done.stdout, done.stderr):
        assert all(letter.isprintable() or letter == "\n" for letter in text)


def test_a_folder_in_use_is_not_cleaned(folder: Path) -> None:
    with Store(folder):
        _, err = clean(folder.parents[1], "--remove", "temporary", rc=2)
        assert f"results/s is in use by process {os.getpid()}" in err
    assert (folder / TEMPORARY).exists()


def test_what_is_asked_for_must_be_known(folder: Path) -> None:
    _, err = clean(folder.parents[1], "--remove", "row", rc=2)
    assert "unknown kind `row`; did you mean `rows`?" in err
    _, err = clean(folder.parents[1], "results", rc=2)
    assert "results is no results folder: it has no store.sqlite" in err


def test_another_program_s_database_is_not_cleaned(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store.sqlite")) as database:
        database.execute("CREATE TABLE photos (name TEXT)")
    with pytest.raises(StoreError, match="another program's database"):
        spares(tmp_path)
