"""What training minimises, and which steps of a batch count."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from rnnbench.contracts import ONE_TARGET, Batch, Classes, Labels, Sequences, Task
from rnnbench.errors import PluginError
from rnnbench.recurrence import within


def loss(predictions: Tensor, batch: Batch, task: Task) -> Tensor:
    """Return the loss of a batch: a scalar.

    predictions  [batch, width] or [time, batch, width], as a network returns them

    Classes and symbols cost their cross-entropy in nats, labels the sum of their binary
    cross-entropies, real targets their squared error, averaged over the width. With several targets
    a sequence it takes the steps that count, averaged over all of them, or (where the task says so)
    summed over each sequence and averaged over sequences. What stands at other steps changes
    neither the loss nor its gradient, even if it is NaN.

    Raises:
        PluginError: the task's targets do not have the shape of the predictions.
    """
    return mean_cost(costs(predictions, batch, task), valid_mask(batch, task), task)


def mean_cost(costs: Tensor, mask: Tensor | None, task: Task) -> Tensor:
    """Return the loss that costs come to: a scalar; see `loss`.

    costs, mask  [batch] or [target time, batch]
    """
    if task.pattern in ONE_TARGET:
        return costs.mean()
    if task.loss_over_steps == "sum":
        return costs.sum(0).mean()
    # of a chunk in which nothing counts the loss is zero
    return costs.mean() if mask is None else costs.sum() / mask.sum().clamp(min=1)


def valid_mask(batch: Batch, task: Task) -> Tensor | None:
    """Return the steps that count, [target time, batch] bool.

    They are those within lengths and in the mask; of sequences those up to the first <END>. None
    means all of them; so it is for tasks that have one target a sequence.
    """
    if task.pattern in ONE_TARGET:
        return None
    if isinstance(task.targets, Sequences):
        ended = batch.targets == task.targets.end
        return ended.cumsum(0) - ended.long() == 0
    if batch.lengths is None:
        return batch.mask
    real = within(batch.lengths, len(batch.inputs))
    return real if batch.mask is None else real & batch.mask


def costs(predictions: Tensor, batch: Batch, task: Task) -> Tensor:
    """Return one cost a target, [batch] or [time, batch]; zero at steps that do not count.

    It is zero for a target that is no class, too.

    Raises:
        PluginError: the task's targets do not have the shape of the predictions.
    """
    targets, mask = batch.targets, valid_mask(batch, task)
    classes = isinstance(task.targets, Classes | Sequences)
    expected = predictions.shape[:-1] if classes else predictions.shape
    if targets.shape != expected:
        raise PluginError(
            f"task `{task.name}` has targets {list(targets.shape)}, "
            f"its {task.pattern} network predicts {list(predictions.shape)}"
        )
    if classes:
        counts = targets >= 0 if isinstance(task.targets, Classes) else mask
        if counts is not None and mask is not None:
            counts = counts & mask
        if counts is not None:
            targets = torch.where(counts, targets, 0)
        flat = cross_entropy(predictions.flatten(0, -2), targets.flatten(), reduction="none")
        each = flat.view(expected)
        return each if counts is None else torch.where(counts, each, 0)
    if isinstance(task.targets, Labels):
        # what is hidden costs ln 2 a label, and then nothing: NaN must not reach the derivative
        targets = targets.to(predictions.dtype)
        if mask is not None:
            targets = torch.where(mask.unsqueeze(-1), targets, 0)
        each = binary_cross_entropy_with_logits(predictions, targets, reduction="none").sum(-1)
        return each if mask is None else torch.where(mask, each, 0)
    error = predictions - targets
    if mask is not None:
        error = torch.where(mask.unsqueeze(-1), error, 0)
    return error.square().mean(-1)
