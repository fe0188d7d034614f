"""Pairs of a source and a target in words or characters: dealt into parts, and put in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import rnnbench
from rnnbench_tasks.pairs import Pair
from rnnbench_tasks.parts import Part

Symbols = tuple[str, ...]


class Written(NamedTuple):
    """A source and its target in symbols, each of which has one at least."""

    source: Symbols
    target: Symbols


def by_source(pairs: Iterable[Written]) -> dict[Symbols, list[Symbols]]:
    """Return the different targets of every source, both in the order in which they come."""
    targets: dict[Symbols, dict[Symbols, None]] = {}
    for source, target in pairs:
        targets.setdefault(source, {})[target] = None
    return {source: list(different) for source, different in targets.items()}


def deal(pairs: Sequence[Written], shares: Mapping[Part, float]) -> dict[Part, list[Written]]:
    """Deal pairs into parts by their source: all pairs of a source are in one part, in order.

    Raises:
        ValueError: there are fewer different sources than parts.
    """
    number = {source: place for place, source in enumerate(by_source(pairs))}
    dealt = rnnbench.deal(len(number), shares)
    part_of = {place: part for part, places in dealt.items() for place in places}
    parts: dict[Part, list[Written]] = {part: [] for part in shares}
    for pair in pairs:
        parts[part_of[number[pair.source]]].append(pair)
    return parts


def numbered(
    pairs: Iterable[Written], source: rnnbench.Vocabulary, target: rnnbench.Vocabulary
) -> list[Pair]:
    """Put the symbols of both sides in numbers."""
    return [Pair(source.encode(pair.source), target.encode(pair.target)) for pair in pairs]


def unknown(sequences: Iterable[Symbols], vocabulary: rnnbench.Vocabulary) -> float:
    """Return the share of all symbols that the vocabulary lacks."""
    known = set(vocabulary.symbols) - {rnnbench.UNKNOWN}
    found = [symbol in known for sequence in sequences for symbol in sequence]
    return found.count(False) / len(found)


def path(pairs: Sequence[Pair], bidirectional: bool) -> float:
    """Return how far the farthest symbol of a source is from the end of its target, on average.

    Forwards that is the first symbol, which goes by all others; with two directions one in the
    middle. From there it goes by all symbols of the target, since where each of them stands
    depends on all before.
    """
    last = [len(pair.source) - 1 for pair in pairs]
    steps = sum(place // 2 if bidirectional else place for place in last)
    return (steps + sum(len(pair.target) for pair in pairs)) / len(pairs)
