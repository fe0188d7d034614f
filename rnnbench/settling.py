"""What stored members still count for: those that failed, and those that other code made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from rnnbench.campaign import Again, Campaign
from rnnbench.errors import UnknownNameError
from rnnbench.grouping import peers
from rnnbench.member import FAILURES, Status
from rnnbench.staleness import REFUSE, Old, Stale, counted, places, settle_stale, stale
from rnnbench.store import Store, Stored
from rnnbench.study import Study


def statuses(words: Iterable[str]) -> frozenset[Status]:
    """Return what is to be retried: `failed` for every failure, or `timeout,crashed`.

    Raises:
        UnknownNameError: a word is no status of a failure.
    """
    found: set[Status] = set()
    for word in (part.strip() for each in words for part in each.split(",")):
        meant = FAILURES if word == "failed" else {one for one in FAILURES if one == word}
        if not meant:
            raise UnknownNameError("status for --retry", word, ("failed", *FAILURES))
        found |= meant
    return frozenset(found)


def settle(
    studies: Sequence[Study],
    store: Store,
    versions: Mapping[str, str],
    *,
    retry: frozenset[Status] = frozenset(),
    stale_rows: Stale = REFUSE,
    say: Callable[[str], None] = lambda _: None,
) -> Campaign:
    """Decide what the stored members still count for, before anything is trained.

    retry       members that ended so train again, and nothing else does but what follows from that;
                each stays stored until the new one takes its place
    stale_rows  what members made by other code count for
    say         is told in a line what was decided

    Raises:
        StaleError: there are members made by other code, and they are to be refused.
    """
    stored = store.read()
    campaign = Campaign(studies, stored)
    again = _retried(campaign, retry, say) if retry else None
    old = _others(campaign, stored, versions, again)
    _say_unmatched(old, stale_rows, say)
    refreshed: set[str] = set()
    # what is settled may let a study ask for more, which may be stale in its turn
    while old:
        refreshed |= settle_stale(old, store, stale_rows)
        stored = store.read()
        campaign = Campaign(studies, stored)
        old = _others(campaign, stored, versions, again)
    if refreshed:
        say(f"--refresh: {counted(refreshed)} made by other code to train again")
    return campaign if again is None else Campaign(studies, stored, again.also(refreshed))


def _retried(campaign: Campaign, retry: frozenset[Status], say: Callable[[str], None]) -> Again:
    """Find what trains again: what failed so, and whoever met it in a contest.

    Where nothing of a study was missing, what follows from the new outcome trains too.
    """
    asks = [ask for ask in campaign.asks if not ask.skipped]
    ended = {ask.member.key: campaign.finished.get(ask.member.key) for ask in asks}
    failed = {key: one.status for key, one in ended.items() if one and one.status in retry}
    contests = {
        peer.member.key
        for ask in asks
        if ask.member.key in failed and ask.member.contest is not None
        for peer in peers(ask, asks)
        if ended[peer.member.key] is not None
    }
    if failed:
        how = Counter(status.replace("_", " ") for status in failed.values())
        which = ", ".join(f"{count} {status}" for status, count in sorted(how.items()))
        beside = len(contests - failed.keys())
        with_ = f", and {beside} others that their contests drop or keep" if beside else ""
        say(f"--retry: {counted(failed)} to train again ({which}){with_}")
    else:
        words = ", ".join(sorted(retry)).replace("_", " ")
        say(f"--retry: no member is {words}; nothing to train again")
    return Again(frozenset(failed) | contests, campaign.complete)


def _others(
    campaign: Campaign,
    stored: Mapping[str, Stored],
    versions: Mapping[str, str],
    again: Again | None,
) -> list[Old]:
    """Return the stale members but those that train again anyway."""
    anyway = again.keys if again else frozenset()
    return [one for one in stale(campaign, stored, versions) if one.ask.member.key not in anyway]


def _say_unmatched(old: Sequence[Old], stale_rows: Stale, say: Callable[[str], None]) -> None:
    for selector in stale_rows.refresh:
        if not any(selector.names(one.ask.study) for one in old):
            # where the rest is refused, that names it
            there = "; stale is:\n" + "\n".join(places(old)) if old and stale_rows.accept else ""
            say(f"--refresh {selector.text} names nothing that other code made{there}")
