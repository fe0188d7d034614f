"""Pairs of a source and a target sequence: laid side by side, each target closed by <END>."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

import rnnbench

END = "<END>"
"""How the symbol that closes a target is written; its number is the last."""


class Pair(NamedTuple):
    """The numbers of a source's symbols and of its target's, <END> not among them."""

    source: Sequence[int]
    target: Sequence[int]


def batch(
    pairs: Sequence[Pair],
    end: int,
    references: Sequence[Sequence[str]] | None = None,
) -> rnnbench.Batch:
    """Lay pairs side by side: inputs [steps, count], targets [target steps, count].

    Raises:
        DataError: that takes more memory than `rnnbench.pad` allows.
    """
    inputs, lengths = _padded([pair.source for pair in pairs])
    said, said_lengths = _padded([pair.target for pair in pairs])
    return rnnbench.Batch(
        inputs,
        close(said, said_lengths, end),
        lengths,
        references=None if references is None else tuple(tuple(texts) for texts in references),
    )


def close(sequences: Tensor, lengths: Tensor, end: int) -> Tensor:
    """Put `end` after each sequence [steps, count] of these lengths [count]: [steps + 1, count]."""
    longer = torch.cat([sequences, sequences.new_full((1, sequences.shape[1]), end)])
    steps = torch.arange(len(longer), device=longer.device).unsqueeze(1)
    return torch.where(steps < lengths, longer, end)


def fit(said: Tensor, steps: int, end: int) -> Tensor:
    """Cut sequences [any steps, count] after `steps`, or let `end` follow up to there."""
    missing = max(steps - len(said), 0)
    return torch.cat([said[:steps], said.new_full((missing, said.shape[1]), end)])


def answered(answers: Sequence[Sequence[int]], to: rnnbench.Batch, end: int) -> Tensor:
    """Lay answers to a batch out as its targets are: [target steps, batch]."""
    said = batch([Pair([0], answer) for answer in answers], end).targets
    return fit(said, len(to.targets), end).to(to.targets.device)


def shared(train: Iterable[Pair], held_out: Iterable[Pair]) -> int:
    """Count the held-out pairs whose source is a source in training as well."""
    known = {tuple(pair.source) for pair in train}
    return sum(tuple(pair.source) in known for pair in held_out)


def _padded(sequences: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    numbers = [torch.tensor(sequence, dtype=torch.int64) for sequence in sequences]
    return rnnbench.pad(numbers, max(map(len, sequences)))
