"""What a member trains: batches to predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from rnnbench.contracts import Batch


class Network(nn.Module, ABC):
    """Predicts a task's targets from its inputs; made by `build`."""

    def forward(self, batch: Batch) -> Tensor:
        """Predict what the loss is of: see `run`."""
        return self.run(batch)[0]

    @abstractmethod
    def run(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, and return the states after the last step by the buffers of the first ones.

        Predictions are [batch, width] for one target a sequence, else [target time, batch, width].
        """
