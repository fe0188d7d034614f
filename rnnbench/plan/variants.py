"""A study, with its variants where the search chooses among networks."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from rnnbench.errors import InputError
from rnnbench.group.way import Ways
from rnnbench.hyperparameters import STACK
from rnnbench.options import Between, Choice, LogBetween, Space
from rnnbench.plan.network import network_study
from rnnbench.recurrence import Chooser
from rnnbench.registry import Registry
from rnnbench.resolving import ResolvedTask, ResolvedUnit, resolve_unit
from rnnbench.study import Study
from rnnbench.suite import ArchitectureEntry, Suite

MOST_NETWORKS = 64
"""How many networks a search may choose among."""


def study_of(
    suite: Suite,
    unit: ResolvedUnit,
    task: ResolvedTask,
    replicate: int,
    device: str,
    chooser: Chooser,
    ways: Ways,
    registry: Registry,
) -> Study:
    """Return a study, with its variants where the search chooses among networks.

    Raises:
        SuiteError: a default outside its space, or a choice that does not apply to the setting.
    """
    study = network_study(suite, unit, task, replicate, device, chooser, ways)
    variants = []
    for entry in _others(unit, suite.search.space):
        other = network_study(
            suite, resolve_unit(suite, entry, registry), task, replicate, device, chooser, ways
        )
        if other.skipped != study.skipped:
            reason = other.skipped or study.skipped
            (name, *_) = (
                name for name in STACK if getattr(entry, name) != getattr(unit.entry, name)
            )
            raise suite.error(
                ("search", "space", name),
                f"not every choice applies to `{unit.entry.label}` on `{task.entry.name}`: "
                f"{reason}",
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
