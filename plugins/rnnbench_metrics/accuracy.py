"""Accuracy: the share of answers that are right."""

from __future__ import annotations

from torch import Tensor

import rnnbench
from rnnbench_metrics.paired import classes


class Accuracy(rnnbench.Metric):
    """The share of counted items whose largest logit is the target's class."""

    name = "accuracy"
    direction = "max"
    low = 0.0
    high = 1.0

    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score logits [..., classes] against classes [...]; `mask` [...] says what counts.

        Raises:
            ValueError: the shapes do not belong together.
        """
        logits, expected = classes(predictions, targets, mask)
        return (logits.argmax(-1) == expected).double().mean().item()


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide accuracy."""
    return [Accuracy]
