"""The file of a store: SQLite with one table, written whole, read, and read past damage.

A rollback journal, and not a write-ahead log: what is committed is in the file itself, so that it
can be copied, shared on a network and read where nothing may be written.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rnnbench.errors import StoreError, WriteError
from rnnbench.files import own_file, writing
from rnnbench.salvage import APPLICATION, SCHEMA, Row, whose

SIDES = ("-journal", "-wal", "-shm")
"""What SQLite may leave beside a file when its process is killed."""

PATIENCE = 60
"""Seconds to wait for a reader or a writer to be done."""

PAGE = 4096

LARGEST = 2**27
"""Bytes that one value of a store may have; pictures and curves of a run take a few million."""

LEAST = 256
"""Bytes that a member takes at least: how far to look for rows past damage."""

_COLUMNS = (
    "key TEXT PRIMARY KEY, member TEXT NOT NULL, finished TEXT NOT NULL, made_by TEXT NOT NULL"
)

_TABLES = {
    1: f"CREATE TABLE members (\n    {_COLUMNS}\n) STRICT",
    SCHEMA: f"CREATE TABLE members (\n    {_COLUMNS},\n    digest TEXT NOT NULL\n) STRICT",
}
"""How each schema declares its table, letter by letter: SQLite computes what another one says."""

_SCHEMA = f"""
PRAGMA page_size = {PAGE};
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {SCHEMA};
{_TABLES[SCHEMA]};
"""

_JOURNAL_OF_MANY = bytes.fromhex("d9d505f920a163d7")
"""How a journal ends that names another file, which SQLite would delete; a store has no such."""

# the statements are always the same: one that SQLite takes for wrong finds another schema there
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
_LOCKED_OUT = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


_JOURNALS = (bytes((1, 1)), bytes((2, 2)))
"""How a header says that writers keep a rollback journal, or as in schema 1 a write-ahead log."""


@dataclass(frozen=True)
class Contents:
    """The rows that could be read, and what is wrong with the file: "" where nothing is."""

    rows: tuple[tuple[object, ...], ...]
    fault: str = ""
    schema: int = SCHEMA


def connected(path: Path) -> sqlite3.Connection:
    """Open a file that exists; columns are bytes, and nothing that a schema holds is executed.

    Raises:
        StoreError: a file beside it would lead SQLite elsewhere.
    """
    with_sides(path)
    address = f"{path.absolute().as_uri()}?mode=rw"
    database = sqlite3.connect(address, uri=True, isolation_level=None, timeout=PATIENCE)
    database.text_factory = bytes
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
    database.execute("PRAGMA trusted_schema = OFF")
    return database


@contextmanager
def transaction(database: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Commit all of a block, or none of it.

    Raises:
        WriteError: it cannot be written.
    """
    try:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise _unwritable(path, error) from None


def put(database: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Write rows, each in place of the one with its key, in a transaction."""
    texts = ([part.decode() for part in row] for row in rows)
    database.executemany("INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?, ?)", texts)


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write a store anew, in place of the one that is there.

    What SQLite left beside the old one would be taken for the new one's, and goes once the new one
    is complete.

    Raises:
        StoreError: a file beside it would lead SQLite elsewhere.
        WriteError: it cannot be written.
    """
    try:
        with writing(path) as temporary:
            with closing(connected(temporary)) as database:
                database.executescript(_SCHEMA)
                with transaction(database, path):
                    put(database, rows)
            for side in with_sides(path)[1:]:
                side.unlink()
    except sqlite3.Error as error:
        raise _unwritable(path, error) from None


def shrink(database: sqlite3.Connection, path: Path) -> None:
    """Give the room of removed rows back to the disk.

    Raises:
        WriteError: there is no room to copy what is left.
    """
    try:
        database.execute("VACUUM")
    except sqlite3.Error as error:
        raise _unwritable(path, error) from None


def replace(path: Path, rows: Iterable[Row], *, damaged: bool) -> None:
    """Write a store anew over one that is damaged, or of an older schema.

    Raises:
        StoreError: another program is reading it.
        WriteError: it cannot be written.
    """
    if not damaged:
        try:
            with closing(connected(path)) as database:
                database.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise StoreError(f"{path} cannot be converted now ({error}); try again") from None
    write(path, rows)


def read(path: Path) -> Contents:
    """Read a store, and past what is damaged.

    A transaction that a killed process left half done is undone; in a folder that cannot be
    written, in a copy.

    Raises:
        StoreError: it is another program's, a newer rnnbench's, or cannot be opened.
    """
    try:
        try:
            return _read(path)
        except sqlite3.DatabaseError as error:
            if _code(error) not in _LOCKED_OUT:
                raise
        with copied(path) as copy:
            return _read(copy)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path} cannot be read: {error}") from None


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """Copy a store, with what belongs to it, to where it may be changed."""
    with tempfile.TemporaryDirectory(prefix="rnnbench-") as place:
        for each in with_sides(path):
            shutil.copyfile(each, Path(place, each.name))
        yield Path(place, path.name)


def with_sides(path: Path) -> list[Path]:
    """Return the files that make up a store: itself and what SQLite left beside it.

    Raises:
        StoreError: one that lies beside it would lead SQLite elsewhere.
    """
    sides = [own_file(path.parent, path.name + side) for side in SIDES]
    for side in sides:
        if side.exists() and not side.is_file():
            raise StoreError(f"{side} is no file; move it away")
    if sides[0].is_file() and _end(sides[0], len(_JOURNAL_OF_MANY)) == _JOURNAL_OF_MANY:
        raise StoreError(
            f"{sides[0]} names another file to delete; rnnbench did not write it: move it away"
        )
    return [path, *(side for side in sides if side.is_file())]


