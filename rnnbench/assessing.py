"""What a network makes of held-out data: its loss, its predictions, and what they are worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rnnbench.contracts import (
    ONE_TARGET,
    Batch,
    Classes,
    OfPredictions,
    Pattern,
    Sequences,
    Task,
    TextMetric,
)
from rnnbench.nn.encoder_decoder import EncoderDecoder
from rnnbench.nn.loss import costs, mean_cost, valid_mask
from rnnbench.nn.network import Network, evaluating
from rnnbench.nn.reader import activations
from rnnbench.nn.readout import target_width

EVALUATION_BATCH = 512
"""Sequences per forward pass on held-out data at most; scores do not depend on it."""

MOST_VALUES = 2**26
"""Predicted numbers per forward pass at most, with those that are seen of pictures, unless a single
sequence has more."""


@dataclass(frozen=True)
class Assessed:
    """A batch, its loss, and predictions as metrics take them.

    predictions  [batch, width] or [time, batch, width]; of sequences what was said, [time, batch]
    """

    batch: Batch
    task: Task
    loss: float
    predictions: Tensor

    def measure(self, metric: OfPredictions) -> float:
        """Score the predictions."""
        if isinstance(metric, TextMetric):
            return float(metric.measure(self.said, self.references))
        mask = valid_mask(self.batch, self.task)
        return float(metric.measure(self.predictions, self.batch.targets, mask))

    @property
    def unseen(self) -> Assessed:
        """The same without the pictures beside sequences, which no score needs."""
        bare = replace(self.batch, images=None, boxes=None, pictures=None)
        return replace(self, batch=bare)

    def choose(self, rows: Tensor) -> Assessed:
        """Return the sequences of these numbers, [n] int64, with the loss of all."""
        return replace(
            self,
            batch=self.batch.choose(rows, self.task.pattern),
            predictions=self.predictions.index_select(-1 if self._spoken else -2, rows),
        )

    @property
    def said(self) -> list[str]:
        """What was said, in words; of tasks whose targets are sequences."""
        return _texts(self.task, self.predictions)

    @property
    def references(self) -> list[tuple[str, ...]]:
        """The right answers to each, in words."""
        given = self.batch.references
        return [(t,) for t in _texts(self.task, self.batch.targets)] if given is None else [*given]

    @property
    def _spoken(self) -> bool:
        return isinstance(self.task.targets, Sequences)


def _texts(task: Task, numbers: Tensor) -> list[str]:
    """Write sequences of symbols, [time, batch].

    Raises:
        TypeError: the task's targets are no sequences of symbols.
    """
    if not isinstance(task.targets, Sequences):
        raise TypeError(f"task `{task.name}` has no targets that could be written")
    targets = task.targets
    return [targets.text(column) for column in numbers.T.tolist()]


@torch.no_grad()
def assess(network: Network, batch: Batch, task: Task, beam: int = 1) -> Assessed:
    """Predict a whole held-out set.

    A decoder's loss is that of being told the right symbols, as in training; its predictions are
    what it says freely, looked for with a beam where that is wider than 1.
    """
    each, cost = [], []
    with evaluating(network):
        for part in parts(batch, task, beam):
            predictions = network(part)
            cost.append(costs(predictions, part, task))
            if isinstance(network, EncoderDecoder):
                predictions = said(network, part, len(batch.targets), beam)
            each.append(predictions)
    spoken = isinstance(network, EncoderDecoder)
    loss = mean_cost(torch.cat(cost, -1), _costing(batch, task), task)
    return Assessed(batch, task, loss.item(), torch.cat(each, -1 if spoken else -2))


def _costing(batch: Batch, task: Task) -> Tensor | None:
    """Return which targets cost anything: those that count, without what is no class."""
    mask = valid_mask(batch, task)
    if not isinstance(task.targets, Classes) or (batch.targets >= 0).all():
        return mask
    return batch.targets >= 0 if mask is None else mask & (batch.targets >= 0)


@torch.no_grad()
def predict(network: Network, inputs: Tensor) -> Tensor:
    """Predict from inputs [time, batch] or [time, batch, width] alone."""
    with evaluating(network):
        # targets are not needed to predict
        return network(Batch(inputs, inputs))  # type: ignore[no-any-return]  # torch's call


@torch.no_grad()
def look(network: Network, batch: Batch) -> tuple[Tensor, Tensor] | None:
    """Return where an attention looks in pictures while the right symbols are told, and the boxes.

    The weights are [target time, batch, rows, columns]; None without an attention, or where nobody
    says where what is named stands.
    """
    if batch.boxes is None or not isinstance(network, EncoderDecoder) or not network.grid[0]:
        return None
    each = []
    for part in _cut(batch, EVALUATION_BATCH, "one-to-many"):
        looked = network.looked(part, part.targets)
        if looked is None:
            return None
        each.append(looked)
    weights = torch.cat(each, 1)
    return weights.view(*weights.shape[:-1], *network.grid), batch.boxes


def said(network: EncoderDecoder, batch: Batch, steps: int, beam: int) -> Tensor:
    """Return what a decoder says freely: [steps, batch]."""
    if beam == 1:
        return network.say(batch, steps)
    return network.search(batch, steps, beam)


def parts(batch: Batch, task: Task, beam: int = 1) -> Iterator[Batch]:
    """Cut a batch into parts whose predictions fit into memory."""
    steps = 1 if task.pattern in ONE_TARGET else len(batch.targets)
    seen = activations(task.inputs) * len(batch.inputs)
    seen += 0 if task.image is None else activations(task.image)
    each = beam * (steps * target_width(task.targets) + seen)
    most = max(1, min(EVALUATION_BATCH, MOST_VALUES // each))
    yield from _cut(batch, most, task.pattern)


def _cut(batch: Batch, most: int, pattern: Pattern) -> Iterator[Batch]:
    if len(batch) <= most:
        yield batch
        return
    for start in range(0, len(batch), most):
        rows = torch.arange(start, min(start + most, len(batch)))
        yield batch.choose(rows.to(batch.inputs.device), pattern)
