"""Root mean squared error, for real targets, in the targets' own units."""

from __future__ import annotations

from math import sqrt

from torch import Tensor

import rnnbench
from rnnbench_metrics.mean_squared_error import MeanSquaredError


class RootMeanSquaredError(rnnbench.Metric):
    """The root of the mean squared error over all counted items and all their values."""

    name = "rmse"
    direction = "min"
    low = 0.0

    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score values [..., width] against targets [..., width]; `mask` [...] says what counts.

        Raises:
            ValueError: the shapes differ, which broadcasting would hide.
        """
        return sqrt(MeanSquaredError().measure(predictions, targets, mask))


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide the root mean squared error."""
    return [RootMeanSquaredError]
