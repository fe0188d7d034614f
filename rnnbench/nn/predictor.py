"""A stack of layers with a read-out: predictions at every step, or one a sequence."""

from __future__ import annotations

from torch import Tensor

from rnnbench.contracts import Batch
from rnnbench.nn.network import Network
from rnnbench.nn.reader import Reader
from rnnbench.nn.readout import Readout
from rnnbench.nn.stack import Stack


class Predictor(Network):
    """Reads a sequence and predicts from what the last layer says."""

    def __init__(self, reader: Reader, stack: Stack, readout: Readout) -> None:
        super().__init__()
        self.reader, self.stack, self.readout = reader, stack, readout

    def run(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict: [time, batch, width] for many-to-many, else [batch, width]; see `Network`."""
        x = self.reader(batch.inputs, self.readout.weight.dtype)
        outputs, last, states = self.stack(x, batch.lengths)
        after = {f"stack.{name}": state for name, state in states.items()}
        return self.readout(outputs, last), after
