"""Mean absolute scaled error, for forecasts."""

from __future__ import annotations

from torch import Tensor

import rnnbench
from rnnbench_metrics.paired import values


class MeanAbsoluteScaledError(rnnbench.Metric):
    """The mean absolute error of targets whose unit is the series' mean absolute change.

    That unit, the error of the naive forecast in the training part, is the task's to choose, as
    `forecasting` does; of targets in another unit this is their mean absolute error.
    """

    name = "mase"
    reference = "Hyndman & Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001"
    direction = "min"
    low = 0.0

    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score values [..., width] against targets [..., width]; `mask` [...] says what counts.

        Raises:
            ValueError: the shapes differ, which broadcasting would hide.
        """
        predicted, expected = values(predictions, targets, mask)
        return (predicted.double() - expected.double()).abs().mean().item()


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide the mean absolute scaled error."""
    return [MeanAbsoluteScaledError]
