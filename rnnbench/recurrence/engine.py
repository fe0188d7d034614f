"""Compiled code and the plan that it follows, called with addresses."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

from torch import Tensor

from rnnbench.contracts import Cell
from rnnbench.recurrence.emit import emit, engine
from rnnbench.recurrence.equations import equations
from rnnbench.recurrence.gradients import backward
from rnnbench.recurrence.loop import output_of
from rnnbench.recurrence.numbers import numbers
from rnnbench.recurrence.plan import plan
from rnnbench.recurrence.trace import Traced

Library = Callable[[str], ctypes.CDLL]
"""Compiles C++ text and loads it."""


class Call(ctypes.Structure):
    """`Call` in kernel.cpp, which says what the fields are.

    It holds addresses: what they belong to must live as long as it does.
    """

    _fields_ = [
        ("members", ctypes.c_int64),
        ("steps", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("history", ctypes.c_int64),
        ("lengths", ctypes.c_void_p),
        ("inputs", ctypes.c_void_p),
        ("input_strides", ctypes.c_void_p),
        ("states", ctypes.c_void_p),
        ("work", ctypes.c_void_p),
        ("roots", ctypes.c_void_p),
        ("root_strides", ctypes.c_void_p),
        ("dy", ctypes.c_void_p),
        ("dstates", ctypes.c_void_p),
        ("dx", ctypes.c_void_p),
        ("droots", ctypes.c_void_p),
    ]

    def point(self, **fields: Sequence[Tensor | int | None]) -> None:
        """Let fields point to lists of integers and of the addresses of tensors (None: null)."""
        numbers = [
            value.data_ptr() if isinstance(value, Tensor) else value or 0
            for values in fields.values()
            for value in values
        ]
        # an address and a null pointer are 64-bit integers too
        array = (ctypes.c_int64 * max(1, len(numbers)))(*numbers)
        at = ctypes.addressof(array)
        for name, values in fields.items():
            setattr(self, name, at)
            at += 8 * len(values)
        self._pointed = (*getattr(self, "_pointed", ()), array)


class Engine:
    """The compiled code of one cell at fixed widths.

    shapes   widths and weights by name
    prelude  computes the roots beyond the weights
    output   the number of the state that is the output
    across   numbers that a row of a step needs for gates and other intermediate values
    shared   for each root, whether it is the same for all members since no weight changes it
    multiplies_noise  whether a product reads the noise, which then has to be dense

    Raises:
        UnsupportedError: the step cannot become a kernel.
        BuildError: there is no compiler, or it fails.
    """

    def __init__(self, cell: Cell, traced: Traced, library: Library) -> None:
        planned = plan(equations(traced))
        order = backward(planned)
        states = list(traced.shapes.states)
        self.shapes = traced.shapes
        self.prelude = planned.prelude
        self.output = states.index(output_of(cell, states))
        self.across = sum(planned.levels) + sum(planned.extras)
        self.shared = [False] * len(traced.shapes.weights)
        self.shared += [isinstance(root, Tensor) for root in planned.prelude.roots]
        self.multiplies_noise = any(
            source.data.buffer.kind == "input" and source.data.buffer.index > 0
            for block in planned.blocks
            for source in block.sources
        )
        self._code = library(emit(planned, order))
        self._engine = library(engine())
        self._engine.rnnbench_prepare.restype = ctypes.c_void_p
        listed = numbers(planned, order, self.output)
        self._plan = ctypes.c_void_p(
            self._engine.rnnbench_prepare(
                (ctypes.c_int64 * len(listed))(*listed),
                ctypes.byref(ctypes.c_char.in_dll(self._code, "rnnbench_code")),
            )
        )

    def __del__(self) -> None:
        if hasattr(self, "_plan"):
            self._engine.rnnbench_release(self._plan)

    def forward(self, call: Call) -> None:
        """Fill states and work.

        Raises:
            MemoryError: there is not enough memory.
        """
        _check(self._engine.rnnbench_forward(self._plan, ctypes.byref(call)))

    def backward(self, call: Call) -> None:
        """Fill gradients.

        Raises:
            MemoryError: there is not enough memory.
        """
        _check(self._engine.rnnbench_backward(self._plan, ctypes.byref(call)))


def _check(failed: int) -> None:
    if failed:
        raise MemoryError("a kernel got no memory for its intermediate values")
