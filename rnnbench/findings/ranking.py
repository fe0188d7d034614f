"""Standings to an order that says how far it can be trusted: tie groups and intervals of ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rnnbench.findings.comparisons import differences, overall_scores
from rnnbench.findings.standings import Standings, Unit
from rnnbench.statistics import (
    ALPHA,
    Interval,
    holm,
    mean_interval,
    seeds_needed,
    sign_flip_test,
    smallest_p,
)


@dataclass(frozen=True)
class Place:
    """An architecture's place in the order: 95 % interval of its mean, tie group, ranks."""

    architecture: str
    score: Interval
    group: int
    rank_low: int
    rank_high: int


@dataclass(frozen=True)
class Ranking:
    """The order of the architectures that have all of `settings`, best first.

    by_test       whether pairs are separated by the corrected test; else, where seeds are too few
                  for it to pass, by the 95 % interval of the paired difference
    differences   row better than column, for each ordered pair of ranked architectures
    """

    settings: tuple[str, ...]
    places: tuple[Place, ...]
    by_test: bool
    units: int
    units_needed: int
    differences: Mapping[tuple[str, str], Interval]
    p_holm: Mapping[tuple[str, str], float]

    @property
    def leaders(self) -> tuple[Place, ...]:
        """The first place and every other that is not separated from it, in whatever group."""
        first = self.places[0].architecture if self.places else ""
        return tuple(
            place
            for place in self.places
            if place.architecture == first or not self.separated(first, place.architecture)
        )

    def separated(self, first: str, second: str) -> bool:
        """Whether the data put the two in an order."""
        return _separated(self.differences, self.p_holm, self.by_test, first, second)


def rank(gathered: Standings) -> Ranking:
    """Rank on the settings where every architecture that applies there, and has begun, has runs.

    A setting without a normalised score is left out.
    """
    architectures = list(dict.fromkeys(name for name, _ in gathered))
    settings = list(dict.fromkeys(name for _, name in gathered))
    begun = [a for a in architectures if any(gathered[a, s].runs for s in settings)]
    common = [
        s
        for s in settings
        if any(gathered[a, s].normalised for a in begun)
        and all(gathered[a, s].runs or gathered[a, s].skipped for a in begun)
    ]
    scores = {
        a: overall_scores([gathered[a, s] for s in common])
        for a in begun
        if common and all(gathered[a, s].runs for s in common)
    }
    # Where nothing finished, everybody's 0 is no result to rank by.
    if not any(standing.ok for standing in gathered.values()):
        scores = {}
    return order({a: units for a, units in scores.items() if units}, common)


def order(scores: Mapping[str, Mapping[Unit, float]], settings: Sequence[str]) -> Ranking:
    """Rank architectures by the mean of scores (larger is better) given unit by unit.

    An architecture starts a worse group only if it is separated from every member of the group
    above (EuroEval's rule). Its rank interval counts those it is separated from on either side
    (as Mogstad et al. 2024, from pairwise decisions).
    """
    means = {name: mean_interval(np.asarray(list(s.values()))) for name, s in scores.items()}
    best_first = sorted(means, key=lambda name: -means[name].estimate)
    pairs = [(a, b) for i, a in enumerate(best_first) for b in best_first[i + 1 :]]
    values = {pair: np.asarray(differences(scores[pair[0]], scores[pair[1]])) for pair in pairs}
    units = min((len(v) for v in values.values()), default=0)
    by_test = bool(pairs) and smallest_p(units) * len(pairs) <= ALPHA
    interval = {pair: mean_interval(v) for pair, v in values.items()}
    p_values = holm([sign_flip_test(v).p if by_test else math.nan for v in values.values()])
    p_holm = dict(zip(pairs, map(float, p_values), strict=True))
    interval |= {(b, a): _reversed(found) for (a, b), found in interval.items()}
    p_holm |= {(b, a): p for (a, b), p in p_holm.items()}

    def apart(first: str, second: str) -> bool:
        return _separated(interval, p_holm, by_test, first, second)

    places: list[Place] = []
    group: list[str] = []
    number = 0
    for name in best_first:
        if group and all(apart(name, member) for member in group):
            number, group = number + 1, []
        group.append(name)
        at = best_first.index(name)
        better = sum(apart(name, other) for other in best_first[:at])
        worse = sum(apart(name, other) for other in best_first[at + 1 :])
        places.append(Place(name, means[name], number, 1 + better, len(best_first) - worse))
    return Ranking(
        tuple(settings),
        tuple(places),
        by_test,
        units,
        seeds_needed(max(1, len(pairs))),
        interval,
        p_holm,
    )


def _reversed(interval: Interval) -> Interval:
    return Interval(-interval.estimate, -interval.high, -interval.low, interval.n)


def _separated(
    intervals: Mapping[tuple[str, str], Interval],
    p_holm: Mapping[tuple[str, str], float],
    by_test: bool,
    first: str,
    second: str,
) -> bool:
    if not intervals[first, second].excludes_zero:
        return False
    return not by_test or p_holm[first, second] <= ALPHA
