"""Negative log-likelihood of a frame: how surprising the notes that sound together were."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

import rnnbench
from rnnbench_metrics.paired import labels


class FrameNLL(rnnbench.Metric):
    """The negative log-likelihood in nats, summed over the labels and averaged over all frames.

    Every frame weighs alike, as in the code of Bai et al. (2018), arXiv:1803.01271, for their
    table; averaging pieces first would let the frames of a short piece weigh more. Labels are taken
    as independent given the past, so a frame without any is a frame like others.
    """

    name = "frame_nll"
    reference = "Boulanger-Lewandowski, Bengio & Vincent 2012, arXiv:1206.6392"
    direction = "min"
    low = 0.0

    def measure(self, predictions: Tensor, targets: Tensor, mask: Tensor | None) -> float:
        """Score logits [..., labels] against 0 or 1 [..., labels]; `mask` [...] says what counts.

        Raises:
            ValueError: the shapes differ, or a target is neither 0 nor 1.
        """
        logits, expected = labels(predictions, targets, mask)
        costs = binary_cross_entropy_with_logits(
            logits.double(), expected.double(), reduction="none"
        )
        return costs.sum(-1).mean().item()


@rnnbench.hookimpl
def rnnbench_provide_metrics() -> list[type[rnnbench.Metric]]:
    """Provide the negative log-likelihood of a frame."""
    return [FrameNLL]
