"""Text to symbols and numbers, and back."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

UNKNOWN = "<unk>"
"""What stands for every symbol that the training part does not have; its number is 0."""

UNITS = ("character", "word")
"""What a symbol may be."""

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]|\n")


def symbols(text: str, unit: str) -> list[str]:
    """Cut a text into its characters, or its words, punctuation marks and line ends."""
    return list(text) if unit == "character" else _WORD.findall(text)


def text_of(symbols: Iterable[str], unit: str) -> str:
    """Put symbols together again; between words stands a space."""
    return ("" if unit == "character" else " ").join(symbols)


@dataclass(frozen=True)
class Vocabulary:
    """Symbols by number; number 0 is `UNKNOWN`."""

    symbols: tuple[str, ...]

    @classmethod
    def of(cls, sequences: Iterable[Sequence[str]], most: int | None = None) -> Vocabulary:
        """Return the symbols of the training part, the most frequent first; `most` with unknown.

        Raises:
            ValueError: `most` leaves no place for the unknown symbol.
        """
        if most is not None and most < 1:
            raise ValueError(f"a vocabulary has 1 symbol at least, not {most}")
        counts = Counter(symbol for sequence in sequences for symbol in sequence)
        ordered = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
        kept = [symbol for symbol in ordered if symbol != UNKNOWN]
        return cls((UNKNOWN, *(kept if most is None else kept[: most - 1])))

    def __len__(self) -> int:
        """Count the symbols, the unknown one too."""
        return len(self.symbols)

    def encode(self, sequence: Iterable[str]) -> list[int]:
        """Return the numbers of symbols."""
        return [self._numbers.get(symbol, 0) for symbol in sequence]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Return the symbols of numbers."""
        return [self.symbols[number] for number in numbers]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols)}
