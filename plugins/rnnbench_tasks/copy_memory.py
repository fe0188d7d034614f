"""The copying memory task: repeat ten symbols after a long wait."""

from __future__ import annotations

from math import log

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

import rnnbench
from rnnbench_tasks.certain import CERTAIN
from rnnbench_tasks.parts import HELD_OUT

SYMBOLS = 10
LETTERS = 8
BLANK = 0
MARKER = 9


class CopyMemory(rnnbench.Task):
    """Repeat ten symbols after `length` blanks, the last of which is a marker.

    The definition of Arjovsky et al. (2016), with their one marker (Bai et al. 2018
    use eleven and a tenth class). `length` is the T of the papers: a sequence has T + 20 steps,
    10 symbols out of 1 … 8, T − 1 blanks (0), one marker (9) and 10 blanks. With T = 4:

        input   5 8 6 1 4 4 4 8 2 4 0 0 0 9 0 0 0 0 0 0 0 0 0 0
        target  0 0 0 0 0 0 0 0 0 0 0 0 0 0 5 8 6 1 4 4 4 8 2 4

    The loss is the mean over all T + 20 steps. So is accuracy, which the blanks alone bring to
    (T + 10) / (T + 20).

    Causal: the answers are due while the sequence is still being read.
    """

    name = "copy_memory"
    reference = "Arjovsky, Shah & Bengio 2016, arXiv:1511.06464"
    options = {
        "length": rnnbench.Option(20, low=1, help="T: a sequence has T + 20 steps"),
    }
    pattern = "many-to-many"
    causal = True
    metrics = ("cross_entropy", "accuracy")

    length: int

    @property
    def sequence_length(self) -> int:
        """T + 20."""
        return self.length + 2 * SYMBOLS

    @property
    def inputs(self) -> rnnbench.Tokens:
        """Blank, eight symbols and the marker."""
        return rnnbench.Tokens(10)

    @property
    def targets(self) -> rnnbench.Classes:
        """Blank and eight symbols."""
        return rnnbench.Classes(9)

    @property
    def anchors(self) -> rnnbench.Anchors:
        """Nine equal classes; knowing when but not what, 10 ln 8 / (T + 20); and knowing all.

        Solved is a tenth of the memoryless loss: nine tenths of the information are recalled, a
        symbol with a (geometric) mean probability of 8^(−1/10) = 0.81.
        """
        memoryless = SYMBOLS * log(LETTERS) / self.sequence_length
        return rnnbench.Anchors(
            chance=log(9), trivial=memoryless, oracle=0.0, solved=memoryless / 10
        )

    def shortest_path(self, bidirectional: bool) -> float:  # noqa: ARG002  one answer for both
        """Return T + 10: the steps from each symbol to its answer.

        A backward direction does not shorten it, as it reads an answer's step before the symbol.
        """
        return float(self.length + SYMBOLS)

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` sequences: inputs and targets [T + 20, size]."""
        return self._around(self._symbols(size, generator))

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Draw 512 sequences for validation or 2048 for the test.

        There are only 8¹⁰ sequences, so that two sets would share one now and then. Here the
        symbols of a validation sequence have an even sum and those of a test sequence an odd one;
        any nine of the ten are still uniform and independent.
        """
        symbols = self._symbols(HELD_OUT[split], generator)
        wrong = (symbols.sum(0) + (split == "test")) % 2
        symbols[-1] = ((symbols[-1] - 1) ^ wrong) + 1  # 1 ↔ 2, 3 ↔ 4, 5 ↔ 6, 7 ↔ 8
        return self._around(symbols)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict blanks, then any symbol alike: logits [T + 20, batch, 9]."""
        logits = torch.zeros(*batch.inputs.shape, 9, device=batch.inputs.device)
        logits[:-SYMBOLS, :, BLANK] = CERTAIN
        logits[-SYMBOLS:, :, BLANK] = -CERTAIN
        return logits

    def oracle(self, batch: rnnbench.Batch) -> Tensor:
        """Predict blanks, then the symbols read: logits [T + 20, batch, 9]."""
        answers = torch.full_like(batch.inputs, BLANK)
        answers[-SYMBOLS:] = batch.inputs[:SYMBOLS]
        return CERTAIN * one_hot(answers, 9).float()

    def _symbols(self, size: int, generator: Generator) -> Tensor:
        """Draw what is to be remembered: [10, size], each 1 … 8."""
        return torch.randint(
            1, LETTERS + 1, (SYMBOLS, size), generator=generator, device=generator.device
        )

    def _around(self, symbols: Tensor) -> rnnbench.Batch:
        """Lay the sequences out around their symbols [10, batch]."""
        inputs = symbols.new_full((self.sequence_length, symbols.shape[1]), BLANK)
        targets = torch.full_like(inputs, BLANK)
        inputs[:SYMBOLS] = symbols
        inputs[-SYMBOLS - 1] = MARKER
        targets[-SYMBOLS:] = symbols
        return rnnbench.Batch(inputs, targets)


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide the copying memory task."""
    return [CopyMemory]
