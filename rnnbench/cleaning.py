"""Find what a results folder or a cache could do without, each thing by name, and remove it."""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from rnnbench import artifacts, database
from rnnbench.campaign import Campaign
from rnnbench.errors import InputError, StoreError
from rnnbench.files import is_temporary, size_of, unwritable
from rnnbench.folder import read_studies
from rnnbench.mending import ASIDE, Found, examine

Kind = Literal["temporary", "artifacts", "checkpoints", "set-aside", "rows", "kernels"]
"""Leftover files of killed writers; weights that no stored member names; checkpoints that nobody
goes on from; what was set aside as damaged; stored members that the suite and budget run last do
not ask for, with weights that they alone name; compiled kernels that were not used for long."""

KINDS: tuple[Kind, ...] = get_args(Kind)

CHECKPOINTS = "checkpoints"

_KEY = re.compile(r"[0-9a-f]{20}")

OLD = 30 * 24 * 3600
"""Seconds without use after which a kernel is old."""


@dataclass(frozen=True)
class Spare:
    """One thing that could be removed: a file or folder, or the row of a member.

    size  in bytes
    """

    kind: Kind
    path: Path
    size: int
    key: str = ""


@dataclass(frozen=True)
class Spares:
    """What could be removed from a folder, and why some of it cannot be told."""

    found: tuple[Spare, ...]
    notes: tuple[str, ...] = ()


def spares(folder: Path) -> Spares:
    """Find what a results folder could do without; files that rnnbench did not write are left.

    Raises:
        StoreError: the store is another program's, a newer rnnbench's, or cannot be opened.
    """
    found = examine(folder)
    always = [*_temporary(folder), *_aside(folder)]
    notes = [f"{path} is a link: what lies behind it stays" for path in _links(folder)]
    if found.damage:
        notes.append("the store is damaged: run the suite first, to know what it still needs")
        return Spares(tuple(always), tuple(notes))
    members = found.sorted.members
    unasked, note = _unasked(folder, found)
    notes += [note] if note else []
    needed = {one.finished.weights for key, one in members.items() if key not in unasked}
    theirs = {members[key].finished.weights for key in unasked} - needed
    for path in _files(_inside(folder, artifacts.FOLDER)):
        if artifacts.is_artifact(path.name) and path.name not in needed:
            kind: Kind = "rows" if path.name in theirs else "artifacts"
            always.append(Spare(kind, path, size_of(path)))
    always += [
        Spare("checkpoints", path, size_of(path))
        for path in _files(_inside(folder, CHECKPOINTS))
        if path.suffix == ".safetensors"
        and (path.stem in members or (not note and _KEY.fullmatch(path.stem)))
    ]
    rows = found.sorted.rows
    always += [Spare("rows", found.path, sum(map(len, rows[key])), key) for key in sorted(unasked)]
    return Spares(tuple(always), tuple(notes))


def old_kernels(cache: Path, now: float | None = None) -> tuple[Spare, ...]:
    """Find compiled kernels that were not used for long."""
    limit = (time.time() if now is None else now) - OLD
    return tuple(
        Spare("kernels", path, size_of(path))
        for path in _files(_below(cache))
        if path.suffix == ".so" and _used(path) < limit
    )


def remove(spares: Sequence[Spare]) -> None:
    """Remove what was found, under the lock of its folder; a store shrinks by its rows.

    Raises:
        WriteError: something cannot be removed.
    """
    # rows first: weights without a row are spare, a row without its weights is damaged
    for path in dict.fromkeys(spare.path for spare in spares if spare.key):
        keys = [(spare.key,) for spare in spares if spare.key and spare.path == path]
        with closing(database.connected(path)) as store:
            with database.transaction(store, path):
                store.executemany("DELETE FROM members WHERE key = ?", keys)
            database.shrink(store, path)
    for path in (spare.path for spare in spares if not spare.key):
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(path, error) from None


def _unasked(folder: Path, found: Found) -> tuple[set[str], str]:
    """Return the members that are not asked for, or why that is not known."""
    try:
        campaign = Campaign(read_studies(folder), found.sorted.members)
    except (InputError, StoreError) as error:
        return set(), f"which members are asked for is not known: {error}"
    if any(campaign.count.left.values()):
        return set(), "which members are asked for is known once the suite has been run to its end"
    return found.sorted.members.keys() - {ask.member.key for ask in campaign.asks}, ""


def _temporary(folder: Path) -> Iterator[Spare]:
    inner = [path for path in _below(folder) if path.is_dir() and path.name != ASIDE]
    for place in (_below(folder), *(_inside(folder, path.name) for path in inner)):
        for path in _files(place):
            if is_temporary(path.name):
                yield Spare("temporary", path, size_of(path))


def _aside(folder: Path) -> Iterator[Spare]:
    for path in _inside(folder, ASIDE):
        if path.is_dir() and not path.is_symlink():
            yield Spare("set-aside", path, size_of(path))


def _links(folder: Path) -> list[Path]:
    """Return the folders of rnnbench's that lie elsewhere."""
    places = (folder / name for name in (artifacts.FOLDER, CHECKPOINTS, ASIDE))
    return [place for place in places if place.is_symlink()]


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    return (path for path in paths if path.is_file() and not path.is_symlink())


def _inside(folder: Path, name: str) -> list[Path]:
    """Return what lies in a folder of a results folder; nothing where it is a link to elsewhere."""
    return [] if (folder / name).is_symlink() else _below(folder / name)


def _below(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _used(path: Path) -> float:
    """Return when a file was last written to, in seconds; one that vanished is new."""
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:
        return math.inf
