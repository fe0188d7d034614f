"""Carry out a plan: ask each study what it needs, train that, keep it, until nothing is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rnnbench.campaign import Campaign, Count
from rnnbench.contests import Contest
from rnnbench.datafiles import DataFiles
from rnnbench.errors import StaleError
from rnnbench.executor import Done, Executor, Slot
from rnnbench.grouping import next_group, peers
from rnnbench.judged import judged
from rnnbench.member import FAILURES, Finished
from rnnbench.protocol import Ask
from rnnbench.store import Store, Stored
from rnnbench.study import Study


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


Stale = Literal["refuse", "refresh", "accept"]
"""What members made by other code count for."""


def made_by(ask: Ask, versions: Mapping[str, str]) -> dict[str, str]:
    """Name the code that makes a member's numbers: versions and source hashes."""
    study = ask.built
    metrics = {
        f"metric {name}": study.metric_sources[name]
        for name, _ in ask.member.metrics
        if name in study.metric_sources
    }
    return {
        "rnnbench": versions["rnnbench"],
        "torch": versions["torch"],
        "cell": study.cell_source,
        "task": study.task_source,
        **metrics,
        **({"compiler": study.compiler} if study.compiler else {}),
    }


def stale(
    campaign: Campaign, stored: Mapping[str, Stored], versions: Mapping[str, str]
) -> list[tuple[Ask, list[str]]]:
    """Return the stored members that other code made than is installed now, and what differs."""
    result = []
    for ask in campaign.asks:
        kept = stored.get(ask.member.key)
        if kept is None or ask.skipped:
            continue
        now = made_by(ask, versions)
        differs = [name for name in now if kept.made_by.get(name) != now[name]]
        if differs:
            result.append((ask, differs))
    return result


def settle(
    studies: Sequence[Study],
    store: Store,
    versions: Mapping[str, str],
    *,
    retry_failed: bool = False,
    stale_rows: Stale = "refuse",
) -> Campaign:
    """Decide what the stored members still count for, before anything is trained.

    retry_failed   members that failed are trained again
    stale_rows     what members made by other code count for: they are refused, trained again
                   (`refresh`), or count as made by this code (`accept`)

    Raises:
        StaleError: there are members made by other code, and they are to be refused.
    """
    campaign = Campaign(studies, store.read())
    if retry_failed:
        failed = {
            ask.member.key
            for ask in campaign.asks
            if not ask.skipped
            and (one := campaign.finished.get(ask.member.key))
            and one.status in FAILURES
        }
        store.forget(failed)
        campaign = Campaign(studies, store.read())
    # what is settled may let a study ask for more, which may be stale in its turn
    while old := stale(campaign, store.read(), versions):
        settle_stale(old, store, versions, stale_rows)
        campaign = Campaign(studies, store.read())
    return campaign


def settle_stale(
    old: Sequence[tuple[Ask, list[str]]],
    store: Store,
    versions: Mapping[str, str],
    stale_rows: Stale,
) -> None:
    """Refuse, forget or accept members that other code made."""
    match stale_rows:
        case "refresh":
            store.forget({ask.member.key for ask, _ in old})
        case "accept":
            store.accept({ask.member.key: made_by(ask, versions) for ask, _ in old})
        case "refuse":
            raise StaleError(_stale_text(old))


def _stale_text(old: Sequence[tuple[Ask, list[str]]]) -> str:
    changed = sorted({name for _, differs in old for name in differs})
    places = sorted({f"{ask.study.architecture} on {ask.study.setting}" for ask, _ in old})
    shown = "; ".join(places[:5]) + (f"; and {len(places) - 5} more" if len(places) > 5 else "")
    return (
        f"{len(old)} stored members were made by other code: {', '.join(changed)} changed "
        f"({shown}). Say --refresh to train them again, or --accept-stale to keep them"
    )


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
