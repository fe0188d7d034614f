"""Handwritten digits seen at once: one input, one answer, and nothing to remember."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks import scans


class StaticDigits(rnnbench.Task):
    """Name the handwritten digit whose 8 × 8 scan is seen at once, all 64 values in one step.

    The scans and parts of `sequential_digits`, without a sequence: what is left of a recurrent cell
    is its first step, so a network without recurrence should do at least as well. The first scan,
    in sixteenths, whose lines stand one after the other in the only step:

        input    0  0  5 13  9  1  0  0
                 0  0 13 15 10 15  5  0
                 0  3 15  2  0 11  8  0
                 0  4 12  0  0  8  8  0
                 0  5  8  0  0  9  8  0
                 0  4 11  0  1 12  7  0
                 0  2 14  5 10 12  0  0
                 0  0  6 13 10  0  0  0
        target   0

    Not causal: the answer is due after the only step.
    """

    name = "static_digits"
    reference = "Alpaydin & Kaynak 1998, doi:10.24432/C50P49"
    pattern = "one-to-one"
    causal = False
    metrics = ("accuracy", "cross_entropy")

    @property
    def sequence_length(self) -> int:
        """One step."""
        return 1

    @property
    def inputs(self) -> rnnbench.Reals:
        """A scan."""
        return rnnbench.Reals(scans.SIDE**2)

    @property
    def targets(self) -> rnnbench.Classes:
        """The digit."""
        return rnnbench.Classes(scans.DIGITS)

    @property
    def anchors(self) -> rnnbench.Anchors:
        """A guess, and the digit that is most frequent in training; nobody knows the rule.

        Solved is what the nearest neighbour reaches: 0.980.
        """
        digits, floors = scans.parts()["test"].digits, scans.floors()
        return rnnbench.Anchors(
            chance=1 / scans.DIGITS,
            trivial=(digits == scans.most_frequent()).double().mean().item(),
            oracle=None,
            solved=max(floors.values()),
            floors=floors,
        )

    def shortest_path(self, bidirectional: bool) -> float:  # noqa: ARG002  one answer for both
        """Return 0: the answer is due at the step that is read."""
        return 0.0

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` different training scans: inputs [1, size, 64], targets [size].

        Raises:
            ValueError: there are not as many.
        """
        train, device = scans.parts()["train"], generator.device
        rows = scans.draw(size, generator)
        return rnnbench.Batch(
            train.values.to(device)[rows].unsqueeze(0), train.digits.to(device)[rows]
        )

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return the 357 scans for validation or the 355 for the test."""
        part, device = scans.parts()[split], generator.device
        return rnnbench.Batch(part.values.to(device).unsqueeze(0), part.digits.to(device))

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the digit that is most frequent in training: logits [batch, 10]."""
        logits = torch.zeros(len(batch), scans.DIGITS, device=batch.inputs.device)
        logits[:, scans.most_frequent()] = 1.0
        return logits


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide the digits."""
    return [StaticDigits]
