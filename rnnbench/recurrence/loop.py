"""Apply a cell step by step; whatever else runs a cell must agree with this."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Protocol

import torch
from torch import Tensor

from rnnbench.contracts import Cell, Tensors
from rnnbench.errors import PluginError
from rnnbench.recurrence.lengths import within


class Runner(Protocol):
    """Runs one cell over a sequence; `loop` defines what that means."""

    def __call__(
        self,
        x: Tensor,
        state: Tensors,
        weights: Tensors,
        lengths: Tensor | None,
        noise: Tensors | None = None,
    ) -> tuple[Tensor, Tensors]:
        """Return the outputs [time, batch, width] and the final state."""


def loop(
    cell: Cell,
    x: Tensor,
    state: Tensors,
    weights: Tensors,
    lengths: Tensor | None,
    noise: Tensors | None = None,
) -> tuple[Tensor, Tensors]:
    """Run `cell` over a sequence and return the outputs and the final state.

    x        [time, batch, inputs], at least one step
    state    the state before the first step, each [batch, width]
    weights  the cell's weights and numeric options
    lengths  [batch] int64, from 0 to time; None: all of them are real
    noise    what the cell declares as its noise, each [time, batch, width]; it is constant, so no
             gradient passes through it

    A state stops changing after its sequence ends, and outputs after the end are zeros. What
    stands in the padding changes no output, no state and no gradient, even if it is NaN.

    Returns:
        outputs [time, batch, width of the output state], and the state after the last step.

    Raises:
        PluginError: a step returns other states than it was given.
    """
    output = output_of(cell, state)
    real = None if lengths is None else within(lengths, len(x)).unsqueeze(-1)
    if real is not None:
        # selected, not multiplied: 0 × NaN is NaN
        x = x.masked_fill(~real, 0)
    outputs = []
    readable = _each_step(weights, noise or Tensors(), len(x))
    for t, (now, given) in enumerate(zip(x.unbind(0), readable, strict=True)):
        new = cell.step(now, state, given)
        _check(cell, new, state)
        if real is not None:
            new = {name: torch.where(real[t], new[name], old) for name, old in state.items()}
        state = Tensors(new)
        outputs.append(state[output])
    stacked = torch.stack(outputs)
    return stacked if real is None else stacked.masked_fill(~real, 0), state


def output_of(cell: Cell, states: Iterable[str]) -> str:
    """Return which of the cell's states is its output.

    Raises:
        PluginError: the cell names an output that is no state of its.
    """
    names = list(states)
    name = names[0] if cell.output is None else cell.output
    if name not in names:
        raise PluginError(
            f"cell `{cell.name}` has the output `{name}`, but only the states {', '.join(names)}"
        )
    return name


def _each_step(weights: Tensors, noise: Tensors, steps: int) -> Iterator[Tensors]:
    """Return what each step reads as `w`: the weights and its own noise."""
    if not noise:
        return repeat(weights, steps)
    drawn = (numbers.detach().unbind(0) for numbers in noise.values())
    return (
        Tensors(weights | dict(zip(noise, now, strict=True))) for now in zip(*drawn, strict=True)
    )


def _check(cell: Cell, new: dict[str, Tensor], old: Tensors) -> None:
    if new.keys() != old.keys():
        raise PluginError(
            f"cell `{cell.name}` declares the states {', '.join(old)}, "
            f"but its step returns {', '.join(new)}"
        )
    for name, tensor in new.items():
        if tensor.shape != old[name].shape:
            raise PluginError(
                f"cell `{cell.name}`: its step returns `{name}` as {list(tensor.shape)}, "
                f"declared are {list(old[name].shape)}"
            )
