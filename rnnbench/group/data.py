"""The data that members train and are scored on, made from their named seeds."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Generator

from rnnbench.contracts import Batch, Split, Task
from rnnbench.group.chunks import chunks
from rnnbench.member import Member
from rnnbench.seeds import Seeds


class Data:
    """The data of one setting, made from named seeds, on a device; equal seeds share it."""

    def __init__(self, task: Task, device: str) -> None:
        self._task, self._device = task, device
        self._seeds: dict[str, Seeds] = {}
        self._made: dict[int, Batch] = {}

    def batches(self, members: Sequence[Member], update: int) -> list[Batch]:
        """Draw what each member sees in one update: its batch, or the next chunk of it."""
        for member in members:
            if member.key not in self._seeds:
                self._seeds[member.key] = member.batch_seeds()
        cut = chunks(members[0], self._task)
        if cut.begins(update):
            self._made = {}
        number = cut.batch(update)
        seeds = [self._seeds[member.key].of(number) for member in members]
        for member, seed in zip(members, seeds, strict=True):
            if seed not in self._made:
                generator = Generator().manual_seed(seed)
                batch = self._task.batch(member.recipe.batch, generator)
                self._made[seed] = batch.to(self._device)
        return [cut.of(self._made[seed], update) for seed in seeds]

    def held_out(self, member: Member, split: Split) -> Batch:
        """Return a held-out set, the same for all members.

        Raises:
            SealedError: test data for a member that tunes: it has no seed for it.
        """
        generator = Generator().manual_seed(member.held_out_seed(split))
        return self._task.held_out(split, generator).to(self._device)
