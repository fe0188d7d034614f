"""A stack of layers with a read-out: predictions at every step, or one a sequence."""

from __future__ import annotations

from torch import Tensor, nn

from rnnbench.contracts import Batch, Reals, Tokens
from rnnbench.nn.network import Network
from rnnbench.nn.readout import Readout
from rnnbench.nn.stack import Stack
from rnnbench.nn.vectors import vectors


class Predictor(Network):
    """Reads a sequence and predicts from what the last layer says.

    table  [vocabulary, width], the rows that symbols are read as; None: one-hot
    """

    def __init__(
        self, inputs: Reals | Tokens, table: Tensor | None, stack: Stack, readout: Readout
    ) -> None:
        super().__init__()
        self.inputs, self.stack, self.readout = inputs, stack, readout
        self.table = None if table is None else nn.Parameter(table)

    def run(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict: [time, batch, width] for many-to-many, else [batch, width]; see `Network`."""
        x = vectors(batch.inputs, self.inputs, self.table, self.readout.weight.dtype)
        outputs, last, states = self.stack(x, batch.lengths)
        after = {f"stack.{name}": state for name, state in states.items()}
        return self.readout(outputs, last), after
