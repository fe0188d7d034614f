"""Write a number in another way than it is given."""

from __future__ import annotations

from functools import cached_property, lru_cache
from itertools import chain
from math import log
from typing import NamedTuple

import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks import pairs
from rnnbench_tasks.drawn_pairs import BLANK, DrawnPairs
from rnnbench_tasks.number_words import SCRIPTS
from rnnbench_tasks.parts import Part

SMALL = 100
"""Numbers below are all trained on, as whoever is to combine words must know them."""


class Numerals(DrawnPairs):
    """Write a number in another way: in English words, in Korean, or in digits.

    With `read: english` and `write: korean`, and with `read: korean` and `write: digits`:

        input    twelve thousand three hundred forty five
        target   만   이 천 삼 백 사 십 오 <END>

        input    이 만   오 천
        target   2 5 0 0 0 <END>

    A step is a word in English ("forty-five" is two; no "and"), a syllable or space in Korean, and
    a digit. Korean is Sino-Korean in Hangul orthography (article 44): spaces only between 만 and
    what follows; 일 is silent before 십, 백 and 천, and before 만 where it would stand alone (만,
    but 십일만). English groups by thousands and Korean by ten thousands, so that words do not
    translate one by one: 이십삼만 is two hundred thirty thousand.

    Numbers run from 1 to `below` − 1, their logarithms uniform, so that short ones are as frequent
    as long ones. Those below 100 are all for training; of the rest a hash puts eight in ten into
    training and one each into validation and the test, so that tests ask for numbers never read
    before. Not causal: the answer begins when the whole number has been read.
    """

    name = "numerals"
    reference = "rnnbench; Hangul orthography (한글 맞춤법), article 44"
    options = {
        "read": rnnbench.Option("english", choices=tuple(SCRIPTS), help="what is given"),
        "write": rnnbench.Option("korean", choices=tuple(SCRIPTS), help="what is asked for"),
        "below": rnnbench.Option(
            100_000, low=1000, high=1_000_000, help="one more than the greatest number"
        ),
        "embedding": rnnbench.Option(0, low=0, help="width of a symbol's vector; 0: one-hot"),
    }

    read: str
    write: str
    below: int
    embedding: int

    @property
    def sequence_length(self) -> int:
        """As many symbols as the longest number read has.

        Raises:
            DataError: what is read is what is written.
        """
        return len(self._read.columns)

    @property
    def target_length(self) -> int:
        """As many symbols as the longest number written has, and <END>."""
        return len(self._asked.columns) + 1

    @property
    def inputs(self) -> rnnbench.Tokens:
        """Words, syllables or digits."""
        symbols, between = self._read.symbols, SCRIPTS[self.read].between
        return rnnbench.Tokens(len(symbols), self.embedding or None, symbols, between)

    @property
    def targets(self) -> rnnbench.Sequences:
        """Words, syllables or digits, and <END>."""
        symbols, between = self._asked.symbols, SCRIPTS[self.write].between
        return rnnbench.Sequences(
            (*symbols, pairs.END), len(symbols), between, embedding=self.embedding or None
        )

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far it is from the farthest word to what is said of it, on average.

        That is without attention, and as if each word were said where it stands in proportion.
        Forwards the first word is as far away as the source is long, and the last one as the
        target. With two directions the first ones are near, and the one in the middle is not.
        """
        source = self.test.lengths.double().mean().item()
        target = (self.test.targets != self.targets.end).sum(0).double().mean().item()
        return max(target, (source + target) / 2 if bidirectional else source)

    def drawn(self, part: Part, count: int, generator: Generator) -> Tensor:  # noqa: ARG002
        """Draw numbers: [1, count]."""
        place = torch.rand(
            1, count, generator=generator, device=generator.device, dtype=torch.float64
        )
        return (place * log(self.below)).exp().long().clamp(1, self.below - 1)

    def key(self, drawn: Tensor) -> Tensor:
        """Return the numbers; small ones all go where 0 goes, into training."""
        return torch.where(drawn < SMALL, 0, drawn)

    def source(self, drawn: Tensor) -> Tensor:
        """Write numbers as they are given: [steps, count]."""
        return self._read.columns.to(drawn.device)[:, drawn[0]].long()

    def target(self, drawn: Tensor) -> Tensor:
        """Write numbers as they are asked for: [steps, count]."""
        return self._asked.columns.to(drawn.device)[:, drawn[0]].long()

    def recover(self, source: Tensor) -> Tensor:
        """Look up which numbers are written so: [1, count]."""
        numbers = [self._known[_shown(column)] for column in source.T.tolist()]
        return torch.tensor([numbers], device=source.device)

    @property
    def _read(self) -> Written:
        if self.read == self.write:
            raise rnnbench.DataError(
                f"`read` and `write` are both {self.read}: ask for another way to write numbers"
            )
        return written(self.read, self.below)

    @property
    def _asked(self) -> Written:
        return written(self.write, self.below)

    @cached_property
    def _known(self) -> dict[tuple[int, ...], int]:
        """Every number by how it is given."""
        columns = self._read.columns.T.tolist()
        return {_shown(column): number for number, column in enumerate(columns)}


class Written(NamedTuple):
    """The numbers below a bound, as they are written.

    symbols  all that occur
    columns  [steps, bound] int8, symbols with blanks behind each number; nothing at 0
    """

    symbols: tuple[str, ...]
    columns: Tensor


@lru_cache(maxsize=len(SCRIPTS))
def written(script: str, below: int) -> Written:
    """Write the numbers below a bound."""
    texts = [[], *map(SCRIPTS[script].write, range(1, below))]
    every = [*chain.from_iterable(texts)]
    used = set(every)
    symbols = tuple(symbol for symbol in SCRIPTS[script].symbols if symbol in used)
    places = {symbol: place for place, symbol in enumerate(symbols)}
    lengths = torch.tensor([*map(len, texts)])
    rows = torch.full((below, int(lengths.max())), BLANK, dtype=torch.int8)
    within = torch.arange(rows.shape[1]) < lengths.unsqueeze(1)
    rows[within] = torch.tensor([places[symbol] for symbol in every], dtype=torch.int8)
    return Written(symbols, rows.T.contiguous())


def _shown(column: list[int]) -> tuple[int, ...]:
    return tuple(number for number in column if number != BLANK)


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide numerals."""
    return [Numerals]
