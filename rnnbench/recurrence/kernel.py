"""A cell at fixed widths as compiled code that is called with tensors, as `loop` is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rnnbench.contracts import Cell, Tensors
from rnnbench.errors import InputError
from rnnbench.recurrence.autograd import Recurrence
from rnnbench.recurrence.engine import Engine, Library
from rnnbench.recurrence.lengths import within
from rnnbench.recurrence.members import Back
from rnnbench.recurrence.run import backward, finals, forward, given, outputs
from rnnbench.recurrence.trace import Traced


class Kernel:
    """Runs one cell over sequences of any length and batch, at the widths it was made for.

    Raises:
        UnsupportedError: the step cannot become a kernel.
        BuildError: there is no compiler, or it fails.
    """

    def __init__(self, cell: Cell, traced: Traced, library: Library) -> None:
        self.shapes = traced.shapes
        self._engine = Engine(cell, traced, library)

    @property
    def history(self) -> int:
        """How many numbers are kept for the backward pass, for each sequence and step."""
        return self._engine.across + sum(self.shapes.states.values())

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
            MemoryError: there is not enough memory.
        """
        self._check(x, state, weights, lengths, noise or Tensors())
        steps = x.shape[-3]
        values = [state[name] for name in self.shapes.states]
        roots = [weights[name] for name in self.shapes.weights]
        roots += self._engine.prelude(roots, x.dim() > 3)
        drawn = [] if noise is None else [noise[name] for name in self.shapes.noise]
        if lengths is None or bool((lengths == steps).all()):
            made, *after = self._run(None, len(drawn), [x, *drawn, *values, *roots])
        else:
            lengths = lengths.long().expand(x.shape[:-3] + x.shape[-2:-1])
            # the longest first, so that those still running are the first rows of each step
            order = lengths.argsort(dim=-1, descending=True, stable=True)
            back = order.argsort(dim=-1)
            real = within(lengths, steps).unsqueeze(-1)
            sequences = [x.masked_fill(~real, 0), *drawn]
            made, *after = self._run(
                lengths.gather(-1, order),
                len(drawn),
                [
                    *(_rows(tensor, order, steps=True) for tensor in sequences),
                    *(_rows(value, order, steps=False) for value in values),
                    *roots,
                ],
            )
            made = _rows(made, back, steps=True).masked_fill(~real, 0)
            after = [_rows(value, back, steps=False) for value in after]
        return made, Tensors(zip(self.shapes.states, after, strict=True))

    def taped(
        self,
        x: Tensor,
        state: Tensors,
        weights: Tensors,
        lengths: Tensor | None,
        noise: Tensors,
        needed: Sequence[bool],
    ) -> tuple[Tensor, Tensors, Back] | None:
        """Run the cell and return its derivative with the results; see `Taped`.

        None where more than the compiled code has to be differentiated: sequences are reordered by
        their lengths, or roots computed from the weights.
        """
        if lengths is not None or self._engine.prelude.roots:
            return None
        self._check(x, state, weights, None, noise)
        values = [state[name] for name in self.shapes.states]
        roots = [weights[name] for name in self.shapes.weights]
        drawn = [noise[name] for name in self.shapes.noise]
        run = given(self._engine, None, len(drawn), [x, *drawn, *values, *roots])
        memory = forward(run, history=True)
        of_weights = dict(zip(weights, needed[1 + len(state) :], strict=False))
        of_noise = [*zip(noise.values(), needed[1 + len(state) + len(weights) :], strict=True)]

        def back(gradients: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
            made = backward(
                run,
                memory,
                gradients[0],
                gradients[1:],
                needs_x=needed[0],
                needs_roots=[of_weights[name] for name in self.shapes.weights],
            )
            firsts = dict(zip(self.shapes.states, made.firsts, strict=True))
            found = dict(zip(self.shapes.weights, made.roots, strict=True))
            # no gradient passes through noise
            each = [
                made.x,
                *(firsts[name] for name in state),
                *(found[name] for name in weights),
                *(torch.zeros_like(drawn) if need else None for drawn, need in of_noise),
            ]
            return tuple(
                gradient
                for gradient, need in zip(each, needed, strict=True)
                if need and gradient is not None
            )

        after = Tensors(zip(self.shapes.states, finals(run, memory), strict=True))
        return outputs(run, memory), after, back

    def _run(self, lengths: Tensor | None, noise: int, tensors: list[Tensor]) -> list[Tensor]:
        """Return the outputs and the last states."""
        if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
            return list(Recurrence.apply(self._engine, lengths, noise, *tensors))  # type: ignore[no-untyped-call]  # torch's
        run = given(self._engine, lengths, noise, tensors)
        memory = forward(run, history=False)
        return [outputs(run, memory), *finals(run, memory)]

    def _check(
        self, x: Tensor, state: Tensors, weights: Tensors, lengths: Tensor | None, noise: Tensors
    ) -> None:
        """Refuse what the compiled code, which is handed addresses only, would misread."""
        members, (steps, batch) = x.shape[:-3][:1], x.shape[-3:-1]
        wanted: list[tuple[str, Tensor, tuple[int, ...]]]
        wanted = [("x", x, (steps, batch, self.shapes.inputs))]
        for tensors, shapes in (
            (noise, {name: (steps, batch, width) for name, width in self.shapes.noise.items()}),
            (state, {name: (batch, width) for name, width in self.shapes.states.items()}),
            (weights, self.shapes.weights),
        ):
            if tensors.keys() != shapes.keys():
                raise InputError(
                    f"this kernel reads {', '.join(shapes) or 'nothing'}, not {', '.join(tensors)}"
                )
            wanted += [(name, tensors[name], shape) for name, shape in shapes.items()]
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


def _rows(tensor: Tensor, order: Tensor, *, steps: bool) -> Tensor:
    """Reorder the batch: order [batch] or [members, batch]."""
    index = order.unsqueeze(-1)
    return torch.take_along_dim(tensor, index.unsqueeze(-3) if steps else index, -2)
