"""A recurrence inside `torch.func.vmap`: one call for all members, which a trace takes as one node.

vmap calls `Door`, which hands the members' tensors, put together, to what runs them (a kernel has
a loop over members of its own). A trace cannot look into compiled code, and need not: it records
the call, and the call of its derivative, each as a function that is called again when the trace
is replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.fx import Proxy
from torch.fx.experimental.proxy_tensor import (
    disable_proxy_modes_tracing,
    get_proxy_mode,
    track_tensor_tree,
)

from rnnbench.contracts import Tensors
from rnnbench.recurrence.loop import Runner

Back = Callable[[Sequence[Tensor | None]], tuple[Tensor, ...]]
"""Turns gradients of outputs and last states into one for each tensor that needs it."""


@runtime_checkable
class Taped(Runner, Protocol):
    """A runner that can also differentiate itself, without what autograd costs."""

    def taped(
        self,
        x: Tensor,
        state: Tensors,
        weights: Tensors,
        lengths: Tensor | None,
        noise: Tensors,
        needed: Sequence[bool],
    ) -> tuple[Tensor, Tensors, Back] | None:
        """Return the outputs, the last states and the derivative, or None: autograd has to.

        needed  which of x, the states, the weights, the noise and the lengths need a gradient
        """


def for_members(run: Runner, *, twins: bool = False) -> Runner:
    """Return a runner that may be called inside vmap, for one member at a time as it seems.

    run    takes everything with a leading dimension of members
    twins  the members are one, twice: it is run once
    """
    return _through(_Door, run, twins)


def differentiable(run: Taped) -> Runner:
    """Return a runner that autograd differentiates by what `run` says of itself."""
    return _through(_Recorded, run, False)


def _through(function: Any, run: Runner, twins: bool) -> Runner:
    """Return a runner that calls `run` through a function of autograd."""

    def runner(
        x: Tensor,
        state: Tensors,
        weights: Tensors,
        lengths: Tensor | None,
        noise: Tensors | None = None,
    ) -> tuple[Tensor, Tensors]:
        groups: dict[str, Mapping[str, Tensor]]
        groups = {"state": state, "weights": weights, "noise": noise or {}}
        names = _Names({kind: tuple(group) for kind, group in groups.items()}, lengths is not None)
        given = [tensor for group in groups.values() for tensor in group.values()]
        given += [] if lengths is None else [lengths]
        outputs, *after = function.apply(_Call(run, names, twins), x, *given)
        return outputs, Tensors(zip(state, after, strict=True))

    return runner


@dataclass(frozen=True)
class _Names:
    """What the tensors of a call are, in their order; the lengths come last."""

    groups: Mapping[str, tuple[str, ...]]
    lengths: bool


@dataclass(frozen=True)
class _Call:
    """A runner as a function of tensors alone."""

    run: Runner
    names: _Names
    twins: bool

    def __call__(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        outputs, after = self.run(*self._named(tensors))
        return outputs, *after.values()

    def taped(
        self, needed: Sequence[bool], tensors: Sequence[Tensor]
    ) -> tuple[tuple[Tensor, ...], Back] | None:
        """Let the runner differentiate itself, if it can."""
        if not isinstance(self.run, Taped):
            return None
        made = self.run.taped(*self._named(tensors), needed)
        if made is None:
            return None
        outputs, after, back = made
        return (outputs, *after.values()), back

    def _named(
        self, tensors: Sequence[Tensor]
    ) -> tuple[Tensor, Tensors, Tensors, Tensor | None, Tensors]:
        x, *given = tensors
        rest = iter(given)
        groups = {
            kind: Tensors((name, next(rest)) for name in names)
            for kind, names in self.names.groups.items()
        }
        lengths = next(rest) if self.names.lengths else None
        return x, groups["state"], groups["weights"], lengths, groups["noise"]


class _Door(torch.autograd.Function):
    """Turns a call for one member, inside vmap, into one for all of them."""

    @staticmethod
    def forward(call: _Call, *tensors: Tensor) -> tuple[Tensor, ...]:  # noqa: ARG004  torch's
        raise TypeError("a runner for members was called outside of vmap")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep nothing: `_Recorded` is what is differentiated."""

    @staticmethod
    def vmap(
        info: Any, in_dims: Sequence[int | None], call: _Call, *tensors: Tensor
    ) -> tuple[tuple[Tensor, ...], tuple[int, ...]]:
        together = [
            tensor.expand(info.batch_size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
            for tensor, dim in zip(tensors, in_dims[1:], strict=True)
        ]
        made = _Recorded.apply(call, *together)  # type: ignore[no-untyped-call]  # torch's
        return made, (0,) * len(made)


class _Recorded(torch.autograd.Function):
    """A call and its derivative, neither of which a trace looks into."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        needed = ctx.needs_input_grad[1:]

        def run(*tensors: Tensor) -> tuple[tuple[Tensor, ...], _Tape]:
            return _run(call, needed, tensors)

        made: tuple[Tensor, ...]
        made, ctx.tape = _recorded(run, *tensors)
        return made

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Any, ...]:
        found, _ = _recorded(_back, ctx.tape, *gradients)
        rest = iter(found)
        return (None, *(next(rest) if needed else None for needed in ctx.needs_input_grad[1:]))


@dataclass
class _Tape:
    """What is remembered of a call; a trace hands it from the call to its derivative."""

    back: Back
    proxy: Proxy | None = None


def _run(
    call: _Call, needed: Sequence[bool], tensors: Sequence[Tensor]
) -> tuple[tuple[Tensor, ...], _Tape]:
    if call.twins:
        tensors = [tensor[:1] for tensor in tensors]
    made = call.taped(needed, tensors)
    if made is None:
        made = _differentiated(call, needed, tensors)
    results, back = made
    if not call.twins:
        return results, _Tape(back)

    def of_one(gradients: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        return _twice(back([None if given is None else given[:1] for given in gradients]))

    return _twice(results), _Tape(of_one)


def _twice(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    return tuple(torch.cat([tensor, tensor]) for tensor in tensors)


def _back(tape: _Tape, *gradients: Tensor | None) -> tuple[tuple[Tensor, ...], None]:
    """Return a gradient for each tensor that needs one."""
    return tape.back(gradients), None


def _differentiated(
    call: _Call, needed: Sequence[bool], tensors: Sequence[Tensor]
) -> tuple[tuple[Tensor, ...], Back]:
    """Run with autograd; zeros are the gradient of what nothing depends on."""
    given = [
        tensor.detach().requires_grad_(need) for tensor, need in zip(tensors, needed, strict=True)
    ]
    with torch.enable_grad():
        results = call(*given)
    leaves = [tensor for tensor in given if tensor.requires_grad]

    def back(gradients: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        known = [
            (result, gradient)
            for result, gradient in zip(results, gradients, strict=True)
            if gradient is not None and result.requires_grad
        ]
        reached, towards = zip(*known, strict=True) if known else ((), ())
        found = torch.autograd.grad(reached, leaves, towards, allow_unused=True)
        return tuple(
            torch.zeros_like(leaf) if gradient is None else gradient
            for leaf, gradient in zip(leaves, found, strict=True)
        )

    return tuple(result.detach() for result in results), back


def _recorded(function: Callable[..., tuple[tuple[Tensor, ...], Any]], *args: Any) -> Any:
    """Call a function; a trace that is under way notes the call and nothing of what is in it."""
    mode = get_proxy_mode()
    if mode is None:
        return function(*args)
    tracer: Any = mode.tracer
    proxies = [arg.proxy if isinstance(arg, _Tape) else tracer.unwrap_proxy(arg) for arg in args]
    proxy: Any = tracer.create_proxy("call_function", function, tuple(proxies), {})
    with disable_proxy_modes_tracing():
        made, rest = function(*args)
    track_tensor_tree(made, proxy[0], constant=None, tracer=tracer)
    if isinstance(rest, _Tape):
        rest.proxy = proxy[1]
    return made, rest
