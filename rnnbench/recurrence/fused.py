"""A cell's step fused by Inductor: how a GPU runs a cell that equals no layer of torch.

One step of all members, and its derivative, are traced and compiled once for each shape. Time stays
a loop of launches, of which a CUDA graph makes one (`rnnbench.group.steps`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.func import vjp, vmap
from torch.fx.experimental.proxy_tensor import make_fx

from rnnbench.contracts import Cell, Tensors
from rnnbench.recurrence.lengths import within
from rnnbench.recurrence.loop import Runner, output_of
from rnnbench.recurrence.members import Back, differentiable

Function = Callable[..., tuple[Tensor, ...]]


class Fused:
    """Runs one cell over sequences, with or without a leading dimension of members."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._compiled: dict[tuple[object, ...], Function] = {}

    def __call__(
        self,
        x: Tensor,
        state: Tensors,
        weights: Tensors,
        lengths: Tensor | None,
        noise: Tensors | None = None,
    ) -> tuple[Tensor, Tensors]:
        """Run the cell; see `loop` for the meaning."""
        run, drawn = differentiable(self), noise or Tensors()
        if x.dim() > 3:
            return run(x, state, weights, lengths, drawn)
        outputs, after = run(x.unsqueeze(0), _each(state), _each(weights), lengths, _each(drawn))
        return outputs[0], Tensors({name: tensor[0] for name, tensor in after.items()})

    def taped(
        self,
        x: Tensor,
        state: Tensors,
        weights: Tensors,
        lengths: Tensor | None,
        noise: Tensors,
        needed: Sequence[bool],
    ) -> tuple[Tensor, Tensors, Back]:
        """Run the cell with its derivative; see `Taped`."""
        members, steps, batch, _ = x.shape
        real = None
        if lengths is not None:
            real = within(lengths.expand(members, batch), steps).unsqueeze(-1)
            x = x.masked_fill(~real, 0)
        of_states, of_weights = 1 + len(state), 1 + len(state) + len(weights)
        step = _Step(
            self._cell,
            (tuple(state), tuple(weights), tuple(noise)),
            real is not None,
            (needed[0], *needed[of_states:of_weights]),
        )
        output = step.states.index(output_of(self._cell, step.states))
        constant = tuple(tensor.contiguous() for tensor in weights.values())
        over_time = (x, *noise.values(), *([] if real is None else [real]))

        def given(old: tuple[Tensor, ...], t: int) -> tuple[Tensor, ...]:
            return (*constant, *old, *(tensor[:, t].contiguous() for tensor in over_time))

        def after(old: tuple[Tensor, ...], t: int) -> tuple[Tensor, ...]:
            return self._call(step.forward, step, given(old, t))

        first = tuple(tensor.contiguous() for tensor in state.values())
        states = list(accumulate(range(steps), after, initial=first))
        outputs = torch.stack([each[output] for each in states[1:]], 1)

        def back(gradients: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
            dy, *dlast = gradients
            if dy is not None and real is not None:
                dy = dy.masked_fill(~real, 0)
            dstates = [
                torch.zeros_like(last) if gradient is None else gradient.contiguous()
                for gradient, last in zip(dlast, states[-1], strict=True)
            ]
            dweights = [torch.zeros_like(weight) for weight in step.trained(constant)]
            dx = []
            for t in reversed(range(steps)):
                if dy is not None:
                    dstates[output] = dstates[output] + dy[:, t]
                found = [
                    *self._call(step.backward, step, (*given(states[t], t), *dstates, *dweights))
                ]
                dx += [found.pop(0)] if needed[0] else []
                dstates, dweights = found[: len(dstates)], found[len(dstates) :]
            found = [torch.stack(dx[::-1], 1)] if needed[0] else []
            found += [
                gradient
                for gradient, need in zip(dstates, needed[1:of_states], strict=True)
                if need
            ]
            # no gradient passes through noise
            drawn = zip(noise.values(), needed[of_weights:], strict=False)
            return (*found, *dweights, *(torch.zeros_like(each) for each, need in drawn if need))

        if real is not None:
            outputs = outputs.masked_fill(~real, 0)
        return outputs, Tensors(zip(step.states, states[-1], strict=True)), back

    def _call(
        self, function: Function, step: _Step, tensors: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        shapes = ((tensor.shape, tensor.device) for tensor in tensors)
        key = (function.__name__, step.names, step.masked, step.needed, *shapes)
        if key not in self._compiled:
            self._compiled[key] = _fused(function, tensors)
        return tuple(tensor.contiguous() for tensor in self._compiled[key](*tensors))


@dataclass(frozen=True)
class _Step:
    """One step of all members as functions of tensors alone.

    They take weights, states, x, noise and, where sequences end, which of them still run.

    names   of states, weights and noise
    masked  whether sequences may end
    needed  whether x, and each weight, needs a gradient
    """

    cell: Cell
    names: tuple[tuple[str, ...], ...]
    masked: bool
    needed: tuple[bool, ...]

    @property
    def states(self) -> tuple[str, ...]:
        """The names of the states."""
        return self.names[0]

    def trained(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """Return those of the weights that need a gradient."""
        return [weight for weight, need in zip(weights, self.needed[1:], strict=True) if need]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the new states."""
        states, weights, noise = self.names
        first, then = len(weights), len(weights) + len(states)

        def one(*tensors: Tensor) -> tuple[Tensor, ...]:
            read = zip((*weights, *noise), (*tensors[:first], *tensors[then + 1 :]), strict=True)
            old = Tensors(zip(states, tensors[first:then], strict=True))
            new = self.cell.step(tensors[then], old, Tensors(read))
            return tuple(new[name] for name in states)

        given = tensors[:-1] if self.masked else tensors
        new: tuple[Tensor, ...] = vmap(one, randomness="error")(*given)
        if not self.masked:
            return new
        old = tensors[first:then]
        return tuple(torch.where(tensors[-1], *both) for both in zip(new, old, strict=True))

    def backward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return gradients of x where needed, of the states, and of weights added to the last.

        After what `forward` takes come gradients of the new states, then of the weights so far.
        """
        states, weights, noise = self.names
        then = len(weights) + len(states)
        end = then + 1 + len(noise) + self.masked
        given = list(tensors[:end])
        towards, so_far = tensors[end : end + len(states)], tensors[end + len(states) :]
        places = [then] if self.needed[0] else []
        places += range(len(weights), then)
        places += [place for place, need in enumerate(self.needed[1:]) if need]

        def of(*chosen: Tensor) -> tuple[Tensor, ...]:
            values = list(given)
            for place, tensor in zip(places, chosen, strict=True):
                values[place] = tensor
            return self.forward(*values)

        found = vjp(of, *(given[place] for place in places))[1](tuple(towards))
        before = len(found) - len(so_far)
        return (*found[:before], *map(torch.add, found[before:], so_far))


def _fused(function: Function, tensors: tuple[Tensor, ...]) -> Function:
    """Compile a function for tensors of these shapes."""
    with warnings.catch_warnings():
        # torch's own modules use what torch deprecates
        warnings.simplefilter("ignore", DeprecationWarning)
        from torch._inductor import compile as inductor  # takes a second to import

        with torch.enable_grad():
            graph = make_fx(function)(*(tensor.detach() for tensor in tensors))
        compiled: Any = inductor(graph, [tensor.detach() for tensor in tensors])
    return compiled  # type: ignore[no-any-return]


def on_device(run: Runner, device: str) -> Runner:
    """Return a runner that computes elsewhere what it is given here, and brings it back."""

    def runner(
        x: Tensor,
        state: Tensors,
        weights: Tensors,
        lengths: Tensor | None,
        noise: Tensors | None = None,
    ) -> tuple[Tensor, Tensors]:
        def there(tensors: Tensors) -> Tensors:
            return Tensors({name: tensor.to(device) for name, tensor in tensors.items()})

        outputs, after = run(
            x.to(device),
            there(state),
            there(weights),
            None if lengths is None else lengths.to(device),
            there(noise or Tensors()),
        )
        return outputs.cpu(), Tensors({name: tensor.cpu() for name, tensor in after.items()})

    return runner


def _each(tensors: Tensors) -> Tensors:
    return Tensors({name: tensor.unsqueeze(0) for name, tensor in tensors.items()})
