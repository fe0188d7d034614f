"""Compare a kernel with the loop, before anything is trained on it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from rnnbench.contracts import Cell, Tensors
from rnnbench.errors import OptionError, PluginError, UnsupportedError
from rnnbench.recurrence.loop import Runner, loop
from rnnbench.recurrence.trace import Shapes
from rnnbench.recurrence.watch import place

MEMBERS, STEPS, LENGTHS = 2, 4, (4, 1, 3, 4, 2)
"""The fixed shape of a check: two members, five sequences of up to four steps."""

SEEDS = (20240229, 17, 4711)
"""Draw the fixed numbers of a check, on the first draw that tells something."""

TOLERATED, TIMES_ROUNDING = 1e-5, 10.0
"""A tensor's error may be this large, plus so many times what rounding makes of it.

Right kernels stay below a third of it up to 1024 features, whose sums round differently in another
order; a wrong sign or a missing term makes an error a thousand times larger.
"""

NUDGE, ROUNDINGS = 1e-6, 10.0
"""How far numbers are moved to see what rounding can do, relative to each: so many roundings."""

TELLING = 1e-2
"""Where rounding makes a larger error than this, a check would tell nothing."""

REPEATED = {torch.float64: 1e-10, torch.float32: 1e-5}
"""Two runs that differ by more than this differ by more than the rounding of their sums."""


@dataclass(frozen=True)
class Reference:
    """What a cell computes on the fixed input, and what rounding makes of it.

    exact    outputs, final states and gradients, in float64
    names    what they are
    errors   of each, the larger of float32's error and of that of numbers moved a little
    """

    cell: Cell
    given: _Given
    names: tuple[str, ...]
    exact: tuple[Tensor, ...]
    errors: tuple[float, ...]

    @property
    def silence(self) -> str:
        """Why nothing can be compared with this, or nothing if it tells something.

        Where a value that a step compares with another is all but equal to it, rounding decides,
        and two right answers differ much.
        """
        if not all(bool(tensor.isfinite().all()) for tensor in self.exact):
            return (
                "its step makes infinities or NaN out of inputs and states around zero, so that no "
                "kernel can be checked"
            )
        name, error = max(zip(self.names, self.errors, strict=True), key=lambda pair: pair[1])
        if error <= TELLING:
            return ""
        return (
            f"rounding alone changes {name} by {error:.1e} of the largest, so that no kernel can "
            "be checked"
        )


@dataclass(frozen=True)
class _Given:
    x: Tensor
    state: Tensors
    weights: Tensors
    noise: Tensors

    def member(self, index: int) -> _Given:
        """Return what one member is given, without the dimension of members."""
        return _Given(
            self.x[index],
            *(
                Tensors({name: tensor[index] for name, tensor in tensors.items()})
                for tensors in (self.state, self.weights, self.noise)
            ),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What `_results` returns, in its order."""
        leaves = ("x", *self.state, *self.weights)
        return (
            "the outputs",
            *(f"the last `{name}`" for name in self.state),
            *(f"the gradient of `{name}`" for name in leaves),
        )

    def nudged(self, seed: int) -> Iterator[_Given]:
        """Yield all numbers in float64 moved by `NUDGE` up or down, then the other way."""
        for sign in (1.0, -1.0):
            draw = torch.Generator().manual_seed(seed)

            def moved(tensor: Tensor, sign: float = sign, draw: torch.Generator = draw) -> Tensor:
                ways = torch.randint(2, tensor.shape, generator=draw).double() * 2 - 1
                return tensor.double() * (1 + sign * NUDGE * ways)

            yield _Given(
                moved(self.x),
                *(
                    Tensors({name: moved(tensor) for name, tensor in tensors.items()})
                    for tensors in (self.state, self.weights, self.noise)
                ),
            )


_Run = Callable[[_Given], tuple[Tensor, Tensors]]


def reference(cell: Cell, shapes: Shapes) -> Reference:
    """Run the loop on the first draw of `SEEDS` that tells something, else on the first.

    Raises:
        PluginError: the step has hidden random numbers or a memory of its own.
        UnsupportedError: the step runs in float32, not in float64.
    """
    drawn = []
    for seed in SEEDS:
        drawn.append(reference_on(seed, cell, shapes))
        if not drawn[-1].silence:
            return drawn[-1]
    return drawn[0]


