"""The LSTM with and without diagonal peepholes as `lax.scan` under `jit`, as JAX users write it."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import torch
from jax import Array, lax
from jax.nn import sigmoid
from sides import Problem
from torch import Tensor

Named = dict[str, Array]
State = tuple[Array, Array]


def of_scan(
    given: Problem, hoisted: bool
) -> tuple[Callable[[], Named], Callable[[Named], dict[str, Tensor]]]:
    """Return a pass that gives the weights' gradients, and what turns them into torch's layout.

    Weights that hold `P` and `Q` are those of an LSTM with diagonal peepholes.

    hoisted  multiply all inputs by W before the scan, not each step's within it
    """
    # [inputs, gates], as JAX's own libraries keep matrices: 5 to 15 % quicker than the transpose
    trained = {name: _array(w.T if name in "WU" else w) for name, w in given.trained.items()}
    forget_bias = _array(given.weights.forget_bias)
    before = (_array(given.state.h), _array(given.state.c))
    by_outputs = _array(given.d_outputs)
    by_final = (_array(given.d_state.h), _array(given.d_state.c))
    inputs = _array(given.x)

    def forward(w: Named, x: Array) -> tuple[Array, State]:
        def step(state: State, now: Array) -> tuple[State, Array]:
            from_input = now if hoisted else now @ w["W"] + w["b"]
            h, c = _gates(from_input + state[0] @ w["U"], state[1], w, forget_bias)
            return (h, c), h

        final, outputs = lax.scan(step, before, x @ w["W"] + w["b"] if hoisted else x)
        return outputs, final

    # jax.vjp rather than value_and_grad: no sum over the outputs that the other side has not
    @jax.jit
    def both(w: Named, x: Array) -> tuple[Array, State, Named]:
        (outputs, final), backward = jax.vjp(lambda w: forward(w, x), w)
        return outputs, final, backward((by_outputs, by_final))[0]

    def once() -> Named:
        return jax.block_until_ready(both(trained, inputs))[2]

    return once, _to_torch


def _gates(z: Array, c: Array, w: Named, forget_bias: Array) -> State:
    i, f, g, o = jnp.split(z, 4, -1)
    if "P" in w:
        i, f = i + w["P"][0] * c, f + w["P"][1] * c
    c = sigmoid(f + forget_bias) * c + sigmoid(i) * jnp.tanh(g)
    if "Q" in w:
        o = o + w["Q"] * c
    return sigmoid(o) * jnp.tanh(c), c


def _array(tensor: Tensor) -> Array:
    return jnp.array(tensor.detach().numpy())


def _to_torch(gradients: Named) -> dict[str, Tensor]:
    return {
        name: torch.tensor(jax.device_get(gradient.T if name in "WU" else gradient))
        for name, gradient in gradients.items()
    }
