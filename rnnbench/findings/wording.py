"""Numbers and names as text, the same in the terminal, the page and its Markdown twin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rnnbench.statistics import Interval

GAP = "–"
"""Stands where there is no number."""


ROUNDING = 1e-12
"""Differences below this are what floating-point numbers leave of equal scores."""


def number(value: float) -> str:
    """Write three decimals; below 0.01 two digits that count; below 0.0001 a power of ten."""
    if math.isnan(value):
        return GAP
    size = abs(value)
    if size == 0 or size >= 0.00995:
        text = f"{value:.3f}"
    elif size >= 0.0001:
        text = f"{value:.{1 - math.floor(math.log10(size))}f}"
    else:
        text = f"{value:.1e}"
    return text.replace("-", "−")


def estimate(interval: Interval) -> str:
    """Write `0.893 ± 0.009`, both to the digits that the larger of the two needs."""
    if math.isnan(interval.low):
        return number(interval.estimate)
    half = interval.high - interval.estimate
    size = max(abs(interval.estimate), half)
    decimals = 3 if size == 0 or size >= 0.00995 else 1 - math.floor(math.log10(size))
    if decimals > 5:
        return f"{number(interval.estimate)} ± {number(half)}"
    return f"{interval.estimate:.{decimals}f} ± {half:.{decimals}f}".replace("-", "−")


def signed(value: float) -> str:
    """Write a difference with its sign; what rounding left of none is none."""
    value = 0.0 if abs(value) < ROUNDING else value
    return f"+{number(value)}" if value > 0 else number(value)


def span(interval: Interval, sign: bool = False) -> str:
    """Write the bounds of an interval: `0.1 to 0.3`."""
    if math.isnan(interval.low):
        return "no interval"
    write = signed if sign else number
    return f"{write(interval.low)} to {write(interval.high)}"


def p_value(value: float) -> str:
    """Write a p value to three digits: `p = 0.0312`."""
    if math.isnan(value):
        return "p unknown"
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.3g}"


def percent(share: float) -> str:
    """Write a share as a percentage with one decimal at most."""
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def listed(names: Sequence[str], at_most: int = 6) -> str:
    """Write names as a list in a sentence: `a, b and c`."""
    shown = list(names[:at_most])
    if len(names) > at_most:
        shown.append(f"{len(names) - at_most} more")
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Write a count with its noun: `1 seed`, `5 seeds`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def finished(ok: int, runs: int) -> str:
    """Say how many runs finished: `9/10 ok`."""
    return f"{ok}/{runs} ok"


def space(entry: Mapping[str, Any]) -> str:
    """Write a dimension of a search: `log 0.001 … 0.03`, `0 … 5`, `one of 0.5, 1, 5`."""
    if entry["kind"] == "choice":
        return "one of " + ", ".join(map(_choice, entry["values"]))
    word = "log " if entry["kind"] == "log" else ""
    return f"{word}{entry['low']:g} … {entry['high']:g}"


def _choice(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
