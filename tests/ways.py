"""Cells out of single steps, to write one thing in many ways."""

from collections.abc import Callable, Mapping
from functools import cache

from torch import Tensor
from torch.nn.functional import linear

from rnnbench import Cell, zeros
from rnnbench.recurrence.backend import shapes_of, system_library
from rnnbench.recurrence.kernel import Kernel
from rnnbench.recurrence.trace import trace

IN, H = 3, 6

ONE = {"W": (H, IN), "U": (H, H), "b": (H,)}
"""The weights of one gate."""

TWO = {"W": (2 * H, IN), "U": (2 * H, H), "b": (2 * H,)}
"""The weights of two gates side by side."""


class Written(Cell):
    """A cell whose step returns its one state, or all of them by name."""

    name = "written"
    reference = equations = "none"
    inputs = IN
    states: Mapping[str, int] = {"h": H}
    shapes: Mapping[str, tuple[int, ...]] = ONE
    written: Callable

    def weights(self, inputs, hidden):
        return {name: zeros(*shape) for name, shape in self.shapes.items()}

    def state(self, hidden):
        return {name: zeros(width) for name, width in self.states.items()}

    def step(self, x, s, w):
        new = type(self).written(x, s, w)
        return {"h": new} if isinstance(new, Tensor) else new


def way(step, inputs=IN, states=None, **weights) -> Cell:
    """Return the cell with this step; without weights it has those of one gate."""
    said = {"written": step, "inputs": inputs, "states": states or {"h": H}}
    return type("Made", (Written,), said | {"shapes": weights or ONE})()


def affine(x, s, w):
    """Compute one gate before its nonlinearity, or two."""
    return linear(x, w.W, w.b) + s.h @ w.U.T


@cache
def kernel_of(cell: Cell) -> Kernel:
    """Make the kernel of a cell, or fail."""
    return Kernel(cell, trace(cell, shapes_of(cell, cell.inputs, H)), system_library())
