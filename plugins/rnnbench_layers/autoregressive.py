"""A fixed window of past inputs: AR(τ), and with a nonlinearity the neural n-gram model."""

from __future__ import annotations

from torch import Tensor

from rnnbench import Initial, Layer, Option, Tensors, hookimpl, uniform, zeros
from rnnbench_layers.lagged import lagged
from rnnbench_layers.nonlinearity import NONLINEARITIES


class Autoregressive(Layer):
    """A fixed window: each output is a function of the last τ inputs and nothing before them.

    With `nonlinearity: identity` it is AR(τ); with tanh it is the neural n-gram model of Bengio et
    al. (2003), and a time-delay network. τ has to be known.
    """

    name = "autoregressive"
    reference = "Yule 1927, doi:10.1098/rsta.1927.0007; Bengio et al. 2003, JMLR 3"
    equations = "h_t = φ(W (x_t; x_{t−1}; …; x_{t−τ+1}) + b), where x is zero before the start"
    card = {
        "variant": "φ = identity (linear), tanh or ReLU",
        "biases": "one",
        "initialisation": "W uniform ±1/√columns, b zero",
    }
    options = {
        "window": Option(4, low=1, help="τ, how many inputs an output sees"),
        "nonlinearity": Option("tanh", choices=("tanh", "relu", "identity"), help="φ"),
    }

    window: int
    nonlinearity: str

    def weights(self, inputs: int, hidden: int, steps: int) -> dict[str, Initial]:  # noqa: ARG002
        """Declare the matrix W over the whole window and the bias b."""
        return {"W": uniform(hidden, self.window * inputs), "b": zeros(hidden)}

    def forward(self, x: Tensor, lengths: Tensor | None, w: Tensors) -> Tensor:  # noqa: ARG002
        """Map x [time, batch, inputs] to [time, batch, hidden]."""
        seen = lagged(x, range(self.window))
        return NONLINEARITIES[self.nonlinearity](seen @ w.W.T + w.b)


@hookimpl
def rnnbench_provide_layers() -> list[type[Layer]]:
    """Provide the fixed window."""
    return [Autoregressive]
