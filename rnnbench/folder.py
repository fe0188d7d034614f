"""A suite's results folder: what the driver writes beside the store, and how it is read back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from rnnbench.errors import InputError, StoreError
from rnnbench.files import write_atomically
from rnnbench.results import Results
from rnnbench.store import read_members
from rnnbench.study import Study
from rnnbench.tables import tabulate

MANIFEST, STUDIES = "manifest.json", "studies.json"

_STUDIES = TypeAdapter(tuple[Study, ...])


def write_studies(folder: Path, studies: Sequence[Study]) -> None:
    """Write the studies, so that tables can be rebuilt without plugins or torch."""
    write_atomically(folder / STUDIES, _STUDIES.dump_json(tuple(studies), indent=1))


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write what was run, on what and by which code."""
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def read_results(folder: Path) -> Results:
    """Rebuild the tables of a results folder from its store.

    Raises:
        InputError: the folder holds no results.
        StoreError: a file in it is damaged.
    """
    for name in (MANIFEST, STUDIES):
        if not (folder / name).is_file():
            raise InputError(f"{folder} holds no results: {name} is missing")
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        studies = _STUDIES.validate_json((folder / STUDIES).read_bytes())
    except (ValueError, ValidationError) as error:
        raise StoreError(f"{folder} is damaged: {error}") from None
    return tabulate(manifest, studies, read_members(folder))
