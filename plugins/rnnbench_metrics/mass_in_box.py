"""How much of an attention's look falls on what it names."""

from __future__ import annotations

import torch
from torch import Tensor

import rnnbench


class MassInBox(rnnbench.AttentionMetric):
    """The attention inside the box of what a word names, in times of a look at everything alike.

    A word that names something has the box around it. The sum of the attention's weights there (of
    a place that lies half in the box, half of its weight), averaged over such words, is divided by
    the average share of the picture that the boxes cover: 1 is what weights that are all equal
    reach, and below it an attention looks elsewhere.
    """

    name = "mass_in_box"
    reference = (
        "this project; the pointing game of Zhang et al. 2016, arXiv:1608.00507, asks the same of "
        "the largest weight"
    )
    direction = "max"
    low = 0.0

    def measure(self, weights: Tensor, boxes: Tensor) -> float:
        """Score weights [target time, batch, rows, columns] with boxes [target time, batch, 4].

        Raises:
            ValueError: the shapes do not belong together, or no word names anything.
        """
        if weights.shape[:2] != boxes.shape[:2] or boxes.shape[-1] != 4:
            raise ValueError(
                f"weights {list(weights.shape)} do not belong to boxes {list(boxes.shape)}"
            )
        named = boxes.isfinite().all(-1)
        if not named.any():
            raise ValueError("no word names anything that has a box")
        seen, (top, left, bottom, right) = weights[named].double(), boxes[named].double().T
        down = _covered(top, bottom, seen.shape[1])
        across = _covered(left, right, seen.shape[2])
        share = down.unsqueeze(2) * across.unsqueeze(1)
        inside = (seen * share).sum((1, 2)).mean()
        return (inside / share.mean((1, 2)).mean()).item()


def _covered(low: Tensor, high: Tensor, count: int) -> Tensor:
    """Return how much of each of so many equal parts of [0, 1] lies between: [n, count]."""
    edges = torch.arange(count + 1, device=low.device) / count
    begin, end = low.unsqueeze(1), high.unsqueeze(1)
    inside = end.minimum(edges[1:]) - begin.maximum(edges[:-1])
    return inside.clamp(min=0) * count


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.AttentionMetric]]:
    """Provide the mass in the box."""
    return [MassInBox]
