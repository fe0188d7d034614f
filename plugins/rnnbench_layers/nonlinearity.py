"""The nonlinearities that a layer can be told to use."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

NONLINEARITIES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "identity": lambda z: z,
}
