"""A cell at fixed widths as compiled code: called with tensors, differentiated by autograd."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from rnnbench.contracts import Cell, Tensors
from rnnbench.errors import InputError
from rnnbench.recurrence.emit import emit, engine
from rnnbench.recurrence.equations import equations
from rnnbench.recurrence.gradients import backward
from rnnbench.recurrence.lengths import within
from rnnbench.recurrence.loop import output_of
from rnnbench.recurrence.numbers import numbers
from rnnbench.recurrence.plan import plan
from rnnbench.recurrence.trace import Traced

Library = Callable[[str], ctypes.CDLL]
"""Compiles C++ text and loads it."""


class Kernel:
    """Runs one cell over sequences of any length and batch, at the widths it was made for.

    Raises:
        UnsupportedError: the step cannot become a kernel.
        BuildError: there is no compiler, or it fails.
    """

    def __init__(self, cell: Cell, traced: Traced, library: Library) -> None:
        planned = plan(equations(traced))
        order = backward(planned)
        states = list(traced.shapes.states)
        self.shapes = traced.shapes
        self.source = emit(planned, order)
        self.output = states.index(output_of(cell, states))
        self.across = sum(planned.levels) + sum(planned.extras)
        self.prelude = planned.prelude
        # those that no weight changes are the same for all members
        self.shared = [False] * len(traced.shapes.weights)
        self.shared += [isinstance(root, Tensor) for root in planned.prelude.roots]
        self._multiplies_noise = any(
            source.data.buffer.kind == "input" and source.data.buffer.index > 0
            for block in planned.blocks
            for source in block.sources
        )
        self._code = library(self.source)
        self._engine = library(engine())
        self._engine.rnnbench_prepare.restype = ctypes.c_void_p
        listed = numbers(planned, order, self.output)
        self._plan = ctypes.c_void_p(
            self._engine.rnnbench_prepare(
                (ctypes.c_int64 * len(listed))(*listed),
                ctypes.byref(ctypes.c_char.in_dll(self._code, "rnnbench_code")),
            )
        )

    def __del__(self) -> None:
        if hasattr(self, "_plan"):
            self._engine.rnnbench_release(self._plan)

    def __call__(
        self,
        x: Tensor,
        state: Tensors,
        weights: Tensors,
        lengths: Tensor | None,
        noise: Tensors | None = None,
    ) -> tuple[Tensor, Tensors]:
        """Run the cell; see `loop` for the meaning.

        Everything may have a leading dimension of members, whose weights, options, states and
        sequences are their own: x [members, time, batch, inputs].

        Raises:
            InputError: a tensor is not float32 on the CPU, or has another shape than the kernel
                was made for.
        """
        self._check(x, state, weights, lengths, noise or Tensors())
        steps = x.shape[-3]
        values = [state[name] for name in self.shapes.states]
        roots = [weights[name] for name in self.shapes.weights]
        drawn = [] if noise is None else [noise[name] for name in self.shapes.noise]
        if lengths is None or bool((lengths == steps).all()):
            outputs, after = self._dense(x, values, roots, None, drawn)
        else:
            lengths = lengths.long().expand(x.shape[:-3] + x.shape[-2:-1])
            # the longest first, so that those still running are the first rows of each step
            order = lengths.argsort(dim=-1, descending=True, stable=True)
            back = order.argsort(dim=-1)
            real = within(lengths, steps).unsqueeze(-1)
            x = x.masked_fill(~real, 0)
            outputs, after = self._dense(
                _rows(x, order, steps=True),
                [_rows(value, order, steps=False) for value in values],
                roots,
                lengths.gather(-1, order),
                [_rows(value, order, steps=True) for value in drawn],
            )
            outputs = _rows(outputs, back, steps=True).masked_fill(~real, 0)
            after = [_rows(value, back, steps=False) for value in after]
        return outputs, Tensors(zip(self.shapes.states, after, strict=True))

    def _check(
        self, x: Tensor, state: Tensors, weights: Tensors, lengths: Tensor | None, noise: Tensors
    ) -> None:
        """Refuse what the compiled code, which is handed addresses only, would misread."""
        members, (steps, batch) = x.shape[:-3][:1], x.shape[-3:-1]
        wanted: list[tuple[str, Tensor, tuple[int, ...]]]
        wanted = [("x", x, (steps, batch, self.shapes.inputs))]
        for given, shapes in (
            (noise, {name: (steps, batch, width) for name, width in self.shapes.noise.items()}),
            (state, {name: (batch, width) for name, width in self.shapes.states.items()}),
            (weights, self.shapes.weights),
        ):
            if given.keys() != shapes.keys():
                raise InputError(
                    f"this kernel reads {', '.join(shapes) or 'nothing'}, not {', '.join(given)}"
                )
            wanted += [(name, given[name], shape) for name, shape in shapes.items()]
        for name, tensor, shape in wanted:
            if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
                raise InputError(
                    f"a kernel runs in float32 on the CPU; `{name}` is {tensor.dtype} on "
                    f"{tensor.device}"
                )
            if tensor.shape != (*members, *shape):
                raise InputError(
                    f"this kernel reads `{name}` as {[*members, *shape]}, not {list(tensor.shape)}"
                )
        if lengths is not None and lengths.shape not in ((batch,), (*members, batch)):
            raise InputError(f"there are {batch} sequences, and lengths {list(lengths.shape)}")

    def _dense(
        self,
        x: Tensor,
        state: Sequence[Tensor],
        weights: Sequence[Tensor],
        lengths: Tensor | None,
        noise: Sequence[Tensor],
    ) -> tuple[Tensor, Sequence[Tensor]]:
        roots = [*weights, *self.prelude(weights, x.dim() > 3)]
        given = [x, *noise, *state, *roots]
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in given):
            outputs, *after = _Recurrence.apply(self, lengths, len(noise), *given)  # type: ignore[no-untyped-call]  # torch's
            return outputs, after
        run = _Run(self, lengths, len(noise), given, kept=False)
        return run.outputs(), run.finals()

    def forward(self, call: _Call) -> None:
        """Fill states and work."""
        self._engine.rnnbench_forward(self._plan, ctypes.byref(call))

    def backward(self, call: _Call) -> None:
        """Fill gradients."""
        self._engine.rnnbench_backward(self._plan, ctypes.byref(call))

    def usable(self, noise: Tensor) -> Tensor:
        """Return noise as the compiled code can read it."""
        if self._multiplies_noise:
            return noise.contiguous()
        if noise.stride(-2) == noise.stride(-3) == 0:
            # the same for all steps and rows: one row is enough
            row = noise[..., :1, :1, :].contiguous()
            return row.expand(noise.shape)
        return noise if noise.stride(-1) == 1 else noise.contiguous()


class _Call(ctypes.Structure):
    """`Call` in kernel.cpp."""

    _fields_ = [
        ("members", ctypes.c_int64),
        ("steps", ctypes.c_int64),
        ("rows", ctypes.c_int64),
        ("kept", ctypes.c_int64),
        ("needs_dx", ctypes.c_int64),
        ("has_dy", ctypes.c_int64),
        ("lengths", ctypes.c_void_p),
        ("inputs", ctypes.c_void_p),
        ("input_strides", ctypes.c_void_p),
        ("states", ctypes.c_void_p),
        ("work", ctypes.c_void_p),
        ("roots", ctypes.c_void_p),
        ("root_strides", ctypes.c_void_p),
        ("dy", ctypes.c_void_p),
        ("dstates", ctypes.c_void_p),
        ("dx", ctypes.c_void_p),
        ("droots", ctypes.c_void_p),
    ]


class _Run:
    """The tensors of one call: those given, and what is made of them.

    `memory` is that of an earlier run of the same: the states of all steps, and the gates.
    """

    def __init__(
        self,
        kernel: Kernel,
        lengths: Tensor | None,
        noise: int,
        given: Sequence[Tensor],
        kept: bool,
        memory: Sequence[Tensor] = (),
    ) -> None:
        states = len(kernel.shapes.states)
        self.kernel, self.noise = kernel, noise
        self.x = given[0].contiguous()
        *self.lead, self.steps, self.rows, _ = self.x.shape
        self.members = self.lead[0] if self.lead else 1
        self.inputs = [self.x, *(kernel.usable(n) for n in given[1 : 1 + noise])]
        firsts = given[1 + noise : 1 + noise + states]
        self.roots = [root.contiguous() for root in given[1 + noise + states :]]
        self.lengths = None if lengths is None else self._of_members(lengths)
        self.kept = kept
        if memory:
            *self.histories, self.work = memory
            return
        self.histories = [
            self._history(first, kept or index == kernel.output)
            for index, first in enumerate(firsts)
        ]
        periods = self.steps if kept else 1
        self.work = self.x.new_empty(self.members * periods * self.rows * kernel.across)
        kernel.forward(self.call())

    def _of_members(self, lengths: Tensor) -> Tensor:
        return lengths.expand(*self.lead, self.rows).contiguous()

    def _history(self, first: Tensor, all_steps: bool) -> Tensor:
        periods = self.steps + 1 if all_steps else 2
        history = first.new_empty(*self.lead, periods, self.rows, first.shape[-1])
        history.select(-3, 0).copy_(first)
        return history

    def outputs(self) -> Tensor:
        return self.histories[self.kernel.output].narrow(-3, 1, self.steps)

    def finals(self) -> list[Tensor]:
        return [
            history.select(-3, self.steps if history.shape[-3] > 2 else self.steps % 2).clone()
            for history in self.histories
        ]

    def gradients(
        self, needs: Sequence[bool], dy: Tensor | None, dfinals: Sequence[Tensor | None]
    ) -> list[Tensor | None]:
        """Return the gradients of what was given, None where none is needed.

        dy, dfinals  gradients of the outputs and of the last states; None: zeros
        """
        dstates = [
            history.new_zeros(*self.lead, self.rows, history.shape[-1])
            if gradient is None
            else gradient.clone(memory_format=torch.contiguous_format)
            for gradient, history in zip(dfinals, self.histories, strict=True)
        ]
        dx = torch.zeros_like(self.x) if needs[0] else None
        droots = [
            torch.zeros_like(root) if need else None
            for root, need in zip(self.roots, needs[1 + self.noise + len(dstates) :], strict=True)
        ]
        call = self.call()
        call.needs_dx, call.has_dy = dx is not None, dy is not None
        if dy is not None:
            dy = dy.contiguous()
            call.dy = dy.data_ptr()
        if dx is not None:
            call.dx = dx.data_ptr()
        arrays = _pointers(dstates), _pointers(droots)
        call.dstates, call.droots = map(ctypes.addressof, arrays)
        self.kernel.backward(call)
        return [dx, *[None] * self.noise, *dstates, *droots]

    def call(self) -> _Call:
        """Return the call; the arrays that it points into live as long as it does."""
        call = _Call(self.members, self.steps, self.rows, self.kept, 0, 0)
        strides = []
        for tensor in self.inputs:
            strides += [tensor.stride(0) if self.lead else 0, *tensor.stride()[-3:-1]]
        call.held = (
            _pointers(self.inputs),
            _integers(strides),
            _pointers(self.histories),
            _pointers(self.roots),
            _integers(
                [
                    0 if shared else root.numel() // self.members
                    for root, shared in zip(self.roots, self.kernel.shared, strict=True)
                ]
            ),
        )
        inputs, input_strides, states, roots, root_strides = map(ctypes.addressof, call.held)
        call.inputs, call.input_strides, call.states = inputs, input_strides, states
        call.roots, call.root_strides = roots, root_strides
        call.work = self.work.data_ptr()
        if self.lengths is not None:
            call.lengths = self.lengths.data_ptr()
        return call


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, kernel: Kernel, lengths: Tensor | None, noise: int, *given: Tensor
    ) -> tuple[Tensor, ...]:
        run = _Run(kernel, lengths, noise, given, kept=True)
        # saved, so that a change in place before the backward pass is an error, and that after it
        # nothing is held
        ctx.save_for_backward(*given, *run.histories, run.work)
        ctx.called = kernel, lengths, noise
        ctx.set_materialize_grads(False)
        return (run.outputs(), *run.finals())

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, *dfinals: Tensor | None) -> tuple[Any, ...]:
        kernel, lengths, noise = ctx.called
        needs = ctx.needs_input_grad[3:]
        given, memory = ctx.saved_tensors[: len(needs)], ctx.saved_tensors[len(needs) :]
        with torch.no_grad():
            run = _Run(kernel, lengths, noise, given, kept=True, memory=memory)
            gradients = run.gradients(needs, dy, dfinals)
        if torch.is_grad_enabled():  # somebody means to differentiate the gradients
            made = [gradient for gradient in gradients if gradient is not None]
            of = [tensor for tensor in given if tensor.requires_grad]
            once = iter(_Once.apply(len(made), *made, *of))  # type: ignore[no-untyped-call]  # torch's
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


def _rows(tensor: Tensor, order: Tensor, *, steps: bool) -> Tensor:
    """Reorder the batch: order [batch] or [members, batch]."""
    index = order.unsqueeze(-1)
    return torch.take_along_dim(tensor, index.unsqueeze(-3) if steps else index, -2)


def _pointers(tensors: Sequence[Tensor | None]) -> Any:
    return (ctypes.c_void_p * max(1, len(tensors)))(
        *(None if tensor is None else tensor.data_ptr() for tensor in tensors)
    )


def _integers(values: Sequence[int]) -> Any:
    return (ctypes.c_int64 * max(1, len(values)))(*values)
