"""Tasks that turn a random string into another one: Delétang et al. 2023, section 4."""

from __future__ import annotations

import string
from abc import abstractmethod

import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks import pairs
from rnnbench_tasks.drawn_pairs import BLANK, DrawnPairs
from rnnbench_tasks.parts import Part

SYMBOLS = string.digits + string.ascii_lowercase

FEWEST = 1000
"""So many strings there must be, so that every part has some."""


def options(shortest: int, longest: int) -> dict[str, rnnbench.Option]:
    """Return the options of a task on strings, with these default lengths."""
    return {
        "shortest": rnnbench.Option(shortest, low=1, help="the fewest symbols of a string"),
        "longest": rnnbench.Option(longest, low=1, help="the most symbols of a string"),
        "symbols": rnnbench.Option(
            10, low=2, high=len(SYMBOLS), help="how many different symbols: 0 … 9, then a … z"
        ),
        "test_longest": rnnbench.Option(
            0, low=0, help="the most in a test, above `longest`: tests are longer; 0: they are not"
        ),
        "embedding": rnnbench.Option(0, low=0, help="width of a symbol's vector; 0: one-hot"),
    }


class RandomStrings(DrawnPairs):
    """Strings of uniform symbols, their lengths uniform from `shortest` to `longest`.

    With `test_longest`, tests have strings of `longest` + 1 … `test_longest` symbols, and
    validation those of training.
    """

    reference = "Delétang et al. 2023, arXiv:2207.02098"

    shortest: int
    longest: int
    symbols: int
    test_longest: int
    embedding: int

    @abstractmethod
    def answer(self, strings: Tensor) -> Tensor:
        """Turn strings [steps, count], blanks behind each, into answers, blanks anywhere."""

    @property
    def sequence_length(self) -> int:
        """As many as the longest string of training has.

        Raises:
            DataError: the lengths contradict each other, or too few strings have them.
        """
        shortest, longest, beyond = self.shortest, self.longest, self.test_longest
        if shortest > longest:
            raise rnnbench.DataError(
                f"`shortest` is {shortest} and `longest` {longest}: give a longest that is no "
                "shorter"
            )
        if beyond and beyond <= longest:
            raise rnnbench.DataError(
                f"`test_longest` is {beyond} and `longest` {longest}: tests are longer than what "
                "is trained on, or like it with 0"
            )
        if self.symbols**longest < FEWEST:
            raise rnnbench.DataError(
                f"{self.symbols} symbols make {self.symbols**longest} strings of `longest` "
                f"{longest}; {FEWEST} are needed for three parts: give a greater `longest`"
            )
        return longest

    @property
    def target_length(self) -> int:
        """One more, for <END>."""
        return self.sequence_length + 1

    @property
    def inputs(self) -> rnnbench.Tokens:
        """The symbols."""
        return rnnbench.Tokens(self.symbols, self.embedding or None, tuple(SYMBOLS[: self.symbols]))

    @property
    def targets(self) -> rnnbench.Sequences:
        """The symbols, and <END>."""
        return rnnbench.Sequences(
            (*self.inputs.symbols, pairs.END), self.symbols, embedding=self.embedding or None
        )

    def drawn(self, part: Part, count: int, generator: Generator) -> Tensor:
        """Draw strings, blanks behind each: [most symbols, count]."""
        fewest, most = self.shortest, self.sequence_length
        if part == "test" and self.test_longest:
            fewest, most = most + 1, self.test_longest
        device = generator.device
        lengths = torch.randint(fewest, most + 1, (count,), generator=generator, device=device)
        strings = torch.randint(self.symbols, (most, count), generator=generator, device=device)
        steps = torch.arange(most, device=device).unsqueeze(1)
        return torch.where(steps < lengths, strings, BLANK)

    def source(self, drawn: Tensor) -> Tensor:
        """Return the strings themselves."""
        return drawn

    def target(self, drawn: Tensor) -> Tensor:
        """Return the answers."""
        return self.answer(drawn)

    def recover(self, source: Tensor) -> Tensor:
        """Return the strings themselves."""
        return source

    @property
    def mean_length(self) -> float:
        """How many symbols a string of training has on average."""
        return (self.shortest + self.longest) / 2
