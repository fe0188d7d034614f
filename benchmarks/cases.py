"""What is compared: shapes, cells with the layer of torch each is held against, and the aims."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from softplus_memory import SoftplusMemory

from rnnbench.contracts import Cell
from rnnbench_cells.cifg_lstm import CIFGLSTM
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM
from rnnbench_cells.peephole_lstm import PeepholeLSTM
from rnnbench_cells.rnn import RNN


@dataclass(frozen=True)
class Shape:
    """The sizes of one measurement."""

    steps: int
    batch: int
    inputs: int
    hidden: int

    @classmethod
    def read(cls, text: str) -> Shape:
        """Read `steps,batch,inputs,hidden`.

        Raises:
            ValueError: not four positive whole numbers.
        """
        sizes = [int(number) for number in text.strip("()").split(",")]
        if len(sizes) != 4 or min(sizes) < 1:
            raise ValueError(f"a shape is steps,batch,inputs,hidden, all positive, not {text!r}")
        return cls(*sizes)

    def __str__(self) -> str:
        return f"{self.steps},{self.batch},{self.inputs},{self.hidden}"


FIRST = Shape(50, 16, 2, 16)
LAST = Shape(200, 128, 128, 256)
SHAPES = (
    FIRST,
    Shape(100, 32, 2, 64),
    Shape(100, 64, 32, 128),
    Shape(400, 32, 2, 64),
    Shape(784, 64, 1, 128),
    LAST,
)


@dataclass(frozen=True)
class Case:
    """A cell and what it is held against.

    layer    the layer of torch.nn
    aim      how many times the tuned layer's speed is aimed at, at every shape but the first
    aims     the shapes whose aim is another
    in_jax   whether `jax_scan` has it
    jax_aim  the aim against that; None: no aim
    """

    cell: Cell
    layer: Literal["LSTM", "GRU", "RNN"]
    aim: float
    aims: dict[Shape, float] = field(default_factory=dict)
    in_jax: bool = False
    jax_aim: float | None = None

    def layer_aim(self, shape: Shape) -> float | None:
        """Return the aim against the layer at this shape; None at a shape not in SHAPES."""
        return self.aims.get(shape, self.aim if shape in SHAPES[1:] else None)

    def scan_aim(self, shape: Shape) -> float | None:
        """Return the aim against JAX at this shape; None at a shape not in SHAPES."""
        return self.jax_aim if shape in SHAPES[1:] else None


CASES = {
    "lstm": Case(LSTM(), "LSTM", 1.1, {FIRST: 1.2}, in_jax=True),
    "gru after": Case(GRU(reset="after"), "GRU", 2.5, {LAST: 2.2}),
    "gru before": Case(GRU(reset="before"), "GRU", 2.5, {LAST: 2.2}),
    "rnn tanh": Case(RNN(nonlinearity="tanh"), "RNN", 2.5, {LAST: 2.0}),
    "peephole diagonal": Case(
        PeepholeLSTM(peepholes="diagonal"), "LSTM", 1.0, in_jax=True, jax_aim=1.2
    ),
    "peephole full": Case(PeepholeLSTM(peepholes="full"), "LSTM", 0.75),
    "cifg": Case(CIFGLSTM(), "LSTM", 1.0),
    "softplus memory": Case(SoftplusMemory(), "LSTM", 1.0),
}

FLOOR_AIM = 2.4
"""How many times the arithmetic floor the LSTM may take, at every shape but the first."""


def floor_aim(shape: Shape) -> float | None:
    """Return the aim against the floor at this shape; None at a shape not in SHAPES."""
    return FLOOR_AIM if shape in SHAPES[1:] else None


def lstm_flops(shape: Shape) -> int:
    """Count the products of an LSTM's forward and backward pass, without a gradient to x."""
    gates = 4 * shape.hidden
    rows = shape.steps * shape.batch
    every = 2 * rows * gates * (shape.hidden + shape.inputs)
    return 3 * every - 2 * rows * gates * shape.inputs
