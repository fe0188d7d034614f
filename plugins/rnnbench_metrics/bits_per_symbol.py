"""Bits per symbol: how surprising the right symbols were, as language models report it."""

from __future__ import annotations

from math import log

from torch import Tensor

import rnnbench
from rnnbench_metrics.cross_entropy import surprise


class BitsPerSymbol(rnnbench.Metric):
    """The mean of −log2 p(target) over counted items, computed in float64.

    Of characters these are the bits per character (bpc) of the literature.
    """

    name = "bits_per_symbol"
    reference = "Shannon 1951, doi:10.1002/j.1538-7305.1951.tb01366.x"
    direction = "min"
    low = 0.0

    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score logits [..., classes] against classes [...]; `mask` [...] says what counts.

        Raises:
            ValueError: the shapes do not belong together.
        """
        return surprise(predictions, targets, mask).item() / log(2)


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide bits per symbol."""
    return [BitsPerSymbol]
