"""Cross-entropy: how surprising the right answers were."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

import rnnbench


class CrossEntropy(rnnbench.Metric):
    """The mean of −ln p(target) over counted items, in nats, computed in float64."""

    name = "cross_entropy"
    direction = "min"
    low = 0.0

    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score logits [..., classes] against classes [...]; `mask` [...] says what counts.

        Raises:
            ValueError: the shapes do not belong together.
        """
        if predictions.shape[:-1] != targets.shape:
            raise ValueError(
                f"logits {list(predictions.shape)} do not belong to targets {list(targets.shape)}"
            )
        if mask is not None:
            predictions, targets = predictions[mask], targets[mask]
        items = predictions.double().flatten(0, -2)
        return functional.cross_entropy(items, targets.flatten()).item()


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide cross-entropy."""
    return [CrossEntropy]
