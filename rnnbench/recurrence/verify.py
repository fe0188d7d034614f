"""Compare a kernel with the loop, before anything is trained on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnbench.contracts import Cell, Tensors
from rnnbench.errors import OptionError, PluginError
from rnnbench.recurrence.kernel import Kernel
from rnnbench.recurrence.loop import loop
from rnnbench.recurrence.trace import Shapes, UnsupportedError

MEMBERS, STEPS, LENGTHS = 2, 4, (4, 1, 3, 4, 2)
"""The fixed shape of a check: two members, five sequences of up to four steps."""

TOLERATED, TIMES_LOOP = 2e-5, 20.0
"""A kernel's error may be this large, plus so many times the loop's own error in float32."""


@dataclass(frozen=True)
class Reference:
    """What a cell computes on the fixed input: values and gradients, and float32's error."""

    given: _Given
    exact: tuple[Tensor, ...]
    error: float


@dataclass(frozen=True)
class _Given:
    x: Tensor
    state: Tensors
    weights: Tensors
    noise: Tensors


def reference(cell: Cell, shapes: Shapes) -> Reference:
    """Run the loop in float64, twice, and in float32.

    Raises:
        PluginError: the two runs differ, so the step has hidden random numbers or a memory of
            its own.
        UnsupportedError: the step runs in float32, not in float64.
    """
    given = _given(cell, shapes)
    single = _results(_loop(cell), given, torch.float32)
    try:
        exact, again = (_results(_loop(cell), given, torch.float64) for _ in range(2))
    except RuntimeError as error:
        said = str(error).splitlines()[0]
        raise UnsupportedError(
            f"its step does not run in float64, so that no kernel can be checked: {said}"
        ) from error
    if not all(_same(first, second) for first, second in zip(exact, again, strict=True)):
        raise PluginError(
            f"cell `{cell.name}` gives other numbers when it is run again: its step has hidden "
            "random numbers or a memory of its own; declare noise with `noise`, and carry what "
            "must be kept as a state"
        )
    return Reference(given, exact, _error(single, exact))


def mismatch(kernel: Kernel, expected: Reference) -> str:
    """Return how a kernel differs from the loop, or nothing."""
    lengths = torch.tensor(LENGTHS)

    def members(given: _Given) -> tuple[Tensor, Tensors]:
        outputs, after = kernel(given.x, given.state, given.weights, lengths, given.noise)
        return outputs, after

    error = _error(_results(members, expected.given, torch.float32), expected.exact)
    if error <= TOLERATED + TIMES_LOOP * expected.error:
        return ""
    return (
        f"its kernel differs from the loop by {error:.1e} of the largest value or gradient, where "
        f"float32 alone makes {expected.error:.1e}"
    )


def _loop(cell: Cell) -> Callable[[_Given], tuple[Tensor, Tensors]]:
    lengths = torch.tensor(LENGTHS)

    def run(given: _Given) -> tuple[Tensor, Tensors]:
        runs = []
        for member in range(MEMBERS):
            state, weights, noise = (
                Tensors({name: tensor[member] for name, tensor in tensors.items()})
                for tensors in (given.state, given.weights, given.noise)
            )
            runs.append(loop(cell, given.x[member], state, weights, lengths, noise))
        after = {name: torch.stack([last[name] for _, last in runs]) for name in given.state}
        return torch.stack([outputs for outputs, _ in runs]), Tensors(after)

    return run


def _given(cell: Cell, shapes: Shapes) -> _Given:
    draw = torch.Generator().manual_seed(20240229)
    batch = len(LENGTHS)

    def normal(*shape: int) -> Tensor:
        return torch.randn(MEMBERS, *shape, generator=draw)

    weights = {}
    for name, shape in shapes.weights.items():
        if name in cell.options:
            weights[name] = torch.tensor([_near(cell, name, member) for member in range(MEMBERS)])
        else:
            weights[name] = normal(*shape) / math.sqrt(max(1, *shape))
    return _Given(
        normal(STEPS, batch, shapes.inputs),
        Tensors({name: 0.5 * normal(batch, width) for name, width in shapes.states.items()}),
        Tensors(weights),
        Tensors(
            {
                name: torch.rand(MEMBERS, STEPS, batch, width, generator=draw)
                for name, width in shapes.noise.items()
            }
        ),
    )


def _near(cell: Cell, name: str, member: int) -> float:
    """Return a numeric option's value for a member: as chosen, or a quarter less if it may be."""
    chosen = float(cell.chosen[name])
    if member == 0:
        return chosen
    try:
        return float(cell.options[name].check(name, 0.75 * chosen))
    except OptionError:
        return chosen


def _results(
    run: Callable[[_Given], tuple[Tensor, Tensors]], given: _Given, dtype: torch.dtype
) -> tuple[Tensor, ...]:
    """Return outputs, final states and the gradients of all that is given but noise."""

    def leaf(tensor: Tensor) -> Tensor:
        return tensor.to(dtype).requires_grad_()

    there = _Given(
        leaf(given.x),
        Tensors({name: leaf(tensor) for name, tensor in given.state.items()}),
        Tensors({name: leaf(tensor) for name, tensor in given.weights.items()}),
        Tensors({name: tensor.to(dtype) for name, tensor in given.noise.items()}),
    )
    with torch.enable_grad():
        outputs, after = run(there)
        draw = torch.Generator().manual_seed(17)
        total = sum(
            (made * torch.randn(made.shape, generator=draw).to(dtype)).sum()
            for made in (outputs, *after.values())
        )
        leaves = [there.x, *there.state.values(), *there.weights.values()]
        gradients = torch.autograd.grad(total, leaves, allow_unused=True)  # type: ignore[arg-type]  # a tensor
    filled = [
        torch.zeros_like(leaf) if gradient is None else gradient
        for gradient, leaf in zip(gradients, leaves, strict=True)
    ]
    return tuple(made.detach() for made in (outputs, *after.values(), *filled))


def _error(results: Sequence[Tensor], exact: Sequence[Tensor]) -> float:
    """Return the largest difference, relative to each tensor's largest entry."""
    return max(
        float((result.double() - right).abs().max() / (right.abs().max() + 1e-3))
        for result, right in zip(results, exact, strict=True)
    )


def _same(first: Tensor, second: Tensor) -> bool:
    return torch.equal(first.nan_to_num(), second.nan_to_num())
