"""Sequences with their targets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from rnnbench.contracts.pattern import ONE_TARGET, Pattern


@dataclass(frozen=True)
class Batch:
    """Sequences with their targets.

    inputs   Reals [time, batch, width] float32, Tokens [time, batch] int64, Images [time, batch,
             channels, height, width] float32, or Features [time, batch, places, depth] float32
    targets  one-to-one and many-to-one: [batch] or [batch, width];
             many-to-many: [time, batch] or [time, batch, width];
             one-to-many and sequence-to-sequence: [target time, batch], each closed by <END>
    lengths  [batch] int64, the valid steps of each input sequence; None: all of them
    mask     [time, batch] bool, many-to-many only: the steps that count; None: all valid ones
    images   a picture beside each sequence, where the task has an `image`: [batch, channels,
             height, width] or [batch, places, depth] float32

    Held-out data may say more:

    references  where targets are sequences, for each the texts that are right answers, one or
                several; None: the targets as they are written
    kinds       for each sequence the kinds it is of, such as the type of a question; what is
                scored is scored for each kind as well
    boxes       [target time, batch, 4], what in the picture each symbol of a target names: top,
                left, bottom and right, in shares of its height and width; NaN: nothing
    pictures    [batch, channels, height, width] from 0 to 1, to be shown in reports where the
                network is given something else, such as features
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor | None = None
    mask: Tensor | None = None
    images: Tensor | None = None
    references: tuple[tuple[str, ...], ...] | None = None
    kinds: tuple[tuple[str, ...], ...] | None = None
    boxes: Tensor | None = None
    pictures: Tensor | None = None

    def __len__(self) -> int:
        """Count the sequences."""
        return self.inputs.shape[1]

    def choose(self, rows: Tensor, pattern: Pattern) -> Batch:
        """Return the sequences of these numbers, [n] int64, of a batch of this pattern."""
        every_step = pattern not in ONE_TARGET

        def rows_of(tensor: Tensor | None, dim: int) -> Tensor | None:
            return None if tensor is None else tensor.index_select(dim, rows)

        def those(each: tuple[tuple[str, ...], ...] | None) -> tuple[tuple[str, ...], ...] | None:
            return None if each is None else tuple(each[row] for row in rows.tolist())

        return Batch(
            self.inputs.index_select(1, rows),
            self.targets.index_select(int(every_step), rows),
            rows_of(self.lengths, 0),
            rows_of(self.mask, 1),
            rows_of(self.images, 0),
            those(self.references),
            those(self.kinds),
            rows_of(self.boxes, 1),
            # what is only shown stays where it is
            None if self.pictures is None else self.pictures[rows.to(self.pictures.device)],
        )

    def draw(self, size: int, generator: Generator, pattern: Pattern) -> Batch:
        """Draw `size` sequences on the generator's device: different ones, unless there are fewer.

        A batch of all training sequences in memory gives training batches.
        """
        count, device = len(self), generator.device
        if size > count:
            rows = torch.randint(count, (size,), generator=generator, device=device)
        else:
            rows = torch.randperm(count, generator=generator, device=device)[:size]
        return self.choose(rows.to(self.inputs.device), pattern).to(device)

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on a device."""

        def moved(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device)

        return replace(
            self,
            inputs=self.inputs.to(device),
            targets=self.targets.to(device),
            lengths=moved(self.lengths),
            mask=moved(self.mask),
            images=moved(self.images),
            boxes=moved(self.boxes),
        )
