"""Which symbols a decoder is told in training, and which it has to take from itself."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnbench.nn.dropout import Keyed, uniform

RATIO = "teacher.ratio"
"""The buffer of a network that holds the share of symbols that are told."""


class Teacher(Keyed):
    """Tells a decoder the right last symbol with probability `ratio` (Bengio et al. 2015).

    The coin is thrown for each symbol of each sequence; otherwise the decoder is given what it
    would have said itself. The ratio is a buffer, so that it can change from update to update.
    """

    ratio: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("ratio", torch.tensor(1.0), persistent=False)

    def forward(self, steps: int, batch: int) -> Tensor:
        """Throw the coins of an update: [steps, batch] bool, true where the right one is told."""
        return uniform(self.key, (steps, batch)) < self.ratio
