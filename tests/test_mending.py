"""Damage a store on purpose, as disks, copies and people do, and see what is left."""

import json
import random
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from studies import play, study

from rnnbench.errors import StoreError
from rnnbench.salvage import Row
from rnnbench.store import Store, Stored, read_members

PAGE = 4096


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a finished study whose rows take many pages; two members share weights."""
    asks, finished = play(study(trials=20))
    with Store(tmp_path) as store:
        for number, ask in enumerate(asks):
            long = replace(finished[ask.member.key], traceback="x" * (number % 4 * 1500))
            weights = [b"shared", b"shared", b"own"][number] if number < 3 else None
            store.commit(ask.member, long, {"cell": "c"}, weights)
    return tmp_path


def opened(folder: Path) -> tuple[Mapping[str, Stored], str]:
    """Open a folder as a run does; return what is left and what was said."""
    with Store(folder) as store:
        return store.read(), "\n".join(store.mended)


def aside(folder: Path) -> dict[str, Path]:
    """Return the files that were set aside, by name."""
    return {path.name: path for path in folder.glob("set-aside/*/*")}


def test_a_sound_folder_is_left_as_it_is(folder: Path) -> None:
    before = (folder / "store.sqlite").read_bytes()
    assert opened(folder)[1] == ""
    assert (folder / "store.sqlite").read_bytes() == before
    assert aside(folder) == {}


@pytest.mark.parametrize("column", ["member", "finished", "made_by", "digest"])
def test_a_row_that_was_changed_is_set_aside_alone(folder: Path, column: str) -> None:
    before = read_members(folder)
    bad = sorted(before)[3]
    with closing(sqlite3.connect(folder / "store.sqlite", isolation_level=None)) as database:
        database.execute(f"UPDATE members SET {column} = '{{}}' WHERE key = ?", [bad])
    said: list[str] = []
    assert read_members(folder, said.append).keys() == before.keys() - {bad}
    assert len(said) == 1
    assert bad in said[0]
    with pytest.raises(StoreError, match=r"stored members that are not as they were written \(1\)"):
        read_members(folder)
    left, lines = opened(folder)
    assert left == {key: one for key, one in before.items() if key != bad}
    assert f"stored members that are not as they were written (1): {bad}" in lines
    assert [*aside(folder)] == ["rows.jsonl"]
    (line,) = aside(folder)["rows.jsonl"].read_text().splitlines()
    assert (json.loads(line)["key"], json.loads(line)[column]) == (bad, "{}")
    assert opened(folder) == (left, "")


def test_an_older_row_that_is_no_json_is_set_aside(folder: Path) -> None:
    before = read_members(folder)
    bad = sorted(before)[0]
    with closing(sqlite3.connect(folder / "store.sqlite", isolation_level=None)) as database:
        database.execute("UPDATE members SET finished = '{' WHERE key = ?", [bad])
        database.execute("ALTER TABLE members DROP COLUMN digest")
        database.execute("PRAGMA application_id = 0")
        database.execute("PRAGMA user_version = 1")
    assert opened(folder)[0] == {key: one for key, one in before.items() if key != bad}
    assert '"finished": "{"' in aside(folder)["rows.jsonl"].read_text()


@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_members_whose_weights_are_gone_are_trained_again(folder: Path, fault: str) -> None:
    before = read_members(folder)
    names = [one.finished.weights for one in before.values() if one.finished.weights]
    shared = next(name for name in names if names.count(name) == 2)
    path = folder / "artifacts" / shared
    if fault == "missing":
        path.unlink()
    else:
        path.write_bytes(b"other")
    left, lines = opened(folder)
    assert len(left) == len(before) - 2
    assert f"files of weights that are {fault} (2): {shared}" in lines
    assert not path.exists()
    assert (shared in aside(folder)) == (fault == "damaged")
    assert len(aside(folder)["rows.jsonl"].read_text().splitlines()) == 2


def test_mending_that_is_killed_leaves_all_to_be_found_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_members(folder)
    shared = next(one.finished.weights for one in before.values() if one.finished.weights)
    (folder / "artifacts" / str(shared)).write_bytes(b"other")
    damaged = bytes(PAGE) + (folder / "store.sqlite").read_bytes()[PAGE:]
    (folder / "store.sqlite").write_bytes(damaged)

    def killed(_: object, rows: Sequence[Row]) -> None:
        if rows:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("rnnbench.database.put", killed)
        opened(folder)
    assert (folder / "store.sqlite").read_bytes() == damaged
    left, lines = opened(folder)
    assert len(left) == len(before) - 2
    assert "store.sqlite is damaged" in lines
    assert f"files of weights that are damaged (2): {shared}" in lines
    assert aside(folder)[str(shared)].read_bytes() == b"other"


def test_a_row_cannot_name_a_file_elsewhere(folder: Path) -> None:
    asks, finished = play(study(trials=20))
    (folder / "mine.txt").write_text("keep")
    with Store(folder) as store:
        evil = replace(finished[asks[5].member.key], weights="../mine.txt")
        store.commit(asks[5].member, evil, {}, None)
    assert "files of weights that are missing (1): ../mine.txt" in opened(folder)[1]
    assert (folder / "mine.txt").read_text() == "keep"


@pytest.mark.parametrize("content", [b"", b"no database " * 1000, b"\0" * 9000])
def test_a_file_that_is_no_database_is_set_aside_whole(folder: Path, content: bytes) -> None:
    (folder / "store.sqlite").write_bytes(content)
    left, lines = opened(folder)
    assert left == {}
    assert "store.sqlite is damaged" in lines
    assert aside(folder)["store.sqlite"].read_bytes() == content
    assert opened(folder) == ({}, "")


def test_a_store_without_its_first_page_loses_no_member(folder: Path) -> None:
    before = read_members(folder)
    whole = (folder / "store.sqlite").read_bytes()
    (folder / "store.sqlite").write_bytes(bytes(PAGE) + whole[PAGE:])
    left, lines = opened(folder)
    assert left == before
    assert f"{len(before)} members could be read" in lines


def test_a_store_cut_short_keeps_what_is_before_the_cut(folder: Path) -> None:
    before = read_members(folder)
    whole = (folder / "store.sqlite").read_bytes()
    (folder / "store.sqlite").write_bytes(whole[: len(whole) * 3 // 4])
    left, _ = opened(folder)
    assert len(before) // 2 < len(left) < len(before)
    assert left.items() <= before.items()


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_flipped_no_wrong_number_is_read(folder: Path, seed: int) -> None:
    before = read_members(folder)
    path, draw = folder / "store.sqlite", random.Random(seed)
    damaged = bytearray(path.read_bytes())
    for _ in range(draw.choice([1, 20])):
        damaged[draw.randrange(draw.choice([100, len(damaged)]))] ^= 1 << draw.randrange(8)
    path.write_bytes(damaged)
    said: list[str] = []
    readable = read_members(folder, said.append)
    left, lines = opened(folder)
    assert readable == left
    assert left.items() <= before.items()
    assert len(left) > len(before) // 4
    assert bool(lines) == bool(said) or left == before
    if left != before:
        assert aside(folder)
    assert opened(folder) == (left, "")
