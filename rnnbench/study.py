"""A study as a record: what `plan` decides and the protocol carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from rnnbench.contests import Pruner
from rnnbench.direction import Direction
from rnnbench.hyperparameters import COUNTS, OF_ARCHITECTURE
from rnnbench.member import Member, Role, Seed
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
        recipe: dict[str, Any] = {}
        net: dict[str, Any] = {}
        numeric: dict[str, float] = {}
        for name, value in values.items():
            # 1 and 1.0 are one learning rate: numbers become floats before they enter a key
            plain = value if isinstance(value, str) or name in COUNTS else float(value)
            home = self._home(name)
            if home == "recipe":
                recipe[name] = plain
            elif home == "architecture":
                net[name] = plain
            else:
                numeric[name] = float(value)
        metrics = template.metrics if role == "evaluation" else template.metrics[:1]
        return replace(
            template,
            architecture=replace(
                template.architecture,
                numeric={**template.architecture.numeric, **numeric},
                **net,
            ),
            recipe=replace(template.recipe, **recipe),
            seed=Seed(role, self.replicate, index),
            metrics=metrics,
        )

    @property
    def defaults(self) -> dict[str, Value]:
        """Return the values of trial 0 for the dimensions that are searched."""
        homes: dict[str, object] = {
            "recipe": self.template.recipe,
            "architecture": self.template.architecture,
        }
        numeric = self.template.architecture.numeric
        return {name: getattr(homes[self._home(name)], name) for name in self.search.shared} | {
            name: numeric[name] for name in self.search.own
        }

    def _home(self, name: str) -> Literal["recipe", "architecture", "cell"]:
        """Return what a dimension of the search is a number of; a cell may name its own alike."""
        if name in self.search.own:
            return "cell"
        return "architecture" if name in OF_ARCHITECTURE else "recipe"
