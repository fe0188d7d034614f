"""Where numbers go when a tensor is sliced, joined or reshaped, told by names that go along."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MOVES = frozenset({
    "view", "_unsafe_view", "unsqueeze", "squeeze", "expand", "permute", "transpose", "t", "clone",
    "alias", "lift_fresh_copy", "slice", "select", "unbind", "split", "split_with_sizes",
    "unsafe_split", "unsafe_split_with_sizes", "cat", "stack", "repeat", "roll", "flip", "index",
    "index_select", "slice_scatter", "select_scatter",
})  # fmt: skip
"""Operations of torch that move numbers and change none."""


@dataclass(frozen=True)
class Layout:
    """A tensor of a batch: its shape, and which of its dimensions is the batch."""

    shape: tuple[int, ...]
    batch: int

    def names(self, first: int = 0) -> Tensor:
        """Return a tensor whose number in row r and column c is called `r · _ROW + c`.

        Columns are counted from `first` on, as they lie once the batch's dimension is taken out.
        """
        features = [size for axis, size in enumerate(self.shape) if axis != self.batch]
        columns = torch.arange(first, first + math.prod(features)).reshape(features)
        return columns.unsqueeze(self.batch) + _rows(self)


def read(names: Tensor, rows: int) -> tuple[Layout, list[int]] | None:
    """Return how a tensor of names is laid out and its columns; None where it mixes rows."""
    for axis, size in enumerate(names.shape):
        if size != rows:
            continue
        layout, first = Layout(tuple(names.shape), axis), names.select(axis, 0)
        if torch.equal(names, (first % _ROW).unsqueeze(axis) + _rows(layout)):
            return layout, first.flatten().tolist()
    return None


def runs(columns: Sequence[int]) -> Iterator[tuple[int, int, bool]]:
    """Yield runs of columns: the first, how many, and whether they are one and the same."""
    at = 0
    while at < len(columns):
        step = columns[at + 1] - columns[at] if at + 1 < len(columns) else 1
        end = at + 1
        while step in (0, 1) and end < len(columns) and columns[end] - columns[end - 1] == step:
            end += 1
        yield columns[at], end - at, step == 0
        at = end


_ROW = 2**32


def _rows(layout: Layout) -> Tensor:
    shape = [1] * len(layout.shape)
    shape[layout.batch] = layout.shape[layout.batch]
    return torch.arange(layout.shape[layout.batch]).reshape(shape) * _ROW
