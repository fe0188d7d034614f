"""The gradient of the linear recurrence, written down by hand."""

import pytest
import torch

from rnnbench.contracts import Tensors
from rnnbench.recurrence import runner
from rnnbench_cells.rnn import RNN

STEPS = 9


@pytest.mark.parametrize("backend", ["loop", "kernel"])
def test_autograd_through_the_recurrence_equals_the_closed_form(backend):
    """h_t = X_t w_X + h_{t−1} w_H, and the loss L = h_N²/2, so that g = ∂L/∂h_N = h_N.

    ∂L/∂w_H = g Σ_{i=1..N} w_H^{i−1} h_{N−i} and ∂L/∂w_X = g Σ_{i=0..N−1} w_H^i X_{N−i}.
    """
    cell = RNN(nonlinearity="identity")
    dtype = torch.float32 if backend == "kernel" else torch.float64
    x = torch.randn(STEPS, 1, 1, generator=torch.Generator().manual_seed(3)).to(dtype)
    w_x = torch.tensor([[0.7]], dtype=dtype, requires_grad=True)
    w_h = torch.tensor([[-0.8]], dtype=dtype, requires_grad=True)
    weights = Tensors(W=w_x, U=w_h, b=torch.zeros(1, dtype=dtype))
    first = Tensors(h=torch.full((1, 1), 0.4, dtype=dtype))

    outputs, last = runner(backend, cell)(x, first, weights, None)
    (last.h.square().sum() / 2).backward()

    inputs = [None, *x.flatten().tolist()]
    states = [0.4, *outputs.flatten().tolist()]
    g, h_weight = states[STEPS], w_h.item()
    by_hidden = g * sum(h_weight ** (i - 1) * states[STEPS - i] for i in range(1, STEPS + 1))
    by_input = g * sum(h_weight**i * inputs[STEPS - i] for i in range(STEPS))
    closeness = {"rel": 1e-4} if backend == "kernel" else {"rel": 1e-12}
    assert w_h.grad.item() == pytest.approx(by_hidden, **closeness)
    assert w_x.grad.item() == pytest.approx(by_input, **closeness)
