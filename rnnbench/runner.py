"""Carry out a plan: ask each study what it needs, train that, keep it, until nothing is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rnnbench.campaign import Campaign, Count
from rnnbench.contests import Contest
from rnnbench.executor import Done, Executor
from rnnbench.grouping import next_group, peers
from rnnbench.judged import judged
from rnnbench.member import Finished
from rnnbench.protocol import Ask
from rnnbench.staleness import REFUSE, Stale, made_by, settle_stale, stale
from rnnbench.store import Store


@dataclass(frozen=True)
class Launched:
    """A member began to train."""

    ask: Ask


@dataclass(frozen=True)
class Ended:
    """A member ended and is kept."""

    ask: Ask
    finished: Finished
    count: Count


@dataclass(frozen=True)
class Returned:
    """A member came back, and what it leaves is not known yet: it or its peers train alone."""

    ask: Ask


@dataclass(frozen=True)
class Noted:
    """Something happened to the workers that a user should know."""

    text: str


Event = Launched | Returned | Ended | Noted


ATTEMPTS = 3
"""How often a member may take its worker along, alone, before it counts as crashed."""


def carry_out(
    campaign: Campaign,
    store: Store,
    executor: Executor,
    versions: Mapping[str, str],
    *,
    memory: int,
    stale_rows: Stale = REFUSE,
    notify: Callable[[Event], None],
    tick: Callable[[], None],
    stopping: Callable[[], bool],
) -> None:
    """Train every missing member and keep each as it ends.

    A group whose worker is lost comes back in halves, until the member is alone that costs workers.

    memory     bytes that each worker may take
    notify     is told of every launch and end, and what a user should know of the workers
    tick       is called about once a second
    stopping   once it says so nothing new is started, and what is under way is finished

    Raises:
        ClusterError: there are no workers any more; what has ended is kept.
    """
    if next(campaign.missing(), None) is None:
        return
    flying: dict[str, Ask] = {}
    parts: list[list[Ask]] = []
    deaths: Counter[str] = Counter()
    # members of contests that trained alone, until all of theirs are back
    apart: dict[str, Done] = {}
    stored = store.read()
    with executor:
        while True:
            waiting = {ask.member.key for part in parts for ask in part}
            missing = list(campaign.missing({*flying, *apart, *waiting}))
            if stopping():
                missing, parts = [], []
            while (parts or missing) and executor.free:
                free = executor.free
                group = parts.pop() if parts else next_group(missing, campaign.asks, free, memory)
                executor.submit([ask.member for ask in group])
                for ask in group:
                    if ask.member.key not in campaign.finished:
                        flying[ask.member.key] = ask
                        notify(Launched(ask))
                missing = [ask for ask in missing if ask.member.key not in flying]
            if not (flying or parts or missing):
                return
            back = executor.wait(timeout=1.0)
            parts += _parts([(flying[one.key], one) for one in back if one.key in flying], deaths)
            again = {ask.member.key for part in parts for ask in part}
            for done in back:
                if done.key not in flying:  # it had finished before: its contest was held again
                    continue
                ask = flying.pop(done.key)
                if done.key in again:
                    notify(Returned(ask))
                    continue
                ended = [(ask, _told(done.finished, deaths[done.key]), done.weights)]
                if ask.member.contest is not None:
                    contest = peers(ask, campaign.asks)
                    if done.group < len(contest):
                        apart[done.key] = done
                        notify(Returned(ask))
                        ended = _decided(contest, ask.member.contest, campaign, apart)
                for one, finished, weights in ended:
                    key = one.member.key
                    apart.pop(key, None)
                    kept = store.commit(one.member, finished, made_by(one, versions), weights)
                    executor.forget(key)
                    stored[key] = kept
                    campaign.end(key, kept.finished)
                    notify(Ended(one, kept.finished, campaign.count))
                # a new choice may ask for runs that an older suite left behind
                while old := stale(campaign, stored, versions):
                    settle_stale(old, store, stale_rows)
                    stored = store.read()
                    campaign.reread(stored)
            for text in executor.news():
                notify(Noted(text))
            tick()


def _parts(back: Sequence[tuple[Ask, Done]], deaths: Counter[str]) -> list[list[Ask]]:
    """Return what is to be tried again of groups whose worker was lost, in smaller groups."""
    groups: dict[int, list[tuple[Ask, Done]]] = {}
    for ask, done in back:
        if done.lost:
            groups.setdefault(done.flight, []).append((ask, done))
    parts = []
    for group in groups.values():
        asks = [ask for ask, _ in group]
        done = group[0][1]
        if done.group > 1:
            size = 1 if asks[0].member.contest is not None else -(-len(asks) // 2)
            parts += [asks[start : start + size] for start in range(0, len(asks), size)]
        elif done.finished.status == "crashed":
            deaths[done.key] += 1
            parts += [asks] if deaths[done.key] < ATTEMPTS else []
    return parts


def _told(finished: Finished, deaths: int) -> Finished:
    """Say how often a member took its worker along."""
    if finished.status != "crashed":
        return finished
    return replace(finished, reason=f"{finished.reason}, {deaths} times")


def _decided(
    asks: Sequence[Ask], contest: Contest, campaign: Campaign, apart: Mapping[str, Done]
) -> list[tuple[Ask, Finished, bytes | None]]:
    """Return what a contest leaves of its members that trained alone, once all are back."""
    known = {
        ask.member.key: apart[ask.member.key].finished
        if ask.member.key in apart
        else campaign.finished.get(ask.member.key)
        for ask in asks
    }
    finished = [one for one in known.values() if one is not None]
    if len(finished) < len(known):
        return []
    first = asks[0]
    left = judged(finished, contest, first.member.metrics[0][0], first.study.direction)
    return [
        (ask, one, None) for ask, one in zip(asks, left, strict=True) if ask.member.key in apart
    ]
