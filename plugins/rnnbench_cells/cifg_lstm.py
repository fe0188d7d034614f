"""The LSTM whose input gate is what its forget gate leaves (Greff et al. 2017)."""

from __future__ import annotations

from torch import Tensor, sigmoid, tanh

from rnnbench import (
    Between,
    Cell,
    Initial,
    Option,
    Tensors,
    hookimpl,
    orthogonal,
    uniform,
    zeros,
)


class CIFGLSTM(Cell):
    """LSTM with coupled input and forget gates (Greff et al. 2017, variant CIFG: i_t = 1 − f_t).

    The gates are numbered forget, candidate, output.
    """

    name = "cifg_lstm"
    reference = "Greff et al. 2017, IEEE TNNLS 28 (variant CIFG, without peepholes)"
    equations = """\
f_t = σ(W_f x_t + U_f h_{t−1} + b_f + forget_bias)
g_t = tanh(W_g x_t + U_g h_{t−1} + b_g)
o_t = σ(W_o x_t + U_o h_{t−1} + b_o)
c_t = f_t ∘ c_{t−1} + (1 − f_t) ∘ g_t
h_t = o_t ∘ tanh(c_t)"""
    card = {
        "variant": "coupled gates i = 1 − f, an output gate as in the LSTM, no peepholes",
        "biases": "one a gate, and forget_bias",
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
        """Declare W, U and b, each with three blocks of rows: forget, candidate, output."""
        scheme = orthogonal if self.init == "orthogonal" else uniform
        return {
            "W": uniform(3 * hidden, inputs),
            "U": scheme(3 * hidden, hidden),
            "b": zeros(3 * hidden),
        }

    def state(self, hidden: int) -> dict[str, Initial]:
        """Declare the hidden state and the cell state."""
        return {"h": zeros(hidden), "c": zeros(hidden)}

    def step(self, x: Tensor, s: Tensors, w: Tensors) -> dict[str, Tensor]:
        """Compute the next states: x [batch, inputs], s.h and s.c [batch, hidden]."""
        f, g, o = (x @ w.W.T + s.h @ w.U.T + w.b).chunk(3, -1)
        f = sigmoid(f + w.forget_bias)
        c = f * s.c + (1 - f) * tanh(g)
        return {"h": sigmoid(o) * tanh(c), "c": c}


@hookimpl
def rnnbench_provide_cells() -> list[type[Cell]]:
    """Provide the LSTM with coupled gates."""
    return [CIFGLSTM]
