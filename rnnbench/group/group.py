"""The members that train together: their weights, gradients and updates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rnnbench.contracts import Batch, Task
from rnnbench.group.chunks import chunks
from rnnbench.group.optimizers import OPTIMIZERS, clip
from rnnbench.group.rows import Rows, buffers_of
from rnnbench.group.steps import Programs
from rnnbench.member import Member, Recipe
from rnnbench.nn.dropout import keys, sites
from rnnbench.nn.network import Network
from rnnbench.nn.recurrent import FIRST
from rnnbench.nn.teacher import RATIO


class Group:
    """The members that still train, each a row of one tensor.

    There are always two rows at least, a lone member's twice: torch computes a single row of many
    in other ways than several, and other bits come out.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        task: Task,
        members: Sequence[Member],
        programs: Programs,
    ) -> None:
        first = members[0]
        self.members = list(members)
        self.rows = Rows(networks[0])
        self._sites = sites(networks[0])
        self._seeds = {member.key: member.dropout_seeds() for member in members}
        self._step = programs.step(first, networks[0], task)
        places = _two_at_least(range(len(members)))
        self._data = self.rows.of([networks[place] for place in places])
        self._buffers = buffers_of([networks[place] for place in places])
        self._running = networks[0].running
        recipes = [members[place].recipe for place in places]
        self._recipes = recipes
        device = self._data.device
        numbers = {
            name: torch.tensor([float(getattr(recipe, name)) for recipe in recipes], device=device)
            for name in ("weight_decay", "momentum", "beta1", "beta2")
        }
        self._limits = _limits([recipe.clip for recipe in recipes], device)
        self._values: Tensor | None = None
        if any(recipe.clip_value is not None for recipe in recipes):
            self._values = _limits([recipe.clip_value for recipe in recipes], device)
        self._chunks = chunks(first, task)
        self._carried: Mapping[str, Tensor] = {}
        self._optimizer = OPTIMIZERS[first.recipe.optimizer](self._data, numbers)
        self._failed = torch.zeros(len(places), dtype=torch.int64, device=device)

    def update(self, update: int, batches: Sequence[Batch]) -> Tensor:
        """Make one update, counted from 1; return the losses [members]."""
        self._refresh(update)
        if self._chunks.begins(update):
            self._carried = self._firsts(len(batches[0]))
        buffers = {**self._buffers, **self._carried}
        losses, gradient, after = self._step(self._data, buffers, batches)
        if self._carried:
            self._carried = {name: after[name] for name in self._carried}
        self._buffers |= {name: after[name] for name in self._running}
        gradient, norms = clip(gradient, self._limits, self._values)
        sound = losses.isfinite() & norms.isfinite()
        self._failed = torch.where(sound | (self._failed > 0), self._failed, update)
        now = [recipe.learning_rate * share(recipe, update) for recipe in self._recipes]
        rates = torch.tensor(now, device=gradient.device)
        self._optimizer.step(self._data, gradient, rates)
        return losses[: len(self.members)]

    def failed(self) -> list[int]:
        """Return for each member the update that first was not finite, 0 for none."""
        failed: list[int] = self._failed[: len(self.members)].tolist()
        return failed

    def row(self, place: int) -> Tensor:
        """Return a member's weights."""
        return self._data[place]

    def state(self, place: int) -> dict[str, Tensor]:
        """Return all that a member's next update depends on beside the data, by name."""
        named = {f"memory.{name}": rows for name, rows in self._optimizer.memory.items()}
        named |= {f"buffer.{name}": self._buffers[name] for name in self._running}
        named |= {f"carried.{name}": tensor for name, tensor in self._carried.items()}
        named |= {"weights": self._data, "failed": self._failed}
        return {name: tensor[place].clone() for name, tensor in named.items()}

    def resume(self, states: Sequence[Mapping[str, Tensor]], update: int) -> None:
        """Go on from what `state` returned for each member after an update."""
        places = _two_at_least(range(len(states)))
        device = self._data.device
        named = {
            name: torch.stack([states[place][name] for place in places]).to(device)
            for name in states[0]
        }
        self._data, self._failed = named["weights"], named["failed"]
        self._optimizer.steps = update
        for name in self._optimizer.memory:
            self._optimizer.memory[name] = named[f"memory.{name}"]
        self._buffers |= {name: named[f"buffer.{name}"] for name in self._running}
        self._carried = {
            name.removeprefix("carried."): tensor
            for name, tensor in named.items()
            if name.startswith("carried.")
        }

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these members alone."""
        self.members = [self.members[place] for place in places]
        if not self.members:
            return
        rows = [places[place] for place in _two_at_least(range(len(places)))]
        index = torch.tensor(rows, device=self._data.device)
        self._data, self._failed = self._data[index], self._failed[index]
        self._limits = self._limits[index]
        self._values = None if self._values is None else self._values[index]
        self._carried = {name: tensor[index] for name, tensor in self._carried.items()}
        self._recipes = [self._recipes[row] for row in rows]
        self._buffers = {name: tensor[index] for name, tensor in self._buffers.items()}
        self._optimizer.keep(index)

    def _firsts(self, size: int) -> dict[str, Tensor]:
        """Return the first states of a batch, [members, size, width], where they are carried on."""
        if self._chunks.count == 1:
            return {}
        return {
            name: tensor.unsqueeze(1).expand(-1, size, -1)
            for name, tensor in self._buffers.items()
            if name.rpartition(".")[2].startswith(FIRST)
        }

    def _refresh(self, update: int) -> None:
        """Give what draws new bits, and a teacher the share of symbols that it tells."""
        if RATIO in self._buffers:
            told = [taught(recipe, update) for recipe in self._recipes]
            self._buffers[RATIO] = torch.tensor(told, device=self._data.device)
        if not self._sites:
            return
        seeds = [self._seeds[member.key].of(update) for member in self.members]
        each = [keys(self._sites, seed) for seed in _two_at_least(seeds)]
        for name in each[0]:
            values = [own[name] for own in each]
            self._buffers[name] = torch.tensor(values, device=self._data.device)


def _limits(values: Sequence[float | None], device: torch.device) -> Tensor:
    return torch.tensor([math.inf if one is None else one for one in values], device=device)


def _two_at_least(each: Sequence[int]) -> list[int]:
    return [*each] if len(each) > 1 else [each[0]] * 2


def taught(recipe: Recipe, update: int) -> float:
    """Return the share of symbols that a decoder is told in an update, from 1."""
    if recipe.teacher_schedule == "constant":
        return recipe.teacher_forcing
    done = (update - 1) / max(recipe.updates - 1, 1)
    return 1 - done * (1 - recipe.teacher_forcing)


def share(recipe: Recipe, update: int) -> float:
    """Return the share of the learning rate that the schedule leaves for an update, from 1."""
    done = (update - 1) / recipe.updates
    match recipe.schedule:
        case "cosine":
            return (1 + math.cos(math.pi * done)) / 2
        case "linear":
            return 1 - done
        case _:
            return 1.0
