"""What can be drawn without end, dealt into parts by hash: whatever is in one is in no other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rnnbench_tasks.parts import Part

TENTHS: dict[Part, range] = {"valid": range(0, 1), "test": range(1, 2), "train": range(2, 10)}
"""The last digits of a hash that put something in a part."""

# Of SplitMix64 (Steele et al. 2014), as numbers with a sign; int64 products wrap around.
GOLDEN, MIX_1, MIX_2 = -7046029254386353131, -4658895280553007687, -7723592293110705685


def belongs(keys: Tensor, part: Part) -> Tensor:
    """Say which columns of `keys` [values, count] int64, each −1 or more, a part has: [count] bool.

    Values of −1 at the end change nothing, so that padding decides nothing.
    """
    weights = torch.full_like(keys[:, 0], GOLDEN).cumprod(0)
    mixed = ((keys + 1) * weights.unsqueeze(1)).sum(0)
    mixed = (mixed ^ (mixed >> 30)) * MIX_1
    mixed = (mixed ^ (mixed >> 27)) * MIX_2
    tenth = (mixed ^ (mixed >> 31)).remainder(10)
    return (tenth >= TENTHS[part].start) & (tenth < TENTHS[part].stop)


def take(
    part: Part, size: int, draw: Callable[[int], Tensor], key: Callable[[Tensor], Tensor]
) -> Tensor:
    """Draw until a part has `size` columns: [values, size].

    draw  how many -> columns [values, how many] int64
    key   columns -> what decides where each belongs, as columns
    """
    kept: list[Tensor] = []
    missing = size
    while missing > 0:
        columns = draw(10 * missing // len(TENTHS[part]) + 8)
        columns = columns[:, belongs(key(columns), part)]
        kept.append(columns)
        missing -= columns.shape[1]
    return torch.cat(kept, 1)[:, :size]


def different(columns: Tensor, most: int) -> Tensor:
    """Return the first `most` different ones of the columns [values, count], in their order."""
    found, numbers = torch.unique(columns, dim=1, return_inverse=True)
    places = torch.arange(len(numbers), device=columns.device)
    first = places.new_full((found.shape[1],), len(places))
    first.scatter_reduce_(0, numbers, places, "amin")
    return columns[:, first.sort().values[:most]]
