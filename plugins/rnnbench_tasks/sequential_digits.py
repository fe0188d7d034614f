"""Handwritten digits read as sequences: a small real data set that needs no download."""

from __future__ import annotations

from functools import cached_property

from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks import scans
from rnnbench_tasks.parts import Part


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
        return scans.SIDE**2 // self.inputs.width

    @property
    def inputs(self) -> rnnbench.Reals:
        """A pixel or a row."""
        return rnnbench.Reals(scans.SIDE if self.order == "rows" else 1)

    @property
    def targets(self) -> rnnbench.Classes:
        """The digit."""
        return rnnbench.Classes(scans.DIGITS)

    @property
    def anchors(self) -> rnnbench.Anchors:
        """A guess, and the digit that is most frequent in training; nobody knows the rule.

        Solved is 0.9, what the nearest of ten mean scans reaches without reading a sequence (0.902
        on the validation part, 0.915 on the test part; the nearest neighbour reaches 0.980).
        """
        digits = scans.parts()["test"].digits
        return rnnbench.Anchors(
            chance=1 / scans.DIGITS,
            trivial=(digits == scans.most_frequent()).double().mean().item(),
            oracle=None,
            solved=0.9,
            floors=scans.floors(),
        )

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
        rows = scans.draw(size, generator)
        return rnnbench.Batch(
            train.inputs.to(device).index_select(1, rows), train.targets.to(device)[rows]
        )

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return the 357 scans for validation or the 355 for the test."""
        part, device = self._parts[split], generator.device
        return rnnbench.Batch(part.inputs.to(device), part.targets.to(device))

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the digit that is most frequent in training: logits [batch, 10]."""
        logits = batch.inputs.new_zeros(len(batch), scans.DIGITS)
        logits[:, scans.most_frequent()] = 1.0
        return logits

    @cached_property
    def _parts(self) -> dict[Part, rnnbench.Batch]:
        """Lay the scans out as sequences: inputs [steps, count, values], targets [count]."""
        shape = (-1, self.sequence_length, self.inputs.width)
        return {
            name: rnnbench.Batch(values.view(shape).transpose(0, 1).contiguous(), digits)
            for name, (values, digits) in scans.parts().items()
        }


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide the digits."""
    return [SequentialDigits]
