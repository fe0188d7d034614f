"""Decide whether the members of a study train together or in turn, and say why.

Together pays where tensors are small, and is right only where a member's numbers do not depend on
its neighbours, to the last bit. Rules sort out what is known to pay no more, or to depend; what is
left is tried: three members, of which two are the same, make two updates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator

from rnnbench.contracts import Batch, Cell, Layer, Task
from rnnbench.group.building import network_of
from rnnbench.group.chunks import chunks
from rnnbench.group.group import Group
from rnnbench.group.steps import Programs
from rnnbench.member import Member, Way

SMALL = 128
"""Hidden units from which on a processor's products take most of the time of an update."""

VECTOR = 32
"""Batches of a multiple of this are whole vectors: torch computes the rest of one otherwise."""

CLOSE = 1e-3
"""Training together and in turn round otherwise; what differs by more is not the same program."""


@dataclass(frozen=True)
class Chosen:
    """How the members of a study train, and why that way."""

    way: Way
    reason: str


class Ways:
    """Chooses ways, and tries each network and kind of data once, whatever the length."""

    def __init__(self) -> None:
        self._tried: dict[tuple[object, ...], str] = {}

    def choose(self, member: Member, unit: type[Cell] | type[Layer], task: Task) -> Chosen:
        """Choose for the members of this shape.

        The choice follows from the shapes, the device kind and the backend, never from the
        machine's load, since it is part of what decides a result.
        """
        against = _rule(member) or self._trial(member, unit, task)
        if against:
            return Chosen("in turn", against)
        return Chosen("together", "small tensors share a program, and none depends on the others")

    def _trial(self, member: Member, unit: type[Cell] | type[Layer], task: Task) -> str:
        setting = replace(member.setting, options={})
        try:
            batches = [
                task.batch(member.recipe.batch, Generator().manual_seed(seed)).to(member.device)
                for seed in (0, 1, 0)
            ]
        except Exception as error:  # noqa: BLE001  a task's own code
            return f"its batches cannot be made: {type(error).__name__}: {error}"
        alike = (
            replace(member, setting=setting).shape,
            repr((task.inputs, task.image, task.targets, task.pattern, task.loss_over_steps)),
            # whatever the length
            *((batch.lengths is None, batch.mask is None) for batch in batches),
            len({batch.inputs.shape for batch in batches}),
        )
        if alike not in self._tried:
            try:
                self._tried[alike] = _tried(member, unit, task, batches)
            except Exception as error:  # noqa: BLE001  whatever an author's code does inside vmap
                said = str(error).strip().partition("\n")[0]
                why = f"it cannot be batched: {type(error).__name__}: {said[:200]}"
                self._tried[alike] = why
        return self._tried[alike]


def _rule(member: Member) -> str:
    """Return why members of this shape are not even tried together, if so."""
    wanted = "kernel" if member.device == "cpu" else "fused"
    recurrent = member.architecture.kind == "cell" and member.architecture.without != "question"
    if recurrent and member.backend != wanted:
        return f"backend {member.backend} runs one member at a time"
    if member.device != "cpu":
        return ""
    if member.architecture.hidden >= SMALL:
        return f"from {SMALL} hidden units on a processor gains nothing"
    if member.recipe.batch % VECTOR:
        return f"a batch of {member.recipe.batch} is no multiple of {VECTOR}"
    return ""


def _tried(member: Member, unit: type[Cell] | type[Layer], task: Task, batches: list[Batch]) -> str:
    """Return what goes wrong when members make two updates together, if anything does."""
    other = replace(
        member,
        recipe=replace(member.recipe, learning_rate=member.recipe.learning_rate / 2),
        seed=replace(member.seed, index=member.seed.index + 1),
    )
    members = [member, other, member]
    together, in_turn = (
        _group([replace(one, way=way) for one in members], unit, task)
        for way in ("together", "in turn")
    )
    cut = chunks(member, task)
    for update in (1, 2):
        parts = [cut.of(batch, update) for batch in batches]
        losses = together.update(update, parts)
        expected = in_turn.update(update, parts)
        if not torch.allclose(losses, expected, rtol=CLOSE, atol=CLOSE, equal_nan=True):
            return "it computes something else inside vmap"
        same = torch.allclose(together.row(0), together.row(2), rtol=0, atol=0, equal_nan=True)
        if member.device == "cpu" and not same:
            return "a member's last bits depend on its neighbours"
    return ""


def _group(members: list[Member], unit: type[Cell] | type[Layer], task: Task) -> Group:
    networks = [network_of(member, unit, task) for member in members]
    return Group(networks, task, members, Programs())
