"""Find the data files that tasks name, fetch those that are addresses, and tell them by content.

A file is named by a path, absolute or relative to one of a few folders, or by an address with the
hash of what lies there: `https://host/file#sha256=…`. Only the process that plans fetches; what it
fetched stays in the user's cache.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pooch

from rnnbench.caches import DATA, cache_folder
from rnnbench.errors import DataError

_ADDRESS = re.compile(r"(https?://[^#]+)#sha256=([0-9a-fA-F]{64})")


@dataclass(frozen=True)
class DataFiles:
    """Where data files are looked for, in this order.

    fetching  told of an address before it is fetched; None: nothing is fetched
    """

    folders: tuple[Path, ...] = ()
    cache: Path = field(default_factory=partial(cache_folder, DATA))
    fetching: Callable[[str], None] | None = None

    def find(self, name: str) -> Path:
        """Return where the file or folder lies.

        Raises:
            DataError: it is nowhere, or what was fetched is not what its hash says.
        """
        if "://" in name:
            return self._fetched(name)
        places = [folder / name for folder in self.folders]
        for path in places:
            try:
                if path.exists():
                    return path.absolute()
            except OSError as error:
                raise DataError(f"`{name}` cannot be looked for: {error.strerror}") from None
        looked = " and ".join(str(path.parent) for path in dict.fromkeys(places)) or "no folder"
        raise DataError(
            f"no data file `{name}`: looked in {looked}; "
            "give a path, or set RNNBENCH_DATA to the folder that holds it"
        )

    def _fetched(self, name: str) -> Path:
        found = _ADDRESS.fullmatch(name)
        if found is None:
            raise DataError(
                f"`{name}` is no address that can be checked: write https://host/file#sha256=…, "
                "with the 64 digits that `sha256sum` says of the file"
            )
        address, digest = found[1], found[2].lower()
        path = self.cache / f"{digest[:16]}-{address.rpartition('/')[2]}"
        if path.is_file() and _sha256(path) == digest:
            return path
        if self.fetching is None:
            raise DataError(f"`{name}` is not in {self.cache}; run the suite on this machine first")
        self.fetching(address)
        try:
            pooch.retrieve(address, f"sha256:{digest}", fname=path.name, path=self.cache)
        except (OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno:  # of a file, not of the network
                raise DataError(
                    f"{address} cannot be kept in {self.cache}: {error.strerror}; set "
                    "XDG_CACHE_HOME to a folder that can be written, or give the file's path"
                ) from None
            said = " ".join(str(error).split())
            raise DataError(f"{address} cannot be fetched: {said}") from None
        return path


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files with their names."""
    if not path.is_dir():
        return _sha256(path)
    whole = hashlib.sha256()
    for one in _files(path):
        whole.update(f"{one.relative_to(path).as_posix()}\0{_sha256(one)}\0".encode())
    return whole.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            if not path.is_file():
                raise DataError(f"{path}: neither a file nor a folder")
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
