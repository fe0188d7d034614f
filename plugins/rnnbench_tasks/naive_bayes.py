"""Multinomial naive Bayes: what counting says of a sequence, without reading it in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import rnnbench

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class NaiveBayes:
    """Counts of n-grams by class, each with one more than was seen (Laplace).

    symbols  how many symbols there are; number 0, the unknown one, is left out
    longest  the longest n-gram: 1 counts symbols, 2 also pairs of neighbours
    """

    symbols: int
    longest: int
    grams: Numbers
    shares: Tensor
    prior: Tensor

    @classmethod
    def of(cls, batch: rnnbench.Batch, classes: int, symbols: int, longest: int = 1) -> NaiveBayes:
        """Count the sequences of a batch: inputs [time, batch], targets [batch]."""
        rows, codes = _grams(batch, symbols, longest)
        grams, places = np.unique(codes, return_inverse=True)
        cells = batch.targets.numpy()[rows] * len(grams) + places
        counts = np.bincount(cells, minlength=classes * len(grams)).reshape(classes, -1) + 1.0
        shares = np.log(counts) - np.log(counts.sum(1, keepdims=True))
        seen = batch.targets.bincount(minlength=classes).double()
        return cls(symbols, longest, grams, torch.from_numpy(shares), (seen / seen.sum()).log())

    def logits(self, batch: rnnbench.Batch) -> Tensor:
        """Return how likely each class is, as logarithms: [batch, classes] float64.

        N-grams that were never counted say nothing; a class that was never seen is impossible.
        """
        rows, codes = _grams(batch, self.symbols, self.longest)
        places = np.searchsorted(self.grams, codes).clip(max=len(self.grams) - 1)
        known = self.grams[places] == codes
        said = self.shares.T[torch.from_numpy(places[known])]
        whole = self.prior.repeat(len(batch), 1)
        return whole.index_add(0, torch.from_numpy(rows[known]), said)


def _grams(batch: rnnbench.Batch, symbols: int, longest: int) -> tuple[Numbers, Numbers]:
    """Return the n-grams of all sequences: which sequence each is in, and its number."""
    steps = torch.arange(len(batch.inputs))
    lengths = torch.full((len(batch),), len(steps)) if batch.lengths is None else batch.lengths
    within = steps < lengths.unsqueeze(1)
    rows, flat = within.nonzero()[:, 0].numpy(), batch.inputs.T[within].numpy()
    found, codes, known = [], flat, flat > 0
    for n in range(longest):
        if n:
            # numbers of n-grams follow those of the shorter ones
            codes = (codes[:-1] + 1) * symbols + flat[n:]
            known = known[:-1] & (flat[n:] > 0) & (rows[n:] == rows[: len(rows) - n])
        found.append((rows[: len(codes)][known], codes[known]))
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))
