"""Which of the missing members start next, as one group."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rnnbench.protocol import Ask

MOST = {"cpu": 8, "cuda": 64}
"""Members in a group at most, by device: on a processor more share hardly more, and what they
remember leaves the cache."""


def next_group(
    missing: Sequence[Ask],
    asks: Iterable[Ask],
    free: int,
    memory: int,
) -> list[Ask]:
    """Return the first missing member and those that may train with it.

    A group changes no result, so that its size may follow from what is left to do: every free
    worker shall have something, and groups be about as large as each other. A contest is a group
    as it is, with those that have finished before, or one by one where it takes too much memory or
    its members are no networks of one shape.

    asks    all members that are known to be needed
    free    how many groups can start now
    memory  bytes that a worker may take
    """
    first = missing[0]
    if first.member.contest is not None:
        together = peers(first, asks)
        of_one_shape = len({ask.member.shape for ask in together}) == 1
        fits = len(together) * first.built.member_bytes <= memory
        return together if of_one_shape and fits else [first]
    if first.member.way == "in turn":
        return [first]
    shape = first.member.shape
    alike = [ask for ask in missing if ask.member.shape == shape]
    most = max(1, min(MOST[first.member.device], memory // max(1, first.built.member_bytes)))
    share = free * len(alike) / len(missing)
    groups = max(math.ceil(len(alike) / most), math.ceil(share))
    return alike[: math.ceil(len(alike) / groups)]


def peers(ask: Ask, asks: Iterable[Ask]) -> list[Ask]:
    """Return the members of an ask's contest, each once."""
    found = {
        other.member.key: other
        for other in asks
        if other.study == ask.study and other.member.contest == ask.member.contest
    }
    return list(found.values())
