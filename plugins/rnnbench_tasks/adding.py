"""Two adding tasks: sum the two marked numbers, placed anywhere or one in each half."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks.parts import HELD_OUT

# Hochreiter & Schmidhuber (1997) call an answer right when it is off by less than 0.04 on a target
# that spans 1. This target spans 2, so solved is a root mean squared error of 0.08. Knowing one of
# the two numbers still leaves 1/12 = 0.083.
SOLVED = 0.08**2


class Adding(rnnbench.Task):
    """What the adding tasks share; a task adds where the markers go."""

    options = {
        "length": rnnbench.Option(50, low=4, help="number of time steps"),
    }
    pattern = "many-to-one"
    causal = False
    metrics = ("mean_squared_error",)

    length: int

    @property
    def sequence_length(self) -> int:
        """The chosen length."""
        return self.length

    @property
    def inputs(self) -> rnnbench.Reals:
        """A value and a marker."""
        return rnnbench.Reals(2)

    @property
    def targets(self) -> rnnbench.Reals:
        """The sum."""
        return rnnbench.Reals(1)

    @property
    def anchors(self) -> rnnbench.Anchors:
        """Twice the variance of a sum of two U[0, 1), that variance, and no error at all.

        A guess drawn from the targets' own distribution errs by 2 · (1/12 + 1/12) = 1/3 in mean
        square; the constant 1 by 1/6.
        """
        return rnnbench.Anchors(chance=1 / 3, trivial=1 / 6, oracle=0.0, solved=SOLVED)

    @abstractmethod
    def places(self, size: int, generator: Generator) -> Tensor:
        """Draw the steps of the two markers: [2, size] int64, different from each other."""

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` sequences: inputs [length, size, 2], targets [size, 1]."""
        values = torch.rand(self.length, size, generator=generator, device=generator.device)
        places = self.places(size, generator)
        markers = torch.zeros_like(values).scatter_(0, places, 1.0)
        sums = values.gather(0, places).sum(0)
        return rnnbench.Batch(torch.stack((values, markers), -1), sums.unsqueeze(-1))

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Draw 512 sequences for validation or 2048 for the test."""
        return self.batch(HELD_OUT[split], generator)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the mean, 1: [batch, 1]."""
        return batch.inputs.new_ones(len(batch), 1)

    def oracle(self, batch: rnnbench.Batch) -> Tensor:
        """Add the marked values: [batch, 1]."""
        values, markers = batch.inputs.unbind(-1)
        return (values * markers).sum(0).unsqueeze(-1)


class AddingUniform(Adding):
    """Sum two marked numbers; the two steps are any two, in any order (Bai et al. 2018).

        value   .50 .77 .09 .13 .31 .63 .49 .90
        marker   .   1   .   .   .   .   1   .
        target  1.26

    Not causal: the answer is due after the last step, so reading backwards is fair.
    """

    name = "adding_uniform"
    reference = "Bai, Kolter & Koltun 2018, arXiv:1803.01271"

    def places(self, size: int, generator: Generator) -> Tensor:
        """Draw two different steps, all pairs alike: [2, size]."""
        first = torch.randint(self.length, (size,), generator=generator, device=generator.device)
        other = torch.randint(
            self.length - 1, (size,), generator=generator, device=generator.device
        )
        # stepping over the first keeps the other uniform on what is left
        return torch.stack((first, other + (other >= first)))

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farther of the two numbers is from its read-out, on average.

        Forwards this is the earlier of two steps, on average at (length − 2)/3. With two
        directions a step is as far as the nearer end, and each distance k < ⌊length/2⌋ belongs to
        two steps: the mean is Σₖ (1 − P(both within k)).
        """
        length, half = self.length, self.length // 2
        if not bidirectional:
            return (2 * length - 1) / 3
        return half - half * (half + 1) * (4 * half - 1) / (3 * length * (length - 1))


class AddingHalves(Adding):
    """Sum two marked numbers, one in each half (Arjovsky et al. 2016).

        value   .00 .11 .29 .03 .47 .06 .77 .74
        marker   .   1   .   .   .   .   .   1
        target   .85

    Of an odd length the second half is the longer one. Not causal: the answer is due after the
    last step, so reading backwards is fair.
    """

    name = "adding_halves"
    reference = "Arjovsky, Shah & Bengio 2016, arXiv:1511.06464"

    def places(self, size: int, generator: Generator) -> Tensor:
        """Draw a step from the first half and one from the second: [2, size]."""
        half, device = self.length // 2, generator.device
        first = torch.randint(half, (size,), generator=generator, device=device)
        second = torch.randint(half, self.length, (size,), generator=generator, device=device)
        return torch.stack((first, second))

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farther of the two numbers is from its read-out, on average.

        Forwards this is the first number, on average at (half − 1)/2. With two directions each
        number goes to its own end, so this is the mean of the larger of two uniform distances.
        """
        half = self.length // 2
        if not bidirectional:
            return self.length - 1 - (half - 1) / 2
        return half - (half + 1) * (2 * half + 1) / (6 * (self.length - half))


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide both adding tasks."""
    return [AddingUniform, AddingHalves]
