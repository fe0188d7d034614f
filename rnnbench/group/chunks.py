"""Which part of which batch an update sees, where sequences are trained chunk by chunk."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rnnbench.contracts import Batch, Task
from rnnbench.errors import PluginError
from rnnbench.member import Member


@dataclass(frozen=True)
class Chunks:
    """Cuts sequences of so many steps; with one chunk each update sees a whole batch.

    The state goes on from chunk to chunk, and the gradient does not (Williams & Peng 1990). What
    carries no state is given all steps up to the end of the chunk, of which those of the chunk
    count (`stateless`).
    """

    steps: int
    chunk: int
    stateless: bool = False

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
        stop = min(start + self.chunk, self.steps)
        if len(batch.inputs) != self.steps:
            raise PluginError(
                f"a training batch has {len(batch.inputs)} steps and the task's sequence_length is "
                f"{self.steps}; chunks need them to be the same"
            )
        if self.stateless:
            return self._prefix(batch, start, stop)
        now = slice(start, stop)
        inputs = batch.inputs[now]
        return Batch(
            inputs,
            batch.targets[now],
            None if batch.lengths is None else (batch.lengths - start).clamp(0, len(inputs)),
            None if batch.mask is None else batch.mask[now],
        )

    def _prefix(self, batch: Batch, start: int, stop: int) -> Batch:
        """Return all steps up to the end of a chunk; only those from its start on count."""
        inputs = batch.inputs[:stop]
        steps = torch.arange(stop, device=inputs.device).unsqueeze(-1)
        counts = (steps >= start).expand(stop, len(batch))
        return Batch(
            inputs,
            batch.targets[:stop],
            None if batch.lengths is None else batch.lengths.clamp(max=stop),
            counts if batch.mask is None else batch.mask[:stop] & counts,
        )


def chunks(member: Member, task: Task) -> Chunks:
    """Return how a member's sequences are cut: where there is a target at every step.

    Elsewhere an update needs them whole; there the gradient is cut inside of the network, and what
    is read at the end reaches the last chunk.
    """
    steps, chunk = task.sequence_length, member.recipe.chunk
    if chunk is None or task.pattern != "many-to-many":
        return Chunks(steps, steps)
    return Chunks(steps, min(chunk, steps), stateless=member.architecture.kind == "layer")
