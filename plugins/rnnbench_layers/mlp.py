"""A fully connected network on a sequence of fixed length, all steps side by side."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnbench import Initial, Layer, Option, Tensors, hookimpl, uniform, zeros
from rnnbench_layers.nonlinearity import NONLINEARITIES


class MLP(Layer):
    """A fully connected network: all steps at once, each with weights of its own.

    It needs a length that is known beforehand: shorter sequences are filled up with zeros, longer
    ones cut, and its parameters grow with the length.
    """

    name = "mlp"
    reference = "Rumelhart, Hinton & Williams 1986, doi:10.1038/323533a0"
    equations = "h = φ(V φ(W (x_1; …; x_T) + b) + d)"
    card = {
        "variant": "φ = ReLU or tanh; two layers",
        "biases": "one a layer",
        "initialisation": "W and V uniform ±1/√columns, biases zero",
    }
    options = {"nonlinearity": Option("relu", choices=("relu", "tanh"), help="φ")}
    causal = False
    patterns = ("one-to-one", "many-to-one")

    nonlinearity: str

    def weights(self, inputs: int, hidden: int, steps: int) -> dict[str, Initial]:
        """Declare W over all steps, V, and the biases b and d."""
        return {
            "W": uniform(hidden, steps * inputs),
            "b": zeros(hidden),
            "V": uniform(hidden, hidden),
            "d": zeros(hidden),
        }

    def forward(self, x: Tensor, lengths: Tensor | None, w: Tensors) -> Tensor:  # noqa: ARG002
        """Map x [time, batch, inputs] to [time, batch, hidden], the same at every step."""
        known = w.W.shape[-1] // x.shape[-1]
        flat = x[:known].transpose(0, 1).flatten(1)
        if len(x) < known:
            flat = torch.nn.functional.pad(flat, (0, w.W.shape[-1] - flat.shape[-1]))
        phi = NONLINEARITIES[self.nonlinearity]
        return phi(phi(flat @ w.W.T + w.b) @ w.V.T + w.d).expand(len(x), -1, -1)


@hookimpl
def rnnbench_provide_layers() -> list[type[Layer]]:
    """Provide the fully connected network."""
    return [MLP]
