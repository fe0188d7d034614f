"""Make a damaged results folder sound: set aside what is damaged, keep the rest.

Nothing is deleted. What is set aside lies in `set-aside/<time>/` as it was found; the members
concerned are missing afterwards, so that a run trains them again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rnnbench import artifacts, database
from rnnbench.errors import StoreError
from rnnbench.files import own_file, unwritable, write_atomically
from rnnbench.salvage import COLUMNS, SCHEMA, Sorted, sort_out

STORE, ASIDE = "store.sqlite", "set-aside"

FOLDERS = (artifacts.FOLDER, "checkpoints", "figures", ASIDE, "tracebacks")
"""The folders of a results folder."""

_WEIGHTS = "files of weights that are"

SHOWN = 3
"""So many names are shown of things that are damaged alike."""


@dataclass(frozen=True)
class Found:
    """What a store holds, and one line for each kind of damage to it.

    fault   what is wrong with the file as a whole; "" for nothing
    schema  the version that wrote it
    """

    path: Path
    sorted: Sorted
    fault: str
    schema: int

    @property
    def damage(self) -> list[str]:
        """Name what is damaged."""
        rows = self.sorted
        lines = _named("stored members that are not as they were written", map(_key, rows.damaged))
        if self.fault:
            saved = f"{len(rows.members)} members could be read"
            lines.insert(0, f"{self.path} is damaged ({self.fault}); {saved}")
        return lines


def examine(folder: Path) -> Found:
    """Read the store of a results folder, past what is damaged.

    Raises:
        StoreError: there is none, it is another program's, a newer rnnbench's, or cannot be opened.
    """
    path = own_file(folder, STORE)
    if not path.is_file():
        raise StoreError(f"{folder} has no {STORE}")
    contents = database.read(path)
    return Found(path, sort_out(contents.rows), contents.fault, contents.schema)


def absent_weights(folder: Path, found: Found) -> list[str]:
    """Name the weights of stored members that are not there; their content is not read."""
    place = folder / artifacts.FOLDER
    there = {path.name for path in place.iterdir()} if place.is_dir() else set()
    names = {key: one.finished.weights for key, one in found.sorted.members.items()}
    absent = (f"{name} (member {key})" for key, name in names.items() if name and name not in there)
    return _named(f"{_WEIGHTS} missing", absent)


def mend(folder: Path) -> tuple[str, ...]:
    """Leave a sound store of this version in a folder that this process holds.

    Return what was damaged and what became of it, a line each kind; nothing where all is sound.

    Raises:
        StoreError: the store is another program's, a newer rnnbench's, or cannot be opened.
        WriteError: something cannot be written.
    """
    path = own_file(folder, STORE)
    if path.is_dir():
        raise StoreError(f"{path} is a folder, not a file; move it away")
    for place in (own_file(folder, name) for name in FOLDERS):
        if place.is_file():
            raise StoreError(f"{place} is a file, not a folder; move it away")
    if not path.exists():
        database.write(path, ())
        return ()
    found = examine(folder)
    rows, faults = found.sorted.rows, _faults(folder, found.sorted)
    kept = [row for key, row in rows.items() if key not in faults]
    lost = [rows[key] for key in faults]
    lines = [*found.damage]
    for fault in ("missing", "damaged"):
        names = (f"{name} (member {key})" for key, (name, what) in faults.items() if what == fault)
        lines += _named(f"{_WEIGHTS} {fault}", names)
    if lines:
        aside = _set_aside(folder, found, [*found.sorted.damaged, *lost])
        lines.append(f"set aside in {aside}; the members concerned are trained again")
    if lines or found.schema != SCHEMA:
        database.replace(path, kept, damaged=bool(found.fault))
    # now that no row names them: a process that is killed before leaves all to be found again
    for name in {name for name, fault in faults.values() if fault == "damaged"}:
        _move(folder / artifacts.FOLDER / name, aside / name)
    return tuple(lines)


def _faults(folder: Path, rows: Sorted) -> dict[str, tuple[str, str]]:
    """Return the file and its fault of each member whose weights are not what they were."""
    names = {
        key: stored.finished.weights
        for key, stored in rows.members.items()
        if stored.finished.weights is not None
    }
    faults = {name: artifacts.fault(folder, name) for name in set(names.values())}
    return {key: (name, faults[name]) for key, name in names.items() if faults[name]}


def _set_aside(folder: Path, found: Found, rows: Sequence[tuple[object, ...]]) -> Path:
    """Keep what is damaged in a new folder: a store as a copy, rows as JSON lines."""
    aside = folder / ASIDE / datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
    try:
        aside.mkdir(parents=True)
        if found.fault:
            for each in database.with_sides(found.path):
                shutil.copy2(each, aside)
        if rows:
            write_atomically(aside / "rows.jsonl", "".join(map(_line, rows)))
    except OSError as error:
        raise unwritable(aside, error) from None
    return aside


def _move(path: Path, to: Path) -> None:
    try:
        path.rename(to)
    except OSError as error:
        raise unwritable(to, error) from None


def _line(row: tuple[object, ...]) -> str:
    texts = [
        part.decode(errors="backslashreplace") if isinstance(part, bytes) else part for part in row
    ]
    return json.dumps(dict(zip(COLUMNS, texts, strict=False))) + "\n"


def _key(row: tuple[object, ...]) -> str:
    """Return a damaged row's key as far as it can be shown."""
    key = row[0].decode(errors="replace") if isinstance(row[0], bytes) else str(row[0])
    return key[:40] if key.isprintable() else ascii(key[:40])


def _named(what: str, names: Iterable[str]) -> list[str]:
    """Say how many of something there are, and name the first few."""
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return [f"{what} ({len(every)}): {', '.join(every[:SHOWN])}{more}"] if every else []
