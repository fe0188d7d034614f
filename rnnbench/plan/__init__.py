"""A suite and the installed plugins to studies: sizes matched, backends chosen, warnings given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rnnbench.contracts import Sequences
from rnnbench.datafiles import DataFiles
from rnnbench.group.way import Ways
from rnnbench.hyperparameters import foreign
from rnnbench.plan.cards import task_card, unit_card
from rnnbench.plan.companions import companions
from rnnbench.plan.variants import study_of
from rnnbench.plan.warnings import fallbacks, forced, foreseen, unlooked
from rnnbench.recurrence import Chooser, silently
from rnnbench.registry import Registry, asked
from rnnbench.resolving import check_metrics, resolve_task, resolve_unit
from rnnbench.study import Study
from rnnbench.suite import Suite
from rnnbench.suite.spaces import optimizers


@dataclass(frozen=True)
class Plan:
    """What a suite comes to on this installation.

    `architectures` and `settings` hold, by label, the facts that a report needs of a cell and a
    task: plain values, so that reports need neither plugins nor torch. `companions` are the labels
    of architectures that the suite does not list and that run beside it.
    """

    suite: Suite
    studies: tuple[Study, ...]
    architectures: Mapping[str, dict[str, Any]]
    settings: Mapping[str, dict[str, Any]]
    warnings: tuple[str, ...]
    companions: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The suite's reference, or the first architecture where `--only` left that one out."""
        reference = self.suite.reference
        return reference if reference in self.architectures else next(iter(self.architectures))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the data, line by line under the name of its setting."""
        lines = []
        for name, setting in self.settings.items():
            known = (*setting["notes"], *setting["leaks"])
            lines += [f"data of {name}:", *(f"  {note}" for note in known)] if known else []
        if self.companions:
            lines.append(
                f"beside questions about pictures run {' and '.join(self.companions)}: how far one "
                "gets without the picture, or without the question"
            )
        return tuple(lines)

    @property
    def skips(self) -> tuple[str, ...]:
        """What is not trained and why, a line for each architecture and reason."""
        where: dict[tuple[str, str], list[str]] = {}
        for study in self.studies:
            if study.skipped and not study.replicate:
                where.setdefault((study.architecture, study.skipped), []).append(study.setting)
        return tuple(
            f"{architecture} on {', '.join(settings)}: {reason}"
            for (architecture, reason), settings in where.items()
        )

    @property
    def trained(self) -> tuple[Study, ...]:
        """The studies that are not skipped."""
        return tuple(study for study in self.studies if not study.skipped)

    @property
    def contrasts(self) -> tuple[tuple[str, str], ...]:
        """The suite's contrasts between architectures that are there; else with the reference.

        What runs beside is always compared with the reference.
        """
        there = self.architectures
        kept = tuple(pair for pair in self.suite.contrasts if set(pair) <= set(there))
        others = tuple((label, self.reference) for label in there if label != self.reference)
        beside = tuple((label, self.reference) for label in self.companions)
        return kept + beside if kept else others


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
    beside = companions(suite, units, tasks, registry)
    units += beside
    check_metrics(suite, tasks, registry)
    wanted = backend or suite.training.backend
    chooser = Chooser(device, None if wanted == "auto" else wanted, compiling=compiling)
    ways = Ways()
    studies = tuple(
        study_of(suite, unit, task, replicate, device, chooser, ways, registry)
        for task in tasks
        for unit in units
        for replicate in range(suite.search.replicates)
    )
    if all(study.skipped for study in studies):
        raise suite.error(("settings",), f"nothing of this suite applies: {studies[0].skipped}")
    spoken = any(isinstance(task.task.targets, Sequences) for task in tasks)
    made = Plan(
        suite,
        studies,
        {unit.entry.label: unit_card(unit) for unit in units},
        {task.entry.name: asked(task.component, partial(task_card, task)) for task in tasks},
        warnings=(),
        companions=tuple(unit.entry.label for unit in beside),
    )
    warnings = (
        *foreseen(suite, studies, made.contrasts, spoken),
        *unlooked(suite, studies, registry),
        *forced(wanted, suite.training.backend),
        *(() if chooser.forced else fallbacks(studies)),
    )
    return replace(made, warnings=warnings)
