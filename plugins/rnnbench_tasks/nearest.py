"""The nearest neighbour: what a task's sequences give away without being read in order."""

from __future__ import annotations

import torch
from torch import Tensor

import rnnbench

SMALL = 1e-4
PART = 1024


def nearest(queries: Tensor, neighbours: Tensor, classes: Tensor) -> Tensor:
    """Return the class of each query's nearest neighbour, [queries] int64.

    queries     [queries, features]
    neighbours  [neighbours, features], with `classes` [neighbours]

    Distances are Euclidean, every feature divided by its deviation among the neighbours. One that
    is constant but for rounding, in standardised units, tells nothing and does not count.
    """
    deviation = neighbours.std(0, correction=0)
    told = deviation > SMALL
    scale = deviation[told]
    known = neighbours[:, told] / scale
    # part by part: all distances at once are a matter of gigabytes for large sets
    near = [torch.cdist(part, known).argmin(1) for part in (queries[:, told] / scale).split(PART)]
    return classes[torch.cat(near)]


def means(batch: rnnbench.Batch) -> Tensor:
    """Return the mean over each sequence's valid steps, [batch, width]."""
    return _moments(batch)[0]


def summaries(batch: rnnbench.Batch) -> Tensor:
    """Return mean, deviation, first and last value of each column, [batch, 4 · width]."""
    mean, deviation = _moments(batch)
    inputs = batch.inputs
    if batch.lengths is None:
        last = inputs[-1]
    else:
        last = inputs[batch.lengths - 1, torch.arange(len(batch))]
    return torch.cat([mean, deviation, inputs[0], last], 1)


def _moments(batch: rnnbench.Batch) -> tuple[Tensor, Tensor]:
    inputs, lengths = batch.inputs, batch.lengths
    if lengths is None:
        return inputs.mean(0), inputs.std(0, correction=0)
    valid = (torch.arange(len(inputs)).unsqueeze(1) < lengths).unsqueeze(-1)
    count = lengths.unsqueeze(-1)
    mean = (inputs * valid).sum(0) / count
    return mean, (((inputs - mean).square() * valid).sum(0) / count).sqrt()


def share(right: Tensor) -> float:
    """Return the part of answers that are right: their accuracy."""
    return right.double().mean().item()
