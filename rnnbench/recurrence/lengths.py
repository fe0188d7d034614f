"""Sequences of different lengths in one batch: which steps are real, and time reversed in each."""

from __future__ import annotations

import torch
from torch import Tensor


def within(lengths: Tensor, steps: int) -> Tensor:
    """Return which steps are real: lengths [..., batch] -> [..., steps, batch] bool."""
    return torch.arange(steps, device=lengths.device).unsqueeze(-1) < lengths.unsqueeze(-2)


def reverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Reverse each sequence within its length: x [time, batch, features]; padding stays in place.

    `reverse(reverse(x, lengths), lengths)` is `x`.
    """
    if lengths is None:
        return x.flip(0)
    steps = torch.arange(len(x), device=x.device).unsqueeze(-1)
    source = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return x.gather(0, source.unsqueeze(-1).expand_as(x))
