"""Perplexity: among how many equally likely answers a model hesitates."""

from __future__ import annotations

from torch import Tensor

import rnnbench
from rnnbench_metrics.cross_entropy import surprise


class Perplexity(rnnbench.Metric):
    """The inverse of the geometric mean of p(target) over counted items, computed in float64."""

    name = "perplexity"
    reference = "Jelinek et al. 1977, doi:10.1121/1.2016299"
    direction = "min"
    low = 1.0

    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score logits [..., classes] against classes [...]; `mask` [...] says what counts.

        It is infinite where it is beyond float64.

        Raises:
            ValueError: the shapes do not belong together.
        """
        return surprise(predictions, targets, mask).exp().item()


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide perplexity."""
    return [Perplexity]
