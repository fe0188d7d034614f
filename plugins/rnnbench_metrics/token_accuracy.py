"""Token accuracy: the share of symbols that were said in their place."""

from __future__ import annotations

from torch import Tensor

import rnnbench
from rnnbench_metrics.paired import values


class TokenAccuracy(rnnbench.Metric):
    """The share of all target steps, <END> among them, at which the right symbol was said.

    A symbol counts in its place only: one that was left out makes all behind it wrong.
    """

    name = "token_accuracy"
    direction = "max"
    low = 0.0
    high = 1.0

    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score numbers that were said [time, batch] against targets [time, batch].

        mask  [time, batch] bool, the steps of each target up to <END>; None: all

        Raises:
            ValueError: the shapes do not belong together.
        """
        said, expected = values(predictions, targets, mask)
        return (said == expected).double().mean().item()


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide token accuracy."""
    return [TokenAccuracy]
