"""From a sequence of outputs to predictions, as the task's pattern asks."""

from __future__ import annotations

from torch import Generator, Tensor, cat, nn
from torch.nn.functional import linear

from rnnbench.contracts import Classes, Pattern, Reals
from rnnbench.errors import InputError
from rnnbench.initial import uniform, zeros

SUPPORTED: tuple[Pattern, ...] = ("many-to-one", "many-to-many")
"""The patterns a read-out exists for."""


class Readout(nn.Module):
    """A linear map from outputs to predictions.

    Many-to-one reads the forward direction at the last real step and the backward direction at
    the first, where each has seen the whole sequence; many-to-many reads every step.
    """

    def __init__(
        self,
        pattern: Pattern,
        inputs: int,
        width: int,
        *,
        bidirectional: bool,
        generator: Generator,
    ) -> None:
        super().__init__()
        require(pattern)
        self.pattern, self.bidirectional = pattern, bidirectional
        self.weight = nn.Parameter(uniform(width, inputs).draw(generator))
        self.bias = nn.Parameter(zeros(width).draw(generator))

    def forward(self, outputs: Tensor, lengths: Tensor | None) -> Tensor:
        """Read out: [time, batch, inputs] -> [batch, width] or [time, batch, width]."""
        if self.pattern == "many-to-one":
            outputs = self._ends(outputs, lengths)
        return linear(outputs, self.weight, self.bias)

    def _ends(self, outputs: Tensor, lengths: Tensor | None) -> Tensor:
        if not self.bidirectional:
            return _last(outputs, lengths)
        forward, backward = outputs.chunk(2, -1)
        return cat([_last(forward, lengths), backward[0]], -1)


def require(pattern: Pattern) -> None:
    """Check that there is a read-out for `pattern`.

    Raises:
        InputError: there is none.
    """
    if pattern not in SUPPORTED:
        raise InputError(
            f"no network can be built for the pattern {pattern} yet; there is one for "
            + " and ".join(SUPPORTED)
        )


def target_width(targets: Reals | Classes) -> int:
    """Return how many numbers a prediction has: one a class, or the width of real targets."""
    return targets.count if isinstance(targets, Classes) else targets.width


def _last(outputs: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return outputs[-1]
    where = (lengths - 1).unsqueeze(-1).expand(outputs.shape[1:])
    return outputs.gather(0, where.unsqueeze(0)).squeeze(0)
