"""Write a file so that a reader sees the old one or the new one, never half of it."""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rnnbench.errors import StoreError, WriteError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a system says where there is no room."""

_TEMPORARY = re.compile(
    r"\.[^/]+\.(csv|holder|html|json|md|parquet|png|safetensors|sqlite|svg|yaml)\.[a-z0-9_]{8}"
)


def write_atomically(path: Path, content: bytes | str) -> Path:
    """Write beside `path`, flush to the disk, rename over it; folders are made. Text is UTF-8.

    Raises:
        WriteError: the file cannot be written; nothing is left behind.
    """
    data = content.encode() if isinstance(content, str) else content
    with writing(path) as temporary, temporary.open("wb") as file:
        file.write(data)
    return path


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Give a file beside `path` to write to; flush it to the disk and rename it over `path`.

    Raises:
        WriteError: the file cannot be written; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            # mkstemp makes files that only their owner may read; a report is for sharing.
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> WriteError:
    """Say that something cannot be written, and why."""
    return WriteError(path, error.strerror or str(error), full=error.errno in FULL)


def is_temporary(name: str) -> bool:
    """Whether a file's name is one that `writing` gives: a killed process leaves such a file."""
    return _TEMPORARY.fullmatch(name) is not None


def size_of(path: Path) -> int:
    """Return how many bytes a file, or all files below a folder, hold; links are not followed.

    What vanishes meanwhile, as a run's own files do, holds none.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            return sum(size_of(below) for below in path.iterdir())
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def own_file(folder: Path, *names: str) -> Path:
    """Return the path of a file in a results folder, which may not lead out of it.

    Raises:
        StoreError: a name is none of a file, or what stands under it is a link.
    """
    path = folder
    for name in names:
        if name in ("", ".", "..") or Path(name).name != name or not name.isprintable():
            raise StoreError(f"{folder} is damaged: {name!r:.60} names no file")
        path /= name
        if path.is_symlink():
            raise StoreError(f"{path} is a link; a results folder holds files of its own")
    return path
