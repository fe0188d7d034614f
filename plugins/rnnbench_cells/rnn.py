"""The vanilla recurrent network (Elman 1990), with tanh, ReLU or no nonlinearity."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rnnbench import (
    Cell,
    Initial,
    Option,
    Tensors,
    TorchLayer,
    hookimpl,
    identity,
    orthogonal,
    uniform,
    zeros,
)

_NONLINEARITY: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "identity": lambda z: z,
}


class RNN(Cell):
    """Vanilla recurrent network (Elman 1990, "Finding Structure in Time").

    With `identity` it is the linear recurrence whose gradient can be written down by hand.
    """

    name = "rnn"
    reference = "Elman 1990, Cognitive Science 14"
    equations = "h_t = φ(W x_t + U h_{t−1} + b)"
    card = {
        "variant": "φ = tanh, ReLU or identity; the output is the state",
        "biases": "one",
        "initialisation": "W uniform ±1/√inputs, U as `init` says, b zero",
    }
    options = {
        "nonlinearity": Option(
            "tanh", choices=("tanh", "relu", "identity"), help="φ, applied to every new state"
        ),
        "init": Option(
            "uniform",
            choices=("uniform", "orthogonal", "identity"),
            help="U: uniform ±1/√hidden as in torch, orthogonal, or the identity (Le et al. 2015)",
        ),
    }

    nonlinearity: str
    init: str

    def weights(self, inputs: int, hidden: int) -> dict[str, Initial]:
        """Declare the input matrix W, the recurrent matrix U and the bias b."""
        scheme = orthogonal if self.init == "orthogonal" else uniform
        return {
            "W": uniform(hidden, inputs),
            "U": identity(hidden) if self.init == "identity" else scheme(hidden, hidden),
            "b": zeros(hidden),
        }

    def state(self, hidden: int) -> dict[str, Initial]:
        """Declare the hidden state."""
        return {"h": zeros(hidden)}

    def step(self, x: Tensor, s: Tensors, w: Tensors) -> dict[str, Tensor]:
        """Compute the next state: x [batch, inputs], s.h [batch, hidden]."""
        return {"h": _NONLINEARITY[self.nonlinearity](x @ w.W.T + s.h @ w.U.T + w.b)}

    def torch_layer(self) -> TorchLayer | None:
        """Return torch's RNN; it has no linear one."""
        match self.nonlinearity:
            case "tanh":
                return TorchLayer("RNN_TANH", ("h",), _torch_weights)
            case "relu":
                return TorchLayer("RNN_RELU", ("h",), _torch_weights)
        return None


def _torch_weights(w: Tensors) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return w.W, w.U, w.b, torch.zeros_like(w.b)


@hookimpl
def rnnbench_provide_cells() -> list[type[Cell]]:
    """Provide the vanilla recurrent network."""
    return [RNN]
