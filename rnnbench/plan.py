"""A suite and the installed plugins to studies: sizes matched, backends chosen, warnings given."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from rnnbench.contests import Pruner
from rnnbench.contracts import ONE_TARGET, Layer, Metric
from rnnbench.datafiles import DataFiles
from rnnbench.errors import InputError
from rnnbench.group.building import network_of
from rnnbench.group.way import Chosen, Ways
from rnnbench.hyperparameters import STACK, foreign
from rnnbench.initial import Initial
from rnnbench.matching import Matched, match
from rnnbench.member import Architecture, Member, Recipe, Seed
from rnnbench.nn.network import input_width
from rnnbench.nn.readout import target_width
from rnnbench.nn.sizes import Sizes, flops, layer_inputs, sizes
from rnnbench.options import Between, Choice, LogBetween, Space
from rnnbench.recurrence import Backend, Chooser, silently
from rnnbench.registry import Registry, asked
from rnnbench.resolving import (
    ResolvedTask,
    ResolvedUnit,
    check_metrics,
    first_metric,
    located,
    resolve_task,
    resolve_unit,
)
from rnnbench.statistics import ALPHA, seeds_needed, smallest_p
from rnnbench.study import Budget, SearchSpace, Study
from rnnbench.suite import ArchitectureEntry, Suite
from rnnbench.suite.spaces import optimizers

LEARNING = ("tpe", "gp")
"""The samplers that learn from results."""


MOST_NETWORKS = 64
"""How many networks a search may choose among."""


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
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the data, setting by setting."""
        return tuple(
            f"{name}: {note}"
            for name, setting in self.settings.items()
            for note in setting["notes"]
        )

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
    used = optimizers(suite.training.optimizer, suite.search.space)
    for name in sorted(suite.training.model_fields_set):
        if message := foreign(name, used):
            raise suite.error(("training", name), message)
    units = [resolve_unit(suite, entry, registry) for entry in chosen.architectures]
    tasks = [
        resolve_task(suite, entry, registry, files or DataFiles()) for entry in chosen.settings
    ]
    check_metrics(suite, tasks, registry)
    wanted = backend or suite.training.backend
    chooser = Chooser(device, None if wanted == "auto" else wanted, compiling=compiling)
    ways = Ways()
    studies = tuple(
        _study(suite, unit, task, replicate, device, chooser, ways, registry)
        for task in tasks
        for unit in units
        for replicate in range(suite.search.replicates)
    )
    labels = {unit.entry.label for unit in units}
    contrasts = sum(set(pair) <= labels for pair in suite.contrasts)
    return Plan(
        suite,
        studies,
        {unit.entry.label: _unit_card(unit) for unit in units},
        {task.entry.name: asked(task.component, partial(_task_card, task)) for task in tasks},
        (
            *_warnings(suite, studies, contrasts),
            *_forced(wanted, suite.training.backend),
            *(() if chooser.forced else _fallbacks(studies)),
        ),
    )


def _study(
    suite: Suite,
    unit: ResolvedUnit,
    task: ResolvedTask,
    replicate: int,
    device: str,
    chooser: Chooser,
    ways: Ways,
    registry: Registry,
) -> Study:
    """Return a study, with its variants where the search chooses among networks."""
    study = _network(suite, unit, task, replicate, device, chooser, ways)
    variants = []
    for entry in _others(unit, suite.search.space):
        other = _network(
            suite, resolve_unit(suite, entry, registry), task, replicate, device, chooser, ways
        )
        if other.skipped != study.skipped:
            reason = other.skipped or study.skipped
            raise suite.error(
                ("search", "space", "bidirectional"),
                f"not every choice applies to `{task.entry.name}`: {reason}",
            )
        variants.append(replace(other, search=study.search))
    study = replace(study, variants=tuple(variants))
    _check_defaults(suite, unit, study)
    return study


