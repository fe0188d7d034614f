"""Train one member: build, train, keep the best weights, score. A failure is a result too."""

from __future__ import annotations

import math
import socket
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import torch
from safetensors.torch import save
from torch import Generator, Tensor, nn

from rnnbench.contracts import Batch, Metric, Outcome, OutcomeMetric, Split, Task
from rnnbench.direction import Direction
from rnnbench.member import Finished, Member, Point, Recipe, Score, Status
from rnnbench.nn.dropout import rekey
from rnnbench.nn.loss import loss as loss_of
from rnnbench.nn.loss import valid_mask
from rnnbench.nn.network import Network, build
from rnnbench.registry import Registry

EVALUATION_BATCH = 512
"""Sequences per forward pass on held-out data; scores do not depend on it."""


class Data:
    """The data of one member, made from its named seeds, on its device."""

    def __init__(self, task: Task, member: Member) -> None:
        self._task = task
        self._member = member

    def batch(self, update: int) -> Batch:
        """Draw the training batch of one update."""
        generator = Generator().manual_seed(self._member.batch_seed(update))
        return _moved(self._task.batch(self._member.recipe.batch, generator), self._member.device)

    def held_out(self, split: Split) -> Batch:
        """Return a held-out set.

        Raises:
            SealedError: test data for a member that tunes: it has no seed for it.
        """
        generator = Generator().manual_seed(self._member.held_out_seed(split))
        return _moved(self._task.held_out(split, generator), self._member.device)


def train(member: Member, registry: Registry) -> tuple[Finished, bytes | None]:
    """Train a member to its end; return what it left and, for a run, its weights (safetensors)."""
    try:
        finished, weights = _trained(member, registry)
    except (MemoryError, torch.OutOfMemoryError) as error:
        finished, weights = _failed("out_of_memory", error), None
    except Exception as error:  # noqa: BLE001  a plugin may raise anything, and it becomes a row
        finished, weights = _failed("error", error), None
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return replace(finished, finished_at=now, worker_host=socket.gethostname()), weights


def _failed(status: Status, error: BaseException) -> Finished:
    text = " ".join(str(error).split())
    return Finished(
        status=status,
        reason=f"{type(error).__name__}: {text}"[:500],
        traceback="".join(traceback.format_exception(error)),
    )


def _trained(member: Member, registry: Registry) -> tuple[Finished, bytes | None]:
    net = member.architecture
    task = registry.task(member.setting.task).cls(**member.setting.options)
    cell = registry.cell(net.cell).cls(**net.structure, **net.numeric)
    network = build(
        cell,
        task,
        hidden=net.hidden,
        layers=net.layers,
        bidirectional=net.bidirectional,
        dropout=net.dropout,
        numeric=net.numeric,
        backend=member.backend,
        generator=Generator().manual_seed(member.weights_seed),
    ).to(member.device)
    metrics = [registry.metric(name).cls() for name, _ in member.metrics]
    data = Data(task, member)
    fit = _fit(network, task, metrics[0], data, member)
    if fit.best is None or fit.failed_update is not None:
        return fit.finished(), None
    if member.seed.role == "tuning":
        return fit.finished(), None
    network.load_state_dict(fit.best.weights)
    scores = _scores(network, task, metrics, data, fit)
    if not math.isfinite(_test_score(scores, fit.metric)):
        reason = "the test score was not finite"
        return replace(fit.finished(), status="diverged", reason=reason), None
    weights = save({name: tensor.contiguous() for name, tensor in fit.best.weights.items()})
    return fit.finished(scores), weights


@dataclass(frozen=True)
class _Best:
    """The weights with the best validation score so far; the lower loss decides a tie."""

    update: int
    score: float
    loss: float
    weights: dict[str, Tensor]

    def beaten_by(self, score: float, loss: float, direction: Direction) -> bool:
        if score == self.score:
            return loss < self.loss
        return score > self.score if direction == "max" else score < self.score


@dataclass(frozen=True)
class _Fit:
    """How training went."""

    metric: Metric
    best: _Best | None
    updates: int
    failed_update: int | None
    curve: tuple[Point, ...]
    train_seconds: float
    evaluate_seconds: float

    def finished(self, scores: tuple[Score, ...] = ()) -> Finished:
        diverged = self.failed_update is not None
        reason = f"the loss was not finite at update {self.failed_update}" if diverged else ""
        best = None if diverged else self.best
        return Finished(
            status="diverged" if diverged else "ok",
            reason=reason,
            updates=self.updates,
            failed_update=self.failed_update,
            best_update=best.update if best else None,
            valid_score=best.score if best else None,
            valid_loss=best.loss if best else None,
            scores=scores,
            curve=self.curve,
            seconds={
                "train": self.train_seconds,
                "evaluate": self.evaluate_seconds,
                "update": self.train_seconds / max(self.updates, 1),
            },
        )


