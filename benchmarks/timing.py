"""Time several sides alternately, so that what disturbs the machine disturbs them alike.

CPU time, since on a shared core the clock also counts what others do; of a single thread that
never waits, on a core of its own, both are the same.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

SHORTEST = 0.02
"""A timing lasts at least this many seconds; quick sides are called several times in it."""

MOST_ROUNDS = 201


@dataclass(frozen=True)
class Timing:
    """How long one side took.

    seconds  CPU time of one call, all threads together; one entry a round, the rounds of all
             sides being the same
    cores    CPU seconds in a second by the clock: above 1 where threads ran beside each other,
             below it where other processes took the core
    """

    seconds: tuple[float, ...]
    cores: float

    @property
    def median(self) -> float:
        """Return the median in seconds."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Return the lower and the upper quartile in seconds."""
        lower, _, upper = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return lower, upper


def alternate(
    sides: Mapping[str, Callable[[], object]], repeats: int, seconds: float
) -> dict[str, Timing]:
    """Time each side once a round, in shuffled order.

    repeats  at least so many rounds
    seconds  further rounds are begun until so much time is used
    """
    calls = {name: _calls(side) for name, side in sides.items()}
    used: dict[str, list[float]] = {name: [] for name in sides}
    waited = dict.fromkeys(sides, 0.0)
    order, shuffler = list(sides), random.Random(0)  # noqa: S311  no secret
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < repeats or (time.perf_counter() < end and rounds < MOST_ROUNDS):
        shuffler.shuffle(order)
        for name in order:
            cpu, wall = _time(sides[name], calls[name])
            used[name].append(cpu / calls[name])
            waited[name] += wall / calls[name]
        rounds += 1
    return {name: Timing(tuple(used[name]), sum(used[name]) / waited[name]) for name in sides}


def speedup(ours: Timing, theirs: Timing) -> float:
    """Return how many times faster we are: the median over the rounds of their time by ours."""
    pairs = zip(ours.seconds, theirs.seconds, strict=True)
    return statistics.median(their / our for our, their in pairs)


def _calls(side: Callable[[], object]) -> int:
    side()  # a first call may compile, and says nothing of the others
    cpu, _ = _time(side, 1)
    return max(1, math.ceil(SHORTEST / cpu))


def _time(side: Callable[[], object], calls: int) -> tuple[float, float]:
    """Return CPU seconds and the clock's."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        side()
    return time.process_time() - cpu, time.perf_counter() - wall
