"""A causal convolution network whose view doubles from block to block."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnbench import Initial, Layer, Option, Tensors, hookimpl, uniform, zeros
from rnnbench_layers.lagged import lagged


class TCN(Layer):
    """Causal dilated convolutions with residual blocks (Bai, Kolter & Koltun 2018).

    Block i has two convolutions of dilation 2^i, so that an output sees
    1 + 2 (kernel − 1) (2^blocks − 1) steps. Without their weight norm and dropout.
    """

    name = "tcn"
    reference = "Bai, Kolter & Koltun 2018, arXiv:1803.01271, section 3"
    equations = (
        "in each block i: u = ReLU(A ∗_{2^i} h + a), v = ReLU(B ∗_{2^i} u + b), h ← ReLU(v + h)\n"
        "(f ∗_d x)_t = Σ_{k<kernel} f_k x_{t−dk}; the first block maps its input linearly for +"
    )
    card = {
        "variant": "two convolutions a block; no weight norm, no dropout inside",
        "biases": "one a convolution",
        "initialisation": "uniform ±1/√(kernel · inputs), biases zero",
    }
    options = {
        "kernel": Option(3, low=2, help="steps that a convolution sees"),
        "blocks": Option(3, low=1, high=16, help="residual blocks; the view doubles with each"),
    }

    kernel: int
    blocks: int

    def weights(self, inputs: int, hidden: int, steps: int) -> dict[str, Initial]:  # noqa: ARG002
        """Declare two convolutions a block, and the map of the inputs to the first sum."""
        declared = {"R": uniform(hidden, inputs)}
        for block in range(self.blocks):
            width = hidden if block else inputs
            declared |= {
                f"A{block}": uniform(hidden, self.kernel * width),
                f"a{block}": zeros(hidden),
                f"B{block}": uniform(hidden, self.kernel * hidden),
                f"b{block}": zeros(hidden),
            }
        return declared

    def forward(self, x: Tensor, lengths: Tensor | None, w: Tensors) -> Tensor:  # noqa: ARG002
        """Map x [time, batch, inputs] to [time, batch, hidden]."""
        for block in range(self.blocks):
            u = torch.relu(self._convolved(x, block, w[f"A{block}"]) + w[f"a{block}"])
            v = torch.relu(self._convolved(u, block, w[f"B{block}"]) + w[f"b{block}"])
            x = torch.relu(v + (x if block else x @ w.R.T))
        return x

    def _convolved(self, x: Tensor, block: int, kernel: Tensor) -> Tensor:
        return lagged(x, [lag << block for lag in range(self.kernel)]) @ kernel.T


@hookimpl
def rnnbench_provide_layers() -> list[type[Layer]]:
    """Provide the causal convolution network."""
    return [TCN]
