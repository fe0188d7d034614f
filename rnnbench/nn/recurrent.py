"""One cell run over a sequence in one direction, with its parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import combinations

import torch
from torch import Generator, Tensor, nn

from rnnbench.contracts import Cell, Noise, Tensors
from rnnbench.errors import InputError, PluginError
from rnnbench.nn.dropout import Keyed, uniform
from rnnbench.recurrence import output_of, reverse, runner

FIRST = "first_"
"""What the names of buffers that hold first states begin with."""


class Recurrent(nn.Module):
    """A cell as a layer: [time, batch, inputs] -> [time, batch, width].

    Weights are parameters; numeric options and the first state are buffers; each noise is a site
    that `rekey` reaches. Their names carry a prefix, so that a cell may call its weights what it
    likes.

    chunk  in training, the gradient is cut at every so many steps while the state goes on
           (truncated backpropagation through time); a sequence ends within one chunk. None: never
    """

    width: int
    """The width of the outputs."""

    states: tuple[str, ...]
    """The names of the states."""

    output: str
    """The state that is the output."""

    def __init__(
        self,
        cell: Cell,
        inputs: int,
        hidden: int,
        *,
        numeric: Mapping[str, float],
        backend: str,
        generator: Generator,
        backward: bool = False,
        chunk: int | None = None,
    ) -> None:
        super().__init__()
        self.run, self.backward, self.chunk = runner(backend, cell), backward, chunk
        weights, state = cell.weights(inputs, hidden), cell.state(hidden)
        noise = cell.noise(hidden)
        _refuse_shared_names(
            cell, {"weights": set(weights), "options": set(numeric), "noise": set(noise)}
        )
        for name, weight in weights.items():
            self.register_parameter(f"weight_{name}", nn.Parameter(weight.draw(generator)))
        for name, value in numeric.items():
            self.register_buffer(f"option_{name}", torch.tensor(float(value)))
        for name, first in state.items():
            self.register_buffer(f"{FIRST}{name}", first.draw(generator))
        for name, declared in noise.items():
            _check_noise(cell, name, declared, numeric)
            self.add_module(f"noise_{name}", Source(declared))
        self._weights, self._options, self.states = tuple(weights), tuple(numeric), tuple(state)
        self._noise = {name: declared.strength for name, declared in noise.items()}
        self.output = output_of(cell, state)
        self.width = state[self.output].shape[0]

    def forward(
        self, x: Tensor, lengths: Tensor | None, first: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Tensors]:
        """Run the cell: x [time, batch, inputs], lengths [batch] or None -> outputs, final state.

        Backward, each sequence is read from its own last step to its first; outputs stand at
        the step that they belong to, and the final state is that of the first step.

        first  the states to begin with, each [batch, width]; None: those that the cell declares
        """
        weights = Tensors(
            {name: getattr(self, f"weight_{name}") for name in self._weights}
            | {name: getattr(self, f"option_{name}") for name in self._options}
        )
        if first is None:
            first = {
                name: getattr(self, f"{FIRST}{name}").expand(x.shape[1], -1) for name in self.states
            }
        state = Tensors(first)
        noise = Tensors(
            {
                name: getattr(self, f"noise_{name}")(weights[strength], x)
                for name, strength in self._noise.items()
            }
        )
        read = reverse(x, lengths) if self.backward else x
        if self.training and self.chunk is not None and self.chunk < len(x):
            outputs, state = self._truncated(self.chunk, read, state, weights, lengths, noise)
        else:
            outputs, state = self.run(read, state, weights, lengths, noise)
        return reverse(outputs, lengths) if self.backward else outputs, state

    def _truncated(
        self,
        chunk: int,
        x: Tensor,
        state: Tensors,
        weights: Tensors,
        lengths: Tensor | None,
        noise: Tensors,
    ) -> tuple[Tensor, Tensors]:
        """Run chunk by chunk; the last state of a sequence is that of the chunk it ends in."""
        parts, last = [], state
        for start in range(0, len(x), chunk):
            now = slice(start, start + chunk)
            part = x[now]
            left = None if lengths is None else (lengths - start).clamp(0, len(part))
            numbers = Tensors({name: tensor[now] for name, tensor in noise.items()})
            outputs, new = self.run(part, state, weights, left, numbers)
            parts.append(outputs)
            goes_on = None if left is None else (left > 0).unsqueeze(-1)
            last = Tensors(
                {
                    name: tensor if goes_on is None else torch.where(goes_on, tensor, last[name])
                    for name, tensor in new.items()
                }
            )
            state = Tensors({name: tensor.detach() for name, tensor in new.items()})
        return torch.cat(parts), last


class Source(Keyed):
    """One declared noise for a sequence: numbers that follow from the key, or their mean."""

    def __init__(self, noise: Noise) -> None:
        super().__init__()
        self.noise = noise

    def forward(self, strength: Tensor, x: Tensor) -> Tensor:
        """Return [time, batch, width] for x [time, batch, inputs], of its dtype."""
        noise, (steps, batch, _) = self.noise, x.shape
        strength = strength.detach().to(x.dtype)
        if self.training:
            even = uniform(self.key, (1 if noise.once else steps, batch, noise.width))
            numbers = _drawn(noise, even, strength)
        else:
            numbers = _mean(noise, strength)
        return numbers.expand(steps, batch, noise.width)


def _drawn(noise: Noise, even: Tensor, strength: Tensor) -> Tensor:
    """Turn uniform numbers into noise of the dtype of `strength`."""
    match noise.kind:
        case "mask":
            return (even < strength).to(strength.dtype)
        case "dropout":
            return torch.where(even >= strength, 1 / (1 - strength), 0)
        case "normal":
            # the middle of each of the 2^24 equal parts of (−1, 1), exact in float32: never
            # ±1, where erfinv is infinite, and one uniform number does where Box-Muller needs two
            middle = 2 * even - 1 + 2**-24
            return torch.erfinv(middle).to(strength.dtype) * (math.sqrt(2) * strength)


def _mean(noise: Noise, strength: Tensor) -> Tensor:
    match noise.kind:
        case "mask":
            return strength
        case "dropout":
            return torch.ones_like(strength)
        case "normal":
            return torch.zeros_like(strength)


def _refuse_shared_names(cell: Cell, names: Mapping[str, set[str]]) -> None:
    """Refuse what a step could not tell apart in `w`."""
    for (first, some), (second, others) in combinations(names.items(), 2):
        if both := some & others:
            raise PluginError(
                f"cell `{cell.name}` has {first} and {second} of one name: "
                + ", ".join(sorted(both))
            )


def _check_noise(cell: Cell, name: str, noise: Noise, numeric: Mapping[str, float]) -> None:
    if noise.kind not in _STRENGTHS:
        raise PluginError(
            f"cell `{cell.name}`: noise `{name}` is of the kind `{noise.kind}`; "
            f"known: {', '.join(_STRENGTHS)}"
        )
    if noise.strength not in numeric:
        raise PluginError(
            f"cell `{cell.name}`: noise `{name}` has the strength `{noise.strength}`, which is no "
            f"numeric option of the cell; known: {', '.join(numeric) or 'none'}"
        )
    fits, what = _STRENGTHS[noise.kind]
    if not fits(value := numeric[noise.strength]):
        raise InputError(
            f"cell `{cell.name}`: option `{noise.strength}` is the strength of {noise.kind} noise, "
            f"so it is {what}, not {value!r}"
        )


_STRENGTHS: dict[str, tuple[Callable[[float], bool], str]] = {
    "mask": (lambda p: 0 <= p <= 1, "from 0 to 1"),
    "dropout": (lambda p: 0 <= p < 1, "at least 0 and below 1"),
    "normal": (lambda p: 0 <= p < math.inf, "at least 0 and finite"),
}
