"""Train a group of members: build, train, keep the best weights, score.

Members of a group have equal shapes and differ in values and seeds. None sees the others: what a
member leaves is the same to the last bit alone and in any group. A failure is a result too.
"""

from __future__ import annotations

import math
import socket
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

import torch
from safetensors.torch import save

from rnnbench.assessing import assess, look
from rnnbench.checkpoints import Checkpoint
from rnnbench.contests import Contest
from rnnbench.contracts import (
    AnyMetric,
    AttentionMetric,
    OfPredictions,
    Outcome,
    OutcomeMetric,
    Task,
)
from rnnbench.course import Course, Pace, of_predictions
from rnnbench.devices import hardware_of
from rnnbench.errors import UnwantedError
from rnnbench.fit import Fit
from rnnbench.group.building import network_of
from rnnbench.group.data import Data
from rnnbench.group.rows import Rows
from rnnbench.group.steps import Programs
from rnnbench.judged import judged
from rnnbench.kindwise import by_kind
from rnnbench.lengthwise import by_length
from rnnbench.machine import versions
from rnnbench.member import Finished, Member, Score, Status
from rnnbench.memory import peak_bytes
from rnnbench.nn.network import Network
from rnnbench.registry import Registry
from rnnbench.showing import alignments
from rnnbench.showing_pictures import shown
from rnnbench.tasks import Tasks

Left = tuple[Finished, bytes | None]
"""What a member leaves: its numbers and, for a run, its weights (safetensors)."""


def train(member: Member, registry: Registry) -> Left:
    """Train one member to its end."""
    (left,) = train_group([member], registry, Programs())
    return left


@dataclass(frozen=True)
class _Means:
    """What training takes beside the members."""

    registry: Registry
    programs: Programs
    tasks: Tasks
    pace: Pace


def train_group(
    members: Sequence[Member],
    registry: Registry,
    programs: Programs,
    tasks: Tasks | None = None,
    pace: Pace | None = None,
) -> list[Left]:
    """Train members of equal shape to their ends; return what each left.

    `programs` and `tasks` are those of earlier groups, of which some may serve again. A group that
    fails is trained again in halves, until the failure is a member's own.

    Raises:
        UnwantedError: nobody waits for the members any more.
    """
    return _lefts(members, _Means(registry, programs, tasks or Tasks(registry), pace or Pace()))


def _lefts(members: Sequence[Member], means: _Means) -> list[Left]:
    reached = _reached(members, means)
    updates = {one.update if one else 0 for one in reached}
    if len(updates) > 1 and members[0].contest is None:
        return _in_parts(members, reached, means)
    trace = _Trace()
    try:
        reached_all = [one for one in reached if one and len(updates) == 1]
        lefts = _trained(members, means, reached_all, trace)
    except UnwantedError:
        raise
    except Exception as error:  # noqa: BLE001  a plugin may raise anything, and it becomes a row
        if len(members) > 1:
            if members[0].contest is not None:
                return _apart(members, members[0].contest, means)
            half = len(members) // 2
            return [
                left for part in (members[:half], members[half:]) for left in _lefts(part, means)
            ]
        full = isinstance(error, MemoryError | torch.OutOfMemoryError)
        lefts = [(_failed("out_of_memory" if full else "error", error, trace), None)]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    peak, host, hardware = peak_bytes(), socket.gethostname(), hardware_of(members[0].device)

    def signed(finished: Finished) -> Finished:
        return replace(
            finished, finished_at=now, worker_host=host, hardware_host=hardware, peak_bytes=peak
        )

    return [(signed(finished), weights) for finished, weights in lefts]


def _reached(members: Sequence[Member], means: _Means) -> list[Checkpoint | None]:
    """Return the members' checkpoints, None where one begins."""
    checkpoints = means.pace.checkpoints
    if checkpoints.folder is None:
        return [None] * len(members)
    code = _code(members, means)
    reached = [checkpoints.read(member.key, code) for member in members]
    # who was late begins anew: the limit may be another now
    return [None if one is None or one.facts.get("late") else one for one in reached]


def _in_parts(
    members: Sequence[Member], reached: Sequence[Checkpoint | None], means: _Means
) -> list[Left]:
    """Train members by the update that they have reached."""
    parts: dict[int, list[Member]] = {}
    for member, checkpoint in zip(members, reached, strict=True):
        parts.setdefault(checkpoint.update if checkpoint else 0, []).append(member)
    lefts = {
        member.key: left
        for part in parts.values()
        for member, left in zip(part, _lefts(part, means), strict=True)
    }
    return [lefts[member.key] for member in members]


