"""What inputs and targets may be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import takewhile


@dataclass(frozen=True)
class Reals:
    """Real vectors: inputs [time, batch, width], targets [batch, width] or [time, batch, width]."""

    width: int


@dataclass(frozen=True)
class Tokens:
    """Symbols out of a vocabulary: inputs [time, batch], int64.

    The network sees them one-hot, or as rows of a trained table that are `embedding` wide. Where
    `symbols` says how each is written, and `between` what stands between two, reports can show
    what was read.
    """

    vocabulary: int
    embedding: int | None = None
    symbols: tuple[str, ...] = ()
    between: str = ""


@dataclass(frozen=True)
class Images:
    """Pictures: inputs [time, batch, channels, height, width] float32, from 0 (black) to 1.

    One step for a picture, or one for each frame of a video. The network looks at each with a small
    convolutional network that is trained with the rest: for each of `filters` a convolution of
    3 × 3 with stride 2, so wide, and a ReLU. What comes out are the places of the picture, row by
    row; a layer reads a linear map of all of them, `embedding` wide.
    """

    channels: int
    height: int
    width: int
    filters: tuple[int, ...] = (16, 32, 32)
    embedding: int = 64

    @property
    def grid(self) -> tuple[int, int]:
        """In how many rows and columns the places lie."""
        # each convolution halves, and rounds up
        halved = 2 ** len(self.filters)
        return -(-self.height // halved), -(-self.width // halved)

    @property
    def depth(self) -> int:
        """How many numbers each place has."""
        return self.filters[-1] if self.filters else self.channels


@dataclass(frozen=True)
class Features:
    """Features of pictures, made beforehand: inputs [time, batch, places, depth] float32.

    A layer reads a linear map of all places, `embedding` wide; None: all their numbers.
    """

    places: int
    depth: int
    embedding: int | None = None
    rows: int | None = None

    @property
    def grid(self) -> tuple[int, int]:
        """In how many rows and columns the places lie, row by row; (0, 0) where it is not known.

        Without `rows`, a square number of places is a square.
        """
        side = math.isqrt(self.places)
        if self.rows is not None:
            return self.rows, self.places // self.rows
        return (side, side) if side * side == self.places else (0, 0)


Inputs = Reals | Tokens | Images | Features
"""What an input may be."""


@dataclass(frozen=True)
class Classes:
    """One of `count` classes: targets [batch] or [time, batch], int64; predictions are logits.

    A held-out target may be -1, something that is no class: no prediction of it is right, and it
    adds nothing to the loss. Where `names` says what the classes are called, reports can show what
    was predicted.
    """

    count: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Labels:
    """Any of `count` labels at once: targets [batch, count] or [time, batch, count], 0 or 1.

    Predictions are logits, one a label.
    """

    count: int


@dataclass(frozen=True)
class Sequences:
    """Sequences of symbols that a decoder says one by one: targets [target time, batch], int64.

    Each target closes with the symbol number `end`, <END>; what stands after it does not count. The
    decoder is given <START>, which is none of the symbols, and then what it said last, one-hot or
    as rows of a trained table that are `embedding` wide. Predictions are the numbers of what it
    said, [target time, batch] int64, and anything after the first `end`.

    symbols  how each is written; their count is the vocabulary
    between  what stands between two symbols of a text: nothing, or a space
    unknown  the symbol that stands for whatever the vocabulary lacks, which is never said
    """

    symbols: tuple[str, ...]
    end: int
    between: str = ""
    unknown: int | None = None
    embedding: int | None = None

    @property
    def count(self) -> int:
        """How many symbols there are, `end` and `unknown` among them."""
        return len(self.symbols)

    def until_end(self, numbers: Iterable[int]) -> list[int]:
        """Return what stands before the first `end`."""
        return list(takewhile(lambda number: number != self.end, numbers))

    def text(self, numbers: Iterable[int]) -> str:
        """Write a sequence, up to its first `end`."""
        return self.between.join(self.symbols[number] for number in self.until_end(numbers))


Targets = Reals | Classes | Labels | Sequences
"""What a target may be."""
