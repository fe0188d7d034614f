"""A cell, a layer and a task for rnnbench: the minimal gated unit, smoothing, parity of signs."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, sigmoid, tanh

import rnnbench


class MinimalGatedUnit(rnnbench.Cell):
    """Minimal gated unit: one gate forgets, resets and updates (Zhou et al. 2016)."""

    name = "mgu"
    reference = "Zhou, Wu, Zhang & Zhou 2016, arXiv:1603.09420"
    equations = """\
f_t = σ(W_f x_t + U_f h_{t−1} + b_f + forget_bias)
n_t = tanh(W_n x_t + U_n (f_t ∘ h_{t−1}) + b_n)
h_t = (1 − f_t) ∘ h_{t−1} + f_t ∘ n_t"""
    card = {
        "biases": "one for the gate, one for the candidate",
        "initialisation": "W uniform ±1/√inputs, U orthogonal a gate, biases zero",
    }
    options = {
        "forget_bias": rnnbench.Option(
            0.0, search=rnnbench.Between(-4.0, 2.0), help="added to the gate; low keeps for longer"
        )
    }

    def weights(self, inputs: int, hidden: int) -> dict[str, rnnbench.Initial]:
        """Declare W, U and b, each with two blocks of rows: gate, candidate."""
        return {
            "W": rnnbench.uniform(2 * hidden, inputs),
            "U": rnnbench.orthogonal(2 * hidden, hidden),
            "b": rnnbench.zeros(2 * hidden),
        }

    def state(self, hidden: int) -> dict[str, rnnbench.Initial]:
        """Declare the hidden state."""
        return {"h": rnnbench.zeros(hidden)}

    def step(self, x: Tensor, s: rnnbench.Tensors, w: rnnbench.Tensors) -> dict[str, Tensor]:
        """Compute the next state: x [batch, inputs], s.h [batch, hidden]."""
        hidden = s.h.shape[-1]
        f_x, n_x = (x @ w.W.T + w.b).chunk(2, -1)
        f = sigmoid(f_x + s.h @ w.U[:hidden].T + w.forget_bias)
        n = tanh(n_x + (f * s.h) @ w.U[hidden:].T)
        return {"h": (1 - f) * s.h + f * n}


class Smoothing(rnnbench.Layer):
    """An exponential moving average of the inputs, and a hidden layer on it (Brown 1956)."""

    name = "smoothing"
    reference = "Brown 1956, Exponential Smoothing for Predicting Demand"
    equations = """\
m_t = d m_{t−1} + (1 − d) x_t
h_t = tanh(W m_t + b)"""
    card = {"biases": "one", "initialisation": "W uniform ±1/√inputs, b zero"}
    options = {
        "decay": rnnbench.Option(
            0.5, search=rnnbench.Between(0.0, 0.99), low=0.0, high=1.0, help="d, what is kept"
        )
    }

    def weights(self, inputs: int, hidden: int, steps: int) -> dict[str, rnnbench.Initial]:  # noqa: ARG002
        """Declare W and b; the length of sequences changes nothing."""
        return {"W": rnnbench.uniform(hidden, inputs), "b": rnnbench.zeros(hidden)}

    def forward(self, x: Tensor, lengths: Tensor | None, w: rnnbench.Tensors) -> Tensor:  # noqa: ARG002
        """Map x [time, batch, inputs] to [time, batch, hidden]."""
        steps = torch.arange(len(x), device=x.device)
        ago = steps.unsqueeze(1) - steps
        shares = torch.where(ago >= 0, (1 - w.decay) * w.decay ** ago.clamp(min=0), 0)
        averages = (shares @ x.flatten(1)).view_as(x)
        return tanh(averages @ w.W.T + w.b)


class SignParity(rnnbench.Task):
    """Say whether a sequence holds an odd number of negative numbers.

        input   .3 −1.2  .8 −.1  .4 −.9
        target  1

    Not causal: the answer is due after the last step, so reading backwards is fair.
    """

    name = "sign_parity"
    reference = "parity: Minsky & Papert 1969"
    options = {"length": rnnbench.Option(8, low=2, help="number of time steps")}
    pattern = "many-to-one"
    causal = False
    metrics = ("accuracy",)

    length: int

    @property
    def sequence_length(self) -> int:
        """The chosen length."""
        return self.length

    @property
    def inputs(self) -> rnnbench.Reals:
        """One number a step."""
        return rnnbench.Reals(1)

    @property
    def targets(self) -> rnnbench.Classes:
        """Even or odd."""
        return rnnbench.Classes(2)

    @property
    def anchors(self) -> rnnbench.Anchors:
        """Even and odd are equally likely, whatever all but one of the numbers are."""
        return rnnbench.Anchors(chance=0.5, trivial=0.5, oracle=1.0, solved=0.99)

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farthest number is from its read-out; every number counts."""
        return (self.length - 1) // 2 if bidirectional else self.length - 1

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` sequences: inputs [length, size, 1], targets [size]."""
        inputs = torch.randn(self.length, size, 1, generator=generator, device=generator.device)
        return rnnbench.Batch(inputs, (inputs < 0).sum((0, 2)) % 2)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Draw 512 sequences for validation or 2048 for the test."""
        return self.batch({"valid": 512, "test": 2048}[split], generator)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict even: logits [batch, 2]."""
        return batch.inputs.new_tensor([1.0, 0.0]).repeat(len(batch), 1)

    def oracle(self, batch: rnnbench.Batch) -> Tensor:
        """Count: logits [batch, 2]."""
        return torch.nn.functional.one_hot((batch.inputs < 0).sum((0, 2)) % 2, 2).float()


@rnnbench.hookimpl
def rnnbench_provide_cells() -> list[type[rnnbench.Cell]]:
    """Provide the minimal gated unit."""
    return [MinimalGatedUnit]


@rnnbench.hookimpl
def rnnbench_provide_layers() -> list[type[rnnbench.Layer]]:
    """Provide smoothing."""
    return [Smoothing]


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide parity of signs."""
    return [SignParity]
