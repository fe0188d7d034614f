"""A cell that is in no library: it forgets by e^(−softplus) and writes without a bound."""

from __future__ import annotations

from torch import Tensor, exp, sigmoid
from torch.nn.functional import softplus

from rnnbench import Cell, Initial, Tensors, uniform, zeros


class SoftplusMemory(Cell):
    """Memory with four gates, made up for the benchmark; as many products as an LSTM."""

    name = "softplus_memory"
    reference = "none: made up for benchmarks/recurrence.py"
    equations = """\
d_t = exp(−softplus(W_d x_t + U_d h_{t−1} + b_d))
s_t = softplus(W_s x_t + U_s h_{t−1} + b_s)
v_t = W_v x_t + U_v h_{t−1} + b_v
o_t = σ(W_o x_t + U_o h_{t−1} + b_o)
c_t = d_t ∘ c_{t−1} + (1 − d_t) ∘ s_t ∘ v_t
h_t = o_t ∘ c_t / (1 + |c_t|)"""

    def weights(self, inputs: int, hidden: int) -> dict[str, Initial]:
        """Declare W, U and b, each with four blocks of rows: decay, strength, value, output."""
        return {
            "W": uniform(4 * hidden, inputs),
            "U": uniform(4 * hidden, hidden),
            "b": zeros(4 * hidden),
        }

    def state(self, hidden: int) -> dict[str, Initial]:
        """Declare the output and the memory."""
        return {"h": zeros(hidden), "c": zeros(hidden)}

    def step(self, x: Tensor, s: Tensors, w: Tensors) -> dict[str, Tensor]:
        """Compute the next states: x [batch, inputs], s.h and s.c [batch, hidden]."""
        decay, strength, value, output = (x @ w.W.T + s.h @ w.U.T + w.b).chunk(4, -1)
        kept = exp(-softplus(decay))
        c = kept * s.c + (1 - kept) * softplus(strength) * value
        return {"h": sigmoid(output) * c / (1 + c.abs()), "c": c}
