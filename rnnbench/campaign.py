"""Where every study of a suite stands, replayed from what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rnnbench.member import FAILURES, Finished
from rnnbench.protocol import Ask, Progression
from rnnbench.store import Stored
from rnnbench.study import Study

Place = tuple[str, str, int]
"""What tells a study apart: architecture, setting, replicate."""


@dataclass(frozen=True)
class Again:
    """What alone trains: members that were stored and train again, and what follows from them.

    keys      those members; what is stored of them counts for nothing
    complete  the studies of which nothing was missing, and nothing shall be at the end
    """

    keys: frozenset[str]
    complete: frozenset[Place]

    def also(self, keys: Iterable[str]) -> Again:
        """Return the same with more members that train again."""
        return replace(self, keys=self.keys | frozenset(keys))


@dataclass(frozen=True)
class Count:
    """How many members are done and failed, and how many of each study are left.

    Studies that do not apply are left out. `left` goes by (architecture, setting); it is exact once
    a study has frozen its choice, before that equal configurations may turn out to need less.
    `untouched` are missing too, and it is not for now to train them.
    """

    done: int
    failed: int
    left: Mapping[tuple[str, str], int]
    untouched: int = 0

    @property
    def expected(self) -> int:
        """How many there will be."""
        return self.done + sum(self.left.values())

    @property
    def facts(self) -> dict[str, object]:
        """What a manifest says of it."""
        return {
            "members": {"asked": self.expected, "present": self.done, "failed": self.failed},
            "interrupted": any(self.left.values()),
        }


class Campaign:
    """Where every study stands, replayed from what is stored.

    again  what alone trains; by default all that is missing does
    """

    def __init__(
        self, studies: Sequence[Study], stored: Mapping[str, Stored], again: Again | None = None
    ) -> None:
        self.studies = tuple(studies)
        self._again = again
        self._waiting = set(again.keys) if again else set()
        self.reread(stored)

    @property
    def asks(self) -> list[Ask]:
        """Every member that is known to be needed, in the order of the suite."""
        return [ask for asks in self._asks for ask in asks]

    def missing(self, flying: Iterable[str] = ()) -> Iterator[Ask]:
        """Yield the members to train now, each once."""
        seen = set(flying)
        for ask in self.asks:
            key = ask.member.key
            due = key in self._waiting or self._whole(ask.study)
            if due and not ask.skipped and key not in self.finished and key not in seen:
                seen.add(key)
                yield ask

    def reread(self, stored: Mapping[str, Stored]) -> None:
        """Begin again from what a store holds now."""
        self._progressions = [Progression(study) for study in self.studies]
        self.finished = {
            key: one.finished for key, one in stored.items() if key not in self._waiting
        }
        self._asks = [progression.asks(self.finished) for progression in self._progressions]

    def end(self, key: str, finished: Finished) -> None:
        """Take in a finished member and let its studies go on."""
        self.finished[key] = finished
        self._waiting.discard(key)
        for index, asks in enumerate(self._asks):
            if any(ask.member.key == key for ask in asks):
                self._asks[index] = self._progressions[index].asks(self.finished)

    @property
    def complete(self) -> frozenset[Place]:
        """The studies of which nothing is missing."""
        return frozenset(
            _place(study)
            for study, asks in zip(self.studies, self._asks, strict=True)
            if all(ask.skipped or ask.member.key in self.finished for ask in asks)
        )

    def _whole(self, study: Study) -> bool:
        """Whether all that is missing of a study trains."""
        return self._again is None or _place(study) in self._again.complete

    @property
    def count(self) -> Count:
        """Count members by the studies that need them."""
        done, failed, untouched = 0, 0, 0
        left: Counter[tuple[str, str]] = Counter()
        for study, asks in zip(self.studies, self._asks, strict=True):
            if study.skipped:
                continue
            keys = [ask.member.key for ask in asks if not ask.skipped]
            ended = [self.finished[key] for key in keys if key in self.finished]
            # runs that a failed search leaves without a configuration were due as well
            lost = sum(bool(ask.skipped) for ask in asks)
            done += len(ended) + lost
            failed += sum(one.status in FAILURES for one in ended) + lost
            missing = _expected(study, asks) - len(ended) - lost
            due = missing if self._whole(study) else sum(key in self._waiting for key in keys)
            left[study.architecture, study.setting] += due
            untouched += missing - due
        return Count(done, failed, left, untouched)


def _place(study: Study) -> Place:
    return study.architecture, study.setting, study.replicate


def _expected(study: Study, asks: list[Ask]) -> int:
    if any(ask.phase == "evaluation" for ask in asks):
        return len(asks)
    budget = study.budget
    confirmed = min(budget.confirm, budget.trials) * budget.confirm_seeds
    return budget.trials + confirmed + budget.seeds
