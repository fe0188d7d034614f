"""Hold a results folder: one process at a time, and nobody once that process is dead."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import filelock
from pydantic import Field, TypeAdapter

from rnnbench.errors import StoreError
from rnnbench.files import own_file, write_atomically

LOCK, HOLDER = "run.lock", "run.holder"

_MOST = 2**12
"""Bytes of `run.holder` that are read."""


@dataclass(frozen=True)
class _Holder:
    """Who holds a folder, and since when (UTC)."""

    process: Annotated[int, Field(strict=True, gt=0, lt=2**31)]
    host: str
    since: str


_HOLDER = TypeAdapter(_Holder)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made where it is missing; `run.holder` says who does.

    Raises:
        StoreError: another process holds it, or it cannot be held.
        WriteError: there is no room to say who holds it.
    """
    lock, holder = filelock.FileLock(own_file(folder, LOCK)), own_file(folder, HOLDER)
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file, not a folder; move it or choose another --results")
    if (folder / LOCK).is_dir():
        raise StoreError(f"{folder / LOCK} is a folder, not a file; move it away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise StoreError(f"{folder} is in use by {_named(holder)}; wait or stop it") from None
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be written: {error.strerror}; choose another --results"
        ) from None
    try:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        who = _Holder(os.getpid(), socket.gethostname(), now)
        write_atomically(holder, _HOLDER.dump_json(who) + b"\n")
        yield
    finally:
        with suppress(OSError):  # it says nothing once the lock is free
            holder.unlink()
        lock.release()


def _named(holder: Path) -> str:
    """Name who holds the lock; what a process that is dead has left does not count."""
    try:
        with holder.open("rb") as file:
            who = _HOLDER.validate_json(file.read(_MOST))
    except (OSError, ValueError):
        return "another process"
    if who.host == socket.gethostname() and not _alive(who.process):
        return "another process"
    return f"process {who.process} on {who.host} since {who.since}"


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        return True
    return True
