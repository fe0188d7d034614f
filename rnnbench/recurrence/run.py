"""One run of compiled code over sequences, forward and back: the tensors it reads and fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnbench.recurrence.engine import Call, Engine


@dataclass(frozen=True)
class Given:
    """What a run reads, laid out as the compiled code needs it; made by `given`.

    inputs   x, then the noise: each [members, time, batch, width]
    firsts   the states before the first step, each [members, batch, width]
    roots    weights and what is computed from them, each [members, …]
    lengths  [members, batch], longest first, or None

    The dimension of members may be missing everywhere.
    """

    engine: Engine
    inputs: tuple[Tensor, ...]
    firsts: tuple[Tensor, ...]
    roots: tuple[Tensor, ...]
    lengths: Tensor | None

    @property
    def lead(self) -> torch.Size:
        """The dimension of members, if there is one."""
        return self.inputs[0].shape[:-3]

    @property
    def members(self) -> int:
        """How many members run together; 1 without their dimension."""
        return self.lead.numel()

    @property
    def steps(self) -> int:
        """The number of steps."""
        return self.inputs[0].shape[-3]

    @property
    def batch(self) -> int:
        """The number of sequences."""
        return self.inputs[0].shape[-2]


@dataclass(frozen=True)
class Memory:
    """What a run leaves for its backward pass.

    states  each [members, time + 1, batch, width], before every step and after the last; without
            a history, those other than the output have two rows of steps, written in turn
    work    gates and other intermediate values
    """

    states: tuple[Tensor, ...]
    work: Tensor


def given(engine: Engine, lengths: Tensor | None, noise: int, tensors: Sequence[Tensor]) -> Given:
    """Lay out what a run reads: x, `noise` tensors of noise, first states, roots."""
    x, *rest = tensors
    states = len(engine.shapes.states)
    if lengths is not None:
        lengths = lengths.expand(*x.shape[:-3], x.shape[-2]).contiguous()
    return Given(
        engine,
        (x.contiguous(), *(_usable(tensor, engine) for tensor in rest[:noise])),
        tuple(rest[noise : noise + states]),
        tuple(root.contiguous() for root in rest[noise + states :]),
        lengths,
    )


def forward(run: Given, *, history: bool) -> Memory:
    """Run over all steps; `history` is what a backward pass needs."""
    engine, x = run.engine, run.inputs[0]
    states = []
    for index, first in enumerate(run.firsts):
        periods = run.steps + 1 if history or index == engine.output else 2
        state = first.new_empty(*run.lead, periods, run.batch, first.shape[-1])
        state.select(-3, 0).copy_(first)
        states.append(state)
    periods = run.steps if history else 1
    memory = Memory(tuple(states), x.new_empty(run.members * periods * run.batch * engine.across))
    engine.forward(_call(run, memory, history=history))
    return memory


def outputs(run: Given, memory: Memory) -> Tensor:
    """Return the output state after every step: [members, time, batch, width]."""
    return memory.states[run.engine.output].narrow(-3, 1, run.steps)


def finals(run: Given, memory: Memory) -> tuple[Tensor, ...]:
    """Return all states after the last step."""
    return tuple(
        state.select(-3, run.steps if state.shape[-3] > 2 else run.steps % 2).clone()
        for state in memory.states
    )


@dataclass(frozen=True)
class Gradients:
    """Gradients of what a run was given; None where it was not asked for."""

    x: Tensor | None
    firsts: tuple[Tensor, ...]
    roots: tuple[Tensor | None, ...]


def backward(
    run: Given,
    memory: Memory,
    dy: Tensor | None,
    dfinals: Sequence[Tensor | None],
    *,
    needs_x: bool,
    needs_roots: Sequence[bool],
) -> Gradients:
    """Return gradients, after a run with a history.

    dy, dfinals  gradients of the outputs and of the last states; None: zeros
    """
    dstates = tuple(
        state.new_zeros(*run.lead, run.batch, state.shape[-1])
        if gradient is None
        else gradient.clone(memory_format=torch.contiguous_format)
        for gradient, state in zip(dfinals, memory.states, strict=True)
    )
    dx = torch.zeros_like(run.inputs[0]) if needs_x else None
    droots = tuple(
        torch.zeros_like(root) if needed else None
        for root, needed in zip(run.roots, needs_roots, strict=True)
    )
    call = _call(run, memory, history=True)
    if dy is not None:
        dy = dy.contiguous()
        call.dy = dy.data_ptr()
    if dx is not None:
        call.dx = dx.data_ptr()
    call.point(dstates=dstates, droots=droots)
    run.engine.backward(call)
    return Gradients(dx, dstates, droots)


def _call(run: Given, memory: Memory, *, history: bool) -> Call:
    """Return the call; it points into the tensors of `run` and `memory`, which must outlive it."""
    call = Call(run.members, run.steps, run.batch, history)
    call.point(
        inputs=run.inputs,
        input_strides=[stride for tensor in run.inputs for stride in _strides(tensor)],
        states=memory.states,
        roots=run.roots,
        root_strides=[
            0 if shared else root.numel() // run.members
            for root, shared in zip(run.roots, run.engine.shared, strict=True)
        ],
    )
    call.work = memory.work.data_ptr()
    if run.lengths is not None:
        call.lengths = run.lengths.data_ptr()
    return call


def _strides(tensor: Tensor) -> tuple[int, int, int]:
    """Return what lies between the members, steps and rows of an input."""
    *_, steps, batch, width = tensor.shape
    if tensor.is_contiguous():
        # a dimension of size one may have any stride, and products run over steps as over rows
        return steps * batch * width, batch * width, width
    member = tensor.stride(0) if tensor.dim() > 3 else 0
    return member, tensor.stride(-3), tensor.stride(-2)


def _usable(noise: Tensor, engine: Engine) -> Tensor:
    """Return noise as the compiled code can read it."""
    if engine.multiplies_noise:
        return noise.contiguous()
    if noise.stride(-2) == noise.stride(-3) == 0:
        # the same for all steps and rows: one row is enough
        row = noise[..., :1, :1, :].contiguous()
        return row.expand(noise.shape)
    return noise if noise.stride(-1) == 1 else noise.contiguous()
