"""The parts of a data set: how large each is, what it is called, and what parts share."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal

import rnnbench

Part = Literal["train", "valid", "test"]

PARTS: tuple[Part, ...] = ("train", "valid", "test")

SHARES: Mapping[Part, float] = {"train": 0.8, "valid": 0.1, "test": 0.1}
"""What each part gets of data that stands alone."""

HELD_OUT: Mapping[rnnbench.Split, int] = {"valid": 512, "test": 2048}
"""How many sequences held-out parts have where they are drawn."""

TITLES: Mapping[Part, str] = {"train": "training", "valid": "validation", "test": "test"}
"""What a reader calls a part."""


def overlaps(parts: Mapping[Part, Sequence[Hashable]], noun: str) -> Iterator[str]:
    """Say for each held-out part how many of its sequences an earlier part, of three, has too."""
    for known, part in combinations(PARTS, 2):
        there = set(parts[known])
        if shared := sum(one in there for one in parts[part]):
            yield (
                f"{shared:,} of {len(parts[part]):,} {TITLES[part]} {noun} are also in the "
                f"{TITLES[known]} part"
            )
