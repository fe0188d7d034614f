"""A suite and the installed plugins to studies: names resolved, sizes matched, backends chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

from torch import Generator

from rnnbench.contracts import Batch, Cell, Metric, Task
from rnnbench.errors import InputError, PluginError, SuiteError, UnknownNameError
from rnnbench.matching import match
from rnnbench.member import Architecture, Member, Recipe, Seed, Setting
from rnnbench.nn.loss import valid_mask
from rnnbench.nn.readout import require
from rnnbench.nn.sizes import sizes
from rnnbench.options import Between, Choice, LogBetween, Option, Space
from rnnbench.recurrence import choose
from rnnbench.registry import Component, Registry, asked
from rnnbench.statistics import ALPHA, seeds_needed, smallest_p
from rnnbench.study import Budget, SearchSpace, Study
from rnnbench.suite import ArchitectureEntry, SettingEntry, Suite
from rnnbench.suite.source import Place

OUTCOMES = ("solved", "updates_to_solve")
"""Metrics of outcomes that every run is scored by, beside its task's own."""

LEARNING = ("tpe", "gp")
"""The samplers that learn from results."""

STACKING = ("cell", "layers", "bidirectional", "dropout", "search")
"""The keys of an architecture that are not options of its cell."""

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """What a suite comes to on this installation.

    `architectures` and `settings` hold, by label, the facts that a report needs of a cell and a
    task: plain values, so that reports need neither plugins nor torch.
    """

    suite: Suite
    studies: tuple[Study, ...]
    architectures: Mapping[str, dict[str, Any]]
    settings: Mapping[str, dict[str, Any]]
    warnings: tuple[str, ...]

    @property
    def reference(self) -> str:
        """The suite's reference, or the first architecture where `--only` left that one out."""
        reference = self.suite.reference
        return reference if reference in self.architectures else next(iter(self.architectures))

    @property
    def contrasts(self) -> tuple[tuple[str, str], ...]:
        """The suite's contrasts between architectures that are there; else with the reference."""
        there = self.architectures
        kept = tuple(pair for pair in self.suite.contrasts if set(pair) <= set(there))
        others = tuple((label, self.reference) for label in there if label != self.reference)
        return kept or others


@dataclass(frozen=True)
class _Cell:
    """An architecture of the suite with its cell found and its options checked."""

    entry: ArchitectureEntry
    component: Component
    cell: Cell
    own: Mapping[str, Space]


@dataclass(frozen=True)
class _Task:
    """A setting of the suite with its task found, its metrics named, and a batch it gave."""

    entry: SettingEntry
    component: Component
    task: Task
    metrics: tuple[Component, ...]
    batch: Batch


def plan(
    suite: Suite, registry: Registry, *, device: str = "cpu", backend: str | None = None
) -> Plan:
    """Resolve a suite.

    device   the device type that members train on
    backend  forces how cells are run; None chooses for each

    Raises:
        SuiteError: an unknown cell, task, metric, option or dimension; a size that cannot be
            matched; a default outside its search space.
        InputError: the forced backend cannot run a cell.
    """
    chosen = suite.chosen
    if "momentum" in suite.training.model_fields_set and suite.training.optimizer != "sgd":
        message = f"momentum belongs to sgd; the optimizer is {suite.training.optimizer}"
        raise suite.error(("training", "momentum"), message)
    cells = [_cell(suite, entry, registry) for entry in chosen.architectures]
    tasks = [_task(suite, entry, registry) for entry in chosen.settings]
    _check_metrics(suite, tasks, registry)
    studies = tuple(
        _study(suite, cell, task, replicate, device, backend)
        for task in tasks
        for cell in cells
        for replicate in range(suite.search.replicates)
    )
    labels = {cell.entry.label for cell in cells}
    contrasts = sum(set(pair) <= labels for pair in suite.contrasts)
    return Plan(
        suite,
        studies,
        {cell.entry.label: _cell_card(cell) for cell in cells},
        {task.entry.name: asked(task.component, partial(_task_card, task)) for task in tasks},
        tuple(_warnings(suite, studies, contrasts)),
    )


