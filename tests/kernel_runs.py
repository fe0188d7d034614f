"""Run a cell by its kernel and by the loop on the same numbers, and compare what comes out."""

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache

import pytest
import torch
from kernel_cells import LowRank, MadeWeights, NoisyProduct, Normed, OneGate, Timescales
from torch import Tensor

from rnnbench import Cell, Tensors
from rnnbench.errors import BuildError
from rnnbench.recurrence.backend import shapes_of, system_library
from rnnbench.recurrence.kernel import Kernel
from rnnbench.recurrence.loop import loop
from rnnbench.recurrence.trace import trace
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM

THOROUGH = os.environ.get("RNNBENCH_TEST_COMPILER", "")
"""A compiler that everything is tested with, for all processors; by default g++, for this one."""

X, H = 3, 17
"""Inputs and hidden units where a test has no reason for others."""

LENGTHS = torch.tensor([5, 1, 3, 2, 5, 4])

SOME = (
    LSTM(), GRU(reset="before"), LowRank(), MadeWeights(), NoisyProduct(), Timescales(), OneGate(),
    Normed(),
)  # fmt: skip
"""Cells that between them have all that kernels are made of."""

of_some_cells = pytest.mark.parametrize("cell", SOME, ids=lambda cell: cell.name)
with_lengths = pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["equal", "varying"])

HALF_ULP = 2.0**-24
"""Rounding to float32 is wrong by up to this much of a number."""

TOLERATED = 12
"""How many times the loop's own error in float32 a kernel may be wrong by.

Both sum the same numbers in different orders, so that neither is always better. Among 12,000
random runs of all cells on all builds the worst kernel was wrong by 9 times as much, and one in
two by less than 0.8 times as much; a wrong sign or a forgotten term is off by a million times.
"""

Results = dict[str, Tensor]


@dataclass(frozen=True)
class Given:
    """What a cell is run on; all but `lengths` may have a leading dimension of members."""

    x: Tensor
    state: Tensors
    weights: Tensors
    noise: Tensors
    lengths: Tensor | None = None

    def of(self, change: Callable[[Tensor], Tensor]) -> "Given":
        """Return it with every tensor of numbers changed."""

        def all_of(tensors: Tensors) -> Tensors:
            return Tensors({name: change(tensor) for name, tensor in tensors.items()})

        return replace(
            self,
            x=change(self.x),
            state=all_of(self.state),
            weights=all_of(self.weights),
            noise=all_of(self.noise),
        )

    def member(self, number: int) -> "Given":
        """Return one member's part of a group."""
        lengths = self.lengths
        if lengths is not None and lengths.dim() > 1:
            lengths = lengths[number]
        return replace(self.of(lambda tensor: tensor[number]), lengths=lengths)

    def leaves(self) -> dict[str, Tensor]:
        """Return by name all that has a gradient."""
        states = {f"first {name}": tensor for name, tensor in self.state.items()}
        return {"x": self.x, **states, **self.weights}


Run = Callable[[Given], tuple[Tensor, Tensors]]


def kernel(
    cell: Cell, inputs: int = X, hidden: int = H, target: str = "native", compiler: str = ""
) -> Kernel:
    """Return a cell's kernel: whatever stands in its way is an error, and nothing else is run.

    Skips the test where there is no such compiler or processor.
    """
    compiler = compiler or THOROUGH or "g++"
    return _kernel(type(cell), tuple(cell.chosen.items()), inputs, hidden, target, compiler)


@cache
def _kernel(cell, chosen, inputs, hidden, target, compiler) -> Kernel:
    try:
        library = system_library(target, compiler)
    except BuildError as reason:
        pytest.skip(str(reason))
    if target == "haswell" and torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        pytest.skip("this processor has no AVX2")
    made = cell(**dict(chosen))
    return Kernel(made, trace(made, shapes_of(made, inputs, hidden)), library)


def by(made: Kernel) -> Run:
    """Return a kernel as a function of what is given."""
    return lambda given: made(given.x, given.state, given.weights, given.lengths, given.noise)


def in_loop(cell: Cell) -> Run:
    """Return the loop over a cell, which runs members one by one."""

    def run(given: Given) -> tuple[Tensor, Tensors]:
        if given.x.dim() == 3:
            return loop(cell, given.x, given.state, given.weights, given.lengths, given.noise)
        runs = [run(given.member(number)) for number in range(len(given.x))]
        after = {name: torch.stack([last[name] for _, last in runs]) for name in given.state}
        return torch.stack([outputs for outputs, _ in runs]), Tensors(after)

    return run


