"""Solve the hidden size that brings a network to a given size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rnnbench.errors import InputError

Quantity = Literal["parameters", "hidden", "state", "flops"]
"""What networks can be matched by."""

TOLERANCE = 0.10
"""The largest relative mismatch that still counts as matched; hidden sizes are whole numbers."""

LARGEST_HIDDEN = 2**16


@dataclass(frozen=True)
class Matched:
    """A solved hidden size, and the relative mismatch (signed)."""

    hidden: int
    mismatch: float


def match(
    quantity: Quantity,
    target: int,
    reached: Callable[[int], int],
    who: str,
    tolerance: float = TOLERANCE,
) -> Matched:
    """Find the hidden size whose network is closest to the target.

    `reached` counts the quantity at a hidden size; it grows with it.

    Raises:
        InputError: no hidden size comes within `tolerance` of the target.
    """
    if quantity == "hidden":
        if target > LARGEST_HIDDEN:
            raise InputError(f"a hidden size is at most {LARGEST_HIDDEN:,}, not {target:,}")
        return Matched(target, 0.0)
    above = 1
    while reached(above) < target and above < LARGEST_HIDDEN:
        above *= 2
    below = above // 2
    while above - below > 1:  # reached(below) < target <= reached(above)
        middle = (below + above) // 2
        below, above = (middle, above) if reached(middle) < target else (below, middle)
    candidates = [hidden for hidden in (below, above) if hidden >= 1]
    hidden = min(candidates, key=lambda one: abs(reached(one) - target))
    mismatch = reached(hidden) / target - 1
    if abs(mismatch) > tolerance:
        near = " and ".join(f"{reached(one)} with hidden size {one}" for one in candidates)
        raise InputError(
            f"{who} cannot be matched to {target} {quantity} within {tolerance:.0%}: it has {near}"
        )
    return Matched(hidden, mismatch)
