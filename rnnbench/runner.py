"""Carry out a plan: ask each study what it needs, train that, keep it, until nothing is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rnnbench.errors import StaleError
from rnnbench.executor import Executor, Slot
from rnnbench.member import FAILURES, Finished
from rnnbench.protocol import Ask, Progression
from rnnbench.store import Store, Stored
from rnnbench.study import Study


@dataclass(frozen=True)
class Count:
    """How many members are done and failed, and how many of each study are left.

    Skipped ones are left out. `left` goes by (architecture, setting); it is exact once a study has
    frozen its choice, before that equal configurations may still turn out to need less.
    """

    done: int
    failed: int
    left: Mapping[tuple[str, str], int]

    @property
    def expected(self) -> int:
        """How many there will be."""
        return self.done + sum(self.left.values())


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


Event = Launched | Ended


class Campaign:
    """Where every study stands, replayed from what is stored."""

    def __init__(self, studies: Sequence[Study], stored: Mapping[str, Stored]) -> None:
        self.studies = tuple(studies)
        self.finished = {key: one.finished for key, one in stored.items()}
        self._progressions = [Progression(study) for study in studies]
        self._asks = [progression.asks(self.finished) for progression in self._progressions]

    @property
    def asks(self) -> list[Ask]:
        """Every member that is known to be needed, in the order of the suite."""
        return [ask for asks in self._asks for ask in asks]

    def missing(self, flying: Iterable[str] = ()) -> Iterator[Ask]:
        """Yield the members to train now, each once."""
        seen = set(flying)
        for ask in self.asks:
            key = ask.member.key
            if not ask.skipped and key not in self.finished and key not in seen:
                seen.add(key)
                yield ask

    def end(self, key: str, finished: Finished) -> None:
        """Take in a finished member and let its studies go on."""
        self.finished[key] = finished
        for index, asks in enumerate(self._asks):
            if any(ask.member.key == key for ask in asks):
                self._asks[index] = self._progressions[index].asks(self.finished)

    @property
    def count(self) -> Count:
        """Count members by the studies that need them."""
        done, failed = 0, 0
        left: Counter[tuple[str, str]] = Counter()
        for study, asks in zip(self.studies, self._asks, strict=True):
            keys = [ask.member.key for ask in asks if not ask.skipped]
            ended = [self.finished[key] for key in keys if key in self.finished]
            done += len(ended)
            failed += sum(one.status in FAILURES for one in ended)
            left[study.architecture, study.setting] += _expected(study, asks) - len(ended)
        return Count(done, failed, left)


def _expected(study: Study, asks: list[Ask]) -> int:
    if study.skipped:
        return 0
    if any(ask.phase == "evaluation" for ask in asks):
        return sum(not ask.skipped for ask in asks)
    budget = study.budget
    confirmed = min(budget.confirm, budget.trials) * budget.confirm_seeds
    return budget.trials + confirmed + budget.seeds


def stale(
    campaign: Campaign, stored: Mapping[str, Stored], versions: Mapping[str, str]
) -> list[tuple[Ask, list[str]]]:
    """Return the stored members that other code made than is installed now, and what differs."""
    result = []
    for ask in campaign.asks:
        kept = stored.get(ask.member.key)
        if kept is None:
            continue
        now = made_by(ask.study, versions)
        differs = [name for name in now if kept.made_by.get(name) != now[name]]
        if differs:
            result.append((ask, differs))
    return result


def made_by(study: Study, versions: Mapping[str, str]) -> dict[str, str]:
    """Name the code that makes a study's numbers."""
    return {
        "rnnbench": versions["rnnbench"],
        "torch": versions["torch"],
        "cell": study.cell_source,
        "task": study.task_source,
    }


def settle(
    studies: Sequence[Study],
    store: Store,
    versions: Mapping[str, str],
    *,
    retry_failed: bool = False,
    refresh: bool = False,
    accept_stale: bool = False,
) -> Campaign:
    """Decide what the stored members still count for, before anything is trained.

    retry_failed   members that failed are trained again
    refresh        members made by other code are trained again
    accept_stale   members made by other code count as made by this

    Raises:
        StaleError: there are members made by other code, and none of the two was said.
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
    while old := stale(campaign, store.read(), versions):
        if refresh:
            store.forget({ask.member.key for ask, _ in old})
        elif accept_stale:
            now = {ask.member.key: made_by(ask.study, versions) for ask, _ in old}
            store.accept(now.keys(), now)
        else:
            raise StaleError(_stale_text(old))
        campaign = Campaign(studies, store.read())
    return campaign


def _stale_text(old: list[tuple[Ask, list[str]]]) -> str:
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
    disabled: Sequence[str] = (),
    notify: Callable[[Event], None],
    tick: Callable[[], None],
    stopping: Callable[[], bool],
) -> None:
    """Train every missing member and keep each as it ends.

    notify     is told of every launch and end
    tick       is called about once a second
    stopping   once it says so nothing new is started, and what is under way is finished
    """
    if next(campaign.missing(), None) is None:
        return
    flying: dict[str, Ask] = {}
    with Executor(slots, disabled) as executor:
        while True:
            waiting = iter(()) if stopping() else campaign.missing(flying)
            for ask in waiting:
                if not executor.free:
                    break
                flying[ask.member.key] = ask
                executor.submit(ask.member)
                notify(Launched(ask))
            if not flying:
                return
            for done in executor.wait(timeout=1.0):
                ask = flying.pop(done.key)
                code = made_by(ask.study, versions)
                kept = store.commit(ask.member, done.finished, code, done.weights)
                campaign.end(done.key, kept.finished)
                notify(Ended(ask, kept.finished, campaign.count))
            tick()
