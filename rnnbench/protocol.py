"""Which members a study needs next: search, confirm, freeze, evaluate.

A pure replay: from a study and whatever of it has finished, the same members follow, whoever
trained them and in whatever order. A killed run therefore continues by asking again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from rnnbench.contests import Contest, rungs
from rnnbench.direction import Direction
from rnnbench.member import Finished, Member
from rnnbench.search import Scored, Trial, propose
from rnnbench.seeds import seed_of
from rnnbench.study import Study

Phase = Literal["search", "confirm", "evaluation"]


@dataclass(frozen=True)
class Ask:
    """One member a study needs, and its place there.

    `trial` is the number of the configuration; None for runs of a study without a search.
    `skipped` says why it will not be trained.
    """

    study: Study
    phase: Phase
    seed_index: int
    member: Member
    trial: int | None = None
    origin: str = ""
    frozen: bool = False
    skipped: str = ""

    @property
    def built(self) -> Study:
        """The study as it is for this member's network: where layers are searched, a variant."""
        return self.study.built(self.member)


class Progression:
    """The members of one study, in order, as far as its finished ones let it be known.

    It keeps the proposals of complete generations, which never change again.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self._trials: dict[int, Trial] = {}
        self._searches: list[list[Ask]] = []

    def asks(self, finished: Mapping[str, Finished]) -> list[Ask]:
        """Return every member that is known to be needed now, finished or not."""
        study = self.study
        if study.skipped:
            return self._evaluation({}, None, skipped=study.skipped)
        if study.search.fixed:
            return self._evaluation({}, None)
        searched, complete = self._searched(finished)
        if not complete:
            return searched
        confirmed, complete = self._confirmed(searched, finished)
        if not complete:
            return searched + confirmed
        chosen = _best(searched + confirmed, finished, study.direction)
        if chosen is None:
            reason = "no trial of the search succeeded"
            return searched + confirmed + self._evaluation({}, None, skipped=reason)
        tuning = [replace(ask, frozen=ask.trial == chosen.trial) for ask in searched + confirmed]
        assert chosen.trial is not None  # noqa: S101  a searched member has a number
        return tuning + self._evaluation(self._trials[chosen.trial].values, chosen.trial)

    def _searched(self, finished: Mapping[str, Finished]) -> tuple[list[Ask], bool]:
        """Return the trials up to the first generation that has not finished."""
        study, size = self.study, self.study.search.generation
        asks: list[Ask] = []
        for index, start in enumerate(range(0, study.budget.trials, size)):
            if index == len(self._searches):
                if any(ask.member.key not in finished for ask in asks[-size:]):
                    return asks, False
                trials = self._proposed(start, asks, finished)
                self._trials |= {trial.number: trial for trial in trials}
                self._searches.append(
                    [
                        Ask(study, "search", 0, member, trial.number, trial.origin)
                        for trial, member in zip(trials, _entered(study, trials), strict=True)
                    ]
                )
            asks += self._searches[index]
        return asks, all(ask.member.key in finished for ask in asks)

    def _proposed(
        self, start: int, asks: list[Ask], finished: Mapping[str, Finished]
    ) -> list[Trial]:
        study = self.study
        history = [
            _scored(trial, finished[ask.member.key])
            for trial, ask in zip(self._trials.values(), asks, strict=True)
        ]
        stop = min(start + study.search.generation, study.budget.trials)
        setting = study.template.setting
        place = [setting.task, setting.content, study.replicate]
        names = {"setting": place, "study": place + study.template.architecture.names}
        return propose(
            study.search, names, study.defaults, study.direction, history, range(start, stop)
        )

    def _confirmed(
        self, searched: list[Ask], finished: Mapping[str, Finished]
    ) -> tuple[list[Ask], bool]:
        """Return the best configurations' members on further tuning seeds."""
        study = self.study
        ranked = sorted(
            (ask for ask in searched if _ok(ask, finished)),
            key=lambda ask: _rank([ask], finished, study.direction),
        )
        of_values = {replace(ask.member, contest=None).key: ask for ask in reversed(ranked)}
        distinct = list(of_values.values())[::-1]
        asks = []
        for best in sorted(distinct[: study.budget.confirm], key=lambda ask: ask.trial or 0):
            for index in range(1, 1 + study.budget.confirm_seeds):
                member = study.member(self._trials[best.trial or 0].values, "tuning", index)
                asks.append(Ask(study, "confirm", index, member, best.trial, best.origin))
        return asks, all(ask.member.key in finished for ask in asks)

    def _evaluation(
        self, values: Mapping[str, bool | int | float | str], trial: int | None, skipped: str = ""
    ) -> list[Ask]:
        study = self.study
        return [
            Ask(
                study,
                "evaluation",
                index,
                study.member(values, "evaluation", index),
                trial,
                skipped=skipped,
            )
            for index in range(study.budget.seeds)
        ]


def _entered(study: Study, trials: Sequence[Trial]) -> list[Member]:
    """Return the members of a generation's trials, in the contests that drop some of them."""
    members = [study.member(trial.values, "tuning", 0) for trial in trials]
    pruner = study.search.pruner
    if pruner is None:
        return members
    ladders = rungs(pruner, study.template.recipe.updates, len(members))
    peers: dict[tuple[int, ...], list[str]] = {ladder: [] for ladder in ladders}
    for member, ladder in zip(members, ladders, strict=True):
        peers[ladder].append(member.key)
    contests = {
        ladder: Contest(ladder, pruner.factor, f"{seed_of(*keys):x}") if ladder else None
        for ladder, keys in peers.items()
    }
    return [
        replace(member, contest=contests[ladder])
        for member, ladder in zip(members, ladders, strict=True)
    ]


def _scored(trial: Trial, finished: Finished) -> Scored:
    """Return what a sampler learns from a finished trial."""
    match finished.status:
        case "ok":
            return Scored(trial, finished.valid_score)
        case "pruned":
            return Scored(trial, finished.valid_score, finished.updates)
        case _:
            return Scored(trial, None)


def _ok(ask: Ask, finished: Mapping[str, Finished]) -> bool:
    return finished[ask.member.key].status == "ok"


def _best(asks: list[Ask], finished: Mapping[str, Finished], direction: Direction) -> Ask | None:
    """Return the search member of the best configuration, among those confirmed most."""
    groups: dict[int, list[Ask]] = {}
    for ask in asks:
        assert ask.trial is not None  # noqa: S101  a searched member has a number
        groups.setdefault(ask.trial, []).append(ask)
    most = max(len(group) for group in groups.values())
    candidates = [
        group
        for group in groups.values()
        if len(group) == most and all(_ok(ask, finished) for ask in group)
    ]
    if not candidates:  # every confirmed one failed on some seed: fall back on the first seed
        candidates = [group[:1] for group in groups.values() if _ok(group[0], finished)]
    if not candidates:
        return None
    return min(candidates, key=lambda group: _rank(group, finished, direction))[0]


def _rank(
    asks: list[Ask], finished: Mapping[str, Finished], direction: Direction
) -> tuple[float, float, int]:
    """Order configurations: better mean score, then lower mean loss, then lower number."""
    done = [finished[ask.member.key] for ask in asks]
    score = fmean(math.nan if one.valid_score is None else one.valid_score for one in done)
    loss = fmean(math.nan if one.valid_loss is None else one.valid_loss for one in done)
    return (-score if direction == "max" else score, loss, asks[0].trial or 0)
