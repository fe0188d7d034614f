"""Perplexity: among how many equally likely answers a model hesitates."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

import rnnbench


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
        if predictions.shape[:-1] != targets.shape:
            raise ValueError(
                f"logits {list(predictions.shape)} do not belong to targets {list(targets.shape)}"
            )
        if mask is not None:
            predictions, targets = predictions[mask], targets[mask]
        items = predictions.double().flatten(0, -2)
        return functional.cross_entropy(items, targets.flatten()).exp().item()


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide perplexity."""
    return [Perplexity]
