"""Architectures, settings and budgets of a suite as records, checked against each other."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rnnbench.errors import SuiteError, UnknownNameError
from rnnbench.hyperparameters import AttentionKind, Conditioning, Fusion, Without, foreign
from rnnbench.options import Choice, Space, Value
from rnnbench.suite.schema import BudgetSection, Match, Setting, SuiteFile
from rnnbench.suite.source import Place, Source, printable
from rnnbench.suite.spaces import optimizers

MOST_SETTINGS = 1000
"""How many settings one entry of a suite may stand for."""


@dataclass(frozen=True)
class ArchitectureEntry:
    """A cell or layer, by `kind` and name, and how it is stacked.

    `own` is what its search adds: True for all that the cell or layer offers.
    """

    label: str
    kind: Literal["cell", "layer"]
    cell: str
    layers: int
    bidirectional: bool
    attention: AttentionKind
    conditioning: Conditioning
    fusion: Fusion
    without: Without
    dropout: float
    options: Mapping[str, Value]
    own: Mapping[str, Space] | bool
    at: Place


@dataclass(frozen=True)
class SettingEntry:
    """A task with its options fixed; `name` is unique within a budget."""

    name: str
    task: str
    options: Mapping[str, Value]
    at: Place


@dataclass(frozen=True)
class Budget:
    """How much is spent, and on which architectures and settings."""

    name: str
    updates: int | Mapping[str, int]
    trials: int
    confirm: int
    seeds: int
    architectures: tuple[ArchitectureEntry, ...]
    settings: tuple[SettingEntry, ...]
    match: Match
    at: Place
    time_limit: float | None = None

    def updates_of(self, task: str) -> int:
        """Return the training length for a task, in updates."""
        return self.updates if isinstance(self.updates, int) else self.updates[task]


def read_architectures(source: Source, file: SuiteFile) -> dict[str, ArchitectureEntry]:
    """Return the architectures by label; no space is one that its sampler cannot search."""
    entries = {}
    for name, space in file.search.space.items():
        _check_grid(source, file, ("search", "space", name), space)
        if message := foreign(name, optimizers(file.training.optimizer, file.search.space)):
            raise source.error(("search", "space", name), message)
    for label, given in file.architectures.items():
        at = ("architectures", label)
        options = dict(given.model_extra or {})
        if isinstance(given.search, dict):
            for name, space in given.search.items():
                _check_grid(source, file, (*at, "search", name), space)
        entries[label] = ArchitectureEntry(
            label=label,
            kind="layer" if given.layer else "cell",
            cell=given.layer or given.cell or "",
            layers=given.layers,
            bidirectional=given.bidirectional,
            attention=given.attention,
            conditioning=given.conditioning,
            fusion=given.fusion,
            without=given.without,
            dropout=given.dropout,
            options=options,
            own=given.search,
            at=at,
        )
    return entries


def _check_grid(source: Source, file: SuiteFile, place: Place, space: Space) -> None:
    if file.search.sampler == "grid" and not isinstance(space, Choice):
        message = f"a grid has no points on the continuous `{place[-1]}`; list them in a `choice`"
        raise source.error(place, message)


def read_settings(source: Source, given: Sequence[Setting], at: Place) -> tuple[SettingEntry, ...]:
    """Return one entry for each combination of the listed options."""
    entries: dict[str, SettingEntry] = {}
    for number, setting in enumerate(given):
        place = (*at, number)
        lists: dict[str, tuple[Value, ...]] = setting.model_extra or {}
        count = math.prod(map(len, lists.values()))
        if count > MOST_SETTINGS:
            message = f"this makes {count:,} settings; {MOST_SETTINGS:,} at most"
            raise source.error(place, message, value=True)
        for values in itertools.product(*lists.values()):
            options = dict(zip(lists, values, strict=True))
            name = setting_name(setting.task, options)
            if name in entries and entries[name].options != options:
                name = setting_name(setting.task, options, short=False)
            if name in entries:
                raise source.error(place, f"the setting `{name}` is there twice", value=True)
            entries[name] = SettingEntry(name, setting.task, options, place)
    return tuple(entries.values())


def setting_name(task: str, options: Mapping[str, Value], *, short: bool = True) -> str:
    """Return `task(option=value, …)`, the same for the same options in any order.

    short  say of a path or an address only the file that it leads to
    """
    if not options:
        return task
    told = {name: _file(value) if short else value for name, value in options.items()}
    return f"{task}({', '.join(f'{name}={_plain(told[name])}' for name in sorted(told))})"


def _file(value: Value) -> Value:
    """Return the last part of a path or an address; any other value as it is."""
    if not isinstance(value, str):
        return value
    path = value.partition("#")[0] if "://" in value else value
    return path.rstrip("/").rpartition("/")[2] or value


def _plain(value: Value) -> str:
    """Return a value as in a name; a text that could be taken for more than a word in quotes."""
    if isinstance(value, str) and re.fullmatch(r"[\w./+-]+", value):
        return value
    return json.dumps(value, ensure_ascii=False)


def read_budget(
    source: Source,
    name: str,
    section: BudgetSection,
    match: Match,
    architectures: Mapping[str, ArchitectureEntry],
    settings: tuple[SettingEntry, ...],
) -> Budget:
    """Return a budget with the architectures and settings that it keeps."""
    at: Place = ("budget", name)
    if section.settings is not None:
        settings = read_settings(source, section.settings, (*at, "settings"))
    labels = list(architectures)
    if section.only.architectures is not None:
        labels = section.only.architectures
        for index, label in enumerate(labels):
            place = (*at, "only", "architectures", index)
            if label not in architectures:
                raise unknown(source, place, "architecture", label, architectures)
    if section.only.settings is not None:
        names = section.only.settings
        known = dict.fromkeys(word for entry in settings for word in (entry.task, entry.name))
        for index, word in enumerate(names):
            if word not in known:
                place = (*at, "only", "settings", index)
                raise unknown(source, place, "task or setting", word, known)
        settings = tuple(e for e in settings if e.task in names or e.name in names)
    tasks = dict.fromkeys(entry.task for entry in settings)
    if isinstance(section.updates, dict):
        for task in section.updates:
            if task not in {entry.task for entry in settings} | _tasks(source, at):
                message = str(UnknownNameError("task", printable(task), tasks))
                raise source.error((*at, "updates", task), message)
        for task in tasks:
            if task not in section.updates:
                message = f"`updates` of budget `{name}` lacks the task `{task}`"
                raise source.error((*at, "updates"), message)
    return Budget(
        name=name,
        updates=section.updates,
        trials=section.trials,
        confirm=section.confirm,
        seeds=section.seeds,
        architectures=tuple(entry for label, entry in architectures.items() if label in labels),
        settings=settings,
        match=section.match or match,
        at=at,
        time_limit=section.time_limit,
    )


def _tasks(source: Source, budget: Place) -> set[str]:
    """Return the tasks that a budget could have, had it no `only`."""
    tree = source.tree
    given = tree["budget"][budget[1]].get("settings") or tree["settings"]
    return {setting["task"] for setting in given}


def unknown(source: Source, place: Place, kind: str, name: str, known: Iterable[str]) -> SuiteError:
    """Return an error at a value that names something that does not exist."""
    message = str(UnknownNameError(kind, printable(name), known))
    return source.error(place, message, value=True)
