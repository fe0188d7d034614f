"""Layers on top of each other, in one or both directions."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from rnnbench.contracts import Cell, Layer
from rnnbench.nn.dropout import Dropout
from rnnbench.nn.mapped import Mapped
from rnnbench.nn.recurrent import FIRST, Recurrent

States = Mapping[str, Tensor]
"""The states of all directions, each [batch, width], by the names of the buffers of first ones."""


class Stack(nn.Module):
    """Layers of one kind: [time, batch, inputs] -> [time, batch, width] and [batch, width].

    Two directions see the same inputs, and their outputs are concatenated, forward first
    (Schuster & Paliwal 1997). Dropout acts on what each layer hands on, to the next one or to the
    read-out (Zaremba et al. 2014).
    """

    width: int
    """The width of the outputs, both directions together."""

    def __init__(
        self,
        unit: Cell | Layer,
        inputs: int,
        hidden: int,
        steps: int,
        *,
        layers: int,
        bidirectional: bool,
        dropout: float,
        numeric: Mapping[str, float],
        backend: str,
        generator: Generator,
        chunk: int | None = None,
    ) -> None:
        super().__init__()

        def direction(inputs: int, backward: bool) -> Recurrent | Mapped:
            if isinstance(unit, Layer):
                return Mapped(
                    unit,
                    inputs,
                    hidden,
                    steps,
                    numeric=numeric,
                    generator=generator,
                    backward=backward,
                )
            return Recurrent(
                unit,
                inputs,
                hidden,
                numeric=numeric,
                backend=backend,
                generator=generator,
                backward=backward,
                chunk=chunk,
            )

        self.width = inputs
        self.forwards, self.backwards = nn.ModuleList(), nn.ModuleList()
        for _ in range(layers):
            forward = direction(self.width, backward=False)
            self.forwards.append(forward)
            if bidirectional:
                self.backwards.append(direction(self.width, backward=True))
            self.width = forward.width * (1 + bidirectional)
        sites = layers if dropout else 0
        self.dropouts = nn.ModuleList(Dropout(dropout) for _ in range(sites))

    def forward(
        self, x: Tensor, lengths: Tensor | None, firsts: States | None = None
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Run all layers: x [time, batch, inputs], lengths [batch] or None.

        Returns the outputs; what each direction says last, forward at the last real step, backward
        at the first, where each has seen the whole sequence; and the states there.

        firsts  the states that forward directions begin with; None: those that the cell declares
        """
        last = x
        states: dict[str, Tensor] = {}

        def ran(name: str, direction: nn.Module) -> tuple[Tensor, Tensor]:
            begin = f"{name}.{FIRST}"
            if isinstance(direction, Recurrent):
                first = None
                if firsts is not None:
                    first = {state: firsts[begin + state] for state in direction.states}
                outputs, after = direction(x, lengths, first)
                states.update({begin + state: tensor for state, tensor in after.items()})
            else:
                outputs, after = direction(x, lengths)
            return outputs, after[direction.output]

        for layer, forward in enumerate(self.forwards):
            outputs, last = ran(f"forwards.{layer}", forward)
            if self.backwards:
                others, other = ran(f"backwards.{layer}", self.backwards[layer])
                outputs, last = torch.cat([outputs, others], -1), torch.cat([last, other], -1)
            x = outputs
            if self.dropouts:
                x, last = self.dropouts[layer](x), self.dropouts[layer](last)
        return x, last, states
