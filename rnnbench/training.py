"""Train a group of members: build, train, keep the best weights, score.

Members of a group have equal shapes and differ in values and seeds. None sees the others: what a
member leaves is the same to the last bit alone and in any group. A failure is a result too.
"""

from __future__ import annotations

import math
import socket
import time
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

import torch
from safetensors.torch import save
from torch import Tensor

from rnnbench.assessing import assess, look
from rnnbench.contests import Contest, stay
from rnnbench.contracts import (
    AnyMetric,
    AttentionMetric,
    OfPredictions,
    Outcome,
    OutcomeMetric,
    Task,
)
from rnnbench.direction import Direction
from rnnbench.group.building import network_of
from rnnbench.group.data import Data
from rnnbench.group.group import Group
from rnnbench.group.rows import Rows
from rnnbench.group.steps import Programs
from rnnbench.judged import judged
from rnnbench.kindwise import by_kind
from rnnbench.lengthwise import by_length
from rnnbench.member import Finished, Member, Point, Recipe, Sample, Score, Status
from rnnbench.memory import peak_bytes
from rnnbench.nn.network import Network
from rnnbench.registry import Registry
from rnnbench.showing import alignments, samples
from rnnbench.showing_pictures import shown
from rnnbench.tasks import Tasks

Left = tuple[Finished, bytes | None]
"""What a member leaves: its numbers and, for a run, its weights (safetensors)."""


def train(member: Member, registry: Registry) -> Left:
    """Train one member to its end."""
    (left,) = train_group([member], registry, Programs())
    return left


def train_group(
    members: Sequence[Member], registry: Registry, programs: Programs, tasks: Tasks | None = None
) -> list[Left]:
    """Train members of equal shape to their ends; return what each left.

    `programs` and `tasks` are those of earlier groups, of which some may serve again. A group that
    fails is trained again in halves, until the failure is a member's own.
    """
    tasks = tasks or Tasks(registry)
    try:
        lefts = _trained(members, registry, programs, tasks)
    except Exception as error:  # noqa: BLE001  a plugin may raise anything, and it becomes a row
        if len(members) > 1:
            if members[0].contest is not None:
                return _apart(members, members[0].contest, registry, programs, tasks)
            half = len(members) // 2
            parts = [members[:half], members[half:]]
            return [left for part in parts for left in train_group(part, registry, programs, tasks)]
        full = isinstance(error, MemoryError | torch.OutOfMemoryError)
        lefts = [(_failed("out_of_memory" if full else "error", error), None)]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    peak, host = peak_bytes(), socket.gethostname()
    return [
        (replace(finished, finished_at=now, worker_host=host, peak_bytes=peak), weights)
        for finished, weights in lefts
    ]


def _apart(
    members: Sequence[Member],
    contest: Contest,
    registry: Registry,
    programs: Programs,
    tasks: Tasks,
) -> list[Left]:
    """Train the members of a contest one by one, and drop whom it would have dropped."""
    lefts = [
        left for member in members for left in train_group([member], registry, programs, tasks)
    ]
    finished = [finished for finished, _ in lefts]
    if any(one.curve for one in finished):
        name = members[0].metrics[0][0]
        finished = judged(finished, contest, name, registry.metric(name).cls.direction)
    # a trial has no weights to keep
    return [(one, None) for one in finished]


def _failed(status: Status, error: BaseException) -> Finished:
    text = " ".join(str(error).split())
    return Finished(
        status=status,
        reason=f"{type(error).__name__}: {text}"[:500],
        traceback="".join(traceback.format_exception(error)),
    )


def _trained(
    members: Sequence[Member], registry: Registry, programs: Programs, tasks: Tasks
) -> list[Left]:
    first = members[0]
    task = tasks.of(first.setting)
    metrics = [registry.metric(name).cls() for name, _ in first.metrics]
    data = Data(task, first.device)
    unit = registry.unit(first.architecture.kind, first.architecture.cell).cls
    networks = [network_of(member, unit, task) for member in members]
    group = Group(networks, task, members, programs)
    fits = _fit(group, networks, task, metrics, data)
    return [
        _scored(member, network, task, metrics, data, fit)
        for member, network, fit in zip(members, networks, fits, strict=True)
    ]


