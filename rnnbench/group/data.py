"""The data that members train and are scored on, made from their named seeds."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Generator

from rnnbench.contracts import Batch, Split, Task
from rnnbench.member import Member
from rnnbench.seeds import Seeds


class Data:
    """The data of one setting, made from named seeds, on a device; equal seeds share it."""

    def __init__(self, task: Task, device: str) -> None:
        self._task, self._device = task, device
        self._seeds: dict[str, Seeds] = {}

    def batches(self, members: Sequence[Member], update: int) -> list[Batch]:
        """Draw each member's training batch of one update."""
        made: dict[int, Batch] = {}
        for member in members:
            if member.key not in self._seeds:
                self._seeds[member.key] = member.batch_seeds()
        seeds = [self._seeds[member.key].of(update) for member in members]
        for member, seed in zip(members, seeds, strict=True):
            if seed not in made:
                generator = Generator().manual_seed(seed)
                made[seed] = moved(self._task.batch(member.recipe.batch, generator), self._device)
        return [made[seed] for seed in seeds]

    def held_out(self, member: Member, split: Split) -> Batch:
        """Return a held-out set, the same for all members.

        Raises:
            SealedError: test data for a member that tunes: it has no seed for it.
        """
        generator = Generator().manual_seed(member.held_out_seed(split))
        return moved(self._task.held_out(split, generator), self._device)


def moved(batch: Batch, device: str) -> Batch:
    """Return a batch on a device."""
    if device == "cpu":
        return batch
    return Batch(
        batch.inputs.to(device),
        batch.targets.to(device),
        None if batch.lengths is None else batch.lengths.to(device),
        None if batch.mask is None else batch.mask.to(device),
    )