def _cell(suite: Suite, entry: ArchitectureEntry, registry: Registry) -> _Cell:
    component = _at(suite, (*entry.at, "cell"), lambda: registry.cell(entry.cell))
    owner = f"an architecture with cell `{entry.cell}`"
    _check_options(suite, entry.at, owner, component.cls.options, entry.options, STACKING)
    cell: Cell = asked(component, lambda: component.cls(**entry.options))
    if entry.dropout and entry.layers == 1:
        raise suite.error(
            (*entry.at, "dropout"), "dropout acts between layers; with one layer it does nothing"
        )
    return _Cell(entry, component, cell, _own_space(suite, entry, cell))


def _task(suite: Suite, entry: SettingEntry, registry: Registry) -> _Task:
    component = _at(suite, (*entry.at, "task"), lambda: registry.task(entry.task))
    owner = f"a setting of task `{entry.task}`"
    _check_options(suite, entry.at, owner, component.cls.options, entry.options, ("task",))
    task: Task = asked(component, lambda: component.cls(**entry.options))
    _at(suite, (*entry.at, "task"), lambda: require(task.pattern))
    names = dict.fromkeys((*task.metrics, *OUTCOMES))
    metrics = [_at(suite, (*entry.at, "task"), partial(registry.metric, name)) for name in names]
    batch = _at(suite, ("training", "batch"), lambda: _batch(suite, component, task))
    for index, name in enumerate(suite.metrics):
        found = _at(suite, ("metrics", index), partial(registry.metric, name))
        if found not in metrics and not _misfit(found, component, task, batch):
            metrics.append(found)
    return _Task(entry, component, task, tuple(metrics), batch)


def _batch(suite: Suite, component: Component, task: Task) -> Batch:
    """Draw a training batch, to see before any training that the task gives one of this size."""
    generator = Generator().manual_seed(0)
    size = suite.training.batch
    try:
        return asked(component, lambda: task.batch(size, generator))
    except PluginError as error:
        raise InputError(f"no batch of {size}: {error}") from None


def _misfit(metric: Component, component: Component, task: Task, batch: Batch) -> str:
    """Say why a metric cannot score a task: tried on the trivial predictor; "" where it can."""
    if not issubclass(metric.cls, Metric):
        return ""
    predictions = asked(component, lambda: task.trivial(batch))
    try:
        float(metric.cls().measure(predictions, batch.targets, valid_mask(batch, task)))
    except Exception as error:  # noqa: BLE001  a metric may raise anything where it does not fit
        return str(error)
    return ""


def _check_metrics(suite: Suite, tasks: Sequence[_Task], registry: Registry) -> None:
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
        _at(suite, (*at, name), partial(known[name].check, name, value))


def _unknown(suite: Suite, at: Place, kind: str, name: str, known: Iterable[str]) -> SuiteError:
    return suite.error(at, str(UnknownNameError(kind, name, known)))


def _own_space(suite: Suite, entry: ArchitectureEntry, cell: Cell) -> dict[str, Space]:
    """Return the dimensions an architecture adds: all that its cell declares, or those named."""
    numeric = {name: option for name, option in cell.options.items() if option.numeric}
    if isinstance(entry.own, bool):
        declared = {name: option.search for name, option in numeric.items()} if entry.own else {}
        offered = {name: space for name, space in declared.items() if space is not None}
        if suite.search.sampler == "grid" and offered:
            message = f"a grid has no points on the continuous `{next(iter(offered))}`"
            raise suite.error((*entry.at, "search"), f"{message}; list them in a `choice`")
        return offered
    for name in entry.own:
        at = (*entry.at, "search", name)
        if name in cell.options and name not in numeric:
            raise suite.error(
                at,
                f"option `{name}` of cell `{entry.cell}` shapes its equations and cannot be "
                "searched; write one architecture for each value",
            )
        if name not in numeric:
            raise _unknown(suite, at, f"numeric option of cell `{entry.cell}`", name, numeric)
    return dict(entry.own)


