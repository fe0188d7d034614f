"""What layers with a fixed window see at each step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def lagged(x: Tensor, lags: Sequence[int]) -> Tensor:
    """Return x [time, batch, width] at each of these lags, [time, batch, lags · width].

    Before the start x is zero. Lags are in ascending order.
    """
    padded = torch.cat([x.new_zeros(lags[-1], *x.shape[1:]), x])
    return torch.cat([padded[lags[-1] - lag :][: len(x)] for lag in lags], -1)
