"""Exact match: the share of sequences that are right from the first symbol to <END>."""

from __future__ import annotations

from torch import Tensor

import rnnbench
from rnnbench_metrics.paired import values


class ExactMatch(rnnbench.Metric):
    """The share of sequences of which every symbol is right, <END> among them.

    One symbol that is wrong, missing or too many costs the whole sequence.
    """

    name = "exact_match"
    reference = "Lake & Baroni 2018, arXiv:1711.00350"
    direction = "max"
    low = 0.0
    high = 1.0

    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score numbers that were said [time, batch] against targets [time, batch].

        mask  [time, batch] bool, the steps of each target up to <END>; None: all

        Raises:
            ValueError: the shapes do not belong together.
        """
        said, expected = values(predictions, targets, None)
        right = said == expected
        if mask is not None:
            right |= ~mask
        return right.all(0).double().mean().item()


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide exact match."""
    return [ExactMatch]