@dataclass(frozen=True)
class _Best:
    """The weights with the best validation score so far; the lower loss decides a tie."""

    update: int
    score: float
    loss: float
    row: Tensor

    def beaten_by(self, score: float, loss: float, direction: Direction) -> bool:
        if score == self.score:
            return loss < self.loss
        return score > self.score if direction == "max" else score < self.score


@dataclass
class _Fit:
    """How the training of one member goes."""

    metric: OfPredictions
    rows: Rows
    best: _Best | None = None
    updates: int = 0
    failed_update: int | None = None
    pruned: str = ""
    curve: list[Point] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    train_seconds: float = 0.0
    evaluate_seconds: float = 0.0

    def take(
        self, update: int, train_loss: float, valid_loss: float, scores: Mapping[str, float]
    ) -> bool:
        """Note a point of the curve; return whether its losses and first score are finite."""
        self.updates = update
        self.curve += [
            Point(update, "train", "loss", train_loss),
            Point(update, "valid", "loss", valid_loss),
            *(Point(update, "valid", name, score) for name, score in scores.items()),
        ]
        if not (math.isfinite(valid_loss) and math.isfinite(scores[self.metric.name])):
            self.failed_update = update
        return self.failed_update is None

    def finished(self, scores: tuple[Score, ...] = ()) -> Finished:
        diverged = self.failed_update is not None
        reason = f"the loss was not finite at update {self.failed_update}" if diverged else ""
        best = None if diverged else self.best
        return Finished(
            status="diverged" if diverged else "pruned" if self.pruned else "ok",
            reason=reason or self.pruned,
            updates=self.updates,
            failed_update=self.failed_update,
            best_update=best.update if best else None,
            valid_score=best.score if best else None,
            valid_loss=best.loss if best else None,
            scores=scores,
            curve=tuple(self.curve),
            samples=tuple(self.samples),
            seconds={
                "train": self.train_seconds,
                "evaluate": self.evaluate_seconds,
                "update": self.train_seconds / max(self.updates, 1),
            },
        )


def _fit(
    group: Group,
    networks: Sequence[Network],
    task: Task,
    metrics: Sequence[AnyMetric],
    data: Data,
) -> list[_Fit]:
    """Train for the recipe's updates, scoring validation data at evenly spaced points."""
    metric, of_predictions = metrics[0], _of_predictions(metrics)
    if not isinstance(metric, OfPredictions):
        raise TypeError(f"the first metric of `{task.name}`, {metric.name}, scores no predictions")
    first, recipe = group.members[0], group.members[0].recipe
    valid = data.held_out(first, "valid")
    fits = [_Fit(metric, group.rows) for _ in networks]
    alive = list(range(len(networks)))
    losses: list[Tensor] = []
    started = time.perf_counter()
    for update in range(1, recipe.updates + 1):
        losses.append(group.update(update, data.batches(group.members, update)))
        rung = first.contest is not None and update in first.contest.rungs
        if not (rung or _is_point(update, recipe)):
            continue
        trained = (time.perf_counter() - started) / len(alive)
        since = torch.stack(losses).tolist()
        losses, going = [], []
        for place, (one, failed) in enumerate(zip(alive, group.failed(), strict=True)):
            fit = fits[one]
            fit.train_seconds += trained
            if failed:
                fit.updates = fit.failed_update = failed
                continue
            paused = time.perf_counter()
            row = group.row(place)
            group.rows.load(row, networks[one])
            assessed = assess(networks[one], valid, task)
            scores = {one.name: assessed.measure(one) for one in of_predictions}
            score = scores[metric.name]
            train_loss = math.fsum(each[place] for each in since) / len(since)
            if fit.take(update, train_loss, assessed.loss, scores):
                going.append(place)
                if _samples_at(group.members[place], update):
                    fit.samples += samples(group.members[place], networks[one], assessed, update)
                if fit.best is None or fit.best.beaten_by(score, assessed.loss, metric.direction):
                    fit.best = _Best(update, score, assessed.loss, row.clone())
            fit.evaluate_seconds += time.perf_counter() - paused
        if rung and going:
            going = _stayed(going, [fits[alive[place]] for place in going], first, update)
        if len(going) < len(alive):
            group.keep(going)
            alive = [alive[place] for place in going]
            if not alive:
                break
        started = time.perf_counter()
    return fits