def _fit(
    network: Network, task: Task, metric: Metric | OutcomeMetric, data: Data, member: Member
) -> _Fit:
    """Train for the recipe's updates, scoring validation data at evenly spaced points."""
    if not isinstance(metric, Metric):
        raise TypeError(f"the first metric of `{task.name}`, {metric.name}, scores no predictions")
    recipe = member.recipe
    valid = data.held_out("valid")
    optimizer = _optimizer(network, recipe)
    parameters = list(network.parameters())
    limit = math.inf if recipe.clip is None else recipe.clip
    best: _Best | None = None
    curve: list[Point] = []
    losses: list[float] = []
    failed_update = None
    evaluating = 0.0
    started = time.perf_counter()
    update = 0
    for update, rate in _rates(recipe):
        for group in optimizer.param_groups:
            group["lr"] = rate
        rekey(network, member.dropout_seed(update))
        batch = data.batch(update)
        optimizer.zero_grad()
        loss = loss_of(network(batch), batch, task)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        norm = nn.utils.clip_grad_norm_(parameters, limit)
        losses.append(loss.item())
        if not (math.isfinite(losses[-1]) and math.isfinite(norm.item())):
            failed_update = update
            break
        optimizer.step()
        if not _is_point(update, recipe):
            continue
        paused = time.perf_counter()
        predictions = _predict(network, valid)
        valid_loss = loss_of(predictions, valid, task).item()
        score = float(metric.measure(predictions, valid.targets, valid_mask(valid, task)))
        curve.append(Point(update, "train", "loss", math.fsum(losses) / len(losses)))
        curve.append(Point(update, "valid", "loss", valid_loss))
        curve.append(Point(update, "valid", metric.name, score))
        losses = []
        if not (math.isfinite(valid_loss) and math.isfinite(score)):
            failed_update = update
            break
        if best is None or best.beaten_by(score, valid_loss, metric.direction):
            kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            best = _Best(update, score, valid_loss, kept)
        evaluating += time.perf_counter() - paused
    training = time.perf_counter() - started - evaluating
    return _Fit(metric, best, update, failed_update, tuple(curve), training, evaluating)


def _rates(recipe: Recipe) -> Iterator[tuple[int, float]]:
    """Yield every update, from 1, with its learning rate."""
    for update in range(1, recipe.updates + 1):
        done = (update - 1) / recipe.updates
        match recipe.schedule:
            case "cosine":
                share = (1 + math.cos(math.pi * done)) / 2
            case "linear":
                share = 1 - done
            case _:
                share = 1.0
        yield update, recipe.learning_rate * share


def _is_point(update: int, recipe: Recipe) -> bool:
    """Whether validation data is scored after this update; the last one always is."""
    points = min(recipe.points, recipe.updates)
    return update * points // recipe.updates > (update - 1) * points // recipe.updates


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    rate, decay = recipe.learning_rate, recipe.weight_decay
    weights = network.parameters()
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(weights, rate, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(weights, rate, weight_decay=decay, fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(weights, rate, weight_decay=decay)
        case "sgd":
            return torch.optim.SGD(
                weights, rate, momentum=recipe.momentum, weight_decay=decay, fused=True
            )
        case other:
            raise ValueError(f"no optimizer `{other}`")


@torch.no_grad()
def _predict(network: Network, batch: Batch) -> Tensor:
    """Predict a whole held-out set: [batch, width] or [time, batch, width]."""
    network.eval()
    parts = [network(part) for part in _parts(batch)]
    network.train()
    return torch.cat(parts, dim=-2)


def _parts(batch: Batch) -> Iterator[Batch]:
    """Cut a batch into parts of at most EVALUATION_BATCH sequences; targets are not needed."""
    for start in range(0, len(batch), EVALUATION_BATCH):
        part = slice(start, start + EVALUATION_BATCH)
        lengths = None if batch.lengths is None else batch.lengths[part]
        yield Batch(batch.inputs[:, part], batch.targets, lengths)


def _scores(
    network: Network, task: Task, metrics: list[Metric | OutcomeMetric], data: Data, fit: _Fit
) -> tuple[Score, ...]:
    """Score a run's best weights on validation and test data by every metric."""
    scores: list[Score] = []
    splits: tuple[Literal["valid"], Literal["test"]] = ("valid", "test")
    for split in splits:
        batch = data.held_out(split)
        predictions = _predict(network, batch)
        loss = loss_of(predictions, batch, task).item()
        scores.append(Score(split, "loss", loss, "min"))
        for metric in metrics:
            if isinstance(metric, Metric):
                value = float(metric.measure(predictions, batch.targets, valid_mask(batch, task)))
                scores.append(Score(split, metric.name, value, metric.direction))
    first = fit.metric
    outcome = Outcome(
        score=_test_score(scores, first),
        direction=first.direction,
        solved=task.anchors.solved,
        curve=tuple(
            (point.update, point.value) for point in fit.curve if point.metric == first.name
        ),
    )
    for metric in metrics:
        if isinstance(metric, OutcomeMetric):
            measured = metric.measure(outcome)
            scores.append(
                Score(
                    "test",
                    metric.name,
                    float(measured.value),
                    metric.direction,
                    bool(measured.censored),
                )
            )
    return tuple(scores)


def _test_score(scores: Iterable[Score], metric: Metric) -> float:
    return next(s.value for s in scores if s.split == "test" and s.metric == metric.name)


def _moved(batch: Batch, device: str) -> Batch:
    if device == "cpu":
        return batch
    return Batch(
        batch.inputs.to(device),
        batch.targets.to(device),
        None if batch.lengths is None else batch.lengths.to(device),
        None if batch.mask is None else batch.mask.to(device),
    )
