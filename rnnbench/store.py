"""Keep finished members: one transaction each, in one SQLite file that the driver alone writes."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import filelock
from pydantic import TypeAdapter, ValidationError

from rnnbench.errors import StoreError
from rnnbench.files import write_atomically
from rnnbench.member import Finished, Member

SCHEMA = 1

LARGEST = 2**27
"""Bytes that one value of a store may have; pictures and curves of a run take a few million."""

_FINISHED, _MEMBER = TypeAdapter(Finished), TypeAdapter(Member)
_MADE_BY = TypeAdapter(dict[str, str])

_TABLES = """
CREATE TABLE IF NOT EXISTS members (
    key TEXT PRIMARY KEY, member TEXT NOT NULL, finished TEXT NOT NULL, made_by TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class Stored:
    """A finished member and the code that made it: versions and source hashes by name."""

    finished: Finished
    made_by: Mapping[str, str]


class Store:
    """The results folder of one suite, held under a lock that dies with its process.

    Use it as a context manager. Raises StoreError where another process holds the folder or the
    file is not a store of this version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.artifacts = folder / "artifacts"
        self._lock = filelock.FileLock(folder / "run.lock")

    def __enter__(self) -> Self:
        holder = self.folder / "run.holder"
        for name in ("run.lock", "run.holder", "store.sqlite"):
            if (self.folder / name).is_symlink():
                raise StoreError(
                    f"{self.folder / name} is a link; a results folder has files of its own"
                )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            who = holder.read_text() if holder.exists() else "another process"
            raise StoreError(f"{self.folder} is in use by {who}; wait for it or stop it") from None
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written: {error.strerror}; choose another --results"
            ) from None
        try:
            write_atomically(holder, f"process {os.getpid()} on {socket.gethostname()}")
            self._database = _opened(self.folder / "store.sqlite", self.folder)
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._database.close()
        self._lock.release()

    def read(self) -> dict[str, Stored]:
        """Return all finished members by key."""
        return _members(self._database)

    def commit(
        self, member: Member, finished: Finished, made_by: Mapping[str, str], weights: bytes | None
    ) -> Stored:
        """Keep one finished member; its weights go to `artifacts/` by content hash first."""
        if weights is not None:
            name = f"{hashlib.sha256(weights).hexdigest()[:20]}.safetensors"
            write_atomically(self.artifacts / name, weights)
            finished = replace(finished, weights=name)
        row = (
            member.key,
            json.dumps(asdict(member), sort_keys=True),
            json.dumps(asdict(finished), sort_keys=True),
            json.dumps(dict(made_by), sort_keys=True),
        )
        with self._database:
            self._database.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)", row)
        return Stored(finished, made_by)

    def accept(self, made_by: Mapping[str, Mapping[str, str]]) -> None:
        """Record, by key, that members count as made by the code installed now."""
        rows = [(json.dumps(dict(code), sort_keys=True), key) for key, code in made_by.items()]
        with self._database:
            self._database.executemany("UPDATE members SET made_by = ? WHERE key = ?", rows)

    def forget(self, keys: Iterable[str]) -> None:
        """Drop these members, so that they are trained again."""
        with self._database:
            self._database.executemany(
                "DELETE FROM members WHERE key = ?", [(key,) for key in keys]
            )


def read_members(folder: Path) -> dict[str, Stored]:
    """Return all finished members of a results folder by key, without holding it.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    with _reading(folder) as database:
        return _members(database)


def read_identities(folder: Path) -> dict[str, Member]:
    """Return what decides each stored result, by the key it is stored under.

    Raises:
        StoreError: as `read_members`.
    """
    with _reading(folder) as database:
        rows = database.execute("SELECT key, member FROM members")
        return {key: _MEMBER.validate_json(member) for key, member in rows}


@contextmanager
def _reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open a folder's store to read it, whoever made it."""
    path = folder / "store.sqlite"
    if path.is_symlink():
        raise StoreError(f"{path} is a link; a results folder holds files of its own")
    if not path.is_file():
        raise StoreError(f"{folder} has no store.sqlite")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            _refuse_programs(database)
            yield database
    except (sqlite3.Error, ValueError) as error:
        raise StoreError(f"{path} cannot be read as a store ({in_short(error)})") from None


def in_short(error: Exception) -> str:
    """Say on one line what is wrong with a file; of many things the first."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        text = f"{place}: {first['msg']}" if place else first["msg"]
    else:
        text = str(error)
    return " ".join(text.split())[:300]


def _refuse_programs(database: sqlite3.Connection) -> None:
    """Refuse what would compute while it is read or written, and values of any size.

    Raises:
        sqlite3.DatabaseError: the file holds views, triggers, virtual tables or made-up columns.
    """
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
    database.execute("PRAGMA trusted_schema = OFF")
    strange = [
        name
        for kind, name, sql in database.execute("SELECT type, name, sql FROM sqlite_schema")
        if kind not in ("table", "index") or str(sql).upper().startswith("CREATE VIRTUAL")
    ]
    hidden = database.execute("SELECT name FROM pragma_table_xinfo('members') WHERE hidden > 0")
    strange += [name for (name,) in hidden]
    if strange:
        raise sqlite3.DatabaseError(f"it holds more than rows: {strange[0]!r:.60}")


def _members(database: sqlite3.Connection) -> dict[str, Stored]:
    rows = database.execute("SELECT key, finished, made_by FROM members")
    return {
        str(key): Stored(_FINISHED.validate_json(finished), _MADE_BY.validate_json(made_by))
        for key, finished, made_by in rows
    }


def _opened(path: Path, folder: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    try:
        _refuse_programs(database)
        version: Any = database.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA):
            raise StoreError(
                f"{path} was written by another version of rnnbench (schema {version}, "
                f"expected {SCHEMA}); use another --results folder"
            )
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        with database:
            database.executescript(_TABLES)
            database.execute(f"PRAGMA user_version = {SCHEMA}")
    except sqlite3.DatabaseError as error:
        database.close()
        raise StoreError(
            f"{path} cannot be read as a store ({error}); move {folder} away"
        ) from None
    except StoreError:
        database.close()
        raise
    return database
