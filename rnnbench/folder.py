"""A suite's results folder: what the driver writes beside the store, and how it is read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from math import prod
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from rnnbench.campaign import Campaign
from rnnbench.errors import InputError, StoreError
from rnnbench.files import own_file, write_atomically
from rnnbench.manifest_shape import MANIFEST as MANIFEST_SHAPE
from rnnbench.options import Choice
from rnnbench.results import Results
from rnnbench.store import read_members
from rnnbench.study import Study
from rnnbench.tables import tabulate

T = TypeVar("T")

MANIFEST, STUDIES, SUITE = "manifest.json", "studies.json", "suite.resolved.json"

LARGEST = 2**28
"""Bytes that a file of a results folder may have, but for the store and weights."""

MOST_MEMBERS = 1_000_000
"""Trials and runs that studies may ask for."""

_SUITE = TypeAdapter(dict[str, Any])
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
        return str(_parsed(folder, MANIFEST, _SUITE.validate_json)["budget"]["name"])
    except (InputError, StoreError, LookupError, TypeError):
        return ""


def read_results(folder: Path, tell: Callable[[str], None] | None = None) -> Results:
    """Rebuild the tables of a results folder from its store.

    tell   is told what of the store is damaged, and the rest is shown; None: damage raises

    Raises:
        InputError: the folder holds no results.
        StoreError: a file in it is damaged.
    """
    manifest, studies = read_manifest(folder), read_studies(folder)
    stored = read_members(folder, tell)
    for kind, names in (
        ("architectures", {study.architecture for study in studies}),
        ("settings", {study.setting for study in studies}),
    ):
        if not names <= manifest[kind].keys():
            raise StoreError(f"{folder} is damaged: {STUDIES} has {kind} that {MANIFEST} lacks")
    with replaying(folder):
        # a run that was killed had no time to count; what a finished one lacks was lost since
        facts = Campaign(studies, stored).count.facts
        interrupted = bool(manifest["interrupted"] and facts["interrupted"])
        return tabulate(manifest | facts | {"interrupted": interrupted}, studies, stored)


@contextmanager
def replaying(folder: Path) -> Iterator[None]:
    """Say of a folder whose studies and members do not fit that it is damaged.

    Raises:
        StoreError: what is done within fails at what the folder holds.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
        text = f"{folder} is damaged: its files contradict one another ({why})"
        raise StoreError(text) from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what was run, on what and by which code.

    Raises:
        InputError: the folder holds no results.
        StoreError: the file is damaged.
    """
    manifest: dict[str, Any] = {**_parsed(folder, MANIFEST, MANIFEST_SHAPE.validate_json)}
    architectures, settings = manifest["architectures"], manifest["settings"]
    known = {
        "reference": ({manifest["reference"]}, architectures),
        "primary_contrasts": (set(chain(*manifest["primary_contrasts"])), architectures),
        "sizes": (manifest["sizes"], architectures),
        "search.own": (manifest["search"]["own"], architectures),
        "search.trials": (manifest["search"]["trials"], architectures),
        "sizes of settings": (set(chain(*manifest["sizes"].values())), settings),
    }
    for name, (names, among) in known.items():
        if not set(names) <= among.keys():
            raise StoreError(f"{folder / MANIFEST} is damaged: {name} names what it does not have")
    return manifest


def read_suite_facts(folder: Path) -> dict[str, Any]:
    """Return the suite that was run, with every default filled in.

    Raises:
        InputError: the folder holds no results.
        StoreError: the file is damaged.
    """
    return _parsed(folder, SUITE, _SUITE.validate_json)


def read_studies(folder: Path) -> tuple[Study, ...]:
    """Return the studies of the suite and budget that were run last.

    Raises:
        InputError: the folder holds no results.
        StoreError: the file is damaged.
    """
    studies = _parsed(folder, STUDIES, _STUDIES.validate_json)
    asked = sum(_members(study) for study in studies)
    if asked > MOST_MEMBERS:
        raise StoreError(f"{folder / STUDIES} is damaged: it asks for {asked:,} trials and runs")
    return studies


def _members(study: Study) -> int:
    budget, space = study.budget, {**study.search.shared, **study.search.own}.values()
    points = prod(len(each.values) for each in space if isinstance(each, Choice))
    generation = study.search.generation
    return (
        budget.trials
        + budget.confirm * budget.confirm_seeds
        + budget.seeds
        + (points if study.search.sampler == "grid" else 0)
        + (generation if generation > 0 else MOST_MEMBERS + 1)
    )


def read_artifact(folder: Path, name: str) -> bytes | None:
    """Return the weights of this name, None where they are lost.

    Raises:
        StoreError: the name is none of a file, or the content is not what the name says.
    """
    path = own_file(folder, "artifacts", name)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if f"{digest[:20]}.safetensors" != name:
            raise StoreError(
                f"{path} is damaged: its content has another hash than its name; "
                "`rnnbench run` trains it again"
            )
        file.seek(0)
        return file.read()


def _parsed(folder: Path, name: str, parse: Callable[[bytes], T]) -> T:
    path = own_file(folder, name)
    if not path.is_file():
        raise InputError(f"{folder} holds no results: {name} is missing")
    if (size := path.stat().st_size) > LARGEST:
        raise StoreError(f"{path} is damaged: it has {size:,} bytes")
    try:
        return parse(path.read_bytes())
    except ValueError as error:
        raise StoreError(
            f"{path} is damaged: {_in_short(error)}; `rnnbench run` writes it anew"
        ) from None


def _in_short(error: ValueError) -> str:
    """Say on one line what is wrong with a file; of many things the first."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        text = f"{place}: {first['msg']}" if place else first["msg"]
    else:
        text = str(error)
    return " ".join(text.split())[:300]
