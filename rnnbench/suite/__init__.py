"""A suite file as frozen records, with errors that name line and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rnnbench.errors import SuiteError, UnknownNameError
from rnnbench.options import Choice, Space, Value
from rnnbench.suite.entries import (
    ArchitectureEntry,
    Budget,
    SettingEntry,
    read_architectures,
    read_budget,
    read_settings,
    setting_name,
    unknown,
)
from rnnbench.suite.schema import (
    Evaluation,
    Executor,
    Match,
    Search,
    Slurm,
    SuiteFile,
    Training,
    checked,
)
from rnnbench.suite.selection import read_selection
from rnnbench.suite.source import Place, Source, printable, read_source

__all__ = [
    "ArchitectureEntry",
    "Budget",
    "Evaluation",
    "Executor",
    "Match",
    "Search",
    "SettingEntry",
    "Slurm",
    "Suite",
    "Training",
    "read_suite",
    "resolved",
    "setting_name",
]

OPTIONAL_SECTIONS = (
    "training",
    "search",
    "space",
    "evaluation",
    "match",
    "only",
    "executor",
    "slurm",
)
"""What `--set` may reach into although the file does not have it."""


@dataclass(frozen=True)
class Suite:
    """One experiment: what is compared on what, how it is tuned, and how much is spent.

    `chosen` is the budget that was asked for, narrowed by `--only`. `allow_failures` is a number
    of members (int) or a share of them (float).
    """

    name: str
    question: str
    architectures: Mapping[str, ArchitectureEntry]
    reference: str
    contrasts: tuple[tuple[str, str], ...]
    settings: tuple[SettingEntry, ...]
    match: Match
    training: Training
    metrics: tuple[str, ...]
    search: Search
    evaluation: Evaluation
    budgets: Mapping[str, Budget]
    executor: Executor
    allow_failures: int | float
    chosen: Budget
    source: Source

    @property
    def text(self) -> str:
        """The file, verbatim."""
        return self.source.text

    def error(self, place: Place, message: str, *, value: bool = False) -> SuiteError:
        """Return an error that points at the key at `place`, or at its value.

        `suite.error((*entry.at, "forget_biass"), "unknown option …")`
        """
        return self.source.error(place, message, value=value)

    def allows(self, failed: int, members: int) -> bool:
        """Return whether so many failures out of so many members are within `allow_failures`."""
        limit = self.allow_failures
        return failed <= (limit if isinstance(limit, int) else limit * members)


def read_suite(
    path: Path,
    *,
    budget: str | None = None,
    sets: Sequence[str] = (),
    only: Sequence[str] = (),
) -> Suite:
    """Read and check a suite; what only plugins know (cells, tasks, metrics) is not checked here.

    budget   the name of a budget; by default `standard`, or the only one there is
    sets     replacements such as `budget.quick.updates=100`, made before anything is checked
    only     what to keep, such as `architecture=lstm,task=adding_uniform`

    Raises:
        SuiteError: the file or an argument is wrong; the text names the place and the cure.
    """
    source = read_source(path)
    if not isinstance(source.tree, dict) or not source.tree:
        found = "is empty" if not source.tree else "holds no keys"
        raise source.error((), f"the file {found}; a suite starts with `suite: my_name`")
    for assignment in sets:
        source = source.override(assignment, OPTIONAL_SECTIONS)
    file = checked(source)
    architectures = read_architectures(source, file)
    settings = read_settings(source, file.settings, ("settings",))
    reference = file.reference or next(iter(architectures))
    if reference not in architectures:
        raise unknown(source, ("reference",), "architecture", reference, architectures)
    budgets = {
        name: read_budget(source, name, section, file.match, architectures, settings)
        for name, section in file.budget.items()
    }
    chosen = _kept(_chosen(source, budgets, budget), only)
    return Suite(
        name=file.suite,
        question=file.question,
        architectures=architectures,
        reference=reference,
        contrasts=_contrasts(source, file, reference, architectures),
        settings=settings,
        match=file.match,
        training=file.training,
        metrics=tuple(file.metrics),
        search=file.search,
        evaluation=file.evaluation,
        budgets=budgets,
        executor=file.executor,
        allow_failures=file.allow_failures,
        chosen=chosen,
        source=source,
    )


def resolved(suite: Suite) -> dict[str, Any]:
    """Return the suite as plain values with everything filled in; written as YAML, it reads back.

    Replacements by `--set` are in it; what `--only` and `--budget` left out is too.
    """
    return {
        "suite": suite.name,
        "question": suite.question,
        "architectures": {
            label: {
                entry.kind: entry.cell,
                "layers": entry.layers,
                "bidirectional": entry.bidirectional,
                "attention": entry.attention,
                "conditioning": entry.conditioning,
                "fusion": entry.fusion,
                "without": entry.without,
                "dropout": entry.dropout,
                "search": entry.own if isinstance(entry.own, bool) else _space_values(entry.own),
                **entry.options,
            }
            for label, entry in suite.architectures.items()
        },
        "reference": suite.reference,
        **({"contrasts": [list(pair) for pair in suite.contrasts]} if suite.contrasts else {}),
        "settings": [_setting_values(entry) for entry in suite.settings],
        "match": suite.match.model_dump(exclude_none=True),
        "training": suite.training.model_dump(),
        "metrics": list(suite.metrics),
        "search": {
            **suite.search.model_dump(exclude={"space"}),
            "space": _space_values(suite.search.space),
        },
        "evaluation": suite.evaluation.model_dump(),
        "budget": {
            name: {
                "updates": _updates_values(budget),
                "trials": budget.trials,
                "confirm": budget.confirm,
                "seeds": budget.seeds,
                "only": {"architectures": [entry.label for entry in budget.architectures]},
                "settings": [_setting_values(entry) for entry in budget.settings],
                "match": budget.match.model_dump(exclude_none=True),
                "time_limit": budget.time_limit,
            }
            for name, budget in suite.budgets.items()
        },
        **({"executor": suite.executor.model_dump()} if suite.executor.slurm else {}),
        "allow_failures": suite.allow_failures,
    }


def _setting_values(entry: SettingEntry) -> dict[str, Value]:
    return {"task": entry.task, **entry.options}


def _updates_values(budget: Budget) -> int | dict[str, int]:
    if isinstance(budget.updates, int):
        return budget.updates
    return {entry.task: budget.updates[entry.task] for entry in budget.settings}


def _space_values(spaces: Mapping[str, Space]) -> dict[str, dict[str, list[Value]]]:
    values: dict[str, dict[str, list[Value]]] = {}
    for name, space in spaces.items():
        ends = space.values if isinstance(space, Choice) else (space.low, space.high)
        values[name] = {space.kind: list(ends)}
    return values


def _contrasts(
    source: Source, file: SuiteFile, reference: str, known: Mapping[str, ArchitectureEntry]
) -> tuple[tuple[str, str], ...]:
    """Return the pairs to compare: by default each architecture against the reference."""
    if file.contrasts is None:
        return tuple((label, reference) for label in known if label != reference)
    pairs: list[tuple[str, str]] = []
    for number, (first, second) in enumerate(file.contrasts):
        at = ("contrasts", number)
        for side, label in enumerate((first, second)):
            if label not in known:
                raise unknown(source, (*at, side), "architecture", label, known)
        if first == second:
            raise source.error(at, f"`{first}` cannot be compared with itself", value=True)
        if {first, second} in [set(pair) for pair in pairs]:
            message = f"`{first}` and `{second}` are compared twice"
            raise source.error(at, message, value=True)
        pairs.append((first, second))
    return tuple(pairs)


def _chosen(source: Source, budgets: Mapping[str, Budget], name: str | None) -> Budget:
    if name is None:
        name = "standard" if "standard" in budgets else next(iter(budgets))
        if name != "standard" and len(budgets) > 1:
            names = ", ".join(budgets)
            raise source.error(("budget",), f"no budget is `standard`; choose --budget of {names}")
    if name not in budgets:
        message = str(UnknownNameError("budget", printable(name), budgets))
        raise SuiteError(f"--budget {printable(name)}: {message}")
    return budgets[name]


def _kept(budget: Budget, only: Sequence[str]) -> Budget:
    """Return the budget with what `--only` keeps of it."""
    known = {
        "architecture": [entry.label for entry in budget.architectures],
        "task": list(dict.fromkeys(entry.task for entry in budget.settings)),
        "setting": [entry.name for entry in budget.settings],
    }
    kept = read_selection(only, known)
    labels, tasks, names = (kept.get(key, known[key]) for key in known)
    settings = tuple(e for e in budget.settings if e.task in tasks and e.name in names)
    if not settings:
        shown = " ".join(f"--only {printable(text)}" for text in only)
        raise SuiteError(f"{shown}: no setting of budget `{budget.name}` fits all of it")
    architectures = tuple(e for e in budget.architectures if e.label in labels)
    return replace(budget, architectures=architectures, settings=settings)
