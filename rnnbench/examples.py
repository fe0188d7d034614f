"""Examples in memory: dealt into parts, and padded to one length."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rnnbench.errors import DataError

MOST_BYTES = 2**31
"""What padded sequences may take; every worker holds them."""


def deal(count: int, shares: Mapping[str, float]) -> dict[str, list[int]]:
    """Deal the numbers 0 … count − 1 into parts of these shares, by hash and so for ever alike.

    Each part has at least one number, and keeps them in order.

    Raises:
        ValueError: there are fewer numbers than parts.
    """
    if count < len(shares):
        raise ValueError(f"{count} examples cannot be dealt into {len(shares)} parts")
    shuffled = sorted(range(count), key=lambda n: hashlib.sha256(b"%d" % n).digest())
    parts, start, total = {}, 0, 0.0
    for place, (name, share) in enumerate(shares.items()):
        total += share
        behind = len(shares) - 1 - place
        end = min(max(round(count * total), start + 1), count - behind)
        parts[name] = sorted(shuffled[start:end])
        start = end
    return parts


def pad(sequences: Sequence[Tensor], steps: int) -> tuple[Tensor, Tensor]:
    """Lay sequences side by side, cut after `steps`: [steps, count, …], and lengths [count].

    sequences  each [length, …], of one type

    Raises:
        DataError: that takes more memory than `MOST_BYTES`, as a single very long sequence can.
    """
    first = sequences[0]
    size = steps * len(sequences) * first[:1].numel() * first.element_size()
    if size > MOST_BYTES:
        raise DataError(
            f"{len(sequences):,} sequences, each padded to {steps:,} steps, take "
            f"{size / 2**30:.1f} GiB; cut the longest with the task's `limit`"
        )
    padded = first.new_zeros(steps, len(sequences), *first.shape[1:])
    for place, sequence in enumerate(sequences):
        cut = sequence[:steps]
        padded[: len(cut), place] = cut
    lengths = torch.tensor([min(len(sequence), steps) for sequence in sequences])
    return padded, lengths
