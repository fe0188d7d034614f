"""Keep finished members: one transaction each, in one SQLite file that the driver alone writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from rnnbench import artifacts
from rnnbench.database import connected, put, transaction
from rnnbench.errors import StoreError
from rnnbench.lock import held
from rnnbench.member import Finished, Member
from rnnbench.mending import STORE, absent_weights, examine, mend
from rnnbench.salvage import Row, Sorted, Stored, member_of, remade, row_of, sort_out

__all__ = ["Store", "Stored", "read_identities", "read_members"]


class Store:
    """The results folder of one suite, held under a lock that dies with its process.

    Use it as a context manager; `mended` then says what was damaged and set aside. Raises
    StoreError where another process holds the folder or the file is not a store of this version.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.artifacts = folder / artifacts.FOLDER
        self.mended: tuple[str, ...] = ()
        self._path = folder / STORE
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(held(self.folder))
            self.mended = mend(self.folder)
            self._database = stack.enter_context(closing(connected(self._path)))
            self._held = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._held.__exit__(kind, error, traceback)

    def read(self) -> dict[str, Stored]:
        """Return all finished members by key.

        Raises:
            StoreError: one is not as it was written.
        """
        return dict(self._sound().members)

    def commit(
        self, member: Member, finished: Finished, made_by: Mapping[str, str], weights: bytes | None
    ) -> Stored:
        """Keep one finished member, as `keep`."""
        (stored,) = self.keep([(member, finished, made_by, weights)])
        return stored

    def keep(
        self, ended: Sequence[tuple[Member, Finished, Mapping[str, str], bytes | None]]
    ) -> list[Stored]:
        """Keep finished members in one transaction, with what made them and their weights.

        Weights go to `artifacts/` by content hash first.

        Raises:
            WriteError: there is no room; what was kept before stays.
        """
        rows, kept = [], []
        for member, finished, made_by, weights in ended:
            name = finished.weights if weights is None else artifacts.keep(self.folder, weights)
            stored = Stored(replace(finished, weights=name), made_by)
            rows.append(row_of(member, stored.finished, made_by))
            kept.append(stored)
        self._write(rows)
        return kept

    def accept(self, made_by: Mapping[str, Mapping[str, str]]) -> None:
        """Record, by key, that members count as made by the code installed now.

        Raises:
            WriteError: there is no room; nothing has changed.
        """
        rows = self._sound().rows
        self._write(remade(rows[key], code) for key, code in made_by.items() if key in rows)

    def forget(self, keys: Iterable[str]) -> None:
        """Drop these members, so that they are trained again.

        Raises:
            WriteError: it cannot be written; nothing has changed.
        """
        with transaction(self._database, self._path):
            self._database.executemany(
                "DELETE FROM members WHERE key = ?", [(key,) for key in keys]
            )

    def _sound(self) -> Sorted:
        try:
            found = sort_out(self._database.execute("SELECT * FROM members"))
        except sqlite3.Error as error:
            raise StoreError(f"{self._path} cannot be read ({error}); run again") from None
        if found.damaged:
            raise StoreError(f"{self._path} was damaged since it was opened; run again")
        return found

    def _write(self, rows: Iterable[Row]) -> None:
        with transaction(self._database, self._path):
            put(self._database, rows)


def read_identities(folder: Path) -> dict[str, Member]:
    """Return what decides each stored result, by the key it is stored under.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    return {key: member_of(row) for key, row in examine(folder).sorted.rows.items()}


def read_members(folder: Path, tell: Callable[[str], None] | None = None) -> dict[str, Stored]:
    """Return all finished members of a results folder by key, without holding it.

    tell   is told of damage, a line each kind, and what is sound is returned; of weights, whether
           they are there. None: a damaged store raises

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    found = examine(folder)
    absent = absent_weights(folder, found) if tell else []
    for line in (*found.damage, *absent):
        said = f"{line}; `rnnbench run` sets this aside and trains again what is missing"
        if tell is None:
            raise StoreError(said)
        tell(said)
    return dict(found.sorted.members)
