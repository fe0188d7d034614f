"""The names of a suite to installed cells, tasks and metrics, with all that is wrong located."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import TypeVar

from torch import Generator

from rnnbench.assessing import Assessed
from rnnbench.contracts import (
    SPOKEN,
    AttentionMetric,
    Batch,
    Cell,
    Layer,
    OfPredictions,
    OutcomeMetric,
    Sequences,
    Task,
)
from rnnbench.datafiles import DataFiles
from rnnbench.errors import InputError, PluginError, SuiteError, UnknownNameError
from rnnbench.hyperparameters import STACK
from rnnbench.member import Setting
from rnnbench.nn.applying import places
from rnnbench.options import Choice, Option, Space, Value, bounds, resolve
from rnnbench.registry import Component, Registry, asked
from rnnbench.suite import ArchitectureEntry, SettingEntry, Suite
from rnnbench.suite.source import Place
from rnnbench.tasks import contents, made

OUTCOMES = ("solved", "updates_to_solve")
"""Metrics of outcomes that every run is scored by, beside its task's own."""

STACKING = ("cell", "layer", *STACK, "without", "dropout", "search")
"""The keys of an architecture that are not options of its cell or layer."""

T = TypeVar("T")


@dataclass(frozen=True)
class ResolvedUnit:
    """An architecture of the suite with its cell or layer found and its options checked.

    A `companion` is a baseline that stands beside questions about pictures, listed or not.
    """

    entry: ArchitectureEntry
    component: Component
    unit: Cell | Layer
    own: Mapping[str, Space]
    companion: bool = False


@dataclass(frozen=True)
class ResolvedTask:
    """A setting of the suite with its task found, its metrics named, and a batch it gave.

    `setting` has data files as the suite names them, `task` as they lie on this machine.
    """

    entry: SettingEntry
    setting: Setting
    component: Component
    task: Task
    metrics: tuple[Component, ...]
    batch: Batch


def resolve_unit(suite: Suite, entry: ArchitectureEntry, registry: Registry) -> ResolvedUnit:
    """Find an architecture's cell or layer and check its options.

    Raises:
        SuiteError: an unknown cell, layer or key, or a value that does not fit.
        PluginError: the cell or layer raises.
    """
    kind = entry.kind
    component = located(suite, (*entry.at, kind), lambda: registry.unit(kind, entry.cell))
    owner = f"an architecture with {kind} `{entry.cell}`"
    _check_options(suite, entry.at, owner, component.cls.options, entry.options, STACKING)
    unit: Cell | Layer = asked(component, lambda: component.cls(**entry.options))
    return ResolvedUnit(entry, component, unit, _own_space(suite, entry, unit))


def resolve_task(
    suite: Suite, entry: SettingEntry, registry: Registry, files: DataFiles
) -> ResolvedTask:
    """Find a setting's task and its metrics, read its data, and try it on one batch.

    Raises:
        SuiteError: an unknown task, key or metric, data, a pattern or a batch that cannot be had.
        PluginError: the task raises.
    """
    component = located(suite, (*entry.at, "task"), lambda: registry.task(entry.task))
    owner = f"a setting of task `{entry.task}`"
    _check_options(suite, entry.at, owner, component.cls.options, entry.options, ("task",))
    options = resolve(owner, component.cls.options, entry.options)
    setting, task = _with_data(suite, entry, component, options, files)
    names = dict.fromkeys((*task.metrics, *OUTCOMES))
    metrics = [
        located(suite, (*entry.at, "task"), partial(registry.metric, name)) for name in names
    ]
    batch = located(suite, ("training", "batch"), lambda: _batch(suite, component, task))
    for index, name in enumerate(suite.metrics):
        found = located(suite, ("metrics", index), partial(registry.metric, name))
        if found not in metrics and not _misfit(found, component, task, batch):
            metrics.append(found)
    return ResolvedTask(entry, setting, component, task, tuple(metrics), batch)


def _with_data(
    suite: Suite,
    entry: SettingEntry,
    component: Component,
    options: Mapping[str, Value],
    files: DataFiles,
) -> tuple[Setting, Task]:
    """Make the task and let it read its data, so that what is wrong with a file is known now."""
    cls = component.cls
    named = [name for name, option in cls.options.items() if option.file and name in entry.options]

    def read() -> tuple[Setting, Task]:
        setting = Setting(entry.task, component.version, options, contents(cls, options, files))
        task = asked(component, lambda: made(cls, options, files))
        asked(component, lambda: (task.inputs, task.targets, task.anchors, task.notes, task.leaks))
        _check_pattern(task)
        return setting, task

    try:
        return read()
    except InputError as error:
        at = (*entry.at, _blamed(str(error), entry, named))
        raise suite.error(at, str(error), value=True) from None


def _blamed(message: str, entry: SettingEntry, named: Sequence[str]) -> str:
    """Return the option that an error is about: of the file that it names first, else any file."""
    places = {name: message.find(PurePath(str(entry.options[name])).name) for name in named}
    there = [name for name, place in places.items() if place >= 0]
    return min(there, key=places.__getitem__, default=next(iter(named), "task"))


