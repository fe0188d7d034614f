"""The course of a group's training: updates, points of the curve, rungs, limits, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rnnbench.assessing import assess
from rnnbench.checkpoints import Checkpoint, Checkpoints
from rnnbench.contests import stay
from rnnbench.contracts import AnyMetric, OfPredictions, Task
from rnnbench.errors import UnwantedError, WriteError
from rnnbench.fit import Best, Fit
from rnnbench.group.data import Data
from rnnbench.group.group import Group
from rnnbench.group.rows import Rows
from rnnbench.group.steps import Programs
from rnnbench.member import Member, Recipe
from rnnbench.nn.network import Network
from rnnbench.showing import samples


def _never() -> bool:
    return False


def _silently(_: str) -> None:
    pass


@dataclass(frozen=True)
class Pace:
    """What bounds a training beside its updates.

    limit        seconds that a member may train and be scored on validation data; None: any.
                 Members of a group share its time
    checkpoints  where and how often the group leaves what it has reached
    compiler     what compiles kernels, with its flags; "" where none is
    unwanted     whether nobody waits for the members any more; asked before each update
    tell         told of what a user should know
    """

    limit: float | None = None
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    compiler: str = ""
    unwanted: Callable[[], bool] = _never
    tell: Callable[[str], None] = _silently


class Course:
    """Trains a group for its recipe's updates, scoring validation data at evenly spaced points.

    code     what makes the members' numbers: whose checkpoints may be gone on from
    reached  checkpoints of all members, left after the same update; none: they begin
    """

    def __init__(
        self,
        members: Sequence[Member],
        networks: Sequence[Network],
        task: Task,
        metrics: Sequence[AnyMetric],
        data: Data,
        programs: Programs,
        pace: Pace,
        code: Mapping[str, str],
        reached: Sequence[Checkpoint],
    ) -> None:
        self._metric, self._metrics = metrics[0], of_predictions(metrics)
        if not isinstance(self._metric, OfPredictions):
            name = self._metric.name
            raise TypeError(f"the first metric of `{task.name}`, {name}, scores no predictions")
        self._members, self._networks = members, networks
        self._task, self._data, self._pace, self._code = task, data, pace, code
        self.rows = Rows(networks[0])
        self._fits = [Fit() for _ in members]
        self._start, states = 0, [checkpoint.tensors for checkpoint in reached]
        if reached:
            self._start = reached[0].update
            self._fits = [Fit.of(checkpoint) for checkpoint in reached]
        self._alive = [place for place, fit in enumerate(self._fits) if not fit.ended]
        self._losses: list[Tensor] = []
        self._under_way: int | None = None
        if not self._alive:
            return
        alive = [members[place] for place in self._alive]
        self._group = Group([networks[place] for place in self._alive], task, alive, programs)
        if reached:
            going = [states[place] for place in self._alive]
            self._group.resume(going, self._start)
            self._losses = list(torch.stack([state["losses"] for state in going], dim=1))

    def run(self) -> list[Fit]:
        """Train to the end of all members."""
        if not self._alive:
            return self._fits
        first, recipe = self._members[0], self._members[0].recipe
        self._valid = self._data.held_out(first, "valid")
        self._since = saved = time.perf_counter()
        for update in range(self._start + 1, recipe.updates + 1):
            self._under_way = update
            if self._pace.unwanted():
                raise UnwantedError("nobody waits for these members any more")
            batches = self._data.batches(self._group.members, update)
            self._losses.append(self._group.update(update, batches))
            rung = first.contest is not None and update in first.contest.rungs
            if rung or _is_point(update, recipe):
                self._keep(self._point(update, rung=rung))
            elif self._late():
                self._keep(self._in_time(update))
            if not self._alive:
                break
            if self._saves and time.perf_counter() - saved >= self._pace.checkpoints.seconds:
                self._save(update)
                saved = time.perf_counter()
        self._under_way = None
        return self._fits

    def raised(self) -> tuple[int | None, Fit]:
        """Return where training raised, None outside of updates, and how the first member did."""
        if self._under_way is not None:
            self._account()
        return self._under_way, self._fits[0]

    @property
    def _saves(self) -> bool:
        return self._pace.checkpoints.folder is not None

    @property
    def _shared(self) -> float:
        """Seconds since the last account, shared among who trains."""
        return (time.perf_counter() - self._since) / len(self._alive)

    def _late(self) -> bool:
        limit = self._pace.limit
        if limit is None:
            return False
        return max(self._fits[one].seconds for one in self._alive) + self._shared > limit

    def _account(self) -> list[Fit]:
        """Give each member its share of the time; return how those who train do, in their order."""
        shared, self._since = self._shared, time.perf_counter()
        fits = [self._fits[one] for one in self._alive]
        for fit in fits:
            fit.train_seconds += shared
        return fits

    def _keep(self, going: list[int]) -> None:
        """Go on with these places of the group alone."""
        if len(going) < len(self._alive):
            self._group.keep(going)
            self._alive = [self._alive[place] for place in going]
            self._losses = [losses[going] for losses in self._losses]

    def _in_time(self, update: int) -> list[int]:
        """Return the places whose members have time left; note it with the others."""
        limit, going = self._pace.limit, []
        for place, fit in enumerate(self._account()):
            if limit is not None and fit.seconds > limit:
                fit.stop(update, limit)
            else:
                going.append(place)
        return going

    def _point(self, update: int, *, rung: bool) -> list[int]:
        """Score validation data; return the places that train on."""
        fits, failed = self._account(), self._group.failed()
        since = torch.stack(self._losses).tolist()
        self._losses, going = [], []
        for place, fit in enumerate(fits):
            if failed[place]:
                fit.updates = fit.failed_update = failed[place]
                continue
            paused = time.perf_counter()
            if self._assessed(place, fit, update, [each[place] for each in since]):
                going.append(place)
            fit.evaluate_seconds += time.perf_counter() - paused
        if rung and going:
            going = self._stayed(going, [fits[place] for place in going], update)
        limit = self._pace.limit
        if limit is not None and update < self._members[0].recipe.updates:
            for place in [place for place in going if fits[place].seconds > limit]:
                fits[place].stop(update, limit)
                going.remove(place)
        self._since = time.perf_counter()
        return going

    def _assessed(self, place: int, fit: Fit, update: int, losses: list[float]) -> bool:
        """Score a member on validation data; return whether it is finite."""
        one, row = self._alive[place], self._group.row(place)
        network, member, first = self._networks[one], self._members[one], self._metric
        self.rows.load(row, network)
        assessed = assess(network, self._valid, self._task)
        scores = {metric.name: assessed.measure(metric) for metric in self._metrics}
        score, train_loss = scores[first.name], math.fsum(losses) / len(losses)
        if not fit.take(update, train_loss, assessed.loss, scores, score):
            return False
        if _samples_at(member, update):
            fit.samples += samples(member, network, assessed, update)
        if fit.best is None or fit.best.beaten_by(score, assessed.loss, first.direction):
            fit.best = Best(update, score, assessed.loss, row.clone())
        return True

    def _stayed(self, places: list[int], reached: list[Fit], update: int) -> list[int]:
        """Return the places that train on after a rung; note it with the others."""
        contest = self._members[0].contest
        assert contest is not None  # noqa: S101  there is no rung without one
        sign = -1.0 if self._metric.direction == "max" else 1.0
        scored = [(sign * fit.best.score, fit.best.loss) for fit in reached if fit.best is not None]
        on = stay(scored, contest.factor)
        for place, fit in enumerate(reached):
            if place not in on:
                fit.pruned = f"{len(on)} of {len(reached)} trained on after update {update}"
        return [places[place] for place in on]

    def _save(self, update: int) -> None:
        """Leave a checkpoint of each member, of those that have ended too."""
        self._account()
        for one, fit in enumerate(self._fits):
            state = {}
            if one in self._alive:
                place = self._alive.index(one)
                losses = [each[place] for each in self._losses]
                state = self._group.state(place)
                state["losses"] = torch.stack(losses) if losses else torch.zeros(0)
            checkpoint = fit.checkpoint(update, state)
            try:
                self._pace.checkpoints.write(self._members[one].key, self._code, checkpoint)
            except WriteError as error:  # what is trained is worth more than its checkpoint
                self._pace.tell(f"no checkpoint can be kept: {error}")
                return


def of_predictions(metrics: Iterable[AnyMetric]) -> list[OfPredictions]:
    """Return those that score predictions."""
    return [metric for metric in metrics if isinstance(metric, OfPredictions)]


def _is_point(update: int, recipe: Recipe) -> bool:
    """Whether validation data is scored after this update; the last one always is."""
    points = min(recipe.points, recipe.updates)
    return update * points // recipe.updates > (update - 1) * points // recipe.updates


def _samples_at(member: Member, update: int) -> bool:
    """Whether a run is asked for samples: one a study, often at first and then ever less."""
    if member.seed.role == "tuning" or member.seed.index > 0:
        return False
    points = min(member.recipe.points, member.recipe.updates)
    number = update * points // member.recipe.updates
    return number == points or number & (number - 1) == 0
