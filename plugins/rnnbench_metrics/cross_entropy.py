"""Cross-entropy: how surprising the right answers were."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

import rnnbench
from rnnbench_metrics.paired import classes


class CrossEntropy(rnnbench.Metric):
    """The mean of −ln p(target) over counted items, in nats, computed in float64.

    A target of -1, which is no class, is left out: no prediction would be nearer to it.
    """

    name = "cross_entropy"
    direction = "min"
    low = 0.0

    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score logits [..., classes] against classes [...]; `mask` [...] says what counts.

        Raises:
            ValueError: the shapes do not belong together.
        """
        return surprise(predictions, targets, mask).item()


def surprise(predictions: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean of −ln p(target) over counted items, a float64 scalar; as `measure`."""
    logits, expected = classes(predictions, targets, mask)
    return functional.cross_entropy(
        logits.double().flatten(0, -2), expected.flatten(), ignore_index=-1
    )


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide cross-entropy."""
    return [CrossEntropy]
