"""A suite and the installed plugins to studies: sizes matched, backends chosen, warnings given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from rnnbench.contests import Pruner
from rnnbench.contracts import Metric
from rnnbench.datafiles import DataFiles
from rnnbench.group.building import network_of
from rnnbench.group.way import Chosen, Ways
from rnnbench.matching import Matched, match
from rnnbench.member import Architecture, Member, Recipe, Seed
from rnnbench.nn.sizes import Sizes, flops, layer_inputs, sizes
from rnnbench.options import Between, Choice, LogBetween, Space
from rnnbench.recurrence import Backend, Chooser, silently
from rnnbench.registry import Registry, asked
from rnnbench.resolving import (
    ResolvedCell,
    ResolvedTask,
    check_metrics,
    first_metric,
    located,
    resolve_cell,
    resolve_task,
)
from rnnbench.statistics import ALPHA, seeds_needed, smallest_p
from rnnbench.study import Budget, SearchSpace, Study
from rnnbench.suite import Suite
from rnnbench.suite.spaces import foreign

LEARNING = ("tpe", "gp")
"""The samplers that learn from results."""


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


def plan(
    suite: Suite,
    registry: Registry,
    *,
    device: str = "cpu",
    backend: str | None = None,
    files: DataFiles | None = None,
    compiling: Callable[[], None] = silently,
) -> Plan:
    """Resolve a suite.

    device     the device type that members train on
    backend    how cells are run, whatever the suite says: `auto` or the name of a backend; None
               leaves it to the suite
    files      where data files are
    compiling  called before each compilation of a kernel

    Raises:
        SuiteError: an unknown cell, task, metric, option or dimension; a size that cannot be
            matched; a default outside its search space.
        InputError: the forced backend cannot run a cell.
    """
    chosen = suite.chosen
    for name in sorted(suite.training.model_fields_set):
        if message := foreign(name, suite.training.optimizer):
            raise suite.error(("training", name), message)
    cells = [resolve_cell(suite, entry, registry) for entry in chosen.architectures]
    tasks = [
        resolve_task(suite, entry, registry, files or DataFiles()) for entry in chosen.settings
    ]
    check_metrics(suite, tasks, registry)
    wanted = backend or suite.training.backend
    chooser = Chooser(device, None if wanted == "auto" else wanted, compiling=compiling)
    ways = Ways()
    studies = tuple(
        _study(suite, cell, task, replicate, device, chooser, ways)
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
        (
            *_warnings(suite, studies, contrasts),
            *_forced(wanted, suite.training.backend),
            *(() if chooser.forced else _fallbacks(studies)),
        ),
    )


def _study(
    suite: Suite,
    cell: ResolvedCell,
    task: ResolvedTask,
    replicate: int,
    device: str,
    chooser: Chooser,
    ways: Ways,
) -> Study:
    entry = cell.entry
    matched = _matched(suite, cell, task)
    counted = _sizes(cell, task, matched.hidden)
    chosen = _backend(suite, cell, task, matched.hidden, chooser)
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
        task.setting,
        _recipe(suite, task),
        Seed("tuning", replicate, 0),
        tuple((metric.name, metric.version) for metric in task.metrics),
        chosen.name,
        device,
    )
    # a cell that contradicts itself is found before anything trains
    asked(
        cell.component,
        lambda: network_of(replace(template, device="cpu"), cell.component.cls, task.task),
    )
    skipped = ""
    if entry.bidirectional and task.task.causal:
        skipped = f"{entry.label} is bidirectional and {task.entry.task} is causal"
    way = (
        Chosen("in turn", "nothing of it is trained")
        if skipped
        else asked(cell.component, lambda: ways.choose(template, cell.component.cls, task.task))
    )
    study = Study(
        architecture=entry.label,
        setting=task.entry.name,
        replicate=replicate,
        template=replace(template, way=way.way),
        direction=first_metric(suite, task).direction,
        search=SearchSpace(
            suite.search.sampler,
            suite.search.generation,
            dict(suite.search.space),
            dict(cell.own),
            _pruner(suite, template.recipe.updates),
        ),
        budget=Budget(
            suite.chosen.name,
            suite.chosen.trials,
            suite.chosen.confirm,
            suite.search.confirm_seeds,
            suite.chosen.seeds,
        ),
        parameters=counted.parameters,
        recurrent_parameters=counted.recurrent_parameters,
        state_size=counted.state,
        flops=_flops(cell, task, matched.hidden),
        mismatch=matched.mismatch,
        backend_reason=chosen.reason,
        compiler=chosen.compiler,
        way_reason=way.reason,
        member_bytes=_bytes(cell, task, counted.parameters, chosen.history, suite.training.batch),
        cell_source=cell.component.source,
        task_source=task.component.source,
        metric_sources={metric.name: metric.source for metric in task.metrics},
        shortest_path=asked(task.component, lambda: task.task.shortest_path(entry.bidirectional)),
        skipped=skipped,
    )
    _check_defaults(suite, cell, study)
    return study


def _matched(suite: Suite, cell: ResolvedCell, task: ResolvedTask) -> Matched:
    wanted = suite.chosen.match

    def reached(hidden: int) -> int:
        if wanted.quantity == "flops":
            return _flops(cell, task, hidden)
        count: int = getattr(_sizes(cell, task, hidden), wanted.quantity)
        return count

    who = f"`{cell.entry.label}` on `{task.entry.name}`"
    return located(
        suite,
        ("match", wanted.quantity),
        lambda: match(wanted.quantity, wanted.value, reached, who),
    )


def _sizes(cell: ResolvedCell, task: ResolvedTask, hidden: int) -> Sizes:
    layers, both = cell.entry.layers, cell.entry.bidirectional
    return asked(
        cell.component,
        lambda: sizes(cell.cell, task.task, hidden=hidden, layers=layers, bidirectional=both),
    )


def _flops(cell: ResolvedCell, task: ResolvedTask, hidden: int) -> int:
    layers, both = cell.entry.layers, cell.entry.bidirectional
    return asked(
        cell.component,
        lambda: flops(cell.cell, task.task, hidden=hidden, layers=layers, bidirectional=both),
    )


def _backend(
    suite: Suite, cell: ResolvedCell, task: ResolvedTask, hidden: int, chooser: Chooser
) -> Backend:
    entry = cell.entry

    def choose() -> Backend:
        inputs = layer_inputs(
            cell.cell,
            task.task,
            hidden=hidden,
            layers=entry.layers,
            bidirectional=entry.bidirectional,
        )
        return chooser.choose(cell.cell, inputs, hidden)

    if chooser.forced == suite.training.backend:
        return located(suite, ("training", "backend"), lambda: asked(cell.component, choose))
    return asked(cell.component, choose)


def _pruner(suite: Suite, updates: int) -> Pruner | None:
    section = suite.search.pruner
    if section is None:
        return None
    first = section.min_updates or max(1, updates // section.factor**2)
    if first >= updates:
        raise suite.error(
            ("search", "pruner", "min_updates"),
            f"the first rung, at update {first}, is not before the end of a training of {updates}",
        )
    return Pruner(section.kind, section.factor, first)


def _bytes(
    cell: ResolvedCell, task: ResolvedTask, parameters: int, history: int, batch: int
) -> int:
    """Estimate the memory that a member of a group takes while it trains.

    What its recurrences keep for the backward pass, twice, since gradients and outputs come beside
    it; and its weights, their gradients, the optimiser's memory, and the best so far.
    """
    both = 1 + cell.entry.bidirectional
    numbers = 2 * both * history * batch * task.task.sequence_length + 8 * parameters
    return 4 * numbers


def _recipe(suite: Suite, task: ResolvedTask) -> Recipe:
    training = suite.training
    return Recipe(
        optimizer=training.optimizer,
        learning_rate=training.learning_rate,
        schedule=training.schedule,
        weight_decay=training.weight_decay,
        clip=training.clip,
        momentum=training.momentum,
        beta1=training.beta1,
        beta2=training.beta2,
        batch=training.batch,
        updates=suite.chosen.updates_of(task.entry.task),
        points=suite.evaluation.points,
    )


def _check_defaults(suite: Suite, cell: ResolvedCell, study: Study) -> None:
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


def _cell_card(cell: ResolvedCell) -> dict[str, Any]:
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


def _task_card(task: ResolvedTask) -> dict[str, Any]:
    one = task.task
    return {
        "task": task.entry.task,
        "version": task.component.version,
        "options": dict(task.setting.options),
        "files": dict(task.setting.files),
        "notes": list(one.notes),
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
    if suite.search.pruner is not None and suite.search.generation == 1:
        yield (
            f"{suite.search.pruner.kind} drops nobody: a generation of one trial has nobody to be "
            "compared with; raise search.generation"
        )
    elif suite.search.pruner is not None:
        yield (
            f"{suite.search.pruner.kind} drops trials early: on tasks that are learnt late and at "
            "once, it drops those that would have learnt them"
        )
    learns = suite.search.sampler in LEARNING
    if learns and not all(fixed.values()) and suite.search.generation >= suite.chosen.trials > 1:
        yield (
            f"one generation holds all {suite.chosen.trials} trials, so {suite.search.sampler} "
            "never sees a result; lower search.generation"
        )


def _forced(wanted: str, written: str) -> Iterator[str]:
    """Say that another backend is used than the suite asks for."""
    if wanted != written:
        yield f"RNNBENCH_BACKEND asks for backend `{wanted}`, whatever the suite says ({written})"


def _fallbacks(studies: tuple[Study, ...]) -> Iterator[str]:
    """Say once for each reason which architectures run without a kernel."""
    reasons: dict[str, str] = {}
    for study in studies:
        if not study.skipped and study.template.backend != "kernel":
            reason = f"{study.template.backend}: {study.backend_reason}"
            reasons.setdefault(study.architecture, reason)
    for reason in dict.fromkeys(reasons.values()):
        names = ", ".join(name for name, one in reasons.items() if one == reason)
        yield f"{names} on backend {reason}"