def _others(unit: ResolvedUnit, shared: Mapping[str, Space]) -> Iterator[ArchitectureEntry]:
    """Yield an architecture with every other choice of what makes it another network."""
    entry, declared = unit.entry, unit.unit.options
    stack = {name: shared[name] for name in STACK if name in shared}
    own = {name: space for name, space in unit.own.items() if not declared[name].numeric}
    spaces = {**stack, **own}
    values = [space.values for space in spaces.values() if isinstance(space, Choice)]
    default = {name: getattr(entry, name) for name in stack} | {
        name: unit.unit.chosen[name] for name in own
    }
    count = math.prod(map(len, values))
    if count > MOST_NETWORKS:
        raise InputError(f"`{entry.label}` chooses among {count} networks; {MOST_NETWORKS} at most")
    for chosen in itertools.product(*values):
        named = dict(zip(spaces, chosen, strict=True))
        if named != default:
            stacked: dict[str, Any] = {name: named.pop(name) for name in stack}
            yield replace(entry, **stacked, options={**entry.options, **named})


def _network(
    suite: Suite,
    unit: ResolvedUnit,
    task: ResolvedTask,
    replicate: int,
    device: str,
    chooser: Chooser,
    ways: Ways,
) -> Study:
    entry = unit.entry
    matched = _matched(suite, unit, task)
    counted = _sizes(unit, task, matched.hidden)
    chosen = _backend(suite, unit, task, matched.hidden, chooser)
    options = unit.unit.options
    values = unit.unit.chosen
    template = Member(
        Architecture(
            cell=entry.cell,
            version=unit.component.version,
            structure={name: values[name] for name in options if not options[name].numeric},
            numeric={name: float(values[name]) for name in options if options[name].numeric},
            layers=entry.layers,
            bidirectional=entry.bidirectional,
            dropout=entry.dropout,
            hidden=matched.hidden,
            kind=entry.kind,
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
        unit.component,
        lambda: network_of(replace(template, device="cpu"), unit.component.cls, task.task),
    )
    skipped = _skipped(unit, task, template.recipe.chunk)
    way = (
        Chosen("in turn", "nothing of it is trained")
        if skipped
        else asked(unit.component, lambda: ways.choose(template, unit.component.cls, task.task))
    )
    return Study(
        architecture=entry.label,
        setting=task.entry.name,
        replicate=replicate,
        template=replace(template, way=way.way),
        direction=first_metric(suite, task).direction,
        search=SearchSpace(
            suite.search.sampler,
            suite.search.generation,
            dict(suite.search.space),
            dict(unit.own),
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
        flops=_flops(unit, task, matched.hidden),
        mismatch=matched.mismatch,
        backend_reason=chosen.reason,
        compiler=chosen.compiler,
        way_reason=way.reason,
        member_bytes=_bytes(unit, task, counted.parameters, chosen.history, suite.training.batch),
        cell_source=unit.component.source,
        task_source=task.component.source,
        metric_sources={metric.name: metric.source for metric in task.metrics},
        shortest_path=asked(task.component, lambda: task.task.shortest_path(entry.bidirectional)),
        skipped=skipped,
    )


def _skipped(unit: ResolvedUnit, task: ResolvedTask, chunk: int | None) -> str:
    """Return why an architecture does not apply to a setting; nothing where it does."""
    entry, one = unit.entry, task.task
    if entry.bidirectional and one.causal:
        return f"{entry.label} is bidirectional and {task.entry.task} is causal"
    if entry.bidirectional and chunk is not None and one.pattern not in ONE_TARGET:
        return f"{entry.label} is bidirectional, and chunks of a sequence are read in order"
    if not isinstance(unit.unit, Layer):
        return ""
    if one.pattern not in unit.unit.patterns:
        patterns = " and ".join(unit.unit.patterns)
        return f"{entry.cell} is for {patterns}, and {task.entry.task} is {one.pattern}"
    if one.causal and not unit.unit.causal:
        return f"{entry.cell} sees the whole sequence and {task.entry.task} is causal"
    return ""


def _matched(suite: Suite, unit: ResolvedUnit, task: ResolvedTask) -> Matched:
    wanted = suite.chosen.match

    def reached(hidden: int) -> int:
        if wanted.quantity == "flops":
            return _flops(unit, task, hidden)
        count: int = getattr(_sizes(unit, task, hidden), wanted.quantity)
        return count

    who = f"`{unit.entry.label}` on `{task.entry.name}`"
    return located(
        suite,
        ("match", wanted.quantity),
        lambda: match(wanted.quantity, wanted.value, reached, who),
    )


def _sizes(unit: ResolvedUnit, task: ResolvedTask, hidden: int) -> Sizes:
    layers, both = unit.entry.layers, unit.entry.bidirectional
    return asked(
        unit.component,
        lambda: sizes(unit.unit, task.task, hidden=hidden, layers=layers, bidirectional=both),
    )


def _flops(unit: ResolvedUnit, task: ResolvedTask, hidden: int) -> int:
    layers, both = unit.entry.layers, unit.entry.bidirectional
    return asked(
        unit.component,
        lambda: flops(unit.unit, task.task, hidden=hidden, layers=layers, bidirectional=both),
    )


def _backend(
    suite: Suite, unit: ResolvedUnit, task: ResolvedTask, hidden: int, chooser: Chooser
) -> Backend:
    entry = unit.entry
    cell = unit.unit
    if isinstance(cell, Layer):
        kept = sum(sum(weight.shape) for weight in _layer_weights(unit, task, hidden))
        return Backend("torch", "a layer is torch's own operations", history=kept)

    def choose() -> Backend:
        inputs = layer_inputs(
            cell,
            task.task,
            hidden=hidden,
            layers=entry.layers,
            bidirectional=entry.bidirectional,
        )
        return chooser.choose(cell, inputs, hidden)

    if chooser.forced == suite.training.backend:
        return located(suite, ("training", "backend"), lambda: asked(unit.component, choose))
    return asked(unit.component, choose)


def _layer_weights(unit: ResolvedUnit, task: ResolvedTask, hidden: int) -> list[Initial]:
    """Return what a layer's stack declares: each matrix reads its columns and makes its rows."""
    layer, entry = unit.unit, unit.entry
    assert isinstance(layer, Layer)  # noqa: S101  a cell has a history of its own
    widths = layer_inputs(
        layer, task.task, hidden=hidden, layers=entry.layers, bidirectional=entry.bidirectional
    )
    steps = task.task.sequence_length
    return [weight for width in widths for weight in layer.weights(width, hidden, steps).values()]


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
    unit: ResolvedUnit, task: ResolvedTask, parameters: int, history: int, batch: int
) -> int:
    """Estimate the memory that a member of a group takes while it trains.

    What its recurrences keep for the backward pass, and its inputs and predictions, twice, since
    gradients and outputs come beside them; and its weights, their gradients, the optimiser's
    memory, and the best so far.
    """
    both = 1 + unit.entry.bidirectional
    one = task.task
    kept = both * history + input_width(one.inputs) + target_width(one.targets)
    return 4 * (2 * kept * batch * one.sequence_length + 8 * parameters)


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
        clip_value=training.clip_value,
        chunk=training.chunk,
    )


