"""Carry out a plan: ask each study what it needs, train that, keep it, until nothing is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from rnnbench.campaign import Campaign, Count
from rnnbench.errors import StaleError
from rnnbench.executor import Done, Executor
from rnnbench.grouping import next_group, peers
from rnnbench.judged import judged
from rnnbench.member import Finished
from rnnbench.protocol import Ask
from rnnbench.staleness import REFUSE, Stale, made_by, settle_stale, stale
from rnnbench.store import Store, Stored


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


DEATHS = 3
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
        StaleError: what has ended asks for members that other code made; likewise.
        WriteError: what has ended cannot be kept.
    """
    missing = [ask.member.key for ask in campaign.missing()]
    if not missing:
        return
    stored = store.read()
    for key in missing:
        if key in stored:  # it failed, and is to begin anew
            executor.forget(key)
    with executor:
        run = _Run(campaign, store, stored, executor, versions, memory, stale_rows, notify)
        run.on(tick, stopping)


class _Run:
    """What is under way: members in the air, groups to be tried again, contests held one by one."""

    def __init__(
        self,
        campaign: Campaign,
        store: Store,
        stored: dict[str, Stored],
        executor: Executor,
        versions: Mapping[str, str],
        memory: int,
        stale_rows: Stale,
        notify: Callable[[Event], None],
    ) -> None:
        self._campaign, self._executor = campaign, executor
        self._store, self._stored = store, stored
        self._versions, self._memory = versions, memory
        self._stale_rows, self._notify = stale_rows, notify
        self._flying: dict[str, Ask] = {}
        self._parts: list[list[Ask]] = []
        self._deaths: Counter[str] = Counter()
        # members of contests that trained alone, until all of theirs are back
        self._apart: dict[str, Done] = {}
        self._refused: StaleError | None = None

    def on(self, tick: Callable[[], None], stopping: Callable[[], bool]) -> None:
        """Go on until nothing is missing, or nothing more is to be started."""
        while True:
            if stopping() or self._refused:
                self._parts, missing = [], []
            else:
                missing = self._launched()
            if not (self._flying or self._parts or missing):
                break
            back = self._executor.wait(timeout=1.0)
            self._take(back)
            for text in self._executor.news():
                self._notify(Noted(text))
            tick()
        if self._refused:
            raise self._refused

    def _launched(self) -> list[Ask]:
        """Start what free workers can take; return what is missing still."""
        waiting = {ask.member.key for part in self._parts for ask in part}
        missing = list(self._campaign.missing({*self._flying, *self._apart, *waiting}))
        while (self._parts or missing) and (free := self._executor.free):
            group = (
                self._parts.pop()
                if self._parts
                else next_group(missing, self._campaign.asks, free, self._memory)
            )
            self._executor.submit([ask.member for ask in group])
            for ask in group:
                if ask.member.key not in self._campaign.finished:
                    self._flying[ask.member.key] = ask
                    self._notify(Launched(ask))
            missing = [ask for ask in missing if ask.member.key not in self._flying]
        return missing

    def _take(self, back: Sequence[Done]) -> None:
        """Take in what came back, flight by flight."""
        flights: dict[int, list[Done]] = {}
        for done in back:
            # what is not flying had finished before: its contest was held again
            if done.key in self._flying:
                flights.setdefault(done.flight, []).append(done)
        for group in flights.values():
            asks = [self._flying.pop(done.key) for done in group]
            if parts := self._again(asks, group[0]):
                self._parts += parts
                for ask in asks:
                    self._notify(Returned(ask))
                continue
            contest = peers(asks[0], self._campaign.asks) if asks[0].member.contest else []
            if group[0].group < len(contest):
                self._apart |= {done.key: done for done in group}
                for ask in asks:
                    self._notify(Returned(ask))
                self._keep(_decided(contest, self._campaign, self._apart))
            else:
                self._keep(
                    [
                        (ask, _told(done.finished, self._deaths[done.key]), done.weights)
                        for ask, done in zip(asks, group, strict=True)
                    ]
                )

    def _again(self, asks: list[Ask], done: Done) -> list[list[Ask]]:
        """Return what is to be tried again of a group, in smaller groups, if its worker was lost.

        done  of any of them
        """
        if not done.lost:
            return []
        if done.group > 1:
            size = 1 if asks[0].member.contest is not None else -(-len(asks) // 2)
            return [asks[start : start + size] for start in range(0, len(asks), size)]
        if not done.blame:
            return [asks]
        if done.finished.status == "crashed":
            self._deaths[done.key] += 1
            return [asks] if self._deaths[done.key] < DEATHS else []
        return []

    def _keep(self, ended: Sequence[tuple[Ask, Finished, bytes | None]]) -> None:
        """Keep members, all or none: those of a contest say something together only."""
        if not ended:
            return
        kept = self._store.keep(
            [
                (ask.member, finished, made_by(ask, self._versions), weights)
                for ask, finished, weights in ended
            ]
        )
        for (ask, _, _), stored in zip(ended, kept, strict=True):
            key = ask.member.key
            self._apart.pop(key, None)
            self._executor.forget(key)
            self._stored[key] = stored
            self._campaign.end(key, stored.finished)
            self._notify(Ended(ask, stored.finished, self._campaign.count))
        self._settle()

    def _settle(self) -> None:
        """See whether a new choice asks for runs that an older suite left behind."""
        try:
            while old := stale(self._campaign, self._stored, self._versions):
                settle_stale(old, self._store, self._stale_rows)
                self._stored = self._store.read()
                self._campaign.reread(self._stored)
        except StaleError as error:
            self._refused = error


def _told(finished: Finished, deaths: int) -> Finished:
    """Say how often a member took its worker along."""
    if finished.status != "crashed":
        return finished
    return replace(finished, reason=f"{finished.reason}, {deaths} times")


def _decided(
    asks: Sequence[Ask], campaign: Campaign, apart: Mapping[str, Done]
) -> list[tuple[Ask, Finished, bytes | None]]:
    """Return what a contest leaves of its members that trained alone, once all are back."""
    first, contest = asks[0], asks[0].member.contest
    known = {
        ask.member.key: apart[ask.member.key].finished
        if ask.member.key in apart
        else campaign.finished.get(ask.member.key)
        for ask in asks
    }
    finished = [one for one in known.values() if one is not None]
    if contest is None or len(finished) < len(known):
        return []
    left = judged(finished, contest, first.member.metrics[0][0], first.study.direction)
    return [
        (ask, one, None) for ask, one in zip(asks, left, strict=True) if ask.member.key in apart
    ]
