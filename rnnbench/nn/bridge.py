"""To a decoder's first states: from an encoder's last ones, or from what was seen of a picture."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from rnnbench.initial import Initial, uniform, zeros
from rnnbench.nn.recurrent import FIRST
from rnnbench.nn.stack import States


class Bridge(nn.Module):
    """Hands the state of each layer on: the context vector of an encoder and decoder.

    From one direction as it is (Sutskever et al. 2014); from two through a linear map of both, one
    for each state of each layer, since a decoder has but one.
    """

    def __init__(
        self, states: Mapping[str, int], layers: int, bidirectional: bool, *, generator: Generator
    ) -> None:
        super().__init__()
        self._names = [f"{layer}.{FIRST}{name}" for layer in range(layers) for name in states]
        self.maps = nn.ParameterDict()
        if bidirectional:
            both = {name: 2 * width for name, width in states.items()}
            self.maps = _maps(states, both, layers, generator)

    def forward(self, states: States) -> dict[str, Tensor]:
        """Return a decoder's first states, each [batch, width], from an encoder's last ones."""
        firsts = {}
        for place in self._names:
            state = states[f"forwards.{place}"]
            if self.maps:
                both = torch.cat([state, states[f"backwards.{place}"]], -1)
                state = _mapped(self.maps, place, both)
            firsts[f"forwards.{place}"] = state
        return firsts


class Opening(nn.Module):
    """Makes every first state of a decoder out of one vector, each by a linear map of its own.

    So does Xu et al. 2015, section 3.1.2, out of the mean of a picture's places.
    """

    def __init__(
        self, states: Mapping[str, int], layers: int, inputs: int, *, generator: Generator
    ) -> None:
        super().__init__()
        self._names = [f"{layer}.{FIRST}{name}" for layer in range(layers) for name in states]
        self.maps = _maps(states, dict.fromkeys(states, inputs), layers, generator)

    def forward(self, vector: Tensor) -> dict[str, Tensor]:
        """Return the first states, each [batch, width], of vector [batch, inputs]."""
        return {f"forwards.{place}": _mapped(self.maps, place, vector) for place in self._names}


def bridge_weights(width: int, inputs: int) -> dict[str, Initial]:
    """Declare the map from so many numbers to a state that is so wide."""
    return {"weight": uniform(width, inputs), "bias": zeros(width)}


def _maps(
    states: Mapping[str, int], inputs: Mapping[str, int], layers: int, generator: Generator
) -> nn.ParameterDict:
    maps = nn.ParameterDict()
    for layer in range(layers):
        for name, width in states.items():
            for part, initial in bridge_weights(width, inputs[name]).items():
                maps[f"{layer}_{part}_{name}"] = nn.Parameter(initial.draw(generator))
    return maps


def _mapped(maps: nn.ParameterDict, place: str, vector: Tensor) -> Tensor:
    layer, _, name = place.partition(f".{FIRST}")
    return linear(vector, maps[f"{layer}_weight_{name}"], maps[f"{layer}_bias_{name}"])
