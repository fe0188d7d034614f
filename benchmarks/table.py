"""Print what was measured."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from cases import CASES, FIRST
from comparison import FOR_AVX2, Comparison, Records, find
from timing import Timing

SEVERAL_CORES = 1.05

DISTURBED = 0.95

ONE_STEP = replace(FIRST, steps=1)
"""What tells the fixed part of the first shape's cost."""


def print_table(comparisons: list[Comparison]) -> None:
    """Print one line a comparison."""
    print("\nCPU time of forward and backward in ms: median (quartiles)")
    print("ratio: how many times faster we are; against the floor, how many times it we take\n")
    head = f"{'cell':18} {'T,B,I,H':16} {'ours':24} {'against':18} {'theirs':24}"
    print(f"{head} {'ratio':>6}  {'aim':6} reached")
    for cell in (*CASES, FOR_AVX2):
        lines = [line for line in comparisons if line.cell == cell]
        for line in lines:
            ratio = "–" if line.ratio is None else f"{line.ratio:.2f}"
            aim = "" if line.aim is None else f"{'≤' if line.at_most else '≥'} {line.aim:g}"
            print(
                f"{line.cell:18} {line.shape:16} {_cost(line.ours):24} {line.against:18} "
                f"{_cost(line.theirs):24} {ratio:>6}  {aim:6} {line.reached}".rstrip()
            )
        if lines:
            print()


def print_remarks(comparisons: list[Comparison], peak: float | None) -> None:
    """Print what the table needs to be judged: peak, load, aims, what is missing and why."""
    rate = "not known" if peak is None else f"{peak / 1e9:.0f} GFLOP/s"
    print(f"peak of one core: {rate}; load after: {load()}")
    aimed = [line for line in comparisons if line.aim is not None]
    print(f"aims reached: {sum(line.reached == 'yes' for line in aimed)} of {len(aimed)}")
    for reason in dict.fromkeys(line.missing for line in comparisons if line.missing):
        print(f"no time of {reason}")
    timings = [
        (f"{side} at {line.cell} {line.shape}", timing)
        for line in comparisons
        for side, timing in (("ours", line.ours), (line.against, line.theirs))
        if timing is not None
    ]
    disturbed = sum(timing.cores < DISTURBED for _, timing in timings)
    print(f"timings that had less than {DISTURBED:.0%} of a core: {disturbed} of {len(timings)}")
    for name, timing in timings:
        if timing.cores > SEVERAL_CORES:
            print(f"{name} kept {timing.cores:.2f} cores busy")


def print_overhead(cases: Sequence[str], records: Records) -> None:
    """Print how much of a call at the first shape does not grow with the sequence.

    With time(steps) = fixed + steps × each, two lengths give the fixed part: Python, allocation,
    the packing of weights.
    """
    head = f"{'cell':18} {'side':8} {'1 step':>9} {FIRST.steps:>3} steps {'fixed':>9} {'share':>6}"
    print(f"\n{head}")
    for name in cases:
        short, long = (find(records, name, shape, "layer") for shape in (ONE_STEP, FIRST))
        _print_fixed(name, "ours", short.ours, long.ours)
        _print_fixed(name, f"nn.{CASES[name].layer}", short.theirs, long.theirs)


def _print_fixed(cell: str, side: str, short: Timing | None, long: Timing | None) -> None:
    if short is None or long is None:
        print(f"{cell:18} {side:8} {'–':>9}")
        return
    fixed = (FIRST.steps * short.median - long.median) / (FIRST.steps - 1)
    costs = [f"{_ms(time):>6} ms" for time in (short.median, long.median, fixed)]
    print(f"{cell:18} {side:8} {' '.join(costs)} {fixed / long.median:>6.0%}")


def _cost(timing: Timing | None) -> str:
    if timing is None:
        return "–"
    if len(timing.seconds) == 1:
        return _ms(timing.median)
    lower, upper = timing.quartiles
    return f"{_ms(timing.median)} ({_ms(lower)}–{_ms(upper)})"


def _ms(seconds: float) -> str:
    """Write three figures of a time in milliseconds."""
    milliseconds = 1e3 * seconds
    digits = 0 if milliseconds >= 100 else 1 if milliseconds >= 10 else 2
    return f"{milliseconds:.{digits}f}" if milliseconds >= 1 else f"{milliseconds:.3f}"


def load() -> str:
    """Return how many processes wanted a core in the last 1, 5 and 15 minutes."""
    return " ".join(f"{load:.2f}" for load in os.getloadavg())
