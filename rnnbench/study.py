"""A study as a record: what `plan` decides and the protocol carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from rnnbench.contests import Pruner
from rnnbench.direction import Direction
from rnnbench.hyperparameters import COUNTS, OF_ARCHITECTURE, STACK
from rnnbench.member import Architecture, Member, Role, Seed
from rnnbench.options import Space, Value

Home = Literal["recipe", "architecture", "stack", "structure", "numeric"]
"""What a dimension of a search is part of: how a member is trained, a number of its architecture,
how that is stacked, what shapes its equations, or a number in them."""


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
    variants   where the search chooses among networks, the study as it is for each of the others
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
    variants: tuple[Study, ...] = ()

    def member(self, values: Mapping[str, Value], role: Role, index: int) -> Member:
        """Return the member that trains with these hyperparameters on this seed."""
        homes: dict[str, dict[str, Any]] = {name: {} for name in get_args(Home)}
        for name, value in values.items():
            home = self._home(name)
            whole = isinstance(value, str | bool) or name in COUNTS or home == "structure"
            # 1 and 1.0 are one learning rate: numbers become floats before they enter a key
            homes[home][name] = value if whole else float(value)
        template = self._network(homes["stack"], homes["structure"]).template
        evaluates = role == "evaluation"
        metrics = template.metrics if evaluates else template.metrics[:1]
        # what trials say is looked for without a beam
        recipe = template.recipe if evaluates else replace(template.recipe, beam=1)
        return replace(
            template,
            architecture=replace(
                template.architecture,
                numeric={**template.architecture.numeric, **homes["numeric"]},
                **homes["architecture"],
            ),
            recipe=replace(recipe, **homes["recipe"]),
            seed=Seed(role, self.replicate, index),
            metrics=metrics,
        )

    @property
    def defaults(self) -> dict[str, Value]:
        """Return the values of trial 0 for the dimensions that are searched."""
        net = self.template.architecture
        homes: Mapping[Home, Mapping[str, Value]] = {
            "recipe": vars(self.template.recipe),
            "architecture": vars(net),
            "stack": vars(net),
            "structure": net.structure,
            "numeric": net.numeric,
        }
        names = (*self.search.shared, *self.search.own)
        return {name: homes[self._home(name)][name] for name in names}

    @property
    def size(self) -> dict[str, float]:
        """How large its networks are, by the names of a report."""
        return {
            "hidden": self.template.architecture.hidden,
            "parameters": self.parameters,
            "recurrent_parameters": self.recurrent_parameters,
            "state_size": self.state_size,
            "flops": self.flops,
            "mismatch": self.mismatch,
        }

    def built(self, member: Member) -> Study:
        """Return the study as it is for a member's network: itself, or one of its variants."""
        net = member.architecture
        return self._network({name: getattr(net, name) for name in STACK}, net.structure)

    def _network(self, stack: Mapping[str, Value], structure: Mapping[str, Value]) -> Study:
        """Return the study with these parts of an architecture, and the default's others."""
        default = self.template.architecture
        wanted = ({**_stack(default), **stack}, {**default.structure, **structure})
        for one in (self, *self.variants):
            net = one.template.architecture
            if (_stack(net), dict(net.structure)) == wanted:
                return one
        raise LookupError(f"no network of {self.architecture} has {wanted}")

    def _home(self, name: str) -> Home:
        """Return what a dimension of the search is part of; a cell may name its own alike."""
        if name in self.search.own:
            numeric = name in self.template.architecture.numeric
            return "numeric" if numeric else "structure"
        if name in STACK:
            return "stack"
        return "architecture" if name in OF_ARCHITECTURE else "recipe"


def _stack(net: Architecture) -> dict[str, Value]:
    return {name: getattr(net, name) for name in STACK}
