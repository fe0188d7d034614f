"""Measure the highest float32 rate of this core."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path

from rnnbench.recurrence.backend import system_library

TRIES = 40
ROUNDS = 200_000


def peak() -> float:
    """Return the best rate of a loop of fused multiply-adds (peak.cpp), in FLOP/s.

    Raises:
        BuildError: no compiler, or it fails.
    """
    library = system_library()(Path(__file__).with_name("peak.cpp").read_text())
    library.multiply_add.restype = ctypes.c_double
    library.multiply_add.argtypes = [
        ctypes.c_long,
        ctypes.c_float,
        ctypes.c_float,
        ctypes.POINTER(ctypes.c_float),
    ]
    return max(_rate(library) for _ in range(TRIES))


def _rate(library: ctypes.CDLL) -> float:
    result = ctypes.c_float()
    start = time.perf_counter()
    operations: float = library.multiply_add(ROUNDS, 0.5, 1.0, ctypes.byref(result))
    return operations / (time.perf_counter() - start)
