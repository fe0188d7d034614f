"""Successive halving and Hyperband with synchronous rungs: who trains on, and for how long.

The trials of a generation that start alike form a contest. All of them reach a rung before any is
dropped; then the best share by validation score goes on. What a trial leaves therefore depends on
the others in its contest and on nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["successive_halving", "hyperband"]


@dataclass(frozen=True)
class Pruner:
    """How trials are dropped.

    factor       at each rung one in so many trains on
    min_updates  the first rung; the next ones are `factor` times as far each
    """

    kind: Kind
    factor: int
    min_updates: int


@dataclass(frozen=True)
class Contest:
    """What decides how far a trial trains beside its own numbers.

    rungs  the updates after which trials are dropped
    peers  a digest of all trials that take part
    """

    rungs: tuple[int, ...]
    factor: int
    peers: str


def rungs(pruner: Pruner, updates: int, trials: int) -> list[tuple[int, ...]]:
    """Return the rungs of each trial of a generation.

    Successive halving (Jamieson & Talwalkar 2016) gives all trials the same. Hyperband (Li et al.
    2018) shares them out over brackets, of which each begins a rung later than the one before, in
    proportion to the sizes that it gives them: about `factor` times as many to a bracket as to the
    one that begins a rung later.
    """
    steps = []
    step = pruner.min_updates
    while step < updates:
        steps.append(step)
        step *= pruner.factor
    ladder = tuple(steps)
    if pruner.kind == "successive_halving":
        return [ladder] * trials
    last = len(ladder)
    sizes = [
        math.ceil((last + 1) / (last - first + 1) * pruner.factor ** (last - first))
        for first in range(last + 1)
    ]
    return [ladder[bracket:] for bracket in _shared_out(sizes, trials)]


def stay(scored: Sequence[tuple[float, float]], factor: int) -> list[int]:
    """Return the places of those that train on, in their order.

    scored  for each that reached the rung, what is to be small: score first, then what decides ties
    """
    count = max(1, len(scored) // factor)
    ranked = sorted(range(len(scored)), key=lambda place: (scored[place], place))
    return sorted(ranked[:count])


def _shared_out(sizes: Sequence[int], count: int) -> list[int]:
    """Return a bracket for each of `count` trials: at any time nearest to the wanted shares."""
    given = [0] * len(sizes)
    brackets = []
    for _ in range(count):
        bracket = min(range(len(sizes)), key=lambda b: ((given[b] + 1) / sizes[b], b))
        given[bracket] += 1
        brackets.append(bracket)
    return brackets
