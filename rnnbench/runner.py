"""Carry out a plan: ask each study what it needs, train that, keep it, until nothing is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rnnbench.campaign import Campaign, Count
from rnnbench.contests import Contest
from rnnbench.datafiles import DataFiles
from rnnbench.executor import Done, Executor, Slot
from rnnbench.grouping import next_group, peers
from rnnbench.judged import judged
from rnnbench.member import Finished
from rnnbench.protocol import Ask
from rnnbench.settling import Stale, made_by, settle_stale, stale
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


Event = Launched | Returned | Ended


def carry_out(
    campaign: Campaign,
    store: Store,
    slots: Sequence[Slot],
    versions: Mapping[str, str],
    *,
    memory: int,
    disabled: Sequence[str] = (),
    files: DataFiles | None = None,
    stale_rows: Stale = "refuse",
    notify: Callable[[Event], None],
    tick: Callable[[], None],
    stopping: Callable[[], bool],
) -> None:
    """Train every missing member and keep each as it ends.

    memory     bytes that each worker may take
    files      where workers find data files
    notify     is told of every launch and end
    tick       is called about once a second
    stopping   once it says so nothing new is started, and what is under way is finished
    """
    if next(campaign.missing(), None) is None:
        return
    flying: dict[str, Ask] = {}
    alone: set[str] = set()
    # members of contests that trained alone, until all of theirs are back
    apart: dict[str, Done] = {}
    stored = store.read()
    with Executor(slots, disabled, files) as executor:
        while True:
            missing = [] if stopping() else list(campaign.missing({*flying, *apart}))
            while missing and executor.free:
                group = next_group(missing, campaign.asks, executor.free, memory, alone)
                executor.submit([ask.member for ask in group])
                for ask in group:
                    if ask.member.key not in campaign.finished:
                        flying[ask.member.key] = ask
                        notify(Launched(ask))
                missing = [ask for ask in missing if ask.member.key not in flying]
            if not flying:
                return
            for done in executor.wait(timeout=1.0):
                if done.key not in flying:  # it had finished before: its contest was held again
                    continue
                ask = flying.pop(done.key)
                if done.finished.status == "crashed" and done.group > 1:
                    # a death counts against a member only when it trained by itself
                    alone.add(done.key)
                    notify(Returned(ask))
                    continue
                ended = [(ask, done.finished, done.weights)]
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
                    stored[key] = kept
                    campaign.end(key, kept.finished)
                    notify(Ended(one, kept.finished, campaign.count))
                # a new choice may ask for runs that an older suite left behind
                while old := stale(campaign, stored, versions):
                    settle_stale(old, store, versions, stale_rows)
                    stored = store.read()
                    campaign.reread(stored)
            tick()


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