def _end(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read(size)


def _read(path: Path) -> Contents:
    fault, schema = "", SCHEMA
    with path.open("rb") as file:
        first = file.read(PAGE)
    if not first:
        return Contents((), "the file is empty")
    try:
        with closing(connected(path)) as database:
            database.execute("BEGIN")
            application, schema = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("application_id", "user_version")
            )
            _refuse_programs(database, path)
            tables = _tables(database)
            owner = whose(application, schema, tables)
            if owner == "newer":
                raise StoreError(
                    f"{path} was written by another version of rnnbench (schema {schema}, "
                    f"expected {SCHEMA}); use another --results folder"
                )
            if owner == "foreign":
                names = ", ".join(sorted(tables))
                raise StoreError(
                    f"{path} is another program's database ({names}); nothing in it was touched: "
                    "move it away, or choose another --results"
                )
            if owner == "damaged":
                fault = "it lacks the table of members"
            elif not _as_declared(database, schema):
                fault = "its table of members is declared in another way"
            elif first[18:20] not in _JOURNALS:
                fault = "its header is damaged"
            else:
                said = database.execute("PRAGMA integrity_check(1)").fetchone()[0].decode()
                if said == "ok":
                    rows = tuple(database.execute("SELECT * FROM members ORDER BY rowid"))
                    return Contents(rows, "", schema)
                fault = " ".join(said.replace("*** in database main ***", "").split())
    except sqlite3.DatabaseError as error:
        if _code(error) not in _DAMAGED:
            raise
        fault = str(error)
    return Contents(tuple(_rescued(path)), fault, schema)


def _refuse_programs(database: sqlite3.Connection, path: Path) -> None:
    """Refuse what would compute while it is read or written, in a file that anybody may have made.

    Raises:
        StoreError: the file holds views, triggers, virtual tables or made-up columns.
    """
    strange = [
        name
        for kind, name, sql in database.execute("SELECT type, name, sql FROM sqlite_schema")
        if kind not in (b"table", b"index") or (sql or b"").upper().startswith(b"CREATE VIRTUAL")
    ]
    hidden = database.execute("SELECT name FROM pragma_table_xinfo('members') WHERE hidden > 0")
    strange += [name for (name,) in hidden]
    if strange:
        name = strange[0].decode(errors="replace")
        raise StoreError(f"{path} cannot be read as a store: it holds more than rows: {name!r:.60}")


def _as_declared(database: sqlite3.Connection, schema: int) -> bool:
    """Whether the file holds the table of members just as rnnbench declares it, nothing else."""
    found = database.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY type").fetchall()
    index = (b"index", b"sqlite_autoindex_members_1", None)
    return found == [index, (b"table", b"members", _TABLES[schema].encode())]


def _tables(database: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """Return the columns of whatever the file holds: tables, views, triggers."""
    known = "sqlite_autoindex_members_%"
    names = _texts(
        database.execute("SELECT name FROM sqlite_schema WHERE name NOT LIKE ?", [known])
    )
    columns = "SELECT name FROM pragma_table_info(?)"
    return {name: tuple(_texts(database.execute(columns, [name]))) for name in names}


def _texts(rows: Iterable[tuple[bytes]]) -> list[str]:
    return [text.decode(errors="replace") for (text,) in rows]


def _rescued(path: Path) -> Iterator[tuple[object, ...]]:
    """Yield the rows that can still be read, in a copy: as it is, then with a first page anew.

    The first page says where the table lies, and that is the same in every store.
    """
    with copied(path) as copy:
        yield from _walked(copy)
        for side in with_sides(copy)[1:]:
            side.unlink()
        whole = copy.read_bytes()
        if len(whole) < PAGE:
            return
        model = copy.with_name("model")
        write(model, ())
        first = bytearray(model.read_bytes()[:PAGE])
        first[28:32] = (len(whole) // PAGE).to_bytes(4)
        copy.write_bytes(bytes(first) + whole[PAGE:])
        yield from _walked(copy)


def _walked(path: Path) -> Iterator[tuple[object, ...]]:
    """Yield rows from the first on up to damage, from the last down to damage, then one by one."""
    low, high = 0, None
    with closing(connected(path)) as database:
        try:
            for number, *row in database.execute("SELECT rowid, * FROM members ORDER BY rowid"):
                low = number
                yield tuple(row)
            return
        except sqlite3.Error:
            pass  # as far as it goes
        after = "SELECT rowid, * FROM members WHERE rowid > ? ORDER BY rowid DESC"
        try:
            for number, *row in database.execute(after, [low]):
                high = number
                yield tuple(row)
        except sqlite3.Error:
            pass  # likewise
        if high is None:
            high = low + path.stat().st_size // LEAST
        for number in range(low + 1, high):
            try:
                yield from database.execute("SELECT * FROM members WHERE rowid = ?", [number])
            except sqlite3.Error:
                continue  # it lies on a damaged page


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary code of an error; -1 where it gives none."""
    return getattr(error, "sqlite_errorcode", -1) & 0xFF


def _unwritable(path: Path, error: sqlite3.Error) -> WriteError:
    return WriteError(path, str(error), full=_code(error) == sqlite3.SQLITE_FULL)
