"""A study as a record: what `plan` decides and the protocol carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rnnbench.contests import Pruner
from rnnbench.direction import Direction
from rnnbench.member import Member, Recipe, Role, Seed
from rnnbench.options import Space, Value


@dataclass(frozen=True)
class Budget:
    """How much one study may spend: `trials` searched, `confirm` of them confirmed, `seeds` run."""

    name: str
    trials: int
    confirm: int
    confirm_seeds: int
    seeds: int


@dataclass(frozen=True)
class SearchSpace:
    """Where a study looks: `shared` dimensions are every architecture's, `own` the cell's.

    `pruner` drops trials before their end; None: all train to it.
    """

    sampler: str
    generation: int
    shared: Mapping[str, Space]
    own: Mapping[str, Space]
    pruner: Pruner | None = None

    @property
    def fixed(self) -> bool:
        """Whether there is nothing to search."""
        return not (self.shared or self.own)


@dataclass(frozen=True)
class Study:
    """One search of one architecture on one setting, and the runs of what it freezes.

    template   all defaults, the first tuning seed, every metric (trials keep only the first)
    mismatch   relative difference between the size asked for and the size reached
    skipped    why nothing of it is trained; "" where it is
    compiler   what compiled the kernel, with its flags; "" where there is no kernel
    way_reason why members train together or in turn, as the template says
    member_bytes  memory that each member of a group takes while it trains, estimated
    """

    architecture: str
    setting: str
    replicate: int
    template: Member
    direction: Direction
    search: SearchSpace
    budget: Budget
    parameters: int
    recurrent_parameters: int
    state_size: int
    flops: int
    mismatch: float
    backend_reason: str
    cell_source: str
    task_source: str
    metric_sources: Mapping[str, str]
    shortest_path: float
    skipped: str = ""
    compiler: str = ""
    way_reason: str = ""
    member_bytes: int = 0

    def member(self, values: Mapping[str, Value], role: Role, index: int) -> Member:
        """Return the member that trains with these hyperparameters on this seed."""
        template = self.template
        names = Recipe.__dataclass_fields__
        # 1 and 1.0 are one learning rate: numbers become floats before they enter a key
        plain = {name: v if isinstance(v, str) else float(v) for name, v in values.items()}
        recipe: dict[str, Any] = {name: v for name, v in plain.items() if name in names}
        numeric = {name: float(v) for name, v in plain.items() if name not in names}
        metrics = template.metrics if role == "evaluation" else template.metrics[:1]
        return replace(
            template,
            architecture=replace(
                template.architecture, numeric={**template.architecture.numeric, **numeric}
            ),
            recipe=replace(template.recipe, **recipe),
            seed=Seed(role, self.replicate, index),
            metrics=metrics,
        )

    @property
    def defaults(self) -> dict[str, Value]:
        """Return the values of trial 0 for the dimensions that are searched."""
        recipe, numeric = self.template.recipe, self.template.architecture.numeric
        return {name: getattr(recipe, name) for name in self.search.shared} | {
            name: numeric[name] for name in self.search.own
        }
