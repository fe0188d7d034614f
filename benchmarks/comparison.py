"""The records of all processes to the lines of a table: ratios, aims, and whether they are met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cases import CASES, Shape, floor_aim, lstm_flops
from process import Record
from timing import Timing, speedup

FOR_AVX2 = "lstm for AVX2"

Records = dict[tuple[str, str, str], Record]
"""The records of one process by case, shape and opponent."""


@dataclass(frozen=True)
class Measured:
    """What is known of this machine.

    tuned, default  against torch's layers, by allocator
    others          against the loop and JAX
    avx2            against torch's layers, both sides held to AVX2
    peak            FLOP/s of one core; None: not known
    """

    tuned: Records
    default: Records
    others: Records
    avx2: Records
    peak: float | None


@dataclass(frozen=True)
class Comparison:
    """One line of the table.

    ratio    their time by ours; against the floor, our time by it
    aim      what the ratio should reach, or with `at_most` stay below; None: no aim
    missing  why there is no ratio; else empty
    """

    cell: str
    shape: str
    against: str
    ours: Timing | None
    theirs: Timing | None
    ratio: float | None
    aim: float | None = None
    at_most: bool = False
    missing: str = ""

    @property
    def reached(self) -> str:
        """Say whether the aim is reached, and if not by how much not."""
        if self.aim is None or self.ratio is None:
            return ""
        share = self.ratio / self.aim - 1
        if share <= 0 if self.at_most else share >= 0:
            return "yes"
        return f"no, {abs(share):.0%} {'over' if self.at_most else 'short'}"


def compare(name: str, shape: Shape, measured: Measured) -> Iterator[Comparison]:
    """Yield the lines of one case at one shape."""
    case = CASES[name]
    layer = f"nn.{case.layer}"
    tuned = find(measured.tuned, name, shape, "layer")
    yield _line(tuned, f"{layer}, tuned", case.layer_aim(shape))
    yield _line(find(measured.default, name, shape, "layer"), layer)
    yield _line(find(measured.others, name, shape, "loop"), "loop")
    if case.in_jax:
        scan = find(measured.others, name, shape, "scan")
        yield _line(scan, "JAX scan", case.scan_aim(shape))
    if name == "lstm":
        yield _floor(tuned, shape, measured.peak)
        avx2 = find(measured.avx2, name, shape, "layer")
        yield replace(_line(avx2, f"{layer}, AVX2"), cell=FOR_AVX2)


def find(records: Records, case: str, shape: Shape, against: str) -> Record:
    """Return a record, an empty one where it was not asked for or its process died."""
    absent = Record(case, str(shape), against, missing=f"{against}: not measured")
    return records.get((case, str(shape), against), absent)


def _line(record: Record, against: str, aim: float | None = None) -> Comparison:
    ours, theirs = record.ours, record.theirs
    ratio = None if ours is None or theirs is None else speedup(ours, theirs)
    return Comparison(
        record.case, record.shape, against, ours, theirs, ratio, aim, missing=record.missing
    )


def _floor(record: Record, shape: Shape, peak: float | None) -> Comparison:
    ours = record.ours
    floor = None if peak is None else Timing((lstm_flops(shape) / peak,), 1.0)
    ratio = None if ours is None or floor is None else ours.median / floor.median
    aim = floor_aim(shape)
    return Comparison(
        record.case, record.shape, "floor", ours, floor, ratio, aim, True, record.missing
    )