def _study(
    suite: Suite, cell: _Cell, task: _Task, replicate: int, device: str, backend: str | None
) -> Study:
    entry = cell.entry
    wanted = suite.chosen.match
    matched = _at(
        suite,
        ("match", wanted.quantity),
        lambda: match(
            wanted.quantity,
            wanted.value,
            lambda hidden: asked(
                cell.component,
                lambda: sizes(
                    cell.cell,
                    task.task,
                    hidden=hidden,
                    layers=entry.layers,
                    bidirectional=entry.bidirectional,
                ),
            ),
            f"`{entry.label}` on `{task.entry.name}`",
        ),
    )
    chosen = asked(cell.component, lambda: choose(cell.cell, backend))
    options = cell.cell.options
    values = cell.cell.chosen
    template = Member(
        Architecture(
            cell=entry.cell,
            version=cell.component.version,
            structure={name: values[name] for name in options if not options[name].numeric},
            numeric={name: float(values[name]) for name in options if options[name].numeric},
            layers=entry.layers,
            bidirectional=entry.bidirectional,
            dropout=entry.dropout,
            hidden=matched.hidden,
        ),
        Setting(task.entry.task, task.component.version, dict(task.task.chosen)),
        _recipe(suite, task),
        Seed("tuning", replicate, 0),
        tuple((metric.name, metric.version) for metric in task.metrics),
        chosen.name,
        device,
    )
    skipped = ""
    if entry.bidirectional and task.task.causal:
        skipped = f"{entry.label} is bidirectional and {task.entry.task} is causal"
    study = Study(
        architecture=entry.label,
        setting=task.entry.name,
        replicate=replicate,
        template=template,
        direction=_first(suite, task).direction,
        search=SearchSpace(
            suite.search.sampler, suite.search.generation, dict(suite.search.space), dict(cell.own)
        ),
        budget=Budget(
            suite.chosen.name,
            suite.chosen.trials,
            suite.chosen.confirm,
            suite.search.confirm_seeds,
            suite.chosen.seeds,
        ),
        parameters=matched.sizes.parameters,
        recurrent_parameters=matched.sizes.recurrent_parameters,
        state_size=matched.sizes.state,
        flops=matched.sizes.flops,
        mismatch=matched.mismatch,
        backend_reason=chosen.reason,
        cell_source=cell.component.source,
        task_source=task.component.source,
        metric_sources={metric.name: metric.source for metric in task.metrics},
        shortest_path=asked(task.component, lambda: task.task.shortest_path(entry.bidirectional)),
        skipped=skipped,
    )
    _check_defaults(suite, cell, study)
    return study


def _recipe(suite: Suite, task: _Task) -> Recipe:
    training = suite.training
    return Recipe(
        optimizer=training.optimizer,
        learning_rate=training.learning_rate,
        schedule=training.schedule,
        weight_decay=training.weight_decay,
        clip=training.clip,
        momentum=training.momentum,
        batch=training.batch,
        updates=suite.chosen.updates_of(task.entry.task),
        points=suite.evaluation.points,
    )


def _first(suite: Suite, task: _Task) -> type[Metric]:
    """Return the metric that is a task's score; it must score predictions."""
    first = task.metrics[0].cls
    if not issubclass(first, Metric):
        raise suite.error(
            (*task.entry.at, "task"),
            f"task `{task.entry.task}` is scored by `{first.name}`, which scores no predictions",
            value=True,
        )
    return first


