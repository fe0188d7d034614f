"""What counts of predictions and targets, once their shapes are known to belong together."""

from __future__ import annotations

from torch import Tensor

Pair = tuple[Tensor, Tensor]


def values(predictions: Tensor, targets: Tensor, mask: Tensor | None) -> Pair:
    """Return values and targets [..., width] that count; `mask` [...] says which do.

    Raises:
        ValueError: the shapes differ, which broadcasting would hide.
    """
    if predictions.shape != targets.shape:
        raise ValueError(
            f"predictions {list(predictions.shape)} do not belong to targets {list(targets.shape)}"
        )
    return _counted(predictions, targets, mask)


def classes(logits: Tensor, targets: Tensor, mask: Tensor | None) -> Pair:
    """Return logits [..., classes] and classes [...] that count; `mask` [...] says which do.

    Raises:
        ValueError: the shapes do not belong together.
    """
    if logits.shape[:-1] != targets.shape:
        raise ValueError(
            f"logits {list(logits.shape)} do not belong to targets {list(targets.shape)}"
        )
    return _counted(logits, targets, mask)


def labels(logits: Tensor, targets: Tensor, mask: Tensor | None) -> Pair:
    """Return logits and labels [..., labels] that count; `mask` [...] says which do.

    Raises:
        ValueError: the shapes differ, or a target is neither 0 nor 1.
    """
    logits, targets = values(logits, targets, mask)
    if not ((targets == 0) | (targets == 1)).all():
        raise ValueError("targets are not labels: some are neither 0 nor 1")
    return logits, targets


def _counted(predictions: Tensor, targets: Tensor, mask: Tensor | None) -> Pair:
    return (predictions, targets) if mask is None else (predictions[mask], targets[mask])
