"""Decide what of a store is sound: whose file it is, and which rows are as they were written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import TypeAdapter

from rnnbench.member import Finished, Member

SCHEMA = 2
"""The version of the store: schema 1 had no digests."""

NEWEST = 99
"""No version of a store is beyond this: a number that is has been damaged."""

APPLICATION = int.from_bytes(b"rnnb")
"""What an SQLite file says of itself that is a store, from schema 2 on."""

COLUMNS = ("key", "member", "finished", "made_by", "digest")

Row = tuple[bytes, bytes, bytes, bytes, bytes]
"""One finished member: its key, three columns of JSON, and the digest of these four."""

_MEMBER, _FINISHED = TypeAdapter(Member), TypeAdapter(Finished)
_MADE_BY = TypeAdapter(dict[str, str])


@dataclass(frozen=True)
class Stored:
    """A finished member and the code that made it: versions and source hashes by name."""

    finished: Finished
    made_by: Mapping[str, str]


@dataclass(frozen=True)
class Sorted:
    """Rows that are as they were written and what they hold, by key; and the others."""

    rows: Mapping[str, Row]
    members: Mapping[str, Stored]
    damaged: tuple[tuple[object, ...], ...]


def row_of(member: Member, finished: Finished, made_by: Mapping[str, str]) -> Row:
    """Return the row that keeps a member."""
    return sealed(
        member.key.encode(), *map(_json, (asdict(member), asdict(finished), dict(made_by)))
    )


def member_of(row: Row) -> Member:
    """Return what decides the result that a row keeps."""
    return _MEMBER.validate_json(row[1])


def remade(row: Row, made_by: Mapping[str, str]) -> Row:
    """Return a row that says other code made it."""
    return sealed(*row[:3], _json(dict(made_by)))


def sealed(key: bytes, member: bytes, finished: bytes, made_by: bytes) -> Row:
    """Return a row with its digest."""
    whole = hashlib.sha256(b"\0".join((key, member, finished, made_by)))
    return key, member, finished, made_by, whole.hexdigest().encode()


def sort_out(rows: Iterable[tuple[object, ...]]) -> Sorted:
    """Tell the rows that are as they were written from those that are not.

    Rows of schema 1, which had a column less, have no digest to check and are given one.
    """
    sound: dict[bytes, tuple[Row, Stored]] = {}
    damaged: dict[tuple[object, ...], None] = {}
    for columns in rows:
        try:
            row = _checked(columns)
            member_of(row)
            made_by = _MADE_BY.validate_json(row[3])
            sound[row[0]] = row, Stored(_FINISHED.validate_json(row[2]), made_by)
        except ValueError:
            damaged[columns] = None
    return Sorted(
        {key.decode(): row for key, (row, _) in sound.items()},
        {key.decode(): stored for key, (_, stored) in sound.items()},
        # reading past damage may meet a member twice, the first time on a damaged page
        tuple(columns for columns in damaged if columns[0] not in sound),
    )


def _checked(columns: tuple[object, ...]) -> Row:
    """Return a row with its digest.

    Raises:
        ValueError: it is not as it was written.
    """
    parts = [part for part in columns if isinstance(part, bytes)]
    if len(parts) < len(columns):
        raise ValueError("a column holds no text")
    row = sealed(parts[0], parts[1], parts[2], parts[3])
    row[0].decode()
    if parts[4:] not in ([], [row[4]]):
        raise ValueError("the digest is that of another row")
    return row


def whose(
    application: int, schema: int, tables: Mapping[str, tuple[str, ...]]
) -> Literal["ours", "newer", "foreign", "damaged"]:
    """Say whose SQLite file it is, by what it says of itself and the columns of its tables.

    What bears a mark of ours but not all of them is damaged, and so is a file without tables.
    """
    now, before = {"members": COLUMNS}, {"members": COLUMNS[:-1]}
    if (application, schema, tables) in ((APPLICATION, SCHEMA, now), (0, 1, before)):
        return "ours"
    if application == APPLICATION and SCHEMA < schema <= NEWEST:
        return "newer"
    marked = application == APPLICATION or tables in (now, before)
    return "damaged" if marked or not tables else "foreign"


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