def _check_defaults(suite: Suite, cell: _Cell, study: Study) -> None:
    """Refuse a default outside its search space: trial 0 is the defaults."""
    for name, value in study.defaults.items():
        shared = name in study.search.shared
        space = study.search.shared[name] if shared else study.search.own[name]
        if _inside(space, value):
            continue
        at = ("search", "space", name) if shared else (*cell.entry.at, "search")
        home = "training" if shared else f"architecture `{cell.entry.label}`"
        raise suite.error(
            at,
            f"the default of `{name}` in {home}, {value!r}, is outside its search space; "
            "trial 0 trains with the defaults, so set one inside",
        )


def _inside(space: Space, value: object) -> bool:
    match space:
        case Choice(values):
            return value in values
        case Between(low, high) | LogBetween(low, high):
            return isinstance(value, int | float) and low <= value <= high


def _cell_card(cell: _Cell) -> dict[str, Any]:
    entry = cell.entry
    return {
        "cell": entry.cell,
        "version": cell.component.version,
        "options": dict(cell.cell.chosen),
        "layers": entry.layers,
        "bidirectional": entry.bidirectional,
        "dropout": entry.dropout,
        "equations": cell.cell.equations,
        "reference": cell.cell.reference,
        "summary": cell.component.summary,
        "card": dict(cell.cell.card),
    }


def _task_card(task: _Task) -> dict[str, Any]:
    one = task.task
    return {
        "task": task.entry.task,
        "version": task.component.version,
        "options": dict(one.chosen),
        "metric": task.metrics[0].name,
        "direction": task.metrics[0].cls.direction,
        "metrics": [metric.name for metric in task.metrics],
        **asdict(one.anchors),
        "best": _best(one.anchors.oracle, task.metrics[0].cls),
        "causal": one.causal,
        "pattern": one.pattern,
        "sequence_length": one.sequence_length,
        "summary": task.component.summary,
        "reference": one.reference,
        "path": {"forward": one.shortest_path(False), "bidirectional": one.shortest_path(True)},
    }


def _best(oracle: float | None, metric: type[Metric]) -> float | None:
    """Return the score that nothing can beat: the oracle's, else the metric's bound, if any."""
    if oracle is not None:
        return oracle
    return metric.high if metric.direction == "max" else metric.low


def _warnings(suite: Suite, studies: tuple[Study, ...], contrasts: int) -> Iterator[str]:
    """Say beforehand what the results will not be able to show."""
    replicated = suite.search.replicates > 1
    units = suite.search.replicates if replicated else suite.chosen.seeds
    unit = "replicates" if replicated else "seeds"
    family = contrasts * len(suite.chosen.settings)
    if contrasts and smallest_p(units) * family > ALPHA:
        yield (
            f"{units} {unit} cannot show a difference between two architectures on one setting: an "
            f"exact sign-flip test does not go below {smallest_p(units):.3g}, and Holm's "
            f"correction counts {family} comparisons; {seeds_needed(family)} {unit} could"
        )
    worst = max(studies, key=lambda study: abs(study.mismatch))
    if abs(worst.mismatch) > 0.05:
        yield (
            f"sizes differ by up to {abs(worst.mismatch):.1%} ({worst.architecture} on "
            f"{worst.setting}): hidden sizes are whole numbers"
        )
    fixed = {study.architecture: study.search.fixed for study in studies}
    if all(fixed.values()):
        yield "no search: hyperparameters are fixed, and every run uses the suite's"
    elif any(fixed.values()):
        names = ", ".join(name for name, still in fixed.items() if still)
        yield f"unequal tuning: {names} have fixed hyperparameters while others are searched"
    learns = suite.search.sampler in LEARNING
    if learns and not all(fixed.values()) and suite.search.generation >= suite.chosen.trials > 1:
        yield (
            f"one generation holds all {suite.chosen.trials} trials, so {suite.search.sampler} "
            "never sees a result; lower search.generation"
        )


def _at(suite: Suite, path: Place, find: Callable[[], T]) -> T:
    """Call `find`; bad input that it reports becomes an error at a place in the suite."""
    try:
        return find()
    except InputError as error:
        raise suite.error(path, str(error), value=True) from None
