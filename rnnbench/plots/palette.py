"""An architecture's place in its suite to colour, marker and line: the same in every view.

The six colours have a contrast of 3:1 or more on white and on the dark page alike; marker and line
carry the identity for readers who cannot tell the colours apart. Beyond six they repeat with a
hollow marker and another line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shape = Literal["circle", "square", "up", "diamond", "down", "cross"]

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#B85C92", "#B87700", "#3A96CC")
_SHAPES: tuple[Shape, ...] = ("circle", "square", "up", "diamond", "down", "cross")
_DASHES = ("", "5 2", "1.5 1.5", "6 2 1.5 2")


@dataclass(frozen=True)
class Look:
    """How one architecture is drawn; `dashes` as in SVG, "" for a solid line."""

    colour: str
    shape: Shape
    dashes: str
    hollow: bool


def look(index: int) -> Look:
    """Return the look of the architecture at this place of the suite."""
    turn = index // len(_COLOURS)
    return Look(
        _COLOURS[index % len(_COLOURS)],
        _SHAPES[index % len(_SHAPES)],
        _DASHES[turn % len(_DASHES)],
        turn % 2 == 1,
    )
