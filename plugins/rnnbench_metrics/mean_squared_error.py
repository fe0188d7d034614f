"""Mean squared error: how far predicted values are from the targets."""

from __future__ import annotations

from torch import Tensor

import rnnbench
from rnnbench_metrics.paired import values


class MeanSquaredError(rnnbench.Metric):
    """The mean of (prediction − target)² over counted items and their values, in float64."""

    name = "mean_squared_error"
    direction = "min"
    low = 0.0

    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score values [..., width] against targets [..., width]; `mask` [...] says what counts.

        Raises:
            ValueError: the shapes differ, which broadcasting would hide.
        """
        predicted, expected = values(predictions, targets, mask)
        return (predicted.double() - expected.double()).square().mean().item()


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide the mean squared error."""
    return [MeanSquaredError]
