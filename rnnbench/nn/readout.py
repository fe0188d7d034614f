"""From a sequence of outputs to predictions, as the task's pattern asks."""

from __future__ import annotations

from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from rnnbench.contracts import ONE_TARGET, Pattern, Reals, Targets
from rnnbench.initial import uniform, zeros


class Readout(nn.Module):
    """A linear map from outputs to predictions.

    One-to-one and many-to-one read what each direction says last, the others read every step.
    """

    def __init__(self, pattern: Pattern, inputs: int, width: int, *, generator: Generator) -> None:
        super().__init__()
        self.pattern = pattern
        self.weight = nn.Parameter(uniform(width, inputs).draw(generator))
        self.bias = nn.Parameter(zeros(width).draw(generator))

    def forward(self, outputs: Tensor, last: Tensor) -> Tensor:
        """Read outputs [time, batch, inputs] or the last ones [batch, inputs]; width for inputs."""
        read = last if self.pattern in ONE_TARGET else outputs
        return linear(read, self.weight, self.bias)


def target_width(targets: Targets) -> int:
    """Return how many numbers a prediction has: one a class, label or symbol, or real's width."""
    return targets.width if isinstance(targets, Reals) else targets.count