def _stayed(places: list[int], reached: list[_Fit], first: Member, update: int) -> list[int]:
    """Return the places that train on after a rung; note it with the others."""
    assert first.contest is not None  # noqa: S101  there is no rung without one
    sign = -1.0 if reached[0].metric.direction == "max" else 1.0
    scored = [(sign * fit.best.score, fit.best.loss) for fit in reached if fit.best is not None]
    on = stay(scored, first.contest.factor)
    for place, fit in enumerate(reached):
        if place not in on:
            fit.pruned = f"{len(on)} of {len(reached)} trained on after update {update}"
    return [places[place] for place in on]


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


def _scored(
    member: Member,
    network: Network,
    task: Task,
    metrics: Sequence[AnyMetric],
    data: Data,
    fit: _Fit,
) -> Left:
    """Score a run's best weights on validation and test data; a trial has none to read."""
    if fit.best is None or fit.failed_update is not None or member.seed.role == "tuning":
        return fit.finished(), None
    fit.rows.load(fit.best.row, network)
    of_predictions = _of_predictions(metrics)
    of_attention = [metric for metric in metrics if isinstance(metric, AttentionMetric)]
    splits: tuple[Literal["valid"], Literal["test"]] = ("valid", "test")
    scores: list[Score] = []
    for split in splits:
        assessed = assess(network, data.held_out(member, split), task, member.recipe.beam)
        scores.append(Score(split, "loss", assessed.loss, "min"))
        for metric in of_predictions:
            value = assessed.measure(metric)
            scores.append(Score(split, metric.name, value, metric.direction))
        looked = of_attention and look(network, assessed.batch)
        if looked:
            scores += [
                Score(split, one.name, float(one.measure(*looked)), one.direction)
                for one in of_attention
            ]
    if not math.isfinite(_test_score(scores, fit.metric)):
        reason = "the test score was not finite"
        return replace(fit.finished(), status="diverged", reason=reason), None
    scores += _outcomes(task, metrics, fit, _test_score(scores, fit.metric))
    weights = save({name: tensor.contiguous() for name, tensor in network.state_dict().items()})
    finished = replace(
        fit.finished(tuple(scores)),
        lengths=by_length(assessed, of_predictions),
        kinds=by_kind(assessed, of_predictions),
    )
    if member.seed.index == 0:
        finished = replace(
            finished, alignments=alignments(network, assessed), shown=shown(network, assessed)
        )
    return finished, weights


def _outcomes(
    task: Task,
    metrics: Sequence[AnyMetric],
    fit: _Fit,
    score: float,
) -> list[Score]:
    """Score how a run went."""
    first = fit.metric
    outcome = Outcome(
        score=score,
        direction=first.direction,
        solved=task.anchors.solved,
        curve=tuple(
            (point.update, point.value) for point in fit.curve if point.metric == first.name
        ),
    )
    found = []
    for metric in metrics:
        if isinstance(metric, OutcomeMetric):
            measured = metric.measure(outcome)
            value, censored = float(measured.value), bool(measured.censored)
            found.append(Score("test", metric.name, value, metric.direction, censored))
    return found


def _of_predictions(
    metrics: Iterable[AnyMetric],
) -> list[OfPredictions]:
    return [metric for metric in metrics if isinstance(metric, OfPredictions)]


def _test_score(scores: Iterable[Score], metric: OfPredictions) -> float:
    return next(s.value for s in scores if s.split == "test" and s.metric == metric.name)
