"""The gated recurrent unit (Cho et al. 2014), with its reset gate before or after the product."""

from __future__ import annotations

import torch
from torch import Tensor, sigmoid, tanh

from rnnbench import (
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


class GRU(Cell):
    """Gated recurrent unit (Cho et al. 2014, arXiv:1406.1078, equations 5 to 8).

    `before` is the paper's: the reset gate acts on the state, then the matrix. `after` is that of
    torch and cuDNN: first the matrix and a bias of its own, then the reset gate; it needs one
    product of the state a step rather than two. The gates are numbered as in torch: reset,
    update, candidate.
    """

    name = "gru"
    reference = "Cho et al. 2014 (before); torch and cuDNN (after)"
    equations = """\
r_t = σ(W_r x_t + U_r h_{t−1} + b_r)
z_t = σ(W_z x_t + U_z h_{t−1} + b_z)
n_t = tanh(W_n x_t + b_n + r_t ∘ (U_n h_{t−1} + d))    reset after
n_t = tanh(W_n x_t + b_n + U_n (r_t ∘ h_{t−1}))        reset before
h_t = z_t ∘ h_{t−1} + (1 − z_t) ∘ n_t"""
    card = {
        "variant": "reset gate after the recurrent product (torch, cuDNN) or before it (the paper)",
        "update gate": "z = 1 keeps the old state, as in Cho et al. 2014 and torch; "
        "Chung et al. 2014 write 1 − z for it",
        "biases": "one a gate, and with reset after a second one for the candidate, "
        "inside the reset gate; the paper writes none",
        "initialisation": "W uniform ±1/√inputs, U as `init` says, biases zero",
    }
    options = {
        "reset": Option(
            "after",
            choices=("after", "before"),
            help="whether the reset gate acts after or before the recurrent product",
        ),
        "init": Option(
            "uniform",
            choices=("uniform", "orthogonal"),
            help="U: uniform ±1/√hidden as in torch, or orthogonal a gate",
        ),
    }

    reset: str
    init: str

    def weights(self, inputs: int, hidden: int) -> dict[str, Initial]:
        """Declare W, U and b, each with three blocks of rows: reset, update, candidate."""
        scheme = orthogonal if self.init == "orthogonal" else uniform
        weights = {
            "W": uniform(3 * hidden, inputs),
            "U": scheme(3 * hidden, hidden),
            "b": zeros(3 * hidden),
        }
        return weights | {"d": zeros(hidden)} if self.reset == "after" else weights

    def state(self, hidden: int) -> dict[str, Initial]:
        """Declare the hidden state."""
        return {"h": zeros(hidden)}

    def step(self, x: Tensor, s: Tensors, w: Tensors) -> dict[str, Tensor]:
        """Compute the next state: x [batch, inputs], s.h [batch, hidden]."""
        hidden = s.h.shape[-1]
        r_x, z_x, n_x = (x @ w.W.T + w.b).chunk(3, -1)
        if self.reset == "after":
            r_h, z_h, n_h = (s.h @ w.U.T).chunk(3, -1)
            candidate = sigmoid(r_x + r_h) * (n_h + w.d)
        else:
            r_h, z_h = (s.h @ w.U[: 2 * hidden].T).chunk(2, -1)
            candidate = (sigmoid(r_x + r_h) * s.h) @ w.U[2 * hidden :].T
        n = tanh(n_x + candidate)
        z = sigmoid(z_x + z_h)
        return {"h": z * s.h + (1 - z) * n}

    def torch_layer(self) -> TorchLayer | None:
        """Return torch's GRU, which resets after the product."""
        return TorchLayer("GRU", ("h",), _torch_weights) if self.reset == "after" else None


def _torch_weights(w: Tensors) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    no_bias = torch.zeros_like(w.d)
    return w.W, w.U, w.b, torch.cat([no_bias, no_bias, w.d])


@hookimpl
def rnnbench_provide_cells() -> list[type[Cell]]:
    """Provide the GRU."""
    return [GRU]
