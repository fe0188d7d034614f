"""The LSTM whose gates also see the cell state (Gers & Schmidhuber 2000)."""

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


class PeepholeLSTM(Cell):
    """LSTM with peepholes (Gers & Schmidhuber 2000, "Recurrent Nets that Time and Count").

    `diagonal` is the paper's: a gate's unit sees its own cell, through a vector. `full` is the
    form often drawn on slides, W·[c, h, x]: a gate's unit sees every cell, through a matrix. The
    input and forget gates see the old cell state, the output gate the new one.
    """

    name = "peephole_lstm"
    reference = "Gers & Schmidhuber 2000, IJCNN"
    equations = """\
i_t = σ(W_i x_t + U_i h_{t−1} + P_i c_{t−1} + b_i)
f_t = σ(W_f x_t + U_f h_{t−1} + P_f c_{t−1} + b_f + forget_bias)
g_t = tanh(W_g x_t + U_g h_{t−1} + b_g)
c_t = f_t ∘ c_{t−1} + i_t ∘ g_t
o_t = σ(W_o x_t + U_o h_{t−1} + P_o c_t + b_o)
h_t = o_t ∘ tanh(c_t)"""
    card = {
        "variant": "P diagonal (the paper) or full; i and f see c_{t−1}, o sees c_t",
        "biases": "one a gate, and forget_bias",
        "initialisation": "W uniform ±1/√inputs, U as `init` says, P uniform ±1/√hidden, b zero",
    }
    options = {
        "peepholes": Option(
            "diagonal",
            choices=("diagonal", "full"),
            help="whether a gate's unit sees its own cell or every cell",
        ),
        "forget_bias": Option(
            1.0, search=Between(0.0, 5.0), help="added to the forget gate's bias; not trained"
        ),
        "init": Option(
            "uniform",
            choices=("uniform", "orthogonal"),
            help="U: uniform ±1/√hidden as in torch, or orthogonal a gate",
        ),
    }

    peepholes: str
    init: str

    def weights(self, inputs: int, hidden: int) -> dict[str, Initial]:
        """Declare W, U, b with blocks of rows input, forget, candidate, output; and peepholes.

        P holds those of the input and forget gates, Q those of the output gate.
        """
        full = self.peepholes == "full"
        scheme = orthogonal if self.init == "orthogonal" else uniform
        return {
            "W": uniform(4 * hidden, inputs),
            "U": scheme(4 * hidden, hidden),
            "b": zeros(4 * hidden),
            "P": uniform(2 * hidden, hidden) if full else uniform(2, hidden),
            "Q": uniform(hidden, hidden) if full else uniform(hidden),
        }

    def state(self, hidden: int) -> dict[str, Initial]:
        """Declare the hidden state and the cell state."""
        return {"h": zeros(hidden), "c": zeros(hidden)}

    def step(self, x: Tensor, s: Tensors, w: Tensors) -> dict[str, Tensor]:
        """Compute the next states: x [batch, inputs], s.h and s.c [batch, hidden]."""
        i, f, g, o = (x @ w.W.T + s.h @ w.U.T + w.b).chunk(4, -1)
        full = self.peepholes == "full"
        i_peep, f_peep = (s.c @ w.P.T).chunk(2, -1) if full else (w.P[0] * s.c, w.P[1] * s.c)
        c = sigmoid(f + f_peep + w.forget_bias) * s.c + sigmoid(i + i_peep) * tanh(g)
        o_peep = c @ w.Q.T if full else w.Q * c
        return {"h": sigmoid(o + o_peep) * tanh(c), "c": c}


@hookimpl
def rnnbench_provide_cells() -> list[type[Cell]]:
    """Provide the peephole LSTM."""
    return [PeepholeLSTM]
