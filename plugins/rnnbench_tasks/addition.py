"""Add two numbers that are written in digits."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks import pairs
from rnnbench_tasks.drawn_pairs import BLANK, DrawnPairs
from rnnbench_tasks.parts import Part

DIGITS = tuple("0123456789")
PLUS = len(DIGITS)


class Addition(DrawnPairs):
    """Say the sum of two numbers, digit by digit.

    The addition of Zaremba & Sutskever (2014); with `reverse` the source is read backwards, as in
    the Keras example `addition_rnn`, which stands nearer to how one adds:

        input    1 2 3 + 4 5          reversed    5 4 + 3 2 1
        target   1 6 8 <END>          target      1 6 8 <END>

    Each number has `fewest` … `digits` digits, all counts alike, and is uniform among the numbers
    that have so many. No sum of training is in validation or in the test, nor with its two numbers
    exchanged: a hash of both numbers, the smaller one first, puts eight pairs in ten into training
    and one each into the others. Networks are given new draws, not the 50,000 fixed ones of Keras.

    Not causal: the answer begins when both numbers have been read.
    """

    name = "addition"
    reference = "Zaremba & Sutskever 2014, arXiv:1410.4615"
    options = {
        # from 2 on there are pairs enough for three parts
        "digits": rnnbench.Option(3, low=2, high=9, help="the most digits of a number"),
        "fewest": rnnbench.Option(1, low=1, high=9, help="the fewest digits of a number"),
        "reverse": rnnbench.Option(False, help="whether the source is read backwards"),
        "embedding": rnnbench.Option(0, low=0, help="width of a symbol's vector; 0: one-hot"),
    }

    digits: int
    fewest: int
    reverse: bool
    embedding: int

    @property
    def sequence_length(self) -> int:
        """Two numbers and the plus.

        Raises:
            DataError: `fewest` is more than `digits`.
        """
        if self.fewest > self.digits:
            raise rnnbench.DataError(
                f"`fewest` is {self.fewest} and `digits` {self.digits}: give as many digits or more"
            )
        return 2 * self.digits + 1

    @property
    def target_length(self) -> int:
        """The digits of a sum, one more than those of a number, and <END>."""
        return self.digits + 2

    @property
    def inputs(self) -> rnnbench.Tokens:
        """Ten digits and the plus."""
        return rnnbench.Tokens(PLUS + 1, self.embedding or None, (*DIGITS, "+"))

    @property
    def targets(self) -> rnnbench.Sequences:
        """Ten digits and <END>."""
        return rnnbench.Sequences(
            (*DIGITS, pairs.END), len(DIGITS), embedding=self.embedding or None
        )

    @property
    def floors(self) -> dict[str, float]:
        """Whoever adds place by place and never carries."""
        return {"no_carry": self.measured(self.without_carry(self.test))}

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far it is from the farthest digit to the place it is added at, on average.

        That is without attention; numbers count with their average lengths. Forwards it is any
        digit of the first number, and of reversed sources the last one of the second. With two
        directions the last digit of the first number is the farthest, if read the shorter way.
        """
        number = (self.test.lengths.double().mean().item() - 1) / 2
        answer = (self.test.targets != self.targets.end).sum(0).double().mean().item()
        if bidirectional:
            return answer + number - 1
        return answer + (2 * number if self.reverse else number + 1)

    def drawn(self, part: Part, count: int, generator: Generator) -> Tensor:  # noqa: ARG002
        """Draw two numbers: [2, count]."""
        device, most = generator.device, self.sequence_length // 2
        digits = torch.randint(
            self.fewest, most + 1, (2, count), generator=generator, device=device
        )
        behind = 10**digits
        first = torch.where(digits == 1, 0, behind // 10)
        place = torch.rand(2, count, generator=generator, device=device, dtype=torch.float64)
        return first + (place * (behind - first)).long()

    def key(self, drawn: Tensor) -> Tensor:
        """Return both numbers, the smaller one first."""
        return drawn.sort(0).values

    def source(self, drawn: Tensor) -> Tensor:
        """Write both numbers and the plus: [2 · digits + 1, count]."""
        one, other = drawn
        plus = torch.full_like(drawn[:1], PLUS)
        written = torch.cat([decimal(one, self.digits), plus, decimal(other, self.digits)])
        return written.flip(0) if self.reverse else written

    def target(self, drawn: Tensor) -> Tensor:
        """Write the sum: [digits + 1, count]."""
        return decimal(drawn.sum(0), self.digits + 1)

    def recover(self, source: Tensor) -> Tensor:
        """Read both numbers: [2, count]."""
        columns = (source.flip(0) if self.reverse else source).T.tolist()
        texts = ("".join(self.inputs.symbols[n] for n in c if n != BLANK) for c in columns)
        numbers = [[int(number) for number in text.split("+")] for text in texts]
        return torch.tensor(numbers, device=source.device).T

    def without_carry(self, batch: rnnbench.Batch) -> Tensor:
        """Add both numbers of each source place by place, modulo 10: [target steps, batch]."""
        one, other = (decimal(number, self.digits) for number in self.recovered(batch))
        alone = torch.maximum(one, other)
        added = torch.where((one == BLANK) | (other == BLANK), alone, (one + other) % 10)
        return self.said(added, batch)


def decimal(numbers: Tensor, places: int) -> Tensor:
    """Write numbers [count] in digits, blanks before the first: [places, count]."""
    values = 10 ** torch.arange(places - 1, -1, -1, device=numbers.device).unsqueeze(1)
    leading = numbers < values
    leading[-1] = False
    return (numbers // values % 10).masked_fill(leading, BLANK)


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide addition."""
    return [Addition]