def _code(members: Sequence[Member], means: _Means) -> dict[str, str]:
    """Name what makes the numbers of members of this shape: whose checkpoints can be gone on from.

    A contest goes on from those of all its members, who met at its rungs.
    """
    first, registry = members[0], means.registry
    unit = registry.unit(first.architecture.kind, first.architecture.cell)
    parts = [unit, registry.task(first.setting.task)]
    parts += [registry.metric(name) for name, _ in first.metrics]
    found = versions()
    return {
        **{part.title: part.source for part in parts},
        **{name: found[name] for name in ("rnnbench", "torch")},
        "compiler": means.pace.compiler,
        "contest": "none" if first.contest is None else str(len(members)),
    }


def _apart(members: Sequence[Member], contest: Contest, means: _Means) -> list[Left]:
    """Train the members of a contest one by one, and drop whom it would have dropped."""
    lefts = [left for member in members for left in _lefts([member], means)]
    finished = [finished for finished, _ in lefts]
    if any(one.curve for one in finished):
        name = members[0].metrics[0][0]
        finished = judged(finished, contest, name, means.registry.metric(name).cls.direction)
    # a trial has no weights to keep
    return [(one, None) for one in finished]


@dataclass
class _Trace:
    """When a group began, and its course as soon as there is one: for what raises."""

    since: float = field(default_factory=time.perf_counter)
    course: Course | None = None


def _failed(status: Status, error: BaseException, trace: _Trace) -> Finished:
    name, text = type(error).__name__, " ".join(str(error).split())
    failed = Finished(
        status=status,
        reason=f"{name}: {text}"[:500],
        exception=name,
        traceback="".join(traceback.format_exception(error)),
        seconds={"train": time.perf_counter() - trace.since},
    )
    if trace.course is None:
        return failed
    update, fit = trace.course.raised()
    return replace(
        failed,
        updates=fit.updates if update is None else update - 1,
        failed_update=update,
        curve=tuple(fit.curve),
        seconds={"train": fit.train_seconds, "evaluate": fit.evaluate_seconds},
    )


def _trained(
    members: Sequence[Member], means: _Means, reached: Sequence[Checkpoint], trace: _Trace
) -> list[Left]:
    first, registry, pace = members[0], means.registry, means.pace
    task = means.tasks.of(first.setting)
    metrics = [registry.metric(name).cls() for name, _ in first.metrics]
    data = Data(task, first.device)
    unit = registry.unit(first.architecture.kind, first.architecture.cell).cls
    networks = [network_of(member, unit, task) for member in members]
    code = _code(members, means) if pace.checkpoints.folder else {}
    programs = means.programs
    course = Course(members, networks, task, metrics, data, programs, pace, code, reached)
    trace.course = course
    return [
        _scored(member, network, task, metrics, data, course.rows, fit)
        for member, network, fit in zip(members, networks, course.run(), strict=True)
    ]


def _scored(
    member: Member,
    network: Network,
    task: Task,
    metrics: Sequence[AnyMetric],
    data: Data,
    rows: Rows,
    fit: Fit,
) -> Left:
    """Score a run's best weights on validation and test data; a trial has none to read."""
    if fit.best is None or fit.ended or member.seed.role == "tuning":
        return fit.finished(), None
    rows.load(fit.best.row, network)
    scoring = of_predictions(metrics)
    of_attention = [metric for metric in metrics if isinstance(metric, AttentionMetric)]
    first = scoring[0]
    splits: tuple[Literal["valid"], Literal["test"]] = ("valid", "test")
    scores: list[Score] = []
    for split in splits:
        assessed = assess(network, data.held_out(member, split), task, member.recipe.beam)
        scores.append(Score(split, "loss", assessed.loss, "min"))
        for metric in scoring:
            value = assessed.measure(metric)
            scores.append(Score(split, metric.name, value, metric.direction))
        looked = of_attention and look(network, assessed.batch)
        if looked:
            scores += [
                Score(split, one.name, float(one.measure(*looked)), one.direction)
                for one in of_attention
            ]
    if not math.isfinite(_test_score(scores, first)):
        reason = "the test score was not finite"
        return replace(fit.finished(), status="diverged", reason=reason), None
    scores += _outcomes(task, metrics, fit, _test_score(scores, first))
    weights = save({name: tensor.contiguous() for name, tensor in network.state_dict().items()})
    finished = replace(
        fit.finished(tuple(scores)),
        lengths=by_length(assessed, scoring),
        kinds=by_kind(assessed, scoring),
    )
    if member.seed.index == 0:
        finished = replace(
            finished, alignments=alignments(network, assessed), shown=shown(network, assessed)
        )
    return finished, weights


def _outcomes(
    task: Task,
    metrics: Sequence[AnyMetric],
    fit: Fit,
    score: float,
) -> list[Score]:
    """Score how a run went."""
    first = of_predictions(metrics)[0]
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


def _test_score(scores: Iterable[Score], metric: OfPredictions) -> float:
    return next(s.value for s in scores if s.split == "test" and s.metric == metric.name)
