"""Which of the missing members start next, as one group."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rnnbench.protocol import Ask

MOST = 8
"""Members in a group at most: more share hardly more, and what they remember leaves the cache."""


def next_group(
    missing: Sequence[Ask],
    asks: Iterable[Ask],
    workers: int,
    memory: int,
    alone: Collection[str] = (),
) -> list[Ask]:
    """Return the first missing member and those that may train with it.

    A group changes no result, so that its size may follow from what is left to do: every worker
    shall have something. A contest is a group as it is, with those that have finished before.

    asks    all members that are known to be needed
    memory  bytes that a worker may take
    alone   keys of members that train by themselves: a group of theirs has died
    """
    first = missing[0]
    if first.member.key in alone:
        return [first]
    if first.member.contest is not None:
        peers = {
            ask.member.key: ask
            for ask in asks
            if ask.study == first.study and ask.member.contest == first.member.contest
        }
        return list(peers.values())
    if first.member.way == "in turn":
        return [first]
    fits = memory // max(1, first.study.member_bytes)
    size = max(1, min(MOST, fits, -(-len(missing) // workers)))
    shape = first.member.shape
    alike = (ask for ask in missing if ask.member.shape == shape and ask.member.key not in alone)
    return [ask for ask, _ in zip(alike, range(size), strict=False)]
