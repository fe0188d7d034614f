"""Recurrent layers on top of each other, in one or both directions."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from rnnbench.contracts import Cell
from rnnbench.nn.dropout import Dropout
from rnnbench.nn.recurrent import Recurrent


class Stack(nn.Module):
    """Layers of one cell: [time, batch, inputs] -> [time, batch, width] and [batch, width].

    Two directions see the same inputs, and their outputs are concatenated, forward first
    (Schuster & Paliwal 1997). Dropout acts between layers, so one layer has none.
    """

    width: int
    """The width of the outputs, both directions together."""

    def __init__(
        self,
        cell: Cell,
        inputs: int,
        hidden: int,
        *,
        layers: int,
        bidirectional: bool,
        dropout: float,
        numeric: Mapping[str, float],
        backend: str,
        generator: Generator,
    ) -> None:
        super().__init__()

        def direction(inputs: int, backward: bool) -> Recurrent:
            return Recurrent(
                cell,
                inputs,
                hidden,
                numeric=numeric,
                backend=backend,
                generator=generator,
                backward=backward,
            )

        self.width = inputs
        self.forwards, self.backwards = nn.ModuleList(), nn.ModuleList()
        for _ in range(layers):
            forward = direction(self.width, backward=False)
            self.forwards.append(forward)
            if bidirectional:
                self.backwards.append(direction(self.width, backward=True))
            self.width = forward.width * (1 + bidirectional)
        self.dropouts = nn.ModuleList(Dropout(dropout) for _ in range(layers - 1))

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run all layers: x [time, batch, inputs], lengths [batch] or None.

        Returns the outputs, and what each direction says last: forward at the last real step,
        backward at the first, where each has seen the whole sequence.
        """
        last = x
        for layer, forward in enumerate(self.forwards):
            if layer > 0:
                x = self.dropouts[layer - 1](x)
            outputs, state = forward(x, lengths)
            last = state[forward.output]
            if self.backwards:
                backward = self.backwards[layer]
                others, state = backward(x, lengths)
                outputs = torch.cat([outputs, others], -1)
                last = torch.cat([last, state[backward.output]], -1)
            x = outputs
        return x, last
