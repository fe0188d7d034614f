"""A kernel computes what the loop computes, for all built-in cells and those of no library."""

from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cells import CELLS, MadeWeights, MinimalGated, OddGates, Timescales, Zoneout
from kernel_runs import THOROUGH, drawn, kernel, require_right

from rnnbench import Tensors
from rnnbench_cells.cifg_lstm import CIFGLSTM
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM
from rnnbench_cells.peephole_lstm import PeepholeLSTM
from rnnbench_cells.rnn import RNN

BUILDS = (
    ("g++", "native"),
    ("g++", "haswell"),
    ("g++", "x86-64"),
    ("clang++", "native"),
    ("clang++", "haswell"),
)
"""Compilers and processors. The first builds all cells, or all builds of THOROUGH; others a few."""

WIDTHS = ((1, 1), (2, 3), (1, 18), (5, 34))
"""Inputs and hidden units: less than a vector of any processor, and some whole ones and a rest."""


def variants(cell):
    """Return a cell with each of its equations: all values of its structural options.

    `init` says only how weights begin, and here they are drawn.
    """
    chosen = {
        name: option.choices
        for name, option in cell.options.items()
        if not option.numeric and name != "init"
    }
    return [cell(**dict(zip(chosen, values, strict=True))) for values in product(*chosen.values())]


def title(cell):
    """Return a cell's name and the options that are not its defaults."""
    changed = [value for name, value in cell.chosen.items() if value != cell.options[name].default]
    return "-".join(map(str, [cell.name, *changed]))


BUILT_IN = [cell for kind in (RNN, LSTM, GRU, PeepholeLSTM, CIFGLSTM) for cell in variants(kind)]
ALL = [*BUILT_IN, *(cell() for cell in CELLS)]
FEW = [LSTM(), *(cell() for cell in (MinimalGated, Timescales, MadeWeights, Zoneout, OddGates))]

RUNS = [
    pytest.param(compiler, target, cell, id=f"{compiler}-{target}-{title(cell)}")
    for compiler, target in BUILDS
    for cell in (ALL if compiler == THOROUGH or (compiler, target) == BUILDS[0] else FEW)
]


@dataclass(frozen=True)
class Shape:
    """What to run a cell on, in words short enough to be printed when it goes wrong."""

    widths: tuple[int, int]
    steps: int
    batch: int
    members: int | None
    lengths: Literal["all", "the same", "own", "own for each member"]
    noise: Literal["fresh", "once", "mean"]
    seed: int

    def given(self, cell):
        """Draw the numbers."""
        made = drawn(
            cell, *self.widths, steps=self.steps, batch=self.batch, members=self.members,
            seed=self.seed,
        )  # fmt: skip
        kept = {"fresh": (None, None), "once": (1, None), "mean": (1, 1)}[self.noise]
        noise = {
            name: n[..., : kept[0], : kept[1], :].expand(n.shape) for name, n in made.noise.items()
        }
        return replace(made, noise=Tensors(noise), lengths=self._lengths())

    def _lengths(self):
        draw = torch.Generator().manual_seed(self.seed)
        group = () if self.members is None else (self.members,)
        match self.lengths:
            case "all":
                return None
            case "the same":
                return torch.full((self.batch,), self.steps)
            case "own":
                return torch.randint(1, self.steps + 1, (self.batch,), generator=draw)
            case "own for each member":
                return torch.randint(1, self.steps + 1, (*group, self.batch), generator=draw)


SHAPES = st.builds(
    Shape,
    st.sampled_from(WIDTHS),
    st.integers(1, 7),
    st.integers(1, 7),
    st.sampled_from([None, 1, 3]),
    st.sampled_from(["all", "the same", "own", "own for each member"]),
    st.sampled_from(["fresh", "once", "mean"]),
    st.integers(0, 2**32),
)


@pytest.mark.parametrize(("compiler", "target", "cell"), RUNS)
def test_values_and_all_gradients_are_those_of_the_loop(compiler, target, cell):
    # the same examples each time: once in many thousands, rounding takes the other side of a kink
    @settings(max_examples=20, deadline=None, derandomize=True)
    @given(SHAPES)
    def check(shape):
        require_right(cell, kernel(cell, *shape.widths, target, compiler), shape.given(cell))

    check()


def test_there_are_cells_of_no_library_enough():
    assert len(CELLS) >= 12
