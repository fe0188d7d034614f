"""A suite's results folder: what the driver writes beside the store, and how it is read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from rnnbench.campaign import Campaign
from rnnbench.errors import InputError, StoreError
from rnnbench.files import write_atomically
from rnnbench.results import Results
from rnnbench.store import read_members
from rnnbench.study import Study
from rnnbench.tables import tabulate

T = TypeVar("T")

MANIFEST, STUDIES = "manifest.json", "studies.json"

_MANIFEST = TypeAdapter(dict[str, Any])
_STUDIES = TypeAdapter(tuple[Study, ...])


def write_studies(folder: Path, studies: Sequence[Study]) -> None:
    """Write the studies, so that tables can be rebuilt without plugins or torch."""
    write_atomically(folder / STUDIES, _STUDIES.dump_json(tuple(studies), indent=1))


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write what was run, on what and by which code."""
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def budget_before(folder: Path) -> str:
    """Return the budget that the folder's tables hold; "" where it holds none that can be read."""
    try:
        return str(_parsed(folder, MANIFEST, _MANIFEST.validate_json)["budget"]["name"])
    except (InputError, StoreError, LookupError):
        return ""


def read_results(folder: Path, tell: Callable[[str], None] | None = None) -> Results:
    """Rebuild the tables of a results folder from its store.

    tell   is told what of the store is damaged, and the rest is shown; None: damage raises

    Raises:
        InputError: the folder holds no results.
        StoreError: a file in it is damaged.
    """
    manifest = _parsed(folder, MANIFEST, _MANIFEST.validate_json)
    studies, stored = read_studies(folder), read_members(folder, tell)
    # a run that was killed had no time to count
    facts = Campaign(studies, stored).count.facts
    return tabulate(manifest | facts, studies, stored)


def read_studies(folder: Path) -> tuple[Study, ...]:
    """Return the studies of the suite and budget that were run last.

    Raises:
        InputError: the folder holds no results.
        StoreError: the file is damaged.
    """
    return _parsed(folder, STUDIES, _STUDIES.validate_json)


def _parsed(folder: Path, name: str, parse: Callable[[bytes], T]) -> T:
    path = folder / name
    if not path.is_file():
        raise InputError(f"{folder} holds no results: {name} is missing")
    try:
        return parse(path.read_bytes())
    except ValueError as error:
        raise StoreError(
            f"{path} is damaged: {' '.join(str(error).split())}; `rnnbench run` writes it anew"
        ) from None
