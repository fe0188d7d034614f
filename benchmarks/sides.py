"""One forward and backward pass of a cell, on a backend of rnnbench or as a layer of torch.

The loss is linear in the outputs and in the final state. Its gradient goes to the weights, as in
the training of a first layer: the inputs and the initial state need none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from cases import Shape
from torch import Generator, Tensor

from rnnbench.contracts import Cell, Tensors
from rnnbench.recurrence import Runner, output_of

Side = Callable[[], object]
"""One forward and backward pass."""


@dataclass(frozen=True)
class Problem:
    """What every side of a comparison is given.

    x          [time, batch, inputs]
    state      the state before the first step, each [batch, width]
    weights    what `step` reads; the trained ones require gradients, numeric options do not
    d_outputs  the loss's gradient by the outputs, [time, batch, width]
    d_state    the loss's gradient by the final state, each [batch, width]
    """

    x: Tensor
    state: Tensors
    weights: Tensors
    d_outputs: Tensor
    d_state: Tensors

    @property
    def trained(self) -> dict[str, Tensor]:
        """Return the weights that gradients are asked for."""
        return {name: w for name, w in self.weights.items() if w.requires_grad}


def problem(cell: Cell, shape: Shape) -> Problem:
    """Draw inputs, weights and loss; the same for the same cell and shape."""
    generator = Generator().manual_seed(0)

    def normal(*sizes: int) -> Tensor:
        return torch.randn(sizes, generator=generator)

    declared = cell.weights(shape.inputs, shape.hidden)
    trained = {name: w.draw(generator).requires_grad_() for name, w in declared.items()}
    options = {
        name: torch.tensor(float(cell.chosen[name]))
        for name, option in cell.options.items()
        if option.numeric
    }
    state = {
        name: initial.draw(generator).expand(shape.batch, -1).contiguous()
        for name, initial in cell.state(shape.hidden).items()
    }
    width = state[output_of(cell, state)].shape[-1]
    return Problem(
        x=normal(shape.steps, shape.batch, shape.inputs),
        state=Tensors(state),
        weights=Tensors(trained | options),
        d_outputs=normal(shape.steps, shape.batch, width),
        d_state=Tensors({name: normal(*s.shape) for name, s in state.items()}),
    )


def of_runner(run: Runner, given: Problem) -> Callable[[], dict[str, Tensor]]:
    """Return a pass that gives the gradients of the trained weights by name."""
    names, trained = list(given.trained), list(given.trained.values())

    def once() -> dict[str, Tensor]:
        outputs, final = run(given.x, given.state, given.weights, None)
        losses = [outputs, *(final[name] for name in given.d_state)]
        by_loss = [given.d_outputs, *given.d_state.values()]
        return dict(zip(names, torch.autograd.grad(losses, trained, by_loss), strict=True))

    return once


def of_layer(kind: str, given: Problem, shape: Shape) -> Side:
    """Return a pass of torch.nn's LSTM, GRU or RNN of the same sizes, called as users call it."""
    layer = getattr(torch.nn, kind)(shape.inputs, shape.hidden)
    trained = list(layer.parameters())
    by_final = [d.unsqueeze(0) for d in given.d_state.values()]

    def once() -> tuple[Tensor, ...]:
        outputs, final = layer(given.x)
        losses = [outputs, *(final if isinstance(final, tuple) else (final,))]
        return torch.autograd.grad(losses, trained, [given.d_outputs, *by_final])

    return once


def disagreement(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Return the largest difference of a gradient, as a share of that gradient's largest entry."""
    return max(
        float((found[name] - true).abs().max() / true.abs().max())
        for name, true in expected.items()
    )
