"""One cell run over a sequence in one direction, with its parameters."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from rnnbench.contracts import Cell, Tensors
from rnnbench.errors import PluginError
from rnnbench.recurrence import output_of, reverse, runner


class Recurrent(nn.Module):
    """A cell as a layer: [time, batch, inputs] -> [time, batch, width].

    Weights are parameters; numeric options and the first state are buffers. Their names carry a
    prefix, so that a cell may call its weights what it likes.
    """

    width: int
    """The width of the outputs."""

    def __init__(
        self,
        cell: Cell,
        inputs: int,
        hidden: int,
        *,
        numeric: Mapping[str, float],
        backend: str,
        generator: Generator,
        backward: bool = False,
    ) -> None:
        super().__init__()
        self.run, self.backward = runner(backend, cell), backward
        weights, state = cell.weights(inputs, hidden), cell.state(hidden)
        if both := weights.keys() & numeric.keys():
            raise PluginError(
                f"cell `{cell.name}` has weights and options of one name: "
                + ", ".join(sorted(both))
            )
        for name, weight in weights.items():
            self.register_parameter(f"weight_{name}", nn.Parameter(weight.draw(generator)))
        for name, value in numeric.items():
            self.register_buffer(f"option_{name}", torch.tensor(float(value)))
        for name, first in state.items():
            self.register_buffer(f"first_{name}", first.draw(generator))
        self._weights, self._options, self._states = tuple(weights), tuple(numeric), tuple(state)
        self.width = state[output_of(cell, state)].shape[0]

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """Run the cell: x [time, batch, inputs], lengths [batch] or None -> outputs, final state.

        Backward, each sequence is read from its own last step to its first; outputs stand at
        the step that they belong to.
        """
        weights = Tensors(
            {name: getattr(self, f"weight_{name}") for name in self._weights}
            | {name: getattr(self, f"option_{name}") for name in self._options}
        )
        state = Tensors(
            {name: getattr(self, f"first_{name}").expand(x.shape[1], -1) for name in self._states}
        )
        if not self.backward:
            return self.run(x, state, weights, lengths)
        outputs, state = self.run(reverse(x, lengths), state, weights, lengths)
        return reverse(outputs, lengths), state
