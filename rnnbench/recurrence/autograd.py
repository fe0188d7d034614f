"""Compiled code as a function that autograd differentiates."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rnnbench.errors import InputError
from rnnbench.recurrence.engine import Engine
from rnnbench.recurrence.run import Memory, backward, finals, forward, given, outputs


class Recurrence(torch.autograd.Function):
    """`apply(engine, lengths, noise, x, *noise tensors, *first states, *roots)`.

    Returns the outputs and the last states.
    """

    @staticmethod
    def forward(
        ctx: Any, engine: Engine, lengths: Tensor | None, noise: int, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        """Run and keep the history."""
        run = given(engine, lengths, noise, tensors)
        memory = forward(run, history=True)
        # saved, so that a change in place before the backward pass is an error, and that after it
        # nothing is held
        ctx.save_for_backward(*tensors, *memory.states, memory.work)
        ctx.called = engine, lengths, noise
        ctx.set_materialize_grads(False)
        return (outputs(run, memory), *finals(run, memory))

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, *dfinals: Tensor | None) -> tuple[Any, ...]:
        """Return a gradient for each argument."""
        engine, lengths, noise = ctx.called
        needs = ctx.needs_input_grad[3:]
        tensors = ctx.saved_tensors[: len(needs)]
        *states, work = ctx.saved_tensors[len(needs) :]
        with torch.no_grad():
            made = backward(
                given(engine, lengths, noise, tensors),
                Memory(tuple(states), work),
                dy,
                dfinals,
                needs_x=needs[0],
                needs_roots=needs[1 + noise + len(states) :],
            )
        gradients = [made.x, *[None] * noise, *made.firsts, *made.roots]
        if torch.is_grad_enabled():  # somebody means to differentiate the gradients
            some = [gradient for gradient in gradients if gradient is not None]
            of = [tensor for tensor in tensors if tensor.requires_grad]
            once = iter(_Once.apply(len(some), *some, *of))  # type: ignore[no-untyped-call]  # torch's
            gradients = [None if gradient is None else next(once) for gradient in gradients]
        return (None, None, None, *gradients)


class _Once(torch.autograd.Function):
    """Passes gradients on; to differentiate them again is an error, not zero."""

    @staticmethod
    def forward(ctx: Any, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG004  torch's
        return tuple(gradient.clone() for gradient in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *_: Tensor) -> Any:  # noqa: ARG004  torch's
        raise InputError("a kernel's gradients cannot be differentiated again; use backend `loop`")
