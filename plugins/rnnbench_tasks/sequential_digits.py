"""Handwritten digits read as sequences: a small real data set that needs no download."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Generator, Tensor

import rnnbench

Part = Literal["train", "valid", "test"]

SIDE = 8
DIGITS = 10

# Of every five scans of a digit, in file order. The rule needs no random numbers, so the split is
# the same with every version of NumPy.
PARTS: tuple[Part, ...] = ("train", "train", "train", "valid", "test")


class SequentialDigits(rnnbench.Task):
    """Name the handwritten digit whose 8 × 8 scan is read pixel by pixel or row by row.

    The 1797 scans that scikit-learn bundles (the test part of Alpaydin & Kaynak 1998), all
    different, each value 0 … 16 scaled to [0, 1]. Of each digit three fifths are for training, a
    fifth for validation and a fifth for the test: 1085, 357 and 355 scans. The first scan, in
    sixteenths, in which `order: rows` makes each line one step of 8 values, and `order: pixels`
    each number one of 64 steps:

        input    0  0  5 13  9  1  0  0
                 0  0 13 15 10 15  5  0
                 0  3 15  2  0 11  8  0
                 0  4 12  0  0  8  8  0
                 0  5  8  0  0  9  8  0
                 0  4 11  0  1 12  7  0
                 0  2 14  5 10 12  0  0
                 0  0  6 13 10  0  0  0
        target   0

    Not causal: the answer is due after the last step, so reading backwards is fair.
    """

    name = "sequential_digits"
    reference = (
        "Alpaydin & Kaynak 1998, doi:10.24432/C50P49; read as sequences as in Le et al. 2015"
    )
    options = {
        "order": rnnbench.Option(
            "pixels", choices=("pixels", "rows"), help="64 steps of 1 value, or 8 steps of 8"
        ),
    }
    pattern = "many-to-one"
    causal = False
    metrics = ("accuracy", "cross_entropy")

    order: str

    @property
    def sequence_length(self) -> int:
        """64 pixels or 8 rows."""
        return SIDE * SIDE // self.inputs.width

    @property
    def inputs(self) -> rnnbench.Reals:
        """A pixel or a row."""
        return rnnbench.Reals(SIDE if self.order == "rows" else 1)

    @property
    def targets(self) -> rnnbench.Classes:
        """The digit."""
        return rnnbench.Classes(DIGITS)

    @property
    def anchors(self) -> rnnbench.Anchors:
        """A guess, and the digit that is most frequent in training; nobody knows the rule.

        Solved is 0.9, what the nearest of ten mean scans reaches without reading a sequence (0.902
        on the validation part, 0.915 on the test part; the nearest neighbour reaches 0.980).
        """
        test = self._parts["test"].targets
        frequent = (test == self._most_frequent).sum().item() / len(test)
        return rnnbench.Anchors(chance=1 / DIGITS, trivial=frequent, oracle=None, solved=0.9)

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farthest step is from its read-out: all of them count.

        With two directions that is a step in the middle.
        """
        last = self.sequence_length - 1
        return float(last // 2 if bidirectional else last)

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` different training scans: inputs [steps, size, values], targets [size].

        Raises:
            ValueError: there are not as many.
        """
        train, device = self._parts["train"], generator.device
        if size > len(train):
            raise ValueError(
                f"a batch of {size} asks for more than the {len(train)} training scans"
            )
        rows = torch.randperm(len(train), generator=generator, device=device)[:size]
        return rnnbench.Batch(
            train.inputs.to(device).index_select(1, rows), train.targets.to(device)[rows]
        )

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return the 357 scans for validation or the 355 for the test."""
        part, device = self._parts[split], generator.device
        return rnnbench.Batch(part.inputs.to(device), part.targets.to(device))

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the digit that is most frequent in training: logits [batch, 10]."""
        logits = batch.inputs.new_zeros(len(batch), DIGITS)
        logits[:, self._most_frequent] = 1.0
        return logits

    @cached_property
    def _most_frequent(self) -> int:
        return int(self._parts["train"].targets.bincount().argmax())

    @cached_property
    def _parts(self) -> dict[Part, rnnbench.Batch]:
        """Read the scans and cut them into parts."""
        # Importing it takes most of a second, which every listing of tasks would pay.
        from sklearn.datasets import load_digits

        scans, digits = load_digits(return_X_y=True)
        rank = np.zeros_like(digits)
        for digit in range(DIGITS):
            same = digits == digit
            rank[same] = np.arange(same.sum())
        part = np.array(PARTS)[rank % len(PARTS)]
        inputs = torch.from_numpy(scans).float().div(16)
        inputs = inputs.view(len(scans), self.sequence_length, self.inputs.width).transpose(0, 1)
        targets = torch.from_numpy(digits).long()
        rows = {name: torch.from_numpy(np.flatnonzero(part == name)) for name in PARTS}
        return {
            name: rnnbench.Batch(inputs.index_select(1, those), targets[those])
            for name, those in rows.items()
        }


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide the digits."""
    return [SequentialDigits]
