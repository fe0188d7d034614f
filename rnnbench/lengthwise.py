"""Scores by the length of what was to be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torch import Tensor

from rnnbench.assessing import Assessed
from rnnbench.contracts import OfPredictions, Sequences
from rnnbench.member import LengthScore
from rnnbench.nn.loss import valid_mask

MOST_BINS = 12
"""How many lengths, or spans of lengths, are scored apart."""


def by_length(assessed: Assessed, metrics: Sequence[OfPredictions]) -> tuple[LengthScore, ...]:
    """Score the targets of each length apart; () where targets are no sequences.

    A length is what stands before <END>. More than `MOST_BINS` lengths are put together to spans of
    about as many sequences each; they follow from the data alone, and so are every run's.
    """
    if not isinstance(assessed.task.targets, Sequences):
        return ()
    mask = valid_mask(assessed.batch, assessed.task)
    assert mask is not None  # noqa: S101  sequences always have one
    ended = (assessed.batch.targets == assessed.task.targets.end).any(0)
    lengths = mask.sum(0) - ended.long()
    found = []
    for low, high in spans(lengths):
        rows = ((lengths >= low) & (lengths <= high)).nonzero().flatten()
        chosen = assessed.unseen.choose(rows)
        found += [
            LengthScore(metric.name, low, high, len(rows), chosen.measure(metric))
            for metric in metrics
        ]
    return tuple(found)


def spans(lengths: Tensor) -> list[tuple[int, int]]:
    """Return the lengths that are there, [n] int64, as spans: first and last, both included."""
    counts = sorted(Counter(lengths.tolist()).items())
    if len(counts) <= MOST_BINS:
        return [(length, length) for length, _ in counts]
    share, before = len(lengths) / MOST_BINS, 0
    found: dict[int, tuple[int, int]] = {}
    for length, count in counts:
        # a length belongs to the span that the middle of its sequences falls into
        number = int((before + count / 2) / share)
        found[number] = (found.get(number, (length, length))[0], length)
        before += count
    return list(found.values())
