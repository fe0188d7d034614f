"""Frame accuracy: which of the notes that sound, or were said to, are both."""

from __future__ import annotations

from torch import Tensor

import rnnbench
from rnnbench_metrics.paired import labels


class FrameAccuracy(rnnbench.Metric):
    """Hits / (hits + misses + false alarms), over all labels of all counted frames.

    A label is predicted where its logit is above 0. Where there is nothing and nothing is
    predicted, this is 1.
    """

    name = "frame_accuracy"
    reference = "Bay, Ehmann & Downie 2009, ISMIR"
    direction = "max"
    low = 0.0
    high = 1.0

    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score logits [..., labels] against 0 or 1 [..., labels]; `mask` [...] says what counts.

        Raises:
            ValueError: the shapes differ, or a target is neither 0 nor 1.
        """
        logits, expected = labels(predictions, targets, mask)
        said, true = logits > 0, expected == 1
        either = (said | true).sum().item()
        return (said & true).sum().item() / either if either else 1.0


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide frame accuracy."""
    return [FrameAccuracy]
