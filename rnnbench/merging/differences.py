"""Where two plain values differ by more than floating-point noise."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

RELATIVE, ABSOLUTE = 1e-6, 1e-9
"""Numbers nearer than this are one number that two machines rounded differently."""


@dataclass(frozen=True)
class Difference:
    """A place in two values, such as `recipe.updates`, and what each has there."""

    place: str
    one: object
    other: object


def differences(one: object, other: object, place: str = "") -> Iterator[Difference]:
    """Yield every place where two trees of mappings, sequences and values differ."""
    match one, other:
        case Mapping(), Mapping():
            for name in dict.fromkeys((*one, *other)):
                here = f"{place}.{name}" if place else str(name)
                yield from differences(one.get(name), other.get(name), here)
        case (str(), _) | (_, str()):
            if one != other:
                yield Difference(place, one, other)
        case Sequence(), Sequence():
            if len(one) != len(other):
                yield Difference(f"{place}, how many", len(one), len(other))
            for number, pair in enumerate(zip(one, other, strict=False)):
                yield from differences(*pair, f"{place}[{number}]")
        case (bool(), _) | (_, bool()):
            if one is not other:
                yield Difference(place, one, other)
        case (int() | float(), int() | float()):
            if not _same(one, other):
                yield Difference(place, one, other)
        case _:
            if one != other:
                yield Difference(place, one, other)


def _same(one: float, other: float) -> bool:
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
