"""The temporal order task: name two letters in the order in which they came."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

import rnnbench
from rnnbench_tasks.certain import CERTAIN
from rnnbench_tasks.parts import HELD_OUT

LETTERS = 2
DISTRACTORS = 4


class TemporalOrder(rnnbench.Task):
    """Say which of AA, BA, AB, BB (classes 0 … 3) is hidden among the distractors c, d, e, f.

    Experiment 6a of Hochreiter & Schmidhuber (1997) in the form of Pascanu et al. (2013), as their
    code has it: tokens A B c d e f are 0 … 5; with w = ⌊length/10⌋ the first letter stands at a
    step uniform in [w, 2w), the second uniform in [⌊length/2⌋, ⌊length/2⌋ + w). With length 20:

        input   c f d A f f f f d f B e c f e c c c e d
        target  2

    Not causal: the answer is due after the last step, so reading backwards is fair.
    """

    name = "temporal_order"
    reference = "Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063"
    options = {
        # from 20 on, 4¹⁸ fillings keep held-out sequences apart
        "length": rnnbench.Option(50, low=20, help="number of time steps"),
    }
    pattern = "many-to-one"
    causal = False
    metrics = ("accuracy", "cross_entropy")

    length: int

    @property
    def sequence_length(self) -> int:
        """The chosen length."""
        return self.length

    @property
    def inputs(self) -> rnnbench.Tokens:
        """Two letters and four distractors."""
        return rnnbench.Tokens(LETTERS + DISTRACTORS)

    @property
    def targets(self) -> rnnbench.Classes:
        """The first letter plus twice the second."""
        return rnnbench.Classes(LETTERS**2)

    @property
    def anchors(self) -> rnnbench.Anchors:
        """One class in four; solved as in Pascanu et al. (2013): less than 1 % errors."""
        return rnnbench.Anchors(chance=0.25, trivial=0.25, oracle=1.0, solved=0.99)

    @property
    def _window(self) -> int:
        """The number of steps at which a letter may stand."""
        return self.length // 10

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farther letter is from its read-out, on average.

        Forwards that is the first letter. With two directions the first letter goes backwards and
        is near; the second, just past the middle, is the farther one and still goes forwards.
        """
        start = self.length // 2 if bidirectional else self._window
        return self.length - 1 - (start + (self._window - 1) / 2)

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` sequences: inputs [length, size], targets [size]."""
        device = generator.device
        tokens = torch.randint(
            LETTERS,
            LETTERS + DISTRACTORS,
            (self.length, size),
            generator=generator,
            device=device,
        )
        letters = torch.randint(LETTERS, (2, size), generator=generator, device=device)
        places = torch.randint(self._window, (2, size), generator=generator, device=device)
        places[0] += self._window
        places[1] += self.length // 2
        return rnnbench.Batch(tokens.scatter_(0, places, letters), letters[0] + 2 * letters[1])

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Draw 512 sequences for validation or 2048 for the test."""
        return self.batch(HELD_OUT[split], generator)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict all four classes alike: logits [batch, 4]."""
        return torch.zeros(len(batch), LETTERS**2, device=batch.inputs.device)

    def oracle(self, batch: rnnbench.Batch) -> Tensor:
        """Read the two letters off: logits [batch, 4]."""
        sequences = batch.inputs.T
        first, second = sequences[sequences < LETTERS].view(-1, 2).unbind(1)
        return CERTAIN * one_hot(first + 2 * second, LETTERS**2).float()


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide the temporal order task."""
    return [TemporalOrder]
