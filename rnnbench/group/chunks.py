"""Which part of which batch an update sees, where sequences are trained chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass

from rnnbench.contracts import ONE_TARGET, Batch, Task
from rnnbench.member import Recipe


@dataclass(frozen=True)
class Chunks:
    """Cuts sequences of so many steps; with one chunk each update sees a whole batch.

    The state goes on from chunk to chunk, and the gradient does not (Williams & Peng 1990).
    """

    steps: int
    chunk: int

    @property
    def count(self) -> int:
        """How many chunks a sequence has."""
        return -(-self.steps // self.chunk)

    def batch(self, update: int) -> int:
        """Return the number of the batch that an update sees, both counted from 1."""
        return (update - 1) // self.count + 1

    def begins(self, update: int) -> bool:
        """Whether an update is the first of its batch."""
        return (update - 1) % self.count == 0

    def of(self, batch: Batch, update: int) -> Batch:
        """Return what an update sees of its batch."""
        if self.count == 1:
            return batch
        start = (update - 1) % self.count * self.chunk
        now = slice(start, start + self.chunk)
        inputs = batch.inputs[now]
        return Batch(
            inputs,
            batch.targets[now],
            None if batch.lengths is None else (batch.lengths - start).clamp(0, len(inputs)),
            None if batch.mask is None else batch.mask[now],
        )


def chunks(recipe: Recipe, task: Task) -> Chunks:
    """Return how a task's sequences are cut; where the target is one, an update needs them whole.

    There the gradient is cut inside of the network, and the one target reaches the last chunk.
    """
    steps = task.sequence_length
    if recipe.chunk is None or task.pattern in ONE_TARGET:
        return Chunks(steps, steps)
    return Chunks(steps, min(recipe.chunk, steps))