def _check_pattern(task: Task) -> None:
    """Refuse a task whose pattern and targets contradict each other."""
    if (task.pattern in SPOKEN) != isinstance(task.targets, Sequences):
        targets = type(task.targets).__name__
        raise InputError(f"task `{task.name}` is {task.pattern}, and its targets are {targets}")


def _check_batch(task: Task, batch: Batch) -> None:
    """Refuse a batch that lacks what its task says it has."""
    if (task.image is None) != (batch.images is None):
        has, have = ("no", "have one") if task.image is None else ("an", "have none")
        name = task.name
        raise InputError(f"task `{name}` has {has} `image`, and its batches {have} in `images`")
    if task.pattern == "one-to-many" and len(batch.inputs) != 1:
        raise InputError(
            f"task `{task.name}` is one-to-many, and its batches have {len(batch.inputs)} steps of "
            "input, not 1"
        )


def _batch(suite: Suite, component: Component, task: Task) -> Batch:
    """Draw a training batch, to see before any training that the task gives one of this size."""
    generator = Generator().manual_seed(0)
    size = suite.training.batch
    try:
        batch = asked(component, lambda: task.batch(size, generator))
    except PluginError as error:
        raise InputError(f"no batch of {size}: {error}") from None
    _check_batch(task, batch)
    return batch


def _misfit(metric: Component, component: Component, task: Task, batch: Batch) -> str:
    """Say why a metric cannot score a task: tried on the trivial predictor; "" where it can."""
    if issubclass(metric.cls, OutcomeMetric):
        return ""
    if issubclass(metric.cls, AttentionMetric):
        seen = places(task) and task.pattern == "one-to-many"
        return "" if seen else f"{task.name} shows no picture whose places could be looked at"
    predictions = asked(component, lambda: task.trivial(batch))
    try:
        Assessed(batch, task, math.nan, predictions).measure(metric.cls())
    except Exception as error:  # noqa: BLE001  a metric may raise anything where it does not fit
        return str(error)
    return ""


def check_metrics(suite: Suite, tasks: Sequence[ResolvedTask], registry: Registry) -> None:
    """Refuse a metric of the suite that fits none of its tasks."""
    for index, name in enumerate(suite.metrics):
        metric = registry.metric(name)
        reasons = [_misfit(metric, task.component, task.task, task.batch) for task in tasks]
        if all(reasons):
            message = f"metric `{name}` fits no task of this suite: {reasons[0]}"
            raise suite.error(("metrics", index), message, value=True)


def _check_options(
    suite: Suite,
    at: Place,
    owner: str,
    known: Mapping[str, Option],
    chosen: Mapping[str, object],
    other_keys: Iterable[str],
) -> None:
    for name, value in chosen.items():
        if name not in known:
            raise _unknown(suite, (*at, name), f"key of {owner}", name, (*known, *other_keys))
        located(suite, (*at, name), partial(known[name].check, name, value))


def _unknown(suite: Suite, at: Place, kind: str, name: str, known: Iterable[str]) -> SuiteError:
    return suite.error(at, str(UnknownNameError(kind, name, known)))


def _own_space(suite: Suite, entry: ArchitectureEntry, unit: Cell | Layer) -> dict[str, Space]:
    """Return the dimensions an architecture adds: all that are declared, or those named."""
    numeric = {name: option for name, option in unit.options.items() if option.numeric}
    searched = entry.own if isinstance(entry.own, Mapping) else numeric if entry.own else {}
    for name in searched:
        if name in suite.search.space:
            raise suite.error(
                (*entry.at, "search"),
                f"`{name}` is a dimension of the whole search and an option of `{entry.cell}` too; "
                "it can be searched as one of the two",
            )
    if isinstance(entry.own, bool):
        declared = {name: option.search for name, option in numeric.items()} if entry.own else {}
        offered = {name: space for name, space in declared.items() if space is not None}
        if suite.search.sampler == "grid" and offered:
            message = f"a grid has no points on the continuous `{next(iter(offered))}`"
            raise suite.error((*entry.at, "search"), f"{message}; list them in a `choice`")
        return offered
    owner = f"{entry.kind} `{entry.cell}`"
    for name in entry.own:
        at = (*entry.at, "search", name)
        if name not in unit.options:
            raise _unknown(suite, at, f"option of {owner}", name, unit.options)
        space = entry.own[name]
        if name not in numeric and not isinstance(space, Choice):
            message = f"option `{name}` of {owner} shapes its equations: list values in a `choice`"
            raise suite.error(at, message)
        for value in bounds(space):
            located(suite, at, partial(unit.options[name].check, name, value))
    return dict(entry.own)


def first_metric(suite: Suite, task: ResolvedTask) -> type[OfPredictions]:
    """Return the metric that is a task's score; it must score predictions."""
    first = task.metrics[0].cls
    if not issubclass(first, OfPredictions):
        raise suite.error(
            (*task.entry.at, "task"),
            f"task `{task.entry.task}` is scored by `{first.name}`, which scores no predictions",
            value=True,
        )
    return first


def located(suite: Suite, path: Place, find: Callable[[], T]) -> T:
    """Call `find`; bad input that it reports becomes an error at a place in the suite."""
    try:
        return find()
    except InputError as error:
        raise suite.error(path, str(error), value=True) from None