def drawn(
    cell: Cell,
    inputs: int,
    hidden: int,
    *,
    steps: int,
    batch: int,
    members: int | None = None,
    lengths: Tensor | None = None,
    seed: int = 0,
) -> Given:
    """Draw numbers of a sensible size for a cell; each member has its own."""
    draw = torch.Generator().manual_seed(seed)
    lead = () if members is None else (members,)

    def normal(*shape: int) -> Tensor:
        return torch.randn((*lead, *shape), generator=draw)

    shapes = shapes_of(cell, inputs, hidden)
    weights = {}
    for name, shape in shapes.weights.items():
        if name in cell.options:
            # from half the default to all of it: options may be bounded
            weights[name] = cell.chosen[name] * (0.5 + 0.5 * torch.rand(lead, generator=draw))
        else:
            weights[name] = normal(*shape) / max((1, *shape)) ** 0.5
    return Given(
        normal(steps, batch, inputs),
        Tensors({name: 0.5 * normal(batch, width) for name, width in shapes.states.items()}),
        Tensors(weights),
        Tensors({name: normal(steps, batch, width) for name, width in shapes.noise.items()}),
        lengths,
    )


def sequences(
    cell: Cell, members: int | None = None, lengths: Tensor | None = LENGTHS, hidden: int = H
) -> Given:
    """Draw six sequences of five steps."""
    return drawn(cell, X, hidden, steps=5, batch=6, members=members, lengths=lengths)


def results(
    run: Run,
    given: Given,
    dtype: torch.dtype = torch.float32,
    loss: Collection[str] | None = None,
) -> Results:
    """Return by name the outputs, the final states, and the gradients of all that has one.

    `loss` names what is differentiated, "outputs", "last h"; None: all of it.
    """
    there = given.of(lambda tensor: tensor.detach().to(dtype))
    leaves = {name: leaf.requires_grad_() for name, leaf in there.leaves().items()}
    outputs, after = run(there)
    made = {"outputs": outputs, **{f"last {name}": state for name, state in after.items()}}
    members = given.x.dim() - 3
    total = sum(
        (tensor * weighing(tensor.shape[members:], dtype)).sum()
        for name, tensor in made.items()
        if loss is None or name in loss
    )
    slopes = torch.autograd.grad(
        total, list(leaves.values()), allow_unused=True, materialize_grads=True
    )
    found = {name: tensor.detach() for name, tensor in made.items()}
    return found | {f"d {name}": slope for name, slope in zip(leaves, slopes, strict=True)}


def weighing(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    """Return numbers to weigh entries by, each its own."""
    draw = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=draw).to(dtype)


def error(found: Results, exact: Results) -> float:
    """Return the largest difference, relative to the largest value; NaN where there is one.

    Gradients are measured by the largest among them: a small one may be the sum of large terms
    that cancel, whose rounding errors stay.
    """
    slope = max(_largest(exact[name]) for name in exact if name.startswith("d "))
    worst = [
        _largest(found[name].double() - right)
        / (1 + (slope if name.startswith("d ") else _largest(right)))
        for name, right in exact.items()
    ]
    # Python's max would pass over NaN
    return float(torch.tensor(worst).max())


def _largest(tensor: Tensor) -> float:
    return float(tensor.abs().max()) if tensor.numel() else 0.0


def require_right(
    cell: Cell, made: Kernel, given: Given, loss: Collection[str] | None = None
) -> None:
    """Compare a kernel with the loop in float64, by what the loop in float32 is wrong by."""
    exact = results(in_loop(cell), given, torch.float64, loss)
    own = error(results(in_loop(cell), given, loss=loss), exact)
    wrong = error(results(by(made), given, loss=loss), exact)
    assert wrong <= TOLERATED * (own + HALF_ULP), f"wrong by {wrong:.1e}, the loop by {own:.1e}"


def recording(given: Given) -> Given:
    """Return copies that record gradients."""
    return given.of(lambda tensor: tensor.clone().requires_grad_())


def assert_same(found, expected) -> None:
    """Compare named tensors, or numbered ones, bit by bit; NaN is NaN."""
    torch.testing.assert_close(dict(found), dict(expected), rtol=0, atol=0, equal_nan=True)