def _check_defaults(suite: Suite, unit: ResolvedUnit, study: Study) -> None:
    """Refuse a default outside its search space: trial 0 is the defaults."""
    for name, value in study.defaults.items():
        shared = name in study.search.shared
        space = study.search.shared[name] if shared else study.search.own[name]
        if _inside(space, value):
            continue
        at = ("search", "space", name) if shared else (*unit.entry.at, "search")
        home = "training" if shared else f"architecture `{unit.entry.label}`"
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


def _unit_card(unit: ResolvedUnit) -> dict[str, Any]:
    entry = unit.entry
    return {
        "cell": entry.cell,
        "kind": entry.kind,
        "version": unit.component.version,
        "options": dict(unit.unit.chosen),
        "layers": entry.layers,
        "bidirectional": entry.bidirectional,
        "dropout": entry.dropout,
        "equations": unit.unit.equations,
        "reference": unit.unit.reference,
        "summary": unit.component.summary,
        "card": dict(unit.unit.card),
    }


def _task_card(task: ResolvedTask) -> dict[str, Any]:
    one = task.task
    return {
        "task": task.entry.task,
        "version": task.component.version,
        "options": dict(task.setting.options),
        "stated": dict(task.entry.options),
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
    networks = [one for study in studies for one in (study, *study.variants)]
    worst = max(networks, key=lambda study: abs(study.mismatch))
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
    networks = [one for each in studies for one in (each, *each.variants)]
    for study in networks:
        cell = study.template.architecture.kind == "cell"
        if cell and not study.skipped and study.template.backend != "kernel":
            reason = f"{study.template.backend}: {study.backend_reason}"
            reasons.setdefault(study.architecture, reason)
    for reason in dict.fromkeys(reasons.values()):
        names = ", ".join(name for name, one in reasons.items() if one == reason)
        yield f"{names} on backend {reason}"
