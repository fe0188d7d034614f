"""The long short-term memory with a forget gate (Gers et al. 2000)."""

from __future__ import annotations

import torch
from torch import Tensor, sigmoid, tanh

from rnnbench import (
    Between,
    Cell,
    Initial,
    Option,
    Tensors,
    TorchLayer,
    hookimpl,
    orthogonal,
    uniform,
    zeros,
)


class LSTM(Cell):
    """Long short-term memory (Hochreiter & Schmidhuber 1997), forget gate of Gers et al. 2000.

    The gates are numbered as in torch: input, forget, candidate, output. The forget gate opens
    with `forget_bias` (Gers et al. 2000; Jozefowicz et al. 2015, section 2.2).
    """

    name = "lstm"
    reference = "Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000"
    equations = """\
i_t = σ(W_i x_t + U_i h_{t−1} + b_i)
f_t = σ(W_f x_t + U_f h_{t−1} + b_f + forget_bias)
g_t = tanh(W_g x_t + U_g h_{t−1} + b_g)
o_t = σ(W_o x_t + U_o h_{t−1} + b_o)
c_t = f_t ∘ c_{t−1} + i_t ∘ g_t
h_t = o_t ∘ tanh(c_t)"""
    card = {
        "variant": "input, forget and output gate, no peepholes",
        "biases": "one a gate (torch and cuDNN train two that act as their sum), and forget_bias",
        "initialisation": "W uniform ±1/√inputs, U as `init` says, b zero",
    }
    options = {
        "forget_bias": Option(
            1.0, search=Between(0.0, 5.0), help="added to the forget gate's bias; not trained"
        ),
        "init": Option(
            "uniform",
            choices=("uniform", "orthogonal"),
            help="U: uniform ±1/√hidden as in torch, or orthogonal a gate",
        ),
    }

    init: str

    def weights(self, inputs: int, hidden: int) -> dict[str, Initial]:
        """Declare W, U and b, each with four blocks of rows: input, forget, candidate, output."""
        scheme = orthogonal if self.init == "orthogonal" else uniform
        return {
            "W": uniform(4 * hidden, inputs),
            "U": scheme(4 * hidden, hidden),
            "b": zeros(4 * hidden),
        }

    def state(self, hidden: int) -> dict[str, Initial]:
        """Declare the hidden state and the cell state."""
        return {"h": zeros(hidden), "c": zeros(hidden)}

    def step(self, x: Tensor, s: Tensors, w: Tensors) -> dict[str, Tensor]:
        """Compute the next states: x [batch, inputs], s.h and s.c [batch, hidden]."""
        i, f, g, o = (x @ w.W.T + s.h @ w.U.T + w.b).chunk(4, -1)
        c = sigmoid(f + w.forget_bias) * s.c + sigmoid(i) * tanh(g)
        return {"h": sigmoid(o) * tanh(c), "c": c}

    def torch_layer(self) -> TorchLayer:
        """Return torch's LSTM, with `forget_bias` inside its bias."""
        return TorchLayer("LSTM", ("h", "c"), _torch_weights)


def _torch_weights(w: Tensors) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    i, f, g, o = w.b.chunk(4)
    return w.W, w.U, torch.cat([i, f + w.forget_bias, g, o]), torch.zeros_like(w.b)


@hookimpl
def rnnbench_provide_cells() -> list[type[Cell]]:
    """Provide the LSTM."""
    return [LSTM]
