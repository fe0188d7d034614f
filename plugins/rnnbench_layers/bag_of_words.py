"""A bag of words: the inputs are averaged, and their order is lost."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnbench import Initial, Layer, Option, Tensors, hookimpl, uniform, zeros
from rnnbench_layers.nonlinearity import NONLINEARITIES


class BagOfWords(Layer):
    """A bag of words: a function of the mean of all inputs so far, whatever their order.

    With `nonlinearity: identity` it is a linear classifier of word frequencies. Only one layer of
    it loses all order: a second one averages what the first says of every beginning.
    """

    name = "bag_of_words"
    reference = "Harris 1954, doi:10.1080/00437956.1954.11659520; Joulin et al. 2017"
    equations = "h_t = φ(W (x_1 + … + x_t)/t + b)"
    card = {
        "variant": "φ = ReLU, tanh or identity (linear)",
        "biases": "one",
        "initialisation": "W uniform ±1/√columns, b zero",
    }
    options = {
        "nonlinearity": Option("relu", choices=("relu", "tanh", "identity"), help="φ"),
    }

    nonlinearity: str

    def weights(self, inputs: int, hidden: int, steps: int) -> dict[str, Initial]:  # noqa: ARG002
        """Declare the matrix W and the bias b."""
        return {"W": uniform(hidden, inputs), "b": zeros(hidden)}

    def forward(self, x: Tensor, lengths: Tensor | None, w: Tensors) -> Tensor:  # noqa: ARG002
        """Map x [time, batch, inputs] to [time, batch, hidden]."""
        counts = torch.arange(1, len(x) + 1, device=x.device, dtype=x.dtype).view(-1, 1, 1)
        return NONLINEARITIES[self.nonlinearity](x.cumsum(0) / counts @ w.W.T + w.b)


@hookimpl
def rnnbench_provide_layers() -> list[type[Layer]]:
    """Provide the bag of words."""
    return [BagOfWords]
