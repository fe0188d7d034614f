"""One network of an architecture on a setting: its size, backend, way and template."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from rnnbench.contests import Pruner
from rnnbench.group.building import network_of
from rnnbench.group.way import Chosen, Ways
from rnnbench.member import Architecture, Member, Recipe, Seed
from rnnbench.nn import Network
from rnnbench.plan.backend import backend_of
from rnnbench.plan.sizing import flops_of, matched_size, member_bytes, sizes_of
from rnnbench.plan.skipping import why_skipped
from rnnbench.recurrence import Chooser
from rnnbench.registry import asked
from rnnbench.resolving import ResolvedTask, ResolvedUnit, first_metric, located
from rnnbench.study import Budget, SearchSpace, Study
from rnnbench.suite import Suite


def network_study(
    suite: Suite,
    unit: ResolvedUnit,
    task: ResolvedTask,
    replicate: int,
    device: str,
    chooser: Chooser,
    ways: Ways,
) -> Study:
    """Return the study of an architecture as the suite has it, on one setting.

    Raises:
        SuiteError: a size that cannot be matched, or a pruner that has no rung.
        PluginError: a cell or task that contradicts itself.
    """
    entry = unit.entry
    recipe = _recipe(suite, task)
    skipped = why_skipped(unit, task, recipe.chunk)
    matched = matched_size(suite, unit, task, trained=not skipped)
    counted = sizes_of(unit, task, matched.hidden)
    chosen = backend_of(suite, unit, task, matched.hidden, chooser)
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
            attention=entry.attention,
            conditioning=entry.conditioning,
            fusion=entry.fusion,
            without=entry.without,
        ),
        task.setting,
        recipe,
        Seed("tuning", replicate, 0),
        tuple((metric.name, metric.version) for metric in task.metrics),
        chosen.name,
        device,
    )
    way = Chosen("in turn", "nothing of it is trained")
    if not skipped:
        # a cell that contradicts itself is found before anything trains
        tried = partial(_built, template, unit, task)
        located(suite, entry.at, lambda: asked(unit.component, tried))
        way = asked(unit.component, lambda: ways.choose(template, unit.component.cls, task.task))
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
            _pruner(suite, recipe.updates),
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
        flops=flops_of(unit, task, matched.hidden),
        mismatch=matched.mismatch,
        backend_reason=chosen.reason,
        compiler=chosen.compiler,
        way_reason=way.reason,
        member_bytes=member_bytes(
            unit, task, matched.hidden, counted.parameters, chosen.history, suite.training.batch
        ),
        cell_source=unit.component.source,
        task_source=task.component.source,
        metric_sources={metric.name: metric.source for metric in task.metrics},
        shortest_path=asked(task.component, lambda: task.task.shortest_path(entry.bidirectional)),
        skipped=skipped,
    )


def _built(template: Member, unit: ResolvedUnit, task: ResolvedTask) -> Network:
    return network_of(replace(template, device="cpu"), unit.component.cls, task.task)


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
        teacher_forcing=training.teacher_forcing,
        teacher_schedule=training.teacher_schedule,
        beam=suite.evaluation.beam,
    )


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
