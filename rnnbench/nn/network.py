"""What a member trains: batches to predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from rnnbench.contracts import Batch, Task
from rnnbench.nn.loss import loss


@contextmanager
def evaluating(*modules: nn.Module) -> Iterator[None]:
    """Let modules draw nothing for a while: no dropout, and no place to look at."""
    trained = [module for module in modules if module.training]
    for module in trained:
        module.eval()
    try:
        yield
    finally:
        # a group that fails here is trained again, by a program made of this network
        for module in trained:
            module.train()


class Network(nn.Module, ABC):
    """Predicts a task's targets from its inputs; made by `build`."""

    running: tuple[str, ...] = ()
    """Names of buffers that go on from one update of the training to the next."""

    def forward(self, batch: Batch) -> Tensor:
        """Predict what the loss is of: see `run`."""
        return self.run(batch)[0]

    @abstractmethod
    def run(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict, and return the states after the last step by the buffers of the first ones.

        Predictions are [batch, width] for one target a sequence, else [target time, batch, width].
        """

    def cost(self, batch: Batch, task: Task) -> tuple[Tensor, dict[str, Tensor]]:
        """Return what an update minimises, a scalar, and what `run` returns beside predictions.

        The second has the new values of `running` as well.
        """
        predictions, after = self.run(batch)
        return loss(predictions, batch, task), after
