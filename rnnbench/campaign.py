"""Where every study of a suite stands, replayed from what is stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rnnbench.member import FAILURES, Finished
from rnnbench.protocol import Ask, Progression
from rnnbench.store import Stored
from rnnbench.study import Study


@dataclass(frozen=True)
class Count:
    """How many members are done and failed, and how many of each study are left.

    Studies that do not apply are left out. `left` goes by (architecture, setting); it is exact once
    a study has frozen its choice, before that equal configurations may turn out to need less.
    """

    done: int
    failed: int
    left: Mapping[tuple[str, str], int]

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
    """Where every study stands, replayed from what is stored."""

    def __init__(self, studies: Sequence[Study], stored: Mapping[str, Stored]) -> None:
        self.studies = tuple(studies)
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
            if not ask.skipped and key not in self.finished and key not in seen:
                seen.add(key)
                yield ask

    def reread(self, stored: Mapping[str, Stored]) -> None:
        """Begin again from what a store holds now."""
        self._progressions = [Progression(study) for study in self.studies]
        self.finished = {key: one.finished for key, one in stored.items()}
        self._asks = [progression.asks(self.finished) for progression in self._progressions]

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
            if study.skipped:
                continue
            keys = [ask.member.key for ask in asks if not ask.skipped]
            ended = [self.finished[key] for key in keys if key in self.finished]
            # runs that a failed search leaves without a configuration were due as well
            lost = sum(bool(ask.skipped) for ask in asks)
            done += len(ended) + lost
            failed += sum(one.status in FAILURES for one in ended) + lost
            left[study.architecture, study.setting] += _expected(study, asks) - len(ended) - lost
        return Count(done, failed, left)


def _expected(study: Study, asks: list[Ask]) -> int:
    if any(ask.phase == "evaluation" for ask in asks):
        return len(asks)
    budget = study.budget
    confirmed = min(budget.confirm, budget.trials) * budget.confirm_seeds
    return budget.trials + confirmed + budget.seeds