def reference_on(seed: int, cell: Cell, shapes: Shapes) -> Reference:
    """Run the loop on one draw: in float64, twice, in float32, and with its numbers moved a little.

    Raises:
        PluginError: the two runs differ, so the step has hidden random numbers or a memory of
            its own.
        UnsupportedError: the step runs in float32, not in float64.
    """
    given = _given(cell, shapes, seed)
    # a new cell: one that has been called before may have come to rest
    run = _one_by_one(partial(loop, type(cell)(**cell.chosen)))
    try:
        exact = _repeated(cell, run, given, torch.float64)
    except RuntimeError as error:
        _repeated(cell, run, given, torch.float32)
        said = str(error).splitlines()[0]
        raise UnsupportedError(
            f"its step does not run in float64, so that no kernel can be checked: {said}"
        ) from error
    errors = _errors(_results(run, given, torch.float32), exact)
    for moved in given.nudged(seed):
        jumps = _errors(_results(run, moved, torch.float64), exact)
        errors = [
            _worst(error, jump / ROUNDINGS) for error, jump in zip(errors, jumps, strict=True)
        ]
    return Reference(cell, given, given.names, exact, tuple(errors))


def mismatch(kernel: Runner, expected: Reference) -> str:
    """Return how a kernel differs from the loop, or nothing.

    All members at once, each alone, and without gradients: these are three ways through a kernel.
    """
    if expected.silence:
        return expected.silence
    given = expected.given
    together = partial(_together, kernel)
    with torch.no_grad():
        outputs, after = together(given)
    ways = (
        _results(together, given, torch.float32),
        _results(_one_by_one(kernel), given, torch.float32),
        (outputs, *after.values()),
    )
    found = [
        (error / (TOLERATED + TIMES_ROUNDING * rounding), name, error, rounding)
        for results in ways
        for name, rounding, error in zip(
            expected.names, expected.errors, _errors(results, expected.exact), strict=False
        )
    ]
    worst = _worst(*(share for share, *_ in found))
    if worst <= 1:
        return ""
    _, name, error, rounding = next(one for one in found if one[0] == worst or math.isnan(one[0]))
    return (
        f"its kernel differs from the loop by {error:.1e} of the largest in {name}, where "
        f"rounding alone makes {rounding:.1e}"
    )


def _together(kernel: Runner, given: _Given) -> tuple[Tensor, Tensors]:
    return kernel(given.x, given.state, given.weights, torch.tensor(LENGTHS), given.noise)


def _one_by_one(run: Callable[..., tuple[Tensor, Tensors]]) -> _Run:
    """Return what runs the members one after another."""
    lengths = torch.tensor(LENGTHS)

    def members(given: _Given) -> tuple[Tensor, Tensors]:
        runs = []
        for index in range(MEMBERS):
            one = given.member(index)
            runs.append(run(one.x, one.state, one.weights, lengths, one.noise))
        after = {name: torch.stack([last[name] for _, last in runs]) for name in given.state}
        return torch.stack([outputs for outputs, _ in runs]), Tensors(after)

    return members


def _repeated(cell: Cell, run: _Run, given: _Given, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Return the results of a run that a second one agrees with.

    Raises:
        PluginError: it does not.
    """
    first, second = (_results(run, given, dtype) for _ in range(2))
    zeroed = ([tensor.nan_to_num() for tensor in results] for results in (second, first))
    if not _worst(*_errors(*zeroed)) <= REPEATED[dtype]:
        raise PluginError(
            f"cell `{cell.name}` gives other numbers when it is run again: its step at "
            f"{place(cell)} has hidden random numbers or a memory of its own; declare noise with "
            "`noise`, and carry what must be kept as a state"
        )
    return first


def _given(cell: Cell, shapes: Shapes, seed: int) -> _Given:
    draw = torch.Generator().manual_seed(seed)
    batch = len(LENGTHS)

    def normal(*shape: int) -> Tensor:
        return torch.randn(MEMBERS, *shape, generator=draw)

    weights = {}
    for name, shape in shapes.weights.items():
        if name in cell.options:
            weights[name] = torch.tensor([_near(cell, name, member) for member in range(MEMBERS)])
        else:
            weights[name] = normal(*shape) / math.sqrt(max((1, *shape)))
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
    """Return a numeric option's value: as chosen, for other members another if there may be one."""
    chosen = float(cell.chosen[name])
    if member == 0:
        return chosen
    for other in (0.75 * chosen, chosen + 0.25, chosen - 0.25):
        with suppress(OptionError):
            if (value := float(cell.options[name].check(name, other))) != chosen:
                return value
    return chosen


def _results(run: _Run, given: _Given, dtype: torch.dtype) -> tuple[Tensor, ...]:
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


def _errors(results: Sequence[Tensor], exact: Sequence[Tensor]) -> list[float]:
    """Return the largest differences, relative to each tensor's largest entry."""
    return [
        float((result.double() - right.double()).abs().max() / (right.abs().max() + 1e-3))
        for result, right in zip(results, exact, strict=False)
    ]


def _worst(*errors: float) -> float:
    """Return the largest error, and what is not a number before any."""
    return max(errors, key=lambda error: (math.isnan(error), error))
